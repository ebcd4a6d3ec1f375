"""SOQL by REST, page by page. For results of any size there are query jobs, see `bulk`.

Source: facts/salesforce/soql.md section 1.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

from orgbridge.client.errors import MalformedReply, QueryTooLong, RequestTooLong, SalesforceError, SalesforceFault
from orgbridge.client.replies import (
    QueryPage,
    QueryWay,
    RawPage,
    Subreply,
    parse_composite,
    parse_faults,
    parse_query_page,
    parse_raw_page,
)
from orgbridge.client.transport.exchange import Transport
from orgbridge.client.transport.requests import Request, Resend, json_request, with_params
from orgbridge.client.verdicts import error_class
from orgbridge.kit.json import JSON
from orgbridge.wire.limits import COMPOSITE_QUERIES

_URI_TOO_LONG = frozenset({414, 431})


class Query:
    """SOQL queries. The text is sent as it is: quoting values is the caller's work."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def page(self, soql: str, include_deleted: bool = False, batch_size: int | None = None) -> QueryPage:
        """Run a query and return its first page.

        Args:
            soql: The query.
            include_deleted: See the recycle bin and archived records too.
            batch_size: Records of a page, 200 to 2,000; Salesforce takes it as a wish.

        Raises:
            QueryTooLong: The text does not fit a URL. Nothing was sent; a query job takes longer ones.
            InvalidRequest: Salesforce cannot run it: `MalformedQuery`, an unknown field, an unknown object.
        """
        path = self._transport.path("queryAll" if include_deleted else "query")
        headers = {"Sforce-Query-Options": f"batchSize={batch_size}"} if batch_size else {}
        request = Request(method="GET", target=with_params(path, {"q": soql}), headers=headers, resend=Resend.ALWAYS)
        try:
            reply = await self._transport.send(request)
        except RequestTooLong as error:
            raise QueryTooLong(
                f"The SOQL text has {len(soql)} characters, as a URL {error.uri_bytes} bytes with its headers; "
                "Salesforce reads 16384. Select fewer fields or use a bulk query, which takes 100,000 characters.",
                uri_bytes=error.uri_bytes,
            ) from error
        return parse_query_page(reply.body)

    async def raw_page(self, soql: str, include_deleted: bool = False, batch_size: int | None = None) -> RawPage:
        """Run a query and return its first page, records unread. A text too long for a URL goes by a composite call.

        Args:
            soql: The query, at most 100,000 characters.
            include_deleted: See the recycle bin and archived records too.
            batch_size: Records of a page, 200 to 2,000; Salesforce takes it as a wish.

        Raises:
            QueryTooLong: Salesforce does not take it by a composite call either; a query job may.
            InvalidRequest: Salesforce cannot run it: `MalformedQuery`, an unknown field, an unknown object.
        """
        target = with_params(self._transport.path("queryAll" if include_deleted else "query"), {"q": soql})
        headers = {"Sforce-Query-Options": f"batchSize={batch_size}"} if batch_size else {}
        try:
            reply = await self._transport.send(
                Request(method="GET", target=target, headers=headers, resend=Resend.ALWAYS)
            )
        except RequestTooLong:
            return await self._by_composite(target, headers)
        return parse_raw_page(reply.body)

    async def raw_next(self, next_records_url: str) -> RawPage:
        """Return the page that a `next_records_url` names, records unread.

        Raises:
            The same as `next`.
        """
        target = await self._transport.target_of(next_records_url)
        reply = await self._transport.send(Request(method="GET", target=target, resend=Resend.ALWAYS))
        return parse_raw_page(reply.body)

    async def _by_composite(self, target: str, headers: Mapping[str, str]) -> RawPage:
        subrequest: dict[str, JSON] = {"method": "GET", "url": target, "referenceId": "query"}
        if headers:
            subrequest["httpHeaders"] = dict(headers)
        path = self._transport.path("composite")
        # It only reads, so that it may be repeated although it is a POST.
        request = json_request("POST", path, {"compositeRequest": [subrequest]}, resend=Resend.ALWAYS)
        answer = parse_composite((await self._transport.send(request)).body, 1)[0]
        page = _subpage(answer, target)
        if isinstance(page, RawPage):
            return page
        raise page

    async def raw_pages(
        self, soqls: Sequence[str], include_deleted: bool = False
    ) -> list[RawPage | SalesforceError | QueryTooLong]:
        """Run up to five queries in one call and return the first page of each, or what was wrong with it, in order.

        Args:
            soqls: 1 to 5 queries.
            include_deleted: See the recycle bin and archived records too.

        Raises:
            ValueError: There are none, or more than Salesforce takes in one composite call. Nothing was sent.
            ClientError: The call as a whole failed.
        """
        if not 1 <= len(soqls) <= COMPOSITE_QUERIES:
            raise ValueError(f"a composite call takes 1 to {COMPOSITE_QUERIES} queries, not {len(soqls)}")
        path = self._transport.path("queryAll" if include_deleted else "query")
        targets = [with_params(path, {"q": soql}) for soql in soqls]
        subrequests: list[JSON] = [
            {"method": "GET", "url": target, "referenceId": f"query{number}"} for number, target in enumerate(targets)
        ]
        body: dict[str, JSON] = {"compositeRequest": subrequests}
        # They only read, so that the call may be repeated although it is a POST.
        request = json_request("POST", self._transport.path("composite"), body, resend=Resend.ALWAYS)
        answers = parse_composite((await self._transport.send(request)).body, len(targets))
        return [_subpage(answer, target) for answer, target in zip(answers, targets, strict=True)]

    async def next(self, next_records_url: str) -> QueryPage:
        """Return the page that a `next_records_url` names.

        Raises:
            MalformedQuery: The cursor has expired: run the query again.
            RedirectRefused: The URL names another host than the org's. Nothing was sent.
        """
        target = await self._transport.target_of(next_records_url)
        reply = await self._transport.send(Request(method="GET", target=target, resend=Resend.ALWAYS))
        return parse_query_page(reply.body)

    async def records(self, soql: str, include_deleted: bool = False) -> AsyncGenerator[dict[str, Any], None]:
        """Give all records of a query one after another, in Salesforce's order; one page is in memory at a time.

        Raises:
            MalformedReply: Salesforce named a page that was read already.
        """
        page = await self.page(soql, include_deleted)
        seen: set[str] = set()
        while True:
            for record in page.records:
                yield record
            if page.next_records_url is None:
                return
            if page.next_records_url in seen:
                raise MalformedReply("Salesforce named a query page that was read already.")
            seen.add(page.next_records_url)
            page = await self.next(page.next_records_url)


def _subpage(answer: Subreply, target: str) -> RawPage | SalesforceError | QueryTooLong:
    """Return what became of a query within a composite call."""
    status, body = answer.http_status_code, bytes(answer.body)
    if status in _URI_TOO_LONG:
        return QueryTooLong(
            "Salesforce takes this SOQL text neither in a URL nor in a composite call; a query job takes it.",
            uri_bytes=len(target),
        )
    if status >= 300:
        faults = parse_faults(body) or (SalesforceFault(error_code="", message=""),)
        kind = error_class(status, faults[0])
        return kind(status=status, faults=faults, method="GET", path=target.partition("?")[0])
    return parse_raw_page(body, QueryWay.COMPOSITE)
