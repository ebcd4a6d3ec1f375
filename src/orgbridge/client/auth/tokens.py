"""The one token that all calls of an org share: got once for many callers, renewed early, never revoked.

Laws:
* However many callers need a token at one moment, there is one sign-in.
* A refused sign-in is not tried again for a while, whoever asks: repeated refusals lock the user out.
* Only a caller who names the token that failed can throw it away, so ten late 401s cost one sign-in.
* The session is never revoked: other programs of the same app may share it.
* Where a guard is given, it decides how long a refusal that only people can mend is repeated without asking.
* Where a keeper is given, a refresh token is used by one sign-in of all processes at a time, and one that comes with a
  reply is saved before anything else is done with the reply.

Source: facts/salesforce/auth.md sections 1 and 6; pains.md 2, 4, 5.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol
from urllib.parse import urlsplit

import aiohttp
import stamina

from orgbridge.client.auth.credentials import (
    Credentials,
    JWTCredentials,
    RefreshCredentials,
    flow_name,
    grant_form,
)
from orgbridge.client.auth.grants import GrantKeeper, GrantLoan
from orgbridge.client.auth.refusals import refusal
from orgbridge.client.auth.secrets import Secret
from orgbridge.client.destinations import may_follow
from orgbridge.client.errors import AuthenticationFailed, ConsentNeeded, MalformedReply, SignInUnavailable
from orgbridge.client.replies import parse_object
from orgbridge.client.verdicts import connection_error
from orgbridge.kit.clock import Clock
from orgbridge.kit.logs import get_logger
from orgbridge.kit.metrics import counter
from orgbridge.wire.limits import SESSION_SECONDS

_log = get_logger(__name__)
_REFRESHES = counter(
    "orgbridge_salesforce_token_refreshes_total",
    "Sign-ins to Salesforce, by outcome: ok, refused, unavailable.",
    ("outcome",),
    known=("ok", "refused", "unavailable"),
)
#: A token reply has about 1 KB; whatever is larger is no token reply.
_REPLY_BYTES = 64 * 1024
#: How long a refused sign-in is not tried again, and how long at most after repeated refusals. A guess, on the side of
#: not locking out the user: orgs lock after 3 to 10 failures, for 15 minutes or more.
_REFUSED_SECONDS, _REFUSED_SECONDS_MAX = 300.0, 3600.0
#: How long a stopping process waits for a reply that may bring a refresh token: less than it is given to stop.
_SETTLE_SECONDS = 10.0
#: Pause between early renewals that fail, so that not every call waits for one.
_RENEWAL_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenConfig:
    """Where and how to sign in."""

    #: How.
    credentials: Credentials
    #: Where: the full URL of the token endpoint.
    token_url: str
    #: Assumed idle life of a session; the reply does not tell it.
    session_seconds: float = float(SESSION_SECONDS)
    #: How long before its assumed end a token is renewed. At most half of the session counts.
    refresh_buffer: float = 300.0
    #: Calls go here instead of to the `instance_url` of the token reply.
    instance_url: str | None = None
    #: Seconds for the connection, and for the whole exchange.
    connect_timeout: float = 10.0
    #: Seconds for one exchange with the token endpoint.
    total_timeout: float = 30.0
    #: Tries when the token endpoint cannot be reached or is down.
    attempts: int = 3
    #: Seconds before the second try; doubled before each further one.
    wait_initial: float = 0.5

    def __post_init__(self) -> None:
        for url in (self.token_url, self.instance_url):
            if url is not None and (urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname):
                raise ValueError(f"not an http(s) URL: {url}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A session of Salesforce."""

    #: What authorises.
    access_token: Secret
    #: Scheme and host that calls go to, without a slash at the end.
    instance_url: str
    #: 18-character id of the org; None when the reply did not name it.
    org_id: str | None
    #: 18-character id of the user; None when the reply did not name it.
    user_id: str | None

    @property
    def authorization(self) -> str:
        """Value of the `Authorization` header. Never log it."""
        return f"Bearer {self.access_token.reveal()}"


class SignInGuard(Protocol):
    """Remembers, beyond one process, that sign-ins are refused until people do something."""

    async def admit(self, credentials: Credentials) -> None:
        """Let a sign-in out.

        Raises:
            ConsentNeeded: It was refused before and is not tried again yet. Nothing was sent.
        """

    async def refused(self, credentials: Credentials, error: ConsentNeeded) -> None:
        """Take note that Salesforce refused."""

    async def signed_in(self) -> None:
        """Take note that a sign-in went well."""


