"""What ingest and query jobs have in common: state, abort, delete, lists, and a download that is checked.

Source: facts/salesforce/bulk2.md sections 1, 3, 8.
"""

from __future__ import annotations

from orgbridge.client.errors import NotFound
from orgbridge.client.replies import JobInfo, JobPage, parse_job, parse_job_page
from orgbridge.client.transport.exchange import Transport
from orgbridge.client.transport.requests import Request, Resend, json_request, segment, with_params
from orgbridge.wire.bulk import JobState


class Jobs:
    """Jobs of one kind."""

    def __init__(self, transport: Transport, kind: str, job_type: str) -> None:
        self._transport = transport
        self._kind = kind
        self._job_type = job_type

    async def get(self, job_id: str) -> JobInfo:
        """Return the state of a job.

        Raises:
            NotFound: There is no such job, or it was deleted.
        """
        reply = await self._transport.send(Request(method="GET", target=self._path(job_id), resend=Resend.ALWAYS))
        return parse_job(reply.body)

    async def abort(self, job_id: str) -> JobInfo:
        """Stop a job. Rows already done stay done.

        Raises:
            JobStateError: The job has ended already.
            ConnectionFailed: With `sent` true, ask for the state before anything else.
        """
        return await self._set_state(job_id, JobState.ABORTED)

    async def delete(self, job_id: str) -> None:
        """Delete an ended job and its results.

        A "not found" after a try whose reply was lost means that the lost try did it, and is a success.

        Raises:
            SalesforceError: The job has not ended.
        """
        request = Request(method="DELETE", target=self._path(job_id), resend=Resend.ALWAYS)
        try:
            await self._transport.send(request)
        except NotFound as error:
            if not error.repeated:
                raise

    async def list(self, next_records_url: str | None = None) -> JobPage:
        """Return one page of the org's Bulk API 2.0 jobs of this kind, in no order. List items carry no counts.

        Args:
            next_records_url: The page that a former page named; None for the first one.
        """
        if next_records_url is None:
            target = with_params(self._path(), {"jobType": self._job_type})
        else:
            target = await self._transport.target_of(next_records_url)
        return parse_job_page(
            (await self._transport.send(Request(method="GET", target=target, resend=Resend.ALWAYS))).body
        )

    async def _set_state(self, job_id: str, state: JobState) -> JobInfo:
        # Not repeated by itself: a second PATCH would be refused for the state that the first one brought about.
        reply = await self._transport.send(json_request("PATCH", self._path(job_id), {"state": state.value}))
        return parse_job(reply.body)

    async def _download_headers(self, packed: bool | None) -> dict[str, str]:
        """Return the headers that ask for a CSV, packed or not; None: packed unless the org is on this machine."""
        if packed is None:
            packed = not await self._transport.is_local()
        return {"Accept": "text/csv", "Accept-Encoding": "gzip" if packed else "identity"}

    def _path(self, *parts: str) -> str:
        return self._transport.path("/".join(("jobs", self._kind, *map(segment, parts))))
