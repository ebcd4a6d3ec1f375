"""Carts ordered through the store's checkout, and what becomes of every order that is under way."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from orgbridge.api.bodies import StrictRoute
from orgbridge.api.replies import json_reply
from orgbridge.api.security import Administrator, OrdersReader, OrdersWriter, services_of
from orgbridge.api.v1.schemas.orders import (
    CheckoutList,
    CheckoutReply,
    CheckoutRequest,
    OrderRequest,
    SettledAs,
    SettleRequest,
)
from orgbridge.api.v1.schemas.problems import problems
from orgbridge.services.commerce.placements import Placed, Wish

router = APIRouter(tags=["checkouts"], route_class=StrictRoute)

CheckoutId = Annotated[
    str,
    Path(pattern=r"^[A-Za-z0-9_]{1,64}$", description="Id of a checkout.", examples=["chk_01jd6z7w7kq2m4t8v0x3y5z7b9"]),
]
OrganizationParam = Annotated[
    str | None,
    Query(
        max_length=200,
        description="The organization that buys; needed by whoever may act for several.",
        examples=["org_01jd6z7w7kq2m4t8v0x3y5z7b9"],
    ),
]
AccountParam = Annotated[
    str | None,
    Query(
        max_length=18,
        description="The account that buys; by default that of your own Salesforce user, else the mapped one.",
        examples=["001000000000001AAA"],
    ),
]


@router.post(
    "/carts/me/checkout",
    name="place",
    status_code=201,
    response_model=CheckoutReply,
    responses={
        200: {"model": CheckoutReply, "description": "It was asked for before under this key, and is placed"},
        202: {"model": CheckoutReply, "description": "Salesforce still computes: ask the Location again"},
        **problems(400, 403, 404, 409, 413, 502, 503),
    },
    summary="Order a cart",
)
async def checkout_place(
    request: Request,
    body: CheckoutRequest,
    caller: OrdersWriter,
    organization_id: OrganizationParam = None,
    account_id: AccountParam = None,
) -> Response:
    """Take a cart to a placed order: checkout, address, delivery method, payment, order.

    Needs the header Idempotency-Key. The same key is the same order for good, after any crash and any lost reply: send
    the call again whenever no reply came. When the order is not there within the wait, the reply is 202, and Location
    says what becomes of it.
    """
    wish = wish_of(request, body, organization_id, account_id)
    keys = request.headers.getlist("Idempotency-Key")
    placed = await services_of(request).placements.checkout(caller, wish, keys)
    return json_reply(placed.portrait, status=status_of(placed), headers=headers_of(request, placed))


@router.get("/carts/me/checkouts", name="list", response_model=CheckoutList, responses=problems(), summary="Checkouts")
async def checkout_list(request: Request, caller: OrdersReader) -> Response:
    """Return one's own orders under way and arrived, whichever way they were placed, the newest first."""
    return json_reply({"checkouts": list(await services_of(request).placements.listed(caller))})


@router.get(
    "/carts/me/checkouts/{checkout_id}",
    name="checkout",
    response_model=CheckoutReply,
    responses=problems(404),
    summary="See what becomes of an order",
)
async def checkout_status(request: Request, caller: OrdersReader, checkout_id: CheckoutId) -> Response:
    """Return where an order stands; while it is under way, Retry-After says when to ask again."""
    found = await services_of(request).placements.status(caller, checkout_id)
    waits = found.portrait["status"] == "processing"
    return json_reply(found.portrait, headers={"Retry-After": "1"} if waits else None)


@router.post(
    "/carts/me/checkouts/{checkout_id}/cancel",
    name="cancel",
    status_code=202,
    response_model=CheckoutReply,
    responses=problems(404, 409),
    summary="Call an order off",
)
async def checkout_cancel(request: Request, caller: OrdersWriter, checkout_id: CheckoutId) -> Response:
    """Call an order off while nothing that makes it was sent; the cart is given back. Too late is 409."""
    return json_reply((await services_of(request).placements.cancel(caller, checkout_id)).portrait, status=202)


@router.post(
    "/carts/me/checkouts/{checkout_id}/look",
    name="look",
    response_model=CheckoutReply,
    responses=problems(404),
    summary="Have an order looked for whose outcome is unknown",
)
async def checkout_look(request: Request, caller: OrdersWriter, checkout_id: CheckoutId) -> Response:
    """Have Salesforce asked once more whether the order is there; nothing is sent again.

    A worker does so by itself too, less and less often. When it can be told the checkout is placed, or failed with its
    cart free again; when not, it stays unknown and `next_look_at` says when it is looked at next. An administrator can
    decide it: POST …/settle.
    """
    return json_reply((await services_of(request).placements.look(caller, checkout_id)).portrait)


@router.post(
    "/carts/me/checkouts/{checkout_id}/settle",
    name="settle",
    response_model=CheckoutReply,
    responses=problems(400, 404, 409),
    summary="Decide whether an order is there (administrators)",
)
async def checkout_settle(
    request: Request, body: SettleRequest, caller: Administrator, checkout_id: CheckoutId
) -> Response:
    """Decide what cannot be told, after a look into Salesforce: `placed` or `not_placed`, which frees the cart."""
    settled = await services_of(request).placements.settle(
        caller, checkout_id, is_placed=body.outcome is SettledAs.PLACED, order_id=body.order_id
    )
    return json_reply(settled.portrait)


def wish_of(
    request: Request, body: CheckoutRequest | OrderRequest, organization_id: str | None, account_id: str | None
) -> Wish:
    """Return what a body asks for."""
    given = body.model_dump(exclude_none=True)
    return Wish(
        organization_id=organization_id,
        account_id=account_id,
        request_id=str(request.scope.get("orgbridge_request_id", "")),
        **given,
    )


def status_of(placed: Placed) -> int:
    """Return the HTTP status that tells how far an order is."""
    if not placed.is_placed:
        return 202
    return 200 if placed.is_replay else 201


def headers_of(request: Request, placed: Placed) -> dict[str, str]:
    """Return where to ask on, and whether the reply was given before."""
    # By its path and not by its name: names of routes are words of the audit, and not unique.
    location = f"{request.app.state.prefix}/carts/me/checkouts/{placed.placement_id}"
    headers = {"Location": location}
    if not placed.is_placed:
        headers["Retry-After"] = "1"
    if placed.is_replay:
        headers["Idempotency-Replayed"] = "true"
    return headers
