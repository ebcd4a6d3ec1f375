"""The workflow of an ingest: prepare, cut piece by piece while parts run, send locked rows again, sweep, complete."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from orgbridge.engine.completion import Completion
from orgbridge.engine.errors import StepRefused
from orgbridge.engine.faults import Fault
from orgbridge.engine.flights import Flight, Relief, settled
from orgbridge.engine.joints import join
from orgbridge.engine.preparation import Preparation
from orgbridge.engine.ramps import Ramp, RampPlan, retry_width
from orgbridge.engine.reprises import Reprise
from orgbridge.engine.resources import Resources
from orgbridge.engine.rounds import Rounds, gate_fault
from orgbridge.engine.steps import run_step
from orgbridge.engine.sweeps import sweep

#: What the names of a load's workflows begin with after it was taken up anew.
REPRISE_MARK = "x"


@dataclass(frozen=True, slots=True)
class IngestWorkflow:
    """Runs ingests with what the worker has."""

    #: The worker's connections.
    resources: Resources
    #: The registered workflow of one part.
    part: Any
    #: The registered workflow of rows of one part that are sent again.
    again: Any
    #: The registered workflows that take parts over from these.
    relief: Relief

    async def run(self, load_id: str) -> str:
        """Carry a load to its end and return its last state."""
        completion = Completion(self.resources, load_id)
        try:
            preparation = Preparation(self.resources, load_id)
            plan = await self._step(load_id, "prepare", preparation.begin)
            return await self._carry(load_id, plan, preparation, self.relief)
        except StepRefused as refusal:
            fault = refusal.fault
            return str(await self._step(load_id, "fail", lambda: completion.fail(fault)))

    async def take_up(self, load_id: str, begun: list[str]) -> str:
        """Carry a load to its end whose workflow broke, from what the store holds of it.

        Args:
            load_id: The load.
            begun: Ids of the workflows of its parts that had not ended.
        """
        for workflow_id in begun:
            await settled(workflow_id)
        try:
            found = await self._step(load_id, "survey", Reprise(self.resources, load_id).survey)
            if found["afresh"]:
                return await self.run(load_id)
            relief = replace(self.relief, mark=REPRISE_MARK)
            return await self._carry(load_id, found, Preparation(self.resources, load_id), relief)
        except StepRefused as refusal:
            fault = refusal.fault
            body = partial(Completion(self.resources, load_id).fail, fault)
            return str(await self._step(load_id, "fail", body))

    async def _carry(self, load_id: str, plan: dict[str, Any], preparation: Preparation, relief: Relief) -> str:
        """Send what is to be sent, from a plan on, and end the load."""
        completion = Completion(self.resources, load_id)
        rounds = Rounds(self.resources, load_id)
        wanted: dict[str, Any] | None = None
        broken = plan.get("open")
        if plan["position"] is not None or broken is not None:
            org = str(plan["org"])
            wanted = await self._step(load_id, "ramp", rounds.plan)
            ramp = Ramp(RampPlan(**wanted["ramp"]))
            flight = Flight(load_id, org, relief, ramp)
            for ended in plan.get("seen", ()):
                flight.skip(ended)
            first_left = await self._salvage(flight, broken or [])
            # Also when nothing more may be sent: then it sets the rest aside.
            left = await self._send(load_id, plan, preparation, flight, ramp)
            left = left if first_left is None else first_left
            await flight.land()
            if ramp.stopped is not None and left is not None:
                # Parts that were under way when the share was passed have ended; those after them never begin.
                await self._step(load_id, "stop", partial(rounds.stop, left, ramp.stopped))
            if flight.began or broken is not None:
                await self._send_again(load_id, org, rounds, wanted, relief)
                await self._step(load_id, "sweep", lambda: sweep(self.resources, load_id, org))
        state = str(await self._step(load_id, "complete", completion.run))
        if wanted is not None and wanted["delta"]:
            await self._step(load_id, "baseline", rounds.renew_baseline)
        await self._step(load_id, "tidy", completion.tidy)
        return state

    async def _salvage(self, flight: Flight, waiting: list[list[Any]]) -> int | None:
        """Hand over what a broken load left without outcomes; return the first that must not be sent any more."""
        for number, again, after in waiting:
            if after is not None:
                await flight.outlast(f"{after:05d}.r0")
            if not await flight.start(f"{number:05d}.r{again}", self.relief.salvage, number, again):
                return int(number)
        return None

    async def _send_again(self, load_id: str, org: str, rounds: Rounds, wanted: dict[str, Any], relief: Relief) -> None:
        """Send rows that could not be locked again: fewer parts at once and after a longer pause in each round."""
        limit = int(wanted["ramp"]["limit"])
        for turn in range(1, int(wanted["rounds"]) + 1):
            due = await self._step(load_id, "due", partial(self._due, load_id, rounds))
            if not due:
                return
            if not await self._step(load_id, "pause", partial(rounds.pause, turn), preemptible=True):
                return
            width = 1 if wanted["ramp"]["serial"] else retry_width(limit, turn)
            flight = Flight(load_id, org, relief, Ramp(RampPlan(limit=width), ahead=1))
            running: dict[int, str] = {}
            for number, again, *chain in due:
                name = f"{number:05d}.r{again}"
                if chain:
                    if chain[0] in running:
                        await flight.outlast(running[chain[0]])
                    running[chain[0]] = name
                await flight.start(name, self.again, number, again)
            await flight.land()

    async def _due(self, load_id: str, rounds: Rounds) -> list[list[int]]:
        return await join(self.resources, load_id, await rounds.due())

    async def _step(self, load_id: str, name: str, body: Any, *, preemptible: bool = False) -> Any:
        return await run_step(
            name,
            body,
            place=self.resources.place(load_id),
            clock=self.resources.clock,
            note_calls=lambda calls: note_load_calls(self.resources, load_id, calls),
            preemptible=preemptible,
        )

    async def _send(
        self, load_id: str, plan: dict[str, Any], preparation: Preparation, flight: Flight, ramp: Ramp
    ) -> int | None:
        """Cut the input piece by piece and let the parts of each piece run, as far as the ramp allows.

        What is not cut any more, because of a fault or because too many rows failed, is set aside.

        Returns:
            The first part that was cut and not started; None when all of them were.
        """
        # What was begun before is not refused as a whole any more.
        position, stop, first = plan["position"], None, "open" not in plan
        left: int | None = None
        while position is not None and stop is None and ramp.stopped is None:
            try:
                piece = await self._step(load_id, "split", partial(preparation.split, plan, position))
            except StepRefused as refusal:
                if first:
                    raise
                # What runs goes on; the rest will not be sent, whatever kept it from being cut.
                stop = refusal.fault
                break
            first = False
            left = await self._start(flight, piece["parts"])
            position = piece["position"]
            stop = Fault.from_json(piece["fault"]) if piece["fault"] is not None else None
        if stop is None and position is not None and ramp.stopped is not None:
            stop = gate_fault(ramp.stopped)
        if stop is not None and position is not None:
            try:
                await self._step(load_id, "set_aside", partial(preparation.set_aside, plan, position, stop))
            except StepRefused as refusal:
                await self._step(load_id, "leave_unread", partial(preparation.leave_unread, position, refusal.fault))
        return left

    async def _start(self, flight: Flight, parts: list[list[Any]]) -> int | None:
        """Hand over parts that were cut; return the first that must not be sent any more, None when there is none."""
        for number, ended, *after in parts:
            if after:
                # Both have rows of one parent, which must not be written at the same time.
                await flight.outlast(f"{after[0]:05d}")
            if ended is not None:
                flight.skip(ended)
            elif not await flight.start(f"{number:05d}", self.part, number):
                return int(number)
        return None


async def note_load_calls(resources: Resources, load_id: str, calls: int) -> None:
    """Add HTTP requests to the load's own count."""

    async def note() -> None:
        async with resources.database.unit() as unit:
            await unit.loads.add_calls(load_id, calls)

    await resources.patience().until_done(note)
