"""What goes wrong in `orgbridge demo --faults`: faults of the org, sessions that end, processes that die."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from orgbridge.cli.controls import Controls
from orgbridge.cli.demo.house import House
from orgbridge.kit import json

#: Share of the rows that cannot be locked in a job.
_LOCKED_SHARE = 0.05
#: Jobs that the lock storm comes over, per part of the load: also the first of those that send locked rows again.
_STORMED_JOBS_PER_PART = 1.1
_JOBS = "/jobs/ingest"
_RESULTS = "/jobs/ingest/.*Results"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """One SIGKILL."""

    #: The process and its id.
    name: str
    pid: int
    #: Rows of the load that were done then.
    rows: int


def orders(parts: int) -> dict[str, dict[str, json.JSON]]:
    """Return the faults to order, each under the words that people are told.

    All are durable, for the org dies as well. The seeds are such that each strikes within its first few chances.

    Args:
        parts: Parts of the load.
    """
    common: dict[str, json.JSON] = {"durable": True}
    stormed = max(1, round(parts * _STORMED_JOBS_PER_PART))
    return {
        "rows that cannot be locked": {"kind": "locks", "share": _LOCKED_SHARE, "seed": 7, "jobs": stormed, **common},
        "replies lost after the work was done": {
            **{"kind": "reply_lost", "method": "POST,PATCH,PUT", "path": _JOBS, "rate": 0.05, "seed": 2},
            **common,
        },
        "connections cut before the work": {
            **{"kind": "request", "cut": "before", "path": _JOBS, "rate": 0.03, "seed": 23},
            **common,
        },
        "uploads cut half way": {"kind": "cut_upload", "rate": 0.1, "seed": 5, "after_bytes": 20_000, **common},
        "downloads cut half way": {
            **{"kind": "cut_download", "path": _RESULTS, "rate": 0.08, "seed": 33, "after_bytes": 2_000},
            **common,
        },
        "answers 503": {"kind": "unavailable", "path": _JOBS, "rate": 0.05, "seed": 57, **common},
        "sessions that expired": {"kind": "expired_session", "path": _JOBS, "rate": 0.03, "seed": 50, **common},
    }


class Trouble:
    """Makes trouble for one load.

    Args:
        house: Whose org and processes.
        parts: Parts of the load.
    """

    def __init__(self, house: House, parts: int) -> None:
        self._house = house
        self._orders = orders(parts)
        self._names: dict[str, str] = {}
        #: How often each kind struck, as far as the org remembers: what struck just before it died may be missing.
        self.strikes: Counter[str] = Counter()

    async def begin(self) -> None:
        """Order every fault."""
        async with Controls(self._house.org_url) as controls:
            for name, order in self._orders.items():
                await controls.ask("POST", "faults", order)
                self._names[str(order["kind"])] = name

    async def expire(self) -> None:
        """End every session of the org, and take the count of what struck so far."""
        async with Controls(self._house.org_url) as controls:
            await controls.ask("POST", "faults", {"kind": "expire_sessions"})
            await self._count(controls)

    async def end(self) -> None:
        """Call everything off."""
        async with Controls(self._house.org_url) as controls:
            await self._count(controls)
            await controls.ask("DELETE", "faults")

    @property
    def unstruck(self) -> list[str]:
        """Kinds that never struck."""
        return [name for name in self._orders if not self.strikes[name]]

    async def _count(self, controls: Controls) -> None:
        told = await controls.ask("GET", "faults")
        for found in told["faults"]:
            name = self._names[found["order"]["kind"]]
            self.strikes[name] = max(self.strikes[name], int(found["hits"]))
