"""Result files of bulk jobs: rows become quoted CSV in chunks, chunks become a stream.

Real orgs do not keep the order of upload, so nor does this one unless told to: rows are permuted inside a chunk when
it is written, and chunks of ingest results when they are read. The permutation depends on the job alone.

Source: facts/salesforce/bulk2.md sections 7 and 9.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from random import Random

from orgbridge.emulator.jobs.rows import Chunk, Job, ResultKind, chunk_numbers, read_chunk
from orgbridge.emulator.jobs.spool import Spool
from orgbridge.emulator.jobs.tables import quoted
from orgbridge.emulator.jobs.uploads import UploadFault, UploadReader
from orgbridge.emulator.org.outcomes import Inserted, SaveOutcome
from orgbridge.emulator.schema.errors import Fault
from orgbridge.emulator.storage.database import Storage
from orgbridge.wire.bulk import RESULT_CREATED, RESULT_ERROR, RESULT_ID, ColumnDelimiter, LineEnding

#: Records and bytes of the uploaded file that are read at once for `unprocessedrecords`.
_SLICE_ROWS, _SLICE_BYTES = 2_000, 1 << 20
#: First version that names the record in failedResults. Source: bulk2.md section 7.
_FAILED_ID_SINCE = 53


def csv_bytes(rows: Iterable[Sequence[str]], delimiter: ColumnDelimiter, ending: LineEnding) -> bytes:
    """Return the rows with every cell quoted."""
    return _whole(quoted(rows, delimiter), ending)


def _whole(lines: Sequence[str], ending: LineEnding) -> bytes:
    """Return lines as `quoted` gives them as CSV."""
    if not lines:
        return b""
    between = f'"{ending.chars}"'
    return f'"{between.join(lines)}"{ending.chars}'.encode()


def ingest_chunk(lines: Sequence[str], job: Job, *, number: int, first_row: int) -> Chunk:
    """Return lines as `quoted` gives them as a chunk of an ingest result file, to be read as a whole only."""
    body = _whole(lines, job.line_ending)
    return Chunk(number=number, first_row=first_row, rows=len(lines), starts=array("Q"), body=body)


def query_chunk(lines: Sequence[str], job: Job, *, number: int, first_row: int) -> Chunk:
    """Return lines as `quoted` gives them as a chunk of a query result."""
    body = _whole(lines, job.line_ending)
    around = 2 + len(job.line_ending.chars)
    sizes = map(len, lines) if body.isascii() else (len(line.encode()) for line in lines)
    # A line begins behind the line in front of it, with its two quotes and its end.
    starts = array("Q", accumulate(map(around.__add__, sizes), initial=0)) if lines else array("Q")
    return Chunk(number=number, first_row=first_row, rows=len(lines), starts=starts[: len(lines)], body=body)


def error_text(faults: Iterable[Fault]) -> str:
    """Return the cell `sf__Error`: `CODE:message:field1 field2 --`, one after the other."""
    return "".join(
        f"{fault.code}:{fault.message}:{' '.join(fault.fields)}{' ' if fault.fields else ''}--" for fault in faults
    )


def split_outcomes(
    job: Job, lines: Sequence[str], outcomes: Sequence[SaveOutcome], shuffle: bool
) -> tuple[list[str], list[str]]:
    """Return the lines of successfulResults and of failedResults for one batch, permuted if `shuffle`.

    Args:
        job: The job.
        lines: Its records as `quoted` gives them.
        outcomes: What became of them.
        shuffle: Whether the order of upload is lost.
    """
    between = f'"{job.delimiter.char}"'
    created = f"{between}true{between}"
    successful: list[str] = []
    failed: list[str] = []
    if isinstance(outcomes, Inserted):
        successful = [f"{id_}{created}{line}" for id_, line in zip(outcomes.ids, lines, strict=True)]
    else:
        for line, outcome in zip(lines, outcomes, strict=True):
            if outcome.success:
                successful.append(f"{outcome.id or ''}{between}{'true' if outcome.created else 'false'}{between}{line}")
            else:
                named = outcome.id if outcome.id and job.api_version >= _FAILED_ID_SINCE else ""
                error = error_text(outcome.errors).replace('"', '""')
                failed.append(f"{named}{between}{error}{between}{line}")
    if shuffle:
        order = Random(f"{job.id}:{job.batches}")
        return _permuted(successful, order), _permuted(failed, order)
    return successful, failed


def _permuted(lines: list[str], order: Random) -> list[str]:
    # By random keys that are drawn all at once: `shuffle` draws a number per line, in five times the time. Short ones
    # are compared faster; of two lines with the same key the earlier stays the earlier.
    keys = array("H", order.randbytes(2 * len(lines))).tolist()
    return [lines[place] for place in sorted(range(len(lines)), key=keys.__getitem__)]


def ingest_header(job: Job, kind: ResultKind, columns: Sequence[str]) -> bytes:
    """Return the first row of an ingest result file."""
    second = RESULT_CREATED if kind is ResultKind.SUCCESSFUL else RESULT_ERROR
    return csv_bytes(([RESULT_ID, second, *columns],), job.delimiter, job.line_ending)


def stream_chunks(storage: Storage, job: Job, kind: ResultKind, shuffle: bool) -> Iterator[bytes]:
    """Yield an ingest result file without its header, one chunk in memory at a time."""
    with storage.read() as connection:
        numbers = chunk_numbers(connection, job, kind)
    if shuffle:
        Random(job.id).shuffle(numbers)
    for number in numbers:
        with storage.read() as connection:
            chunk = read_chunk(connection, job, kind, number)
        if chunk is not None:
            yield chunk.body


def stream_rows(storage: Storage, job: Job, start: int, stop: int) -> Iterator[bytes]:
    """Yield rows `start` to `stop` (exclusive) of a query job's result, without the header."""
    with storage.read() as connection:
        numbers = chunk_numbers(connection, job, ResultKind.QUERY, start, stop)
    for number in numbers:
        with storage.read() as connection:
            chunk = read_chunk(connection, job, ResultKind.QUERY, number)
        if chunk is not None:
            yield chunk.part(start, stop)


