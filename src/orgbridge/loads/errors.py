"""What can be wrong with an input, a transition or a result, as errors.

OrgbridgeError
+-- LoadError
    +-- InputError                 the input cannot be loaded; nothing of it was sent
    |   +-- EmptyInput
    |   +-- HeaderOnly
    |   +-- BadHeader
    |   |   +-- DuplicateHeader
    |   |   +-- BlankHeaderName
    |   |   +-- HeaderTooLong
    |   +-- UnknownDelimiter
    |   +-- UnsupportedLineEnding
    |   +-- UnsupportedEncoding
    |   +-- UnsupportedFormat
    |   +-- BadArchive
    |   |   +-- ArchiveTooLarge
    |   +-- BadTable
    |   |   +-- UnknownSheet
    |   +-- BadMapping
    |   +-- BadJSON
    |   |   +-- UnsupportedValue
    |   +-- FaultyRecords          records of more than one kind of fault
    |       +-- RaggedRows
    |       +-- BadQuoting
    |       +-- MixedLineEndings
    |       +-- RecordTooLarge
    |       +-- UndecodableBytes
    +-- PartLimitTooSmall          asked for parts that no record fits into
    +-- IllegalTransition          the state machine has no such arrow
    +-- UnreadableResults          a results file of Salesforce does not hold what it must
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar

from orgbridge.kit.errors import ErrorKind, OrgbridgeError

#: Faults that one error carries; the count of all that were seen is kept beside them.
FAULTS_KEPT = 100


class LoadError(OrgbridgeError):
    """The load cannot go on."""

    code: ClassVar[str] = "load.invalid"
    kind: ClassVar[ErrorKind] = ErrorKind.INVALID


class InputError(LoadError):
    """The input cannot be loaded; nothing of it was sent."""

    code: ClassVar[str] = "input.invalid"


class EmptyInput(InputError):
    """The input holds no bytes, or nothing but a byte order mark and blank lines."""

    code: ClassVar[str] = "input.empty"


class HeaderOnly(InputError):
    """The input holds a header and no records."""

    code: ClassVar[str] = "input.header_only"


class BadHeader(InputError):
    """The header cannot name columns."""

    code: ClassVar[str] = "input.bad_header"


class DuplicateHeader(BadHeader):
    """A column is named twice; Salesforce reads names without regard to case."""

    code: ClassVar[str] = "input.duplicate_header"


class BlankHeaderName(BadHeader):
    """A column has no name."""

    code: ClassVar[str] = "input.blank_header_name"


class HeaderTooLong(BadHeader):
    """The header is longer than Salesforce takes."""

    code: ClassVar[str] = "input.header_too_long"


class UnknownDelimiter(InputError):
    """The delimiter cannot be told from the header."""

    code: ClassVar[str] = "input.unknown_delimiter"


class UnsupportedLineEnding(InputError):
    """Records end in a lone carriage return; Salesforce takes LF and CRLF."""

    code: ClassVar[str] = "input.unsupported_line_ending"


class UnsupportedEncoding(InputError):
    """The encoding is not known, or the byte order mark contradicts it."""

    code: ClassVar[str] = "input.unsupported_encoding"


class UnsupportedFormat(InputError):
    """The input is none of CSV, JSON array, NDJSON, Parquet, XLSX, nor one of these in gzip, zstd or zip."""

    code: ClassVar[str] = "input.unsupported_format"


class BadArchive(InputError):
    """The gzip, zstd or zip cannot be unpacked."""

    code: ClassVar[str] = "input.bad_archive"


class ArchiveTooLarge(BadArchive):
    """The archive unpacks to more than it may."""

    code: ClassVar[str] = "input.archive_too_large"
    kind: ClassVar[ErrorKind] = ErrorKind.TOO_LARGE


class BadTable(InputError):
    """The Parquet file or the workbook cannot be read.

    Attributes:
        record: Number of the record at which it breaks off, from 1; None when nothing can be read.
    """

    code: ClassVar[str] = "input.bad_table"

    def __init__(self, message: str | None = None, *, record: int | None = None) -> None:
        self.record = record
        details = [] if record is None else [{"line": record, "code": self.code, "message": message or ""}]
        super().__init__(message, details=details)


class UnknownSheet(BadTable):
    """The workbook has no such sheet."""

    code: ClassVar[str] = "input.unknown_sheet"


class BadMapping(InputError):
    """The mapping of columns to fields cannot be read or does not fit."""

    code: ClassVar[str] = "input.bad_mapping"


class BadJSON(InputError):
    """The JSON cannot be read as records.

    Attributes:
        record: Number of the array element or NDJSON line, from 1.
    """

    code: ClassVar[str] = "input.bad_json"

    def __init__(self, message: str | None = None, *, record: int | None = None) -> None:
        self.record = record
        details = [] if record is None else [{"line": record, "code": self.code, "message": message or ""}]
        super().__init__(message, details=details)


class UnsupportedValue(BadJSON):
    """A JSON value has no form in a Bulk API CSV."""

    code: ClassVar[str] = "input.unsupported_value"


class FaultKind(StrEnum):
    """What is wrong with one record."""

    RAGGED = "ragged_row"
    BAD_QUOTING = "bad_quoting"
    MIXED_LINE_ENDING = "mixed_line_ending"
    TOO_LARGE = "record_too_large"
    UNDECODABLE = "undecodable_bytes"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordFault:
    """One thing that is wrong with one record."""

    #: What is wrong.
    kind: FaultKind
    #: Line on which the record begins, from 1; the header is line 1.
    line: int
    #: Number of the record, from 1, header not counted.
    row: int
    #: One sentence for people.
    message: str
    #: Byte in the original stream, for undecodable bytes.
    offset: int | None = None

    def detail(self) -> dict[str, Any]:
        """Return the fault as an item of an error's `details`."""
        item: dict[str, Any] = {"line": self.line, "row": self.row, "code": self.kind.value, "message": self.message}
        if self.offset is not None:
            item["offset"] = self.offset
        return item


