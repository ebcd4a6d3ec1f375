"""Records as a mapping sends them, beside the file's own; and the results put back beside the file's own records.

A row with a cell that cannot become a value is refused: it is not sent, and it fails with its own reason, while the
others travel.
"""

from __future__ import annotations

import csv
import json
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from orgbridge.loads.checks import ChunkFacts, RecordChecker
from orgbridge.loads.dialect import Dialect
from orgbridge.loads.mapping import Mapping, NullPolicy, Target
from orgbridge.loads.matching import PartMatch, unprocessed_part
from orgbridge.loads.normalising import CellRefused, converter
from orgbridge.loads.outcomes import FAILED
from orgbridge.loads.records import CHUNK_BYTES, parse_chunk, record_chunks
from orgbridge.loads.splitter import LineCount
from orgbridge.wire.bulk import NULL_CELL, LineEnding

Blocks = Callable[[], Iterator[bytes]]
#: How mapped records are written.
SENT_DIALECT: Final = Dialect(delimiter=",", line_ending=LineEnding.LF)
#: Cells of which a converter remembers what they became: dates and truth values repeat.
_REMEMBERED: Final = 4_096


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a row is not sent."""

    #: Place of the row in its part, from 0.
    place: int
    #: Stable code.
    code: str
    #: One sentence.
    message: str
    #: The field at fault.
    field: str

    @property
    def verdict(self) -> bytes:
        """Return what stands for it in a ledger."""
        return FAILED + b"\0" + f"{self.code}:{self.message}:{self.field} --".encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What a part's mapped records are, once all were written."""

    #: Records that are sent.
    rows: int
    #: Their bytes.
    bytes: int
    #: Newlines in their cells.
    facts: ChunkFacts
    #: Records that are not.
    refusals: tuple[Refusal, ...]

    @property
    def upload_line_ending(self) -> LineEnding:
        """What the job's `lineEnding` must be."""
        only_crlf = self.facts.cell_crlf and not self.facts.cell_lf and not self.facts.cell_cr
        return LineEnding.CRLF if only_crlf else LineEnding.LF

    def upload_facts(self, header_bytes: int) -> dict[str, object]:
        """Return how the part is uploaded, in the shape that the store keeps."""
        ending = self.upload_line_ending
        growth = len(ending.chars) - len(LineEnding.LF.chars)
        return {
            "line_ending": LineEnding.LF.value,
            "upload_line_ending": ending.value,
            "upload_bytes": header_bytes + self.bytes + (self.rows + 1) * growth,
            "mixed_cell_newlines": self.facts.cell_cr or (self.facts.cell_lf and self.facts.cell_crlf),
            "sent_rows": self.rows,
        }


class MappedRecords:
    """The mapped form of one part's records. Iterate once, then ask for `sent`."""

    def __init__(self, records: Iterable[bytes], dialect: Dialect, mapping: Mapping) -> None:
        self._records = records
        self._delimiter = dialect.delimiter
        self._mapping = mapping
        self._columns = [_Column(target, mapping) for target in mapping.targets]
        self._checker = RecordChecker(SENT_DIALECT, len(mapping.targets), row=1, line=1, offset=0)
        self._refusals: list[Refusal] = []
        self._facts = ChunkFacts()
        self._bytes = 0

    def __iter__(self) -> Iterator[bytes]:
        place = 0
        for chunk in record_chunks(self._records, size=CHUNK_BYTES):
            rows = list(parse_chunk(chunk.decode(), self._delimiter))
            data = self._mapped(rows, place)
            place += len(rows)
            if data:
                self._facts = self._facts.plus(self._checker.count(data) or ChunkFacts())
                self._bytes += len(data)
                yield data

    @property
    def sent(self) -> Sent:
        """What was written, once all was read."""
        return Sent(rows=self._facts.rows, bytes=self._bytes, facts=self._facts, refusals=tuple(self._refusals))

    def _mapped(self, rows: list[list[str]], first: int) -> bytes:
        by_column = list(zip(*rows, strict=True))
        refused: dict[int, Refusal] = {}
        cells = [column.cells(by_column, len(rows), first, refused) for column in self._columns]
        self._refusals += [refused[place] for place in sorted(refused)]
        out: list[str] = []
        writer = csv.writer(_Lines(out), lineterminator="\r\n")
        writer.writerows(row for place, row in enumerate(zip(*cells, strict=True), first) if place not in refused)
        # Written with CRLF so that cells with either newline are quoted.
        return "".join([f"{line[:-2]}\n" for line in out]).encode()


class _Lines:
    """What the csv module writes rows to: one text per row."""

    def __init__(self, lines: list[str]) -> None:
        self.write = lines.append


