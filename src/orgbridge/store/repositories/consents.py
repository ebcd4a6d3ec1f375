"""Orgs that need consent again, in the database. Nothing here commits."""

from __future__ import annotations

from dataclasses import asdict, fields
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from orgbridge.store.consent_records import ConsentRecord
from orgbridge.store.consent_tables import org_consents

_FIELDS = tuple(field.name for field in fields(ConsentRecord))


class ConsentRepository:
    """Reads and writes them within the unit's transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def get(self, org: str) -> ConsentRecord | None:
        """Return what is known of an org that needs consent; None for one that does not."""
        found = await self._connection.execute(sa.select(org_consents).where(org_consents.c.org == org))
        row = found.mappings().first()
        return ConsentRecord(**{name: row[name] for name in _FIELDS}) if row is not None else None

    async def put(self, record: ConsentRecord) -> None:
        """Write an org down, or write over what was known of it."""
        values = asdict(record)
        insert = postgresql.insert if self._connection.dialect.name == "postgresql" else sqlite.insert
        statement = insert(org_consents).values(**values)
        await self._connection.execute(statement.on_conflict_do_update(index_elements=["org"], set_=values))

    async def claim(self, org: str, seen: datetime, until: datetime) -> bool:
        """Take the next try for oneself: nobody else asks before `until`. False when somebody else was faster."""
        columns = org_consents.c
        done = await self._connection.execute(
            sa.update(org_consents).where(columns.org == org, columns.next_try_at == seen).values(next_try_at=until)
        )
        return bool(done.rowcount)

    async def drop(self, org: str) -> bool:
        """Forget that an org needed consent; tell whether it did."""
        done = await self._connection.execute(sa.delete(org_consents).where(org_consents.c.org == org))
        return bool(done.rowcount)
