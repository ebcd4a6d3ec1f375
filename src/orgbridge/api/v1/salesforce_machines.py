"""Machines of organizations: Assets with warranty, service history, and the parts that fit."""

from __future__ import annotations

from datetime import date
from typing import Annotated, NamedTuple

from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.responses import Response

from orgbridge.api.bodies import StrictRoute
from orgbridge.api.lists import Cursor, Limit, next_link
from orgbridge.api.replies import json_reply
from orgbridge.api.security import MachinesReader, services_of
from orgbridge.api.v1.organizations import OrganizationId
from orgbridge.api.v1.schemas.machines import HistoryPage, MachineDetail, MachinePage, PartPage
from orgbridge.api.v1.schemas.problems import problems
from orgbridge.services.commerce.machines import MachineFilter
from orgbridge.services.commerce.warranties import Cover
from orgbridge.services.scopes import Caller

router = APIRouter(prefix="/salesforce_machines", tags=["machines"], route_class=StrictRoute)

MachineKey = Annotated[
    str,
    Path(
        min_length=1,
        max_length=80,
        description="Id of the Asset, 15 or 18 characters, or the serial number.",
        examples=["SN-110-001"],
    ),
]
Day = Annotated[
    date | None,
    Query(description="The day that warranties are told for; today in UTC when absent.", examples=["2026-11-22"]),
]
Entries = Annotated[int, Query(ge=1, le=100, description="Most entries of the history.")]
Parts = Annotated[int, Query(ge=1, le=100, description="Most parts of the page.")]


class One(NamedTuple):
    """Who asks for which machine."""

    caller: Caller
    org_id: str
    machine_id: str


def _one(caller: MachinesReader, org_id: OrganizationId, machine_id: MachineKey) -> One:
    return One(caller, org_id, machine_id)


_One = Annotated[One, Depends(_one)]
_ERRORS = problems(400, 404, 409, 502)


@router.get(
    "/{org_id}",
    name="list",
    response_model=MachinePage,
    responses=_ERRORS,
    summary="List an organization's machines",
)
async def machines(
    request: Request,
    caller: MachinesReader,
    org_id: OrganizationId,
    serial: Annotated[
        str | None, Query(min_length=1, max_length=80, description="The serial number.", examples=["SN-110-001"])
    ] = None,
    product: Annotated[
        str | None,
        Query(
            min_length=1, max_length=255, description="Id, product code or SKU of the product.", examples=["MP-0010"]
        ),
    ] = None,
    status: Annotated[
        str | None, Query(min_length=1, max_length=255, description="As the org calls it.", examples=["Installed"])
    ] = None,
    plant: Annotated[
        str | None,
        Query(
            pattern=r"^[A-Za-z0-9_]{1,64}$",
            description="Id of a plant of the organization.",
            examples=["plant_01jd6z7w7kq2m4t8v0x3y5z7b9"],
        ),
    ] = None,
    warranty: Annotated[Cover | None, Query(description="What the warranties come to on the day.")] = None,
    text: Annotated[
        str | None,
        Query(
            min_length=1,
            max_length=255,
            description="A part of name, serial number or product code, in any case.",
            examples=["mixer"],
        ),
    ] = None,
    at: Day = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response:
    """Return one page of the machines of an organization that you may see.

    Whoever is granted the organization sees all of them; whoever is granted plants or machines of it sees those. The
    order is that of Salesforce's ids. What your roles hide is absent.
    """
    wanted = MachineFilter(serial=serial, product=product, status=status, plant=plant, warranty=warranty, text=text)
    page = await services_of(request).machines.page(caller, org_id, wanted, at=at, cursor=cursor, limit=limit)
    body = {"machines": [*page.machines], "at": page.at.isoformat(), "next_cursor": page.next_cursor}
    return json_reply(body, headers=next_link(request, page.next_cursor))


@router.get(
    "/{org_id}/{machine_id}",
    name="see",
    response_model=MachineDetail,
    responses=_ERRORS,
    summary="See a machine",
)
async def machine(
    request: Request,
    one: _One,
    at: Day = None,
    history: Entries = 20,
) -> Response:
    """Return a machine with product, warranties, entitlements, service contracts, and the newest of its history.

    Cases and work orders that belong to another account are not shown: they are those of an owner before.
    """
    found = await services_of(request).machines.machine(*one, at=at, history=history)
    return json_reply(found)


@router.get(
    "/{org_id}/{machine_id}/history",
    name="history",
    response_model=HistoryPage,
    responses=_ERRORS,
    summary="See a machine's service history",
)
async def history(
    request: Request,
    one: _One,
    cursor: Cursor = None,
    limit: Entries = 50,
) -> Response:
    """Return one page of a machine's cases and work orders, newest first."""
    page = await services_of(request).machines.history(*one, cursor=cursor, limit=limit)
    entries = None if page.entries is None else [*page.entries]
    body = {"entries": entries, "missing": [*page.missing], "next_cursor": page.next_cursor}
    return json_reply(body, headers=next_link(request, page.next_cursor))


@router.get(
    "/{org_id}/{machine_id}/parts",
    name="parts",
    response_model=PartPage,
    responses=_ERRORS,
    summary="List the parts that fit a machine",
)
async def parts(
    request: Request,
    one: _One,
    account_id: Annotated[
        str | None,
        Query(
            max_length=18,
            description="Whom they are bought for; absent: the account that the machine is on.",
            examples=["001000000000001AAA"],
        ),
    ] = None,
    cursor: Cursor = None,
    limit: Parts = 50,
) -> Response:
    """Return one page of the parts that fit a machine: those that you may buy, at your price.

    The store is asked as your own Salesforce user. What it does not show you is absent, so that a page may be short or
    empty although there are more. Somebody who acts as no Salesforce user is told parts without prices.
    """
    page = await services_of(request).parts.page(*one, account_id=account_id, cursor=cursor, limit=limit)
    body = {
        "machine_id": page.machine_id,
        "product_id": page.product_id,
        "account_id": page.account_id,
        "prices": page.prices.value,
        "parts": [*page.parts],
        "next_cursor": page.next_cursor,
    }
    return json_reply(body, headers=next_link(request, page.next_cursor))