class _Column:
    """Makes the cells of one column that is sent."""

    def __init__(self, target: Target, mapping: Mapping) -> None:
        self._target = target
        self._blanks = frozenset({"", *mapping.null_values})
        convert = converter(target.kind, mapping.formats)
        self._convert = None if convert is None else lru_cache(maxsize=_REMEMBERED)(convert)
        self._passes = convert is None and target.nulls is NullPolicy.IGNORE and self._blanks == {""}

    def cells(
        self, by_column: Sequence[Sequence[str]], rows: int, first: int, refused: dict[int, Refusal]
    ) -> Sequence[str]:
        """Return the column's cells, and note the rows that it refuses."""
        if self._target.column is None:
            return [self._target.constant] * rows
        given = by_column[self._target.column]
        if self._passes:
            return given
        made = []
        for place, cell in enumerate(given, first):
            try:
                made.append(self._cell(cell))
            except CellRefused as error:
                made.append("")
                refused.setdefault(
                    place, Refusal(place=place, code=error.code, message=error.message, field=self._target.name)
                )
        return made

    def _cell(self, cell: str) -> str:
        if cell in self._blanks:
            match self._target.nulls:
                case NullPolicy.IGNORE:
                    return ""
                case NullPolicy.CLEAR:
                    return NULL_CELL
                case NullPolicy.ERROR:
                    raise CellRefused("BLANK_VALUE", "The cell is blank, and the null policy of its column is error.")
        if cell == NULL_CELL or self._convert is None:
            return cell
        return self._convert(cell)


#: Cells by column in, cells by column as they are sent out, and the rows that are not sent.
Conversion = Callable[[Sequence[Sequence[str]], int], tuple[list[Sequence[str]], list[Refusal]]]


def mapped_columns(mapping: Mapping) -> Conversion:
    """Return what makes the cells of a file, by column, those that are sent; refused rows keep a blank cell."""
    columns = [_Column(target, mapping) for target in mapping.targets]

    def convert(by_column: Sequence[Sequence[str]], rows: int) -> tuple[list[Sequence[str]], list[Refusal]]:
        refused: dict[int, Refusal] = {}
        cells = [column.cells(by_column, rows, 0, refused) for column in columns]
        return cells, [refused[place] for place in sorted(refused)]

    return convert


def refusal_lines(refusals: Iterable[Refusal]) -> Iterator[bytes]:
    """Yield refusals as NDJSON; `read_refusals` reads them."""
    for refusal in refusals:
        yield json.dumps([refusal.place, refusal.code, refusal.message, refusal.field]).encode() + b"\n"


def read_refusals(blocks: Iterable[bytes]) -> list[Refusal]:
    """Return the refusals of a part."""
    lines = b"".join(blocks).splitlines()
    return [
        Refusal(place=place, code=code, message=message, field=name)
        for place, code, message, name in map(json.loads, lines)
    ]


def restored(
    found: PartMatch | None,
    refusals: Sequence[Refusal],
    *,
    records: Blocks,
    dialect: Dialect,
    first_row: int,
    first_line: int,
    line_count: LineCount,
) -> PartMatch:
    """Return the outcomes of mapped records as those of the file's own records, the refused among them.

    Args:
        found: The outcomes of the records that were sent; None when none was.
        refusals: The records that were not.
        records: Opens the file's own records of the part.
        dialect: How these are written.
        first_row: Number of the first of them in the input, from 1.
        first_line: Line on which it begins.
        line_count: What line numbers count.
    """
    own = unprocessed_part(
        records=records,
        dialect=dialect,
        first_row=first_row,
        first_line=first_line,
        error_code="",
        error_message="",
        line_count=line_count,
        attempt=1 if found is None else found.ledger.attempt,
    )
    verdicts: list[bytes | None] = list(own.ledger.verdicts)
    ambiguous = bytearray(len(verdicts))
    places = array("Q", sorted(set(range(len(verdicts))).difference(refusal.place for refusal in refusals)))
    for refusal in refusals:
        verdicts[refusal.place] = refusal.verdict
    if found is not None:
        for place, verdict, doubt in zip(places, found.ledger.verdicts, found.ledger.ambiguous, strict=True):
            verdicts[place] = verdict
            ambiguous[place] = doubt
    base = own if found is None else found
    ledger = replace(base.ledger, lines=own.ledger.lines, verdicts=verdicts, ambiguous=ambiguous)
    return replace(
        base,
        rows=own.rows,
        failed=(0 if found is None else found.failed) + len(refusals),
        unprocessed=0 if found is None else found.unprocessed,
        errors=ledger.errors(),
        ledger=ledger,
        records=records,
        dialect=dialect,
    )
