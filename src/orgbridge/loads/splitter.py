"""Cut a CSV into parts on record boundaries, byte-exact, checking every record.

The bytes of the parts, one after the other, are the bytes of the input's records (a last record without a newline gets
one). Every record is checked: it is UTF-8, well quoted, has as many cells as the header, ends like the header, and is
no longer than Salesforce takes. No byte is kept longer than one chunk.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from orgbridge.loads.checks import ChunkFacts, RecordChecker
from orgbridge.loads.dialect import Dialect
from orgbridge.loads.errors import FaultKind, FaultyRecords, HeaderOnly, RecordFault
from orgbridge.loads.records import OVERLONG_BYTES, segmented_chunks, split_chunk
from orgbridge.wire.bulk import LineEnding


class LineCount(StrEnum):
    """What a line number counts."""

    #: Lines as an editor shows them; a record with newlines in its cells has several.
    PHYSICAL = "physical"
    #: Records: lines of an NDJSON file, elements of a JSON array.
    RECORD = "record"


@dataclass(frozen=True, slots=True, kw_only=True)
class PartStart:
    """A part begins; its bytes follow."""

    #: Number of the part, from 0.
    number: int
    #: Number of its first record in the input, from 1.
    first_row: int
    #: Line on which that record begins, from 1.
    first_line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part has ended; everything known of it."""

    #: Number of the part, from 0.
    number: int
    #: Number of its first record in the input, from 1.
    first_row: int
    #: Line on which that record begins, from 1.
    first_line: int
    #: Records in it.
    rows: int
    #: Bytes of its records, header not counted.
    bytes: int
    #: SHA-256 of these bytes, hexadecimal.
    sha256: str
    #: How its records end in these bytes.
    line_ending: LineEnding
    #: What the job's `lineEnding` must be: the newlines inside cells decide, where there are any.
    upload_line_ending: LineEnding
    #: Bytes of the upload body: header and records with `upload_line_ending`.
    upload_bytes: int
    #: Cells hold both kinds of newline, or lone carriage returns: no `lineEnding` suits them all.
    mixed_cell_newlines: bool
    #: Line feeds in these bytes, as they were counted while cutting; not kept with the part.
    newlines: int = 0


#: The splitter yields, per part: one `PartStart`, the blocks of its record bytes (header not included), one `Part`.
SplitEvent = PartStart | bytes | Part


_Count = Callable[[bytes], ChunkFacts | None]


class _OpenPart:
    """A part while its bytes go by."""

    def __init__(self, start: PartStart, line_ending: LineEnding, header_bytes: int) -> None:
        self.start = start
        self.line_ending = line_ending
        self.header_bytes = header_bytes
        self.bytes = 0
        self.facts = ChunkFacts()
        self.hash = hashlib.sha256()
        #: Bytes that each record may grow by in the upload.
        self.growth = 1 if line_ending is LineEnding.LF else 0

    @property
    def upload_bytes(self) -> int:
        """Bytes of the upload so far, at most."""
        return self.header_bytes + self.bytes + (self.facts.rows + 1) * self.growth

    def fitting(self, chunk: bytes, rows: int, *, max_rows: int, max_bytes: int) -> tuple[int, int]:
        """Return how many bytes and records of a chunk still fit."""
        free_rows, free_bytes = max_rows - self.facts.rows, max_bytes - self.upload_bytes
        if rows <= free_rows and len(chunk) + rows * self.growth <= free_bytes:
            return len(chunk), rows
        records = split_chunk(chunk)
        taken = count = 0
        # Not all of them fit, so the end of the list is never reached.
        while count < free_rows and (size := len(records[count])) + self.growth <= free_bytes:
            free_bytes -= size + self.growth
            taken += size
            count += 1
        return taken, count

    def add(self, piece: bytes, facts: ChunkFacts) -> None:
        """Count and hash bytes that go into the part."""
        self.bytes += len(piece)
        self.facts = self.facts.plus(facts)
        self.hash.update(piece)

    def close(self) -> Part:
        """Return what is known now that no more bytes follow."""
        facts = self.facts
        mixed = facts.cell_cr or (facts.cell_lf and facts.cell_crlf)
        upload = self.line_ending
        if not mixed and facts.cell_crlf:
            upload = LineEnding.CRLF
        elif not mixed and facts.cell_lf:
            upload = LineEnding.LF
        growth = len(upload.chars) - len(self.line_ending.chars)
        return Part(
            number=self.start.number,
            first_row=self.start.first_row,
            first_line=self.start.first_line,
            rows=facts.rows,
            bytes=self.bytes,
            sha256=self.hash.hexdigest(),
            line_ending=self.line_ending,
            upload_line_ending=upload,
            upload_bytes=self.header_bytes + self.bytes + (facts.rows + 1) * growth,
            mixed_cell_newlines=mixed,
            newlines=facts.newlines,
        )


