"""The tables of bulk jobs: one row per job, one per chunk of its results.

Laws of a job's state:

    ingest: Open -> UploadComplete -> InProgress -> JobComplete | Failed
    query:          UploadComplete -> InProgress -> JobComplete | Failed
    both:   Open | UploadComplete | InProgress -> Aborted

A row changes only inside a write transaction of the storage; whoever opened the transaction commits it. Progress is
part of the job's row, so it is saved together with the records that the progress speaks of.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from enum import StrEnum

from orgbridge.emulator.storage.database import Connection
from orgbridge.wire.bulk import TERMINAL_JOB_STATES, ColumnDelimiter, JobState, LineEnding
from orgbridge.wire.ids import BULK_JOB_PREFIX, make_id

_TABLES = (
    """CREATE TABLE IF NOT EXISTS "_jobs" (
        number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE, kind TEXT NOT NULL, operation TEXT NOT NULL,
        object TEXT NOT NULL, external_id_field TEXT, assignment_rule_id TEXT, query TEXT, delimiter TEXT NOT NULL,
        line_ending TEXT NOT NULL, api_version INTEGER NOT NULL, created_by TEXT NOT NULL, created_at TEXT NOT NULL,
        modified_at TEXT NOT NULL, state TEXT NOT NULL, spool TEXT, uploaded_bytes INTEGER NOT NULL DEFAULT 0,
        commits INTEGER NOT NULL DEFAULT 0, "offset" INTEGER NOT NULL DEFAULT 0, columns INTEGER NOT NULL DEFAULT 0,
        batches INTEGER NOT NULL DEFAULT 0, processed INTEGER NOT NULL DEFAULT 0, failed INTEGER NOT NULL DEFAULT 0,
        processing_ms INTEGER NOT NULL DEFAULT 0, header BLOB, error_message TEXT)""",
    'CREATE INDEX IF NOT EXISTS "_jobs_state" ON "_jobs" (state, kind)',
    """CREATE TABLE IF NOT EXISTS "_job_results" (
        job INTEGER NOT NULL, kind TEXT NOT NULL, number INTEGER NOT NULL, first_row INTEGER NOT NULL,
        rows INTEGER NOT NULL, starts BLOB NOT NULL, body BLOB NOT NULL, PRIMARY KEY (job, kind, number))""",
)


class JobKind(StrEnum):
    """Which of the two families of Bulk API 2.0 a job belongs to."""

    INGEST = "ingest"
    QUERY = "query"


class ResultKind(StrEnum):
    """Which results a chunk belongs to."""

    SUCCESSFUL = "successful"
    FAILED = "failed"
    QUERY = "query"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One bulk job, as its row says."""

    #: Place in the order of creation; 0 before the row exists.
    number: int = 0
    #: 18 characters, prefix 750.
    id: str = ""
    #: Ingest or query.
    kind: JobKind
    #: Value of `IngestOperation` or `QueryOperation`.
    operation: str
    #: API name of the object in the catalogue's spelling.
    object: str
    #: Field that an upsert matches by.
    external_id_field: str | None = None
    #: Assignment rule, echoed only.
    assignment_rule_id: str | None = None
    #: SOQL of a query job.
    query: str | None = None
    #: Delimiter of the uploaded file and of the results.
    delimiter: ColumnDelimiter
    #: Line ending of the uploaded file and of the results.
    line_ending: LineEnding
    #: API version that the job was created with.
    api_version: int
    #: Id of the user.
    created_by: str
    #: ISO instant in UTC with milliseconds.
    created_at: str
    #: ISO instant of the last change.
    modified_at: str
    #: Where the job stands.
    state: JobState
    #: Name of the uploaded file in the spool folder; None before the upload.
    spool: str | None = None
    #: Size of the uploaded file.
    uploaded_bytes: int = 0
    #: Times that the state UploadComplete was accepted from outside: never above 1.
    commits: int = 0
    #: Byte of the uploaded file at which the next unprocessed record begins; 0 before the header was read.
    offset: int = 0
    #: Columns of the header.
    columns: int = 0
    #: Internal batches done.
    batches: int = 0
    #: Records processed, failed ones included.
    processed: int = 0
    #: Records failed.
    failed: int = 0
    #: Milliseconds spent on processing.
    processing_ms: int = 0
    #: First row of every result file of a query job, as bytes.
    header: bytes | None = None
    #: Why the job as a whole failed.
    error_message: str | None = None

    @property
    def terminal(self) -> bool:
        """True when the state will not change any more."""
        return self.state in TERMINAL_JOB_STATES


_FIELDS = tuple(field.name for field in fields(Job))
_NAMES = ", ".join(f'"{name}"' for name in _FIELDS)
# The statements are built from this module's own names alone; every value goes in as a parameter.
_SELECT = f'SELECT {_NAMES} FROM "_jobs" '  # noqa: S608
_INSERT = f'INSERT INTO "_jobs" ({_NAMES}) VALUES (NULL, {", ".join("?" * (len(_FIELDS) - 1))})'  # noqa: S608
_UPDATE = 'UPDATE "_jobs" SET ' + ", ".join(f'"{name}" = ?' for name in _FIELDS) + " WHERE number = ?"  # noqa: S608


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """Consecutive rows of one result file."""

    #: Place among the chunks of the file.
    number: int
    #: Place of the first row in the file, from 0.
    first_row: int
    #: How many rows.
    rows: int
    #: Byte at which each row begins in `body`; empty for ingest results, which are only read whole.
    starts: array[int]
    #: The rows, as CSV.
    body: bytes

    def part(self, start: int, stop: int) -> bytes:
        """Return the rows whose places in the file lie in `start` to `stop` (exclusive), as far as they are here."""
        low, high = max(0, start - self.first_row), min(len(self.starts), stop - self.first_row)
        if low >= high:
            return b""
        end = self.starts[high] if high < len(self.starts) else len(self.body)
        return self.body[self.starts[low] : end]


