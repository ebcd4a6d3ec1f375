"""SOQL typed by somebody: a page of records as a table, all of them as a download, or an export that a worker makes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from orgbridge.console.cookies import PREFIX
from orgbridge.console.desk import Desk, Shelf, see_other
from orgbridge.console.forms import IN_THE_FORM, asked, read_form, told
from orgbridge.console.loads import LOADS, download
from orgbridge.kit.errors import OrgbridgeError
from orgbridge.kit.json import dumps, loads
from orgbridge.kit.notes import note
from orgbridge.loads.columns import ExportFormat
from orgbridge.services.errors import InvalidRequest
from orgbridge.services.queries import QueryResult, QueryText
from orgbridge.services.rows import cell, selected_columns
from orgbridge.services.scopes import Caller, Scope
from orgbridge.soql import SOQLError, parse
from orgbridge.wire.bulk import QueryOperation

QUERY, EXPORTS = f"{PREFIX}/query", f"{PREFIX}/exports"
#: Records of one page of the table.
_PAGE_SIZE = 200
_STREAMS = {"csv": "text/csv", "ndjson": "application/x-ndjson"}
_EXAMPLE = "SELECT Id, Name, CreatedDate FROM Account ORDER BY CreatedDate DESC LIMIT 50"
#: How Salesforce names a place: characters counted from 1, or from 0 where a character itself cannot be read.
_PLACES = ((re.compile(r"Row:(\d{1,6}):Column:(\d{1,6})"), 0), (re.compile(r"\bline (\d{1,6}):(\d{1,6})\b"), 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """The line of a query in which something is wrong."""

    #: The line, from 1.
    row: int
    #: The character in it, from 1.
    column: int
    #: What stands before the place, at it, and behind it.
    before: str
    at: str
    behind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Records as rows of cells."""

    #: Names of the columns.
    columns: list[str]
    #: One list of texts per record, as many as columns.
    rows: list[list[str]]
    #: Records before the first of these, of the whole query, and in all.
    skipped: int
    total: int
    #: For the next page; None at the end.
    cursor: str | None
    #: Most rows that the caller's roles let the query return; None where that changed nothing.
    row_cap: int | None


def query_routes(shelf: Shelf) -> Iterator[BaseRoute]:
    """Yield the routes of queries and exports."""
    yield shelf.get("/query", "query_form", _form, Scope.RECORDS_READ)
    yield shelf.post("/query", "query", _run, Scope.RECORDS_READ)
    yield shelf.post("/exports", "export", _export, Scope.BULK_WRITE)


async def _form(desk: Desk, request: Request, caller: Caller) -> Response:
    text = asked(request, "q", 20_000) or _EXAMPLE
    return _page(desk, request, QueryText(soql=text))


async def _run(desk: Desk, request: Request, caller: Caller) -> Response:
    form = await read_form(request)
    query = _query_of(form)
    queries = desk.services.queries
    try:
        form_asked = form.get("as", "")
        if form_asked in _STREAMS:
            stream = await (queries.csv if form_asked == "csv" else queries.ndjson)(query, caller=caller)
            return await download(stream.blocks, media_type=_STREAMS[form_asked], name=f"query.{form_asked}")
        cursor = form.get("cursor")
        page = await (queries.next(cursor, caller=caller) if cursor else queries.page(query, caller=caller))
    except OrgbridgeError as error:
        return _refused(desk, request, query, error)
    return _page(desk, request, query, table=table_of(query.soql, page, _whole(form.get("shown", ""))))


async def _export(desk: Desk, request: Request, caller: Caller) -> Response:
    form = await read_form(request)
    query = _query_of(form)
    operation = QueryOperation.QUERY_ALL if query.include_deleted else QueryOperation.QUERY
    try:
        made = await desk.services.loads.submit_query(
            _object_of(query.soql), query.soql, operation.value, caller, output_format=form.get("output_format") or None
        )
    except OrgbridgeError as error:
        return _refused(desk, request, query, error)
    note(ids=[made.job_id], operation=operation.value)
    return see_other(f"{LOADS}/{made.job_id}", "query")


def _query_of(form: Mapping[str, str]) -> QueryText:
    deleted, text = bool(form.get("include_deleted")), form.get("q", "").replace("\r\n", "\n")
    return QueryText(soql=text, include_deleted=deleted, page_size=_PAGE_SIZE)


def _refused(desk: Desk, request: Request, query: QueryText, error: OrgbridgeError) -> Response:
    """Return the form with what is wrong and where; raise what is not about the query."""
    trouble = told(error)
    status = IN_THE_FORM.get(trouble.kind)
    if status is None and not trouble.upstream:
        raise error
    said = [str(fault.get("message") or "") for fault in trouble.upstream] or [trouble.detail]
    place = place_in(query.soql, said)
    # Where the place is shown by itself, Salesforce's own drawing of it is left out.
    reason = said[0].strip().rsplit("\n", 1)[-1] if place is not None else trouble.detail
    return _page(desk, request, query, fault=trouble, reason=reason, place=place, status=status or 502)


def _page(desk: Desk, request: Request, query: QueryText, *, status: int = 200, **facts: Any) -> Response:
    shown = {"table": None, "fault": None, "place": None, "reason": "", **facts}
    forms = [form.value for form in ExportFormat]
    return desk.page(request, "query.html", status=status, query=query, formats=forms, **shown)


def place_in(soql: str, said: Sequence[str]) -> Marked | None:
    """Return the place of a query that a refusal is about: where our own reader stops, or where Salesforce says."""
    row = column = 0
    try:
        parse(soql)
    except SOQLError as error:
        if error.position is not None:
            before = soql[: error.position]
            row, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    if not row:
        named = ((pattern.search(text), more) for text in said for pattern, more in _PLACES)
        found = next(((match, more) for match, more in named if match is not None), None)
        if found is None:
            return None
        row, column = int(found[0][1]), int(found[0][2]) + found[1]
    lines = soql.split("\n")
    if not 1 <= row <= len(lines) or column < 1:
        return None
    line = lines[row - 1]
    at = line[column - 1 : column] or " "
    return Marked(row=row, column=column, before=line[: column - 1], at=at, behind=line[column:])


def table_of(soql: str, page: QueryResult, skipped: int) -> Table:
    """Return a page of records as a table: the columns of the SELECT list, or those that the records have."""
    records: list[dict[str, Any]] = loads(page.records)
    try:
        columns = selected_columns(soql)
    except InvalidRequest:
        flat = [dict(_flat(record)) for record in records]
        columns = list(dict.fromkeys(chain.from_iterable(flat)))
        rows = [[_text(record.get(column)) for column in columns] for record in flat]
    else:
        paths = [column.lower().split(".") for column in columns]
        rows = [[_text(cell(record, path)) for path in paths] for record in records]
    return Table(
        columns=columns,
        rows=rows,
        skipped=skipped,
        total=page.total_size,
        cursor=page.cursor,
        row_cap=page.row_cap,
    )


def _flat(record: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the cells of a record: parents by paths with dots, children as JSON."""
    for name, value in record.items():
        if name == "attributes":
            continue
        if isinstance(value, Mapping) and "records" not in value:
            yield from _flat(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value


def _text(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case {"records": list() as records}:
            return dumps([dict(_flat(record)) for record in records]).decode()
        case dict() | list():
            return dumps(value).decode()
        case _:
            return str(value)


def _object_of(soql: str) -> str:
    try:
        return parse(soql).sources[0].path[-1]
    except SOQLError as error:
        raise InvalidRequest(f"The query cannot be read: {error.reason}") from error


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else 0