class FaultyRecords(InputError):
    """Records of the input are faulty.

    Attributes:
        faults: The first faults, at most `FAULTS_KEPT`, in file order.
        total: How many there were up to where reading ended.
    """

    code: ClassVar[str] = "input.faulty_records"

    def __init__(self, faults: Iterable[RecordFault], *, total: int | None = None) -> None:
        self.faults = tuple(faults)[:FAULTS_KEPT]
        self.total = len(self.faults) if total is None else total
        first = self.faults[0]
        more = f" (the first of {self.total} faults)" if self.total > 1 else ""
        super().__init__(f"Line {first.line}: {first.message}{more}", details=[f.detail() for f in self.faults])

    @staticmethod
    def of(faults: Iterable[RecordFault], *, total: int | None = None) -> FaultyRecords:
        """Return the error of the one kind that all faults have, or this class when kinds are mixed.

        Args:
            faults: One or more.
            total: How many there were, when more than are given.
        """
        kept = tuple(faults)
        kinds = {fault.kind for fault in kept}
        cls = _CLASS_OF_KIND[kinds.pop()] if len(kinds) == 1 else FaultyRecords
        return cls(kept, total=total)


class RaggedRows(FaultyRecords):
    """Records do not have as many cells as the header."""

    code: ClassVar[str] = "input.ragged_rows"


class BadQuoting(FaultyRecords):
    """Quotes stand where none may, or one is never closed."""

    code: ClassVar[str] = "input.bad_quoting"


class MixedLineEndings(FaultyRecords):
    """Records end in different ways."""

    code: ClassVar[str] = "input.mixed_line_endings"


class RecordTooLarge(FaultyRecords):
    """A record is larger than Salesforce takes."""

    code: ClassVar[str] = "input.record_too_large"
    kind: ClassVar[ErrorKind] = ErrorKind.TOO_LARGE


class UndecodableBytes(FaultyRecords):
    """Bytes are not text in the encoding."""

    code: ClassVar[str] = "input.undecodable_bytes"

    @property
    def offset(self) -> int:
        """Where the first of them lies in the original stream, from 0."""
        return self.faults[0].offset or 0


_CLASS_OF_KIND: dict[FaultKind, type[FaultyRecords]] = {
    FaultKind.RAGGED: RaggedRows,
    FaultKind.BAD_QUOTING: BadQuoting,
    FaultKind.MIXED_LINE_ENDING: MixedLineEndings,
    FaultKind.TOO_LARGE: RecordTooLarge,
    FaultKind.UNDECODABLE: UndecodableBytes,
}


class PartLimitTooSmall(LoadError):
    """A part's limit leaves no room for a record."""

    code: ClassVar[str] = "load.part_limit_too_small"


class IllegalTransition(LoadError):
    """The state machine has no such arrow; nothing was changed."""

    code: ClassVar[str] = "load.illegal_transition"
    kind: ClassVar[ErrorKind] = ErrorKind.INTERNAL

    def __init__(self, state: str, event: str) -> None:
        self.state = state
        self.event = event
        super().__init__(f"There is no way out of state {state} by event {event}.")


class UnreadableResults(LoadError):
    """A results file of Salesforce does not hold what it must."""

    code: ClassVar[str] = "load.unreadable_results"
    kind: ClassVar[ErrorKind] = ErrorKind.UPSTREAM
