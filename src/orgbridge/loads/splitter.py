"""Cut a CSV into parts on record boundaries, byte-exact, checking every record."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from orgbridge.loads.dialect import Dialect
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


#: The splitter yields, per part: one `PartStart`, the blocks of its record bytes (header not included), one `Part`.
SplitEvent = PartStart | bytes | Part


def split_records(
    blocks: Iterator[bytes],
    dialect: Dialect,
    *,
    header_record: bytes,
    columns: int,
    max_rows: int,
    max_bytes: int,
    first_line: int = 2,
    first_offset: int = 0,
    line_count: LineCount = LineCount.PHYSICAL,
) -> Iterator[SplitEvent]:
    """Cut the records of a CSV (its header already taken off) into parts. `blocks` = CSVSource.records()."""
    raise KeyError


def upload_body(records: Iterator[bytes], part: Part, *, header_record: bytes) -> Iterator[bytes]:
    """Yield the body of a part's upload: header and records, with the part's `upload_line_ending`."""
    raise KeyError
