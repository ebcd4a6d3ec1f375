"""From what callers send to one canonical form: UTF-8 CSV without a byte order mark.

CSV keeps its bytes, its delimiter and its line ending (in another encoding: its characters). JSON, NDJSON, Parquet and
XLSX become CSV with commas and LF; JSON is read twice, for the first record does not name all columns, unless these are
known from an earlier reading. gzip, zstd and zip are unpacked on the way. Memory is constant in all of it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePath
from typing import BinaryIO, Final, assert_never

from orgbridge.loads.archives import UnpackLimits, gunzip, is_gzip, is_zip, is_zstd, unzstd, zip_member
from orgbridge.loads.dialect import HEAD_BYTES, UTF8, WINDOWS, Dialect, Encoding, detect_encoding, read_header
from orgbridge.loads.errors import EmptyInput, HeaderOnly, UnsupportedFormat
from orgbridge.loads.jsonrecords import Record, array_records, csv_blocks, csv_record, line_records, union_of_keys
from orgbridge.loads.parquet import PARQUET_MAGIC, parquet_table
from orgbridge.loads.splitter import LineCount
from orgbridge.loads.spreadsheets import is_workbook, sheet_table
from orgbridge.loads.tables import Table
from orgbridge.loads.transcoding import skip_bytes, to_utf8
from orgbridge.wire.bulk import LineEnding

Blocks = Callable[[], Iterator[bytes]]

_FOREIGN: Final = (
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ", "xz"),
    (b"7z\xbc\xaf", "7-Zip"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook"),
    (b"%PDF", "PDF"),
)


class InputFormat(StrEnum):
    """What an input is once unpacked."""

    CSV = "CSV"
    JSON = "JSON"
    NDJSON = "NDJSON"
    PARQUET = "Parquet"
    XLSX = "XLSX"

    @property
    def is_typed(self) -> bool:
        """Whether its cells have types of their own, so that the fields' types say how they are written."""
        return self in (InputFormat.PARQUET, InputFormat.XLSX)


