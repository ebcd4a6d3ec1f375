"""The workflow of one part: create, upload, commit, wait, fetch, match. Each is one durable step.

The workflow itself decides only by what its steps returned, so that a replay by another worker goes the same way.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from orgbridge.engine import matches
from orgbridge.engine.errors import StepRefused
from orgbridge.engine.faults import Fault
from orgbridge.engine.ingest_jobs import Commit, Discard, IngestJobs, Upload
from orgbridge.engine.resources import Resources
from orgbridge.engine.steps import run_step
from orgbridge.store.records import LoadRecord, PartRecord
from orgbridge.wire.bulk import JobState

_CANCELLED = Fault(code="load.cancelled", message="The load was cancelled before this row was sent.")
#: Times that a committed job may be found open again before the part is given up. It never should be.
_REOPENINGS = 3


@dataclass(frozen=True, slots=True)
class PartWorkflow:
    """Runs parts with what the worker has."""

    #: The worker's connections.
    resources: Resources

    async def run(self, load_id: str, number: int) -> str:
        """Carry one part to its end. Never raises for what a step could not do: its rows are accounted for instead.

        Returns:
            `matched`, `aborted` or `failed`.
        """
        way = _Way(resources=self.resources, jobs=IngestJobs(self.resources, load_id, number))
        try:
            job_id = await way.send()
            if job_id is None:
                return await way.account(_CANCELLED, aborted=True)
            await way.receive(job_id)
        except StepRefused as refusal:
            return await way.give_up(refusal.fault)
        return "matched"


@dataclass(slots=True)
class _Way:
    """One part on its way."""

    resources: Resources
    jobs: IngestJobs
    #: A job that was created and is not known to be committed or discarded.
    open_job: str | None = None

    async def send(self) -> str | None:
        """Bring the part into a committed job and return its id; None when the load is to be stopped."""
        unknown = 0
        while True:
            job_id: str | None = await self._step("create", self.jobs.create)
            if job_id is None:
                return None
            self.open_job = job_id
            match Upload(await self._step("upload", partial(self.jobs.upload, job_id))):
                case Upload.SENT:
                    cancelled, done = await self._commit(job_id)
                    if done:
                        return job_id
                case Upload.CANCELLED:
                    cancelled = True
                case Upload.INTERRUPTED:
                    cancelled = False
                case Upload.UNKNOWN:
                    cancelled = False
                    unknown += 1
            # An upload is never repeated on its job: the job is given up, and another one made.
            if Discard(await self._step("discard", partial(self.jobs.discard, job_id))) is Discard.COMMITTED:
                self.open_job = None
                return job_id
            self.open_job = None
            if cancelled:
                return None
            if unknown >= self.resources.config.upload_attempts:
                message = f"Salesforce did not take the upload of part {self.jobs.number} in {unknown} attempts."
                raise StepRefused(Fault(code="job.upload_failed", message=message))

    async def receive(self, job_id: str) -> None:
        """Wait for a committed job, fetch its results and match them."""
        ended: dict[str, Any] | None = await self._wait(job_id, heed_cancel=True)
        if ended is None:
            await self._step("abort", partial(self.jobs.abort, job_id))
            ended = await self._wait(job_id, heed_cancel=False)
        reopenings = 0
        while ended is None or ended["state"] == JobState.OPEN:
            reopenings += 1
            if reopenings > _REOPENINGS:
                raise StepRefused(Fault(code="job.reopened", message=f"Job {job_id} does not stay committed."))
            await self._step("commit", partial(self.jobs.commit, job_id))
            ended = await self._wait(job_id, heed_cancel=False)
        keys: dict[str, str] = await self._step("fetch", partial(self.jobs.fetch, job_id))

        async def match() -> None:
            load, part = await self._records()
            await matches.match(self.resources, load, part, keys)

        await self._step("match", match)

    async def give_up(self, fault: Fault) -> str:
        """End the part after a step that could not go on, without leaving behind a job that may yet do something."""
        if self.open_job is not None:
            try:
                outcome = Discard(await self._step("discard", partial(self.jobs.discard, self.open_job)))
                if outcome is Discard.COMMITTED:
                    # The reply to the commit was lost for as long as patience lasted; the rows are on their way.
                    await self.receive(self.open_job)
                    return "matched"
            except StepRefused as refusal:
                # Salesforce is still out of reach. An open job processes nothing; the sweep at the load's end
                # tries again.
                fault = refusal.fault
        return await self.account(fault, aborted=False)

    async def account(self, fault: Fault, *, aborted: bool) -> str:
        """Give the part's rows the reason why they were not processed."""

        async def account() -> None:
            load, part = await self._records()
            sent = await self.resources.patience().until_done(self.jobs.any_committed)
            await matches.account(self.resources, load, part, fault, sent=sent, aborted=aborted)

        await self._step("account", account)
        return "aborted" if aborted else "failed"

    async def _commit(self, job_id: str) -> tuple[bool, bool]:
        """Return whether the load is to be stopped, and whether the job is committed."""
        match Commit(await self._step("commit", partial(self.jobs.commit, job_id))):
            case Commit.COMMITTED:
                self.open_job = None
                return False, True
            case Commit.CANCELLED:
                return True, False
            case Commit.GONE:
                return False, False

    async def _wait(self, job_id: str, *, heed_cancel: bool) -> dict[str, Any] | None:
        body = partial(self.jobs.wait, job_id, heed_cancel=heed_cancel)
        ended: dict[str, Any] | None = await self._step("wait", body, preemptible=True)
        return ended

    async def _step(self, name: str, body: Any, *, preemptible: bool = False) -> Any:
        return await run_step(name, body, note_calls=self.jobs.note_calls, preemptible=preemptible)

    async def _records(self) -> tuple[LoadRecord, PartRecord]:
        return await self.resources.patience().until_done(self.jobs.records)
