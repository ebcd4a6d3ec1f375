"""The workflow of one part: create, upload, commit, wait, fetch, match. Each is one durable step.

The workflow itself decides only by what its steps returned, so that a replay by another worker goes the same way.
Rows of a part that are sent in a job of their own, a round, go the same way and are then merged into the part.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from orgbridge.engine import matches, rounds
from orgbridge.engine.beginnings import begin
from orgbridge.engine.errors import StepRefused
from orgbridge.engine.facts import JOINT
from orgbridge.engine.faults import Fault
from orgbridge.engine.ingest_jobs import Commit, Discard, IngestJobs, Upload
from orgbridge.engine.joints import deal_out
from orgbridge.engine.reprises import jobs_of
from orgbridge.engine.resources import Resources
from orgbridge.engine.steps import run_step
from orgbridge.engine.watches import PARKED
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

    async def run(self, load_id: str, number: int) -> dict[str, Any]:
        """Carry one part to its end. Never raises for what a step could not do: its rows are accounted for instead.

        Returns:
            `state` (`matched`, `aborted`, `failed` or `parked`), `rows`, `failed`, `retryable`.
        """
        whole = _Way(resources=self.resources, jobs=IngestJobs(self.resources, load_id, number))
        try:
            begun: dict[str, Any] = await whole.begin()
        except StepRefused as refusal:
            return await whole.give_up(refusal.fault)
        if not begun["round"]:
            return await whole.go()
        if not begun["send"]:
            return begun
        # Some rows are kept back: the others go in a round of their own, which is the part's first sending.
        jobs = IngestJobs(self.resources, load_id, number, int(begun["round"]))
        return await _Way(resources=self.resources, jobs=jobs).go()

    async def again(self, load_id: str, number: int, round_number: int) -> dict[str, Any]:
        """Send rows of a part again that failed in passing, and merge what comes of it.

        Rows of several parts go under the number `JOINT`; they were chosen before.
        """
        way = _Way(resources=self.resources, jobs=IngestJobs(self.resources, load_id, number, round_number))
        if number == JOINT:
            return await way.go()
        try:
            chosen = await way.select()
        except StepRefused as refusal:
            # Nothing was sent, and what is known of the rows stays.
            return {"state": "failed", "cause": refusal.fault.message}
        return await way.go() if chosen else {}

    async def resume(self, load_id: str, number: int, round_number: int, job_id: str) -> dict[str, Any]:
        """Wait for a job that took so long that its part was parked, however long it takes."""
        jobs = IngestJobs(self.resources, load_id, number, round_number)
        way = _Way(resources=self.resources, jobs=jobs)
        try:
            return await way.receive(job_id, parkable=False)
        except StepRefused as refusal:
            return await way.give_up(refusal.fault)

    async def salvage(self, load_id: str, number: int, round_number: int) -> dict[str, Any]:
        """Carry on a part, or a round of it, whose workflow broke; nothing else works on it any more.

        What may have been committed is received; else what was begun is given up, and all is done anew.
        """
        found = await self._way(load_id, number, round_number).survey()
        if found["totals"] is not None:
            return dict(found["totals"])
        if found["committed"]:
            again, job_id = found["committed"][-1]
            return await self._way(load_id, number, again).take_over(job_id, committed=True)
        for again, job_id in found["created"]:
            ended = await self._way(load_id, number, again).take_over(job_id, committed=False)
            if ended:
                return ended
        if round_number:
            return await self.again(load_id, number, round_number)
        return await self.run(load_id, number)

    def _way(self, load_id: str, number: int, round_number: int) -> _Way:
        return _Way(resources=self.resources, jobs=IngestJobs(self.resources, load_id, number, round_number))


@dataclass(slots=True)
class _Way:
    """One part, or one round of it, on its way."""

    resources: Resources
    jobs: IngestJobs
    #: A job that was created and is not known to be committed or discarded.
    open_job: str | None = None

    async def begin(self) -> dict[str, Any]:
        """Do what comes before anything is sent: before-images, rows that are kept back."""

        async def begun() -> dict[str, Any]:
            load, part = await self._records()
            return await begin(self.resources, load, part)

        outcome: dict[str, Any] = await self._step("begin", begun)
        return outcome

    async def select(self) -> int:
        """Choose the rows of a round; return how many."""

        async def chosen() -> int:
            load, part = await self.resources.patience().until_done(
                IngestJobs(self.resources, self.jobs.load_id, self.jobs.number).records
            )
            return await rounds.select(self.resources, load, part, self.jobs.round)

        return int(await self._step("select", chosen))

    async def survey(self) -> dict[str, Any]:
        """Look at what a broken workflow left behind."""
        jobs = self.jobs
        body = partial(jobs_of, self.resources, jobs.load_id, jobs.number, jobs.round)
        found: dict[str, Any] = await self._step("survey", body)
        return found

    async def take_over(self, job_id: str, *, committed: bool) -> dict[str, Any]:
        """Receive a job that may have been committed; give up one that was not, and return nothing."""
        try:
            if not committed:
                given_up = Discard(await self._step("discard", partial(self.jobs.discard, job_id)))
                if given_up is Discard.DISCARDED:
                    return {}
            return await self.receive(job_id, parkable=False)
        except StepRefused as refusal:
            return await self.account(refusal.fault, aborted=False)

    async def go(self) -> dict[str, Any]:
        """Send and receive; whatever happens, the rows are accounted for."""
        try:
            job_id = await self.send()
            if job_id is None:
                return await self.account(_CANCELLED, aborted=True)
            return await self.receive(job_id, parkable=True)
        except StepRefused as refusal:
            return await self.give_up(refusal.fault)

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

    async def receive(self, job_id: str, *, parkable: bool) -> dict[str, Any]:
        """Wait for a committed job, fetch its results and match them."""
        ended: dict[str, Any] | None = await self._wait(job_id, heed_cancel=True, parkable=parkable)
        if ended is not None and ended["state"] == PARKED:
            return {"state": PARKED, "number": self.jobs.number, "round": self.jobs.round, "job_id": job_id}
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
        modstamp = ended.get("modstamp")
        keys: dict[str, str] = await self._step("fetch", partial(self.jobs.fetch, job_id))

        async def match() -> dict[str, Any]:
            load, part = await self._records()
            return await matches.match(self.resources, load, part, keys, self.jobs.round, modstamp=modstamp)

        totals: dict[str, Any] = await self._step("match", match)
        return await self._end(totals)

    async def give_up(self, fault: Fault) -> dict[str, Any]:
        """End the part after a step that could not go on, without leaving behind a job that may yet do something."""
        if self.open_job is not None:
            try:
                outcome = Discard(await self._step("discard", partial(self.jobs.discard, self.open_job)))
                if outcome is Discard.COMMITTED:
                    # The reply to the commit was lost for as long as patience lasted; the rows are on their way.
                    return await self.receive(self.open_job, parkable=False)
            except StepRefused as refusal:
                # Salesforce is still out of reach. An open job processes nothing; the sweep at the load's end
                # tries again.
                fault = refusal.fault
        return await self.account(fault, aborted=False)

    async def account(self, fault: Fault, *, aborted: bool) -> dict[str, Any]:
        """Give the part's rows the reason why they were not processed."""

        async def account() -> dict[str, Any]:
            load, part = await self._records()
            sent = await self.resources.patience().until_done(self.jobs.any_committed)
            return await matches.account(
                self.resources, load, part, fault, sent=sent, aborted=aborted, round_number=self.jobs.round
            )

        totals: dict[str, Any] = await self._step("account", account)
        return await self._end(totals)

    async def _end(self, totals: dict[str, Any]) -> dict[str, Any]:
        """Merge a round into its part; return what the part comes to."""
        if not self.jobs.round:
            return totals

        async def merge() -> dict[str, Any]:
            if self.jobs.number == JOINT:
                load, joint = await self._records()
                return await deal_out(self.resources, load, joint, self.jobs.round)
            whole = IngestJobs(self.resources, self.jobs.load_id, self.jobs.number)
            load, part = await self.resources.patience().until_done(whole.records)
            _, sending = await self._records()
            return await matches.merge(self.resources, load, part, sending, self.jobs.round)

        merged: dict[str, Any] = await self._step("merge", merge)
        return merged

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

    async def _wait(self, job_id: str, *, heed_cancel: bool, parkable: bool = False) -> dict[str, Any] | None:
        body = partial(self.jobs.wait, job_id, heed_cancel=heed_cancel, parkable=parkable)
        ended: dict[str, Any] | None = await self._step("wait", body, preemptible=True)
        return ended

    async def _step(self, name: str, body: Any, *, preemptible: bool = False) -> Any:
        return await run_step(
            name,
            body,
            place=self.resources.place(self.jobs.load_id, self.jobs.number, self.jobs.round),
            clock=self.resources.clock,
            note_calls=self.jobs.note_calls,
            preemptible=preemptible,
        )

    async def _records(self) -> tuple[LoadRecord, PartRecord]:
        return await self.resources.patience().until_done(self.jobs.records)
