"""Jobs as their owners see them: status, lists, results, receipt, abort.

A job is one of our loads, named by its own id or by the `750…` id of a Salesforce job made for it; any other `750…` id
is asked at Salesforce.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from orgbridge.client.replies import JobInfo
from orgbridge.client.salesforce import Salesforce
from orgbridge.loads.columns import ExportFormat
from orgbridge.loads.dialect import Dialect
from orgbridge.loads.results import ResultKind, select
from orgbridge.loads.states import LoadState
from orgbridge.orgs.connections import Orgs
from orgbridge.services.errors import InvalidRequest, LoadNotFinished, LoadNotFound, ResultsMissing
from orgbridge.services.exports import MEDIA_TYPES, open_results, stored_form
from orgbridge.services.policies.policy import may_see_job
from orgbridge.services.scopes import Caller
from orgbridge.services.sequels import links_json
from orgbridge.services.streams import Preview, from_thread, ndjson, preview
from orgbridge.store.database import Database
from orgbridge.store.files import FileStore
from orgbridge.store.records import LoadKind, LoadProgress, LoadRecord, PartRecord
from orgbridge.store.totals import loads_by_state
from orgbridge.wire.bulk import TERMINAL_JOB_STATES, LineEnding
from orgbridge.wire.ids import BULK_JOB_PREFIX, to_18

#: What a status with `include_results_data` holds at most; the stream has the rest.
PREVIEW_BYTES, PREVIEW_ROWS = 1024 * 1024, 1_000
_ENDED = frozenset({LoadState.JOB_COMPLETE, LoadState.FAILED, LoadState.ABORTED})
_UPSTREAM_RESULTS = {
    ResultKind.SUCCESSFUL: "successfulResults",
    ResultKind.FAILED: "failedResults",
    ResultKind.UNPROCESSED: "unprocessedrecords",
}


class ResultForm(StrEnum):
    """How results are written."""

    CSV = "text/csv"
    NDJSON = "application/x-ndjson"
    PARQUET = "application/vnd.apache.parquet"


_FORMATS = {ResultForm(media): form for form, media in MEDIA_TYPES.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStatus:
    """Where a job stands."""

    #: The id that was asked for when it is Salesforce's own, our id otherwise.
    job_id: str
    #: Queued, InProgress, JobComplete, Failed, Aborted; a foreign job keeps Salesforce's word.
    state: str
    #: insert, upsert, query, …
    operation: str
    #: API name of the object.
    object_name: str
    #: Why the job as a whole failed.
    error_message: str | None
    #: Rows with an outcome so far, failed ones included.
    records_processed: int
    #: Rows refused so far.
    records_failed: int
    #: True for a query.
    is_query: bool
    #: True when the state will not change any more.
    ended: bool
    #: All else that is known, JSON-ready.
    details: dict[str, Any]
    #: Counts of rows and of parts by state; None for a foreign job.
    progress: dict[str, Any] | None = None
    #: One mapping per part; empty for a foreign job.
    parts: list[dict[str, Any]] | None = None
    #: True when the load is ours and its receipt is written.
    has_receipt: bool = False
    #: True when results can be fetched.
    has_results: bool = False
    #: The first results, when asked for.
    preview: Preview | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobList:
    """One page of our loads, newest first."""

    #: The loads; without parts.
    items: list[JobStatus]
    #: Cursor of the next page; None at the end.
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """Which loads to list."""

    #: Only in this state.
    state: str | None = None
    #: Only of this object.
    object_name: str | None = None
    #: Only of this operation.
    operation: str | None = None
    #: Only of this user.
    created_by: str | None = None


class JobService:
    """Shows and aborts jobs."""

    def __init__(self, database: Database, files: FileStore, orgs: Orgs, org: str = "default") -> None:
        self._database = database
        self._files = files
        self._orgs = orgs
        self._org = org

    async def status(
        self, job_id: str, *, caller: Caller, is_query: bool = False, include_results: bool = False
    ) -> JobStatus:
        """Return where a job stands.

        Args:
            job_id: Our id, or Salesforce's `750…`.
            caller: Who asks; a job that they may not see is not there.
            is_query: For a foreign `750…` id: it is a query job.
            include_results: Add the first results, at most `PREVIEW_ROWS` rows and `PREVIEW_BYTES` bytes.

        Raises:
            LoadNotFound: We have no such load.
            ClientError: The id is a foreign `750…` and Salesforce does not know it or could not be asked.
        """
        found = await self._seen(job_id, caller)
        if found is None:
            return await self._foreign(_foreign_id(job_id), is_query=is_query)
        load, part = found
        async with self._database.unit(write=False) as unit:
            progress = await unit.loads.progress(load.id)
            parts = await unit.parts.list(load.id)
            links = links_json(load.id, await unit.sequels.links(load.id))
        seen = await self._preview(load) if include_results and load.results_key is not None else None
        status = _status(load, progress, parts, seen)
        status = replace(status, details={**status.details, "links": links})
        return status if part is None else _narrowed(status, part)

    async def list(self, chosen: JobFilter, *, caller: Caller, cursor: str | None, limit: int) -> JobList:
        """Return one page of our loads that the caller may see, newest first.

        Raises:
            CursorInvalid: The cursor is not one of ours.
            InvalidRequest: There is no such state.
        """
        try:
            state = LoadState(chosen.state) if chosen.state else None
        except ValueError:
            raise InvalidRequest(f"The state must be one of {', '.join(LoadState)}.") from None
        if not may_see_job(caller, chosen.created_by):
            if chosen.created_by is not None:
                return JobList(items=[], next_cursor=None)
            chosen = replace(chosen, created_by=caller.username)
        async with self._database.unit(write=False) as unit:
            page = await unit.loads.list(
                cursor=cursor,
                limit=limit,
                state=state,
                object_name=chosen.object_name,
                operation=chosen.operation,
                created_by=chosen.created_by,
            )
            running = {load.id: await unit.loads.progress(load.id) for load in page.items if load.state not in _ENDED}
        return JobList(
            items=[_status(load, running.get(load.id), [], None) for load in page.items],
            next_cursor=page.next_cursor,
        )

    async def counts(self, *, caller: Caller) -> dict[str, int]:
        """Return how many loads that the caller may see are in which state; states without loads are absent."""
        whose = None if may_see_job(caller, None) else caller.username
        async with self._database.unit(write=False) as unit:
            return await loads_by_state(unit, whose)

    async def receipt(self, job_id: str, *, caller: Caller) -> dict[str, Any]:
        """Return the proof of an ended load.

        Raises:
            LoadNotFound: We have no such load.
            LoadNotFinished: It has not ended yet.
            ResultsMissing: It ended before there was anything to prove.
        """
        load, _ = await self._ours(job_id, caller)
        if load.state not in _ENDED:
            raise LoadNotFinished
        if load.receipt is None:
            raise ResultsMissing(
                f"The job left no receipt: {load.error_message or 'it ended before any row was read.'}"
            )
        return load.receipt

    async def results(
        self, job_id: str, kind: str, form: ResultForm, *, caller: Caller, loadable: bool = False
    ) -> AsyncIterator[bytes]:
        """Return the rows of an ended job as a stream.

        Args:
            job_id: Our id, or Salesforce's `750…`.
            kind: all, successful, failed or unprocessed; `all` is in the order of the input.
            form: CSV as it lies in the results file, or one JSON object per row.
            caller: Who asks; a job that they may not see is not there.
            loadable: For `failed`: the input's own columns only, of the rows that failed or were not processed, so that
                they can be mended and loaded again. Rows whose outcome is not known are left out.

        Raises:
            InvalidRequest: `loadable` is asked of another kind or of a job that is not ours.
            LoadNotFound: We have no such load.
            LoadNotFinished: It has not ended yet.
            ResultsMissing: It ended without results, or has none of this kind.
            ClientError: The id is a foreign `750…` and Salesforce does not give its results.
        """
        chosen = ResultKind(kind)
        if loadable and chosen is not ResultKind.FAILED:
            raise InvalidRequest("Rows to be loaded again are asked for by the kind failed.")
        found = await self._seen(job_id, caller)
        if found is None:
            if loadable:
                raise InvalidRequest("Of a job that this service did not make there are only Salesforce's own results.")
            if chosen not in _UPSTREAM_RESULTS or form is not ResultForm.CSV:
                raise InvalidRequest("Results of a job that this service did not make: ask for one kind, as text/csv.")
            return self._foreign_results(_foreign_id(job_id), chosen)
        load, _ = found
        if load.state not in _ENDED:
            raise LoadNotFinished
        if load.results_key is None and load.cleaned_at is not None:
            raise ResultsMissing(
                f"The results were removed on {load.cleaned_at:%Y-%m-%d}: they are kept for ORGBRIDGE_RETENTION_DAYS."
            )
        if load.results_key is None:
            raise ResultsMissing(
                f"The job left no results: {load.error_message or 'it ended before any row was sent.'}"
            )
        if load.kind is LoadKind.QUERY and chosen not in (ResultKind.ALL, ResultKind.SUCCESSFUL):
            raise ResultsMissing("A query has no failed, unprocessed or skipped rows: ask for all.")
        if load.kind is LoadKind.QUERY:
            # Opened here already: a form that the export has not is a refusal, not a broken stream.
            blocks = open_results(self._files, load, _FORMATS[form])
            return from_thread(lambda: blocks)
        if form is ResultForm.PARQUET:
            raise InvalidRequest("Results of a load come as text/csv or application/x-ndjson.")
        delimiter = _dialect(load).delimiter

        def make() -> Iterator[bytes]:
            again = load.failed_key if loadable else None
            blocks = self._selected(load, chosen) if again is None else self._files.open_blocks(again)
            return blocks if form is ResultForm.CSV else ndjson(blocks, delimiter)

        return from_thread(make)

    async def result_form(self, job_id: str, asked: ResultForm | None, *, caller: Caller) -> ResultForm:
        """Return the form in which results will come: the one asked for, or that in which an export was written."""
        if asked is not None:
            return asked
        found = await self._seen(job_id, caller)
        if found is None or found[0].kind is not LoadKind.QUERY:
            return ResultForm.CSV
        return ResultForm(MEDIA_TYPES[stored_form(found[0])])

    async def abort(self, job_id: str, *, caller: Caller) -> JobStatus:
        """Ask that a job be stopped; a worker does it. Return where it stands now.

        Raises:
            LoadNotFound: We have no such load.
            ClientError: The id is a foreign `750…` and Salesforce refused.
        """
        found = await self._seen(job_id, caller)
        if found is None:
            foreign = _foreign_id(job_id)
            await self._salesforce().bulk.ingest.abort(foreign)
            return await self._foreign(foreign, is_query=False)
        load, _ = found
        async with self._database.unit() as unit:
            await unit.loads.request_cancel(load.id)
        return await self.status(load.id, caller=caller)

    async def _find(self, job_id: str) -> tuple[LoadRecord, PartRecord | None] | None:
        async with self._database.unit(write=False) as unit:
            load = await unit.loads.get(job_id)
            if load is not None:
                return load, None
            return await unit.loads.find_by_job_id(job_id)

    async def _seen(self, job_id: str, caller: Caller) -> tuple[LoadRecord, PartRecord | None] | None:
        """Return a job of ours that the caller may see; None for a foreign one that they may ask Salesforce about.

        Raises:
            LoadNotFound: The caller may not see it.
        """
        found = await self._find(job_id)
        if not may_see_job(caller, found[0].created_by if found is not None else None):
            raise LoadNotFound
        return found

    async def _ours(self, job_id: str, caller: Caller) -> tuple[LoadRecord, PartRecord | None]:
        found = await self._seen(job_id, caller)
        if found is None:
            raise LoadNotFound
        return found

    def _selected(self, load: LoadRecord, kind: ResultKind) -> Iterator[bytes]:
        assert load.results_key is not None, "checked by the caller"
        blocks = self._files.open_blocks(load.results_key)
        return blocks if kind is ResultKind.ALL else select(blocks, kind, _dialect(load))

    async def _preview(self, load: LoadRecord) -> Preview | None:
        if load.kind is LoadKind.QUERY and stored_form(load) is not ExportFormat.CSV:
            return None

        def read() -> Preview:
            blocks = self._selected(load, ResultKind.ALL)
            return preview(blocks, _dialect(load).delimiter, max_bytes=PREVIEW_BYTES, max_rows=PREVIEW_ROWS)

        return await asyncio.to_thread(read)

    async def _foreign(self, job_id: str, *, is_query: bool) -> JobStatus:
        bulk = self._salesforce().bulk
        info = await (bulk.query.get(job_id) if is_query else bulk.ingest.get(job_id))
        return _foreign_status(info, is_query=is_query)

    async def _foreign_results(self, job_id: str, kind: ResultKind) -> AsyncIterator[bytes]:
        async with self._salesforce().bulk.ingest.results(job_id, _UPSTREAM_RESULTS[kind]) as blocks:
            async for block in blocks:
                yield block

    def _salesforce(self) -> Salesforce:
        return self._orgs.get(self._org).salesforce


def _foreign_id(job_id: str) -> str:
    full = to_18(job_id)
    if full is None or not full.startswith(BULK_JOB_PREFIX):
        raise LoadNotFound
    return full


def _dialect(load: LoadRecord) -> Dialect:
    detected = load.options.get("detected", {})
    return Dialect(
        delimiter=str(detected.get("delimiter", ",")), line_ending=LineEnding(detected.get("line_ending", "LF"))
    )


def _status(
    load: LoadRecord, progress: LoadProgress | None, parts: list[PartRecord], seen: Preview | None
) -> JobStatus:
    ended = load.state in _ENDED
    if ended or progress is None or not progress.parts:
        rows = {"succeeded": load.rows_succeeded, "failed": load.rows_failed, "unprocessed": load.rows_unprocessed}
        rows["skipped"] = load.rows_skipped
    else:
        rows = {"succeeded": progress.succeeded, "failed": progress.failed, "unprocessed": progress.unprocessed}
        rows["skipped"] = progress.skipped
    by_state = {state.value: count for state, count in progress.parts.items()} if progress is not None else {}
    return JobStatus(
        job_id=load.id,
        state=load.state.value,
        operation=load.operation,
        object_name=load.object_name,
        error_message=load.error_message if ended else None,
        records_processed=rows["succeeded"] + rows["failed"],
        records_failed=rows["failed"],
        is_query=load.kind is LoadKind.QUERY,
        ended=ended,
        details=_details(load),
        progress={"rows_read": load.rows_read, **rows, "parts": load.parts, "parts_by_state": by_state},
        parts=[_part(part) for part in parts],
        has_receipt=load.receipt is not None,
        has_results=load.results_key is not None,
        preview=seen,
    )


def _narrowed(status: JobStatus, part: PartRecord) -> JobStatus:
    """Return the status of a load, asked for by the id of one of its Salesforce jobs."""
    details = {**status.details, "asked_for": part.job_id, "part": _part(part)}
    return replace(status, details=details)


def _details(load: LoadRecord) -> dict[str, Any]:
    return {
        "created_by": load.created_by,
        "created_at": _instant(load.created_at),
        "started_at": _instant(load.started_at),
        "finished_at": _instant(load.finished_at),
        "external_id_field": load.external_id_field,
        # The rows that a policy added are not told: its author may hold them private.
        "soql": load.options.get("asked_soql", load.soql),
        "input": {
            "name": load.options.get("original_name"),
            "bytes": load.input_bytes,
            "sha256": load.input_sha256,
            **load.options.get("detected", {}),
        },
        "rows_read": load.rows_read,
        "api_calls": load.api_calls,
        "waiting": load.error_message if load.state not in _ENDED else None,
        "cancel_requested": load.cancel_requested,
        "error_code": load.error_code,
        "error_details": load.error_details,
        "salesforce_job_id": load.job_id,
        "output_format": stored_form(load).value if load.kind is LoadKind.QUERY else None,
        "target": load.options.get("target"),
        "org": load.org,
    }


def _part(part: PartRecord) -> dict[str, Any]:
    return {
        "number": part.number,
        "state": part.state.value,
        "job_id": part.job_id,
        "job_state": part.job_state,
        "rows": part.rows,
        "bytes": part.bytes,
        "sha256": part.sha256,
        "first_line": part.first_line,
        "first_row": part.first_row,
        "succeeded": part.succeeded,
        "failed": part.failed,
        "unprocessed": part.unprocessed,
        "skipped": part.skipped,
        "stalled_since": _instant(part.stalled_at),
        "attempt": part.attempt,
        "api_calls": part.api_calls,
        "error_message": part.error_message,
    }


def _foreign_status(info: JobInfo, *, is_query: bool) -> JobStatus:
    return JobStatus(
        job_id=info.id,
        state=info.state.value,
        operation=info.operation,
        object_name=info.object,
        error_message=info.error_message,
        records_processed=info.number_records_processed or 0,
        records_failed=info.number_records_failed or 0,
        is_query=is_query,
        ended=info.state in TERMINAL_JOB_STATES,
        details=dict(info.raw),
        has_results=info.state in TERMINAL_JOB_STATES,
    )


def _instant(value: datetime | None) -> str | None:
    return value.isoformat() if value is not None else None
