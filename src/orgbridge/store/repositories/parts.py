"""Parts of ingests in the database. Nothing here commits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from orgbridge.loads.states import PART_PATH, PartState
from orgbridge.store import tables
from orgbridge.store.errors import RecordMissing
from orgbridge.store.records import PartRecord

_FIELDS = tuple(field.name for field in fields(PartRecord))


def _rank(state: PartState) -> int:
    return PART_PATH.index(state) if state in PART_PATH else len(PART_PATH) - 1


def part_record(row: sa.RowMapping) -> PartRecord:
    """Return the record that a row of the table stands for."""
    values = {name: row[name] for name in _FIELDS}
    values["state"] = PartState(values["state"])
    return PartRecord(**values)


class PartRepository:
    """Reads and writes parts within the unit's transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._table = tables.parts

    def _at(self, load_id: str, number: int) -> sa.ColumnElement[bool]:
        """Return what chooses one part."""
        columns = self._table.c
        return sa.and_(columns.load_id == load_id, columns.number == number)

    async def replace_all(self, load_id: str, parts: Sequence[PartRecord]) -> None:
        """Make these the parts of the load, whatever was there before."""
        await self._connection.execute(sa.delete(tables.parts).where(tables.parts.c.load_id == load_id))
        if parts:
            await self._connection.execute(
                sa.insert(tables.parts), [{name: getattr(part, name) for name in _FIELDS} for part in parts]
            )

    async def add(self, parts: Sequence[PartRecord]) -> None:
        """Write new parts."""
        if parts:
            await self._connection.execute(
                sa.insert(tables.parts), [{name: getattr(part, name) for name in _FIELDS} for part in parts]
            )

    async def get(self, load_id: str, number: int) -> PartRecord | None:
        """Return one part, or None when there is none."""
        found = await self._connection.execute(sa.select(self._table).where(self._at(load_id, number)))
        row = found.mappings().first()
        return part_record(row) if row is not None else None

    async def list(self, load_id: str) -> list[PartRecord]:
        """Return the load's parts in their order."""
        columns = tables.parts.c
        query = sa.select(tables.parts).where(columns.load_id == load_id).order_by(columns.number)
        return [part_record(row) for row in (await self._connection.execute(query)).mappings()]

    async def update(self, load_id: str, number: int, **changes: Any) -> None:
        """Set columns of a part, by their names in `PartRecord`.

        Raises:
            RecordMissing: There is no such part; nothing was changed.
        """
        done = await self._connection.execute(sa.update(self._table).where(self._at(load_id, number)).values(**changes))
        if done.rowcount == 0:
            raise RecordMissing(f"Load {load_id} has no part {number}.")

    async def advance(self, load_id: str, number: int, state: PartState, **changes: Any) -> bool:
        """Set the state and other columns, unless the part has already come further than that state.

        A worker that was frozen and wakes up beside its successor would otherwise put a finished part back.

        Args:
            load_id: The load.
            number: The part.
            state: The state it has reached.
            changes: Other columns, by their names in `PartRecord`.

        Returns:
            False when the part was already further, and nothing was changed.
        """
        behind = [other for other in PartState if _rank(other) <= _rank(state)]
        done = await self._connection.execute(
            sa.update(self._table)
            .where(self._at(load_id, number), self._table.c.state.in_(behind))
            .values(state=state, **changes)
        )
        return bool(done.rowcount)

    async def add_calls(self, load_id: str, number: int, calls: int) -> None:
        """Add HTTP requests to the part's count."""
        columns = self._table.c
        await self._connection.execute(
            sa.update(self._table).where(self._at(load_id, number)).values(api_calls=columns.api_calls + calls)
        )

    async def begin_upload(self, load_id: str, number: int, job_id: str) -> bool:
        """Record that an upload to this job begins. To be committed BEFORE the first byte is sent.

        Returns:
            False when an upload to this very job was begun before: its outcome is unknown and it must not be repeated.
        """
        columns = self._table.c
        done = await self._connection.execute(
            sa.update(self._table)
            .where(
                self._at(load_id, number),
                sa.or_(columns.upload_job_id.is_(None), columns.upload_job_id != job_id),
            )
            .values(upload_job_id=job_id)
        )
        return bool(done.rowcount)
