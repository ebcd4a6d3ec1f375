"""Leases of workers, by the database's own clock, so that the clocks of the workers do not matter. PostgreSQL only."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection

from orgbridge.store import tables


class LeaseRepository:
    """Reads and writes leases within the unit's transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def renew(self, executor_id: str, duration: timedelta) -> None:
        """Take the lease, or make it last `duration` from now."""
        expires_at = sa.func.clock_timestamp() + sa.cast(duration, postgresql.INTERVAL)
        await self._connection.execute(
            postgresql.insert(tables.executor_leases)
            .values(executor_id=executor_id, expires_at=expires_at)
            .on_conflict_do_update(index_elements=["executor_id"], set_={"expires_at": expires_at})
        )

    async def drop(self, executor_id: str) -> None:
        """Give the lease up: others may take the work over at once."""
        leases = tables.executor_leases
        await self._connection.execute(sa.delete(leases).where(leases.c.executor_id == executor_id))

    async def living(self) -> set[str]:
        """Return the executors whose lease has not run out."""
        leases = tables.executor_leases
        query = sa.select(leases.c.executor_id).where(leases.c.expires_at > sa.func.clock_timestamp())
        return set((await self._connection.execute(query)).scalars())

    async def forget(self, older_than: timedelta) -> None:
        """Delete leases that ran out so long ago."""
        leases = tables.executor_leases
        limit = sa.func.clock_timestamp() - sa.cast(older_than, postgresql.INTERVAL)
        await self._connection.execute(sa.delete(leases).where(leases.c.expires_at < limit))
