"""Loads in the database. Nothing here commits."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from orgbridge.loads.states import LoadState, PartState
from orgbridge.store import tables
from orgbridge.store.errors import CursorInvalid, RecordMissing
from orgbridge.store.records import LoadKind, LoadPage, LoadProgress, LoadRecord, PartRecord
from orgbridge.store.repositories.parts import part_record
from orgbridge.wire.ids import to_18

_FIELDS = tuple(field.name for field in fields(LoadRecord))


def _record(row: sa.RowMapping) -> LoadRecord:
    values = {name: row[name] for name in _FIELDS}
    values["kind"] = LoadKind(values["kind"])
    values["state"] = LoadState(values["state"])
    return LoadRecord(**values)


def _cursor(record: LoadRecord) -> str:
    return base64.urlsafe_b64encode(f"{record.created_at.isoformat()}|{record.id}".encode()).decode().rstrip("=")


def _position(cursor: str) -> tuple[datetime, str]:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        instant, _, identifier = text.partition("|")
        return datetime.fromisoformat(instant), identifier
    except (binascii.Error, ValueError) as error:
        raise CursorInvalid from error


class LoadRepository:
    """Reads and writes loads within the unit's transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, record: LoadRecord) -> None:
        """Write a new load."""
        await self._connection.execute(
            sa.insert(tables.loads).values({name: getattr(record, name) for name in _FIELDS})
        )

    async def get(self, load_id: str) -> LoadRecord | None:
        """Return the load, or None when there is none."""
        found = await self._connection.execute(sa.select(tables.loads).where(tables.loads.c.id == load_id))
        row = found.mappings().first()
        return _record(row) if row is not None else None

    async def find_by_job_id(self, job_id: str) -> tuple[LoadRecord, PartRecord | None] | None:
        """Return the load, and the part if it is an ingest, for which a Salesforce job was created.

        Args:
            job_id: Salesforce's id (`750…`), 15 or 18 characters.
        """
        wanted = to_18(job_id)
        if wanted is None:
            return None
        found = await self._connection.execute(sa.select(tables.jobs).where(tables.jobs.c.job_id == wanted))
        job = found.mappings().first()
        if job is None or (load := await self.get(job["load_id"])) is None:
            return None
        if job["part"] is None:
            return load, None
        chosen = await self._connection.execute(
            sa.select(tables.parts).where(tables.parts.c.load_id == load.id, tables.parts.c.number == job["part"])
        )
        part = chosen.mappings().first()
        return load, part_record(part) if part is not None else None

    async def list(
        self,
        *,
        cursor: str | None = None,
        limit: int = 50,
        state: LoadState | None = None,
        object_name: str | None = None,
        operation: str | None = None,
        created_by: str | None = None,
    ) -> LoadPage:
        """Return one page of loads, newest first.

        Args:
            cursor: `next_cursor` of the page before, or None for the first page.
            limit: Most items on the page, 1 or more.
            state: Only loads in this state.
            object_name: Only loads of this SObject, in any letter case.
            operation: Only loads of this operation.
            created_by: Only loads of this user.

        Raises:
            CursorInvalid: The cursor is not one of ours.
        """
        columns = tables.loads.c
        query = sa.select(tables.loads).order_by(columns.created_at.desc(), columns.id.desc()).limit(limit + 1)
        if cursor is not None:
            instant, identifier = _position(cursor)
            query = query.where(
                sa.or_(columns.created_at < instant, sa.and_(columns.created_at == instant, columns.id < identifier))
            )
        if state is not None:
            query = query.where(columns.state == state)
        if object_name is not None:
            query = query.where(sa.func.lower(columns.object_name) == object_name.lower())
        if operation is not None:
            query = query.where(columns.operation == operation)
        if created_by is not None:
            query = query.where(columns.created_by == created_by)
        items = [_record(row) for row in (await self._connection.execute(query)).mappings()]
        more = len(items) > limit
        items = items[:limit]
        return LoadPage(items=items, next_cursor=_cursor(items[-1]) if more else None)

    async def update(self, load_id: str, **changes: Any) -> None:
        """Set columns of a load, by their names in `LoadRecord`.

        Raises:
            RecordMissing: There is no such load; nothing was changed.
        """
        done = await self._connection.execute(
            sa.update(tables.loads).where(tables.loads.c.id == load_id).values(**changes)
        )
        if done.rowcount == 0:
            raise RecordMissing(f"There is no load {load_id}.")

    async def begin(self, load_id: str, now: datetime) -> None:
        """Say that a worker took the load up. The first instant stays; a load that has ended is left alone."""
        columns = tables.loads.c
        await self._connection.execute(
            sa.update(tables.loads)
            .where(columns.id == load_id, columns.state == LoadState.QUEUED)
            .values(state=LoadState.IN_PROGRESS, started_at=sa.func.coalesce(columns.started_at, now))
        )

    async def tell_waiting(self, load_id: str, cause: str | None) -> None:
        """Say why a load that has not ended does not go on just now; None: it goes on."""
        columns = tables.loads.c
        await self._connection.execute(
            sa.update(tables.loads)
            .where(columns.id == load_id, columns.finished_at.is_(None))
            .values(error_message=cause)
        )

    async def add_calls(self, load_id: str, calls: int) -> None:
        """Add HTTP requests to the load's own count."""
        columns = tables.loads.c
        await self._connection.execute(
            sa.update(tables.loads).where(columns.id == load_id).values(api_calls=columns.api_calls + calls)
        )

    async def request_cancel(self, load_id: str) -> bool:
        """Ask that the load be stopped. The worker does the rest.

        Returns:
            False when there is no such load or it has already ended.
        """
        columns = tables.loads.c
        done = await self._connection.execute(
            sa.update(tables.loads)
            .where(columns.id == load_id, columns.state.in_([LoadState.QUEUED, LoadState.IN_PROGRESS]))
            .values(cancel_requested=True)
        )
        return bool(done.rowcount)

    async def cancel_requested(self, load_id: str) -> bool:
        """Tell whether somebody asked to stop the load."""
        found = await self._connection.execute(
            sa.select(tables.loads.c.cancel_requested).where(tables.loads.c.id == load_id)
        )
        return bool(found.scalar())

    async def undispatched(self, limit: int) -> Sequence[LoadRecord]:
        """Return the oldest loads that no worker has handed to the durable engine."""
        columns = tables.loads.c
        query = (
            sa.select(tables.loads)
            .where(columns.dispatched_at.is_(None))
            .order_by(columns.created_at, columns.id)
            .limit(limit)
        )
        return [_record(row) for row in (await self._connection.execute(query)).mappings()]

    async def progress(self, load_id: str) -> LoadProgress:
        """Return counts by part state and rows, summed over the load's parts."""
        columns = tables.parts.c
        query = (
            sa.select(
                columns.state,
                sa.func.count().label("parts"),
                *(
                    sa.func.coalesce(sa.func.sum(column), 0).label(column.name)
                    for column in (
                        columns.rows,
                        columns.succeeded,
                        columns.failed,
                        columns.unprocessed,
                        columns.api_calls,
                        columns.skipped,
                    )
                ),
            )
            .where(columns.load_id == load_id)
            .group_by(columns.state)
        )
        rows = (await self._connection.execute(query)).mappings().all()
        return LoadProgress(
            parts={PartState(row["state"]): int(row["parts"]) for row in rows},
            rows=sum(int(row["rows"]) for row in rows),
            succeeded=sum(int(row["succeeded"]) for row in rows),
            failed=sum(int(row["failed"]) for row in rows),
            unprocessed=sum(int(row["unprocessed"]) for row in rows),
            api_calls=sum(int(row["api_calls"]) for row in rows),
            skipped=sum(int(row["skipped"]) for row in rows),
        )
