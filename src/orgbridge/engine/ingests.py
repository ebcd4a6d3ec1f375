"""The workflow of an ingest: prepare, let the parts run, sweep, complete."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dbos import DBOS, SetEnqueueOptions, SetWorkflowID

from orgbridge.engine.completion import Completion
from orgbridge.engine.errors import StepRefused
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
            plan = await self._step(load_id, "prepare", Preparation(self.resources, load_id).run)
            org = str(plan["org"])
            handles = []
            for number in range(plan["parts"]):
                with SetWorkflowID(f"{load_id}.{number:05d}"), SetEnqueueOptions(queue_partition_key=org):
                    handles.append(await DBOS.enqueue_workflow_async(PARTS_QUEUE, self.part, load_id, number))
            for number, handle in enumerate(handles):
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

    async def _step(self, load_id: str, name: str, body: Any) -> Any:
        return await run_step(name, body, note_calls=lambda calls: note_load_calls(self.resources, load_id, calls))


async def note_load_calls(resources: Resources, load_id: str, calls: int) -> None:
    """Add HTTP requests to the load's own count."""

    async def note() -> None:
        async with resources.database.unit() as unit:
            await unit.loads.add_calls(load_id, calls)

    await resources.patience().until_done(note)
