"""Parts under way: started as far as the ramp allows, waited for in their order, parked when they take too long."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dbos import DBOS, SetEnqueueOptions, SetWorkflowID

from orgbridge.engine.ramps import Ramp
from orgbridge.engine.watches import PARKED
from orgbridge.kit.logs import get_logger
from orgbridge.kit.loops import outlived

#: Queue on which parts wait for their org's turn.
PARTS_QUEUE = "parts"
#: Queue of parts whose jobs take too long: they only wait, and take nobody's place.
PARKED_QUEUE = "parked"
#: How often a load asks whether the part that it waits for has ended: one small read of the engine's own tables.
_RESULT_SECONDS = 0.25
#: The line for a part whose workflow broke.
_FAILED = "engine.part_failed"
_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Relief:
    """Registered workflows that take a part over from the one that it began with."""

    #: Waits for a job that takes long.
    resume: Any
    #: Carries on what broke.
    salvage: Any
    #: What the names of workflows begin with, after the load's: other names than those of a load that broke.
    mark: str = ""


class Flight:
    """Some parts of one load on their way. Used inside the load's workflow only."""

    def __init__(self, load_id: str, org: str, relief: Relief, ramp: Ramp) -> None:
        self._load_id = load_id
        self._org = org
        self._relief = relief
        self._ramp = ramp
        self._under_way: deque[tuple[str, Any]] = deque()
        self._parked: list[Mapping[str, Any]] = []
        #: Whether anything was handed over.
        self.began = False

    async def start(self, name: str, workflow: Any, *arguments: Any) -> bool:
        """Hand a part over once there is room; return False, and hand nothing over, when no more may be sent.

        Args:
            name: What the workflow is called, after the load.
            workflow: The registered workflow.
            arguments: Its arguments after the load's id.
        """
        while len(self._under_way) >= self._ramp.width:
            await self._see_one()
            if self._ramp.waits_for_canary and self._parked:
                # However long the canary takes: nothing else begins before it is judged.
                await self.land()
        if self._ramp.stopped is not None:
            return False
        with SetWorkflowID(self._id(name)), SetEnqueueOptions(queue_partition_key=self._org):
            handle = await DBOS.enqueue_workflow_async(PARTS_QUEUE, workflow, self._load_id, *arguments)
        self._under_way.append((name, handle))
        self.began = True
        return True

    def skip(self, ended: Mapping[str, Any]) -> None:
        """Take in a part that came to its end without being handed over."""
        self._ramp.see(ended)

    async def outlast(self, name: str) -> None:
        """Wait until a part that was handed over has ended, however long it takes.

        Args:
            name: What it was handed over as.
        """
        while any(known == name for known, _ in self._under_way):
            await self._see_one()
        if any(name.partition(".")[0] == f"{int(parked['number']):05d}" for parked in self._parked):
            await self.land()

    async def land(self) -> None:
        """Wait for all that are under way, parked ones too."""
        while self._under_way:
            await self._see_one()
        parked_before, self._parked = self._parked, []
        for parked in parked_before:
            number, again, job_id = int(parked["number"]), int(parked["round"]), str(parked["job_id"])
            name = f"{number:05d}.p{again}"
            with SetWorkflowID(self._id(name)):
                handle = await DBOS.enqueue_workflow_async(
                    PARKED_QUEUE, self._relief.resume, self._load_id, number, again, job_id
                )
            self._under_way.append((name, handle))
        while self._under_way:
            await self._see_one()

    async def _see_one(self) -> None:
        name, handle = self._under_way.popleft()
        ended = await self._result(name, handle.get_result)
        if ended is None:
            ended = await self._salvaged(name)
        if ended.get("state") == PARKED:
            self._parked.append(ended)
        else:
            self._ramp.see(ended)

    async def _salvaged(self, name: str) -> Mapping[str, Any]:
        """Have a part carried on whose workflow broke; once."""
        number, _, way = name.partition(".")
        arguments: tuple[Any, ...] = (self._load_id, int(number), int(way[1:] or 0))
        with SetWorkflowID(self._id(f"{name}.s")), SetEnqueueOptions(queue_partition_key=self._org):
            handle = await DBOS.enqueue_workflow_async(PARTS_QUEUE, self._relief.salvage, *arguments)
        return await self._result(f"{name}.s", handle.get_result) or {}

    def _id(self, name: str) -> str:
        return f"{self._load_id}.{self._relief.mark}{name}"

    async def _result(self, name: str, get_result: Callable[..., Awaitable[Any]]) -> Mapping[str, Any] | None:
        # The other parts must still be waited for.
        with outlived(_log.bind(load_id=self._load_id, part=name), _FAILED):
            ended = await get_result(polling_interval_sec=_RESULT_SECONDS)
            return ended if isinstance(ended, Mapping) else {}
        return None


async def settled(workflow_id: str) -> None:
    """Wait until a workflow has ended, however it ends."""
    # It is known to be there; and what a look would add to the log has no place in it.
    handle: Any = await DBOS.retrieve_workflow_async(workflow_id, existing_workflow=False)
    # What it left is looked at afterwards.
    with outlived(_log.bind(part=workflow_id), _FAILED):
        await handle.get_result(polling_interval_sec=_RESULT_SECONDS)
