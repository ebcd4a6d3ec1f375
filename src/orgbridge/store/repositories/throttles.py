"""Failed sign-ins, counted so that many processes share the count. Nothing here commits."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from orgbridge.store.identity_records import ThrottleRecord
from orgbridge.store.identity_tables import throttles

_FIELDS = tuple(field.name for field in fields(ThrottleRecord))


class ThrottleRepository:
    """Reads and writes throttles within the unit's transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def lock(self, keys: Collection[str], now: datetime) -> dict[str, ThrottleRecord]:
        """Return the row of every key, made when it was not there, and hold them until the unit ends."""
        ordered = sorted(keys)
        rows = [{"key": key, "failures": 0, "updated_at": now} for key in ordered]
        insert: Any = postgresql.insert if self._connection.dialect.name == "postgresql" else sqlite.insert
        await self._connection.execute(insert(throttles).values(rows).on_conflict_do_nothing())
        # Locked in one order by everybody, so that nobody waits in a circle.
        query = sa.select(throttles).where(throttles.c.key.in_(ordered)).order_by(throttles.c.key).with_for_update()
        return {
            row["key"]: ThrottleRecord(**{name: row[name] for name in _FIELDS})
            for row in (await self._connection.execute(query)).mappings()
        }

    async def write(self, record: ThrottleRecord) -> None:
        """Set all columns of a row that is there."""
        await self._connection.execute(
            sa.update(throttles)
            .where(throttles.c.key == record.key)
            .values({name: getattr(record, name) for name in _FIELDS if name != "key"})
        )

    async def forget(self, keys: Collection[str]) -> None:
        """Delete the rows of these keys."""
        await self._connection.execute(sa.delete(throttles).where(throttles.c.key.in_(list(keys))))

    async def purge(self, now: datetime, before: datetime) -> None:
        """Delete rows that have not changed since an instant and trust nobody any more."""
        columns = throttles.c
        await self._connection.execute(
            sa.delete(throttles).where(
                columns.updated_at < before, sa.or_(columns.trusted_until.is_(None), columns.trusted_until < now)
            )
        )
