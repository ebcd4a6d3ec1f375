"""Sends requests: with the shared token, within the org's concurrency, counted, retried where safe, bounded in time.

A 401 for an expired session signs in once for everybody and sends the identical request once more - method, URL,
headers and body - whatever the path: a small call, an upload, a download.

Source: facts/salesforce/auth.md section 6, errors.md sections 1 and 3, rest.md section 5.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlsplit

import aiohttp
import stamina
from yarl import URL

from orgbridge.client.auth.tokens import Token, TokenManager
from orgbridge.client.destinations import is_this_machine
from orgbridge.client.errors import (
    ClientError,
    ConnectionFailed,
    RedirectRefused,
    ReplyTooLarge,
    RequestTooLong,
    SalesforceError,
    SalesforceFault,
)
from orgbridge.client.replies import LimitInfo, parse_faults, parse_json, parse_limit_info
from orgbridge.client.transport.bodies import OutgoingBody
from orgbridge.client.transport.counting import note_call, note_seconds
from orgbridge.client.transport.gates import FixedGate, Gate
from orgbridge.client.transport.kinds import CALLS, RETRIES, Outcome, kind_of, outcome_of
from orgbridge.client.transport.requests import Expect, Request, local_target
from orgbridge.client.transport.retries import RetryPolicy, retry_rule
from orgbridge.client.transport.sessions import HTTPSession, Timeouts
from orgbridge.client.verdicts import connection_error, error_class, outcome_unknown
from orgbridge.kit import traces
from orgbridge.kit.clock import Clock
from orgbridge.kit.json import JSON
from orgbridge.wire.limits import URI_BYTES
from orgbridge.wire.versions import DEFAULT_VERSION, parse_version

_T = TypeVar("_T")
_USER_AGENT = "orgbridge"
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
#: Refusals with 401 that a new sign-in cannot mend. Source: auth.md section 6.
_HOPELESS = ("Connected app is not attached to Agent", "not valid for use with the REST API")
_CHUNK_BYTES = 128 * 1024
#: A reply that says it is no larger is read in one go.
_SMALL_BYTES = 64 * 1024
#: An error reply is a few hundred bytes; of a page that something else sends only the beginning is looked at.
_ERROR_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportConfig:
    """How calls are made."""

    #: `v67.0`, `67.0` or `67`.
    api_version: str = DEFAULT_VERSION
    #: Seconds allowed.
    timeouts: Timeouts = field(default_factory=Timeouts)
    #: When and how often a failed call is made again.
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    #: Calls under way at once; downloads count until their headers have come.
    max_concurrent: int = 20
    #: Largest reply that is held in memory; downloads are not.
    reply_bytes: int = 64 * 1024 * 1024

    def __post_init__(self) -> None:
        if parse_version(self.api_version) is None:
            raise ValueError(f"not an API version: {self.api_version}")
        if self.max_concurrent < 1:
            raise ValueError("max_concurrent must be 1 or more")

    @property
    def base_path(self) -> str:
        """Where the resources of this version lie."""
        return f"/services/data/v{parse_version(self.api_version)}.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A successful reply, whole."""

    #: HTTP status, 200 to 299 or 304.
    status: int
    #: Headers; names are case-insensitive.
    headers: Mapping[str, str]
    #: The body, unpacked.
    body: bytes = field(repr=False)
    #: True when an earlier try of this call was lost after sending and may have been carried out.
    repeated: bool = False

    def json(self, what: str = "the call") -> JSON:
        """Return the body's JSON.

        Raises:
            MalformedReply: The body is not JSON.
        """
        return parse_json(self.body, what)


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamReply:
    """A successful reply whose body is still to be read."""

    #: HTTP status.
    status: int
    #: Headers; names are case-insensitive.
    headers: Mapping[str, str]
    #: The body, unpacked, in blocks of 128 KiB at most; read it once, inside the context.
    chunks: AsyncIterator[bytes]


