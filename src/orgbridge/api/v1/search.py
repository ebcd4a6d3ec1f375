"""SOSL: text search over several objects."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from orgbridge.api.security import RecordsReader, services_of
from orgbridge.api.v1.schemas.problems import problems
from orgbridge.api.v1.schemas.queries import SOSL_SCHEMA, SearchReply

router = APIRouter(tags=["queries"])


@router.get(
    "/search",
    response_model=SearchReply,
    responses=problems(400, 404, 413, 429, 502),
    summary="Run a SOSL search",
)
async def search(
    request: Request,
    caller: RecordsReader,
    q: Annotated[
        str,
        Query(
            min_length=1,
            max_length=5_000,
            description="The SOSL text.",
            examples=["FIND {Acme} IN NAME FIELDS RETURNING Account(Id, Name), Contact(Id) LIMIT 20"],
            json_schema_extra=SOSL_SCHEMA,
        ),
    ],
) -> Response:
    """Return the records that a search finds, at most 2,000, as Salesforce gives them."""
    found = await services_of(request).queries.search(q, caller=caller)
    return Response(b'{"searchRecords":' + found + b"}", media_type="application/json")
