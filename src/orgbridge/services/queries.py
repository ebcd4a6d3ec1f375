"""SOQL and SOSL: a page, the next page, all records as a stream, a search.

A text too long for a URL goes by a composite call, and the answer says so. Records pass through as bytes where nobody
needs to read them.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from orgbridge.client import QueryWay, RawPage, Salesforce
from orgbridge.client.errors import QueryTooLong
from orgbridge.kit.json import loads
from orgbridge.orgs.connections import Orgs
from orgbridge.orgs.uses import call_for
from orgbridge.services.binds import bound, soql_refused
from orgbridge.services.cursors import Cursors
from orgbridge.services.errors import InvalidRequest
from orgbridge.services.policies.guard import Guard
from orgbridge.services.policies.model import Operation
from orgbridge.services.policies.query_guard import AllowedQuery
from orgbridge.services.rows import Writer, csv_lines, csv_writer, ndjson_lines, selected_columns
from orgbridge.services.scopes import Caller
from orgbridge.soql import SOQLError, parse, parse_search
from orgbridge.wire.limits import QUERY_PAGE_MAX, QUERY_PAGE_MIN, SOQL_CHARS

#: What is left for a text that Salesforce takes neither in a URL nor in a composite call.
EXPORT_HINT = (
    "Submit it to POST /bulk/query-submit: a bulk query takes 100,000 characters and gives CSV, NDJSON or Parquet."
)
_NEXT = re.compile(r"/services/data/v\d{1,3}\.0/(?:query|queryAll)/[A-Za-z0-9-]{10,60}\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryText:
    """What a caller asks."""

    #: The query, perhaps with `:name` binds.
    soql: str
    #: See the recycle bin too.
    include_deleted: bool = False
    #: Values of the binds by name; None for a query that has none.
    binds: Mapping[str, Any] | None = None
    #: Records of a page, 200 to 2,000; None leaves it to Salesforce.
    page_size: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryResult:
    """One page."""

    #: Records of the whole query, not of this page.
    total_size: int
    #: Our cursor for the next page; None on the last one.
    cursor: str | None
    #: A JSON list of the records, as Salesforce wrote it.
    records: bytes = field(repr=False)
    #: How the query went: `query` or `composite`.
    via: str = QueryWay.QUERY.value
    #: Most rows that the caller's roles let it return, put into LIMIT; None where that changed nothing.
    row_cap: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryStream:
    """All records."""

    #: Blocks of lines, one per page.
    blocks: AsyncIterator[bytes]
    #: How the query went: `query` or `composite`.
    via: str
    #: Most rows that the caller's roles let it return, put into LIMIT; None where that changed nothing.
    row_cap: int | None = None


class QueryService:
    """Queries to one org."""

    def __init__(self, orgs: Orgs, cursors: Cursors, org: str = "default") -> None:
        self._orgs = orgs
        self._cursors = cursors
        self._org = org
        self._guard = Guard(orgs, org)

    async def page(self, query: QueryText, *, caller: Caller) -> QueryResult:
        """Return the first page of a query.

        Raises:
            InvalidRequest: The text is empty or too long, or a bind does not fit; nothing was sent.
            PolicyError: The query asks for what the caller may not see; nothing was sent.
            QueryTooLong: Salesforce takes the text in no way that answers at once.
            ClientError: Salesforce refused the query, or could not be reached.
        """
        page, cap = await self._first(query, caller)
        return self._result(page, caller, cap)

    async def next(self, cursor: str, *, caller: Caller) -> QueryResult:
        """Return the page that a cursor points at.

        Raises:
            InvalidRequest: The cursor was not given to this caller; nothing was sent.
            ClientError: Salesforce no longer knows the query, or could not be reached.
        """
        content = self._cursors.open(caller.user_id, cursor)
        url, cap = str(content.get("u", "")), content.get("c")
        if not _NEXT.match(url):
            raise InvalidRequest("The cursor is not one of a query.")
        if content.get("p", "") != self._guard.mark(caller):
            raise InvalidRequest("Your roles are not what they were when the query began: run it again.")
        page = await self._salesforce(caller).query.raw_next(url)
        return self._result(await self._masked(page, caller), caller, cap if isinstance(cap, int) else None)

    async def ndjson(self, query: QueryText, *, caller: Caller) -> QueryStream:
        """Return all records as lines of JSON, one block of lines per page.

        Raises:
            InvalidRequest: The text is empty or too long, or a bind does not fit; nothing was sent.
            ClientError: The first page failed. A failure of a later page breaks the stream off.
        """
        first, cap = await self._first(query, caller)
        return QueryStream(blocks=self._blocks(first, ndjson_lines, caller), via=first.way.value, row_cap=cap)

    async def csv(self, query: QueryText, *, caller: Caller) -> QueryStream:
        """Return all records as CSV whose columns are the SELECT list, one block of lines per page.

        Raises:
            InvalidRequest: The SELECT list has more than plain fields, so that columns would be a guess.
            ClientError: The first page failed. A failure of a later page breaks the stream off.
        """
        columns = selected_columns(query.soql)
        first, cap = await self._first(query, caller)
        blocks = self._blocks(first, csv_writer(columns), caller, head=csv_lines([columns]))
        return QueryStream(blocks=blocks, via=first.way.value, row_cap=cap)

    async def search(self, sosl: str, *, caller: Caller) -> bytes:
        """Return what a SOSL search finds: a JSON list of records, as Salesforce wrote it.

        Raises:
            InvalidRequest: The text is no SOSL; nothing was sent.
            PolicyError: The search looks for or through what the caller may not see; nothing was sent.
            ClientError: Salesforce refused, or could not be reached.
        """
        text = check_sosl(sosl)
        salesforce = self._salesforce(caller)
        found = await salesforce.search.raw(await self._guard.search(caller, text))
        return await self._guard.body(caller, found, Operation.SEARCH)

    async def _first(self, query: QueryText, caller: Caller) -> tuple[RawPage, int | None]:
        size = query.page_size
        if size is not None and not QUERY_PAGE_MIN <= size <= QUERY_PAGE_MAX:
            raise InvalidRequest(f"A page has {QUERY_PAGE_MIN} to {QUERY_PAGE_MAX} records.")
        text = ready_soql(query)
        salesforce = self._salesforce(caller)
        # What is checked is the text with its binds replaced: the one that is sent.
        allowed = await self._guard.query(caller, text, include_deleted=query.include_deleted)
        try:
            page = await salesforce.query.raw_page(_sendable(allowed), query.include_deleted, size)
        except QueryTooLong as error:
            # A query job is not made in its place: it takes minutes, knows no types, children or OFFSET, and what it
            # returns would be another answer to the same question.
            error.add_note(EXPORT_HINT)
            raise
        return await self._masked(page, caller), allowed.row_cap

    async def _masked(self, page: RawPage, caller: Caller) -> RawPage:
        records = await self._guard.body(caller, page.records)
        return page if records is page.records else replace(page, records=records)

    def _result(self, page: RawPage, caller: Caller, cap: int | None) -> QueryResult:
        url = page.next_records_url
        cursor = None
        if url is not None:
            content: dict[str, Any] = {"u": url}
            if mark := self._guard.mark(caller):
                content |= {"p": mark, "c": cap}
            cursor = self._cursors.seal(caller.user_id, content)
        return QueryResult(
            total_size=page.total_size, cursor=cursor, records=page.records, via=page.way.value, row_cap=cap
        )

    async def _blocks(self, page: RawPage, write: Writer, caller: Caller, head: bytes = b"") -> AsyncIterator[bytes]:
        if head:
            yield head
        while True:
            if records := loads(page.records):
                yield write(records)
            if page.next_records_url is None:
                return
            page = await self._masked(await self._salesforce(caller).query.raw_next(page.next_records_url), caller)

    def _salesforce(self, caller: Caller) -> Salesforce:
        call_for(caller.username)
        return self._orgs.get(self._org).salesforce


def ready_soql(query: QueryText) -> str:
    """Return the text of a query as it is sent: checked, its binds replaced.

    Raises:
        InvalidRequest: It is no SELECT, is too long, or a bind does not fit.
    """
    soql = check_soql(query.soql)
    return soql if query.binds is None else check_soql(bound(soql, query.binds))


def _sendable(allowed: AllowedQuery) -> str:
    if len(allowed.text) > SOQL_CHARS:
        raise InvalidRequest(
            f"With the conditions of your roles the query has {len(allowed.text)} characters; "
            f"Salesforce reads {SOQL_CHARS}."
        )
    return allowed.text


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


def check_sosl(sosl: str) -> str:
    """Return the search without spaces at its ends.

    Raises:
        InvalidRequest: It is not SOSL; the message says where.
    """
    text = sosl.strip()
    try:
        parse_search(text)
    except SOQLError as error:
        raise soql_refused(text, error) from error
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
