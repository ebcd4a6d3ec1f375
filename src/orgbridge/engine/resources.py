"""What the workflows of one worker work with."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from orgbridge.engine.config import WorkerConfig
from orgbridge.engine.paces import Rates
from orgbridge.engine.patience import Patience
from orgbridge.engine.places import LoadTraces, Place
from orgbridge.kit.clock import Clock
from orgbridge.kit.logs import get_logger
from orgbridge.orgs.connections import Orgs
from orgbridge.store.database import Database
from orgbridge.store.errors import StoreError
from orgbridge.store.files import FileStore

T = TypeVar("T")
_log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """The worker's connections and limits."""

    #: How to work.
    config: WorkerConfig
    #: Loads and parts.
    database: Database
    #: Inputs, parts, results.
    files: FileStore
    #: Live Salesforce connections.
    orgs: Orgs
    #: Time.
    clock: Clock
    #: Threads in which results are matched to rows. Always the same few: each thread that ever allocated much keeps
    #: its share of memory, so in the loop's own pool of many threads the process would grow with every part.
    matchers: ThreadPoolExecutor
    #: Threads in which inputs are split and results merged.
    splitters: ThreadPoolExecutor
    #: Under which traces the loads were asked for.
    traces: LoadTraces
    #: How fast the orgs were seen to work.
    rates: Rates = field(default_factory=Rates)

    def place(self, load_id: str, part: int | None = None, round_number: int = 0) -> Place:
        """Return where a step belongs."""
        return Place(load_id=load_id, part=part, round=round_number, trace=self.traces.get)

    def patience(self, load_id: str | None = None) -> Patience:
        """Return a fresh patience for one step.

        Args:
            load_id: The load whose status says why it waits; None says it nowhere but in the log.
        """
        if load_id is None:
            return Patience(self.config, self.clock)
        return Patience(
            self.config, self.clock, partial(self._tell_waiting, load_id), partial(self._is_cancelled, load_id)
        )

    async def _tell_waiting(self, load_id: str, cause: str | None) -> None:
        try:
            async with self.database.unit() as unit:
                await unit.loads.tell_waiting(load_id, cause)
        except StoreError as error:
            # The work does not depend on what is said about it.
            _log.warning("engine.waiting_not_told", load_id=load_id, cause=str(error))

    async def tell(self, load_id: str, cause: str | None) -> None:
        """Say in a load's status why it does not go on just now; None: it goes on."""
        await self._tell_waiting(load_id, cause)

    async def match(self, work: Callable[[], T]) -> T:
        """Run work that matches results, when its turn comes."""
        return await asyncio.get_running_loop().run_in_executor(self.matchers, work)

    async def split(self, work: Callable[[], T]) -> T:
        """Run work that reads or writes whole files, when its turn comes."""
        return await asyncio.get_running_loop().run_in_executor(self.splitters, work)

    async def cancel_requested(self, load_id: str) -> bool:
        """Tell whether somebody asked to stop the load. Only within steps: the answer changes with time."""
        async with self.database.unit(write=False) as unit:
            return await unit.loads.cancel_requested(load_id)

    async def rest(self, load_id: str, seconds: float) -> None:
        """Wait so long, or until somebody asks to stop the load. Only within steps."""
        until = self.clock.monotonic() + seconds
        while (left := until - self.clock.monotonic()) > 0:
            await self.clock.sleep(min(left, self.config.cancel_look_seconds))
            if left > self.config.cancel_look_seconds and await self._is_cancelled(load_id):
                return

    async def _is_cancelled(self, load_id: str) -> bool:
        try:
            return await self.cancel_requested(load_id)
        except StoreError:
            # What needs the store finds out by itself; a wait does not break for it.
            return False
