"""The rest of an input after a fault: its rows are counted and kept, so that each can be accounted for as not sent.

Records that are only ragged, too long or ended otherwise are still rows, with a place where they begin and end. From
the first byte on at which that cannot be told any more (a bad quote, bytes that are no text, a damaged archive) nothing
is a row: the rest is named as unread, from its line and byte on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from orgbridge.loads.checks import RecordChecker
from orgbridge.loads.dialect import Dialect
from orgbridge.loads.errors import FaultKind, InputError
from orgbridge.loads.positions import Position
from orgbridge.loads.records import OVERLONG_BYTES, segmented_chunks, split_chunk
from orgbridge.loads.splitter import LineCount, Part, PartStart, SplitEvent

_UNREADABLE = frozenset({FaultKind.BAD_QUOTING, FaultKind.UNDECODABLE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """Where the part of an input begins that is not rows."""

    #: Line of its first byte, from 1.
    line: int
    #: Number that its first record would have, from 1.
    row: int
    #: Bytes of the canonical CSV's records before it.
    bytes: int
    #: Stable code of the reason.
    code: str
    #: The reason in one sentence.
    message: str


def remaining_records(
    blocks: Iterable[bytes],
    dialect: Dialect,
    *,
    columns: int,
    start: Position,
    header_bytes: int,
    max_rows: int,
    line_count: LineCount,
) -> Iterator[SplitEvent | Unread]:
    """Cut the rest of an input into parts that will never be sent; faulty records are let pass as they are.

    Yields what `split_records` yields; at last an `Unread` when reading ended before the input did.

    Args:
        blocks: The canonical CSV from the position on.
        dialect: How its records are written.
        columns: Cells that a record should have.
        start: Where it begins.
        header_bytes: Bytes of the header.
        max_rows: Records of a part, at most.
        line_count: What line numbers count.
    """
    cutter = _RestCutter(start, dialect, header_bytes, max_rows)
    newline = dialect.line_ending.chars.encode()
    row, line, place = start.row, start.line, start.bytes
    unread: Unread | None = None
    chunks = segmented_chunks(blocks)
    while unread is None:
        try:
            found = next(chunks, None)
        except InputError as error:
            unread = Unread(line=line, row=row, bytes=place, code=error.code, message=error.message)
            break
        if found is None:
            break
        chunk, segments = found
        if not chunk.endswith(b"\n") and len(chunk) <= OVERLONG_BYTES:
            chunk, segments = chunk + newline, None
        checker = _checker(dialect, columns, row, line, place, line_count)
        facts = checker.check(chunk, segments)
        pieces = [chunk] if facts is not None and facts.rows <= cutter.free else split_chunk(chunk)
        for piece in pieces:
            checker = _checker(dialect, columns, row, line, place, line_count)
            facts = checker.check(piece)
            bad = next((fault for fault in checker.faults if fault.kind in _UNREADABLE), None)
            if bad is not None or len(piece) > OVERLONG_BYTES:
                message = bad.message if bad is not None else "The record has no end."
                code = f"input.{(bad.kind if bad is not None else FaultKind.BAD_QUOTING).value}"
                unread = Unread(line=line, row=row, bytes=place, code=code, message=message)
                break
            yield from cutter.deal(piece, 1 if facts is None else facts.rows, row, line)
            row, line, place = checker.row, checker.line, place + len(piece)
    yield from cutter.close()
    if unread is not None:
        yield unread


def _checker(dialect: Dialect, columns: int, row: int, line: int, place: int, line_count: LineCount) -> RecordChecker:
    return RecordChecker(dialect, columns, row=row, line=line, offset=place, line_is_row=line_count is LineCount.RECORD)


class _RestCutter:
    """Deals records out to parts by their number alone."""

    def __init__(self, start: Position, dialect: Dialect, header_bytes: int, max_rows: int) -> None:
        self._dialect = dialect
        self._header_bytes = header_bytes
        self._max_rows = max_rows
        self._number = start.part
        self._start: PartStart | None = None
        self._rows = self._bytes = 0
        self._hash = hashlib.sha256()

    @property
    def free(self) -> int:
        """Records that the present part has room for."""
        return self._max_rows - self._rows

    def deal(self, piece: bytes, rows: int, row: int, line: int) -> Iterator[SplitEvent]:
        """Yield the events that records make, which fit into the present part or are one."""
        if self._rows + rows > self._max_rows:
            yield from self.close()
        if self._start is None:
            self._start = PartStart(number=self._number, first_row=row, first_line=line)
            self._rows = self._bytes = 0
            self._hash = hashlib.sha256()
            yield self._start
        self._rows += rows
        self._bytes += len(piece)
        self._hash.update(piece)
        yield piece

    def close(self) -> Iterator[SplitEvent]:
        """Yield the end of the present part, if there is one."""
        if self._start is None:
            return
        ending = self._dialect.line_ending
        yield Part(
            number=self._start.number,
            first_row=self._start.first_row,
            first_line=self._start.first_line,
            rows=self._rows,
            bytes=self._bytes,
            sha256=self._hash.hexdigest(),
            line_ending=ending,
            upload_line_ending=ending,
            upload_bytes=self._header_bytes + self._bytes,
            mixed_cell_newlines=False,
        )
        self._start = None
        self._rows = 0
        self._number += 1
