"""Purchase orders: one's own, those to decide about, one of them with its history; and deciding about it."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from orgbridge.console.cookies import PREFIX
from orgbridge.console.desk import Desk, Shelf, see_other
from orgbridge.console.forms import IN_THE_FORM, PAGE_ROWS, asked, path_id, read_form, told
from orgbridge.kit.errors import OrgbridgeError
from orgbridge.kit.notes import note
from orgbridge.services.commerce.purchase_orders import PurchaseView
from orgbridge.services.commerce.purchase_portraits import detail_portrait, purchase_item
from orgbridge.services.commerce.purchasing import Status, Step, decisions_from
from orgbridge.services.errors import InvalidRequest, Trouble
from orgbridge.services.scopes import Caller, Scope

PURCHASES = f"{PREFIX}/purchase-orders"
_STEPS = {"approve": Step.APPROVE, "reject": Step.REJECT}
_DONE = {"approve": "The purchase order is approved.", "reject": "The purchase order is rejected."}
_VIEWS = {
    PurchaseView.TO_APPROVE: "For me to decide",
    PurchaseView.MINE: "Mine",
    PurchaseView.ORGANIZATION: "All of my organizations",
}
_LONGEST_COMMENT = 2_000


def purchase_routes(shelf: Shelf) -> Iterator[BaseRoute]:
    """Yield the routes of purchase orders."""
    yield shelf.get("/purchase-orders", "purchase_orders", _list, Scope.ORDERS_READ)
    yield shelf.get("/purchase-orders/{purchase_id}", "purchase_order", _show, Scope.ORDERS_READ)
    yield shelf.post("/purchase-orders/{purchase_id}/decision", "decide", _decide, Scope.ORDERS_WRITE)


async def _list(desk: Desk, request: Request, caller: Caller) -> Response:
    filters = {name: asked(request, name) for name in ("view", "status", "po_number")}
    cursor = asked(request, "cursor", 2_000)
    try:
        view = PurchaseView(filters["view"] or PurchaseView.TO_APPROVE)
        states = [Status(filters["status"])] if filters["status"] else []
    except ValueError:
        raise InvalidRequest("There is no such view or state of purchase orders.") from None
    page = await desk.services.purchasing.orders.page(
        caller, view, states=states, number=filters["po_number"], cursor=cursor, limit=PAGE_ROWS
    )
    kept = {name: value for name, value in filters.items() if value is not None}
    following = f"{PURCHASES}?{urlencode({**kept, 'cursor': page.next_cursor})}" if page.next_cursor else None
    return desk.page(
        request,
        "purchase_orders.html",
        orders=[purchase_item(order) for order in page.items],
        filters={**filters, "view": view.value},
        views=[(one.value, _VIEWS[one]) for one in PurchaseView],
        states=[state.value for state in Status],
        following=following,
        first=cursor is None,
    )


async def _show(desk: Desk, request: Request, caller: Caller) -> Response:
    return await _page(desk, request, caller, done=_DONE.get(asked(request, "done") or ""))


async def _decide(desk: Desk, request: Request, caller: Caller) -> Response:
    form = await read_form(request)
    word, version, comment = form.get("decision", ""), form.get("version", ""), form.get("comment", "").strip()
    step, key = _STEPS.get(word), path_id(request, "purchase_id")
    if step is None or not (version.isascii() and version.isdigit() and len(version) < 10):
        raise InvalidRequest("The form must say what was decided, about which version.")
    if len(comment) > _LONGEST_COMMENT:
        raise InvalidRequest(f"A comment has {_LONGEST_COMMENT:,} characters at most.")
    decisions = desk.services.purchasing.decisions
    try:
        # The version that was looked at: nobody approves what was changed behind the page.
        done = await decisions.decide(caller, key, step, comment=comment, expected=int(version))
    except OrgbridgeError as error:
        fault = told(error)
        if fault.kind not in IN_THE_FORM:
            raise
        return await _page(desk, request, caller, fault=fault, comment=comment, status=IN_THE_FORM[fault.kind])
    note(object_name="purchase_order", ids=[done.id])
    return see_other(f"{PURCHASES}/{done.id}", word)


async def _page(
    desk: Desk,
    request: Request,
    caller: Caller,
    *,
    fault: Trouble | None = None,
    comment: str = "",
    done: str | None = None,
    status: int = 200,
) -> Response:
    found = await desk.services.purchasing.orders.detail(caller, path_id(request, "purchase_id"))
    # Who asked for it never decides; who else may is the service's to say, in its own words.
    may = Scope.ORDERS_WRITE in caller.scopes and found.order.requester_id != caller.user_id
    return desk.page(
        request,
        "purchase_order.html",
        status=status,
        order=detail_portrait(found),
        decisions=decisions_from(found.order.state) if may else [],
        fault=fault,
        comment=comment,
        done=done,
    )
