"""Documents of machines: telemetry readings, KPIs, service notes."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from orgbridge.api.bodies import StrictRoute
from orgbridge.api.conditions import IfMatch, etag, expected_revision
from orgbridge.api.instants import Instant
from orgbridge.api.lists import Cursor, Limit, page_reply
from orgbridge.api.replies import json_reply
from orgbridge.api.security import MachinesReader, MachinesWriter, services_of
from orgbridge.api.v1.schemas.machine_documents import (
    DocumentBatch,
    DocumentBatchReply,
    DocumentChange,
    DocumentId,
    DocumentKind,
    DocumentNew,
    DocumentPageReply,
    DocumentReply,
)
from orgbridge.api.v1.schemas.problems import problems
from orgbridge.services.commerce.documents import DocumentWish, document_portrait, outcome_portrait

router = APIRouter(prefix="/salesforce_machines", tags=["machine_documents"], route_class=StrictRoute)
_PATH = "/{org_id}/{machine_id}/documents"

_OrgId = Annotated[
    str,
    Path(pattern=r"^[A-Za-z0-9_]{1,64}$", description="Id of an organization.", examples=["org_01jd6z7w7kq2m4t8v0x3"]),
]
_MachineId = Annotated[
    str,
    Path(
        pattern=r"^[A-Za-z0-9_]{1,64}$",
        description="Id of an Asset (15 or 18 characters), or of a machine of ours.",
        examples=["02iWs0000000001IAA"],
    ),
]
_DocumentId = Annotated[DocumentId, Path(description="Id of a document.", examples=["doc_01jd6z7w7kq2m4t8v0x3y5z7b9"])]


@router.get(
    _PATH, response_model=DocumentPageReply, responses=problems(400, 404, 502), summary="List a machine's documents"
)
async def document_page(
    request: Request,
    caller: MachinesReader,
    org_id: _OrgId,
    machine_id: _MachineId,
    kind: Annotated[DocumentKind | None, Query(description="Of this kind only.", examples=["telemetry"])] = None,
    since: Annotated[
        Instant | None,
        Query(description="Recorded then or later; without a zone it is UTC.", examples=["2026-11-01T00:00:00Z"]),
    ] = None,
    until: Annotated[
        Instant | None, Query(description="Recorded earlier than then.", examples=["2026-12-01T00:00:00Z"])
    ] = None,
    order: Annotated[Literal["newest", "oldest"], Query(description="Which end of the window comes first.")] = "newest",
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response:
    """Return one page of documents by the instant they were recorded at; a page ends early when they are large.

    A document that is there from the first page to the last stands on exactly one of them, whatever is written
    meanwhile.
    """
    page = await services_of(request).documents.page(
        caller,
        org_id,
        machine_id,
        kind=kind,
        since=since,
        until=until,
        oldest_first=order == "oldest",
        cursor=cursor,
        limit=limit,
    )
    return page_reply(request, "documents", [document_portrait(item) for item in page.items], page.next_cursor)


@router.post(
    _PATH,
    status_code=201,
    response_model=DocumentReply,
    responses=problems(400, 404, 409, 413, 502),
    summary="Add a document to a machine",
)
async def document_add(
    request: Request, body: DocumentNew, caller: MachinesWriter, org_id: _OrgId, machine_id: _MachineId
) -> Response:
    """Keep a document of the machine: a reading, a figure, a note. It ends by itself if it says so."""
    made = await services_of(request).documents.add(caller, org_id, machine_id, _wish(body, body.id))
    location = str(request.app.url_path_for("document_get", org_id=org_id, machine_id=machine_id, document_id=made.id))
    return json_reply(document_portrait(made), status=201, headers={**etag(made.etag), "Location": location})


@router.post(
    f"{_PATH}/batch",
    response_model=DocumentBatchReply,
    responses=problems(400, 404, 413, 502),
    summary="Add or replace many documents of a machine",
)
async def document_batch(
    request: Request, body: DocumentBatch, caller: MachinesWriter, org_id: _OrgId, machine_id: _MachineId
) -> Response:
    """Keep documents whether they are there or not; each has an outcome of its own, in the order of the request.

    With ids of your own the call may be repeated: what was written is written again, and nothing twice.
    """
    wishes = [_wish(one, one.id) for one in body.documents]
    outcomes = await services_of(request).documents.put_many(caller, org_id, machine_id, wishes)
    results = [outcome_portrait(outcome) for outcome in outcomes]
    written = sum(1 for result in results if result["success"])
    unknown = sum(1 for result in results if result["outcome"] == "unknown")
    return json_reply(
        {
            "success": written == len(results),
            "written": written,
            "not_written": len(results) - written - unknown,
            "unknown": unknown,
            "results": results,
        }
    )


@router.get(
    f"{_PATH}/{{document_id}}",
    response_model=DocumentReply,
    responses=problems(400, 404, 502),
    summary="See a document of a machine",
)
async def document_get(
    request: Request, caller: MachinesReader, org_id: _OrgId, machine_id: _MachineId, document_id: _DocumentId
) -> Response:
    """Return a document with the ETag that a change needs."""
    found = await services_of(request).documents.get(caller, org_id, machine_id, document_id)
    return json_reply(document_portrait(found), headers=etag(found.etag))


@router.put(
    f"{_PATH}/{{document_id}}",
    response_model=DocumentReply,
    responses=problems(400, 404, 412, 413, 428, 502),
    summary="Replace a document of a machine",
)
async def document_replace(
    request: Request,
    body: DocumentChange,
    caller: MachinesWriter,
    org_id: _OrgId,
    machine_id: _MachineId,
    document_id: _DocumentId,
    if_match: IfMatch = None,
) -> Response:
    """Keep another state of a document: kind, instant, body and end are those of the request."""
    expected = expected_revision(if_match)
    done = await services_of(request).documents.replace(
        caller, org_id, machine_id, document_id, _wish(body), expected=expected
    )
    return json_reply(document_portrait(done), headers=etag(done.etag))


@router.delete(
    f"{_PATH}/{{document_id}}",
    status_code=204,
    responses=problems(400, 404, 412, 428, 502),
    summary="Delete a document of a machine",
)
async def document_delete(
    request: Request,
    caller: MachinesWriter,
    org_id: _OrgId,
    machine_id: _MachineId,
    document_id: _DocumentId,
    if_match: IfMatch = None,
) -> Response:
    """Delete a document."""
    expected = expected_revision(if_match)
    await services_of(request).documents.delete(caller, org_id, machine_id, document_id, expected=expected)
    return Response(status_code=204)


def _wish(body: DocumentChange, identifier: str | None = None) -> DocumentWish:
    return DocumentWish(
        id=identifier,
        kind=body.kind,
        body=body.body,
        recorded_at=body.recorded_at,
        expires_at=body.expires_at,
        ttl_seconds=body.ttl_seconds,
    )
