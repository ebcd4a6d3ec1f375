"""Public halves of the keys that tokens were signed with. Nothing here commits."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from orgbridge.store.constraints import checked
from orgbridge.store.errors import NameTaken
from orgbridge.store.identity_records import SigningKeyRecord
from orgbridge.store.identity_tables import signing_keys

_FIELDS = tuple(field.name for field in fields(SigningKeyRecord))


class SigningKeyRepository:
    """Reads and writes signing keys within the unit's transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def all(self) -> list[SigningKeyRecord]:
        """Return every key, oldest first."""
        query = sa.select(signing_keys).order_by(signing_keys.c.created_at, signing_keys.c.kid)
        return [
            SigningKeyRecord(**{name: row[name] for name in _FIELDS})
            for row in (await self._connection.execute(query)).mappings()
        ]

    async def publish(self, record: SigningKeyRecord) -> None:
        """Write a key, or make an old one's tokens count for longer; never for less, and a revoked one stays so."""
        try:
            async with checked(self._connection):
                await self._connection.execute(
                    sa.insert(signing_keys).values({name: getattr(record, name) for name in _FIELDS})
                )
        except NameTaken:
            columns = signing_keys.c
            await self._connection.execute(
                sa.update(signing_keys)
                .where(columns.kid == record.kid, columns.tokens_until < record.tokens_until)
                .values(tokens_until=record.tokens_until)
            )

    async def revoke(self, kid: str, now: datetime) -> bool:
        """Refuse every token of a key from now on, and return whether there is such a key."""
        done = await self._connection.execute(
            sa.update(signing_keys)
            .where(signing_keys.c.kid == kid)
            .values(revoked_at=sa.func.coalesce(signing_keys.c.revoked_at, now))
        )
        return done.rowcount == 1

    async def purge(self, before: datetime) -> None:
        """Delete keys none of whose tokens has been valid since an instant."""
        await self._connection.execute(sa.delete(signing_keys).where(signing_keys.c.tokens_until < before))
