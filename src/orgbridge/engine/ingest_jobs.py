"""The dealings of one part with its Salesforce job. Every method is the body of one durable step.

Laws:
1. The one irreversible act is the commit. It is done only with a job id that is already in the step log, only after
   the intent was written to the store, and only on a job that is `Open` when looked at.
2. An upload is begun once per job. If its outcome is unknown the job is discarded and another one made.
3. A job is discarded only when it is certain that it processed nothing.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any

from orgbridge.client import IngestJobRequest, IngestResult, JobInfo, Salesforce
from orgbridge.client.errors import Conflicting, NotFound, SalesforceError
from orgbridge.engine import intents
from orgbridge.engine.errors import StepRefused
from orgbridge.engine.facts import JOINT, InputFacts, part_files, part_of
from orgbridge.engine.faults import Fault, first_of, nothing_sent, transient
from orgbridge.engine.paces import Pace
from orgbridge.engine.patience import Patience
from orgbridge.engine.ranges import upload_blocks
from orgbridge.engine.resources import Resources
from orgbridge.engine.streams import in_threads
from orgbridge.engine.watches import PARKED, JobWatch
from orgbridge.kit.errors import OrgbridgeError
from orgbridge.loads.states import PartState
from orgbridge.store.records import JobRecord, JobUse, LoadRecord, PartRecord
from orgbridge.wire.bulk import TERMINAL_JOB_STATES, IngestOperation, JobState


class Upload(StrEnum):
    """How an upload went."""

    SENT = "sent"
    #: The load is to be stopped; nothing was sent.
    CANCELLED = "cancelled"
    #: An upload to this job was begun before, by a worker that died.
    INTERRUPTED = "interrupted"
    #: Salesforce may or may not have the data, or refused it.
    UNKNOWN = "unknown"


class Commit(StrEnum):
    """How a commit went."""

    COMMITTED = "committed"
    #: The load is to be stopped; the job was not committed.
    CANCELLED = "cancelled"
    #: Somebody aborted or deleted the job before it was committed.
    GONE = "gone"


class Discard(StrEnum):
    """How giving up a job went."""

    DISCARDED = "discarded"
    #: Somebody else committed the job: it is processing, and must be waited for.
    COMMITTED = "committed"


@dataclass(frozen=True, slots=True)
class IngestJobs:
    """Steps of one part of one load."""

    #: The worker's connections.
    resources: Resources
    #: The load.
    load_id: str
    #: The part.
    number: int
    #: 0 for the part as a whole, else a round of some of its rows.
    round: int = 0

    async def create(self) -> str | None:
        """Create a job and return its id; None when the load is to be stopped.

        What is about to be created is written down before: a lost reply leaves an `Open` job without data behind,
        which processes nothing, and which the sweep at the load's end knows again.
        """
        patience = self.resources.patience(self.load_id)
        load, part = await patience.until_done(self.records)
        request = IngestJobRequest(
            object=load.object_name,
            operation=IngestOperation(load.operation),
            external_id_field=load.external_id_field,
            line_ending=part_of(part).upload_line_ending,
            column_delimiter=self._facts(load).sent_dialect.column_delimiter,
        )
        asking = self.resources.patience(self.load_id)
        while True:
            if await patience.until_done(self._cancel_requested):
                return None
            intent = await patience.until_done(lambda: intents.begin(self.resources, load, request))
            try:
                job = await self._salesforce(load).bulk.ingest.create(request)
            except (OrgbridgeError, OSError) as error:
                if nothing_sent(error) or isinstance(error, SalesforceError):
                    # Certainly not created: Salesforce was not reached, or refused.
                    await patience.until_done(lambda intent=intent: intents.drop(self.resources, intent))  # type: ignore[misc] # bound per turn
                await asking.bear(error)
            else:
                await asking.renew()
                break

        async def record() -> None:
            now = self.resources.clock.now()
            async with self.resources.database.unit() as unit:
                await unit.sequels.answer_intent(intent, job.id)
                await unit.jobs.add(
                    JobRecord(
                        job_id=job.id,
                        load_id=self.load_id,
                        part=self.number,
                        use=JobUse.CREATED,
                        created_at=now,
                        round=self.round,
                    )
                )
                await unit.sendings(self.round).advance(
                    self.load_id,
                    self.number,
                    PartState.JOB_CREATED,
                    job_id=job.id,
                    job_state=job.state,
                    attempt=part.attempt + 1,
                    updated_at=now,
                )

        await self.resources.patience().until_done(record)
        return job.id

    async def upload(self, job_id: str) -> Upload:
        """Send the part's records to a fresh job, unless an upload to it was begun before."""
        patience = self.resources.patience(self.load_id)
        load, part = await patience.until_done(self.records)
        if load.cancel_requested:
            return Upload.CANCELLED

        async def begin() -> bool:
            async with self.resources.database.unit() as unit:
                return await unit.sendings(self.round).begin_upload(self.load_id, self.number, job_id)

        if not await patience.until_done(begin):
            return Upload.INTERRUPTED
        body = partial(upload_blocks, self.resources.files, self._facts(load), part)
        while True:
            try:
                await self._salesforce(load).bulk.ingest.upload(
                    job_id, lambda: in_threads(body), length=part_of(part).upload_bytes
                )
            except (OrgbridgeError, OSError) as error:
                if nothing_sent(error):
                    await patience.bear(error)
                elif transient(error) or isinstance(error, Conflicting | NotFound):
                    return Upload.UNKNOWN
                else:
                    raise
            else:
                await patience.renew()
                await self._advance(PartState.UPLOADED, job_id=job_id)
                return Upload.SENT

    async def commit(self, job_id: str) -> Commit:
        """Let Salesforce process the job. Looks at it first; a job already on its way is left alone."""
        patience = self.resources.patience(self.load_id)
        load, _ = await patience.until_done(self.records)
        begun = await patience.until_done(lambda: self._commit_begun(job_id))
        while True:
            try:
                job = await self._salesforce(load).bulk.ingest.get(job_id)
                if job.state is JobState.OPEN:
                    if not begun and await self._cancel_requested():
                        return Commit.CANCELLED
                    if not begun:
                        # From here on the job counts as possibly committed, whatever becomes of this process.
                        await self._mark(job_id, JobUse.COMMITTED)
                        begun = True
                    job = await self._salesforce(load).bulk.ingest.close(job_id)
            except NotFound as error:
                if begun:
                    raise StepRefused(_vanished(job_id)) from error
                return Commit.GONE
            except Conflicting as error:
                # Somebody was faster: the next look tells what the job is now.
                await patience.bear(error, may_pass=True)
                continue
            except (OrgbridgeError, OSError) as error:
                await patience.bear(error)
                continue
            if job.state is JobState.ABORTED and not begun:
                return Commit.GONE
            await patience.until_done(lambda: self._mark(job_id, JobUse.COMMITTED))
            await self._advance(PartState.COMMITTED, job_id=job_id)
            return Commit.COMMITTED

    async def wait(self, job_id: str, *, heed_cancel: bool, parkable: bool = False) -> dict[str, Any] | None:
        """Look at the job until it has ended; None when the load is to be stopped instead.

        A job that shows no progress for `stall_seconds` is reported: in the load's status, the log and the metrics.

        Args:
            job_id: A committed job.
            heed_cancel: Come back when somebody asks to stop the load.
            parkable: Come back when the job takes longer than `park_seconds`, so that others may use its place.

        Returns:
            `state` and `error` of the ended job with its `modstamp` (Salesforce's clock), or `state` `Open` when the
            job is, against all rules, open again, or `state` `parked`.
        """
        patience = self.resources.patience(self.load_id)
        load, part = await patience.until_done(self.records)
        pace = Pace(
            rows=part.rows,
            rate=self.resources.rates.get(load.org),
            first_seconds=self.resources.config.poll_seconds,
            longest_seconds=self.resources.config.longest_poll_seconds
            if parkable
            else max(self.resources.config.longest_poll_seconds, self.resources.config.parked_poll_seconds),
        )
        watch = JobWatch(self.resources, self.load_id, self.number, part, job_id)
        while True:
            job = await self._look(load, job_id, patience)
            if watch.moved(job):
                await patience.until_done(lambda job=job: self._show(job))  # type: ignore[misc] # bound per turn
            await watch.judge()
            processed = job.number_records_processed or 0
            pace.see(processed, self.resources.clock.monotonic())
            if job.state in TERMINAL_JOB_STATES or job.state is JobState.OPEN:
                self.resources.rates.note(load.org, pace.rate)
                await watch.end()
                modstamp = job.raw.get("systemModstamp")
                return {"state": job.state.value, "error": job.error_message, "modstamp": modstamp}
            if heed_cancel and await patience.until_done(self._cancel_requested):
                return None
            if parkable and watch.overdue:
                return {"state": PARKED}
            if heed_cancel:
                await self.resources.rest(self.load_id, pace.pause(processed))
            else:
                await self.resources.clock.sleep(pace.pause(processed))

    async def abort(self, job_id: str) -> None:
        """Ask Salesforce to stop a committed job. What it processed before stays processed."""
        patience = self.resources.patience(self.load_id)
        load, _ = await patience.until_done(self.records)

        async def act() -> None:
            job = await self._salesforce(load).bulk.ingest.get(job_id)
            if job.state in TERMINAL_JOB_STATES:
                return
            try:
                await self._salesforce(load).bulk.ingest.abort(job_id)
            except Conflicting:
                # It ended in the same moment; the results will tell how.
                return

        await patience.until_done(act)

    async def discard(self, job_id: str) -> Discard:
        """Give up a job that was not committed by us, so that it can never process anything."""
        patience = self.resources.patience(self.load_id)
        load, _ = await patience.until_done(self.records)
        while True:
            try:
                job = await self._salesforce(load).bulk.ingest.get(job_id)
                if job.state is JobState.OPEN:
                    job = await self._salesforce(load).bulk.ingest.abort(job_id)
            except NotFound:
                if await patience.until_done(lambda: self._commit_begun(job_id)):
                    # It may have processed the rows before it went: it stays on record as committed.
                    return Discard.DISCARDED
                break
            except Conflicting as error:
                await patience.bear(error, may_pass=True)
                continue
            except (OrgbridgeError, OSError) as error:
                await patience.bear(error)
                continue
            if job.state in (JobState.ABORTED, JobState.FAILED):
                break
            await patience.until_done(lambda: self._mark(job_id, JobUse.COMMITTED))
            return Discard.COMMITTED
        await patience.until_done(lambda: self._mark(job_id, JobUse.DISCARDED))
        return Discard.DISCARDED

    async def fetch(self, job_id: str) -> dict[str, str]:
        """Store the job's three results, side by side; return their keys by kind."""
        load, _ = await self.resources.patience(self.load_id).until_done(self.records)
        files = part_files(self.load_id, self.number, self.round)
        keys = {result.value: f"{files}.{result.value}.csv" for result in IngestResult}

        async def store(kind: str, key: str) -> None:
            async with self._salesforce(load).bulk.ingest.results(job_id, kind) as blocks:
                await self.resources.files.write(key, blocks)

        try:
            async with asyncio.TaskGroup() as group:
                for kind, key in keys.items():
                    # Each is patient by itself: what another one gets must not renew it.
                    patience = self.resources.patience(self.load_id)
                    group.create_task(patience.until_done(partial(store, kind, key)))
        except BaseExceptionGroup as errors:
            # The others were broken off; all three are fetched again, should the step be.
            first = first_of(errors)
            if isinstance(first, NotFound):
                raise StepRefused(_vanished(job_id)) from first
            raise first from None
        await self._advance(PartState.FETCHED)
        return keys

    async def note_calls(self, calls: int) -> None:
        """Add HTTP requests to the part's count; those for rows of several parts to the load's."""

        async def note() -> None:
            async with self.resources.database.unit() as unit:
                if self.number == JOINT:
                    await unit.loads.add_calls(self.load_id, calls)
                else:
                    await unit.parts.add_calls(self.load_id, self.number, calls)

        await self.resources.patience().until_done(note)

    @staticmethod
    def _facts(load: LoadRecord) -> InputFacts:
        if load.input_facts is None:
            raise StepRefused(Fault(code="load.not_prepared", message=f"Load {load.id} has parts but no facts."))
        return InputFacts.from_json(load.input_facts)

    def _salesforce(self, load: LoadRecord) -> Salesforce:
        return self.resources.orgs.get(load.org).salesforce

    async def records(self) -> tuple[LoadRecord, PartRecord]:
        """Return the load and the part as the store has them."""
        async with self.resources.database.unit(write=False) as unit:
            load = await unit.loads.get(self.load_id)
            part = await unit.sendings(self.round).get(self.load_id, self.number)
        if load is None or part is None:
            message = f"Load {self.load_id} or its part {self.number} was deleted while it ran."
            raise StepRefused(Fault(code="load.deleted", message=message))
        return load, part

    async def _cancel_requested(self) -> bool:
        return await self.resources.cancel_requested(self.load_id)

    async def _commit_begun(self, job_id: str) -> bool:
        async with self.resources.database.unit(write=False) as unit:
            jobs = await unit.jobs.list(self.load_id, use=JobUse.COMMITTED)
        return any(job.job_id == job_id for job in jobs)

    async def any_committed(self) -> bool:
        """Tell whether the commit of any job of this part was begun: its rows were, or may have been, processed."""
        async with self.resources.database.unit(write=False) as unit:
            jobs = await unit.jobs.list(self.load_id, use=JobUse.COMMITTED)
        return any((job.part, job.round) == (self.number, self.round) for job in jobs)

    async def _mark(self, job_id: str, use: JobUse) -> None:
        async with self.resources.database.unit() as unit:
            await unit.jobs.mark([job_id], use)

    async def _look(self, load: LoadRecord, job_id: str, patience: Patience) -> JobInfo:
        try:
            return await patience.until_done(lambda: self._salesforce(load).bulk.ingest.get(job_id))
        except NotFound as error:
            raise StepRefused(_vanished(job_id)) from error

    async def _show(self, job: JobInfo) -> None:
        processed, failed = job.number_records_processed or 0, job.number_records_failed or 0
        ended = job.state in TERMINAL_JOB_STATES
        async with self.resources.database.unit() as unit:
            await unit.sendings(self.round).advance(
                self.load_id,
                self.number,
                PartState.FINISHED if ended else PartState.COMMITTED,
                job_id=job.id,
                job_state=job.state,
                succeeded=max(0, processed - failed),
                failed=failed,
                error_message=job.error_message,
                updated_at=self.resources.clock.now(),
            )

    async def _advance(self, state: PartState, **changes: Any) -> None:
        async def advance() -> None:
            async with self.resources.database.unit() as unit:
                await unit.sendings(self.round).advance(
                    self.load_id, self.number, state, updated_at=self.resources.clock.now(), **changes
                )

        await self.resources.patience().until_done(advance)


def _vanished(job_id: str) -> Fault:
    return Fault(
        code="job.vanished",
        message=f"Salesforce no longer knows job {job_id}: whether these rows were processed must be looked up there.",
    )