class Transport:
    """Sends requests to one org as one user.

    Attributes:
        calls: API requests that reached, or may have reached, Salesforce.
        limit: What the last `Sforce-Limit-Info` header said; None before the first.
    """

    def __init__(
        self,
        config: TransportConfig,
        *,
        tokens: TokenManager,
        http: HTTPSession,
        clock: Clock,
        gate: Gate | None = None,
    ) -> None:
        self.config = config
        self.calls = 0
        self.limit: LimitInfo | None = None
        self._tokens = tokens
        self._http = http
        self._clock = clock
        self._gate = gate or FixedGate(config.max_concurrent)
        self._timeouts = _timeouts(config.timeouts)

    def path(self, relative: str) -> str:
        """Return the path of a resource of this API version; a path from the root stays as it is."""
        return relative if relative.startswith("/") else f"{self.config.base_path}/{relative}"

    async def target_of(self, url: str) -> str:
        """Return path and query of a URL that Salesforce gave.

        Raises:
            RedirectRefused: It names another host than the org's.
        """
        if "//" not in url.partition("?")[0]:
            return local_target(url)
        return local_target(url, (await self._tokens.get()).instance_url)

    async def is_local(self) -> bool:
        """Tell whether the org is on this machine: there packing what comes down only costs time, on both sides."""
        return is_this_machine((await self._tokens.get()).instance_url)

    async def send(self, request: Request) -> Reply:
        """Send the request and return the whole reply.

        Raises:
            AuthenticationFailed: No token was to be had. Nothing was sent.
            ConnectionFailed: See its `sent`.
            SalesforceError: Salesforce answered with an error.
            ReplyTooLarge: The reply passed the limit; what it was about has happened.
            RequestTooLong: Nothing was sent.
        """
        return await self._persist(request, self._whole)

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[StreamReply]:
        """Send the request and give the reply as its headers have come; its body is read inside of the context.

        Until then a failure is retried as for `send`; a body that breaks off raises `ConnectionFailed` and is not.

        Raises:
            The same as `send`.
        """
        response = await self._persist(request, self._head)
        try:
            yield StreamReply(status=response.status, headers=response.headers, chunks=self._chunks(response))
        finally:
            # Closed, not released: what a caller left unread must not be read by the next one.
            response.close()

    async def _persist(self, request: Request, exchange: Callable[[Request, bool], Awaitable[_T]]) -> _T:
        # Most calls succeed at once: what stamina sets up for a second try costs a third of such a call.
        try:
            return await exchange(request, False)
        except ClientError as error:
            first, rule = error, retry_rule(self.config.retry, request.resend)
            if self.config.retry.attempts < 2 or rule(error) is False:
                raise
        return await self._retry(request, exchange, rule, first)

    async def _retry(
        self,
        request: Request,
        exchange: Callable[[Request, bool], Awaitable[_T]],
        rule: Callable[[Exception], bool | float],
        first: ClientError,
    ) -> _T:
        policy, lost = self.config.retry, outcome_unknown(first)
        async for attempt in stamina.retry_context(
            on=rule,
            attempts=policy.attempts,
            timeout=None,
            wait_initial=policy.wait_initial,
            wait_max=policy.wait_max,
            wait_jitter=policy.wait_jitter,
        ):
            with attempt:
                if attempt.num == 1:
                    raise first
                RETRIES.add(kind_of(request.path))
                try:
                    return await exchange(request, lost)
                except ClientError as error:
                    lost = lost or outcome_unknown(error)
                    raise
        raise AssertionError("stamina ends by a return or a raise")

    async def _whole(self, request: Request, lost: bool) -> Reply:
        async with self._slot(), AsyncExitStack() as stack:
            response = await self._answered(request, stack, lost)
            started = self._clock.monotonic()
            body = await self._read(response, self.config.reply_bytes)
            note_seconds(self._clock.monotonic() - started)
            return Reply(status=response.status, headers=response.headers, body=body, repeated=lost)

    async def _head(self, request: Request, lost: bool) -> aiohttp.ClientResponse:
        async with self._slot(), AsyncExitStack() as stack:
            response = await self._answered(request, stack, lost)
            # The slot is given back here: several downloads open in one task could otherwise wait for each other.
            stack.pop_all()
            return response

    @asynccontextmanager
    async def _slot(self) -> AsyncIterator[None]:
        await self._gate.enter()
        answered = False
        try:
            yield
            answered = True
        except ClientError as error:
            self._gate.failed(error)
            raise
        finally:
            self._gate.leave(answered=answered)

    async def _answered(self, request: Request, stack: AsyncExitStack, lost: bool) -> aiohttp.ClientResponse:
        token = await self._tokens.get()
        response = await self._open(request, token, stack)
        if response.status == 401:
            faults = await self._faults(response)
            if not _expired(faults):
                raise self._error(request, response, faults, lost)
            await stack.aclose()
            self._tokens.invalidate(token)
            token = await self._tokens.get()
            response = await self._open(request, token, stack)
        if response.status != 401:
            self._tokens.used(token)
        if response.status in _REDIRECTS:
            raise RedirectRefused(_redirect_text(request, response))
        if response.status >= 400 or response.status == 300:
            faults = await self._faults(response)
            raise self._error(request, response, faults, lost)
        return response

    async def _open(self, request: Request, token: Token, stack: AsyncExitStack) -> aiohttp.ClientResponse:
        if request.guard is not None:
            # Here and nowhere earlier: a place in the gate, a token and an expired session may have taken long.
            await request.guard()
        headers = self._headers(request, token)
        url = URL(token.instance_url + request.target, encoded=True)
        _check_length(request, headers)
        body = None
        data: Any = request.body
        if callable(request.body):
            body = OutgoingBody(request.body, request.body_bytes)
            stack.push_async_callback(body.close, self._clock)
            data = body.stream
        kind, started = kind_of(request.path), self._clock.monotonic()
        try:
            response = await self._http.get().request(
                request.method,
                url,
                headers=headers,
                data=data,
                timeout=self._timeout(request),
                allow_redirects=False,
            )
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            if body is not None and body.failure is not None:
                self._count(kind, Outcome.LOST, started)
                raise body.failure from None
            failure = connection_error(error, urlsplit(token.instance_url).netloc)
            if failure.sent:
                self._count(kind, Outcome.LOST, started)
            else:
                CALLS.observe(self._clock.monotonic() - started, kind, Outcome.UNSENT)
            # Cut off: aiohttp's own text quotes the URL, whose query string may hold people's data.
            raise failure from None
        self._count(kind, outcome_of(response.status), started)
        stack.callback(_finish, response)
        told = parse_limit_info(response.headers.get("Sforce-Limit-Info"))
        if told is not None:
            self.limit = told
            self._gate.heard(told)
        return response

    def _timeout(self, request: Request) -> aiohttp.ClientTimeout:
        usual = self._timeouts[request.expect]
        if request.seconds is None or (usual.total is not None and usual.total <= request.seconds):
            return usual
        return aiohttp.ClientTimeout(total=request.seconds, connect=usual.connect, sock_read=usual.sock_read)

    def _headers(self, request: Request, token: Token) -> dict[str, str]:
        headers = {"Accept": "application/json", "Accept-Encoding": "gzip", "User-Agent": _USER_AGENT}
        headers.update(request.headers)
        if request.body_bytes is not None:
            headers["Content-Length"] = str(request.body_bytes)
        headers["Authorization"] = token.authorization
        if (trace := traces.present()) is not None:
            headers[traces.TRACEPARENT] = trace
        return headers

    def _count(self, kind: str, outcome: Outcome, started: float) -> None:
        seconds = self._clock.monotonic() - started
        self.calls += 1
        note_call(seconds)
        CALLS.observe(seconds, kind, outcome)

    async def _faults(self, response: aiohttp.ClientResponse) -> tuple[SalesforceFault, ...]:
        try:
            return parse_faults(await self._read(response, _ERROR_BYTES))
        except ConnectionFailed:
            # The status has come and says enough: a server that refuses an upload unread may reset the connection.
            return ()

    async def _read(self, response: aiohttp.ClientResponse, limit: int) -> bytes:
        length = response.content_length
        if length is not None and length <= _SMALL_BYTES and "Content-Encoding" not in response.headers:
            # Most replies: read at once, without a generator between.
            try:
                return await response.content.read(-1)
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                raise connection_error(error, response.url.authority) from None
        body = bytearray()
        async for chunk in self._chunks(response):
            body += chunk
            if len(body) > limit:
                if response.status >= 400:
                    break
                raise ReplyTooLarge(f"Salesforce's reply passed {limit} bytes and was not read to its end.")
        return bytes(body)

    async def _chunks(self, response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
        try:
            async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
                yield chunk
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise connection_error(error, response.url.authority) from None

    def _error(
        self,
        request: Request,
        response: aiohttp.ClientResponse,
        faults: tuple[SalesforceFault, ...],
        lost: bool,
    ) -> SalesforceError:
        first = faults[0] if faults else SalesforceFault(error_code="", message=response.reason or "")
        return error_class(response.status, first)(
            status=response.status,
            faults=faults or (first,),
            method=request.method,
            path=request.path,
            repeated=lost,
            retry_after=_seconds(response.headers.get("Retry-After")),
        )


def _timeouts(times: Timeouts) -> Mapping[Expect, aiohttp.ClientTimeout]:
    totals = {Expect.REPLY: times.total, Expect.UPLOAD: times.upload, Expect.STREAM: times.stream}
    # `connect` covers the name's resolution too; the pool has no limit, so that nobody waits in it.
    return {
        expect: aiohttp.ClientTimeout(total=total, connect=times.connect, sock_read=times.read)
        for expect, total in totals.items()
    }


def _expired(faults: tuple[SalesforceFault, ...]) -> bool:
    """Tell whether a 401 is about the session. A reply without a code, e.g. to HEAD, is taken for it."""
    if any(hopeless in fault.message for fault in faults for hopeless in _HOPELESS):
        return False
    return all(fault.error_code in ("INVALID_SESSION_ID", "") for fault in faults)


def _check_length(request: Request, headers: Mapping[str, str]) -> None:
    size = len(request.target) + sum(len(name) + len(value) + 4 for name, value in headers.items())
    if size > URI_BYTES:
        raise RequestTooLong(
            f"URL and headers have {size} bytes; Salesforce reads {URI_BYTES}. Nothing was sent.", uri_bytes=size
        )


def _finish(response: aiohttp.ClientResponse) -> None:
    # A reply read to its end gives its connection back by itself; of any other one the connection is not to be trusted.
    if response.content.at_eof():
        response.release()
    else:
        response.close()


def _redirect_text(request: Request, response: aiohttp.ClientResponse) -> str:
    place = urlsplit(response.headers.get("Location", ""))
    return (
        f"{request.method} {request.path} was redirected (HTTP {response.status}) to "
        f"{place.netloc or response.url.authority}{place.path}; the token does not follow redirects. "
        "Set the token URL or instance URL to the org's My Domain host."
    )


def _seconds(header: str | None) -> float | None:
    """Return the seconds of a `Retry-After` header; None for none, and for its date form, which nobody saw here."""
    return float(header) if header and header.strip().isdigit() else None
