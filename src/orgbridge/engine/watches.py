"""Is a job still moving? One that is not is reported; one that takes too long gives up its place, never its rows."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from orgbridge.client import JobInfo
from orgbridge.engine.facts import JOINT
from orgbridge.engine.resources import Resources
from orgbridge.kit.logs import get_logger
from orgbridge.store.errors import StoreError
from orgbridge.store.records import PartRecord

#: What `wait` says of a job that takes too long.
PARKED: Final = "parked"
_log = get_logger(__name__)


class JobWatch:
    """Follows one committed job. What it knows of former looks comes from the store, so that it outlives workers."""

    def __init__(self, resources: Resources, load_id: str, number: int, sending: PartRecord, job_id: str) -> None:
        self._resources = resources
        self._load_id = load_id
        self._number = number
        self._job_id = job_id
        processed = sending.succeeded + sending.failed
        self._seen: tuple[str | None, int, int] = (sending.job_state, processed, sending.failed)
        now = resources.clock.now()
        self._began_at = now
        self._moved_at = sending.updated_at or now
        self._stalled = sending.stalled_at is not None

    def moved(self, job: JobInfo) -> bool:
        """Take in a look; return whether anything is new."""
        seen = (job.state.value, job.number_records_processed or 0, job.number_records_failed or 0)
        if seen == self._seen:
            return False
        self._seen = seen
        self._moved_at = self._resources.clock.now()
        return True

    @property
    def overdue(self) -> bool:
        """Whether the job has taken longer than its place is kept for it."""
        return self._resources.clock.now() - self._began_at > timedelta(seconds=self._resources.config.park_seconds)

    async def judge(self) -> None:
        """Report a job that has stalled, and one that goes on again."""
        idle = self._resources.clock.now() - self._moved_at
        stalled = idle > timedelta(seconds=self._resources.config.stall_seconds)
        if stalled is self._stalled:
            return
        self._stalled = stalled
        if stalled:
            _log.warning(
                "engine.job_stalled",
                load_id=self._load_id,
                part=self._number,
                job_id=self._job_id,
                idle_seconds=round(idle.total_seconds()),
            )
        await self._note(stalled=stalled)

    async def end(self) -> None:
        """Take the report back: the job has ended."""
        if self._stalled:
            self._stalled = False
            await self._note(stalled=False)

    async def _note(self, *, stalled: bool) -> None:
        state = self._seen[0]
        whose = f"Part {self._number}" if self._number != JOINT else "Rows of several parts"
        cause = (
            f"{whose}: job {self._job_id} has shown no progress at Salesforce since "
            f"{self._moved_at:%Y-%m-%d %H:%M:%S} UTC (state {state}); it is watched on, and can be aborted."
        )
        try:
            if self._number != JOINT:
                async with self._resources.database.unit() as unit:
                    await unit.parts.update(
                        self._load_id, self._number, stalled_at=self._resources.clock.now() if stalled else None
                    )
        except StoreError as error:
            # The work does not depend on what is said about it.
            _log.warning("engine.stall_not_noted", load_id=self._load_id, cause=str(error))
        await self._resources.tell(self._load_id, cause if stalled else None)
