"""Refresh tokens that Salesforce replaces, in the database, sealed by whoever writes them. Nothing here commits."""

from __future__ import annotations

from dataclasses import asdict, fields
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from orgbridge.store.grant_records import GrantRecord
from orgbridge.store.grant_tables import org_grants

_FIELDS = tuple(field.name for field in fields(GrantRecord))


class GrantRepository:
    """Reads and writes them within the unit's transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def get(self, org: str, grant_id: str) -> GrantRecord | None:
        """Return what is known of a grant."""
        columns = org_grants.c
        query = sa.select(org_grants).where(columns.org == org, columns.grant_id == grant_id)
        row = (await self._connection.execute(query)).mappings().first()
        return GrantRecord(**{name: row[name] for name in _FIELDS}) if row is not None else None

    async def put(self, record: GrantRecord) -> None:
        """Write a grant down, or write over what was known of it."""
        values = asdict(record)
        insert = postgresql.insert if self._connection.dialect.name == "postgresql" else sqlite.insert
        statement = insert(org_grants).values(**values)
        await self._connection.execute(statement.on_conflict_do_update(index_elements=["org", "grant_id"], set_=values))

    async def forget(self, org: str, before: datetime) -> None:
        """Delete grants of an org that nobody has used since an instant."""
        columns = org_grants.c
        await self._connection.execute(sa.delete(org_grants).where(columns.org == org, columns.updated_at < before))
