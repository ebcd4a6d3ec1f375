"""Where a durable step belongs: its load, part and round, and the trace of the request that asked for the load."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from orgbridge.kit.traces import parse_traceparent
from orgbridge.store.database import Database
from orgbridge.store.errors import StoreError

#: Loads whose trace is remembered.
_REMEMBERED: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What a step is about."""

    #: The load.
    load_id: str
    #: The part, None for the load as a whole.
    part: int | None = None
    #: 0 for the part as a whole.
    round: int = 0
    #: Tells the `traceparent` under which the load was asked for.
    trace: Callable[[str], Awaitable[str | None]]

    @property
    def attributes(self) -> dict[str, str | int]:
        """What a span says of it."""
        told: dict[str, str | int] = {"orgbridge.load_id": self.load_id}
        if self.part is not None:
            told |= {"orgbridge.part": self.part, "orgbridge.round": self.round}
        return told


class LoadTraces:
    """The traces of loads, read once each."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[str, str | None] = {}

    async def get(self, load_id: str) -> str | None:
        """Return the `traceparent` of the request that asked for a load, None when there was none or none is known."""
        if load_id in self._known:
            return self._known[load_id]
        try:
            async with self._database.unit(write=False) as unit:
                load = await unit.loads.get(load_id)
        except StoreError:
            # The work does not depend on it; the next step asks again.
            return None
        told = parse_traceparent(str(load.options.get("traceparent", ""))) if load is not None else None
        while len(self._known) >= _REMEMBERED:
            self._known.pop(next(iter(self._known)))
        self._known[load_id] = told
        return told