class TokenManager:
    """Hands out the token of one user in one org.

    Attributes:
        sign_ins: How often a token was asked for at Salesforce and got.
    """

    def __init__(
        self,
        config: TokenConfig,
        *,
        session: Callable[[], aiohttp.ClientSession],
        clock: Clock,
        guard: SignInGuard | None = None,
        keeper: GrantKeeper | None = None,
    ) -> None:
        self.sign_ins = 0
        self._config = config
        self._credentials = config.credentials
        self._session = session
        self._clock = clock
        self._guard = guard
        self._keeper = keeper
        self._asked_with = config.credentials
        self._host = urlsplit(config.token_url).netloc
        self._token: Token | None = None
        self._anchor = 0.0
        self._signing_in: asyncio.Task[Token] | None = None
        self._refused: AuthenticationFailed | None = None
        self._refused_until = 0.0
        self._refusals = 0
        self._renew_at = 0.0

    async def get(self) -> Token:
        """Return a token that is assumed to live for a while yet; sign in if there is none.

        Raises:
            AuthenticationFailed: Salesforce refused. The refusal is repeated, without asking again, for some minutes.
            SignInUnavailable: The token endpoint cannot be reached or is down, also after some tries.
            MalformedReply: Something else than the token endpoint answered.
        """
        now, token = self._clock.monotonic(), self._token
        left = self._config.session_seconds - (now - self._anchor)
        buffer = min(self._config.refresh_buffer, self._config.session_seconds / 2)
        if token is not None and (left > buffer or (left > 0 and now < self._renew_at)):
            return token
        try:
            return await self._join()
        except SignInUnavailable:
            # An early renewal that fails for now costs nobody a call while the old token still lives.
            if token is None or token is not self._token or left <= 0:
                raise
            self._renew_at = now + _RENEWAL_SECONDS
            return token

    def used(self, token: Token) -> None:
        """Tell that Salesforce took the token just now, which prolongs its session.

        Assumed: the platform moves the end of a session only when it is used in the second half of its life.
        """
        now = self._clock.monotonic()
        if token is self._token and now - self._anchor >= self._config.session_seconds / 2:
            self._anchor = now

    def invalidate(self, token: Token) -> None:
        """Throw this token away, if it is still the present one. A newer one stays."""
        if self._token is not None and self._token.access_token == token.access_token:
            self._token = None

    def forget_refusal(self) -> None:
        """Allow a sign-in again at once, because somebody mended the cause."""
        self._refused, self._refused_until, self._refusals = None, 0.0, 0

    def use(self, credentials: Credentials) -> None:
        """Sign in with other credentials from now on; the present session goes on until it ends.

        A refusal of the old ones is forgotten: somebody has just mended them.
        """
        if credentials != self._credentials:
            self._credentials = credentials
            self.forget_refusal()

    def use_key(self, private_key: Secret) -> None:
        """Sign assertions with another key from now on; nothing for a flow without one."""
        if isinstance(self._credentials, JWTCredentials):
            self.use(replace(self._credentials, private_key=private_key))

    async def settled(self) -> None:
        """Wait, for some seconds at most, until no refresh token is on its way that nobody could use again."""
        task = self._signing_in
        if task is not None and self._keeper is not None and isinstance(self._asked_with, RefreshCredentials):
            await asyncio.wait({task}, timeout=_SETTLE_SECONDS)

    async def close(self) -> None:
        """End a sign-in under way. The session itself lives on at Salesforce."""
        await self.settled()
        task, self._signing_in = self._signing_in, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task})

    async def _join(self) -> Token:
        if self._refused is not None and self._clock.monotonic() < self._refused_until:
            raise _again(self._refused)
        if self._signing_in is None:
            self._signing_in = asyncio.create_task(self._sign_in(), name="salesforce-sign-in")
            self._signing_in.add_done_callback(self._signed_in)
        # Shielded: one caller that gives up must not take the sign-in from the others.
        return await asyncio.shield(self._signing_in)

    def _signed_in(self, task: asyncio.Task[Token]) -> None:
        if self._signing_in is task:
            self._signing_in = None
        if task.cancelled():
            return
        error = task.exception()  # read here, so that asyncio does not complain when every caller has gone
        if error is None:
            self._token, self._anchor = task.result(), self._clock.monotonic()
            self.sign_ins += 1
            _REFRESHES.add("ok")
            self.forget_refusal()
        elif self._asked_with is not self._credentials or (
            self._guard is not None and isinstance(error, ConsentNeeded)
        ):
            # Other credentials came meanwhile, or the guard keeps the refusal: whoever comes next asks.
            return
        elif isinstance(error, AuthenticationFailed) and not isinstance(error, SignInUnavailable):
            wait = min(_REFUSED_SECONDS * 2**self._refusals, _REFUSED_SECONDS_MAX)
            self._refused, self._refused_until = error, self._clock.monotonic() + wait
            self._refusals += 1
            _REFRESHES.add("refused")
            _log.warning("salesforce.sign_in_refused", host=self._host, error=error.error, held_seconds=wait)
        else:
            _REFRESHES.add("unavailable")

    async def _sign_in(self) -> Token:
        credentials = self._asked_with = self._credentials
        if self._guard is None:
            return await self._exchange(credentials)
        await self._guard.admit(credentials)
        try:
            token = await self._exchange(credentials)
        except ConsentNeeded as error:
            await self._guard.refused(credentials, error)
            raise
        await self._guard.signed_in()
        return token

    async def _exchange(self, credentials: Credentials) -> Token:
        if self._keeper is None or not isinstance(credentials, RefreshCredentials):
            return await self._sign_in_with(credentials, None)
        async with self._keeper.lend(credentials) as loan:
            try:
                return await self._sign_in_with(loan.credentials, loan)
            except ConsentNeeded as error:
                raise loan.explained(error) from None

    async def _sign_in_with(self, credentials: Credentials, loan: GrantLoan | None) -> Token:
        flow = flow_name(credentials)
        async for attempt in stamina.retry_context(
            on=SignInUnavailable,
            attempts=self._config.attempts,
            timeout=None,
            wait_initial=self._config.wait_initial,
            wait_jitter=self._config.wait_initial,
        ):
            with attempt:
                token = await self._ask(credentials, loan)
        _log.info("salesforce.signed_in", host=self._host, flow=flow, instance=token.instance_url)
        return token

    async def _ask(self, credentials: Credentials, loan: GrantLoan | None) -> Token:
        form = grant_form(credentials, token_url=self._config.token_url, now=self._clock.now())
        timeout = aiohttp.ClientTimeout(total=self._config.total_timeout, connect=self._config.connect_timeout)
        try:
            async with self._session().post(
                self._config.token_url,
                data=form,
                headers={"Accept": "application/json"},
                timeout=timeout,
                allow_redirects=False,
            ) as response:
                status, body = response.status, bytearray()
                async for chunk in response.content.iter_any():
                    body += chunk
                    if len(body) > _REPLY_BYTES:
                        break
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            # Not a `ConnectionFailed`: of the call that needs the token nothing was sent, whatever happened here.
            raise SignInUnavailable(
                cause=connection_error(error, self._host).message,
                remedy="Check the token URL, and that this machine reaches it (DNS, proxy, firewall, port).",
                host=self._host,
            ) from None
        if status != 200:
            raise refusal(status=status, body=bytes(body), host=self._host)
        value = parse_object(bytes(body), "the sign-in")
        renewed = value.get("refresh_token")
        if renewed and isinstance(credentials, RefreshCredentials):
            if loan is not None:
                await loan.keep(Secret(str(renewed)))
            elif self._credentials is credentials:
                self._credentials = self._asked_with = replace(credentials, refresh_token=Secret(str(renewed)))
        return self._read(value)

    def _read(self, value: Mapping[str, Any]) -> Token:
        access_token, instance = value.get("access_token"), self._config.instance_url or value.get("instance_url")
        if not access_token or not instance:
            raise MalformedReply(f"{self._host} answered the sign-in without `access_token` or `instance_url`.")
        parts = urlsplit(str(instance))
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise MalformedReply(f"{self._host} answered the sign-in with an `instance_url` that is no URL.")
        if not may_follow(self._config.token_url, str(instance)):
            raise MalformedReply(
                f"{self._host} answered the sign-in with an `instance_url` that a session must not be sent to: "
                f"{parts.scheme}://{parts.hostname}."
            )
        owner = str(value.get("id") or "").rstrip("/").split("/")
        known = len(owner) >= 3 and owner[-3] == "id"
        return Token(
            access_token=Secret(str(access_token)),
            instance_url=f"{parts.scheme}://{parts.netloc}",
            org_id=owner[-2] if known else None,
            user_id=owner[-1] if known else None,
        )


def _again(error: AuthenticationFailed) -> AuthenticationFailed:
    # A new object: raising one exception in many tasks would chain their tracebacks.
    return type(error)(cause=error.cause, remedy=error.remedy, error=error.error, host=error.host)