_BY_SUFFIX: Final = {
    ".csv": InputFormat.CSV,
    ".tsv": InputFormat.CSV,
    ".ndjson": InputFormat.NDJSON,
    ".jsonl": InputFormat.NDJSON,
}
_BY_TYPE: Final = {
    "text/csv": InputFormat.CSV,
    "text/tab-separated-values": InputFormat.CSV,
    "application/x-ndjson": InputFormat.NDJSON,
    "application/ndjson": InputFormat.NDJSON,
    "application/jsonl": InputFormat.NDJSON,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CSVSource:
    """An input as UTF-8 CSV, readable any number of times."""

    #: What the input was.
    format: InputFormat
    #: How its records are written.
    dialect: Dialect
    #: Names of the columns, in order.
    header: tuple[str, ...]
    #: The header as it stands in the CSV, line ending included.
    header_record: bytes
    #: Line on which the first record begins, from 1.
    first_line: int
    #: Where the first record begins in the original (unpacked) stream, for offsets in errors.
    first_offset: int
    #: What line numbers of this input count.
    line_count: LineCount
    #: Opens the records anew: UTF-8, header not included.
    records: Blocks
    #: Opens the records anew from a byte of theirs on, without reading what is before it; None where that cannot be.
    records_at: Callable[[int], Iterator[bytes]] | None = None
    #: How many records there are, where the input says so itself.
    rows: int | None = None

    def records_from(self, start: int) -> Iterator[bytes]:
        """Yield the records from a byte of theirs on."""
        if self.records_at is not None:
            return self.records_at(start)
        return skip_bytes(self.records(), start)

    def blocks(self) -> Iterator[bytes]:
        """Yield the whole CSV, header included."""
        yield self.header_record
        yield from self.records()


def detect_format(name: str, content_type: str | None, head: bytes) -> InputFormat:
    """Return what an input is, by its name, else by its content type, else by its first character.

    Args:
        name: Name of the file; `.gz` or `.zst` at its end does not count.
        content_type: As in HTTP, parameters and all.
        head: First bytes, unpacked, as UTF-8 without a byte order mark.

    Raises:
        UnsupportedFormat: It is of a known other format.
    """
    for magic, called in _FOREIGN:
        if head.startswith(magic):
            raise UnsupportedFormat(f"The input is {called}; send CSV, a JSON array, NDJSON, Parquet or XLSX.")
    path = PurePath(name.lower())
    suffix = path.with_suffix("").suffix if path.suffix in (".gz", ".zst") else path.suffix
    said = (content_type or "").partition(";")[0].strip().lower()
    found = _BY_SUFFIX.get(suffix) or _BY_TYPE.get(said)
    if found is not None:
        return found
    first = head.lstrip(b" \t\r\n")[:1]
    if first == b"[" or (first == b"{" and suffix != ".txt"):
        # One object a line is often called .json or application/json too.
        return InputFormat.JSON if first == b"[" else InputFormat.NDJSON
    if suffix == ".json" or said == "application/json":
        return InputFormat.JSON
    return InputFormat.CSV


def open_input(
    blocks: Blocks,
    *,
    name: str = "",
    content_type: str | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
    sheet: str | None = None,
    columns: tuple[str, ...] | None = None,
    blocks_at: Callable[[int], Iterator[bytes]] | None = None,
    open_file: Callable[[], BinaryIO] | None = None,
    limits: UnpackLimits | None = None,
) -> CSVSource:
    """Open an input as UTF-8 CSV.

    Of CSV only the first MiB is read; of JSON and NDJSON all of it, for the union of the keys, unless `columns` is
    given.

    Args:
        blocks: Opens the input anew; bytes as they came.
        name: Name of the file, for its suffix.
        content_type: As in HTTP.
        encoding: The caller's word; needed where the first MiB does not tell.
        delimiter: The caller's word, of a CSV; detected if None.
        sheet: Which sheet of a workbook; the first if None.
        columns: Columns of a JSON input, as an earlier opening of the same bytes found them.
        blocks_at: Opens the input anew from a byte on.
        open_file: Opens the input as a seekable file; needed for zip, Parquet and XLSX, whose directory is at the end.
        limits: What an archive may grow to.

    Raises:
        InputError: The subclass says what is wrong.
    """
    limits = limits or UnpackLimits()
    magic = _take(blocks(), 8)
    unpacked = blocks
    if is_gzip(magic):
        unpacked = lambda: gunzip(blocks(), limits)  # noqa: E731
    elif is_zstd(magic):
        unpacked = lambda: unzstd(blocks(), limits)  # noqa: E731
    elif is_zip(magic):
        if open_file is None:
            raise UnsupportedFormat("A zip can be read only from a file; send gzip, or the CSV itself.")
        if is_workbook(open_file):
            spool: Callable[[], BinaryIO] = tempfile.TemporaryFile
            return _table_source(InputFormat.XLSX, sheet_table(open_file, limits, spool, sheet=sheet))
        member = zip_member(open_file, limits)
        unpacked, name, content_type = member.blocks, member.name, None
    elif magic.startswith(PARQUET_MAGIC):
        if open_file is None:
            raise UnsupportedFormat("Parquet can be read only from a file.")
        return _table_source(InputFormat.PARQUET, parquet_table(open_file))
    raw = _take(unpacked(), HEAD_BYTES)
    text = detect_encoding(raw, encoding)
    if text.name == WINDOWS and encoding is None and raw.lstrip()[:1] in (b"[", b"{"):
        # JSON is Unicode by its own definition (RFC 8259, section 8.1).
        text = Encoding(name=UTF8, has_bom=False)

    def utf8() -> Iterator[bytes]:
        return to_utf8(unpacked(), text)

    head = _take(utf8(), HEAD_BYTES)
    if not head.strip():
        raise EmptyInput
    found = detect_format(name, content_type, head)
    match found:
        case InputFormat.CSV:
            seekable = blocks_at if unpacked is blocks and text.name == UTF8 else None
            return _csv_source(utf8, head, text, delimiter, seekable)
        case InputFormat.JSON:
            return _json_source(InputFormat.JSON, lambda: array_records(utf8()), text, columns)
        case InputFormat.NDJSON:
            return _json_source(InputFormat.NDJSON, lambda: line_records(utf8()), text, columns)
        case InputFormat.PARQUET | InputFormat.XLSX:
            raise UnsupportedFormat(f"{found} must be sent as it is, not packed again.")
        case _:
            assert_never(found)


def _csv_source(
    utf8: Blocks,
    head: bytes,
    encoding: Encoding,
    delimiter: str | None,
    blocks_at: Callable[[int], Iterator[bytes]] | None,
) -> CSVSource:
    header = read_header(head, encoding, delimiter=delimiter)
    size = len(header.record)
    if len(head) == size:
        raise HeaderOnly
    first = encoding.mark_bytes + size
    return CSVSource(
        format=InputFormat.CSV,
        dialect=header.dialect,
        header=header.names,
        header_record=header.record,
        first_line=1 + header.lines,
        first_offset=first,
        line_count=LineCount.PHYSICAL,
        records=lambda: skip_bytes(utf8(), size),
        records_at=None if blocks_at is None else lambda start: blocks_at(first + start),
    )


def _table_source(kind: InputFormat, table: Table) -> CSVSource:
    return CSVSource(
        format=kind,
        dialect=Dialect(delimiter=",", line_ending=LineEnding.LF, encoding=UTF8, has_bom=False),
        header=table.columns,
        header_record=csv_record(table.columns),
        first_line=table.first_line,
        first_offset=0,
        line_count=LineCount.RECORD,
        records=table.blocks,
        rows=table.rows,
    )


def _json_source(
    kind: InputFormat,
    open_records: Callable[[], Iterator[Record]],
    encoding: Encoding,
    columns: tuple[str, ...] | None,
) -> CSVSource:
    if columns is None:
        columns = union_of_keys(open_records())
    return CSVSource(
        format=kind,
        dialect=Dialect(delimiter=",", line_ending=LineEnding.LF, encoding=encoding.name, has_bom=encoding.has_bom),
        header=columns,
        header_record=csv_record(columns),
        first_line=1,
        first_offset=0,
        line_count=LineCount.RECORD,
        records=lambda: csv_blocks(open_records, columns),
    )


def _take(blocks: Iterable[bytes], size: int) -> bytes:
    """Return the first `size` bytes, or all there are."""
    held = bytearray()
    for block in blocks:
        held += block
        if len(held) >= size:
            break
    return bytes(held[:size])
