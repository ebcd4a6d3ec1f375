"""The workflow of an ingest: prepare, cut piece by piece while parts run, sweep, complete."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from dbos import DBOS, SetEnqueueOptions, SetWorkflowID

from orgbridge.engine.completion import Completion
from orgbridge.engine.errors import StepRefused
from orgbridge.engine.faults import Fault
from orgbridge.engine.preparation import Preparation
from orgbridge.engine.resources import Resources
from orgbridge.engine.steps import run_step
from orgbridge.engine.sweeps import sweep
from orgbridge.kit.logs import get_logger

#: Queue on which parts wait for their org's turn.
PARTS_QUEUE = "parts"
#: How often a load asks whether the part that it waits for has ended: one small read of the engine's own tables.
_RESULT_SECONDS = 0.25
_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class IngestWorkflow:
    """Runs ingests with what the worker has."""

    #: The worker's connections.
    resources: Resources
    #: The registered workflow of one part.
    part: Any

    async def run(self, load_id: str) -> str:
        """Carry a load to its end and return its last state."""
        completion = Completion(self.resources, load_id)
        try:
            preparation = Preparation(self.resources, load_id)
            plan = await self._step(load_id, "prepare", preparation.begin)
            org = str(plan["org"])
            handles = await self._send(load_id, org, plan, preparation)
            for number, handle in handles.items():
                try:
                    await handle.get_result(polling_interval_sec=_RESULT_SECONDS)
                except Exception as error:  # noqa: BLE001 - the worker's edge: the other parts must still be waited for
                    _log.error("engine.part_failed", load_id=load_id, part=number, cause=str(error))
            if handles:
                await self._step(load_id, "sweep", lambda: sweep(self.resources, load_id, org))
            state = str(await self._step(load_id, "complete", completion.run))
            await self._step(load_id, "tidy", completion.tidy)
            return state
        except StepRefused as refusal:
            fault = refusal.fault
            return str(await self._step(load_id, "fail", lambda: completion.fail(fault)))

    async def _send(self, load_id: str, org: str, plan: dict[str, Any], preparation: Preparation) -> dict[int, Any]:
        """Cut the input piece by piece and let the parts of each piece run; return their handles by number."""
        handles: dict[int, Any] = {}
        position = plan["position"]
        first, stop = True, None
        while position is not None and stop is None:
            try:
                piece = await self._step(load_id, "split", partial(preparation.split, plan, position))
            except StepRefused as refusal:
                if first:
                    raise
                # What runs goes on; the rest will not be sent, whatever kept it from being cut.
                stop = refusal.fault
                break
            first = False
            for number in piece["parts"]:
                with SetWorkflowID(f"{load_id}.{number:05d}"), SetEnqueueOptions(queue_partition_key=org):
                    handles[number] = await DBOS.enqueue_workflow_async(PARTS_QUEUE, self.part, load_id, number)
            position = piece["position"]
            stop = Fault.from_json(piece["fault"]) if piece["fault"] is not None else None
        if stop is not None:
            try:
                await self._step(load_id, "set_aside", partial(preparation.set_aside, plan, position, stop))
            except StepRefused as refusal:
                await self._step(load_id, "leave_unread", partial(preparation.leave_unread, position, refusal.fault))
        return handles

    async def _step(self, load_id: str, name: str, body: Any) -> Any:
        return await run_step(name, body, note_calls=lambda calls: note_load_calls(self.resources, load_id, calls))


async def note_load_calls(resources: Resources, load_id: str, calls: int) -> None:
    """Add HTTP requests to the load's own count."""

    async def note() -> None:
        async with resources.database.unit() as unit:
            await unit.loads.add_calls(load_id, calls)

    await resources.patience().until_done(note)
