"""Access tokens: making them, and telling at little cost whether one is good.

A signature is checked once; the answer is kept until the token expires. What can change meanwhile is asked for again
every few seconds: the user, roles, grants, the session, revocation, and the keys.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from orgbridge.kit.clock import Clock
from orgbridge.kit.identifiers import new_identifier
from orgbridge.services.errors import TokenRefused
from orgbridge.services.key_rotation import SigningKeys
from orgbridge.services.keys import UnknownKey
from orgbridge.services.principals import BELIEVED_SECONDS, Principals
from orgbridge.services.scopes import Caller
from orgbridge.store.database import Database

#: Tokens whose check is remembered; the one unused for longest goes first.
_REMEMBERED = 10_000
#: Longer ones are not ours: a token with every scope has less than a kilobyte.
_MAX_TOKEN_CHARS = 8192
#: `client_id` of tokens that a user got with a password.
OWN_CLIENT = "orgbridge"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenConfig:
    """How access tokens are made."""

    #: How long one lives.
    lifetime: timedelta
    #: `iss` of the tokens.
    issuer: str = "orgbridge"
    #: `aud` of the tokens.
    audience: str = "orgbridge"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessToken:
    """A signed token and what the token endpoint says about it."""

    #: The signed token.
    token: str
    #: Seconds until it expires.
    expires_in_seconds: int
    #: Scopes it carries, sorted.
    scopes: tuple[str, ...]
    #: The token to get the next one with; None when there is none.
    refresh_token: str | None = None


@dataclass(slots=True)
class _Known:
    """A token whose signature was right."""

    user_id: str
    scopes: frozenset[str]
    token_id: str
    session_id: str | None
    expires: float
    keys: int
    people: int
    asked: float
    caller: Caller


class Tokens:
    """Makes and checks the access tokens of this service."""

    def __init__(
        self, database: Database, keys: SigningKeys, principals: Principals, clock: Clock, config: TokenConfig
    ) -> None:
        self._database = database
        self._keys = keys
        self._principals = principals
        self._clock = clock
        self._config = config
        self._known: OrderedDict[bytes, _Known] = OrderedDict()

    def mint(
        self,
        user_id: str,
        username: str,
        scopes: list[str],
        lifetime: timedelta,
        *,
        client_id: str = OWN_CLIENT,
        session_id: str | None = None,
    ) -> AccessToken:
        """Return a signed token. Whoever hands it out prepares the keys before."""
        now = self._clock.now()
        issued, seconds = int(now.timestamp()), int(lifetime.total_seconds())
        claims: dict[str, Any] = {
            "iss": self._config.issuer,
            "aud": self._config.audience,
            "sub": user_id,
            "name": username,
            "client_id": client_id,
            "scope": " ".join(scopes),
            "iat": issued,
            "nbf": issued,
            "exp": issued + seconds,
            "jti": new_identifier("token", now),
        }
        if session_id is not None:
            claims["sid"] = session_id
        return AccessToken(token=self._keys.ring.sign(claims), expires_in_seconds=seconds, scopes=tuple(scopes))

    async def caller(self, token: str) -> Caller:
        """Return who a token stands for.

        Raises:
            TokenRefused: It is not valid, was revoked, its session has ended, or its user is gone or disabled.
        """
        # Hashed so that nobody who reads this process's memory finds usable tokens in the cache.
        key = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        known = self._known.get(key)
        if known is not None:
            self._known.move_to_end(key)
            if known.expires <= self._clock.now().timestamp():
                del self._known[key]
                raise TokenRefused("The bearer token has expired: get a new one at POST /token.")
            if self._is_fresh(known):
                return known.caller
        # Here a signature is checked, or the store is asked.
        return (await self._ask(key, token)).caller

    def _is_fresh(self, known: _Known) -> bool:
        return (
            self._clock.monotonic() - known.asked < BELIEVED_SECONDS
            and known.keys == self._keys.generation
            and known.people == self._principals.generation
        )

    async def _ask(self, key: bytes, token: str) -> _Known:
        await self._keys.refresh()
        keys, people, asked = self._keys.generation, self._principals.generation, self._clock.monotonic()
        known = self._known.get(key)
        if known is None or known.keys != keys:
            claims = await self.claims(token)
            identifier, session, scopes, expires = (
                str(claims.get("jti", "")),
                str(claims["sid"]) if "sid" in claims else None,
                frozenset(str(claims.get("scope", "")).split()),
                float(claims["exp"]),
            )
            user_id = str(claims["sub"])
        else:
            identifier, session, scopes, expires = known.token_id, known.session_id, known.scopes, known.expires
            user_id = known.user_id
        principal = await self._principals.get(user_id)
        if principal is None or principal.user.disabled:
            self._known.pop(key, None)
            raise TokenRefused("The user of this token is gone or disabled.")
        if await self._is_over(identifier, session):
            self._known.pop(key, None)
            raise TokenRefused("The bearer token was revoked: sign in again.")
        made = _Known(
            user_id=user_id,
            scopes=scopes,
            token_id=identifier,
            session_id=session,
            expires=expires,
            keys=keys,
            people=people,
            asked=asked,
            caller=principal.caller(scopes, session),
        )
        self._known[key] = made
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return made

    async def claims(self, token: str) -> dict[str, Any]:
        """Return the claims of a valid access token of this service, without asking what became of it since.

        Raises:
            TokenRefused: It is not a valid access token of this service.
        """
        if len(token) > _MAX_TOKEN_CHARS:
            raise TokenRefused
        now = self._clock.now().timestamp()
        audience, issuer = self._config.audience, self._config.issuer
        try:
            return self._keys.ring.verify(token, audience=audience, issuer=issuer, now=now)
        except UnknownKey:
            # Perhaps another process has just made it.
            await self._keys.refresh(unknown_key=True)
        return self._keys.ring.verify(token, audience=audience, issuer=issuer, now=now)

    async def revoke(self, claims: dict[str, Any]) -> None:
        """Refuse one access token from now on, here at once and elsewhere within seconds."""
        expires_at = datetime.fromtimestamp(float(claims["exp"]), UTC)
        async with self._database.unit() as unit:
            await unit.sessions.revoke_token(str(claims.get("jti", "")), expires_at)
        self._principals.forget()

    async def _is_over(self, identifier: str, session_id: str | None) -> bool:
        async with self._database.unit(write=False) as unit:
            if await unit.sessions.is_revoked(identifier):
                return True
            if session_id is None:
                return False
            session = await unit.sessions.get(session_id)
        # An access token outlives the session's idle end by its own short life, not its revocation.
        return session is None or session.revoked_at is not None
