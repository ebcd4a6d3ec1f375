"""What may be done with jobs of Bulk API 1.0 from outside: create, add batches, close, abort, look, read results.

Every method does database work and belongs in a thread. Changes of state are checked and made in one transaction.

Source: facts/salesforce/bulk1.md. Texts of errors that it does not quote are Assumed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from orgbridge.emulator.jobs.classic import rows
from orgbridge.emulator.jobs.classic.chunking import Chunking
from orgbridge.emulator.jobs.classic.faults import ClassicFault
from orgbridge.emulator.jobs.classic.ingest import IngestBatchRun
from orgbridge.emulator.jobs.classic.queries import QueryBatchRun
from orgbridge.emulator.jobs.classic.requests import JobRequest
from orgbridge.emulator.jobs.classic.rows import (
    BatchState,
    ClassicBatch,
    ClassicJob,
    ClassicState,
    Totals,
)
from orgbridge.emulator.jobs.ingest import IngestTools
from orgbridge.emulator.jobs.worker import JobWorker, Run
from orgbridge.emulator.storage.database import Connection
from orgbridge.wire.dates import bulk_datetime, parse_datetime
from orgbridge.wire.ids import to_18
from orgbridge.wire.limits import DAILY_BULK_BATCHES

#: Bytes of a batch at most. Source: bulk1.md, limits.
BATCH_BYTES = 10_000_000
#: How long batches may be added to a job. Source: bulk1.md, limits.
_OPEN_FOR = timedelta(hours=24)
_DAY = timedelta(hours=24)
#: Batches that are offered to the worker at once.
_OFFERED = 32


class ClassicJobs:
    """The jobs of Bulk API 1.0 of an org.

    Args:
        tools: What batches are processed with.
    """

    def __init__(self, tools: IngestTools) -> None:
        self._tools = tools
        self._storage = tools.org.storage
        with self._storage.write() as connection:
            rows.create_tables(connection)
        self._worker = JobWorker(
            "emulator-classic",
            self._waiting,
            self._run,
            lambda: tools.faults.batch_delay_seconds,
            tools.org.locks.end_round,
        )

    def start(self) -> None:
        """Begin to process; batches that a crash interrupted are done again."""
        self._worker.start()

    def stop(self) -> None:
        """Stop after the step under way."""
        self._worker.stop()

    def create(
        self, request: JobRequest, *, user_id: str, version: int, line_ending: str, chunking: Chunking | None = None
    ) -> tuple[ClassicJob, Totals]:
        """Make an `Open` job."""
        stamp = self._stamp()
        job = ClassicJob(
            operation=request.operation,
            object=request.sobject.name,
            external_id_field=request.external_id_field,
            assignment_rule_id=request.assignment_rule_id,
            concurrency=request.concurrency,
            content_type=request.content_type,
            line_ending=line_ending,
            api_version=version,
            created_by=user_id,
            created_at=stamp,
            modified_at=stamp,
            state=ClassicState.OPEN,
            chunk_rows=chunking.rows if chunking else None,
            chunk_start=chunking.start if chunking else None,
        )
        with self._storage.write() as connection:
            made = rows.add_job(connection, job)
            return made, rows.totals_of(connection, made)

    def get(self, job_id: str) -> tuple[ClassicJob, Totals]:
        """Return a job and what its batches add up to.

        Raises:
            ClassicFault: InvalidJob, there is none of that id.
        """
        with self._storage.read() as connection:
            job = self._job(connection, job_id)
            return job, rows.totals_of(connection, job)

    def change(self, job_id: str, state: ClassicState) -> tuple[ClassicJob, Totals]:
        """Close or abort a job. Batches of a closed one go on; those of an aborted one that wait are not processed.

        Raises:
            ClassicFault: The job is in a state that cannot become the other.
        """
        with self._storage.write() as connection:
            job = self._job(connection, job_id)
            may = {ClassicState.CLOSED: (ClassicState.OPEN,)}.get(state, (ClassicState.OPEN, ClassicState.CLOSED))
            verb = "Closing" if state is ClassicState.CLOSED else "Aborting"
            if job.state not in may:
                raise ClassicFault("InvalidJobState", f"{verb} already {job.state.value} Job not allowed")
            stamp = self._stamp()
            changed = replace(job, state=state, modified_at=stamp)
            rows.save_job(connection, changed)
            if state is ClassicState.ABORTED:
                rows.drop_waiting(connection, job, stamp)
            return changed, rows.totals_of(connection, changed)

    def page(self, *, before: int | None, limit: int) -> list[ClassicJob]:
        """Return up to `limit` jobs, newest first, older than the job of number `before`."""
        with self._storage.read() as connection:
            return rows.list_jobs(connection, before=before, limit=limit)

    def add_batch(self, job_id: str, body: bytes) -> ClassicBatch:
        """Add a batch, which is processed as soon as the worker comes to it.

        Raises:
            ClassicFault: The job is not `Open`, is a day old, or the day's batches are spent.
        """
        with self._storage.write() as connection:
            job = self._job(connection, job_id)
            now = self._tools.clock.now()
            if job.state is not ClassicState.OPEN:
                raise ClassicFault("InvalidJobState", f"Can not add a batch to a job in state {job.state.value}")
            created = parse_datetime(job.created_at)
            if created is not None and now - created > _OPEN_FOR:
                raise ClassicFault("InvalidJobState", "Can not add a batch to a job that is older than 24 hours")
            if rows.count_batches_since(connection, bulk_datetime(now - _DAY)) >= DAILY_BULK_BATCHES:
                raise ClassicFault("ExceededQuota", f"More than {DAILY_BULK_BATCHES} batches within 24 hours")
            stamp = bulk_datetime(now)
            batch = ClassicBatch(job=job.number, created_at=stamp, modified_at=stamp, state=BatchState.QUEUED)
            made = rows.add_batch(connection, batch, body)
        self._worker.wake()
        return made

    def batches_left(self) -> int:
        """Return how many batches may still be added; those of the last 24 hours are spent.

        Assumed: batches of Bulk API 2.0, which share the number, are not counted.
        """
        since = bulk_datetime(self._tools.clock.now() - _DAY)
        with self._storage.read() as connection:
            return max(0, DAILY_BULK_BATCHES - rows.count_batches_since(connection, since))

    def batches(self, job_id: str) -> tuple[ClassicJob, list[ClassicBatch]]:
        """Return a job and its batches.

        Raises:
            ClassicFault: InvalidJob.
        """
        with self._storage.read() as connection:
            job = self._job(connection, job_id)
            return job, rows.batches_of(connection, job)

    def batch(self, job_id: str, batch_id: str) -> tuple[ClassicJob, ClassicBatch]:
        """Return a batch and its job.

        Raises:
            ClassicFault: InvalidJob or InvalidBatch.
        """
        with self._storage.read() as connection:
            return self._batch(connection, job_id, batch_id)

    def request(self, job_id: str, batch_id: str) -> tuple[ClassicJob, bytes]:
        """Return what was sent with a batch.

        Raises:
            ClassicFault: InvalidJob or InvalidBatch.
        """
        with self._storage.read() as connection:
            job, batch = self._batch(connection, job_id, batch_id)
            return job, rows.request_of(connection, batch)

    def results(self, job_id: str, batch_id: str) -> tuple[ClassicJob, ClassicBatch, list[int]]:
        """Return the numbers of the result files of a batch that is `Completed`.

        Raises:
            ClassicFault: InvalidJob, or InvalidBatch: there are no results.
        """
        with self._storage.read() as connection:
            job, batch = self._batch(connection, job_id, batch_id)
            if not batch.ended:
                raise ClassicFault("InvalidBatch", "Batch not completed")
            if batch.state is not BatchState.COMPLETED:
                raise ClassicFault("InvalidBatch", "Records not processed")
            return job, batch, rows.result_files(connection, batch)

    def blocks(self, batch: ClassicBatch, file: int) -> Iterator[bytes]:
        """Yield a result file, one piece in memory at a time."""
        with self._storage.read() as connection:
            pieces = rows.result_pieces(connection, batch, file)
        for number in pieces:
            with self._storage.read() as connection:
                piece = rows.read_piece(connection, batch, file, number)
            if piece is not None:
                yield piece

    def _job(self, connection: Connection, job_id: str) -> ClassicJob:
        full = to_18(job_id)
        job = rows.find_job(connection, full) if full else None
        if job is None:
            raise ClassicFault("InvalidJob", f"Invalid job id: {job_id}")
        return job

    def _batch(self, connection: Connection, job_id: str, batch_id: str) -> tuple[ClassicJob, ClassicBatch]:
        job = self._job(connection, job_id)
        full = to_18(batch_id)
        found = rows.find_batch(connection, full) if full else None
        if found is None or found[0].number != job.number:
            raise ClassicFault("InvalidBatch", f"Invalid batch id: {batch_id}")
        return found

    def _waiting(self) -> list[str]:
        with self._storage.read() as connection:
            return rows.waiting_batches(connection, _OFFERED)

    def _run(self, batch_id: str) -> Run:
        with self._storage.read() as connection:
            found = rows.find_batch(connection, batch_id)
        if found is not None and found[0].operation.reads:
            return QueryBatchRun(self._tools, batch_id)
        return IngestBatchRun(self._tools, batch_id)

    def _stamp(self) -> str:
        return bulk_datetime(self._tools.clock.now())
