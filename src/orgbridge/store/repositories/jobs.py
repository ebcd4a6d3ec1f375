"""Every Salesforce job that we created, so that none is left behind. Nothing here commits."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from orgbridge.store import tables
from orgbridge.store.records import JobRecord, JobUse


class JobRepository:
    """Reads and writes created jobs within the unit's transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, record: JobRecord) -> None:
        """Record a job just created."""
        await self._connection.execute(
            sa.insert(tables.jobs).values(
                job_id=record.job_id,
                load_id=record.load_id,
                part=record.part,
                use=record.use,
                created_at=record.created_at,
                round=record.round,
            )
        )

    async def mark(self, job_ids: Sequence[str], use: JobUse) -> None:
        """Say what became of these jobs."""
        await self._connection.execute(
            sa.update(tables.jobs).where(tables.jobs.c.job_id.in_(list(job_ids))).values(use=use)
        )

    async def list(self, load_id: str, *, use: JobUse | None = None) -> list[JobRecord]:
        """Return the jobs created for a load, oldest first."""
        columns = tables.jobs.c
        query = sa.select(tables.jobs).where(columns.load_id == load_id).order_by(columns.created_at, columns.job_id)
        if use is not None:
            query = query.where(columns.use == use)
        return [
            JobRecord(
                job_id=row["job_id"],
                load_id=row["load_id"],
                part=row["part"],
                use=JobUse(row["use"]),
                created_at=row["created_at"],
                round=row["round"],
            )
            for row in (await self._connection.execute(query)).mappings()
        ]
