"""Calls under an Idempotency-Key. Nothing here commits; the primary key decides between processes."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from orgbridge.store.idempotency_records import IdempotencyRecord, KeyState
from orgbridge.store.idempotency_tables import idempotency_keys as keys

_FIELDS = tuple(field.name for field in fields(IdempotencyRecord))
#: Rows deleted by one purge.
_PURGED_AT_ONCE = 5_000


class IdempotencyRepository:
    """Reads and writes keys within the unit's transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def claim(self, record: IdempotencyRecord, now: datetime) -> IdempotencyRecord | None:
        """Write a claim; of several at one moment exactly one succeeds.

        A record that is there gives way when it has expired, and when its holder died before it had done anything.

        Returns:
            None when the key is ours now, else the record that stands in the way.
        """
        values = {name: getattr(record, name) for name in _FIELDS} | {"state": record.state.value}
        insert: Any = postgresql.insert if self._connection.dialect.name == "postgresql" else sqlite.insert
        # What is returned tells whether it was written; the count of an INSERT is not told by every driver.
        written = insert(keys).values(values).on_conflict_do_nothing().returning(keys.c.id)
        if (await self._connection.execute(written)).first() is not None:
            return None
        free = sa.or_(
            keys.c.expires_at <= now,
            sa.and_(keys.c.state == KeyState.RECEIVING.value, keys.c.lease_until <= now),
        )
        done = await self._connection.execute(sa.update(keys).where(keys.c.id == record.id, free).values(values))
        if done.rowcount == 1:
            return None
        row = (await self._connection.execute(sa.select(keys).where(keys.c.id == record.id))).mappings().first()
        if row is None:
            # Released between our two looks: who asks again gets it.
            return record
        return _record(row)

    async def move(self, identifier: str, holder: str, **changes: Any) -> bool:
        """Set columns of a call that this holder still holds, and return whether it does."""
        held = keys.c.state.in_([KeyState.RECEIVING.value, KeyState.WORKING.value])
        done = await self._connection.execute(
            sa.update(keys).where(keys.c.id == identifier, keys.c.holder == holder, held).values(changes)
        )
        return done.rowcount == 1

    async def release(self, identifier: str, holder: str) -> bool:
        """Forget a call that this holder holds, and return whether it did."""
        done = await self._connection.execute(
            sa.delete(keys).where(keys.c.id == identifier, keys.c.holder == holder, keys.c.state != KeyState.DONE.value)
        )
        return done.rowcount == 1

    async def purge(self, now: datetime) -> None:
        """Delete what has expired, a few thousand at a time."""
        old = sa.select(keys.c.id).where(keys.c.expires_at <= now).limit(_PURGED_AT_ONCE)
        await self._connection.execute(sa.delete(keys).where(keys.c.id.in_(old)))


def _record(row: sa.RowMapping) -> IdempotencyRecord:
    values = {name: row[name] for name in _FIELDS}
    values["state"] = KeyState(values["state"])
    return IdempotencyRecord(**values)
