"""SOQL: a page, the next page, all records as a stream."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from orgbridge.api.bodies import StrictRoute
from orgbridge.api.replies import accepts, stream_reply
from orgbridge.api.security import RecordsReader, services_of
from orgbridge.api.v1.schemas.problems import problems
from orgbridge.api.v1.schemas.queries import QueryReply, QueryRequest
from orgbridge.api.v1.schemas.records import SOQL_SCHEMA
from orgbridge.kit.json import dumps
from orgbridge.services.queries import QueryResult, QueryStream, QueryText
from orgbridge.services.scopes import Caller

router = APIRouter(tags=["queries"], route_class=StrictRoute)
JSON_TYPE, NDJSON_TYPE, CSV_TYPE = "application/json", "application/x-ndjson", "text/csv"
#: Says how the query went, of a stream too.
VIA_HEADER = "Orgbridge-Query-Via"
#: Says that the caller's roles set LIMIT, and to what.
CAP_HEADER = "Orgbridge-Row-Cap"
_FORMS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "A page as JSON, or all records as NDJSON or CSV",
        "headers": {
            VIA_HEADER: {
                "description": "query, or composite for a text too long for a URL",
                "schema": {"type": "string"},
            },
            CAP_HEADER: {
                "description": "Most rows that your roles let the query return, when they changed its LIMIT",
                "schema": {"type": "integer"},
            },
        },
        "content": {
            NDJSON_TYPE: {"schema": {"type": "string"}, "example": '{"Id":"001Ob0000000001AAA","Name":"Ada"}\n'},
            CSV_TYPE: {"schema": {"type": "string"}, "example": "Id,Name\n001Ob0000000001AAA,Ada\n"},
        },
    }
}


@router.get(
    "/query",
    response_model=QueryReply,
    responses={**problems(400, 404, 429, 502), **_FORMS},
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
            description="The SOQL text; a longer one, and one with binds, by POST.",
            examples=["SELECT Id, Name FROM Account LIMIT 10"],
            json_schema_extra=SOQL_SCHEMA,
        ),
    ],
    include_deleted: bool = False,
    page_size: Annotated[int | None, Query(ge=200, le=2_000, description="Records of a page.", examples=[500])] = None,
) -> Response:
    """Return the first page as JSON, or all records as NDJSON or CSV, as Accept asks."""
    return await _query(request, QueryText(soql=q, include_deleted=include_deleted, page_size=page_size), caller)


@router.post(
    "/query",
    response_model=QueryReply,
    responses={**problems(400, 404, 413, 429, 502), **_FORMS},
    summary="Run a SOQL query given in the body",
)
async def query_post(request: Request, body: QueryRequest, caller: RecordsReader) -> Response:
    """Return the first page as JSON, or all records as NDJSON or CSV, as Accept asks.

    `:name` in the text is replaced by the value of that name in `binds`, whatever characters it has. A text too long
    for a URL goes to Salesforce by a composite call; `via` says so.
    """
    text = QueryText(soql=body.q, include_deleted=body.include_deleted, binds=body.binds, page_size=body.page_size)
    return await _query(request, text, caller)


@router.get(
    "/query/next/{cursor}",
    response_model=QueryReply,
    responses=problems(400, 404, 429, 502),
    summary="Read the next page of a query",
)
async def query_next(
    request: Request,
    caller: RecordsReader,
    cursor: Annotated[str, Path(min_length=1, max_length=1_000, examples=["eyJhZnRlciI6MjAwfQ"])],
) -> Response:
    """Return the page that `next` of the page before points at. A cursor is of use to whom it was given only."""
    return _page(request, await services_of(request).queries.next(cursor, caller=caller))


async def _query(request: Request, text: QueryText, caller: Caller) -> Response:
    queries = services_of(request).queries
    form = accepts(request, JSON_TYPE, NDJSON_TYPE, CSV_TYPE)
    if form == JSON_TYPE:
        return _page(request, await queries.page(text, caller=caller))
    ask = queries.ndjson if form == NDJSON_TYPE else queries.csv
    stream = await ask(text, caller=caller)
    return await stream_reply(stream.blocks, media_type=form, headers=_told(stream))


def _page(request: Request, page: QueryResult) -> Response:
    url = str(request.app.url_path_for("query_next", cursor=page.cursor)) if page.cursor is not None else None
    headers = _told(page)
    if url is not None:
        headers["Link"] = f'<{url}>; rel="next"'
    # The records are not read on their way, so the reply is put together from bytes.
    envelope = dumps(
        {"totalSize": page.total_size, "done": url is None, "next": url, "via": page.via, "row_cap": page.row_cap}
    )
    body = b"".join((envelope[:-1], b',"records":', page.records, b"}"))
    return Response(body, media_type=JSON_TYPE, headers=headers)


def _told(query: QueryResult | QueryStream) -> dict[str, str]:
    cap = {} if query.row_cap is None else {CAP_HEADER: str(query.row_cap)}
    return {VIA_HEADER: query.via, **cap}
