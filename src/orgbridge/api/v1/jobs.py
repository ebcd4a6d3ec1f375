"""Jobs: their list, state, results and receipt, and stopping them."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from orgbridge.api.bodies import StrictRoute
from orgbridge.api.lists import page_reply
from orgbridge.api.replies import CSVResponse, accepts, json_reply, stream_reply
from orgbridge.api.security import BulkReader, BulkWriter, services_of
from orgbridge.api.v1.schemas.bulk import JobListReply, JobReply
from orgbridge.api.v1.schemas.problems import problems
from orgbridge.api.v1.schemas.records import ObjectName
from orgbridge.kit.json import JSON
from orgbridge.services.jobs import JobFilter, JobStatus, ResultForm
from orgbridge.services.spreadsheets import safe_for_spreadsheets

router = APIRouter(prefix="/bulk", tags=["bulk"], route_class=StrictRoute)
JobId = Annotated[
    str,
    Path(
        pattern=r"^[A-Za-z0-9_]{1,64}$",
        description="Id of a load, or a Salesforce job id (750…).",
        examples=["load_01jd6z7w7kq2m4t8v0x3y5z7b9"],
    ),
]


@router.get("/jobs", response_model=JobListReply, responses=problems(400), summary="List jobs, newest first")
async def jobs(
    request: Request,
    caller: BulkReader,
    state: Annotated[str | None, Query(max_length=20, examples=["InProgress"])] = None,
    object_name: Annotated[ObjectName | None, Query(examples=["Account"])] = None,
    operation: Annotated[str | None, Query(max_length=20, examples=["insert"])] = None,
    created_by: Annotated[
        str | None, Query(max_length=128, description="Sign-in name.", examples=["integration"])
    ] = None,
    cursor: Annotated[str | None, Query(max_length=500, examples=["eyJhZnRlciI6MjAwfQ"])] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Response:
    """Return a page of loads; `next_cursor` and the Link header lead to the next one."""
    chosen = JobFilter(state=state, object_name=object_name, operation=operation, created_by=created_by)
    page = await services_of(request).jobs.list(chosen, caller=caller, cursor=cursor, limit=limit)
    return page_reply(request, "jobs", [_status_json(request, status) for status in page.items], page.next_cursor)


@router.get(
    "/job/{job_id}/status",
    response_model=JobReply,
    responses=problems(400, 404, 429, 502),
    summary="See where a job stands",
)
async def job_status(
    request: Request,
    caller: BulkReader,
    job_id: JobId,
    is_query_job: Annotated[bool, Query(description="For a 750… id that is not ours: it is a query.")] = False,
    include_results_data: Annotated[
        bool, Query(description="Add the first 1,000 rows or 1 MiB of the results.")
    ] = False,
) -> Response:
    """Return a job's state and progress, by our id or by a Salesforce `750…` id."""
    service = services_of(request).jobs
    status = await service.status(job_id, caller=caller, is_query=is_query_job, include_results=include_results_data)
    return json_reply(_status_json(request, status))


@router.get(
    "/job/{job_id}/results/{kind}",
    response_class=CSVResponse,
    responses={
        **problems(400, 404, 409, 429, 502),
        200: {
            "description": "The rows, streamed",
            "content": {
                "text/csv": {
                    "schema": {"type": "string"},
                    "example": "ob__line,ob__status,sf__Id,...,Name\r\n2,succeeded,001Ob...,...,Acme\r\n",
                },
                "application/x-ndjson": {"schema": {"type": "string"}},
                "application/vnd.apache.parquet": {"schema": {"type": "string", "format": "binary"}},
            },
        },
    },
    summary="Fetch a job's results",
)
async def job_results(
    request: Request,
    caller: BulkReader,
    job_id: JobId,
    kind: Annotated[Literal["successful", "failed", "unprocessed", "skipped", "all"], Path()],
    loadable: Annotated[
        bool,
        Query(
            description="With `failed`: the input's own columns only, of the rows that failed or were not processed: "
            "a file to be mended and loaded again. Rows whose outcome is not known are left out."
        ),
    ] = False,
    spreadsheet_safe: Annotated[
        bool, Query(description="Of CSV: put an apostrophe before cells that a spreadsheet would run as formulas.")
    ] = False,
) -> Response:
    """Return rows with line number, outcome and original columns; `all` is in the order of the input.

    Of an export: its rows in the form in which it was written, unless Accept names another that can be had.
    """
    # The empty one stands first: it is what `*/*` and no Accept at all mean.
    asked = accepts(request, "", *(form.value for form in ResultForm))
    service = services_of(request).jobs
    form = await service.result_form(job_id, ResultForm(asked) if asked else None, caller=caller)
    blocks = await service.results(job_id, kind, form, caller=caller, loadable=loadable)
    if spreadsheet_safe and form is ResultForm.CSV:
        blocks = safe_for_spreadsheets(blocks)
    ending = {ResultForm.CSV: "csv", ResultForm.NDJSON: "ndjson", ResultForm.PARQUET: "parquet"}[form]
    return await stream_reply(blocks, media_type=form.value, filename=f"{job_id}-{kind}.{ending}")


@router.get(
    "/job/{job_id}/receipt",
    responses={
        **problems(404, 409),
        200: {
            "description": "The proof",
            "content": {
                "application/json": {
                    "example": {
                        "load_id": "load_01jd6z7w7kq2m4t8v0x3y5z7b9",
                        "balanced": True,
                        "rows": {"read": 3, "sent": 3, "succeeded": 2, "failed": 1, "unprocessed": 0, "skipped": 0},
                    }
                }
            },
        },
    },
    summary="Fetch a job's receipt",
)
async def job_receipt(request: Request, caller: BulkReader, job_id: JobId) -> Response:
    """Return the proof that every row is accounted for: counts and hashes, part by part."""
    return json_reply(await services_of(request).jobs.receipt(job_id, caller=caller))


@router.post(
    "/job/{job_id}/abort",
    status_code=202,
    response_model=JobReply,
    responses=problems(400, 404, 409, 429, 502),
    summary="Stop a job",
)
async def job_abort(request: Request, caller: BulkWriter, job_id: JobId) -> Response:
    """Ask a worker to stop the job. Rows already sent keep their outcome; an ended job stays as it is."""
    return json_reply(_status_json(request, await services_of(request).jobs.abort(job_id, caller=caller)), status=202)


def _status_json(request: Request, status: JobStatus) -> dict[str, JSON]:
    seen = status.preview
    path = request.app.url_path_for
    receipt = str(path("job_receipt", job_id=status.job_id)) if status.has_receipt else None
    results = str(path("job_results", job_id=status.job_id, kind="all")) if status.has_results else None
    return {
        "job_id": status.job_id,
        "state": status.state,
        "operation": status.operation,
        "object_name": status.object_name,
        "error_message": status.error_message,
        "records_processed": status.records_processed,
        "records_failed": status.records_failed,
        "job_info_details": status.details,
        "results_data": seen.rows if seen is not None else None,
        "raw_results_csv": seen.csv if seen is not None else None,
        "truncated": seen.truncated if seen is not None else False,
        "ended": status.ended,
        "is_query_job": status.is_query,
        "progress": status.progress,
        "parts": status.parts,
        "receipt_url": receipt,
        "results_url": results,
    }
