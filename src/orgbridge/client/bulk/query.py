"""Query jobs: create, watch, and read the results page by page as streams.

Source: facts/salesforce/bulk2.md section 9.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from orgbridge.client.bulk.jobs import Jobs
from orgbridge.client.errors import MalformedReply
from orgbridge.client.replies import JobInfo, ResultPages, parse_job, parse_result_pages
from orgbridge.client.transport.exchange import Transport
from orgbridge.client.transport.requests import Expect, Request, Resend, json_request, with_params
from orgbridge.wire.bulk import ColumnDelimiter, LineEnding, QueryOperation


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultsPage:
    """One page of a query job's results; its blocks are read inside of the context that gave it."""

    #: Locator of the next page; None on the last one.
    locator: str | None
    #: Records of this page, as its header says.
    number_of_records: int
    #: CSV, the header row first on every page.
    chunks: AsyncIterator[bytes]


class QueryJobs(Jobs):
    """Bulk API 2.0 query jobs."""

    def __init__(self, transport: Transport) -> None:
        super().__init__(transport, "query", "V2Query")

    async def create(
        self,
        soql: str,
        operation: QueryOperation = QueryOperation.QUERY,
        *,
        column_delimiter: ColumnDelimiter = ColumnDelimiter.COMMA,
        line_ending: LineEnding = LineEnding.LF,
    ) -> JobInfo:
        """Create a query job; it starts at once. Never sent twice unless nothing of the first sending got out.

        Raises:
            InvalidRequest: Salesforce cannot run this SOQL, or not in bulk.
            LimitExceeded: The query jobs or result bytes of the day are used up.
            ConnectionFailed: With `sent` true a job may exist; it reads only.
        """
        body = {
            "operation": operation.value,
            "query": soql,
            "contentType": "CSV",
            "columnDelimiter": column_delimiter.value,
            "lineEnding": line_ending.value,
        }
        return parse_job((await self._transport.send(json_request("POST", self._path(), body))).body)

    @asynccontextmanager
    async def results(
        self, job_id: str, locator: str | None = None, max_records: int | None = None, *, packed: bool | None = None
    ) -> AsyncIterator[ResultsPage]:
        """Open one page of the results of a complete job.

        Args:
            job_id: A job in state `JobComplete`.
            locator: Which page; None for the first.
            max_records: Records of a page at most; None leaves it to Salesforce.
            packed: Whether to ask for gzip; None: unless the org is on this machine.

        Raises:
            MalformedReply: The page does not tell whether another one follows; reading on could lose rows.
            SalesforceError: The job is not complete or is gone.
            ConnectionFailed: While reading: the page is incomplete; fetch it again.
        """
        params: dict[str, str | int] = {}
        if locator is not None:
            params["locator"] = locator
        if max_records is not None:
            params["maxRecords"] = max_records
        request = Request(
            method="GET",
            target=with_params(self._path(job_id, "results"), params),
            headers=await self._download_headers(packed),
            resend=Resend.ALWAYS,
            expect=Expect.STREAM,
        )
        async with self._transport.stream(request) as reply:
            following, count = reply.headers.get("Sforce-Locator"), reply.headers.get("Sforce-NumberOfRecords", "")
            if not following or not count.isdigit():
                raise MalformedReply("Salesforce's page of query results lacks Sforce-Locator or -NumberOfRecords.")
            yield ResultsPage(
                locator=None if following == "null" else following,
                number_of_records=int(count),
                chunks=reply.chunks,
            )

    async def pages(self, job_id: str, max_records: int | None = None) -> AsyncGenerator[ResultsPage, None]:
        """Give the pages of the results one after another; read each before asking for the next.

        A caller that may stop early wraps it in `contextlib.aclosing`, so that the open page is closed at once.

        Raises:
            MalformedReply: Salesforce named a page that was read already.
        """
        locator: str | None = None
        seen: set[str] = set()
        while True:
            async with self.results(job_id, locator, max_records) as page:
                yield page
                locator = page.locator
            if locator is None:
                return
            if locator in seen:
                raise MalformedReply("Salesforce named a page of query results that was read already.")
            seen.add(locator)

    async def result_pages(self, job_id: str, next_records_url: str | None = None) -> ResultPages:
        """Return locators of result pages, five at most at a time, so that pages can be fetched side by side (v58+).

        Args:
            job_id: A job in state `JobComplete`.
            next_records_url: Where the list goes on; None for its start.
        """
        if next_records_url is None:
            target = self._path(job_id, "resultPages")
        else:
            target = await self._transport.target_of(next_records_url)
        reply = await self._transport.send(Request(method="GET", target=target, resend=Resend.ALWAYS))
        return parse_result_pages(reply.body)
