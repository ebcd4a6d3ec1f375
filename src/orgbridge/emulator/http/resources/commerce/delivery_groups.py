"""Delivery groups of a cart.

Source: facts/commerce/carts.md section 3, rows 22 to 24.
"""

from __future__ import annotations

from collections.abc import Callable

from starlette.responses import Response

from orgbridge.emulator.commerce import carts, checkouts, delivery
from orgbridge.emulator.commerce.deals import Deal, Row
from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.http.resources.commerce.buyers import flag, need_version, number
from orgbridge.emulator.http.resources.commerce.cart_items import page_of
from orgbridge.emulator.http.resources.commerce.carts import CART
from orgbridge.emulator.http.resources.commerce.deals import dealing
from orgbridge.emulator.http.resources.commerce.discounts import cart_of
from orgbridge.emulator.http.routing import Route
from orgbridge.kit.json import JSON


async def show_all(call: Call) -> Response:
    """Answer GET delivery-groups."""
    need_version(call, 59)
    limit = number(call, "cartItemLimit", 25, 0, 100)
    size, token = number(call, "pageSize", 25, 1, 100), call.query("page")
    start = (page_of(token) - 1) * size if token else 0

    def work(deal: Deal) -> dict[str, JSON]:
        cart_id = cart_of(deal, call.args["cart"])["Id"]
        return delivery.collection(deal, cart_id, limit, slice(start, start + size))

    return call.json(await dealing(call, work))


async def show(call: Call) -> Response:
    """Answer GET delivery-groups/{group}."""
    need_version(call, 59)

    def work(deal: Deal) -> dict[str, JSON]:
        cart = cart_of(deal, call.args["cart"])
        return delivery.group_view(deal, delivery.group_of(deal, cart, call.args["group"]))

    return call.json(await dealing(call, work))


def _editing(deal: Deal, key: str) -> tuple[Row, Callable[[], None]]:
    """Return a cart that is to be edited, and what follows; with cart cleanup a checkout goes on and computes anew."""
    cart = carts.to_change(deal, key)
    if cart["Status"] == "Checkout":
        return cart, lambda: checkouts.compute(deal, cart["Id"])
    return cart, lambda: carts.recalculate(deal, cart["Id"])


async def add(call: Call) -> Response:
    """Answer POST delivery-groups."""
    need_version(call, 59)
    body = await call.json_object()

    def work(deal: Deal) -> dict[str, JSON]:
        cart, follow = _editing(deal, call.args["cart"])
        group_id = delivery.add_group(deal, cart, body)
        follow()
        return delivery.group_view(deal, deal.get("CartDeliveryGroup", group_id))

    return call.json(await dealing(call, work), _status(call, 201))


def _status(call: Call, status: int) -> int:
    """Return the status of a change. Documented: 202 under simplified cart cleanup."""
    return 202 if call.parts.commerce.policy.cart_cleanup and call.version >= 63 else status


async def change(call: Call) -> Response:
    """Answer PATCH delivery-groups/{group}."""
    need_version(call, 59)
    body = await call.json_object()

    def work(deal: Deal) -> dict[str, JSON]:
        cart, follow = _editing(deal, call.args["cart"])
        group = delivery.group_of(deal, cart, call.args["group"])
        delivery.change_group(deal, group, body)
        follow()
        return delivery.group_view(deal, deal.get("CartDeliveryGroup", group["Id"]))

    return call.json(await dealing(call, work), _status(call, 200))


async def remove(call: Call) -> Response:
    """Answer DELETE delivery-groups/{group}."""
    need_version(call, 59)
    with_items = flag(call, "deleteCartItems")

    def work(deal: Deal) -> None:
        cart, follow = _editing(deal, call.args["cart"])
        delivery.remove_group(deal, cart, delivery.group_of(deal, cart, call.args["group"]), with_items=with_items)
        follow()

    await dealing(call, work)
    return Response(status_code=_status(call, 204))


async def arrange(call: Call) -> Response:
    """Answer POST delivery-groups/actions/arrange-items."""
    need_version(call, 60)
    body = await call.json_object()
    delete_empty = flag(call, "deleteEmptyDeliveryGroups", True)

    def work(deal: Deal) -> dict[str, JSON]:
        cart, follow = _editing(deal, call.args["cart"])
        delivery.arrange(deal, cart, body, delete_empty=delete_empty)
        follow()
        return delivery.collection(deal, cart["Id"])

    return call.json(await dealing(call, work), 202)


_GROUPS = f"{CART}/delivery-groups"
ROUTES = (
    Route(pattern=_GROUPS, handlers={"GET": show_all, "POST": add}),
    Route(pattern=f"{_GROUPS}/{{group}}", handlers={"GET": show, "PATCH": change, "DELETE": remove}),
    Route(pattern=f"{_GROUPS}/actions/arrange-items", handlers={"POST": arrange}),
)
