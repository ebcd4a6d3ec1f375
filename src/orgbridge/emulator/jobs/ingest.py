"""One ingest job under way: header, then batch after batch, each in one transaction with its results and its progress.

A kill between two transactions costs at most the batch that was being done; it is done again from the byte that the
job's row names, and nothing of it had been kept.

Source: facts/salesforce/bulk2.md sections 3 to 5 and 7.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from orgbridge.emulator.faults import Faults
from orgbridge.emulator.jobs.results import ingest_chunk, split_outcomes
from orgbridge.emulator.jobs.rows import Job, JobKind, ResultKind, add_chunk, find_job, save_job
from orgbridge.emulator.jobs.spool import Spool
from orgbridge.emulator.jobs.tables import Table
from orgbridge.emulator.jobs.uploads import RECORDS_NOT_FOUND, UploadFault, UploadReader, check_line_endings
from orgbridge.emulator.jobs.worker import Run
from orgbridge.emulator.org.org import Org
from orgbridge.emulator.org.outcomes import SaveOutcome
from orgbridge.emulator.schema.errors import Fault, SFError
from orgbridge.emulator.storage.database import Connection
from orgbridge.kit.clock import Clock
from orgbridge.wire.bulk import IngestOperation, JobState
from orgbridge.wire.dates import bulk_datetime
from orgbridge.wire.limits import INGEST_BATCH_RECORDS

#: Bytes of the uploaded file after which a batch ends early, so that wide records do not fill the memory.
BATCH_BYTES = 8 << 20
_LOCKED = Fault("UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record")


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestTools:
    """What every run of an ingest job works with."""

    #: Rules and rows of the org.
    org: Org
    #: Uploaded files.
    spool: Spool
    #: Orders for trouble.
    faults: Faults
    #: The time.
    clock: Clock
    #: Whether results lose the order of upload.
    shuffle: bool
    #: Records per batch.
    batch_rows: int = INGEST_BATCH_RECORDS


def least_left(runs: Iterable[Run]) -> Run | None:
    """Return which of the runs goes ahead of the others: the one that has least to do, of those that may."""
    free = [run for run in runs if isinstance(run, IngestRun) and run.left is not None]
    return min(free, key=lambda run: run.left or 0, default=None)


class IngestRun:
    """Carries one ingest job on, a batch per step."""

    def __init__(self, tools: IngestTools, job_id: str) -> None:
        self.job_id = job_id
        #: Bytes of the uploaded file that are still to be read; None before the first step, and of a job whose rows
        #: lock their parents: whom it meets there depends on turns.
        self.left: int | None = None
        self._tools = tools
        self._reader: UploadReader | None = None
        self._header: list[str] = []

    def step(self) -> bool:
        """Do the next durable step: begin, one batch, or the end. True when the job needs no more."""
        started = self._tools.clock.monotonic()
        job = self._load()
        if job is None or job.terminal or job.state is JobState.OPEN:
            return True
        self.left = None if self._locks_parents(job) else job.uploaded_bytes - job.offset
        if job.state is JobState.UPLOAD_COMPLETE:
            return not self._change(job, state=JobState.IN_PROGRESS)
        end = self._tools.faults.job_end(job.id, job.batches, sobject=job.object, operation=job.operation)
        if end is not None:
            self._change(
                job, state=JobState.ABORTED if end.message is None else JobState.FAILED, error_message=end.message
            )
            return True
        try:
            reader = self._reader or self._open(job)
            records = reader.table(self._tools.batch_rows, BATCH_BYTES)
            if not records and job.processed == 0:
                raise UploadFault(RECORDS_NOT_FOUND)
        except UploadFault as fault:
            self.fail(str(fault))
            return True
        if not records:
            self._change(job, state=JobState.JOB_COMPLETE)
            return True
        return not self._batch(records, reader.offset, started)

    def fail(self, message: str) -> None:
        """Make the job `Failed`; batches already done stay done."""
        job = self._load()
        if job is not None:
            self._change(job, state=JobState.FAILED, error_message=message)

    def close(self) -> None:
        """Close the uploaded file."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _locks_parents(self, job: Job) -> bool:
        sobject = self._tools.org.catalogue.sobject(job.object)
        return sobject is None or any(field.cascade_delete for field in sobject.stored_fields)

    def _load(self) -> Job | None:
        with self._tools.org.storage.read() as connection:
            return find_job(connection, JobKind.INGEST, self.job_id)

    def _change(self, job: Job, *, state: JobState, error_message: str | None = None) -> bool:
        """Change the state unless somebody ended the job meanwhile; tell whether it was changed."""
        with self._tools.org.storage.write() as connection:
            now = find_job(connection, JobKind.INGEST, job.id)
            if now is None or now.terminal:
                return False
            stamp = bulk_datetime(self._tools.clock.now())
            save_job(connection, replace(now, state=state, error_message=error_message, modified_at=stamp))
            return True

    def _open(self, job: Job) -> UploadReader:
        """Open the uploaded file where the job stands; check it as a whole if nothing of it was processed yet.

        Raises:
            UploadFault: The file or its header cannot be used.
        """
        if job.spool is None:
            # Assumed: a job that is closed without data fails like one with an empty file.
            raise UploadFault(RECORDS_NOT_FOUND)
        path = self._tools.spool.path(job.spool)
        if job.offset == 0:
            check_line_endings(path, job.line_ending)
        reader = UploadReader(path, job.delimiter, job.line_ending)
        try:
            self._header = reader.header()
            self._check_header(job)
        except UploadFault:
            reader.close()
            raise
        if job.offset:
            reader.close()
            reader = UploadReader(path, job.delimiter, job.line_ending, job.offset, len(self._header))
        self._reader = reader
        return reader

    def _check_header(self, job: Job) -> None:
        try:
            operation = IngestOperation(job.operation)
            self._tools.org.check_header(
                job.object, operation, self._header, job.external_id_field, user_id=job.created_by
            )
        except SFError as error:
            raise UploadFault(f"{error.code} : {error.message}") from error

    def _batch(self, records: Table, offset: int, started: float) -> bool:
        """Save rows, results and progress at once. False when the job was ended or deleted meanwhile."""
        tools = self._tools
        with tools.org.storage.write() as connection:
            job = find_job(connection, JobKind.INGEST, self.job_id)
            if job is None or job.terminal:
                return False
            outcomes = self._save(connection, job, records)
            successful, failed = split_outcomes(job, records.lines, outcomes, tools.shuffle)
            for kind, lines, first in (
                (ResultKind.SUCCESSFUL, successful, job.processed - job.failed),
                (ResultKind.FAILED, failed, job.failed),
            ):
                if lines:
                    add_chunk(connection, job, kind, ingest_chunk(lines, job, number=job.batches, first_row=first))
            save_job(
                connection,
                replace(
                    job,
                    offset=offset,
                    columns=len(self._header),
                    batches=job.batches + 1,
                    processed=job.processed + len(records),
                    failed=job.failed + len(failed),
                    processing_ms=job.processing_ms + int((tools.clock.monotonic() - started) * 1000),
                    modified_at=bulk_datetime(tools.clock.now()),
                ),
            )
        return True

    def _save(self, connection: Connection, job: Job, records: Table) -> Sequence[SaveOutcome]:
        """Apply the operation to the records, leaving out those that a lock storm holds."""
        tools = self._tools
        locked = tools.faults.locked_rows(job.id, job.processed, len(records))
        free = [place for place in range(len(records)) if place not in locked] if locked else []
        outcomes: Sequence[SaveOutcome] = ()
        if free or not locked:
            outcomes = tools.org.dml_columns(
                connection,
                job.object,
                IngestOperation(job.operation),
                self._header,
                records.cells_at(free) if locked else records.columns,
                external_id_field=job.external_id_field,
                user_id=job.created_by,
                writer=job.id,
            )
        if not locked:
            return outcomes
        done = iter(outcomes)
        refused = SaveOutcome(id=None, created=False, success=False, errors=(_LOCKED,))
        return [refused if place in locked else next(done) for place in range(len(records))]
