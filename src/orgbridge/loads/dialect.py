"""How a CSV is written: encoding, delimiter, record ending and header, told from its first bytes.

Nothing is guessed without evidence. The encoding is what a byte order mark or the caller says, else UTF-8 where the
bytes are that, else UTF-16 where every other byte is a NUL, else Windows-1252 where the bytes read as words in it and
as nothing in UTF-8; the delimiter is the one of Salesforce's six that splits the header, or what the caller says; the
record ending is the header's own.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from typing import Any, Final

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
from orgbridge.loads.records import cut_at_record, outside_quotes, parse_chunk, split_chunk
from orgbridge.wire.bulk import DELIMITER_NAMES, ColumnDelimiter, LineEnding
from orgbridge.wire.limits import INGEST_HEADER_CHARS, INGEST_RECORD_FIELDS

#: Bytes of the input that detection looks at, at most.
HEAD_BYTES: Final = 1 << 20
UTF8: Final = "utf-8"
WINDOWS: Final = "cp1252"
#: Bytes that the order of UTF-16 is told from.
_SAMPLE_BYTES: Final = 4096
#: A letter of UTF-8 of more than one byte.
_MULTIBYTE: Final = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
#: What no text in Windows-1252 holds: its five unused codes, control characters, a thorn or a y with diaeresis beside
#: others of their kind (the bytes of a UTF-16 mark), or four high bytes in a row.
_NOT_WINDOWS: Final = re.compile(rb"[\x81\x8d\x8f\x90\x9d\x00-\x08\x0b\x0c\x0e-\x1f]|[\xfe\xff]{2}|[\x80-\xff]{4}")

# UTF-32 first: its little-endian mark begins with that of UTF-16.
_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, UTF8),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_SIX: Final = ", ".join(repr(char) for char in DELIMITER_NAMES)
#: An API name, a path of them, or a label.
_PLAIN_NAME: Final = re.compile(r"[\w.:]+(?:[ -][\w.:]+)*")
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """How the bytes of an input are text."""

    #: Python's name, lower case.
    name: str
    #: Whether a byte order mark stands before the text.
    has_bom: bool

    @property
    def mark_bytes(self) -> int:
        """Bytes of the byte order mark."""
        return MARK_BYTES[self.name] if self.has_bom else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The first record of a CSV."""

    #: Names of the columns, quotes taken off.
    names: tuple[str, ...]
    #: The record as UTF-8, with its line ending, byte order mark taken off.
    record: bytes
    #: How it is written.
    dialect: Dialect

    @property
    def lines(self) -> int:
        """Lines that it takes up."""
        return self.record.count(b"\n")


def detect_encoding(head: bytes, encoding: str | None = None) -> Encoding:
    """Return the encoding that the byte order mark or the caller says, else the one that the bytes show.

    Args:
        head: First bytes of the input; the more, the surer.
        encoding: The caller's word.

    Raises:
        UnsupportedEncoding: The name is not known, or the mark contradicts it, or the text is UTF-32, or looks like
            UTF-16 but in which order cannot be told.
    """
    marked = next((name for mark, name in _MARKS if head.startswith(mark)), None)
    if marked is not None and marked.startswith("utf-32"):
        raise UnsupportedEncoding("The byte order mark says UTF-32; save the file as UTF-8 or UTF-16.")
    said = None if encoding is None else _encoding_name(encoding)
    if marked is None:
        if said == "utf-16":
            raise UnsupportedEncoding("UTF-16 without a byte order mark: say utf-16-le or utf-16-be.")
        if said is None:
            return Encoding(name=_unmarked(head), has_bom=False)
        return Encoding(name=said, has_bom=False)
    if said is not None and said != marked and not (said == "utf-16" and marked.startswith(said)):
        raise UnsupportedEncoding(f"The byte order mark says {marked}, the caller {said}.")
    return Encoding(name=marked, has_bom=True)


