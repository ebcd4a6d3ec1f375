"""What may be done with bulk jobs from outside: create, upload, close, abort, look, list, delete, read results.

Every method does file or database work and belongs in a thread. Changes of state are checked and made in one
transaction, so two callers cannot both close a job.

Source: facts/salesforce/bulk2.md sections 1 to 9. Texts of errors that section 6 does not quote are Assumed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from orgbridge.emulator.jobs.ingest import IngestRun, IngestTools, least_left
from orgbridge.emulator.jobs.queries import QueryRun, plan_bulk
from orgbridge.emulator.jobs.requests import IngestRequest, QueryRequest
from orgbridge.emulator.jobs.results import ingest_header, stream_chunks, stream_rows, stream_unprocessed
from orgbridge.emulator.jobs.rows import (
    Job,
    JobKind,
    ResultKind,
    add_job,
    commit_counts,
    create_tables,
    find_job,
    list_jobs,
    remove_job,
    save_job,
    spools,
    unfinished_jobs,
)
from orgbridge.emulator.jobs.spool import Upload
from orgbridge.emulator.jobs.uploads import UploadFault, UploadReader
from orgbridge.emulator.jobs.worker import JobWorker
from orgbridge.emulator.schema.errors import SFError
from orgbridge.emulator.storage.database import Connection
from orgbridge.wire.bulk import IngestOperation, JobState
from orgbridge.wire.dates import bulk_datetime
from orgbridge.wire.ids import to_18

#: Rows of a page of query results when the caller does not say. Assumed: "based on the service".
DEFAULT_PAGE_ROWS = 50_000


def _missing() -> SFError:
    return SFError("NOT_FOUND", "The requested resource does not exist")


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultPage:
    """Some rows of a query job's result."""

    #: The job.
    job: Job
    #: Place of the first row.
    start: int
    #: Place after the last row.
    stop: int

    @property
    def is_last(self) -> bool:
        """True when no row follows."""
        return self.stop >= self.job.processed


