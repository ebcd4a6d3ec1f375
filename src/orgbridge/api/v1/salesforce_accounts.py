"""Salesforce accounts of organizations: whom a caller may act for, the hierarchy, and the mappings."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from orgbridge.api.bodies import StrictRoute
from orgbridge.api.conditions import IfMatch, etag, given_revision
from orgbridge.api.lists import Cursor, Limit, page_reply
from orgbridge.api.replies import json_reply
from orgbridge.api.security import AccountsReader, AccountsWriter, services_of
from orgbridge.api.v1.organizations import OrganizationId
from orgbridge.api.v1.schemas.accounts import (
    AccountList,
    HierarchyReply,
    MappingNew,
    MappingPage,
    MappingReply,
    OrganizationAccounts,
)
from orgbridge.api.v1.schemas.problems import problems
from orgbridge.services.commerce.hierarchies import nested
from orgbridge.services.commerce.mappings import Named

router = APIRouter(prefix="/salesforce_account", tags=["accounts"], route_class=StrictRoute)

OrgName = Annotated[
    str,
    Path(
        min_length=1,
        max_length=200,
        description="Name of an organization, exactly; or its id, or its key in another system.",
        examples=["Nordmühle"],
    ),
]
Organizations = Annotated[int, Query(ge=1, le=100, description="Most organizations of the page.")]


@router.get(
    "/",
    name="list",
    response_model=AccountList,
    responses=problems(400, 409, 502),
    summary="List the accounts that you may act for",
)
async def accounts(
    request: Request, caller: AccountsReader, cursor: Cursor = None, limit: Organizations = 50
) -> Response:
    """Return the accounts of the organizations that you are granted, the mapped ones and those below them.

    Each `account_id` may be given as `account_id` wherever one acts for an account.
    """
    page = await services_of(request).hierarchies.switch(caller, cursor=cursor, limit=limit)
    return page_reply(request, "accounts", page.accounts, page.next_cursor)


@router.get(
    "/mappings", name="mappings", response_model=MappingPage, responses=problems(400, 502), summary="List mappings"
)
async def mappings(request: Request, caller: AccountsReader, cursor: Cursor = None, limit: Limit = 50) -> Response:
    """Return one page of the organizations that you are granted, with the account of each, by name."""
    service = services_of(request).mappings
    page = await service.page(caller, cursor=cursor, limit=limit)
    return page_reply(request, "mappings", await service.portraits(caller, page.items), page.next_cursor)


@router.get(
    "/mappings/{org_id}",
    name="mapping",
    response_model=MappingReply,
    responses=problems(404, 502),
    summary="See a mapping",
)
async def mapping(request: Request, caller: AccountsReader, org_id: OrganizationId) -> Response:
    """Return the mapping of an organization with the ETag that a change needs."""
    service = services_of(request).mappings
    found, revision = await service.get(caller, org_id)
    return json_reply((await service.portraits(caller, [found]))[0], headers=etag(revision))


@router.put(
    "/mappings/{org_id}",
    name="map",
    response_model=MappingReply,
    responses={
        **problems(400, 404, 409, 412, 413, 428, 502),
        201: {"model": MappingReply, "description": "The organization had no mapping"},
    },
    summary="Map an organization to an account",
)
async def map_organization(
    request: Request, body: MappingNew, caller: AccountsWriter, org_id: OrganizationId, if_match: IfMatch = None
) -> Response:
    """Map an organization to the account of Salesforce that is named.

    The first mapping needs no If-Match; to change one, send the ETag that it was read with. When several accounts are
    meant, nothing is changed and `errors` lists them.
    """
    service = services_of(request).mappings
    named = Named(account_id=body.account_id, external_id=body.external_id, name=body.name, text=body.account)
    made = await service.map(caller, org_id, named, expected=given_revision(if_match))
    (portrait,) = await service.portraits(caller, [made.place])
    return json_reply(portrait, status=201 if made.is_new else 200, headers=etag(made.revision))


@router.delete(
    "/mappings/{org_id}",
    name="unmap",
    status_code=204,
    responses=problems(404, 412, 428),
    summary="Take a mapping away",
)
async def unmap_organization(
    request: Request, caller: AccountsWriter, org_id: OrganizationId, if_match: IfMatch = None
) -> Response:
    """Take away the mapping of an organization: nobody acts for its account any more."""
    await services_of(request).mappings.unmap(caller, org_id, expected=given_revision(if_match))
    return Response(status_code=204)


@router.get(
    "/{org_name}",
    name="organization",
    response_model=OrganizationAccounts,
    responses=problems(404, 409, 502),
    summary="See an organization's accounts",
)
async def organization_accounts(request: Request, caller: AccountsReader, org_name: OrgName) -> Response:
    """Return the account that an organization is mapped to, and those below it."""
    found = await services_of(request).hierarchies.of(caller, org_name)
    return json_reply(found.head | {"accounts": [*found.accounts]})


@router.get(
    "/{org_name}/hierarchy",
    name="hierarchy",
    response_model=HierarchyReply,
    responses=problems(404, 409, 502),
    summary="See an organization's accounts as a tree",
)
async def hierarchy(request: Request, caller: AccountsReader, org_name: OrgName) -> Response:
    """Return the account that an organization is mapped to, with those below it as a tree."""
    found = await services_of(request).hierarchies.of(caller, org_name)
    return json_reply(found.head | {"hierarchy": [*nested(found.accounts)]})
