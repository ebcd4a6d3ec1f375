"""The org's limits, and this service's budget of them."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from orgbridge.api.replies import json_reply
from orgbridge.api.security import RecordsReader, services_of
from orgbridge.api.v1.schemas.problems import problems
from orgbridge.api.v1.schemas.queries import LimitsReply

router = APIRouter(tags=["operation"])


@router.get(
    "/limits",
    response_model=LimitsReply,
    responses=problems(429, 502),
    summary="Read the org's limits",
)
async def limits(request: Request, caller: RecordsReader) -> Response:
    """Return the org's limits, what loads and callers may still use of them, and how busy this process is."""
    return json_reply(await services_of(request).limits.all(caller=caller))
