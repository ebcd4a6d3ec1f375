"""One durable step: its outcome, good or bad, is in the step log before the next step begins."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from dbos import DBOS

from orgbridge.client import count_calls
from orgbridge.engine.errors import StepRefused
from orgbridge.engine.faults import Fault, fault_of
from orgbridge.engine.places import Place
from orgbridge.kit import traces
from orgbridge.kit.clock import Clock
from orgbridge.kit.errors import OrgbridgeError
from orgbridge.kit.logs import get_logger
from orgbridge.kit.metrics import WORK_SECONDS, histogram
from orgbridge.orgs.uses import calls_of_a_load

_log = get_logger(__name__)
_DURATIONS = histogram(
    "orgbridge_part_stage_duration_seconds",
    "Time that a stage of a part, or of its load, took in this process, by stage and outcome: done, refused.",
    ("stage", "outcome"),
    WORK_SECONDS,
)


async def run_step(
    name: str,
    body: Callable[[], Awaitable[Any]],
    *,
    place: Place,
    clock: Clock,
    note_calls: Callable[[int], Awaitable[None]],
    preemptible: bool = False,
) -> Any:
    """Run a step of the present workflow, or return what it gave when it ran before.

    Args:
        name: Name in the step log; never change it for a workflow that may be under way.
        body: What to do. It must look before it acts: after a crash it runs again. Its result must be small JSON.
        place: What it is about, for traces.
        clock: Time, for figures.
        note_calls: Told how many HTTP requests the body made to Salesforce; not told when the worker dies inside.
        preemptible: True for a step that only waits and may be broken off at any moment.

    Raises:
        StepRefused: The body could not do its work, now or when it first ran.
    """

    async def guarded() -> dict[str, Any]:
        started = clock.monotonic()
        opened = traces.span(f"step {name}", place.attributes, await place.trace(place.load_id))
        # Calls made inside count as a load's: when the org's budget for loads is spent they raise `Parked`.
        with opened, count_calls() as count, calls_of_a_load():
            try:
                outcome = {"value": await body()}
            except StepRefused as error:
                outcome = {"fault": error.fault.to_json()}
            except Exception as error:  # noqa: BLE001 - the worker's edge: no step may leave rows unaccounted for
                expected = isinstance(error, OrgbridgeError | OSError)
                _log.error("engine.step_failed", step=name, cause=str(error), exc_info=None if expected else error)
                outcome = {"fault": fault_of(error).to_json()}
        _DURATIONS.observe(clock.monotonic() - started, name, "refused" if "fault" in outcome else "done")
        if count.calls:
            try:
                await note_calls(count.calls)
            except OrgbridgeError as error:
                _log.warning("engine.calls_not_noted", step=name, calls=count.calls, cause=str(error))
        return outcome

    outcome = await DBOS.run_step_async({"name": name, "preemptible": preemptible}, guarded)
    if "fault" in outcome:
        raise StepRefused(Fault.from_json(outcome["fault"]))
    return outcome["value"]
