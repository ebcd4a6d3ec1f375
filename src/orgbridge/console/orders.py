"""Orders of the accounts that one buys for: their list, and one of them with its items."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from orgbridge.console.cookies import PREFIX
from orgbridge.console.desk import Desk, Shelf
from orgbridge.console.forms import IN_THE_FORM, asked, path_id, told
from orgbridge.kit.errors import ErrorKind, OrgbridgeError
from orgbridge.services.commerce.orders import OrderFilter
from orgbridge.services.errors import InvalidRequest, ScopeMissing
from orgbridge.services.scopes import Caller, Scope

ORDERS = f"{PREFIX}/orders"
_ROWS = 25
_WHOSE = ("organization_id", "account_id", "colleagues")
_NAMES = (*_WHOSE, "status", "po_number", "since", "until")


def order_routes(shelf: Shelf) -> Iterator[BaseRoute]:
    """Yield the routes of orders."""
    yield shelf.get("/orders", "orders", _list, Scope.ORDERS_READ)
    yield shelf.get("/orders/{order_id}", "order", _show, Scope.ORDERS_READ)


async def _list(desk: Desk, request: Request, caller: Caller) -> Response:
    filters = {name: asked(request, name) for name in _NAMES}
    cursor = asked(request, "cursor", 2_000)
    orders: list[Any] = []
    following = fault = None
    status = 200
    try:
        page = await desk.services.orders.page(caller, _chosen(filters), cursor=cursor, limit=_ROWS)
        orders = list(page.records)
        kept = {name: value for name, value in filters.items() if value is not None}
        following = f"{ORDERS}?{urlencode({**kept, 'cursor': page.next_cursor})}" if page.next_cursor else None
    except ScopeMissing:
        raise
    except OrgbridgeError as error:
        # For whom one buys is often the question: it is answered beside the fields that say so.
        fault = told(error)
        if fault.kind not in IN_THE_FORM:
            raise
        # That somebody buys for nobody is an answer, and the page with its filters is there.
        status = 200 if fault.kind is ErrorKind.MISSING else IN_THE_FORM[fault.kind]
    return desk.page(
        request,
        "orders.html",
        status=status,
        orders=orders,
        filters=filters,
        whose=urlencode({name: filters[name] for name in _WHOSE if filters[name]}),
        following=following,
        first=cursor is None,
        fault=fault,
    )


async def _show(desk: Desk, request: Request, caller: Caller) -> Response:
    filters = {name: asked(request, name) if name in _WHOSE else None for name in _NAMES}
    order = await desk.services.orders.one(caller, path_id(request, "order_id"), _chosen(filters))
    items = order.get("OrderItems")
    return desk.page(
        request,
        "order.html",
        order=order,
        items=list(items["records"]) if isinstance(items, dict) else [],
        whose=urlencode({name: filters[name] for name in _WHOSE if filters[name]}),
    )


def _chosen(filters: dict[str, str | None]) -> OrderFilter:
    return OrderFilter(
        organization_id=filters["organization_id"],
        account_id=filters["account_id"],
        colleagues=filters["colleagues"] is not None,
        status=filters["status"],
        po_number=filters["po_number"],
        since=_day("since", filters["since"]),
        until=_day("until", filters["until"]),
    )


def _day(name: str, text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidRequest(f"{name} must be a day such as 2026-11-22.") from None
