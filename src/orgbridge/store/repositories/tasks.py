"""Tasks that one worker of many is to do, and what retention needs to know. Nothing here commits."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from orgbridge.store import tables
from orgbridge.store.export_tables import export_pages
from orgbridge.store.webhook_tables import task_leases


class TaskRepository:
    """Reads and writes leases of tasks, and loads that are past their time, within the unit's transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def take(self, task: str, holder: str, now: datetime, until: datetime) -> bool:
        """Take a task, or keep it. False when another worker has it."""
        columns = task_leases.c
        done = await self._connection.execute(
            sa.update(task_leases)
            .where(columns.task == task, sa.or_(columns.holder == holder, columns.expires_at <= now))
            .values(holder=holder, expires_at=until)
        )
        if done.rowcount:
            return True
        known = await self._connection.execute(sa.select(columns.task).where(columns.task == task))
        if known.scalar() is not None:
            return False
        try:
            async with self._connection.begin_nested():
                await self._connection.execute(
                    sa.insert(task_leases).values(task=task, holder=holder, expires_at=until)
                )
        except sa.exc.IntegrityError:
            return False
        return True

    async def leave(self, task: str, holder: str) -> None:
        """Give a task up, so that others need not wait for the end of the lease."""
        columns = task_leases.c
        await self._connection.execute(sa.delete(task_leases).where(columns.task == task, columns.holder == holder))

    async def expired(self, before: datetime, limit: int) -> list[str]:
        """Return ids of loads that ended before an instant and still have their files, oldest first."""
        columns = tables.loads.c
        query = (
            sa.select(columns.id)
            .where(columns.finished_at < before, columns.cleaned_at.is_(None))
            .order_by(columns.finished_at)
            .limit(limit)
        )
        return list((await self._connection.execute(query)).scalars())

    async def clean(self, load_id: str, now: datetime) -> None:
        """Note that a load's files are gone, and delete what only they needed; counts and receipt stay."""
        await self._connection.execute(sa.delete(tables.parts).where(tables.parts.c.load_id == load_id))
        await self._connection.execute(sa.delete(export_pages).where(export_pages.c.load_id == load_id))
        await self._connection.execute(
            sa.update(tables.loads)
            .where(tables.loads.c.id == load_id)
            .values(cleaned_at=now, results_key=None, failed_key=None, input_key=None)
        )

    async def forget_loads(self, before: datetime, limit: int) -> list[str]:
        """Delete loads whose files are gone and that ended before an instant; return their ids."""
        columns = tables.loads.c
        query = (
            sa.select(columns.id)
            .where(columns.finished_at < before, columns.cleaned_at.is_not(None))
            .order_by(columns.finished_at)
            .limit(limit)
        )
        found = list((await self._connection.execute(query)).scalars())
        if found:
            await self._connection.execute(sa.delete(tables.loads).where(columns.id.in_(found)))
        return found

    async def known(self, load_ids: list[str]) -> set[str]:
        """Return which of these are loads."""
        columns = tables.loads.c
        return set((await self._connection.execute(sa.select(columns.id).where(columns.id.in_(load_ids)))).scalars())
