"""What the workflows of one worker work with."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from orgbridge.engine.config import WorkerConfig
from orgbridge.engine.patience import Patience
from orgbridge.kit.clock import Clock
from orgbridge.orgs.connections import Orgs
from orgbridge.store.database import Database
from orgbridge.store.files import FileStore


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
    #: Taken while the results of a part are matched.
    matching: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))
    #: Taken while an input is split or the results are merged.
    splitting: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))

    def patience(self) -> Patience:
        """Return a fresh patience for one step."""
        return Patience(self.config, self.clock)

    async def cancel_requested(self, load_id: str) -> bool:
        """Tell whether somebody asked to stop the load. Only within steps: the answer changes with time."""
        async with self.database.unit(write=False) as unit:
            return await unit.loads.cancel_requested(load_id)
