"""Composite calls: several subrequests in one call to Salesforce, each checked first."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from orgbridge.api.bodies import StrictRoute
from orgbridge.api.security import RecordsReader, services_of
from orgbridge.api.v1.schemas.composite import CompositeReply, CompositeRequest
from orgbridge.api.v1.schemas.problems import problems
from orgbridge.kit.json import dumps

router = APIRouter(tags=["records"], route_class=StrictRoute)


@router.post(
    "/composite",
    response_model=CompositeReply,
    responses=problems(400, 404, 409, 413, 429, 502),
    summary="Run several subrequests in one call",
)
async def composite(request: Request, body: CompositeRequest, caller: RecordsReader) -> Response:
    """Run up to 25 subrequests: records by id or external id, queries, collections and describes; nothing else.

    One that writes needs the scope records:write. A query with further pages has `next_cursor` for `/query/next/`.
    """
    outcomes = await services_of(request).composite.send(
        [item.model_dump(exclude_none=True) for item in body.compositeRequest],
        caller=caller,
        all_or_none=body.allOrNone,
        collate=body.collateSubrequests,
    )
    # Bodies are not read on their way, so the reply is put together from bytes.
    answers = [
        b'{"body":%b,"httpHeaders":%b,"httpStatusCode":%d,"referenceId":%b}'
        % (item.body, item.headers, item.status, dumps(item.reference_id))
        for item in outcomes
    ]
    return Response(b'{"compositeResponse":[' + b",".join(answers) + b"]}", media_type="application/json")
