"""The audit, for administrators."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from orgbridge.api.instants import Instant
from orgbridge.api.lists import Cursor, Limit, page_reply
from orgbridge.api.security import Administrator, services_of
from orgbridge.api.v1.schemas.audit import AuditPage
from orgbridge.api.v1.schemas.problems import problems
from orgbridge.services.audit import Outcome, filter_of
from orgbridge.services.audit_chain import entry_portrait

router = APIRouter(prefix="/audit", tags=["audit"])
_Text = Annotated[str | None, Query(max_length=128, examples=["req_01jd6z7w7kq2m4t8v0x3y5z7b9"])]


@router.get("", response_model=AuditPage, responses=problems(400), summary="See who did what")
async def audit(
    request: Request,
    caller: Administrator,
    actor: Annotated[
        str | None, Query(max_length=128, description="User id or sign-in name.", examples=["integration"])
    ] = None,
    action: Annotated[
        str | None, Query(max_length=128, description="All of it or its first part.", examples=["records"])
    ] = None,
    object_name: _Text = None,
    outcome: Annotated[Outcome | None, Query()] = None,
    request_id: _Text = None,
    since: Annotated[
        Instant | None, Query(description="Not before; with its zone, else UTC.", examples=["2026-11-01T00:00:00Z"])
    ] = None,
    until: Annotated[
        Instant | None, Query(description="Before; with its zone, else UTC.", examples=["2026-12-01T00:00:00Z"])
    ] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response:
    """Return one page of entries, newest first."""
    chosen = filter_of(
        actor=actor,
        action=action,
        object_name=object_name,
        outcome=outcome,
        request_id=request_id,
        since=since,
        until=until,
    )
    page = await services_of(request).audit.page(chosen, cursor=cursor, limit=limit)
    return page_reply(request, "entries", [entry_portrait(record) for record in page.items], page.next_cursor)
