"""SOQL by REST, page by page. For results of any size there are query jobs, see `bulk`.

Source: facts/salesforce/soql.md section 1.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

from orgbridge.client.errors import MalformedReply, QueryTooLong, RequestTooLong
from orgbridge.client.replies import QueryPage, parse_query_page
from orgbridge.client.transport.exchange import Transport
from orgbridge.client.transport.requests import Request, Resend, with_params


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
