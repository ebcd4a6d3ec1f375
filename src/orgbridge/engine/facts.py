"""What is known of an input and of its parts, to and from the store's JSON columns. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

from orgbridge.loads.dialect import Dialect
from orgbridge.loads.inputs import CSVSource
from orgbridge.loads.jsonrecords import csv_record
from orgbridge.loads.mapped import SENT_DIALECT
from orgbridge.loads.mapping import Mapping
from orgbridge.loads.matching import PartMatch
from orgbridge.loads.receipt import ErrorGroup
from orgbridge.loads.splitter import LineCount, Part
from orgbridge.store.records import PartRecord
from orgbridge.wire.bulk import LineEnding

#: Number under which rows of several parts are sent together; parts begin at 0.
JOINT: Final = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class InputFacts:
    """What the head of an input told."""

    #: `CSV`, `JSON` or `NDJSON`.
    format: str
    #: How the records are written.
    dialect: Dialect
    #: Names of the columns.
    header: tuple[str, ...]
    #: The header as it stands, record ending included.
    header_record: bytes
    #: What line numbers count.
    line_count: LineCount
    #: What is sent instead of the columns, or of the records too; None: they are sent as they are.
    mapping: Mapping | None = None
    #: Why reading ended before the input did: code, message, details, line, row, and `unread`; None: it did not.
    stopped: dict[str, Any] | None = None
    #: What preflight found; None: it was not asked.
    preflight: dict[str, Any] | None = None
    #: About how many rows there are, told before they are counted.
    expected_rows: int | None = None

    @property
    def changes_records(self) -> bool:
        """Whether what is sent of a part lies in a file of its own."""
        return self.mapping is not None and not self.mapping.keeps_records

    @property
    def sent_header(self) -> tuple[str, ...]:
        """Names of the columns that are sent."""
        return self.header if self.mapping is None else self.mapping.header

    @property
    def sent_dialect(self) -> Dialect:
        """How the records that are sent are written."""
        return SENT_DIALECT if self.changes_records else self.dialect

    @property
    def sent_header_record(self) -> bytes:
        """The header of what is sent, record ending included."""
        if self.mapping is None:
            return self.header_record
        if self.changes_records:
            return csv_record(self.sent_header)
        dialect = self.dialect
        return (dialect.delimiter.join(self.sent_header) + dialect.line_ending.chars).encode()

    @property
    def fields(self) -> tuple[str, ...]:
        """Names under which the input's own columns are sent; those that are not sent have their own names."""
        if self.mapping is None:
            return self.header
        sent = {target.column: target.name for target in reversed(self.mapping.targets)}
        return tuple(sent.get(place, name) for place, name in enumerate(self.header))

    @classmethod
    def of_source(cls, source: CSVSource, mapping: Mapping | None = None) -> InputFacts:
        """Return the facts of an opened input."""
        return cls(
            mapping=mapping,
            format=source.format.value,
            dialect=source.dialect,
            header=source.header,
            header_record=source.header_record,
            line_count=source.line_count,
        )

    def to_json(self) -> dict[str, Any]:
        """Return the form that the store keeps."""
        return {
            "format": self.format,
            "encoding": self.dialect.encoding,
            "delimiter": self.dialect.delimiter,
            "line_ending": self.dialect.line_ending.value,
            "has_bom": self.dialect.has_bom,
            "columns": list(self.header),
            # The canonical form is UTF-8, whatever the input was.
            "header_record": self.header_record.decode("utf-8"),
            "line_count": self.line_count.value,
            **({} if self.mapping is None else {"mapping": self.mapping.to_json()}),
            **({} if self.stopped is None else {"stopped": self.stopped}),
            **({} if self.preflight is None else {"preflight": self.preflight}),
            **({} if self.expected_rows is None else {"expected_rows": self.expected_rows}),
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> InputFacts:
        """Return the facts that the store keeps."""
        return cls(
            format=value["format"],
            dialect=Dialect(
                delimiter=value["delimiter"],
                line_ending=LineEnding(value["line_ending"]),
                encoding=value["encoding"],
                has_bom=value["has_bom"],
            ),
            header=tuple(value["columns"]),
            header_record=value["header_record"].encode("utf-8"),
            line_count=LineCount(value["line_count"]),
            mapping=Mapping.from_json(value["mapping"]) if value.get("mapping") else None,
            stopped=value.get("stopped"),
            preflight=value.get("preflight"),
            expected_rows=value.get("expected_rows"),
        )


def upload_facts(part: Part) -> dict[str, Any]:
    """Return what the store keeps of how a part is uploaded."""
    return {
        "line_ending": part.line_ending.value,
        "upload_line_ending": part.upload_line_ending.value,
        "upload_bytes": part.upload_bytes,
        "mixed_cell_newlines": part.mixed_cell_newlines,
    }


def sends_rows(record: PartRecord) -> bool:
    """Tell whether any row of a part is sent; its mapping may have refused them all."""
    return record.upload.get("sent_rows") != 0


def part_of(record: PartRecord) -> Part:
    """Return the part as it is uploaded: its own records, or what a mapping made of them."""
    return Part(
        number=record.number,
        first_row=record.first_row,
        first_line=record.first_line,
        rows=record.rows,
        bytes=record.bytes,
        sha256=record.sha256,
        line_ending=LineEnding(record.upload["line_ending"]),
        upload_line_ending=LineEnding(record.upload["upload_line_ending"]),
        upload_bytes=record.upload["upload_bytes"],
        mixed_cell_newlines=record.upload["mixed_cell_newlines"],
    )


def part_files(load_id: str, number: int, round_number: int = 0) -> str:
    """Return how the keys of a part's files begin, or those of a round of some of its rows."""
    again = f".r{round_number}" if round_number else ""
    return f"loads/{load_id}/parts/{number:05d}{again}"


def lines_key(load_id: str, number: int) -> str:
    """Return the key of the lines of a part whose rows do not follow each other in the input."""
    return f"loads/{load_id}/lines/{number:05d}"


def findings_of(match: PartMatch, *, sent: bool, refused: int = 0, **more: Any) -> dict[str, Any]:
    """Return what the store keeps of a match besides its counts."""
    return {
        **more,
        "sent": sent,
        "refused": refused,
        "ambiguous": match.ambiguous,
        "stray_results": match.stray_results,
        "missing_results": match.missing_results,
        "errors": [asdict(group) for group in match.errors],
    }


def error_groups(findings: dict[str, Any]) -> tuple[ErrorGroup, ...]:
    """Return the error groups that the store keeps of a part."""
    return tuple(
        ErrorGroup(code=group["code"], count=group["count"], lines=tuple(group["lines"]), message=group["message"])
        for group in findings["errors"]
    )
