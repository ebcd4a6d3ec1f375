"""Results of batches in the job's form: CSV, JSON or XML, in the order of the request.

Source: facts/salesforce/bulk1.md. Assumed: a failed record's result has no id; the XML of query results.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape

from orgbridge.emulator.jobs.classic.rows import ClassicJob, ContentType
from orgbridge.emulator.jobs.results import csv_bytes, error_text
from orgbridge.emulator.org.outcomes import SaveOutcome
from orgbridge.emulator.query.plans import AggregateShape, ParentItem, RecordShape, ValueItem
from orgbridge.emulator.schema.errors import Fault
from orgbridge.kit.json import JSON, dumps
from orgbridge.wire.bulk import ColumnDelimiter, LineEnding
from orgbridge.wire.dates import parse_datetime
from orgbridge.wire.fieldtypes import FieldType

NAMESPACE = "http://www.force.com/2009/06/asyncapi/dataload"
XML_HEAD = '<?xml version="1.0" encoding="UTF-8"?>'
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
#: What a CSV query result without records holds.
NO_RECORDS = "Records not found for this query"
_Record = dict[str, JSON]


def ingest_result(job: ClassicJob, outcomes: Sequence[SaveOutcome]) -> bytes:
    """Return the result of an ingest batch."""
    match job.content_type:
        case ContentType.CSV:
            rows = [["Id", "Success", "Created", "Error"], *map(_csv_row, outcomes)]
            return csv_bytes(rows, ColumnDelimiter.COMMA, LineEnding(job.line_ending))
        case ContentType.JSON:
            return dumps([_json_row(outcome) for outcome in outcomes])
        case ContentType.XML:
            body = "".join(map(_xml_row, outcomes))
            return f'{XML_HEAD}<results xmlns="{NAMESPACE}">{body}</results>'.encode()


def _text(flag: bool) -> str:
    return "true" if flag else "false"


def _csv_row(outcome: SaveOutcome) -> list[str]:
    record_id = outcome.id if outcome.success and outcome.id else ""
    return [record_id, _text(outcome.success), _text(outcome.created), error_text(outcome.errors)]


def _json_row(outcome: SaveOutcome) -> JSON:
    return {
        "success": outcome.success,
        "created": outcome.created,
        "id": outcome.id if outcome.success else None,
        "errors": [
            {
                "statusCode": fault.code,
                "message": fault.message,
                "fields": list(fault.fields),
                "extendedErrorDetails": None,
            }
            for fault in outcome.errors
        ],
    }


def _xml_row(outcome: SaveOutcome) -> str:
    errors = "".join(map(_xml_error, outcome.errors))
    record_id = f"<id>{outcome.id}</id>" if outcome.success and outcome.id else ""
    flags = f"<success>{_text(outcome.success)}</success><created>{_text(outcome.created)}</created>"
    return f"<result>{errors}{record_id}{flags}</result>"


def _xml_error(fault: Fault) -> str:
    fields = "".join(f"<fields>{name}</fields>" for name in fault.fields)
    message = f"<message>{xml_text(fault.message)}</message>"
    return f"<errors>{fields}{message}<statusCode>{fault.code}</statusCode></errors>"


def xml_text(text: str) -> str:
    """Return a text for XML, without the control characters that XML 1.0 cannot hold."""
    return escape("".join(char for char in text if char >= " " or char in "\t\n\r"))


class QueryForm:
    """How the records of a query become pieces of result files.

    Args:
        job: Names the form.
        header: Names of the columns, for CSV.
        shape: The plan's shape, for JSON and XML.
    """

    def __init__(self, job: ClassicJob, header: Sequence[str], shape: RecordShape | AggregateShape | None) -> None:
        self._kind = job.content_type
        self._ending = LineEnding(job.line_ending)
        self._header = header
        self._convert = _epochs(shape) if isinstance(shape, RecordShape) else (lambda _record: None)

    def start(self, *, is_empty: bool) -> bytes:
        """Return what a result file begins with."""
        match self._kind:
            case ContentType.CSV:
                return (NO_RECORDS + self._ending.chars).encode() if is_empty else self._csv([self._header])
            case ContentType.JSON:
                return b"["
            case ContentType.XML:
                return f'{XML_HEAD}<queryResult xmlns="{NAMESPACE}" xmlns:xsi="{_XSI}">'.encode()

    def piece(self, found: Sequence[Any], *, is_first: bool) -> bytes:
        """Return consecutive records of a file: rows of texts for CSV, records for JSON and XML."""
        match self._kind:
            case ContentType.CSV:
                return self._csv(found)
            case ContentType.JSON:
                for record in found:
                    self._convert(record)
                return (b"" if is_first else b",") + b",".join(map(dumps, found))
            case ContentType.XML:
                return "".join(
                    f'<records xsi:type="sObject">{_xml_record(record)}</records>' for record in found
                ).encode()

    def end(self) -> bytes:
        """Return what a result file ends with."""
        match self._kind:
            case ContentType.CSV:
                return b""
            case ContentType.JSON:
                return b"]"
            case ContentType.XML:
                return b"</queryResult>"

    def _csv(self, rows: Iterable[Sequence[str]]) -> bytes:
        out = io.StringIO(newline="")
        csv.writer(out, lineterminator=self._ending.chars, quoting=csv.QUOTE_ALL).writerows(rows)
        return out.getvalue().encode()


def _epochs(shape: RecordShape) -> Callable[[_Record], None]:
    """Return what turns the instants of a record into milliseconds. Source: bulk1.md, query results as JSON."""
    instants = [item.key for item in shape.items if isinstance(item, ValueItem) and item.type is FieldType.DATETIME]
    parents = [(item.key, _epochs(item.shape)) for item in shape.items if isinstance(item, ParentItem)]

    def convert(record: _Record) -> None:
        for key in instants:
            value = parse_datetime(record[key]) if isinstance(record[key], str) else None
            record[key] = None if value is None else round(value.timestamp() * 1000)
        for key, parent in parents:
            if isinstance(record[key], dict):
                parent(record[key])

    return convert


def _xml_record(record: Mapping[str, JSON]) -> str:
    pieces = [f"<type>{record['attributes']['type']}</type>"] if "attributes" in record else []
    for name, value in record.items():
        if name == "attributes":
            continue
        if value is None:
            pieces.append(f'<{name} xsi:nil="true"/>')
        elif isinstance(value, Mapping):
            kind = ' xsi:type="sObject"' if "attributes" in value else ""
            pieces.append(f"<{name}{kind}>{_xml_record(value)}</{name}>")
        else:
            text = _text(value) if isinstance(value, bool) else _instant(value)
            pieces.append(f"<{name}>{xml_text(text)}</{name}>")
    return "".join(pieces)


def _instant(value: JSON) -> str:
    """Return a value as text; an instant gets the Z that Bulk has in place of REST's offset."""
    text = str(value)
    return text.removesuffix("+0000") + "Z" if text.endswith(".000+0000") else text
