"""Roles."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from orgbridge.api.bodies import StrictRoute
from orgbridge.api.conditions import IfMatch, etag, expected_revision
from orgbridge.api.lists import Cursor, Limit, page_reply
from orgbridge.api.replies import json_reply
from orgbridge.api.security import Administrator, services_of
from orgbridge.api.v1.schemas.people import RoleChange, RoleNew, RolePage, RoleReply
from orgbridge.api.v1.schemas.problems import problems
from orgbridge.services.portraits import role_portrait

router = APIRouter(prefix="/roles", tags=["roles"], route_class=StrictRoute)

RoleKey = Annotated[
    str, Path(pattern=r"^[a-z][a-z0-9_-]{0,63}$", description="Name of a role.", examples=["integrator"])
]


@router.get("", response_model=RolePage, responses=problems(400), summary="List roles")
async def roles(request: Request, caller: Administrator, cursor: Cursor = None, limit: Limit = 50) -> Response:
    """Return one page of roles, by name."""
    page = await services_of(request).roles.page(cursor=cursor, limit=limit)
    return page_reply(request, "roles", [role_portrait(role) for role in page.items], page.next_cursor)


@router.post("", status_code=201, response_model=RoleReply, responses=problems(400, 409, 413), summary="Make a role")
async def create_role(request: Request, body: RoleNew, caller: Administrator) -> Response:
    """Make a role of scopes and an optional policy."""
    role = await services_of(request).roles.create(
        body.name, scopes=body.scopes, policy=body.policy, description=body.description
    )
    location = str(request.app.url_path_for("role", role_name=role.name))
    return json_reply(role_portrait(role), status=201, headers={**etag(role.revision), "Location": location})


@router.get("/{role_name}", response_model=RoleReply, responses=problems(404), summary="See a role")
async def role(request: Request, caller: Administrator, role_name: RoleKey) -> Response:
    """Return a role with the ETag that a change needs."""
    found = await services_of(request).roles.get(role_name)
    return json_reply(role_portrait(found), headers=etag(found.revision))


@router.patch(
    "/{role_name}",
    response_model=RoleReply,
    responses=problems(400, 404, 409, 412, 413, 428),
    summary="Change a role",
)
async def change_role(
    request: Request, body: RoleChange, caller: Administrator, role_name: RoleKey, if_match: IfMatch = None
) -> Response:
    """Change what the body names; whoever has the role notices within seconds."""
    changes = body.model_dump(exclude_unset=True)
    changed = await services_of(request).roles.update(role_name, changes, expected=expected_revision(if_match))
    return json_reply(role_portrait(changed), headers=etag(changed.revision))


@router.delete("/{role_name}", status_code=204, responses=problems(404, 409, 412, 428), summary="Delete a role")
async def delete_role(
    request: Request, caller: Administrator, role_name: RoleKey, if_match: IfMatch = None
) -> Response:
    """Delete a role that nobody has."""
    await services_of(request).roles.delete(role_name, expected=expected_revision(if_match))
    return Response(status_code=204)