def create_tables(connection: Connection) -> None:
    """Make the tables where they do not exist yet."""
    for statement in _TABLES:
        connection.execute(statement)


def _job(values: tuple[object, ...]) -> Job:
    named = dict(zip(_FIELDS, values, strict=True))
    return Job(
        **{  # type: ignore[arg-type]  # The table's types are those of the class.
            **named,
            "kind": JobKind(str(named["kind"])),
            "state": JobState(str(named["state"])),
            "delimiter": ColumnDelimiter(str(named["delimiter"])),
            "line_ending": LineEnding(str(named["line_ending"])),
        }
    )


def _values(job: Job) -> list[object]:
    return [str(value) if isinstance(value := getattr(job, name), StrEnum) else value for name in _FIELDS]


def add_job(connection: Connection, job: Job) -> Job:
    """Write a new job and return it with its number and id."""
    cursor = connection.execute(_INSERT, [None, *_values(job)[2:]])
    number = int(cursor.lastrowid or 0)
    made = replace(job, number=number, id=make_id(BULK_JOB_PREFIX, number))
    save_job(connection, made)
    return made


def save_job(connection: Connection, job: Job) -> None:
    """Write every value of a job that exists."""
    connection.execute(_UPDATE, [*_values(job), job.number])


def find_job(connection: Connection, kind: JobKind, job_id: str) -> Job | None:
    """Return the job of that kind and 18-character id."""
    row = connection.execute(_SELECT + "WHERE id = ? AND kind = ?", (job_id, str(kind))).fetchone()
    return _job(tuple(row)) if row else None


def list_jobs(connection: Connection, kind: JobKind, *, before: int | None, limit: int) -> list[Job]:
    """Return up to `limit` jobs, newest first, that were made before the job of number `before`."""
    rows = connection.execute(
        _SELECT + "WHERE kind = ? AND number < ? ORDER BY number DESC LIMIT ?",
        (str(kind), 2**62 if before is None else before, limit),
    ).fetchall()
    return [_job(tuple(row)) for row in rows]


def unfinished_jobs(connection: Connection, kind: JobKind) -> list[Job]:
    """Return the jobs that the worker has to carry on with, oldest first."""
    rows = connection.execute(
        _SELECT + "WHERE state IN (?, ?) AND kind = ? ORDER BY number",
        (str(JobState.UPLOAD_COMPLETE), str(JobState.IN_PROGRESS), str(kind)),
    ).fetchall()
    return [_job(tuple(row)) for row in rows]


def remove_job(connection: Connection, job: Job) -> None:
    """Remove a job and its results."""
    remove_results(connection, job)
    connection.execute('DELETE FROM "_jobs" WHERE number = ?', (job.number,))


def remove_results(connection: Connection, job: Job) -> None:
    """Remove the results of a job."""
    connection.execute('DELETE FROM "_job_results" WHERE job = ?', (job.number,))


def add_chunk(connection: Connection, job: Job, kind: ResultKind, chunk: Chunk) -> None:
    """Write consecutive rows of a result file."""
    connection.execute(
        'INSERT INTO "_job_results" (job, kind, number, first_row, rows, starts, body) VALUES (?, ?, ?, ?, ?, ?, ?)',
        (job.number, str(kind), chunk.number, chunk.first_row, chunk.rows, chunk.starts.tobytes(), chunk.body),
    )


def chunk_numbers(connection: Connection, job: Job, kind: ResultKind, start: int = 0, stop: int = 2**62) -> list[int]:
    """Return the numbers of the chunks that hold rows `start` to `stop` (exclusive), in order."""
    rows = connection.execute(
        'SELECT number FROM "_job_results" WHERE job = ? AND kind = ? AND first_row < ? AND first_row + rows > ? '
        "ORDER BY number",
        (job.number, str(kind), stop, start),
    ).fetchall()
    return [int(row[0]) for row in rows]


def read_chunk(connection: Connection, job: Job, kind: ResultKind, number: int) -> Chunk | None:
    """Return one chunk, or None when it was deleted meanwhile."""
    row = connection.execute(
        'SELECT first_row, rows, starts, body FROM "_job_results" WHERE job = ? AND kind = ? AND number = ?',
        (job.number, str(kind), number),
    ).fetchone()
    if row is None:
        return None
    starts = array("Q")
    starts.frombytes(row[2])
    return Chunk(number=number, first_row=int(row[0]), rows=int(row[1]), starts=starts, body=row[3])


def spools(connection: Connection) -> Iterator[str]:
    """Yield the names of the uploaded files that jobs still refer to."""
    for row in connection.execute('SELECT spool FROM "_jobs" WHERE spool IS NOT NULL'):
        yield str(row[0])


def commit_counts(connection: Connection) -> dict[str, int]:
    """Return per ingest job id how often UploadComplete was accepted."""
    rows = connection.execute('SELECT id, commits FROM "_jobs" WHERE kind = ?', (str(JobKind.INGEST),)).fetchall()
    return {str(row[0]): int(row[1]) for row in rows}
