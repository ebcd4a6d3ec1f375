"""Check every record of a chunk: UTF-8, quoting, number of cells, line ending, length.

The fast way looks at whole chunks with the C speed of `bytes`: take away everything but delimiters and newlines that
stand outside quotes, and what is left must be the skeleton of good rows, one after the other. Only a chunk that fails
is looked at record by record, to say what is wrong and where. What it costs is measured by benchmarks/splitting.py.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from operator import itemgetter
from typing import Final

from orgbridge.loads.dialect import Dialect
from orgbridge.loads.errors import FAULTS_KEPT, FaultKind, RecordFault
from orgbridge.loads.records import CHUNK_BYTES, OVERLONG_BYTES, is_dense, outside_quotes
from orgbridge.wire.bulk import LineEnding
from orgbridge.wire.limits import INGEST_RECORD_CHARS

_QUOTE: Final = b'"'
#: Stands for what separates two quoted cells; a byte that UTF-8 never has.
_BETWEEN: Final = b"\xff"
#: The same as long as what it replaces, which makes replacing twice as fast.
_WIDE_BETWEEN: Final = b"\0" + _BETWEEN + b"\0"
_FIRST, _LAST = itemgetter(0), itemgetter(-1)
#: Skeletons are compared with a ready-made run of good rows. A chunk may be longer than this, but only for one long
#: record before its last block, and that has no more delimiters than a record may have cells.
_RUN_BYTES: Final = CHUNK_BYTES * 2


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkFacts:
    """What a good chunk holds."""

    #: Records.
    rows: int = 0
    #: Line feeds, those inside cells included.
    newlines: int = 0
    #: Whether cells hold a lone line feed, a carriage return with line feed, a lone carriage return.
    cell_lf: bool = False
    cell_crlf: bool = False
    cell_cr: bool = False

    def plus(self, other: ChunkFacts) -> ChunkFacts:
        """Return the facts of both chunks together."""
        return ChunkFacts(
            rows=self.rows + other.rows,
            newlines=self.newlines + other.newlines,
            cell_lf=self.cell_lf or other.cell_lf,
            cell_crlf=self.cell_crlf or other.cell_crlf,
            cell_cr=self.cell_cr or other.cell_cr,
        )


class RecordChecker:
    """Checks chunk after chunk of one input and collects what is wrong."""

    def __init__(
        self, dialect: Dialect, columns: int, *, row: int, line: int, offset: int, line_is_row: bool = False
    ) -> None:
        """Prepare the patterns.

        Args:
            dialect: How the records are written.
            columns: Cells of every record.
            row: Number of the first record.
            line: Line on which it begins.
            offset: Where it begins in the original stream.
            line_is_row: Whether each record counts as one line, whatever its cells hold.
        """
        self.row, self.line, self.offset = row, line, offset
        #: What is wrong so far, at most `FAULTS_KEPT` of them.
        self.faults: list[RecordFault] = []
        #: Set when nothing after the last fault can be trusted: a quote or a record has no end.
        self.lost = False
        self._misquoted = False
        self._dialect = dialect
        self._columns = columns
        self.line_is_row = line_is_row
        delimiter = dialect.delimiter.encode()
        self._delimiter = delimiter
        self._newline = dialect.line_ending.chars.encode()
        self._blank = self._newline * 2
        everything = bytes(range(256))
        self._not_outside = bytes(b for b in everything if b not in delimiter + _BETWEEN + b"\r\n")
        self._skeleton = delimiter * (columns - 1) + self._newline
        self._run = self._skeleton * (_RUN_BYTES // len(self._skeleton) + 1)
        crlf = dialect.line_ending is LineEnding.CRLF
        self._segment_starts = {delimiter[0], ord("\r" if crlf else "\n")}
        self._segment_ends = {delimiter[0], ord("\n")}
        self._between = _QUOTE + delimiter + _QUOTE
        self._not_between = bytes(b for b in everything if b not in _BETWEEN + _QUOTE)
        self._outside_table = bytes.maketrans(_BETWEEN, delimiter)
        d = re.escape(delimiter)
        cell = rb'(?:"(?:[^"]++|"")*+"|[^"%b\r\n]*+)' % d
        self._record = re.compile(rb"%b(?:%b%b)*+(\r\n|\n|\r|\Z)" % (cell, d, cell))

    @property
    def is_full(self) -> bool:
        """Whether to stop reading: enough faults were collected, or nothing further can be trusted."""
        return self.lost or len(self.faults) >= FAULTS_KEPT

    def check(self, chunk: bytes, segments: list[bytes] | None = None) -> ChunkFacts | None:
        """Return the facts of the next chunk, or None if anything is wrong in it; then `faults` has grown.

        Args:
            chunk: Records, the last with its ending unless it is faulty.
            segments: What `cut_at_record` made of it, where known.
        """
        facts = None
        if len(chunk) <= INGEST_RECORD_CHARS and _is_utf8(chunk):
            facts = self.count(chunk, segments)
        if facts is None:
            facts = self._look_closely(chunk)
        if facts is not None:
            self.row += facts.rows
            self.line += facts.rows if self.line_is_row else facts.newlines
        self.offset += len(chunk)
        return facts

    def count(self, chunk: bytes, segments: list[bytes] | None = None) -> ChunkFacts | None:
        """Return the facts of a chunk if its records are well formed, else None.

        Args:
            chunk: UTF-8.
            segments: What `cut_at_record` made of it, where known.
        """
        if _QUOTE not in chunk:
            rows = self._rows_of(chunk)
            return None if rows is None else ChunkFacts(rows=rows, newlines=rows)
        if segments is None and self._columns > 1 and is_dense(chunk):
            facts = self._count_dense(chunk)
            if facts is not None:
                return facts
        if segments is None:
            segments = chunk.split(_QUOTE)
            if not len(segments) & 1:
                return None
        outside, inside = segments[::2], segments[1::2]
        if not self._are_cells(outside):
            return None
        # In a single column the newlines of two records would meet; a stand-in for the cell keeps them apart.
        rows = self._rows_of((b"x" if self._columns == 1 else b"").join(outside))
        return None if rows is None else _facts_with_cells(rows, _QUOTE.join(inside))

    def _count_dense(self, chunk: bytes) -> ChunkFacts | None:
        """Return the facts of a chunk most of whose cells are quoted; None if that cannot be told this way.

        Each `","` goes first. It takes two quotes along, so all others open and close what they did before; and one
        that then stands inside of what they enclose closed a cell with its first quote and opened one with its second.
        One that stands outside is no end of a cell but part of one, as in `"a"",""b"`: then this way is given up.
        """
        segments = chunk.replace(self._between, _WIDE_BETWEEN).split(_QUOTE)
        outside, inside = segments[::2], _QUOTE.join(segments[1::2])
        # Few of them differ: most are the newline between two rows.
        kinds = [outside[0], *set(outside[1:])]
        if not len(segments) & 1 or any(_BETWEEN in kind for kind in kinds) or not self._are_cells(kinds):
            return None
        segments[1::2] = inside.translate(None, self._not_between).split(_QUOTE)
        rows = self._rows_of(b"".join(segments))
        return None if rows is None else _facts_with_cells(rows, inside)

    def _are_cells(self, outside: list[bytes]) -> bool:
        """Tell whether what stands between quoted cells begins and ends with a delimiter or newline.

        It may be empty too: that is the place between the two quotes of a doubled one.
        """
        if outside[0] and outside[0][-1] not in self._segment_ends:
            return False
        between = list(filter(None, outside[1:]))
        return self._segment_starts.issuperset(map(_FIRST, between)) and self._segment_ends.issuperset(
            map(_LAST, between)
        )

    def _rows_of(self, outside: bytes) -> int | None:
        """Return the number of rows if what stands outside quotes is that of good rows."""
        skeleton = outside.translate(self._outside_table, self._not_outside)
        rows, rest = divmod(len(skeleton), len(self._skeleton))
        if rest or not self._run.startswith(skeleton):
            return None
        if len(self._newline) == 2 and outside.count(b"\r\n") != rows:
            return None
        if self._columns == 1 and (outside.startswith(self._newline) or self._blank in outside):
            return None
        return rows

    def _look_closely(self, chunk: bytes) -> ChunkFacts | None:
        """Look at each record of a chunk that the fast way did not pass."""
        before = len(self.faults)
        row, line, place = self.row, self.line, 0
        while place < len(chunk) and not self.is_full:
            match = self._record.match(chunk, place)
            if match is None:
                end = chunk.find(b"\n", place) + 1 or len(chunk)
                self._misquoted = True
                self._fault(FaultKind.BAD_QUOTING, line, row, _quoting_text(chunk, place))
            else:
                end = match.end()
                self._check_record(chunk[place:end], match[1], row, line, self.offset + place)
            line += 1 if self.line_is_row else chunk.count(b"\n", place, end)
            row += 1
            place = end
        if len(self.faults) == before:
            # Good records, only so long that the fast way declined.
            return self.count(chunk)
        # A stray quote makes inside and outside change places, and the chunks that follow were cut by that; after a
        # record without an end nothing follows.
        self.lost = self._misquoted or len(chunk) > OVERLONG_BYTES
        self.row, self.line = row, line
        return None

    def _check_record(self, record: bytes, ending: bytes, row: int, line: int, offset: int) -> None:
        try:
            text = record.decode()
        except UnicodeDecodeError as error:
            at = offset + error.start
            message = f"The byte {record[error.start]:#04x} at offset {at} is not UTF-8; if the file has another "
            message += "encoding, say which."
            self._fault(FaultKind.UNDECODABLE, line, row, message, at)
            return
        if len(text) > INGEST_RECORD_CHARS:
            message = f"The record has {len(text)} characters; Salesforce takes {INGEST_RECORD_CHARS}."
            self._fault(FaultKind.TOO_LARGE, line, row, message)
        if not ending:
            # The chunk was cut here for want of an end, so neither ending nor cells say anything.
            return
        if ending != self._newline:
            name = {b"\n": "LF", b"\r\n": "CRLF", b"\r": "a lone carriage return"}[ending]
            message = f"The record ends in {name}, the header in {self._dialect.line_ending}."
            self._fault(FaultKind.MIXED_LINE_ENDING, line, row, message)
        if record == ending:
            self._fault(FaultKind.RAGGED, line, row, "The line is blank.")
            return
        cells = outside_quotes(record).count(self._delimiter) + 1
        if cells != self._columns:
            message = f"The record has {cells} cell{'s' * (cells != 1)}, the header {self._columns}."
            self._fault(FaultKind.RAGGED, line, row, message)

    def _fault(self, kind: FaultKind, line: int, row: int, message: str, offset: int | None = None) -> None:
        if len(self.faults) < FAULTS_KEPT:
            self.faults.append(RecordFault(kind=kind, line=line, row=row, message=message, offset=offset))


def _facts_with_cells(rows: int, inside: bytes) -> ChunkFacts:
    """Return the facts of good rows, given what stands inside their quoted cells."""
    newlines = inside.count(b"\n") if b"\n" in inside else 0
    returns = inside.count(b"\r") if b"\r" in inside else 0
    pairs = inside.count(b"\r\n") if returns else 0
    return ChunkFacts(
        rows=rows,
        newlines=rows + newlines,
        cell_lf=newlines > pairs,
        cell_crlf=pairs > 0,
        cell_cr=returns > pairs,
    )


def _quoting_text(chunk: bytes, place: int) -> str:
    if len(chunk) > OVERLONG_BYTES:
        return "A quoted cell goes on for longer than a record may be; its closing quote seems to be missing."
    if chunk.count(_QUOTE, place) & 1:
        return "A quote stands inside a cell that is not quoted, or a quoted cell is never closed."
    return "A quote stands where none may: a cell with a quote in it must be quoted, and its quotes doubled."


def _is_utf8(chunk: bytes) -> bool:
    if chunk.isascii():
        return True
    try:
        chunk.decode()
    except UnicodeDecodeError:
        return False
    return True
