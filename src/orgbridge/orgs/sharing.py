"""The calls of callers, counted by all processes together: each tells the store its own and hears of the others'.

A caller's share is exact within one process; between processes it can be passed by what is counted between two
exchanges. Counts outlive restarts. A store that does not answer leaves each process with what it knew.
"""

from __future__ import annotations

from collections import defaultdict

from orgbridge.kit.clock import Clock
from orgbridge.kit.logs import get_logger
from orgbridge.orgs.connections import Orgs
from orgbridge.store.database import Database
from orgbridge.store.errors import StoreError

_HOUR, _HOURS = 3600, 24
_log = get_logger(__name__)


class UseSharing:
    """Exchanges the counts of one process."""

    def __init__(self, orgs: Orgs, database: Database, clock: Clock, *, seconds: float = 5.0) -> None:
        """Prepare.

        Args:
            orgs: Whose callers are counted.
            database: Where all processes meet.
            clock: Time.
            seconds: Between two exchanges.
        """
        self._orgs = orgs
        self._database = database
        self._clock = clock
        self._seconds = seconds

    async def run(self) -> None:
        """Exchange for ever."""
        while True:
            await self._clock.sleep(self._seconds)
            await self.exchange()

    async def exchange(self) -> None:
        """Tell the store what was counted since the last time, and hear what the others have."""
        slot = int(self._clock.now().timestamp()) // _HOUR
        for name in self._orgs.names:
            budget = self._orgs.get(name).budget
            known = budget.callers()
            if not known:
                continue
            counter, fresh = f"org:{name}"[:64], budget.take_fresh()
            try:
                if fresh:
                    async with self._database.unit() as unit:
                        await unit.uses.add({(counter, who, slot): calls for who, calls in fresh.items()})
                        await unit.uses.forget(counter, slot - _HOURS)
            except StoreError as error:
                budget.put_back(fresh)
                _log.warning("salesforce.uses_not_shared", org=name, cause=str(error))
                continue
            try:
                async with self._database.unit(write=False) as unit:
                    found = await unit.uses.since(counter, known, slot - _HOURS + 1)
            except StoreError as error:
                _log.warning("salesforce.uses_not_shared", org=name, cause=str(error))
                continue
            totals: defaultdict[str, int] = defaultdict(int)
            for (who, _), calls in found.items():
                totals[who] += calls
            budget.heard_of(dict(totals))
