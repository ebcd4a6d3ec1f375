"""SOQL, and the org's limits."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from orgbridge.api.bodies import StrictRoute
from orgbridge.api.replies import accepts, json_reply, stream_reply
from orgbridge.api.security import RecordsReader, services_of
from orgbridge.api.v1.schemas.problems import problems
from orgbridge.api.v1.schemas.records import SOQL_SCHEMA, LimitsReply, QueryReply, QueryRequest
from orgbridge.services.queries import SoqlPage, cursor_of
from orgbridge.services.scopes import Caller

router = APIRouter(tags=["queries"], route_class=StrictRoute)
JSON_TYPE, NDJSON_TYPE, CSV_TYPE = "application/json", "application/x-ndjson", "text/csv"
_FORMS = {NDJSON_TYPE: {"schema": {"type": "string"}}, CSV_TYPE: {"schema": {"type": "string"}}}


@router.get(
    "/query",
    response_model=QueryReply,
    responses={**problems(400, 429, 502), 200: {"content": _FORMS}},
    summary="Run a SOQL query",
)
async def query_get(
    request: Request,
    caller: RecordsReader,
    q: Annotated[
        str,
        Query(
            min_length=1,
            # What any script needs in UTF-8 and percent signs stays below the 64 KiB that a URL may have.
            max_length=5_000,
            description="The SOQL text; a longer one by POST.",
            examples=["SELECT Id, Name FROM Account LIMIT 10"],
            json_schema_extra=SOQL_SCHEMA,
        ),
    ],
    include_deleted: bool = False,
) -> Response:
    """Return the first page as JSON, or all records as NDJSON or CSV, as Accept asks."""
    return await _query(request, caller, q, include_deleted)


@router.post(
    "/query",
    response_model=QueryReply,
    responses={**problems(400, 413, 429, 502), 200: {"content": _FORMS}},
    summary="Run a SOQL query given in the body",
)
async def query_post(request: Request, body: QueryRequest, caller: RecordsReader) -> Response:
    """Return the first page as JSON, or all records as NDJSON or CSV, as Accept asks."""
    return await _query(request, caller, body.q, body.include_deleted)


@router.get(
    "/query/next/{cursor}",
    response_model=QueryReply,
    responses=problems(400, 404, 429, 502),
    summary="Read the next page of a query",
)
async def query_next(
    request: Request, caller: RecordsReader, cursor: Annotated[str, Path(min_length=1, max_length=500)]
) -> Response:
    """Return the page that `next` of the page before points at."""
    return _page(request, await services_of(request).queries.next(cursor, caller=caller))


@router.get(
    "/limits",
    response_model=LimitsReply,
    responses=problems(429, 502),
    summary="Read the org's limits",
)
async def limits(request: Request, caller: RecordsReader) -> Response:
    """Return the org's limits, and the calls that this process has made."""
    records = services_of(request).records
    return json_reply({"org": await records.limits(), "service": {"salesforce_calls": records.calls()}})


async def _query(request: Request, caller: Caller, soql: str, include_deleted: bool) -> Response:
    queries = services_of(request).queries
    form = accepts(request, JSON_TYPE, NDJSON_TYPE, CSV_TYPE)
    if form == NDJSON_TYPE:
        return await stream_reply(
            await queries.ndjson(soql, caller=caller, include_deleted=include_deleted), media_type=NDJSON_TYPE
        )
    if form == CSV_TYPE:
        return await stream_reply(
            await queries.csv(soql, caller=caller, include_deleted=include_deleted), media_type=CSV_TYPE
        )
    return _page(request, await queries.page(soql, caller=caller, include_deleted=include_deleted))


def _page(request: Request, page: SoqlPage) -> Response:
    cursor = cursor_of(page)
    url = str(request.app.url_path_for("query_next", cursor=cursor)) if cursor is not None else None
    return json_reply(
        {"totalSize": page.total_size, "done": page.done, "next": url, "records": page.records},
        headers={"Link": f'<{url}>; rel="next"'} if url is not None else None,
    )
