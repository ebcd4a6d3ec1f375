"""The tables of Bulk API 1.0: jobs, their batches, what was sent with each, and what came out.

Laws of the states:

    job:    Open -> Closed | Aborted | Failed;  Closed -> Aborted
    batch:  Queued -> InProgress -> Completed | Failed
            Queued | InProgress -> NotProcessed    (its job was aborted, or its query was cut up into other batches)

A batch is processed as soon as it is there; closing a job only ends the adding of batches. Rows change only inside a
write transaction of the storage; whoever opened it commits.

Source: facts/salesforce/bulk1.md.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from enum import StrEnum

from orgbridge.emulator.storage.database import Connection
from orgbridge.wire.ids import BULK_JOB_PREFIX, make_id

BATCH_PREFIX, RESULT_PREFIX = "751", "752"
#: Characters 4 to 6 of these jobs' ids: Bulk API 2.0 jobs of the same prefix have others, so no id is given twice.
_POD = "Ob1"
_TABLES = (
    """CREATE TABLE IF NOT EXISTS "_classic_jobs" (
        number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE, operation TEXT NOT NULL, object TEXT NOT NULL,
        external_id_field TEXT, assignment_rule_id TEXT, concurrency TEXT NOT NULL, content_type TEXT NOT NULL,
        line_ending TEXT NOT NULL, api_version INTEGER NOT NULL, created_by TEXT NOT NULL, created_at TEXT NOT NULL,
        modified_at TEXT NOT NULL, state TEXT NOT NULL, chunk_rows INTEGER, chunk_start TEXT)""",
    """CREATE TABLE IF NOT EXISTS "_classic_batches" (
        number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE, job INTEGER NOT NULL, created_at TEXT NOT NULL,
        modified_at TEXT NOT NULL, state TEXT NOT NULL, state_message TEXT, processed INTEGER NOT NULL DEFAULT 0,
        failed INTEGER NOT NULL DEFAULT 0, processing_ms INTEGER NOT NULL DEFAULT 0, is_chunk INTEGER NOT NULL)""",
    'CREATE INDEX IF NOT EXISTS "_classic_batches_job" ON "_classic_batches" (job)',
    'CREATE INDEX IF NOT EXISTS "_classic_batches_state" ON "_classic_batches" (state)',
    'CREATE INDEX IF NOT EXISTS "_classic_batches_created" ON "_classic_batches" (created_at)',
    'CREATE TABLE IF NOT EXISTS "_classic_requests" (batch INTEGER PRIMARY KEY, body BLOB NOT NULL)',
    """CREATE TABLE IF NOT EXISTS "_classic_results" (
        batch INTEGER NOT NULL, file INTEGER NOT NULL, number INTEGER NOT NULL, body BLOB NOT NULL,
        PRIMARY KEY (batch, file, number))""",
)


class ClassicOperation(StrEnum):
    """What a job does."""

    INSERT = "insert"
    UPDATE = "update"
    UPSERT = "upsert"
    DELETE = "delete"
    HARD_DELETE = "hardDelete"
    QUERY = "query"
    QUERY_ALL = "queryAll"

    @property
    def reads(self) -> bool:
        """True for a job whose batches are queries."""
        return self in (ClassicOperation.QUERY, ClassicOperation.QUERY_ALL)


class Concurrency(StrEnum):
    """Whether batches may be processed side by side. Some clients send the place in this list instead of the word."""

    PARALLEL = "Parallel"
    SERIAL = "Serial"


class ContentType(StrEnum):
    """In which form records come and go."""

    XML = "XML"
    CSV = "CSV"
    JSON = "JSON"


class ClassicState(StrEnum):
    """State of a job."""

    OPEN = "Open"
    CLOSED = "Closed"
    ABORTED = "Aborted"
    FAILED = "Failed"


class BatchState(StrEnum):
    """State of a batch. `Completed` says nothing about the success of single rows."""

    QUEUED = "Queued"
    IN_PROGRESS = "InProgress"
    COMPLETED = "Completed"
    FAILED = "Failed"
    NOT_PROCESSED = "NotProcessed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassicJob:
    """One job, as its row says."""

    #: Place in the order of creation; 0 before the row exists.
    number: int = 0
    #: 18 characters, prefix 750.
    id: str = ""
    #: What is done.
    operation: ClassicOperation
    #: API name of the object in the catalogue's spelling.
    object: str
    #: Field that an upsert matches by.
    external_id_field: str | None = None
    #: Assignment rule, echoed only.
    assignment_rule_id: str | None = None
    #: Whether batches wait for each other.
    concurrency: Concurrency
    #: Form of batches and results.
    content_type: ContentType
    #: Line ending of CSV results: `LF` or `CRLF`.
    line_ending: str
    #: API version that the job was created with.
    api_version: int
    #: Id of the user.
    created_by: str
    #: ISO instant in UTC with milliseconds.
    created_at: str
    #: ISO instant of the last change.
    modified_at: str
    #: Where the job stands.
    state: ClassicState
    #: Ids in a range of PK chunking; None for none.
    chunk_rows: int | None = None
    #: The first id of PK chunking; None for the very first.
    chunk_start: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassicBatch:
    """One batch, as its row says."""

    #: Place in the order of creation in the org; 0 before the row exists.
    number: int = 0
    #: 18 characters, prefix 751.
    id: str = ""
    #: Number of its job.
    job: int
    #: ISO instant in UTC with milliseconds.
    created_at: str
    #: ISO instant of the last change.
    modified_at: str
    #: Where the batch stands.
    state: BatchState
    #: Why it failed as a whole.
    state_message: str | None = None
    #: Records processed, failed ones included.
    processed: int = 0
    #: Records failed.
    failed: int = 0
    #: Milliseconds spent on processing.
    processing_ms: int = 0
    #: Whether it is a range of a query that was cut up.
    is_chunk: bool = False

    @property
    def ended(self) -> bool:
        """True when the state will not change any more."""
        return self.state not in (BatchState.QUEUED, BatchState.IN_PROGRESS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """What the batches of a job add up to."""

    #: Batches by state.
    batches: dict[BatchState, int]
    #: Records processed, failed ones included.
    processed: int
    #: Records failed.
    failed: int
    #: Milliseconds spent on processing.
    processing_ms: int


_JOB_FIELDS = tuple(field.name for field in fields(ClassicJob))
_BATCH_FIELDS = tuple(field.name for field in fields(ClassicBatch))
# The statements are built from this module's own names alone; every value goes in as a parameter.
_SELECT_JOB = f'SELECT {", ".join(_JOB_FIELDS)} FROM "_classic_jobs" '  # noqa: S608
_SELECT_BATCH = f'SELECT {", ".join(_BATCH_FIELDS)} FROM "_classic_batches" '  # noqa: S608
_NOT_ENDED = (str(BatchState.QUEUED), str(BatchState.IN_PROGRESS))


def create_tables(connection: Connection) -> None:
    """Make the tables where they do not exist yet."""
    for statement in _TABLES:
        connection.execute(statement)


def _values(row: ClassicJob | ClassicBatch, names: tuple[str, ...]) -> list[object]:
    return [str(value) if isinstance(value := getattr(row, name), StrEnum) else value for name in names]


def _job(values: tuple[object, ...]) -> ClassicJob:
    named = dict(zip(_JOB_FIELDS, values, strict=True))
    return ClassicJob(
        **{  # type: ignore[arg-type]  # The table's types are those of the class.
            **named,
            "operation": ClassicOperation(str(named["operation"])),
            "concurrency": Concurrency(str(named["concurrency"])),
            "content_type": ContentType(str(named["content_type"])),
            "state": ClassicState(str(named["state"])),
        }
    )


def _batch(values: tuple[object, ...]) -> ClassicBatch:
    named = dict(zip(_BATCH_FIELDS, values, strict=True))
    own = {"state": BatchState(str(named["state"])), "is_chunk": bool(named["is_chunk"])}
    return ClassicBatch(**{**named, **own})  # type: ignore[arg-type]  # as above


def _insert(connection: Connection, table: str, names: tuple[str, ...], values: list[object]) -> int:
    marks = ", ".join("?" * (len(names) - 2))
    sql = f'INSERT INTO "{table}" ({", ".join(names)}) VALUES (NULL, NULL, {marks})'  # noqa: S608 this module's names
    return int(connection.execute(sql, values[2:]).lastrowid or 0)


def _update(connection: Connection, table: str, names: tuple[str, ...], values: list[object]) -> None:
    sets = ", ".join(f"{name} = ?" for name in names)
    connection.execute(f'UPDATE "{table}" SET {sets} WHERE number = ?', [*values, values[0]])  # noqa: S608 as above


def add_job(connection: Connection, job: ClassicJob) -> ClassicJob:
    """Write a new job and return it with its number and id."""
    number = _insert(connection, "_classic_jobs", _JOB_FIELDS, _values(job, _JOB_FIELDS))
    made = replace(job, number=number, id=make_id(BULK_JOB_PREFIX, number, _POD))
    save_job(connection, made)
    return made


def save_job(connection: Connection, job: ClassicJob) -> None:
    """Write every value of a job that exists."""
    _update(connection, "_classic_jobs", _JOB_FIELDS, _values(job, _JOB_FIELDS))


def find_job(connection: Connection, job_id: str) -> ClassicJob | None:
    """Return the job of that 18-character id."""
    row = connection.execute(_SELECT_JOB + "WHERE id = ?", (job_id,)).fetchone()
    return _job(tuple(row)) if row else None


def list_jobs(connection: Connection, *, before: int | None, limit: int) -> list[ClassicJob]:
    """Return up to `limit` jobs, newest first, that were made before the job of number `before`."""
    sql = _SELECT_JOB + "WHERE number < ? ORDER BY number DESC LIMIT ?"
    return [_job(tuple(row)) for row in connection.execute(sql, (2**62 if before is None else before, limit))]


def add_batch(connection: Connection, batch: ClassicBatch, body: bytes) -> ClassicBatch:
    """Write a new batch with what was sent, and return it with its number and id."""
    number = _insert(connection, "_classic_batches", _BATCH_FIELDS, _values(batch, _BATCH_FIELDS))
    made = replace(batch, number=number, id=make_id(BATCH_PREFIX, number))
    save_batch(connection, made)
    connection.execute('INSERT INTO "_classic_requests" (batch, body) VALUES (?, ?)', (number, body))
    return made


def save_batch(connection: Connection, batch: ClassicBatch) -> None:
    """Write every value of a batch that exists."""
    _update(connection, "_classic_batches", _BATCH_FIELDS, _values(batch, _BATCH_FIELDS))


def find_batch(connection: Connection, batch_id: str) -> tuple[ClassicJob, ClassicBatch] | None:
    """Return the batch of that 18-character id, with its job."""
    row = connection.execute(_SELECT_BATCH + "WHERE id = ?", (batch_id,)).fetchone()
    if row is None:
        return None
    batch = _batch(tuple(row))
    job = connection.execute(_SELECT_JOB + "WHERE number = ?", (batch.job,)).fetchone()
    return _job(tuple(job)), batch


def batches_of(connection: Connection, job: ClassicJob) -> list[ClassicBatch]:
    """Return the batches of a job in their order."""
    sql = _SELECT_BATCH + "WHERE job = ? ORDER BY number"
    return [_batch(tuple(row)) for row in connection.execute(sql, (job.number,))]


def totals_of(connection: Connection, job: ClassicJob) -> Totals:
    """Return what the batches of a job add up to."""
    sql = (
        'SELECT state, COUNT(*), SUM(processed), SUM(failed), SUM(processing_ms) FROM "_classic_batches" '
        "WHERE job = ? GROUP BY state"
    )
    rows = connection.execute(sql, (job.number,)).fetchall()
    return Totals(
        batches={BatchState(str(row[0])): int(row[1]) for row in rows},
        processed=sum(int(row[2]) for row in rows),
        failed=sum(int(row[3]) for row in rows),
        processing_ms=sum(int(row[4]) for row in rows),
    )


def waiting_batches(connection: Connection, limit: int) -> list[str]:
    """Return the ids of batches that may be carried on with, oldest first; of a Serial job only the first."""
    sql = (
        'SELECT b.id FROM "_classic_batches" b JOIN "_classic_jobs" j ON j.number = b.job '
        "WHERE b.state IN (?, ?) AND (j.concurrency <> ? OR NOT EXISTS (SELECT 1 FROM "
        '"_classic_batches" e WHERE e.job = b.job AND e.number < b.number AND e.state IN (?, ?))) '
        "ORDER BY b.number LIMIT ?"
    )
    found = connection.execute(sql, (*_NOT_ENDED, str(Concurrency.SERIAL), *_NOT_ENDED, limit))
    return [str(row[0]) for row in found]


def drop_waiting(connection: Connection, job: ClassicJob, stamp: str) -> None:
    """Make the batches of a job that have not ended `NotProcessed`; what a query kept so far goes away."""
    waiting = '(SELECT number FROM "_classic_batches" WHERE job = ? AND state IN (?, ?))'
    connection.execute(f'DELETE FROM "_classic_results" WHERE batch IN {waiting}', (job.number, *_NOT_ENDED))  # noqa: S608
    connection.execute(
        'UPDATE "_classic_batches" SET state = ?, modified_at = ?, processed = 0, failed = 0 '
        "WHERE job = ? AND state IN (?, ?)",
        (str(BatchState.NOT_PROCESSED), stamp, job.number, *_NOT_ENDED),
    )


def count_batches_since(connection: Connection, instant: str) -> int:
    """Return how many batches were added since an instant."""
    sql = 'SELECT COUNT(*) FROM "_classic_batches" WHERE created_at > ?'
    return int(connection.execute(sql, (instant,)).fetchone()[0])


def request_of(connection: Connection, batch: ClassicBatch) -> bytes:
    """Return what was sent with a batch."""
    row = connection.execute('SELECT body FROM "_classic_requests" WHERE batch = ?', (batch.number,)).fetchone()
    return bytes(row[0])


def add_result(connection: Connection, batch: ClassicBatch, file: int, number: int, body: bytes) -> None:
    """Write a piece of a result file."""
    connection.execute('INSERT INTO "_classic_results" VALUES (?, ?, ?, ?)', (batch.number, file, number, body))


def remove_results(connection: Connection, batch: ClassicBatch) -> None:
    """Remove the results of a batch."""
    connection.execute('DELETE FROM "_classic_results" WHERE batch = ?', (batch.number,))


def result_files(connection: Connection, batch: ClassicBatch) -> list[int]:
    """Return the numbers of a batch's result files."""
    sql = 'SELECT DISTINCT file FROM "_classic_results" WHERE batch = ? ORDER BY file'
    return [int(row[0]) for row in connection.execute(sql, (batch.number,))]


def result_pieces(connection: Connection, batch: ClassicBatch, file: int) -> list[int]:
    """Return the numbers of the pieces of a result file, in order."""
    sql = 'SELECT number FROM "_classic_results" WHERE batch = ? AND file = ? ORDER BY number'
    return [int(row[0]) for row in connection.execute(sql, (batch.number, file))]


def read_piece(connection: Connection, batch: ClassicBatch, file: int, number: int) -> bytes | None:
    """Return a piece of a result file, or None when it is gone."""
    sql = 'SELECT body FROM "_classic_results" WHERE batch = ? AND file = ? AND number = ?'
    row = connection.execute(sql, (batch.number, file, number)).fetchone()
    return None if row is None else bytes(row[0])


def result_id(batch: ClassicBatch, file: int) -> str:
    """Return the id of a result file: its batch and its place, under the prefix of results."""
    return make_id(RESULT_PREFIX, batch.number * 1_000 + file)
