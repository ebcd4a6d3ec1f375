"""A job followed from its start to its end: asked for whenever the service tells of an event, else now and then."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from orgbridge.cli.errors import ServiceRefused, ServiceUnreachable
from orgbridge.cli.service import Service
from orgbridge.kit.clock import Clock

TERMINAL_STATES = frozenset({"JobComplete", "Failed", "Aborted"})
_FIRST_PAUSE, _LAST_PAUSE = 0.1, 2.0
#: Longest time without a look at a job whose events are heard: nothing depends on every event arriving.
_SILENT_PAUSE = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What the service says of a job at one moment."""

    job_id: str
    state: str
    operation: str
    object_name: str
    #: Rows that Salesforce has worked on, the failed ones included.
    processed: int
    failed: int
    #: Rows of the input; None until the split is done.
    rows: int | None
    error_message: str
    #: Places in the input that the error points at.
    error_details: list[dict[str, Any]]
    #: Why it does not go on just now; empty when it does.
    waiting: str
    #: The whole answer.
    raw: dict[str, Any]

    @property
    def ended(self) -> bool:
        """True when nothing will change any more."""
        return self.state in TERMINAL_STATES


def status_of(answer: dict[str, Any]) -> Status:
    """Return the status that an answer of the service holds."""
    details = answer.get("job_info_details") or {}
    rows = details.get("rows_read")
    if rows is None:
        rows = (answer.get("progress") or {}).get("rows_read")
    return Status(
        job_id=str(answer.get("job_id", "")),
        state=str(answer.get("state", "")),
        operation=str(answer.get("operation", "")),
        object_name=str(answer.get("object_name") or ""),
        processed=int(answer.get("records_processed") or 0),
        failed=int(answer.get("records_failed") or 0),
        rows=int(rows) if rows is not None else None,
        error_message=str(answer.get("error_message") or ""),
        error_details=[item for item in details.get("error_details") or [] if isinstance(item, dict)],
        waiting=str(details.get("waiting") or ""),
        raw=answer,
    )


async def watch(
    service: Service,
    job_id: str,
    clock: Clock,
    on_status: Callable[[Status], None],
    *,
    is_query: bool = False,
    patience_seconds: float = 60.0,
) -> Status:
    """Follow a job to its end and return its last status.

    Stopping to watch does nothing to the job.

    Args:
        service: Where the job is.
        job_id: The service's id or a Salesforce `750...` id.
        clock: For the pauses: short at first, up to two seconds when nothing moves.
        on_status: Called with each status.
        is_query: True for a query job.
        patience_seconds: A service that does not answer for longer ends the watch; a restart is waited out.

    Raises:
        ServiceUnreachable: The service was away for too long; the job goes on.
        ServiceRefused: The service does not know the job, or the right is missing.
    """
    bell = _Bell(service, job_id, clock)
    try:
        return await _watch(service, job_id, clock, on_status, bell, is_query, patience_seconds)
    finally:
        await bell.close()


async def _watch(
    service: Service,
    job_id: str,
    clock: Clock,
    on_status: Callable[[Status], None],
    bell: _Bell,
    is_query: bool,
    patience_seconds: float,
) -> Status:
    pause = _FIRST_PAUSE
    last: Status | None = None
    heard_at = clock.monotonic()
    while True:
        try:
            status = status_of(await service.job(job_id, is_query=is_query))
        except ServiceUnreachable as error:
            if clock.monotonic() - heard_at > patience_seconds:
                raise ServiceUnreachable(
                    f"{error.message} The job goes on without us: `orgbridge jobs watch {job_id}` takes it up again."
                ) from error
            await clock.sleep(_LAST_PAUSE)
            continue
        heard_at = clock.monotonic()
        on_status(status)
        if status.ended:
            return status
        moved = last is None or (status.processed, status.state) != (last.processed, last.state)
        pause = _FIRST_PAUSE if moved else min(pause * 1.5, _LAST_PAUSE)
        last = status
        await bell.wait(pause)


class _Bell:
    """Rings at every event of a job. A service that tells no events leaves it silent for ever."""

    def __init__(self, service: Service, job_id: str, clock: Clock) -> None:
        self._service = service
        self._job_id = job_id
        self._clock = clock
        self._rung = asyncio.Event()
        self._listens = False
        self._task = asyncio.create_task(self._listen())

    async def wait(self, pause: float) -> None:
        """Return at the next event; while none can be heard, after a pause."""
        sleep = asyncio.create_task(self._clock.sleep(_SILENT_PAUSE if self._listens else pause))
        ring = asyncio.create_task(self._rung.wait())
        try:
            await asyncio.wait({sleep, ring}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleep.cancel()
            ring.cancel()
        self._rung.clear()

    async def close(self) -> None:
        """Stop listening."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def _listen(self) -> None:
        heard = ""
        while True:
            try:
                async with self._service.events(self._job_id, heard) as events:
                    self._listens = True
                    async for event in events:
                        heard = event.id
                        self._rung.set()
                # The end, or a service that stopped: the next look at the status tells which.
                self._listens = False
                self._rung.set()
                await self._clock.sleep(_LAST_PAUSE)
            except ServiceRefused:
                return
            except ServiceUnreachable:
                await self._clock.sleep(_LAST_PAUSE)
            finally:
                self._listens = False
