"""From the store to the durable engine: services only write loads down, this hands them over."""

from __future__ import annotations

from orgbridge.engine.config import WorkerConfig
from orgbridge.engine.durable import Durable
from orgbridge.kit.clock import Clock
from orgbridge.kit.logs import get_logger
from orgbridge.store.database import Database

_BATCH = 50
_log = get_logger(__name__)


class Dispatcher:
    """Looks for new loads. Many workers may look at once: a load handed over twice is one workflow all the same."""

    def __init__(self, config: WorkerConfig, durable: Durable, database: Database, clock: Clock) -> None:
        self._config = config
        self._durable = durable
        self._database = database
        self._clock = clock

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

    async def run(self) -> None:
        """Look for new loads until cancelled."""
        while True:
            try:
                found = await self.dispatch()
            except Exception as error:  # noqa: BLE001 - the worker loop: an outage of the store passes
                _log.warning("engine.dispatch_failed", cause=f"{type(error).__name__}: {error}")
                found = 0
            if found < _BATCH:
                await self._clock.sleep(self._config.dispatch_seconds)