def _unmarked(head: bytes) -> str:
    """Return the encoding of a text without a byte order mark."""
    if b"\0" in head[:_SAMPLE_BYTES]:
        return _utf16_order(head[:_SAMPLE_BYTES])
    if head.isascii():
        return UTF8
    try:
        codecs.getincrementaldecoder(UTF8)("strict").decode(head)
    except UnicodeDecodeError:
        # A few letters of UTF-8 among others mean a file pasted together, which no single encoding reads.
        return WINDOWS if not _MULTIBYTE.search(head) and not _NOT_WINDOWS.search(head) else UTF8
    return UTF8


def _utf16_order(head: bytes) -> str:
    """Return which UTF-16 a text is that holds NULs: the half of each pair that is mostly NUL is the high one."""
    even, odd = head[::2].count(0), head[1::2].count(0)
    pairs = max(1, len(head) // 2)
    if odd * 2 > pairs and even * 20 < pairs:
        return "utf-16-le"
    if even * 2 > pairs and odd * 20 < pairs:
        return "utf-16-be"
    raise UnsupportedEncoding(
        "The file holds NUL bytes; if it is UTF-16 without a byte order mark, say utf-16-le or utf-16-be."
    )


def _encoding_name(encoding: str) -> str:
    try:
        name = codecs.lookup(encoding).name
        is_text = isinstance("".encode(name), bytes) and b"a".decode(name, "ignore") is not None
    except (LookupError, ValueError):
        is_text, name = False, encoding
    if not is_text:
        raise UnsupportedEncoding(f"No text encoding is called {encoding!r}.")
    return {"utf-8-sig": UTF8}.get(name, name)


def detect_dialect(head: bytes, *, encoding: str | None = None, delimiter: str | None = None) -> Dialect:
    """Return how a CSV is written, told from its first bytes.

    Args:
        head: The first `HEAD_BYTES` of the input as they came, or all of it.
        encoding: The caller's word; needed for anything but UTF-8 and UTF-16 with a byte order mark.
        delimiter: The caller's word; one of Salesforce's six.

    Raises:
        InputError: The subclass says what is wrong: encoding, line ending, delimiter, or the header itself.
    """
    found = detect_encoding(head, encoding)
    text = codecs.getincrementaldecoder(found.name)("replace").decode(head[found.mark_bytes :])
    return read_header(text.encode("utf-8", "replace"), found, delimiter=delimiter).dialect


def read_header(head: bytes, encoding: Encoding, *, delimiter: str | None = None) -> Header:
    """Return the header of a CSV.

    Args:
        head: First bytes of the CSV as UTF-8 without a byte order mark: all of it, or at least the longest header that
            Salesforce takes.
        encoding: What the input was before.
        delimiter: The caller's word.

    Raises:
        InputError: The subclass says what is wrong.
    """
    if not head.strip(b"\r\n"):
        raise EmptyInput
    record = _first_record(head)
    try:
        text = record.decode()
    except UnicodeDecodeError as error:
        raise _undecodable(error, encoding) from None
    if len(text) > INGEST_HEADER_CHARS:
        raise HeaderTooLong(f"The header has {len(text)} characters; Salesforce takes {INGEST_HEADER_CHARS}.")
    ending = LineEnding.CRLF if record.endswith(b"\r\n") else LineEnding.LF
    found = _delimiter(head, record, delimiter)
    _check_quoting(text, found)
    names = tuple(next(iter(parse_chunk(text, found)), ()))
    if not names:
        raise BlankHeaderName("The first line is blank where the header should be.")
    check_names(names)
    dialect = Dialect(delimiter=found, line_ending=ending, encoding=encoding.name, has_bom=encoding.has_bom)
    return Header(names=names, record=record, dialect=dialect)


def _undecodable(error: UnicodeDecodeError, encoding: Encoding) -> UndecodableBytes:
    at = encoding.mark_bytes + error.start
    message = f"The byte {error.object[error.start]:#04x} at offset {at} is not UTF-8; if the file has another "
    message += "encoding, say which."
    return UndecodableBytes([RecordFault(kind=FaultKind.UNDECODABLE, line=1, row=0, message=message, offset=at)])


def _first_record(head: bytes) -> bytes:
    """Return the header with its line ending."""
    place = 0
    while newline := head.find(b"\n", place) + 1:
        if not head.count(b'"', 0, newline) & 1:
            break
        place = newline
    record = head[:newline] if newline else head
    outside = outside_quotes(record)
    if b"\r" in outside.removesuffix(b"\r\n"):
        raise UnsupportedLineEnding(
            "The header ends in a lone carriage return; Salesforce takes LF and CRLF, so save it with one of these."
        )
    if newline:
        return record
    if len(head) > INGEST_HEADER_CHARS:
        raise HeaderTooLong(f"The header has no end within {INGEST_HEADER_CHARS} characters.")
    if record.count(b'"') & 1:
        message = "A quoted name in the header is never closed."
        raise BadQuoting([RecordFault(kind=FaultKind.BAD_QUOTING, line=1, row=0, message=message)])
    raise HeaderOnly("The input holds one line without a newline: a header and no records.")


def _delimiter(head: bytes, record: bytes, said: str | None) -> str:
    if said is not None:
        if said not in DELIMITER_NAMES:
            raise UnknownDelimiter(f"{said!r} is none of Salesforce's delimiters: {_SIX}.")
        return said
    outside = outside_quotes(record)
    present = [char for char in DELIMITER_NAMES if char.encode() in outside]
    if not present:
        # A single column is legal, but its name must then look like one.
        name = outside.strip().decode()
        if name and not _PLAIN_NAME.fullmatch(name):
            raise UnknownDelimiter(
                f"The header {name[:80]!r} holds none of Salesforce's delimiters ({_SIX}) and is no column's name."
            )
        return ","
    if len(present) == 1:
        return present[0]
    regular = [char for char in present if _is_regular(head, record, char)]
    if len(regular) == 1:
        return regular[0]
    named = " and ".join(repr(char) for char in (regular or present))
    raise UnknownDelimiter(f"The header could be split at {named}; say which delimiter the file has.")


def _is_regular(head: bytes, record: bytes, char: str) -> bool:
    """Tell whether all whole records of the head have as many of a character outside quotes as the header."""
    mark = char.encode()
    wanted = outside_quotes(record).count(mark)
    return all(outside_quotes(line).count(mark) == wanted for line in split_chunk(head[: cut_at_record(head)[0]]))


def _check_quoting(text: str, delimiter: str) -> None:
    d = re.escape(delimiter)
    cell = rf'(?:"(?:[^"]++|"")*+"|[^"{d}\r\n]*+)'
    if not re.fullmatch(rf"{cell}(?:{d}{cell})*+\r?\n", text):
        message = "A quote stands where none may in the header."
        raise BadQuoting([RecordFault(kind=FaultKind.BAD_QUOTING, line=1, row=0, message=message)])


def check_names(names: tuple[str, ...]) -> None:
    """Refuse names that cannot head columns.

    Args:
        names: In the order of the columns.

    Raises:
        BlankHeaderName: One of them is blank.
        DuplicateHeader: Two of them are the same but for case.
        BadHeader: There are more than Salesforce takes, or one holds a control character.
    """
    seen: dict[str, int] = {}
    for place, name in enumerate(names, 1):
        if not name.strip():
            raise BlankHeaderName(f"Column {place} has no name.")
        if any(char < " " for char in name):
            raise BadHeader(f"The name of column {place}, {name!r}, holds a control character.")
        first = seen.setdefault(name.casefold(), place)
        if first != place:
            raise DuplicateHeader(f"The columns {first} and {place} are both named {name!r}.", details=_repeated(names))
    if len(names) > INGEST_RECORD_FIELDS:
        raise BadHeader(f"The header names {len(names)} columns; Salesforce takes {INGEST_RECORD_FIELDS}.")


def _repeated(names: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return each column whose name another one before it has."""
    places: dict[str, int] = {}
    found = []
    for place, name in enumerate(names, 1):
        first = places.setdefault(name.casefold(), place)
        if first != place:
            message = f"The columns {first} and {place} are both named {name!r}."
            found.append({"line": 1, "field": name, "code": DuplicateHeader.code, "message": message})
    return found
