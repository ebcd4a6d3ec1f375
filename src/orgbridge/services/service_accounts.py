"""Service accounts: programs that sign in with a client id and one of their secrets."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta

from orgbridge.kit.clock import Clock
from orgbridge.kit.identifiers import new_identifier
from orgbridge.services.errors import InvalidRequest, NotOurs
from orgbridge.services.identity import check_scopes, check_username
from orgbridge.services.passwords import NO_PASSWORD
from orgbridge.services.principals import Principals
from orgbridge.services.users import Accounts, NewUser, UserView
from orgbridge.store.database import Database, Unit
from orgbridge.store.identity_records import ClientSecretRecord
from orgbridge.store.records import UserKind

#: Two are enough to change one for the other without a pause; a few more do no harm.
MAX_SECRETS = 5
#: So that scanners for secrets, and people, see what it is.
_PREFIX = "obs_"
_HINT_CHARS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSecret:
    """A secret, seen this once."""

    #: What is kept of it.
    record: ClientSecretRecord
    #: The secret itself.
    secret: str


class ServiceAccountService(Accounts):
    """Programs."""

    def __init__(self, database: Database, principals: Principals, clock: Clock) -> None:
        super().__init__(database, principals, clock, UserKind.SERVICE_ACCOUNT)

    async def create(self, new: NewUser, *, lifetime: timedelta | None = None) -> tuple[UserView, NewSecret]:
        """Make a service account with its first secret. Its id is the client id.

        Raises:
            InvalidRequest: A value is not acceptable; nothing was written.
            UsernameTaken: A user or service account of this name exists; nothing was written.
            ReferenceMissing: A role does not exist; nothing was written.
        """
        check_username(new.username)
        check_scopes(tuple(new.scopes))
        if new.password is not None or new.is_admin:
            raise InvalidRequest("A service account has secrets and no password, and gets its rights by scopes.")
        async with self._database.unit() as unit:
            view = await self._add(new, NO_PASSWORD, unit)
            made = await self._make(unit, view.user.id, lifetime)
        return view, made

    async def secrets(self, user_id: str) -> list[ClientSecretRecord]:
        """Return the secrets of an account, oldest first: what is known of them, never themselves.

        Raises:
            UnknownUser: There is no such account.
        """
        async with self._database.unit(write=False) as unit:
            await self._view(unit, user_id)
            return await unit.sessions.secrets(user_id)

    async def add_secret(self, user_id: str, *, lifetime: timedelta | None = None) -> NewSecret:
        """Make a further secret; the others stay good.

        Raises:
            UnknownUser: There is no such account.
            InvalidRequest: It has as many as it may have; nothing was written.
        """
        async with self._database.unit() as unit:
            await self._view(unit, user_id)
            if len(await unit.sessions.secrets(user_id)) >= MAX_SECRETS:
                raise InvalidRequest(f"A service account has at most {MAX_SECRETS} secrets: delete one first.")
            return await self._make(unit, user_id, lifetime)

    async def delete_secret(self, user_id: str, secret_id: str) -> None:
        """Delete a secret: nobody signs in with it any more. Tokens it brought live on for their minutes.

        Raises:
            UnknownUser: There is no such account.
            NotOurs: It has no such secret.
        """
        async with self._database.unit() as unit:
            await self._view(unit, user_id)
            if not await unit.sessions.delete_secret(user_id, secret_id):
                raise NotOurs(f"There is no secret {secret_id} of this account.")

    async def _make(self, unit: Unit, user_id: str, lifetime: timedelta | None) -> NewSecret:
        now = self._clock.now()
        secret = _PREFIX + secrets.token_urlsafe(32)
        record = ClientSecretRecord(
            id=new_identifier("secret", now),
            user_id=user_id,
            secret_hash=hashlib.sha256(secret.encode()).hexdigest(),
            hint=secret[-_HINT_CHARS:],
            created_at=now,
            expires_at=now + lifetime if lifetime is not None else None,
        )
        await unit.sessions.add_secret(record)
        return NewSecret(record=record, secret=secret)
