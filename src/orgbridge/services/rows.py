"""Records of a query as lines: NDJSON, or CSV whose columns are the SELECT list."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Mapping
from typing import Any

from orgbridge.kit.json import dumps
from orgbridge.services.errors import InvalidRequest

#: Turns the records of a page into a block of lines.
Writer = Callable[[list[dict[str, Any]]], bytes]
_SELECT = re.compile(r"\s*SELECT\s+(?P<list>.+?)\s+FROM\s", re.IGNORECASE | re.DOTALL)
_PATH = re.compile(r"[A-Za-z][A-Za-z0-9_]*(?:\.[A-Za-z][A-Za-z0-9_]*)*\Z")


def ndjson_lines(records: list[dict[str, Any]]) -> bytes:
    """Return one line of JSON per record, without the `attributes` that Salesforce puts into every record."""
    return b"".join(dumps(_bare(record)) + b"\n" for record in records)


def csv_writer(columns: list[str]) -> Writer:
    """Return what writes records as lines of these columns; a column with dots walks through parents."""
    paths = [column.lower().split(".") for column in columns]

    def write(records: list[dict[str, Any]]) -> bytes:
        return csv_lines([[cell(record, path) for path in paths] for record in records])

    return write


def selected_columns(soql: str) -> list[str]:
    """Return the plain fields of a SELECT list, as written.

    Raises:
        InvalidRequest: The list has an aggregate, a function, an alias or a subquery.
    """
    found = _SELECT.match(soql)
    columns = [column.strip() for column in found["list"].split(",")] if found else []
    if not columns or not all(_PATH.match(column) for column in columns):
        raise InvalidRequest(
            "CSV needs a SELECT list of plain fields; ask for JSON or NDJSON (`orgbridge query --format ndjson`)."
        )
    return columns


def cell(record: Mapping[str, Any], path: list[str]) -> Any:
    """Return what stands in a cell: the value that a path of lower-case names leads to, as CSV has it."""
    value: Any = record
    for step in path:
        if not isinstance(value, Mapping):
            return ""
        value = next((item for name, item in value.items() if name.lower() == step), None)
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case dict() | list():
            return dumps(_bare(value)).decode()
        case _:
            return value


def csv_lines(rows: list[list[Any]]) -> bytes:
    """Return rows as CSV."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def _bare(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _bare(item) for name, item in value.items() if name != "attributes"}
    return [_bare(item) for item in value] if isinstance(value, list) else value
