"""From what callers send to one canonical form: UTF-8 CSV without a byte order mark.

CSV keeps its bytes, its delimiter and its line ending (in another encoding: its characters). JSON and NDJSON become CSV
with commas and LF; they are read twice, for the first record does not name all columns. gzip and zip are unpacked on
the way. Memory is constant in all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePath
from typing import BinaryIO, Final, assert_never

from orgbridge.loads.archives import UnpackLimits, gunzip, is_gzip, is_zip, zip_member
from orgbridge.loads.dialect import HEAD_BYTES, Dialect, Encoding, detect_encoding, read_header
from orgbridge.loads.errors import EmptyInput, HeaderOnly, UnsupportedFormat
from orgbridge.loads.jsonrecords import Record, array_records, csv_blocks, csv_record, line_records, union_of_keys
from orgbridge.loads.splitter import LineCount
from orgbridge.loads.transcoding import skip_bytes, to_utf8
from orgbridge.wire.bulk import LineEnding

Blocks = Callable[[], Iterator[bytes]]

_FOREIGN: Final = (
    (b"PAR1", "Parquet"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
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

    def blocks(self) -> Iterator[bytes]:
        """Yield the whole CSV, header included."""
        yield self.header_record
        yield from self.records()


def detect_format(name: str, content_type: str | None, head: bytes) -> InputFormat:
    """Return what an input is, by its name, else by its content type, else by its first character.

    Args:
        name: Name of the file; `.gz` at its end does not count.
        content_type: As in HTTP, parameters and all.
        head: First bytes, unpacked, as UTF-8 without a byte order mark.

    Raises:
        UnsupportedFormat: It is of a known other format.
    """
    for magic, called in _FOREIGN:
        if head.startswith(magic):
            raise UnsupportedFormat(f"The input is {called}; send CSV, a JSON array or NDJSON.")
    path = PurePath(name.lower())
    suffix = path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix
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
    open_file: Callable[[], BinaryIO] | None = None,
    limits: UnpackLimits | None = None,
) -> CSVSource:
    """Open an input as UTF-8 CSV.

    Of CSV only the first MiB is read; of JSON and NDJSON all of it, for the union of the keys.

    Args:
        blocks: Opens the input anew; bytes as they came.
        name: Name of the file, for its suffix.
        content_type: As in HTTP.
        encoding: The caller's word; needed for anything but UTF-8 and UTF-16 with a byte order mark.
        delimiter: The caller's word, of a CSV; detected if None.
        open_file: Opens the input as a seekable file; needed for zip only, whose directory is at its end.
        limits: What an archive may grow to.

    Raises:
        InputError: The subclass says what is wrong.
    """
    limits = limits or UnpackLimits()
    magic = _take(blocks(), 8)
    unpacked = blocks
    if is_gzip(magic):
        unpacked = lambda: gunzip(blocks(), limits)  # noqa: E731
    elif is_zip(magic):
        if open_file is None:
            raise UnsupportedFormat("A zip can be read only from a file; send gzip, or the CSV itself.")
        member = zip_member(open_file, limits)
        unpacked, name, content_type = member.blocks, member.name, None
    text = detect_encoding(_take(unpacked(), 4), encoding)

    def utf8() -> Iterator[bytes]:
        return to_utf8(unpacked(), text)

    head = _take(utf8(), HEAD_BYTES)
    if not head.strip():
        raise EmptyInput
    found = detect_format(name, content_type, head)
    match found:
        case InputFormat.CSV:
            return _csv_source(utf8, head, text, delimiter)
        case InputFormat.JSON:
            return _json_source(InputFormat.JSON, lambda: array_records(utf8()), text)
        case InputFormat.NDJSON:
            return _json_source(InputFormat.NDJSON, lambda: line_records(utf8()), text)
        case _:
            assert_never(found)


def _csv_source(utf8: Blocks, head: bytes, encoding: Encoding, delimiter: str | None) -> CSVSource:
    header = read_header(head, encoding, delimiter=delimiter)
    size = len(header.record)
    if len(head) == size:
        raise HeaderOnly
    return CSVSource(
        format=InputFormat.CSV,
        dialect=header.dialect,
        header=header.names,
        header_record=header.record,
        first_line=1 + header.lines,
        first_offset=encoding.mark_bytes + size,
        line_count=LineCount.PHYSICAL,
        records=lambda: skip_bytes(utf8(), size),
    )


def _json_source(kind: InputFormat, open_records: Callable[[], Iterator[Record]], encoding: Encoding) -> CSVSource:
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
