"""Rows of a part that are sent again, or sent apart from others: chosen from its results, and merged back into them.

A part's results lie as one record per row in input order, each beginning with the line of its row; no two rows begin
on one line. So the results of a later round, which has some of the rows, are merged by line, in one pass and constant
memory. A results file is never changed: every merge writes another one.
"""

from __future__ import annotations

import re
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from orgbridge.loads.dialect import Dialect
from orgbridge.loads.matching import PartMatch
from orgbridge.loads.outcomes import UNPROCESSED, Match, RowStatus
from orgbridge.loads.receipt import LINES_NAMED, ErrorGroup
from orgbridge.loads.records import masked_records, parse_chunk, record_chunks, unmasked
from orgbridge.loads.remedies import sendable_again
from orgbridge.loads.results import RESULT_COLUMNS, own_columns

_OURS: Final = len(RESULT_COLUMNS)
_STATUS, _CODE, _MESSAGE, _MATCH = (
    RESULT_COLUMNS.index(name) for name in ("ob__status", "ob__error_code", "ob__error_message", "ob__match")
)
_SUCCEEDED: Final = RowStatus.SUCCEEDED.value.encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultRow:
    """One record of a results file."""

    #: Line of the input on which the row begins.
    line: int
    #: What became of it.
    status: RowStatus
    #: Id of the record, empty where there is none.
    id: str
    #: Whether the record is new; None unless it succeeded.
    created: bool | None
    #: Code and message of a row that did not succeed.
    code: str
    message: str
    #: How surely this belongs to the row.
    match: Match
    #: The row as it stands in the input, ending included.
    record: bytes


def result_rows(
    blocks: Iterable[bytes], dialect: Dialect, wanted: Callable[[bytes], bool] | None = None
) -> Iterator[ResultRow]:
    """Yield the rows of a results file without its header.

    Args:
        blocks: The records.
        dialect: How the input was written.
        wanted: Told the status as it is written; rows for which it is false are passed over. None: all.
    """
    delimiter = dialect.delimiter.encode()
    ours = own_columns(delimiter)
    for chunk in record_chunks(blocks):
        for masked in masked_records(chunk):
            if wanted is None or wanted(masked.split(delimiter, 2)[1]):
                yield _row(masked, ours, dialect.delimiter)


def _row(masked: bytes, ours: re.Pattern[bytes], delimiter: str) -> ResultRow:
    found = ours.match(masked)
    assert found is not None, "a record of a results file has our columns"
    cells = _cells(unmasked(found[0]).decode(), delimiter)
    return ResultRow(
        line=int(cells[0]),
        status=RowStatus(cells[_STATUS]),
        id=cells[2],
        created={"true": True, "false": False}.get(cells[3]),
        code=cells[_CODE],
        message=cells[_MESSAGE],
        match=Match(cells[_MATCH]),
        record=unmasked(masked[found.end() :]),
    )


def _cells(text: str, delimiter: str) -> list[str]:
    # The piece ends in a delimiter: one cell too many.
    return (next(iter(parse_chunk(text, delimiter))) if '"' in text else text.split(delimiter))[:_OURS]


def retryable_rows(blocks: Iterable[bytes], dialect: Dialect, *, given_back: bool) -> Iterator[ResultRow]:
    """Yield the rows that are sent again by themselves: nothing was written, and the cause passes.

    Args:
        blocks: The part's results, without header.
        dialect: How the input was written.
        given_back: Whether rows that Salesforce did not come to are wanted too: those of a job that it gave up for
            too many locks.
    """
    for row in result_rows(blocks, dialect, lambda status: status != _SUCCEEDED):
        failed_in_passing = row.status is RowStatus.FAILED and sendable_again(row.code, row.message)
        if failed_in_passing or (given_back and row.status is RowStatus.UNPROCESSED and row.code == UNPROCESSED):
            yield row


def merge_results(base: Iterable[bytes], later: Iterable[bytes]) -> Iterator[bytes]:
    """Yield a part's results in which the rows of a later round have its outcome.

    Args:
        base: The results so far, without header, in input order.
        later: Those of the round: some of the rows, in the same order.

    Raises:
        ValueError: The round has a row that the part has not.
    """
    rest = (record for chunk in record_chunks(later) for record in masked_records(chunk))
    following = next(rest, None)
    line = _line_of(following)
    for chunk in record_chunks(base):
        out = []
        for record in masked_records(chunk):
            if following is not None and _line_of(record) == line:
                out.append(following)
                following = next(rest, None)
                line = _line_of(following)
            else:
                out.append(record)
        yield unmasked(b"".join(out))
    if following is not None:
        raise ValueError(f"line {line} of a later round is none of the part's")


def _line_of(record: bytes | None) -> int:
    if record is None:
        return -1
    digits = 0
    while record[digits : digits + 1].isdigit():
        digits += 1
    return int(record[:digits])


def renumbered(match: PartMatch, lines: Sequence[int]) -> PartMatch:
    """Return the match of a round, its rows on the lines on which they stand in the input."""
    ledger = replace(match.ledger, lines=array("Q", lines))
    return replace(match, ledger=ledger, errors=ledger.errors())


@dataclass(slots=True, kw_only=True)
class Tally:
    """Sums over a part's results, taken while they are written."""

    #: How the input is written.
    dialect: Dialect
    #: Rows by status.
    statuses: Counter[str] = field(default_factory=Counter)
    #: Rows whose result could belong to an identical row as well.
    ambiguous: int = 0
    #: Rows that may be sent again by themselves.
    retryable: int = 0
    _counts: Counter[str] = field(default_factory=Counter)
    _lines: dict[str, list[int]] = field(default_factory=dict)
    _messages: dict[str, str] = field(default_factory=dict)

    def passing(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the same blocks, counted. They hold whole records."""
        delimiter = self.dialect.delimiter.encode()
        ours = own_columns(delimiter)
        ambiguous = delimiter + Match.AMBIGUOUS.value.encode() + delimiter
        for chunk in record_chunks(blocks):
            for masked in masked_records(chunk):
                if masked.split(delimiter, 2)[1] == _SUCCEEDED and ambiguous not in masked:
                    self.statuses[RowStatus.SUCCEEDED] += 1
                else:
                    self._add(_row(masked, ours, self.dialect.delimiter))
            yield chunk

    def _add(self, row: ResultRow) -> None:
        self.statuses[row.status] += 1
        self.ambiguous += row.match is Match.AMBIGUOUS
        if row.status not in (RowStatus.FAILED, RowStatus.UNPROCESSED):
            return
        self._counts[row.code] += 1
        self._messages.setdefault(row.code, row.message)
        lines = self._lines.setdefault(row.code, [])
        if len(lines) < LINES_NAMED:
            lines.append(row.line)
        self.retryable += row.status is RowStatus.FAILED and sendable_again(row.code, row.message)

    def errors(self) -> tuple[ErrorGroup, ...]:
        """Return failed and unprocessed rows by code, most frequent first."""
        return tuple(
            ErrorGroup(code=code, count=count, lines=tuple(self._lines[code]), message=self._messages[code])
            for code, count in self._counts.most_common()
        )
