"""Users as administrators see them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from orgbridge.api.bodies import StrictRoute
from orgbridge.api.conditions import IfMatch, etag, expected_revision
from orgbridge.api.lists import Cursor, Limit, page_reply
from orgbridge.api.replies import json_reply
from orgbridge.api.security import Administrator, services_of
from orgbridge.api.v1.schemas.people import (
    AccountReply,
    GrantsShape,
    PasswordNew,
    RoleName,
    SessionPage,
    UserChange,
    UserNew,
    UserPage,
)
from orgbridge.api.v1.schemas.problems import problems
from orgbridge.services.portraits import grants_portrait, session_portrait, user_portrait
from orgbridge.services.users import Grants, NewUser, UserView

router = APIRouter(prefix="/users", tags=["users"], route_class=StrictRoute)

UserId = Annotated[
    str,
    Path(pattern=r"^[A-Za-z0-9_]{1,64}$", description="Id of a user.", examples=["user_01jd6z7w7kq2m4t8v0x3y5z7b9"]),
]
SessionId = Annotated[
    str,
    Path(
        pattern=r"^[A-Za-z0-9_]{1,64}$",
        description="Id of a sign-in.",
        examples=["session_01jd6z7w7kq2m4t8v0x3y5z7b9"],
    ),
]
RoleFilter = Annotated[RoleName | None, Query(description="Only those with this role.", examples=["integrator"])]
DisabledFilter = Annotated[bool | None, Query(description="Only those that are, or are not, disabled.")]


def view_reply(view: UserView, *, status: int = 200, location: str | None = None) -> Response:
    """Return a user or service account with its ETag."""
    headers = etag(view.user.revision) | ({"Location": location} if location is not None else {})
    return json_reply(user_portrait(view), status=status, headers=headers)


def grants_reply(grants: Grants, revision: str) -> Response:
    """Return the grants of a user or service account with the ETag that a change needs."""
    return json_reply(grants_portrait(grants), headers=etag(revision))


def grants_of(body: GrantsShape) -> Grants:
    """Return the grants that a body asks for."""
    return Grants(
        organizations=None if body.organizations == "*" else tuple(body.organizations),
        plants=None if body.plants == "*" else tuple(body.plants),
        machines=None if body.machines == "*" else tuple(body.machines),
    )


@router.get("", response_model=UserPage, responses=problems(400), summary="List users")
async def users(
    request: Request,
    caller: Administrator,
    role: RoleFilter = None,
    disabled: DisabledFilter = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response:
    """Return one page of users, by name."""
    page = await services_of(request).users.page(cursor=cursor, limit=limit, role=role, disabled=disabled)
    return page_reply(request, "users", [user_portrait(view) for view in page.items], page.next_cursor)


@router.post("", status_code=201, response_model=AccountReply, responses=problems(400, 409, 413), summary="Make a user")
async def create_user(request: Request, body: UserNew, caller: Administrator) -> Response:
    """Make a user with rights of its own, roles, or both."""
    new = NewUser(
        username=body.username,
        password=body.password.get_secret_value() if body.password is not None else None,
        scopes=body.scopes,
        roles=body.roles,
        is_admin=body.is_admin,
        display_name=body.display_name,
        email=body.email,
        external_subject=body.external_subject,
        sf_username=body.sf_username,
    )
    view = await services_of(request).users.create(new)
    return view_reply(view, status=201, location=str(request.app.url_path_for("user", user_id=view.user.id)))


@router.get("/{user_id}", response_model=AccountReply, responses=problems(404), summary="See a user")
async def user(request: Request, caller: Administrator, user_id: UserId) -> Response:
    """Return a user with the ETag that a change needs."""
    return view_reply(await services_of(request).users.get(user_id))


@router.patch(
    "/{user_id}",
    response_model=AccountReply,
    responses=problems(400, 404, 409, 412, 413, 428),
    summary="Change a user",
)
async def change_user(
    request: Request, body: UserChange, caller: Administrator, user_id: UserId, if_match: IfMatch = None
) -> Response:
    """Change what the body names; whoever is disabled is out within seconds."""
    changes = body.model_dump(exclude_unset=True)
    return view_reply(await services_of(request).users.update(user_id, changes, expected=expected_revision(if_match)))


@router.delete("/{user_id}", status_code=204, responses=problems(404, 409, 412, 428), summary="Delete a user")
async def delete_user(request: Request, caller: Administrator, user_id: UserId, if_match: IfMatch = None) -> Response:
    """Delete a user with grants and sign-ins; loads made by the user keep the name."""
    await services_of(request).users.delete(user_id, expected=expected_revision(if_match))
    return Response(status_code=204)


@router.put("/{user_id}/password", status_code=204, responses=problems(400, 404, 413), summary="Set a user's password")
async def reset_password(request: Request, body: PasswordNew, caller: Administrator, user_id: UserId) -> Response:
    """Set a password; all sign-ins of the user end, and failed tries on the account are forgotten."""
    await services_of(request).users.reset_password(user_id, body.password.get_secret_value())
    return Response(status_code=204)


@router.post("/{user_id}/unlock", status_code=204, responses=problems(404), summary="Forget failed sign-ins")
async def unlock_user(request: Request, caller: Administrator, user_id: UserId) -> Response:
    """Forget what was tried on the account from anywhere."""
    await services_of(request).users.unlock(user_id)
    return Response(status_code=204)


@router.get("/{user_id}/grants", response_model=GrantsShape, responses=problems(404), summary="See a user's grants")
async def user_grants(request: Request, caller: Administrator, user_id: UserId) -> Response:
    """Return the organizations, plants and machines of a user, with the user's ETag."""
    found, grants = await services_of(request).users.grants(user_id)
    return grants_reply(grants, found.revision)


@router.put(
    "/{user_id}/grants",
    response_model=GrantsShape,
    responses=problems(400, 404, 412, 413, 428),
    summary="Set a user's grants",
)
async def set_user_grants(
    request: Request, body: GrantsShape, caller: Administrator, user_id: UserId, if_match: IfMatch = None
) -> Response:
    """Let a user have these grants and no others."""
    changed, grants = await services_of(request).users.grant(
        user_id, grants_of(body), expected=expected_revision(if_match)
    )
    return grants_reply(grants, changed.revision)


@router.get(
    "/{user_id}/sessions", response_model=SessionPage, responses=problems(400, 404), summary="List a user's sign-ins"
)
async def user_sessions(
    request: Request, caller: Administrator, user_id: UserId, cursor: Cursor = None, limit: Limit = 50
) -> Response:
    """Return one page of a user's live sign-ins, newest first."""
    services = services_of(request)
    await services.users.get(user_id)
    page = await services.identity.sessions.page(user_id, cursor=cursor, limit=limit)
    items = [session_portrait(session, caller.session_id) for session in page.items]
    return page_reply(request, "sessions", items, page.next_cursor)


@router.delete("/{user_id}/sessions", status_code=204, responses=problems(404), summary="End all sign-ins of a user")
async def end_user_sessions(request: Request, caller: Administrator, user_id: UserId) -> Response:
    """End all sign-ins of a user, with their tokens."""
    await services_of(request).users.end_sessions(user_id)
    return Response(status_code=204)


@router.delete(
    "/{user_id}/sessions/{session_id}",
    status_code=204,
    responses=problems(404),
    summary="End a sign-in of a user",
)
async def end_user_session(request: Request, caller: Administrator, user_id: UserId, session_id: SessionId) -> Response:
    """End one sign-in of a user, with its tokens."""
    await services_of(request).users.end_sessions(user_id, session_id)
    return Response(status_code=204)
