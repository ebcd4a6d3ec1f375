"""`orgbridge query` and `orgbridge describe`: read from the org through the service."""

from __future__ import annotations

import codecs
import csv
import sys
from collections.abc import AsyncIterator, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from orgbridge.cli.context import DataOption, JSONFlag, run, service_address
from orgbridge.cli.service import Service
from orgbridge.cli.terminal import Terminal
from orgbridge.kit import json


class QueryForm(StrEnum):
    """How a query's records are written."""

    TABLE = "table"
    CSV = "csv"
    NDJSON = "ndjson"


_ACCEPT = {QueryForm.CSV: "text/csv", QueryForm.NDJSON: "application/x-ndjson", QueryForm.TABLE: "text/csv"}
_TABLE_ROWS = 200


def query(
    soql: Annotated[str, typer.Argument(help='SOQL, e.g. "SELECT Id, Name FROM Account LIMIT 5".')],
    form: Annotated[
        QueryForm | None, typer.Option("--format", help="Default: a table on a terminal, else CSV.")
    ] = None,
    include_deleted: Annotated[bool, typer.Option("--all", help="See the recycle bin too.")] = False,
    data: DataOption = None,
    as_json: JSONFlag = False,
) -> None:
    """Run a SOQL query and write all its records."""
    chosen = form or (QueryForm.TABLE if sys.stdout.isatty() else QueryForm.CSV)
    run(_query(soql, chosen, Terminal(as_json=as_json), data, include_deleted=include_deleted))


async def _query(soql: str, form: QueryForm, terminal: Terminal, folder: Path | None, *, include_deleted: bool) -> None:
    async with Service(service_address(folder)) as service:
        if is_count(soql):
            answer = await service.query(soql, include_deleted=include_deleted)
            total = total_of(answer)
            if terminal.as_json:
                terminal.document(answer)
            else:
                terminal.result(str(total))
            return
        if terminal.as_json:
            form = QueryForm.NDJSON
        async with service.query_stream(soql, _ACCEPT[form], include_deleted=include_deleted) as blocks:
            if form is QueryForm.TABLE:
                await _table(blocks, terminal)
                return
            async for block in blocks:
                sys.stdout.buffer.write(block)
            sys.stdout.buffer.flush()


def is_count(soql: str) -> bool:
    """Return whether a query is `SELECT COUNT() FROM ...`, which has no records but a number."""
    words = soql.replace("(", " ( ").replace(")", " ) ").upper().split()
    return words[:4] == ["SELECT", "COUNT", "(", ")"]


def total_of(answer: dict[str, Any]) -> int:
    """Return the number of records that a query's first page announces."""
    for name in ("totalSize", "total_size"):
        if name in answer:
            return int(answer[name])
    nested = answer.get("data")
    return total_of(nested) if isinstance(nested, dict) else 0


async def _table(blocks: AsyncIterator[bytes], terminal: Terminal) -> None:
    """Show the first records as a table; a table of more would be no use and no constant memory."""
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    text, lines = "", 0
    more = False
    async for block in blocks:
        text += decoder.decode(block)
        lines = text.count("\n")
        if lines > _TABLE_ROWS * 4:
            more = True
            break
    rows = list(_complete(text, cut=more))
    if not rows:
        terminal.note("no records")
        return
    shown = rows[1 : _TABLE_ROWS + 1]
    terminal.table(rows[0], shown)
    if more or len(rows) - 1 > len(shown):
        terminal.note(f"the first {len(shown)} records; --format csv or ndjson writes all")


def _complete(text: str, *, cut: bool) -> Iterator[list[str]]:
    rows = list(csv.reader(text.splitlines(keepends=True)))
    yield from rows[:-1] if cut else rows


def describe(
    object_name: Annotated[str, typer.Argument(metavar="OBJECT", help="API name, e.g. Account.")],
    data: DataOption = None,
    as_json: JSONFlag = False,
) -> None:
    """Show an object's fields as the org describes them."""
    run(_describe(object_name, Terminal(as_json=as_json), data))


async def _describe(object_name: str, terminal: Terminal, folder: Path | None) -> None:
    async with Service(service_address(folder)) as service:
        answer = await service.describe(object_name)
    if terminal.as_json:
        terminal.result(json.dumps(answer).decode())
        return
    document = answer["data"] if "fields" not in answer and isinstance(answer.get("data"), dict) else answer
    rows = [
        (field["name"], field["label"], field_type(field), ", ".join(field_marks(field)))
        for field in document.get("fields", [])
    ]
    terminal.table(("field", "label", "type", "marks"), rows, title=str(document.get("name", object_name)))


def field_type(field: dict[str, Any]) -> str:
    """Return a field's type with its size or targets, e.g. `string(255)` or `reference(Account)`."""
    kind = str(field.get("type", ""))
    targets = field.get("referenceTo") or []
    if targets:
        return f"{kind}({', '.join(targets)})"
    if field.get("length"):
        return f"{kind}({field['length']})"
    if field.get("precision"):
        return f"{kind}({field['precision']},{field.get('scale', 0)})"
    return kind


def field_marks(field: dict[str, Any]) -> list[str]:
    """Return what matters to someone who loads rows."""
    required = field.get("createable") and not field.get("nillable") and not field.get("defaultedOnCreate")
    marks = {
        "required": required,
        "read only": not field.get("createable") and not field.get("updateable"),
        "external id": field.get("externalId"),
        "unique": field.get("unique"),
        "restricted picklist": field.get("restrictedPicklist"),
    }
    return [name for name, holds in marks.items() if holds]
