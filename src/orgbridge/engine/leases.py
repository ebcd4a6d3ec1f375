"""The lease of this worker, and the work of workers whose lease ran out. PostgreSQL only.

Laws:
1. A worker takes its lease before it takes work, so that work without a living lease is work without a living worker.
2. Who looks for the dead lists begun work first and living leases second: a lease that is taken in between is seen.
3. A worker that could not renew its lease while it lasted stops at once: its work may be another's by now. Until it
   has stopped, the durable engine refuses what it writes.
4. A transaction that a frozen or vanished worker left open is ended by the database itself after `IDLE_SECONDS`: its
   locks hold nobody up for longer than that.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

from orgbridge.engine.config import WorkerConfig
from orgbridge.engine.durable import Durable
from orgbridge.engine.errors import LeaseLost
from orgbridge.kit.clock import Clock
from orgbridge.kit.logs import get_logger
from orgbridge.kit.loops import outlived
from orgbridge.store.database import Database

_FORGET_AFTER = timedelta(days=1)
_log = get_logger(__name__)


class LeaseKeeper:
    """Keeps this worker's lease and takes over from the dead."""

    def __init__(self, config: WorkerConfig, durable: Durable, database: Database, clock: Clock) -> None:
        self._config = config
        self._durable = durable
        self._database = database
        self._clock = clock
        self._renewed = 0.0

    async def renew(self) -> None:
        """Take the lease or make it last longer."""
        # Taken before the call: the lease runs from some moment after it, so we never believe in it for too long.
        asked = self._clock.monotonic()
        async with self._database.unit() as unit:
            await unit.leases.renew(self._durable.executor_id, timedelta(seconds=self._config.lease_seconds))
        self._renewed = asked

    async def drop(self) -> None:
        """Give the lease up, so that others take over at their next beat."""
        async with self._database.unit() as unit:
            await unit.leases.drop(self._durable.executor_id)

    async def keep(self) -> None:
        """Renew until cancelled.

        Raises:
            LeaseLost: The lease ran out before it could be renewed.
        """
        while True:
            await self._clock.sleep(self._config.beat_seconds)
            self._check()
            # Any outage that is shorter than the lease.
            with outlived(_log, "engine.beat_failed"):
                left = self._config.lease_seconds - (self._clock.monotonic() - self._renewed)
                async with asyncio.timeout(max(0.1, left)):
                    await self.renew()
            self._check()

    async def take_over(self) -> None:
        """Take the work of the dead over, until cancelled.

        A task of its own: a row of dead work may still be locked by a transaction that its worker left open, and who
        waits for that lock must not lose its own lease over it.
        """
        while True:
            await self._clock.sleep(self._config.beat_seconds)
            with outlived(_log, "engine.takeover_failed"):
                await self._reap()

    def _check(self) -> None:
        # A frozen process wakes up here, or a little later after a renewal in vain.
        if self._clock.monotonic() - self._renewed > self._config.lease_seconds:
            raise LeaseLost

    async def _reap(self) -> None:
        pending = await self._durable.pending()
        async with self._database.unit() as unit:
            living = await unit.leases.living()
        for work in pending:
            if work.executor_id not in living and await asyncio.to_thread(self._durable.recover, work):
                _log.warning("engine.took_over", workflow_id=work.workflow_id, executor_id=work.executor_id)
        async with self._database.unit() as unit:
            await unit.leases.forget(_FORGET_AFTER)
