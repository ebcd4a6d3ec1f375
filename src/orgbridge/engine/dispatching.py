"""From the store to the durable engine: services only write loads down, this hands them over."""

from __future__ import annotations

from orgbridge.engine.completion import Completion
from orgbridge.engine.durable import Durable
from orgbridge.engine.faults import Fault
from orgbridge.engine.orphans import sweep_orphans
from orgbridge.engine.resources import Resources
from orgbridge.kit.logs import get_logger
from orgbridge.kit.loops import outlived

_BATCH = 50
_BROKEN = Fault(
    code="engine.workflow_failed",
    message="The worker failed inside; its log tells where. The parts tell what was sent before.",
)
_log = get_logger(__name__)


class Dispatcher:
    """Looks for new loads. Many workers may look at once: a load handed over twice is one workflow all the same."""

    def __init__(self, durable: Durable, resources: Resources) -> None:
        self._durable = durable
        self._resources = resources
        self._config = resources.config
        self._database = resources.database
        self._clock = resources.clock
        self._looked_at = self._clock.monotonic()
        #: Broken loads that are carried on by another workflow.
        self._taken_up: set[str] = set()

    async def dispatch(self) -> int:
        """Hand over what is new; return how many loads."""
        async with self._database.unit(write=False) as unit:
            loads = await unit.loads.undispatched(_BATCH)
        for load in loads:
            # First the engine, then the note: after a crash in between the same load is handed over again.
            await self._durable.enqueue(load)
            async with self._database.unit() as unit:
                await unit.loads.update(load.id, dispatched_at=self._clock.now())
            _log.info("engine.dispatched", load_id=load.id, kind=load.kind.value)
        return len(loads)

    async def dispatch_placements(self) -> int:
        """Hand over carts that are to become orders; return how many."""
        async with self._database.unit(write=False) as unit:
            found = await unit.placements.undispatched(_BATCH)
        for placement in found:
            await self._durable.enqueue_placement(placement.id)
            async with self._database.unit() as unit:
                await unit.placements.dispatched(placement.id, self._clock.now())
            _log.info("engine.placement_dispatched", placement_id=placement.id, way=placement.way.value)
        return len(found)

    async def end_broken(self) -> None:
        """Take up or end loads whose workflow broke, so that none hangs in progress for ever."""
        for work in await self._durable.broken():
            async with self._database.unit(write=False) as unit:
                load = await unit.loads.get(work.load_id)
            if load is None or load.finished_at is not None:
                continue
            if work.foreign:
                if work.load_id not in self._taken_up:
                    self._taken_up.add(work.load_id)
                    await self._durable.take_up(work.load_id)
                    _log.warning("engine.taken_up", load_id=work.load_id)
            else:
                await Completion(self._resources, work.load_id).fail(_BROKEN)

    async def run(self) -> None:
        """Look for new loads until cancelled."""
        while True:
            found = 0
            with outlived(_log, "engine.dispatch_failed"):
                found = await self.dispatch_placements() + await self.dispatch()
                if self._clock.monotonic() - self._looked_at > self._config.watch_seconds:
                    self._looked_at = self._clock.monotonic()
                    await self.end_broken()
                    await sweep_orphans(self._resources)
            if found < _BATCH:
                await self._clock.sleep(self._config.dispatch_seconds)
