"""The workflow of an ingest: prepare, let the parts run, send locked rows again, sweep, complete."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from orgbridge.engine.completion import Completion
from orgbridge.engine.errors import StepRefused
from orgbridge.engine.flights import Flight
from orgbridge.engine.preparation import Preparation
from orgbridge.engine.ramps import Ramp, RampPlan, retry_width
from orgbridge.engine.resources import Resources
from orgbridge.engine.rounds import Rounds
from orgbridge.engine.steps import run_step
from orgbridge.engine.sweeps import sweep


@dataclass(frozen=True, slots=True)
class IngestWorkflow:
    """Runs ingests with what the worker has."""

    #: The worker's connections.
    resources: Resources
    #: The registered workflow of one part.
    part: Any
    #: The registered workflow of rows of one part that are sent again.
    again: Any
    #: The registered workflow of a part whose job takes long.
    resume: Any

    async def run(self, load_id: str) -> str:
        """Carry a load to its end and return its last state."""
        completion = Completion(self.resources, load_id)
        rounds = Rounds(self.resources, load_id)
        try:
            plan = await self._step(load_id, "prepare", Preparation(self.resources, load_id).run)
            org, parts = str(plan["org"]), int(plan["parts"])
            if parts:
                wanted = await self._step(load_id, "ramp", rounds.plan)
                ramp = Ramp(RampPlan(**wanted["ramp"]))
                flight = Flight(load_id, org, self.resume, ramp)
                started = 0
                while started < parts and await flight.start(f"{started:05d}", self.part, started):
                    started += 1
                await flight.land()
                if ramp.stopped is not None:
                    # Parts that were under way when the share was passed have ended; those after them never begin.
                    await self._step(load_id, "stop", partial(rounds.stop, started, ramp.stopped))
                await self._send_again(load_id, org, rounds, wanted)
                await self._step(load_id, "sweep", lambda: sweep(self.resources, load_id, org))
            state = str(await self._step(load_id, "complete", completion.run))
            if parts and wanted["delta"]:
                await self._step(load_id, "baseline", rounds.renew_baseline)
            await self._step(load_id, "tidy", completion.tidy)
            return state
        except StepRefused as refusal:
            fault = refusal.fault
            return str(await self._step(load_id, "fail", lambda: completion.fail(fault)))

    async def _send_again(self, load_id: str, org: str, rounds: Rounds, wanted: dict[str, Any]) -> None:
        """Send rows that could not be locked again: fewer parts at once and after a longer pause in each round."""
        limit = int(wanted["ramp"]["limit"])
        for turn in range(1, int(wanted["rounds"]) + 1):
            due = await self._step(load_id, "due", rounds.due)
            if not due:
                return
            if not await self._step(load_id, "pause", partial(rounds.pause, turn), preemptible=True):
                return
            width = 1 if wanted["ramp"]["serial"] else retry_width(limit, turn)
            flight = Flight(load_id, org, self.resume, Ramp(RampPlan(limit=width), ahead=1))
            for number, again in due:
                await flight.start(f"{number:05d}.r{again}", self.again, number, again)
            await flight.land()

    async def _step(self, load_id: str, name: str, body: Any, *, preemptible: bool = False) -> Any:
        return await run_step(
            name,
            body,
            note_calls=lambda calls: note_load_calls(self.resources, load_id, calls),
            preemptible=preemptible,
        )


async def note_load_calls(resources: Resources, load_id: str, calls: int) -> None:
    """Add HTTP requests to the load's own count."""

    async def note() -> None:
        async with resources.database.unit() as unit:
            await unit.loads.add_calls(load_id, calls)

    await resources.patience().until_done(note)