def stream_unprocessed(spool: Spool, job: Job) -> Iterator[bytes]:
    """Yield `unprocessedrecords`: the uploaded header, and every record that no batch has taken.

    Records behind one that cannot be parsed are not seen, since nobody can tell where they begin.
    """
    if job.spool is None or not spool.path(job.spool).exists():
        return
    reader = UploadReader(spool.path(job.spool), job.delimiter, job.line_ending)
    try:
        header = reader.header()
        yield csv_bytes((header,), job.delimiter, job.line_ending)
    except UploadFault:
        return
    finally:
        reader.close()
    # A job that failed before its first batch has no offset yet: everything after the header is unprocessed.
    offset = job.offset or reader.offset
    reader = UploadReader(spool.path(job.spool), job.delimiter, job.line_ending, offset, len(header))
    try:
        while records := reader.batch(_SLICE_ROWS, _SLICE_BYTES):
            yield csv_bytes(records, job.delimiter, job.line_ending)
    except UploadFault:
        yield from _readable(spool, job, reader.offset, len(header))
    finally:
        reader.close()


def _readable(spool: Spool, job: Job, offset: int, columns: int) -> Iterator[bytes]:
    """Yield one by one the records in front of the one that cannot be parsed."""
    if job.spool is None:
        return
    reader = UploadReader(spool.path(job.spool), job.delimiter, job.line_ending, offset, columns)
    try:
        while records := reader.batch(1, _SLICE_BYTES):
            yield csv_bytes(records, job.delimiter, job.line_ending)
    except UploadFault:
        return
    finally:
        reader.close()