class _Cutter:
    """Deals checked chunks out to parts."""

    def __init__(
        self,
        line_ending: LineEnding,
        header_bytes: int,
        max_rows: int,
        max_bytes: int,
        count: _Count,
        first_rows: int | None,
        number: int,
    ) -> None:
        self.line_ending = line_ending
        self.header_bytes = header_bytes
        self.max_rows = max_rows
        self.first_rows = min(first_rows or max_rows, max_rows)
        self.max_bytes = max_bytes
        self.count = count
        self.number = number
        self.part: _OpenPart | None = None

    def deal(self, chunk: bytes, facts: ChunkFacts, row: int, line: int, line_is_row: bool) -> Iterator[SplitEvent]:
        """Yield the events that a chunk makes.

        Args:
            chunk: Good records.
            facts: What is known of them.
            row: Number of the first.
            line: Line on which it begins.
            line_is_row: Whether a record counts as one line.
        """
        rest, rows = chunk, facts.rows
        while rest:
            if self.part is None:
                self.part = self._open(row, line)
                yield self.part.start
            max_rows = self.max_rows if self.part.start.number else self.first_rows
            taken, taken_rows = self.part.fitting(rest, rows, max_rows=max_rows, max_bytes=self.max_bytes)
            if taken:
                piece = rest[:taken]
                piece_facts = facts if taken == len(chunk) else self.count(piece) or facts
                self.part.add(piece, piece_facts)
                yield piece
                row += taken_rows
                line += taken_rows if line_is_row else piece_facts.newlines
                rest, rows = rest[taken:], rows - taken_rows
            elif not self.part.facts.rows:
                raise self._too_large(rest, row, line)
            if rest:
                yield self.part.close()
                self.part = None

    def _open(self, row: int, line: int) -> _OpenPart:
        start = PartStart(number=self.number, first_row=row, first_line=line)
        self.number += 1
        return _OpenPart(start, self.line_ending, self.header_bytes)

    def _too_large(self, rest: bytes, row: int, line: int) -> FaultyRecords:
        size = len(split_chunk(rest)[0])
        message = f"The record has {size} bytes and does not fit into a part of {self.max_bytes} bytes with the header."
        return FaultyRecords.of([RecordFault(kind=FaultKind.TOO_LARGE, line=line, row=row, message=message)])


def split_records(
    blocks: Iterable[bytes],
    dialect: Dialect,
    *,
    header_record: bytes,
    columns: int,
    max_rows: int,
    max_bytes: int,
    first_line: int = 2,
    first_offset: int = 0,
    line_count: LineCount = LineCount.PHYSICAL,
    first_rows: int | None = None,
    first_row: int = 1,
    first_part: int = 0,
) -> Iterator[SplitEvent]:
    """Cut the records of a CSV into parts.

    Yields, for each part in order, one `PartStart`, blocks of its record bytes (the header is not among them), and one
    `Part`. A part holds at least one record. Its upload, as `upload_body` makes it, is at most `max_bytes` long
    whatever line ending it needs.

    Args:
        blocks: The records as UTF-8 CSV, header taken off (`CSVSource.records()`).
        dialect: How they are written.
        header_record: The header with its line ending; counts towards a part's bytes.
        columns: Cells of every record.
        max_rows: Records of a part, at most.
        max_bytes: Bytes of a part's upload, at most.
        first_line: Line on which the first record begins.
        first_offset: Where the first record begins in the original stream.
        line_count: What line numbers count.
        first_rows: Records of the first part, at most; None: as of the others.
        first_row: Number of the first record; more than 1 when parts before these were cut already.
        first_part: Number of the first part.

    Raises:
        HeaderOnly: There are no records, and were none before. Nothing was yielded.
        FaultyRecords: Records are faulty (of its subclasses, the one that fits all faults). Up to 100 faults are
            collected before; parts that ended before the first of them were yielded, and no bytes after it.
    """
    checker = RecordChecker(
        dialect,
        columns,
        row=first_row,
        line=first_line,
        offset=first_offset,
        line_is_row=line_count is LineCount.RECORD,
    )
    cutter = _Cutter(
        dialect.line_ending, len(header_record), max_rows, max_bytes, checker.count, first_rows, first_part
    )
    newline = dialect.line_ending.chars.encode()
    for chunk, segments in segmented_chunks(blocks):
        if not chunk.endswith(b"\n") and len(chunk) <= OVERLONG_BYTES:
            # The last record of the input lacks its newline; the chunk's segments are not known.
            chunk += newline
        row, line = checker.row, checker.line
        facts = checker.check(chunk, segments)
        if checker.is_full:
            break
        if facts is not None and not checker.faults:
            yield from cutter.deal(chunk, facts, row, line, checker.line_is_row)
    if checker.faults:
        raise FaultyRecords.of(checker.faults)
    if cutter.part is not None:
        yield cutter.part.close()
    elif checker.row == 1:
        raise HeaderOnly


def upload_body(records: Iterable[bytes], part: Part, *, header_record: bytes) -> Iterator[bytes]:
    """Yield the body of a part's upload: header and records, with the part's `upload_line_ending`.

    Cells are not touched: only newlines outside quotes are replaced.

    Args:
        records: The part's bytes, as the splitter yielded them.
        part: What the splitter said of it.
        header_record: The header with its line ending.
    """
    return end_records(
        itertools.chain((header_record,), records), was=part.line_ending, becomes=part.upload_line_ending
    )


def end_records(blocks: Iterable[bytes], *, was: LineEnding, becomes: LineEnding) -> Iterator[bytes]:
    """Yield a CSV with the endings of its records replaced and its cells as they were.

    Args:
        blocks: Well quoted CSV, all of whose records end in `was`.
        was: How records end.
        becomes: How they are to end.
    """
    if was is becomes:
        yield from blocks
        return
    old, new = was.chars.encode(), becomes.chars.encode()
    inside = False
    held = b""
    for block in blocks:
        data = held + block
        # A carriage return at the end may be half of a record's ending.
        held = b"\r" if data.endswith(b"\r") else b""
        data = data.removesuffix(held)
        segments = data.split(b'"')
        segments[inside::2] = [segment.replace(old, new) for segment in segments[inside::2]]
        inside ^= not len(segments) & 1
        yield b'"'.join(segments)
    if held:
        yield held
