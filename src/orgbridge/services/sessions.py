"""Sign-ins that last: refresh tokens that are good once, one family per sign-in.

Laws:
1. A refresh token is opaque and stands in the store as a hash only.
2. Of many uses of one token at most one gets a new token; any further use ends the whole family, with every access
   token of it: somebody has a copy, and nobody can tell who.
3. A family ends when it was not used for a while, and in any case after some days.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from orgbridge.kit.clock import Clock
from orgbridge.kit.identifiers import new_identifier
from orgbridge.kit.logs import get_logger
from orgbridge.services.errors import NotOurs, RefreshTokenInvalid
from orgbridge.services.principals import Principals
from orgbridge.store.database import Database
from orgbridge.store.identity_records import Page, Revoked, SessionRecord

#: So that scanners for secrets, and people, see what it is.
_PREFIX = "obr_"
_MAX_CHARS = 200
#: Ended sessions are kept so long, so that a copied token is still recognised.
_REMEMBERED = timedelta(days=30)
log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionConfig:
    """How long a sign-in lasts."""

    #: Without being used.
    idle: timedelta = timedelta(days=7)
    #: In any case.
    absolute: timedelta = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a sign-in comes from."""

    #: Address of the caller.
    address: str = ""
    #: What the caller's program calls itself.
    agent: str = ""


class Sessions:
    """Opens, renews, lists and ends sign-ins."""

    def __init__(
        self, database: Database, principals: Principals, clock: Clock, config: SessionConfig | None = None
    ) -> None:
        self._database = database
        self._principals = principals
        self._clock = clock
        self._config = config or SessionConfig()

    async def open(self, user_id: str, scopes: tuple[str, ...] | None, origin: Origin) -> tuple[SessionRecord, str]:
        """Begin a session and return it with its first refresh token.

        Args:
            user_id: Who signed in.
            scopes: What was asked for; None for all that the user has at any time.
            origin: Where from.
        """
        now = self._clock.now()
        end = now + self._config.absolute
        session = SessionRecord(
            id=new_identifier("session", now),
            user_id=user_id,
            scopes=scopes,
            address=origin.address[:64],
            agent=_printable(origin.agent)[:200],
            created_at=now,
            used_at=now,
            idle_until=min(end, now + self._config.idle),
            expires_at=end,
        )
        token = _new_token()
        async with self._database.unit() as unit:
            await unit.sessions.open(session, _hash(token))
        return session, token

    async def renew(self, token: str) -> tuple[SessionRecord, str]:
        """Use a refresh token up and return its session with the next one.

        Raises:
            RefreshTokenInvalid: It is unknown, expired or revoked; or it was used before, and then the session and
                everything that came from it has ended.
        """
        if len(token) > _MAX_CHARS:
            raise RefreshTokenInvalid
        now = self._clock.now()
        renewed, following = None, _new_token()
        async with self._database.unit() as unit:
            taken = await unit.sessions.take(_hash(token), now)
            if taken is not None:
                session, first = taken
                if not first:
                    await unit.sessions.revoke(session.id, now, Revoked.REUSED)
                elif session.is_live(now):
                    idle_until = min(session.expires_at, now + self._config.idle)
                    await unit.sessions.prolong(session.id, now=now, idle_until=idle_until)
                    await unit.sessions.add_token(session.id, _hash(following), now)
                    renewed = replace(session, used_at=now, idle_until=idle_until)
        if renewed is not None:
            return renewed, following
        # Raised after the unit, so that what it revoked stays revoked.
        if taken is not None and not taken[1]:
            log.warning("refresh_token_reused", session=taken[0].id, user=taken[0].user_id)
            self._principals.forget()
        raise RefreshTokenInvalid

    async def end_by_token(self, token: str) -> bool:
        """End the session of a refresh token and return whether there is one."""
        async with self._database.unit() as unit:
            session = await unit.sessions.find_by_token(_hash(token[:_MAX_CHARS]))
            if session is not None:
                await unit.sessions.revoke(session.id, self._clock.now(), Revoked.SIGNED_OUT)
        self._principals.forget()
        return session is not None

    async def page(self, user_id: str, *, cursor: str | None, limit: int) -> Page[SessionRecord]:
        """Return one page of the live sessions of a user, newest first.

        Raises:
            CursorInvalid: The cursor is not one of ours.
        """
        async with self._database.unit(write=False) as unit:
            return await unit.sessions.page(user_id, self._clock.now(), cursor=cursor, limit=limit)

    async def end(self, user_id: str, session_id: str, reason: Revoked) -> None:
        """End one session of a user; safe to repeat.

        Raises:
            NotOurs: The user has no such session.
        """
        async with self._database.unit() as unit:
            session = await unit.sessions.get(session_id)
            if session is None or session.user_id != user_id:
                raise NotOurs(f"There is no session {session_id} of this user.")
            await unit.sessions.revoke(session_id, self._clock.now(), reason)
        self._principals.forget()

    async def end_all(self, user_id: str, reason: Revoked, *, but: str | None = None) -> None:
        """End all sessions of a user, save perhaps one."""
        async with self._database.unit() as unit:
            await unit.sessions.revoke_all(user_id, self._clock.now(), reason, but=but)
        self._principals.forget()

    async def purge(self) -> None:
        """Delete what can no longer count."""
        now = self._clock.now()
        async with self._database.unit() as unit:
            await unit.sessions.purge(now, now - _REMEMBERED)


def remaining(session: SessionRecord, now: datetime, lifetime: timedelta) -> timedelta:
    """Return how long an access token of a session may live: never beyond the session's own end."""
    return max(timedelta(seconds=1), min(lifetime, session.expires_at - now))


def _new_token() -> str:
    return _PREFIX + secrets.token_urlsafe(32)


def _hash(token: str) -> str:
    # 256 bits of chance need no slow hash.
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _printable(text: str) -> str:
    return "".join(character for character in text if character.isprintable())
