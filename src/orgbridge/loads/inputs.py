"""From what callers send to one canonical form: UTF-8 CSV without a byte order mark."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import BinaryIO

from orgbridge.loads.dialect import Dialect
from orgbridge.loads.splitter import LineCount

Blocks = Callable[[], Iterator[bytes]]


class InputFormat(StrEnum):
    """What an input is once unpacked."""

    CSV = "CSV"
    JSON = "JSON"
    NDJSON = "NDJSON"


@dataclass(frozen=True, slots=True, kw_only=True)
class CSVSource:
    """An input as UTF-8 CSV, readable any number of times."""

    #: What the input was.
    format: InputFormat
    #: How its records are written.
    dialect: Dialect
    #: Names of the columns, in order.
    header: tuple[str, ...]
    #: The header as it stands in the CSV, record ending included.
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
    """Return what an input is."""
    raise KeyError


def open_input(
    blocks: Blocks,
    *,
    name: str = "",
    content_type: str | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
    open_file: Callable[[], BinaryIO] | None = None,
) -> CSVSource:
    """Open an input as UTF-8 CSV. Raises InputError subclasses. `open_file` is needed for zip only."""
    raise KeyError
