"""Result files of bulk jobs: rows become quoted CSV in chunks, chunks become a stream.

Real orgs do not keep the order of upload, so nor does this one unless told to: rows are permuted inside a chunk when
it is written, and chunks of ingest results when they are read. The permutation depends on the job alone.

Source: facts/salesforce/bulk2.md sections 7 and 9.
"""

from __future__ import annotations

import csv
import io
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from random import Random

from orgbridge.emulator.jobs.rows import Chunk, Job, ResultKind, chunk_numbers, read_chunk
from orgbridge.emulator.jobs.spool import Spool
from orgbridge.emulator.jobs.uploads import UploadFault, UploadReader
from orgbridge.emulator.org.outcomes import SaveOutcome
from orgbridge.emulator.schema.errors import Fault
from orgbridge.emulator.storage.database import Storage
from orgbridge.wire.bulk import RESULT_CREATED, RESULT_ERROR, RESULT_ID, ColumnDelimiter, LineEnding

#: Records and bytes of the uploaded file that are read at once for `unprocessedrecords`.
_SLICE_ROWS, _SLICE_BYTES = 2_000, 1 << 20
#: First version that names the record in failedResults. Source: bulk2.md section 7.
_FAILED_ID_SINCE = 53


def csv_bytes(rows: Iterable[Sequence[str]], delimiter: ColumnDelimiter, ending: LineEnding) -> bytes:
    """Return the rows with every cell quoted."""
    between, listed = f'"{delimiter.char}"', list(rows)
    plain = "".join([f'"{between.join(row)}"{ending.chars}' for row in listed])
    if plain.count('"') == 2 * sum(map(len, listed)):
        # No cell holds a quote: the same bytes as csv's, in a third of the time.
        return plain.encode()
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter.char, lineterminator=ending.chars, quoting=csv.QUOTE_ALL).writerows(listed)
    return text.getvalue().encode()


class _Lines:
    """What csv writes to: keeps every row apart."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []

    def write(self, text: str) -> int:
        """Take one row."""
        self.lines.append(text.encode())
        return len(text)


def ingest_chunk(rows: Sequence[Sequence[str]], job: Job, *, number: int, first_row: int) -> Chunk:
    """Return the rows as a chunk of an ingest result file; its rows cannot be addressed one by one."""
    body = csv_bytes(rows, job.delimiter, job.line_ending)
    return Chunk(number=number, first_row=first_row, rows=len(rows), starts=array("Q"), body=body)


def query_chunk(rows: Sequence[Sequence[str]], job: Job, *, number: int, first_row: int) -> Chunk:
    """Return the rows as a chunk of a query result."""
    out = _Lines()
    csv.writer(
        out, delimiter=job.delimiter.char, lineterminator=job.line_ending.chars, quoting=csv.QUOTE_ALL
    ).writerows(rows)
    starts = array("Q", accumulate((len(line) for line in out.lines[:-1]), initial=0)) if rows else array("Q")
    return Chunk(number=number, first_row=first_row, rows=len(rows), starts=starts, body=b"".join(out.lines))


def error_text(faults: Iterable[Fault]) -> str:
    """Return the cell `sf__Error`: `CODE:message:field1 field2 --`, one after the other."""
    return "".join(
        f"{fault.code}:{fault.message}:{' '.join(fault.fields)}{' ' if fault.fields else ''}--" for fault in faults
    )


def split_outcomes(
    job: Job, records: Sequence[Sequence[str]], outcomes: Sequence[SaveOutcome], shuffle: bool
) -> tuple[list[list[str]], list[list[str]]]:
    """Return the rows of successfulResults and of failedResults for one batch, permuted if `shuffle`."""
    successful: list[list[str]] = []
    failed: list[list[str]] = []
    for record, outcome in zip(records, outcomes, strict=True):
        if outcome.success:
            successful.append([outcome.id or "", "true" if outcome.created else "false", *record])
        else:
            named = outcome.id if outcome.id and job.api_version >= _FAILED_ID_SINCE else ""
            failed.append([named, error_text(outcome.errors), *record])
    if shuffle:
        order = Random(f"{job.id}:{job.batches}")
        order.shuffle(successful)
        order.shuffle(failed)
    return successful, failed


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
