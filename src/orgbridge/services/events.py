"""What happens to a job, as it happens: state, progress, errors by code, and the end.

The events are told from what the store holds at the moment, so any service process can tell them, and a caller who
comes back gets what changed since. The id of an event says all that its reader has been told: state, progress and
errors.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final

from orgbridge.kit.clock import Clock
from orgbridge.kit.json import dumps
from orgbridge.services.jobs import JobService, JobStatus
from orgbridge.services.scopes import Caller
from orgbridge.store.database import Database

#: Pauses between two looks at a job: short while it moves, longer while it does not.
_FIRST_PAUSE: Final = 0.25
_LAST_PAUSE: Final = 2.0
#: Id of the last event of a job; who comes back with it has heard all.
END: Final = "end"
_LINES_TOLD = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEvent:
    """One thing that happened."""

    #: state, progress, errors or end.
    name: str
    #: What a reader gives back to go on behind this event.
    id: str
    #: JSON-ready.
    data: dict[str, Any]


@dataclass(slots=True)
class _Heard:
    """What a reader has been told."""

    state: str = ""
    progress: str = ""
    errors: str = ""

    @classmethod
    def of(cls, event_id: str | None) -> _Heard:
        parts = (event_id or "").split("|")
        return cls(*parts) if len(parts) == 3 else cls()

    @property
    def id(self) -> str:
        return f"{self.state}|{self.progress}|{self.errors}"


class EventService:
    """Tells what happens to jobs."""

    def __init__(self, database: Database, jobs: JobService, clock: Clock) -> None:
        self._database = database
        self._jobs = jobs
        self._clock = clock

    async def follow(self, job_id: str, last_event_id: str | None = None, *, caller: Caller) -> AsyncIterator[JobEvent]:
        """Return the events of a job from now, or from behind an event, to its end.

        Args:
            job_id: Our id, or Salesforce's `750…`.
            last_event_id: Id of the last event that the caller got; an unknown one counts as none.
            caller: Who asks; sees the jobs that their policy shows.

        Raises:
            LoadNotFound: We have no such load.
            ClientError: The id is a foreign `750…` and Salesforce does not know it or could not be asked.
        """
        # Asked before the stream begins, so that a refusal is still a refusal.
        first = await self._jobs.status(job_id, caller=caller)
        return self._events(job_id, first, _Heard.of(last_event_id), caller)

    async def _events(self, job_id: str, status: JobStatus, heard: _Heard, caller: Caller) -> AsyncIterator[JobEvent]:
        pause = _FIRST_PAUSE
        while True:
            moved = False
            for event in await self._news(status, heard):
                moved = True
                yield event
            if status.ended:
                yield JobEvent(name="end", id=END, data=_summary(status))
                return
            pause = _FIRST_PAUSE if moved else min(pause * 1.5, _LAST_PAUSE)
            await self._clock.sleep(pause)
            status = await self._jobs.status(job_id, caller=caller)

    async def _news(self, status: JobStatus, heard: _Heard) -> list[JobEvent]:
        news = []
        if status.state != heard.state:
            heard.state = status.state
            news.append(JobEvent(name="state", id=heard.id, data=_summary(status)))
        progress = _progress(status)
        mark = _digest(progress)
        if mark != heard.progress:
            heard.progress = mark
            news.append(JobEvent(name="progress", id=heard.id, data=progress))
        errors = await self.errors(status)
        mark = _digest(errors) if errors else ""
        if mark != heard.errors:
            heard.errors = mark
            news.append(JobEvent(name="errors", id=heard.id, data={"job_id": status.job_id, "errors": errors}))
        return news

    async def errors(self, status: JobStatus) -> list[dict[str, Any]]:
        """Return rows that failed so far, by code: those of parts whose results were matched."""
        if status.parts is None:
            return []
        async with self._database.unit(write=False) as unit:
            parts = await unit.parts.list(status.job_id)
        groups: dict[str, dict[str, Any]] = {}
        for part in parts:
            for group in (part.findings or {}).get("errors", []):
                known = groups.setdefault(
                    group["code"], {"code": group["code"], "count": 0, "lines": [], "message": group["message"]}
                )
                known["count"] += group["count"]
                known["lines"] = [*known["lines"], *group["lines"]][:_LINES_TOLD]
        return sorted(groups.values(), key=lambda group: (-group["count"], group["code"]))


def _summary(status: JobStatus) -> dict[str, Any]:
    return {
        "job_id": status.job_id,
        "state": status.state,
        "operation": status.operation,
        "object_name": status.object_name,
        "ended": status.ended,
        "error_message": status.error_message,
        "error_code": status.details.get("error_code"),
        "waiting": status.details.get("waiting"),
    }


def _progress(status: JobStatus) -> dict[str, Any]:
    return {
        "job_id": status.job_id,
        "records_processed": status.records_processed,
        "records_failed": status.records_failed,
        "progress": status.progress,
        "waiting": status.details.get("waiting"),
    }


def _digest(value: Any) -> str:
    return hashlib.sha256(dumps(value)).hexdigest()[:12]
