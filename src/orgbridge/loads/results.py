"""The results file: every row of the input with what became of it, in input order.

Each record is our nine columns, then the input's own record, byte for byte, with the input's delimiter and line ending.
The file can be filtered by status, and the failed rows taken out of it are a file that can be loaded again as it is.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from enum import StrEnum
from typing import Final

from orgbridge.loads.dialect import Dialect
from orgbridge.loads.outcomes import CREATED, UPDATED, Ledger, Match, RowStatus, id_of, status_of
from orgbridge.loads.records import OVERLONG_BYTES, masked_records, record_chunks, unmasked

#: Columns that stand before the input's own.
RESULT_COLUMNS: Final = (
    "ob__line",
    "ob__status",
    "sf__Id",
    "sf__Created",
    "ob__error_code",
    "ob__error_message",
    "ob__error_fields",
    "ob__attempt",
    "ob__match",
)
#: Ready-made prefixes of rows that failed alike.
_CACHED_PREFIXES: Final = 1_000


class ResultKind(StrEnum):
    """Which rows of a results file are asked for."""

    ALL = "all"
    SUCCESSFUL = "successful"
    FAILED = "failed"
    UNPROCESSED = "unprocessed"
    SKIPPED = "skipped"


_STATUSES: Final = {
    ResultKind.SUCCESSFUL: frozenset({RowStatus.SUCCEEDED.value.encode()}),
    ResultKind.FAILED: frozenset({RowStatus.FAILED.value.encode()}),
    ResultKind.UNPROCESSED: frozenset({RowStatus.UNPROCESSED.value.encode()}),
    ResultKind.SKIPPED: frozenset({RowStatus.SKIPPED.value.encode()}),
}


def results_header(header_record: bytes, dialect: Dialect) -> bytes:
    """Return the header record of a results file.

    Args:
        header_record: The input's, with its line ending; it follows ours as it is.
        dialect: How the input is written.
    """
    d = dialect.delimiter
    return (d.join(RESULT_COLUMNS) + d).encode() + header_record


def result_records(records: Iterable[bytes], ledger: Ledger, dialect: Dialect) -> Iterator[bytes]:
    """Yield a part's piece of the results file, in input order, in blocks; the header is not among them.

    Args:
        records: The part's record bytes, as the splitter yielded them.
        ledger: What became of them.
        dialect: How they are written.
    """
    d = dialect.delimiter.encode()
    attempt = b"%d" % ledger.attempt
    # A row that succeeded has nothing to quote: the usual case is one formatting.
    created = d.join((b"%d", b"succeeded", b"%b", b"true", b"", b"", b"", attempt, b"exact", b"%b"))
    updated = created.replace(b"true", b"false")
    known: dict[bytes | None, bytes] = {}
    place = 0
    for chunk in record_chunks(records):
        out: list[bytes] = []
        found = masked_records(chunk)
        end = place + len(found)
        rows = zip(found, ledger.verdicts[place:end], ledger.lines[place:end], ledger.ambiguous[place:end], strict=True)
        for record, verdict, line, ambiguous in rows:
            kind = verdict[:1] if verdict is not None and not ambiguous else b""
            if kind == CREATED:
                out.append(created % (line, verdict[1:], record))  # type: ignore[index] # a kind is a verdict's
            elif kind == UPDATED:
                out.append(updated % (line, verdict[1:], record))  # type: ignore[index] # a kind is a verdict's
            elif ambiguous:
                out.append(b"%d%b%b" % (line, _after_line(ledger, verdict, Match.AMBIGUOUS, d), record))
            else:
                prefix = known.get(verdict)
                if prefix is None:
                    prefix = _after_line(ledger, verdict, Match.EXACT, d)
                    if len(known) < _CACHED_PREFIXES:
                        known[verdict] = prefix
                out.append(b"%d%b%b" % (line, prefix, record))
        place = end
        yield unmasked(b"".join(out))


def _after_line(ledger: Ledger, verdict: bytes | None, match: Match, delimiter: bytes) -> bytes:
    """Return the cells between the line number and the input's own, with the delimiters around them."""
    error = ledger.error_of(verdict)
    made = "" if error is not None or verdict is None else str(verdict.startswith(CREATED)).lower()
    told = ("", "", "") if error is None else (error.code, error.message, error.fields)
    cells = (status_of(verdict).value, id_of(verdict), made, *told, str(ledger.attempt), match.value)
    return delimiter + b"".join(quoted_cell(cell, delimiter) + delimiter for cell in cells)


def quoted_cell(cell: str, delimiter: bytes) -> bytes:
    """Return a cell as it stands in a results file, in quotes where it needs them."""
    data = cell.encode()
    if b'"' in data or b"\n" in data or b"\r" in data or delimiter in data:
        return b'"' + data.replace(b'"', b'""') + b'"'
    return data


def select(blocks: Iterable[bytes], kind: ResultKind, dialect: Dialect) -> Iterator[bytes]:
    """Yield a results file with only the rows asked for.

    Args:
        blocks: The whole results file, header included.
        kind: Which rows.
        dialect: How the input was written.
    """
    if kind is ResultKind.ALL:
        yield from blocks
        return
    wanted = _STATUSES[kind]
    yield from _filtered(blocks, wanted, dialect, original_only=False)


def failed_rows(
    blocks: Iterable[bytes],
    dialect: Dialect,
    *,
    failed: bool = True,
    unprocessed: bool = False,
    without_codes: Collection[str] = (),
) -> Iterator[bytes]:
    """Yield the failed rows as they were in the input, header included: a file that can be loaded again as it is.

    Args:
        blocks: The whole results file, header included.
        dialect: How the input was written.
        failed: Whether rows that failed are wanted.
        unprocessed: Whether rows that were not processed are wanted too.
        without_codes: Codes of rows that are left out: those that may have been written, say.
    """
    wanted = _STATUSES[ResultKind.FAILED] if failed else frozenset[bytes]()
    if unprocessed:
        wanted |= _STATUSES[ResultKind.UNPROCESSED]
    unwanted = frozenset(code.encode() for code in without_codes)
    yield from _filtered(blocks, wanted, dialect, original_only=True, unwanted_codes=unwanted)


def own_columns(delimiter: bytes) -> re.Pattern[bytes]:
    """Return what matches our columns at the beginning of a masked record of a results file."""
    d = re.escape(delimiter)
    return re.compile(rb'(?:(?:"(?:[^"]++|"")*+"|[^"%b\r\n]*+)%b){%d}' % (d, d, len(RESULT_COLUMNS)))


def _filtered(
    blocks: Iterable[bytes],
    wanted: frozenset[bytes],
    dialect: Dialect,
    *,
    original_only: bool,
    unwanted_codes: frozenset[bytes] = frozenset(),
) -> Iterator[bytes]:
    delimiter = dialect.delimiter.encode()
    ours = own_columns(delimiter)
    is_header = True
    for chunk in record_chunks(blocks, overlong=OVERLONG_BYTES * 2):
        records = masked_records(chunk)
        # The first two cells are a number and a status, neither ever quoted.
        kept = [record for record in records[is_header:] if record.split(delimiter, 2)[1] in wanted]
        if unwanted_codes:
            # Neither an id nor a code is ever quoted.
            kept = [record for record in kept if record.split(delimiter, 5)[4] not in unwanted_codes]
        if is_header:
            kept.insert(0, records[0])
            is_header = False
        if original_only:
            kept = [ours.sub(b"", record, count=1) for record in kept]
        if kept:
            yield unmasked(b"".join(kept))
