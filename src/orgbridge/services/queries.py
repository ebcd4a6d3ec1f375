"""SOQL through the query resource: a page, the next page, or all records as a stream."""

from __future__ import annotations

import base64
import binascii
import csv
import io
import re
from collections.abc import AsyncIterator, Mapping
from typing import Any

from orgbridge.client.replies import QueryPage
from orgbridge.client.salesforce import Salesforce
from orgbridge.kit.json import dumps
from orgbridge.orgs.connections import Orgs
from orgbridge.services.errors import InvalidRequest
from orgbridge.services.policies.cursors import CursorSeal
from orgbridge.services.policies.guard import Guard
from orgbridge.services.scopes import Caller
from orgbridge.soql import SOQLError, parse
from orgbridge.wire.limits import SOQL_CHARS

_NEXT = re.compile(r"/services/data/v\d{1,3}\.0/(?:query|queryAll)/[A-Za-z0-9-]{10,60}(?:~[0-9a-f]{40})?\Z")
_SELECT = re.compile(r"\s*SELECT\s+(?P<list>.+?)\s+FROM\s", re.IGNORECASE | re.DOTALL)
_PATH = re.compile(r"[A-Za-z][A-Za-z0-9_]*(?:\.[A-Za-z][A-Za-z0-9_]*)*\Z")


#: The name under which the faces of the house know a page.
SoqlPage = QueryPage


class QueryService:
    """Queries to one org."""

    def __init__(self, orgs: Orgs, org: str = "default", *, cursor_key: bytes | None = None) -> None:
        self._orgs = orgs
        self._org = org
        self._guard = Guard(orgs, org)
        self._seal = CursorSeal(cursor_key)

    async def page(self, soql: str, *, caller: Caller, include_deleted: bool = False) -> QueryPage:
        """Return the first page of a query.

        Raises:
            InvalidRequest: The text is empty or too long; nothing was sent.
            PolicyError: The query asks for what the caller may not see; nothing was sent.
            ClientError: Salesforce refused the query, or could not be reached.
        """
        return self._seal.sealed(caller, await self._first(soql, caller, include_deleted))

    async def _first(self, soql: str, caller: Caller, include_deleted: bool) -> QueryPage:
        allowed = await self._guard.query(caller, check_soql(soql), include_deleted=include_deleted)
        page = await self._salesforce().query.page(allowed, include_deleted=include_deleted)
        return await self._guard.page(caller, page)

    async def next(self, cursor: str, *, caller: Caller) -> QueryPage:
        """Return the page that a cursor of ours points at.

        Raises:
            InvalidRequest: The cursor is not one of ours; nothing was sent.
            ClientError: Salesforce no longer knows the cursor, or could not be reached.
        """
        page = await self._salesforce().query.next(self._seal.opened(caller, _url(cursor)))
        return self._seal.sealed(caller, await self._guard.page(caller, page))

    async def ndjson(self, soql: str, *, caller: Caller, include_deleted: bool = False) -> AsyncIterator[bytes]:
        """Return all records as lines of JSON, one block of lines per page.

        Raises:
            InvalidRequest: The text is empty or too long; nothing was sent.
            ClientError: The first page failed. A failure of a later page breaks the stream off.
        """
        first = await self._first(soql, caller, include_deleted)
        return self._blocks(first, caller, lambda records: b"".join(dumps(record) + b"\n" for record in records))

    async def csv(self, soql: str, *, caller: Caller, include_deleted: bool = False) -> AsyncIterator[bytes]:
        """Return all records as CSV whose columns are the SELECT list, one block of lines per page.

        Raises:
            InvalidRequest: The SELECT list has more than plain fields, so that columns would be a guess.
            ClientError: The first page failed. A failure of a later page breaks the stream off.
        """
        columns = selected_columns(soql)
        paths = [column.lower().split(".") for column in columns]
        first = await self._first(soql, caller, include_deleted)

        def write(records: list[dict[str, Any]]) -> bytes:
            return _csv_lines([[_cell(record, path) for path in paths] for record in records])

        return self._blocks(first, caller, write, head=_csv_lines([columns]))

    async def _blocks(self, page: QueryPage, caller: Caller, write: Any, head: bytes = b"") -> AsyncIterator[bytes]:
        if head:
            yield head
        while True:
            if page.records:
                yield write([_bare(record) for record in page.records])
            if page.done or page.next_records_url is None:
                return
            page = await self._guard.page(caller, await self._salesforce().query.next(page.next_records_url))

    def _salesforce(self) -> Salesforce:
        return self._orgs.get(self._org).salesforce


def check_soql(soql: str) -> str:
    """Return the query without spaces at its ends.

    Raises:
        InvalidRequest: It is empty, too long, or not a SELECT.
    """
    text = soql.strip()
    if not text[:6].upper() == "SELECT":
        raise InvalidRequest("The query must be a SOQL SELECT.")
    if len(text) > SOQL_CHARS:
        raise InvalidRequest(f"The query has {len(text)} characters; Salesforce reads {SOQL_CHARS}.")
    return text


def check_queried(object_name: str, soql: str) -> None:
    """See that a query reads the object that the request names.

    Raises:
        InvalidRequest: It reads another one. What we cannot parse is left to Salesforce to judge.
    """
    try:
        queried = parse(soql).sources[0].path[-1]
    except SOQLError:
        return
    if queried.lower() != object_name.lower():
        raise InvalidRequest(f"object_name is {object_name}, but the query reads {queried}.")


def cursor_of(page: QueryPage) -> str | None:
    """Return our cursor for the page after this one, None on the last page."""
    if page.next_records_url is None:
        return None
    return base64.urlsafe_b64encode(page.next_records_url.encode()).decode().rstrip("=")


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


def _url(cursor: str) -> str:
    try:
        url = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
    except (binascii.Error, ValueError):
        url = ""
    if not _NEXT.match(url):
        raise InvalidRequest("The cursor is not one that this service gave out.")
    return url


def _bare(value: Any) -> Any:
    """Return the value without the `attributes` that Salesforce puts into every record."""
    if isinstance(value, Mapping):
        return {name: _bare(item) for name, item in value.items() if name != "attributes"}
    return [_bare(item) for item in value] if isinstance(value, list) else value


def _cell(record: Mapping[str, Any], path: list[str]) -> Any:
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
            return dumps(value).decode()
        case _:
            return value


def _csv_lines(rows: list[list[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()
