"""The workflow of a placement: act after act, each a durable step, until it has ended."""

from __future__ import annotations

from dataclasses import dataclass, field

from dbos import DBOS

from orgbridge.engine.orders.progress import Progress
from orgbridge.engine.resources import Resources
from orgbridge.store.order_records import PlacementState


@dataclass(frozen=True, slots=True)
class PlacementWorkflow:
    """Runs placements with what the worker has."""

    #: The worker's connections.
    resources: Resources
    _progress: Progress = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_progress", Progress(self.resources))

    async def run(self, placement_id: str) -> str:
        """Carry one placement to its end and return the state that it ended in."""

        async def advance() -> str:
            return (await self._progress.advance(placement_id)).value

        while True:
            state = PlacementState(await DBOS.run_step_async({"name": "advance"}, advance))
            if state.ended:
                return state.value
