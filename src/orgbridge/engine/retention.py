"""What is past its time goes: inputs and results of ended loads, their durable workflows, old messages, leftovers.

Counts and receipt of a load stay, unless a second setting removes them too. One worker of many does this, under a
lease; doing it twice would do no harm. Files go first and the note that they are gone after: a kill in between repeats
a deletion of nothing.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from orgbridge.engine.durable import Durable
from orgbridge.engine.resources import Resources
from orgbridge.kit.identifiers import instant_of
from orgbridge.kit.logs import get_logger
from orgbridge.kit.loops import outlived

_TASK: Final = "retention"
_LEASE: Final = timedelta(minutes=10)
_BATCH: Final = 50
#: Age at which a folder of files that no load knows is a leftover of a crash and not a load just being taken in.
_LEFTOVER: Final = timedelta(days=1)
_log = get_logger(__name__)


class Retention:
    """Removes what is past its time, beside the worker's other tasks."""

    def __init__(self, durable: Durable, resources: Resources) -> None:
        self._durable = durable
        self._resources = resources
        self._config = resources.config
        self._database = resources.database
        self._clock = resources.clock

    async def run(self) -> None:
        """Look for what is past its time until cancelled."""
        while True:
            # An outage of store or files passes.
            with outlived(_log, "engine.retention_failed"):
                await self.clean()
            await self._clock.sleep(self._config.retention_seconds)

    async def clean(self) -> int:
        """Remove what is past its time; return how many loads were cleaned. Does nothing while another worker does."""
        if not await self._hold():
            return 0
        await self._forget_placements()
        if self._config.retention_days is None:
            return 0
        before = self._clock.now() - timedelta(days=self._config.retention_days)
        count = 0
        while found := await self._expired(before):
            for load_id in found:
                await self._clean(load_id)
            count += len(found)
            if not await self._hold():
                break
        async with self._database.unit() as unit:
            messages = await unit.webhooks.forget_ended(before)
        forgotten = await self._forget_loads()
        leftovers = await self._leftovers()
        if count or messages or forgotten or leftovers:
            _log.info("engine.cleaned", loads=count, messages=messages, loads_forgotten=forgotten, leftovers=leftovers)
        return count

    async def _hold(self) -> bool:
        now = self._clock.now()
        async with self._database.unit() as unit:
            return await unit.tasks.take(_TASK, self._durable.executor_id, now, now + _LEASE)

    async def _expired(self, before: datetime) -> list[str]:
        async with self._database.unit(write=False) as unit:
            return await unit.tasks.expired(before, _BATCH)

    async def _clean(self, load_id: str) -> None:
        await self._resources.files.delete(f"loads/{load_id}")
        await self._durable.forget(load_id)
        async with self._database.unit() as unit:
            await unit.tasks.clean(load_id, self._clock.now())

    async def _forget_loads(self) -> int:
        days = self._config.retention_rows_days
        if days is None:
            return 0
        count = 0
        while True:
            async with self._database.unit() as unit:
                gone = await unit.tasks.forget_loads(self._clock.now() - timedelta(days=days), _BATCH)
            if not gone:
                return count
            count += len(gone)

    async def _forget_placements(self) -> int:
        """Forget carts that were ordered, or not, long ago; what is undecided stays, and so does what is unaudited."""
        days, count, last = self._config.retention_orders_days, 0, ""
        if days is None:
            return 0
        before = self._clock.now() - timedelta(days=days)
        while True:
            async with self._database.unit(write=False) as unit:
                found = await unit.placements.forgettable(before, last, _BATCH)
            # A cart that could not be closed could be ordered again: its claim stays, and with it its placement.
            for one in [one for one in found if "cart_left_open" not in one.facts]:
                await self._durable.forget(one.id)
                async with self._database.unit() as unit:
                    await unit.placements.forget(one.id, one.revision)
                count += 1
            if len(found) < _BATCH:
                break
            last = found[-1].id
        if count:
            _log.info("engine.placements_forgotten", placements=count)
        return count

    async def _leftovers(self) -> int:
        """Remove files that lie under the name of a load that was never recorded, or was removed."""
        limit = self._clock.now() - _LEFTOVER
        named = await self._resources.files.folders("loads")
        old = [name for name in named if (born := instant_of(name)) is not None and born < limit]
        count = 0
        for start in range(0, len(old), _BATCH):
            batch = old[start : start + _BATCH]
            async with self._database.unit(write=False) as unit:
                known = await unit.tasks.known(batch)
            for name in set(batch) - known:
                await self._resources.files.delete(f"loads/{name}")
                count += 1
        return count
