"""Ingest jobs: create, upload, close, watch, and read the results as streams.

Source: facts/salesforce/bulk2.md sections 1 to 8.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import StrEnum

from orgbridge.client.bulk.jobs import Jobs
from orgbridge.client.errors import MalformedReply
from orgbridge.client.replies import IngestJobRequest, JobInfo, parse_job
from orgbridge.client.transport.exchange import Transport
from orgbridge.client.transport.requests import Chunks, Expect, Request, Resend, json_request
from orgbridge.wire.bulk import JobState


class IngestResult(StrEnum):
    """The three files of results of an ingest job, spelled as the guide spells their paths."""

    SUCCESSFUL = "successfulResults"
    FAILED = "failedResults"
    UNPROCESSED = "unprocessedrecords"


class IngestJobs(Jobs):
    """Bulk API 2.0 ingest jobs."""

    def __init__(self, transport: Transport) -> None:
        super().__init__(transport, "ingest", "V2Ingest")

    async def create(self, job: IngestJobRequest) -> JobInfo:
        """Create a job in state `Open`. Never sent twice unless nothing of the first sending got out.

        Raises:
            ConnectionFailed: With `sent` true an `Open` job without data may exist; it does nothing.
            SalesforceError: The job was refused.
        """
        return parse_job((await self._transport.send(json_request("POST", self._path(), job.to_json()))).body)

    async def upload(self, job_id: str, chunks: Chunks, length: int | None = None) -> None:
        """Send the CSV of an `Open` job, in constant memory. Salesforce takes one upload per job.

        Never retried here; only a 401 for an expired session, which Salesforce answers unread, sends it once more.

        Args:
            job_id: A job in state `Open` without data.
            chunks: Opens the CSV from its start each time it is called.
            length: Bytes of the CSV, sent as Content-Length; None sends it chunked.

        Raises:
            ConnectionFailed: With `sent` true the data may have arrived: abort the job and create another one.
            BodyMismatch: The chunks have another length; the upload was broken off.
            JobStateError: The job is not `Open` or has its data already.
        """
        reply = await self._transport.send(
            Request(
                method="PUT",
                target=self._path(job_id, "batches"),
                headers={"Content-Type": "text/csv; charset=UTF-8"},
                body=chunks,
                body_bytes=length,
                resend=Resend.NEVER,
                expect=Expect.UPLOAD,
            )
        )
        if reply.status != 201:
            raise MalformedReply(f"Salesforce answered an upload with HTTP {reply.status} instead of 201.")

    async def close(self, job_id: str) -> JobInfo:
        """Tell Salesforce that the data are complete: from here on rows are written. Cannot be taken back.

        Raises:
            JobStateError: The job is not `Open`.
            ConnectionFailed: With `sent` true, ask for the state before anything else.
        """
        return await self._set_state(job_id, JobState.UPLOAD_COMPLETE)

    @asynccontextmanager
    async def results(
        self, job_id: str, which: IngestResult | str, *, packed: bool | None = None
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open a file of results of an ended job; read its blocks of CSV inside of the context.

        Args:
            job_id: An ended job.
            which: Which of the three files.
            packed: Whether to ask for gzip; None: unless the org is on this machine.

        Raises:
            SalesforceError: The job has not ended or is gone.
            ConnectionFailed: While reading: the file is incomplete; fetch it again.
        """
        request = Request(
            method="GET",
            target=self._path(job_id, IngestResult(which).value),
            headers=await self._download_headers(packed),
            resend=Resend.ALWAYS,
            expect=Expect.STREAM,
        )
        async with self._transport.stream(request) as reply:
            yield reply.chunks
