"""Users, sign-in by password, and access tokens.

A wrong password and an unknown user get the same answer after the same work, so that names cannot be guessed.
"""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass
from datetime import timedelta

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from orgbridge.kit.clock import Clock
from orgbridge.kit.identifiers import new_identifier
from orgbridge.services.errors import (
    InvalidRequest,
    NotSignedIn,
    ScopeMissing,
    ScopeNotGranted,
    UnknownUser,
    WrongCredentials,
)
from orgbridge.services.keys import KeyRing
from orgbridge.services.scopes import DEFAULT_SCOPES, SCOPES, Caller
from orgbridge.store.database import Database
from orgbridge.store.records import UserRecord

#: OWASP's Argon2id profile with the smallest memory (19 MiB), so that sign-ins do not spend the memory promise.
_HASHER = PasswordHash((Argon2Hasher(time_cost=2, memory_cost=19 * 1024, parallelism=1),))
#: Sign-ins that hash at once; others wait their turn.
_HASHES_AT_ONCE = 2
#: How long a user read from the store is believed. A disabled user is out after this at the latest.
_USER_SECONDS = 5.0
_REMEMBERED_USERS = 10_000
MIN_PASSWORD_CHARS = 8
MAX_PASSWORD_CHARS = 1024
MAX_USERNAME_CHARS = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenConfig:
    """How access tokens are made."""

    #: How long one lives.
    lifetime: timedelta
    #: `iss` and `aud` of the tokens.
    issuer: str = "orgbridge"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessToken:
    """A signed token and what the token endpoint says about it."""

    #: The signed token.
    token: str
    #: Seconds until it expires.
    expires_in_seconds: int
    #: Scopes it carries, sorted.
    scopes: tuple[str, ...]