class Jobs:
    """The bulk jobs of an org.

    Args:
        tools: What runs work with.
    """

    def __init__(self, tools: IngestTools) -> None:
        self._tools = tools
        self._storage = tools.org.storage
        with self._storage.write() as connection:
            create_tables(connection)
        with self._storage.read() as connection:
            tools.spool.sweep(spools(connection))
        self._ingest_worker = JobWorker(
            "emulator-ingest",
            lambda: self._unfinished(JobKind.INGEST),
            lambda job_id: IngestRun(tools, job_id),
            lambda: tools.faults.batch_delay_seconds,
            tools.org.locks.end_round,
            least_left,
        )
        self._query_worker = JobWorker(
            "emulator-query",
            lambda: self._unfinished(JobKind.QUERY),
            lambda job_id: QueryRun(tools.org, tools.clock, tools.faults, job_id),
            lambda: tools.faults.batch_delay_seconds,
        )

    def start(self) -> None:
        """Begin to process; jobs that a crash interrupted go on."""
        self._ingest_worker.start()
        self._query_worker.start()

    def stop(self) -> None:
        """Stop after the steps under way."""
        self._ingest_worker.stop()
        self._query_worker.stop()

    def create_ingest(self, request: IngestRequest, user_id: str, version: int) -> Job:
        """Make an `Open` ingest job.

        Raises:
            SFError: The user may not delete past the recycle bin. Assumed: the code and the text.
        """
        if request.operation is IngestOperation.HARD_DELETE and not self._tools.org.may_hard_delete(user_id):
            raise SFError("FEATURENOTENABLED", "hardDelete operation requires special user profile permission")
        stamp = self._stamp()
        job = Job(
            kind=JobKind.INGEST,
            operation=request.operation.value,
            object=request.sobject.name,
            external_id_field=request.external_id_field,
            assignment_rule_id=request.assignment_rule_id,
            delimiter=request.delimiter,
            line_ending=request.line_ending,
            api_version=version,
            created_by=user_id,
            created_at=stamp,
            modified_at=stamp,
            state=JobState.OPEN,
        )
        with self._storage.write() as connection:
            return add_job(connection, job)

    def create_query(self, request: QueryRequest, user_id: str, version: int) -> Job:
        """Make a query job, which is processed at once.

        Raises:
            SFError: The SOQL is wrong, or not allowed in a query job. No job was made.
        """
        plan = plan_bulk(self._tools.org, request.query, request.operation, user_id, self._tools.clock.now())
        stamp = self._stamp()
        job = Job(
            kind=JobKind.QUERY,
            operation=request.operation.value,
            object=plan.sobject.name,
            query=request.query,
            delimiter=request.delimiter,
            line_ending=request.line_ending,
            api_version=version,
            created_by=user_id,
            created_at=stamp,
            modified_at=stamp,
            state=JobState.UPLOAD_COMPLETE,
        )
        with self._storage.write() as connection:
            made = add_job(connection, job)
        self._query_worker.wake()
        return made

    def get(self, kind: JobKind, job_id: str) -> Job:
        """Return a job.

        Raises:
            SFError: There is none of that kind and id.
        """
        with self._storage.read() as connection:
            return self._find(connection, kind, job_id)

    def page(self, kind: JobKind, *, before: int | None, limit: int) -> list[Job]:
        """Return up to `limit` jobs, newest first, older than the job of number `before`."""
        with self._storage.read() as connection:
            return list_jobs(connection, kind, before=before, limit=limit)

    def begin_upload(self, job_id: str) -> Upload:
        """Return where the data of an `Open` job is to be written; it counts once `finish_upload` was called.

        Raises:
            SFError: The job is not `Open`, or has its data already.
        """
        job = self.get(JobKind.INGEST, job_id)
        _check_upload(job)
        return self._tools.spool.begin(job.id)

    def finish_upload(self, job_id: str, upload: Upload) -> Job:
        """Sync the data and give it to the job, which stays `Open`.

        Raises:
            SFError: The job changed while the data came in; the data was deleted.
        """
        upload.keep()
        try:
            with self._storage.write() as connection:
                job = self._find(connection, JobKind.INGEST, job_id)
                _check_upload(job)
                changed = replace(job, spool=upload.name, uploaded_bytes=upload.bytes, modified_at=self._stamp())
                save_job(connection, changed)
                return changed
        except SFError:
            self._tools.spool.remove(upload.name)
            raise

    def close(self, kind: JobKind, job_id: str) -> Job:
        """Make an `Open` job `UploadComplete`: the act after which its rows are processed.

        Raises:
            SFError: The job is not `Open`.
        """
        with self._storage.write() as connection:
            job = self._find(connection, kind, job_id)
            if job.state is not JobState.OPEN:
                raise SFError(
                    "INVALIDJOBSTATE", f"Job cannot be closed in state {job.state.value}: only an Open job can"
                )
            changed = replace(job, state=JobState.UPLOAD_COMPLETE, commits=job.commits + 1, modified_at=self._stamp())
            save_job(connection, changed)
        self._ingest_worker.wake()
        return changed

    def abort(self, kind: JobKind, job_id: str) -> Job:
        """Make a job `Aborted`; batches that are done stay done, and their results can be read.

        Raises:
            SFError: The job has ended already.
        """
        with self._storage.write() as connection:
            job = self._find(connection, kind, job_id)
            if job.terminal:
                raise SFError("INVALIDJOBSTATE", "Aborting already Completed Job not allowed")
            changed = replace(job, state=JobState.ABORTED, modified_at=self._stamp())
            save_job(connection, changed)
            return changed

    def delete(self, kind: JobKind, job_id: str) -> None:
        """Remove a job, its data and its results; the rows it saved stay.

        Raises:
            SFError: The job is still under way.
        """
        with self._storage.write() as connection:
            job = self._find(connection, kind, job_id)
            # Source: bulk2.md section 1, I6: an ingest job may be deleted in UploadComplete too.
            early = kind is JobKind.INGEST and job.state is JobState.UPLOAD_COMPLETE
            if not job.terminal and not early:
                raise SFError("API_ERROR", "Error encountered when deleting the job because the job is not terminated")
            remove_job(connection, job)
        if job.spool is not None:
            self._tools.spool.remove(job.spool)

    def ingest_results(self, job_id: str, version: int, kind: ResultKind | None) -> Iterator[bytes]:
        """Return the blocks of a result file of an ingest job; None stands for the unprocessed records.

        Raises:
            SFError: The job has not ended, or was made with another API version.
        """
        job = self._ended(JobKind.INGEST, job_id, version)
        if kind is None:
            return stream_unprocessed(self._tools.spool, job)
        return self._with_header(job, kind)

    def result_page(self, job_id: str, version: int, start: int, rows: int) -> ResultPage:
        """Return which rows of a query job's result a page holds.

        Raises:
            SFError: The job is not complete, was made with another API version, or has no such row.
        """
        job = self._ended(JobKind.QUERY, job_id, version)
        if job.state is not JobState.JOB_COMPLETE:
            raise SFError("INVALIDJOBSTATE", f"The results of a job in state {job.state.value} are not available")
        if start > job.processed or (start == job.processed and start > 0):
            raise SFError("INVALID_QUERY_LOCATOR", "invalid query locator")
        return ResultPage(job=job, start=start, stop=min(job.processed, start + rows))

    def page_blocks(self, page: ResultPage) -> Iterator[bytes]:
        """Yield the CSV of a page: the header, then its rows."""
        yield page.job.header or b""
        yield from stream_rows(self._storage, page.job, page.start, page.stop)

    def commits(self) -> dict[str, int]:
        """Return per ingest job how often UploadComplete was accepted."""
        with self._storage.read() as connection:
            return commit_counts(connection)

    def _with_header(self, job: Job, kind: ResultKind) -> Iterator[bytes]:
        yield ingest_header(job, kind, self._columns(job))
        yield from stream_chunks(self._storage, job, kind, self._tools.shuffle)

    def _columns(self, job: Job) -> list[str]:
        if job.spool is None:
            return []
        path = self._tools.spool.path(job.spool)
        if not path.exists():
            return []
        reader = UploadReader(path, job.delimiter, job.line_ending)
        try:
            return reader.header()
        except UploadFault:
            return []
        finally:
            reader.close()

    def _ended(self, kind: JobKind, job_id: str, version: int) -> Job:
        job = self.get(kind, job_id)
        if job.api_version != version:
            raise SFError(
                "INVALIDVERSION", f"The job was created with API version {job.api_version}.0, not {version}.0", 409
            )
        if not job.terminal:
            raise SFError("INVALIDJOBSTATE", f"The results of a job in state {job.state.value} are not available")
        return job

    def _find(self, connection: Connection, kind: JobKind, job_id: str) -> Job:
        full = to_18(job_id)
        job = find_job(connection, kind, full) if full else None
        if job is None:
            raise _missing()
        return job

    def _unfinished(self, kind: JobKind) -> list[str]:
        with self._storage.read() as connection:
            return [job.id for job in unfinished_jobs(connection, kind)]

    def _stamp(self) -> str:
        return bulk_datetime(self._tools.clock.now())


def _check_upload(job: Job) -> None:
    if job.state is not JobState.OPEN:
        raise SFError("INVALIDJOBSTATE", f"Data cannot be uploaded to a job in state {job.state.value}")
    if job.spool is not None:
        raise SFError("INVALIDJOBSTATE", f"Found multiple contents for job: <{job.id}>")
