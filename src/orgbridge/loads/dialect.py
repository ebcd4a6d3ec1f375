"""How a CSV is written: encoding, delimiter, record ending and header, told from its first bytes.

Nothing is guessed. The encoding is UTF-8, or what a byte order mark says, or what the caller says; the delimiter is the
one of Salesforce's six that splits the header, or what the caller says; the record ending is the header's own.
"""

from __future__ import annotations

import codecs
import csv
import re
from dataclasses import dataclass
from typing import Final

from orgbridge.loads.errors import (
    BadHeader,
    BadQuoting,
    BlankHeaderName,
    DuplicateHeader,
    EmptyInput,
    FaultKind,
    HeaderOnly,
    HeaderTooLong,
    RecordFault,
    UndecodableBytes,
    UnknownDelimiter,
    UnsupportedEncoding,
    UnsupportedLineEnding,
)
from orgbridge.wire.bulk import DELIMITER_NAMES, ColumnDelimiter, LineEnding
from orgbridge.wire.limits import INGEST_HEADER_CHARS

#: Bytes of the input that detection looks at, at most.
HEAD_BYTES: Final = 1 << 20
UTF8: Final = "utf-8"

# UTF-32 first: its little-endian mark begins with that of UTF-16.
_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, UTF8),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
#: Bytes of the byte order mark by encoding.
MARK_BYTES: Final = {name: len(mark) for mark, name in _MARKS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How the records of one CSV are written."""

    #: One of Salesforce's six delimiters.
    delimiter: str
    #: How records end.
    line_ending: LineEnding
    #: The quote; Salesforce knows no other.
    quote: str = '"'
    #: Encoding of the original stream, by Python's name; what `CSVSource` gives out is always UTF-8.
    encoding: str = UTF8
    #: Whether the original stream began with a byte order mark.
    has_bom: bool = False

    @property
    def column_delimiter(self) -> ColumnDelimiter:
        """The name that an ingest job has for the delimiter."""
        return DELIMITER_NAMES[self.delimiter]