class IdentityService:
    """Signs users in and tells who a token is."""

    def __init__(self, database: Database, keys: KeyRing, clock: Clock, config: TokenConfig) -> None:
        self._database = database
        self._clock = clock
        self._config = config
        self.keys = keys
        self._hashing = asyncio.Semaphore(_HASHES_AT_ONCE)
        self._users: dict[str, tuple[float, UserRecord | None]] = {}
        self._decoy = _HASHER.hash(secrets.token_urlsafe(16))

    async def sign_in(self, username: str, password: str, scopes: list[str] | None = None) -> AccessToken:
        """Return an access token for a user and password.

        Args:
            username: Sign-in name.
            password: As typed.
            scopes: Only these; None or empty gives all that the user has.

        Raises:
            WrongCredentials: No such user, a wrong password or a disabled user.
            ScopeNotGranted: A scope was asked for that the user does not have; the password was right.
        """
        user = None
        if username and len(username) <= MAX_USERNAME_CHARS:
            async with self._database.unit(write=False) as unit:
                user = await unit.users.get_by_username(username)
        usable = user is not None and not user.disabled and user.password_hash.startswith("$argon2")
        stored = user.password_hash if usable and user is not None else self._decoy
        async with self._hashing:
            right = await asyncio.to_thread(_HASHER.verify, password[:MAX_PASSWORD_CHARS], stored)
        if user is None or not usable or not right:
            raise WrongCredentials
        granted = scopes_of(user)
        asked = set(scopes or granted)
        if refused := sorted(asked - granted):
            raise ScopeNotGranted(f"The user does not have the scope {' '.join(refused)}.")
        return self.mint(user, sorted(asked), self._config.lifetime)

    def mint(self, user: UserRecord, scopes: list[str], lifetime: timedelta) -> AccessToken:
        """Return a signed token for a user, without asking for a password."""
        now = self._clock.now()
        claims = {
            "iss": self._config.issuer,
            "aud": self._config.issuer,
            "sub": user.id,
            "name": user.username,
            "scope": " ".join(scopes),
            "iat": int(now.timestamp()),
            "exp": int((now + lifetime).timestamp()),
            "jti": new_identifier("token", now),
        }
        seconds = int(lifetime.total_seconds())
        return AccessToken(token=self.keys.sign(claims), expires_in_seconds=seconds, scopes=tuple(scopes))

    async def caller(self, token: str, needed: list[str]) -> Caller:
        """Return who a bearer token stands for.

        Args:
            token: The token itself, without `Bearer`.
            needed: Scopes that the call needs, all of them.

        Raises:
            NotSignedIn: The token is not valid, or its user is gone or disabled.
            ScopeMissing: A needed scope is not in the token, or the user has lost it.
        """
        issuer = self._config.issuer
        claims = self.keys.verify(token, audience=issuer, issuer=issuer, now=self._clock.now().timestamp())
        user = await self._user(str(claims["sub"]))
        if user is None or user.disabled:
            raise NotSignedIn("The user of this token is gone or disabled.")
        scopes = frozenset(str(claims.get("scope", "")).split()) & scopes_of(user)
        if missing := [scope for scope in needed if scope not in scopes]:
            raise ScopeMissing(missing)
        return Caller(user_id=user.id, username=user.username, scopes=scopes)

    async def create_user(
        self, username: str, password: str | None, *, scopes: list[str] | None = None, is_admin: bool = False
    ) -> UserRecord:
        """Make a user.

        Args:
            username: Sign-in name, 1 to 128 characters without spaces at its ends.
            password: 8 to 1,024 characters; None makes a user who cannot sign in by password.
            scopes: What the user may do; None gives the default scopes. An admin has them all.
            is_admin: May do everything.

        Raises:
            InvalidRequest: A name, password or scope is not acceptable; nothing was written.
            UsernameTaken: A user of this name exists; nothing was written.
        """
        if not username or username != username.strip() or len(username) > MAX_USERNAME_CHARS:
            raise InvalidRequest(f"A user name has 1 to {MAX_USERNAME_CHARS} characters and no spaces at its ends.")
        if password is not None and not MIN_PASSWORD_CHARS <= len(password) <= MAX_PASSWORD_CHARS:
            raise InvalidRequest(f"A password has {MIN_PASSWORD_CHARS} to {MAX_PASSWORD_CHARS} characters.")
        chosen = list(scopes) if scopes is not None else list(DEFAULT_SCOPES)
        if unknown := sorted(set(chosen) - set(SCOPES)):
            raise InvalidRequest(f"Unknown scope {' '.join(unknown)}; there are: {' '.join(SCOPES)}.")
        hashed = "!"
        if password is not None:
            async with self._hashing:
                hashed = await asyncio.to_thread(_HASHER.hash, password)
        now = self._clock.now()
        user = UserRecord(
            id=new_identifier("user", now),
            username=username,
            password_hash=hashed,
            scopes=tuple(sorted({str(scope) for scope in chosen})),
            is_admin=is_admin,
            created_at=now,
        )
        async with self._database.unit() as unit:
            await unit.users.add(user)
        return user

    async def local_admin_token(self, username: str, lifetime: timedelta) -> AccessToken:
        """Return a token for the administrator of this machine, making the user when there is none.

        That user has no password: only whoever can read the data folder can act as them.
        """
        async with self._database.unit(write=False) as unit:
            user = await unit.users.get_by_username(username)
        if user is None:
            user = await self.create_user(username, None, scopes=list(SCOPES), is_admin=True)
        return self.mint(user, sorted(scopes_of(user)), lifetime)

    async def user(self, user_id: str) -> UserRecord:
        """Return a user.

        Raises:
            UnknownUser: There is none of this id.
        """
        async with self._database.unit(write=False) as unit:
            user = await unit.users.get(user_id)
        if user is None:
            raise UnknownUser
        return user

    async def users(self) -> list[UserRecord]:
        """Return all users, by name."""
        async with self._database.unit(write=False) as unit:
            return await unit.users.list()

    async def _user(self, user_id: str) -> UserRecord | None:
        now = self._clock.monotonic()
        known = self._users.get(user_id)
        if known is not None and now - known[0] < _USER_SECONDS:
            return known[1]
        async with self._database.unit(write=False) as unit:
            user = await unit.users.get(user_id)
        if len(self._users) >= _REMEMBERED_USERS:
            self._users.clear()
        self._users[user_id] = (now, user)
        return user


def scopes_of(user: UserRecord) -> set[str]:
    """Return the scopes that a user has: all of them for an admin."""
    return set(SCOPES) if user.is_admin else set(user.scopes)
