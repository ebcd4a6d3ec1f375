"""Orders: history with items, orders made from a cart's lines, and orders again."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.responses import Response

from orgbridge.api.bodies import StrictRoute
from orgbridge.api.lists import Cursor, Limit
from orgbridge.api.replies import json_reply
from orgbridge.api.security import OrdersReader, OrdersWriter, services_of
from orgbridge.api.v1.checkouts import AccountParam, OrganizationParam, headers_of, status_of, wish_of
from orgbridge.api.v1.schemas.orders import EXAMPLE_ORDER, OrderList, OrderRequest, OrderResults, ReorderReply
from orgbridge.api.v1.schemas.problems import problems
from orgbridge.kit.json import JSON
from orgbridge.services.commerce.orders import OrderFilter
from orgbridge.services.commerce.placements import Placed, Wish

router = APIRouter(tags=["orders"], route_class=StrictRoute)

OrderId = Annotated[
    str,
    Path(pattern=r"^[A-Za-z0-9]{15}([A-Za-z0-9]{3})?$", description="Id of an order.", examples=["801000000000001AAA"]),
]
_ACCEPTED: dict[int | str, dict[str, Any]] = {
    200: {"model": OrderResults, "description": "It was asked for before, and is placed"},
    202: {"model": OrderResults, "description": "Salesforce still works on it: ask the Location"},
    **problems(400, 403, 404, 409, 413, 502, 503),
}


async def chosen_orders(
    organization_id: OrganizationParam = None,
    account_id: AccountParam = None,
    colleagues: Annotated[
        bool, Query(description="Everybody's orders for this account, and not only your own.")
    ] = False,
) -> OrderFilter:
    """Return whose orders are meant."""
    return OrderFilter(organization_id=organization_id, account_id=account_id, colleagues=colleagues)


Chosen = Annotated[OrderFilter, Depends(chosen_orders)]


@router.get(
    "/salesforce_orders/me",
    name="list",
    response_model=OrderList,
    responses=problems(400, 403, 404, 409, 502),
    summary="List orders",
)
async def order_list(
    request: Request,
    caller: OrdersReader,
    chosen: Chosen,
    since: Annotated[date | None, Query(description="First day.", examples=["2026-11-01"])] = None,
    until: Annotated[date | None, Query(description="Last day.", examples=["2026-11-30"])] = None,
    status: Annotated[
        str | None, Query(max_length=100, description="The org's word, e.g. Draft.", examples=["Draft"])
    ] = None,
    po_number: Annotated[
        str | None, Query(max_length=80, description="Number of your purchase order.", examples=["PO-2026-0042"])
    ] = None,
    machine: Annotated[
        str | None,
        Query(max_length=18, description="Id of the Asset that lines are for.", examples=["02i000000000001AAA"]),
    ] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response:
    """Return one page of orders with their items, the newest first; with `colleagues` all of the account's."""
    wanted = OrderFilter(
        organization_id=chosen.organization_id,
        account_id=chosen.account_id,
        colleagues=chosen.colleagues,
        since=since,
        until=until,
        status=status,
        po_number=po_number,
        machine=machine,
    )
    page = await services_of(request).orders.page(caller, wanted, cursor=cursor, limit=limit)
    done = page.next_cursor is None
    told: dict[str, JSON] = {
        "totalSize": len(page.records),
        "done": done,
        "records": list(page.records),
        "next_cursor": page.next_cursor,
    }
    return json_reply(told)


@router.get(
    "/salesforce_orders/me/{order_id}",
    name="order",
    response_model=dict[str, Any],
    responses={
        200: {"content": {"application/json": {"example": EXAMPLE_ORDER}}},
        **problems(400, 403, 404, 409, 502),
    },
    summary="See an order",
)
async def order_see(request: Request, caller: OrdersReader, chosen: Chosen, order_id: OrderId) -> Response:
    """Return an order with all its items."""
    return json_reply(await services_of(request).orders.one(caller, order_id, chosen))


@router.post(
    "/salesforce_orders/",
    name="place",
    status_code=201,
    response_model=OrderResults,
    responses=_ACCEPTED,
    summary="Order a cart by the Place Order API",
)
async def order_place(
    request: Request,
    body: OrderRequest,
    caller: OrdersWriter,
    organization_id: OrganizationParam = None,
    account_id: AccountParam = None,
) -> Response:
    """Make orders from a cart's lines, one per price book, all or none, and close the cart.

    The same Idempotency-Key is the same order for good; without a key the cart itself is the key.
    """
    return await _place(request, caller, wish_of(request, body, organization_id, account_id))


@router.post(
    "/salesforce_order",
    name="place",
    status_code=201,
    response_model=OrderResults,
    responses=_ACCEPTED,
    deprecated=True,
    summary="Order a cart (use POST /salesforce_orders/)",
)
async def order_place_by_query(
    request: Request,
    caller: OrdersWriter,
    cart_id: Annotated[
        str | None,
        Query(max_length=18, description="The cart; without it your current one.", examples=["0a6000000000001AAA"]),
    ] = None,
    organization_id: OrganizationParam = None,
    account_id: AccountParam = None,
) -> Response:
    """Make orders from a cart's lines, as `POST /salesforce_orders/` does."""
    wish = Wish(cart_id=cart_id or None, organization_id=organization_id, account_id=account_id)
    return await _place(request, caller, wish)


@router.post(
    "/salesforce_orders/{order_id}/reorder",
    name="reorder",
    status_code=200,
    response_model=ReorderReply,
    responses=problems(400, 403, 404, 409, 502, 503),
    summary="Put an order's products into the cart",
)
async def order_again(
    request: Request,
    caller: OrdersWriter,
    chosen: Chosen,
    order_id: OrderId,
    webstore_id: Annotated[
        str | None,
        Query(max_length=18, description="The store; without it the only one.", examples=["0ZE000000000001AAA"]),
    ] = None,
) -> Response:
    """Put the products of an order into your cart; each that the cart did not take is named with the reason."""
    return json_reply(await services_of(request).orders.reorder(caller, order_id, chosen, webstore_id))


async def _place(request: Request, caller: OrdersWriter, wish: Wish) -> Response:
    keys = request.headers.getlist("Idempotency-Key")
    placed = await services_of(request).placements.place_order(caller, wish, keys)
    told: dict[str, JSON] = {"results": list(_results(placed)), "checkout": placed.portrait}
    return json_reply(told, status=status_of(placed), headers=headers_of(request, placed))


def _results(placed: Placed) -> list[JSON]:
    """Return the orders in the shape that Salesforce answers a placed order with, and our own words beside it."""
    orders: Any = placed.portrait["orders"]
    found: list[JSON] = []
    for one in orders:
        if one.get("order_id") is None or one.get("taken_back"):
            continue
        record = {"attributes": {"type": "Order"}, "Id": one["order_id"]}
        found.append({"totalSize": 1, "done": True, "records": [record], "id": one["order_id"], "success": True, **one})
    return found
