"""Service accounts: programs that sign in with a client id and a secret."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from orgbridge.api.bodies import StrictRoute
from orgbridge.api.conditions import IfMatch, etag, expected_revision
from orgbridge.api.lists import Cursor, Limit, page_reply
from orgbridge.api.replies import json_reply
from orgbridge.api.security import Administrator, services_of
from orgbridge.api.v1.schemas.people import (
    AccountChange,
    AccountNew,
    AccountPage,
    AccountReply,
    GrantsShape,
    NewAccountReply,
    NewSecretReply,
    SecretList,
    SecretNew,
)
from orgbridge.api.v1.schemas.problems import problems
from orgbridge.api.v1.users import DisabledFilter, RoleFilter, grants_of, grants_reply, view_reply
from orgbridge.services.portraits import secret_portrait, user_portrait
from orgbridge.services.users import NewUser

router = APIRouter(prefix="/service-accounts", tags=["service accounts"], route_class=StrictRoute)
_UNCACHED = {"Cache-Control": "no-store"}

AccountId = Annotated[
    str,
    Path(
        pattern=r"^[A-Za-z0-9_]{1,64}$",
        description="Client id of a service account.",
        examples=["svc_01jd6z7w7kq2m4t8v0x3y5z7b9"],
    ),
]
SecretId = Annotated[
    str,
    Path(
        pattern=r"^[A-Za-z0-9_]{1,64}$", description="Id of a secret.", examples=["secret_01jd6z7w7kq2m4t8v0x3y5z7b9"]
    ),
]


def _lifetime(days: int | None) -> timedelta | None:
    return timedelta(days=days) if days is not None else None


@router.get("", response_model=AccountPage, responses=problems(400), summary="List service accounts")
async def service_accounts(
    request: Request,
    caller: Administrator,
    role: RoleFilter = None,
    disabled: DisabledFilter = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response:
    """Return one page of service accounts, by name."""
    page = await services_of(request).service_accounts.page(cursor=cursor, limit=limit, role=role, disabled=disabled)
    items = [user_portrait(view) for view in page.items]
    return page_reply(request, "service_accounts", items, page.next_cursor)


@router.post(
    "",
    status_code=201,
    response_model=NewAccountReply,
    responses=problems(400, 409, 413),
    summary="Make a service account",
)
async def create_service_account(request: Request, body: AccountNew, caller: Administrator) -> Response:
    """Make a service account; the secret is shown this once."""
    new = NewUser(username=body.name, scopes=body.scopes, roles=body.roles, display_name=body.display_name)
    view, made = await services_of(request).service_accounts.create(
        new, lifetime=_lifetime(body.secret_expires_in_days)
    )
    location = str(request.app.url_path_for("service_account", account_id=view.user.id))
    told: dict[str, Any] = user_portrait(view)
    told |= {"client_id": view.user.id, "client_secret": made.secret, "secret_id": made.record.id}
    return json_reply(told, status=201, headers={**etag(view.user.revision), "Location": location, **_UNCACHED})


@router.get("/{account_id}", response_model=AccountReply, responses=problems(404), summary="See a service account")
async def service_account(request: Request, caller: Administrator, account_id: AccountId) -> Response:
    """Return a service account with the ETag that a change needs."""
    return view_reply(await services_of(request).service_accounts.get(account_id))


@router.patch(
    "/{account_id}",
    response_model=AccountReply,
    responses=problems(400, 404, 409, 412, 413, 428),
    summary="Change a service account",
)
async def change_service_account(
    request: Request, body: AccountChange, caller: Administrator, account_id: AccountId, if_match: IfMatch = None
) -> Response:
    """Change what the body names."""
    changes = body.model_dump(exclude_unset=True)
    if "name" in changes:
        changes["username"] = changes.pop("name")
    service = services_of(request).service_accounts
    return view_reply(await service.update(account_id, changes, expected=expected_revision(if_match)))


@router.delete(
    "/{account_id}",
    status_code=204,
    responses=problems(404, 409, 412, 428),
    summary="Delete a service account",
)
async def delete_service_account(
    request: Request, caller: Administrator, account_id: AccountId, if_match: IfMatch = None
) -> Response:
    """Delete a service account with its secrets; its tokens end within seconds."""
    await services_of(request).service_accounts.delete(account_id, expected=expected_revision(if_match))
    return Response(status_code=204)


@router.get("/{account_id}/secrets", response_model=SecretList, responses=problems(404), summary="List secrets")
async def account_secrets(request: Request, caller: Administrator, account_id: AccountId) -> Response:
    """Return what is known of the secrets of an account, oldest first; never themselves."""
    found = await services_of(request).service_accounts.secrets(account_id)
    return json_reply({"secrets": [secret_portrait(secret) for secret in found]})


@router.post(
    "/{account_id}/secrets",
    status_code=201,
    response_model=NewSecretReply,
    responses=problems(400, 404, 413),
    summary="Make a further secret",
)
async def create_account_secret(
    request: Request, body: SecretNew, caller: Administrator, account_id: AccountId
) -> Response:
    """Make a secret, shown this once; the others stay good until they are deleted."""
    service = services_of(request).service_accounts
    made = await service.add_secret(account_id, lifetime=_lifetime(body.expires_in_days))
    told = secret_portrait(made.record) | {"client_id": account_id, "client_secret": made.secret}
    return json_reply(told, status=201, headers=_UNCACHED)


@router.delete("/{account_id}/secrets/{secret_id}", status_code=204, responses=problems(404), summary="Delete a secret")
async def delete_account_secret(
    request: Request, caller: Administrator, account_id: AccountId, secret_id: SecretId
) -> Response:
    """Delete a secret: nobody signs in with it any more."""
    await services_of(request).service_accounts.delete_secret(account_id, secret_id)
    return Response(status_code=204)


@router.get(
    "/{account_id}/grants", response_model=GrantsShape, responses=problems(404), summary="See an account's grants"
)
async def account_grants(request: Request, caller: Administrator, account_id: AccountId) -> Response:
    """Return the organizations, plants and machines of an account, with its ETag."""
    found, grants = await services_of(request).service_accounts.grants(account_id)
    return grants_reply(grants, found.revision)


@router.put(
    "/{account_id}/grants",
    response_model=GrantsShape,
    responses=problems(400, 404, 412, 413, 428),
    summary="Set an account's grants",
)
async def set_account_grants(
    request: Request, body: GrantsShape, caller: Administrator, account_id: AccountId, if_match: IfMatch = None
) -> Response:
    """Let an account have these grants and no others."""
    changed, grants = await services_of(request).service_accounts.grant(
        account_id, grants_of(body), expected=expected_revision(if_match)
    )
    return grants_reply(grants, changed.revision)
