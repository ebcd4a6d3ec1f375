"""What is done to a job that has ended: its failed rows again, or all of it taken back. And the error catalogue."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from orgbridge.api.bodies import StrictRoute
from orgbridge.api.replies import json_reply
from orgbridge.api.security import BulkReader, BulkWriter, services_of
from orgbridge.api.v1.jobs import JobId
from orgbridge.api.v1.schemas.job_actions import CatalogueEntry, CatalogueReply, RetryAccepted, UndoAccepted
from orgbridge.api.v1.schemas.problems import problems
from orgbridge.loads.catalogue import CATALOGUE, entry_of
from orgbridge.services.errors import UnknownErrorCode
from orgbridge.services.retries import RetryRows

router = APIRouter(tags=["bulk"], route_class=StrictRoute)


@router.post(
    "/bulk/job/{job_id}/retry",
    status_code=202,
    response_model=RetryAccepted,
    responses=problems(404, 409),
    summary="Load the failed rows again",
)
async def job_retry(
    request: Request,
    caller: BulkWriter,
    job_id: JobId,
    rows: Annotated[
        Literal["all", "failed", "unprocessed"], Query(description="`all`: failed rows and those not processed.")
    ] = "all",
) -> Response:
    """Make a load of the rows that failed or were not processed; the two jobs know each other.

    Rows that may have been written are left out. A job is retried once: what fails again is retried from the retry.
    """
    made = await services_of(request).retries.retry(job_id, caller, RetryRows(rows))
    body = {
        "success": True,
        "message": "The rows are loaded again.",
        "job_id": made,
        "retry_of": job_id,
        "status_url": str(request.app.url_path_for("job_status", job_id=made)),
    }
    return json_reply(body, status=202)


@router.post(
    "/bulk/job/{job_id}/undo",
    status_code=202,
    response_model=UndoAccepted,
    responses=problems(404, 409),
    summary="Take a load back",
)
async def job_undo(request: Request, caller: BulkWriter, job_id: JobId) -> Response:
    """Delete what the job created and give changed fields their former values, each by a load of its own.

    Records that were changed since are left alone: they are `unprocessed` in the undo's results, with
    `undo.changed_since`. A delete cannot be undone through the API.
    """
    undone = await services_of(request).undo.undo(job_id, caller)
    made = [found for found in (undone.deletes, undone.restores) if found is not None]
    body = {
        "success": True,
        "message": "The load is being undone.",
        "job_id": made[0],
        "job_ids": made,
        "undo_of": job_id,
        "deletes_job_id": undone.deletes,
        "restores_job_id": undone.restores,
        "rows_without_before_image": undone.without_image,
        "status_url": str(request.app.url_path_for("job_status", job_id=made[0])),
    }
    return json_reply(body, status=202)


@router.get(
    "/errors", response_model=CatalogueReply, summary="List the error catalogue", responses=problems(), tags=["errors"]
)
async def errors(request: Request, caller: BulkReader) -> Response:
    """Return every code that a row, a job or a call can end with, with cause, remedy and whether to try again."""
    return json_reply({"errors": [entry.to_json() for entry in CATALOGUE.values()]})


@router.get(
    "/errors/{code}",
    response_model=CatalogueEntry,
    responses=problems(404),
    summary="Explain an error code",
    tags=["errors"],
)
async def error_code(
    request: Request,
    caller: BulkReader,
    code: Annotated[str, Path(pattern=r"^[A-Za-z][A-Za-z0-9_.]{0,99}$", examples=["UNABLE_TO_LOCK_ROW"])],
) -> Response:
    """Return why a code happens, what to do about it and whether trying again can help."""
    entry = entry_of(code)
    if entry is None:
        raise UnknownErrorCode
    return json_reply(entry.to_json())
