"""Coupons and promotions of a cart.

Source: facts/commerce/carts.md section 3, rows 11 to 14.
"""

from __future__ import annotations

from starlette.responses import Response

from orgbridge.emulator.commerce import carts, discounts, inputs, promotions
from orgbridge.emulator.commerce.deals import Deal, Row
from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.http.resources.commerce.buyers import need_version
from orgbridge.emulator.http.resources.commerce.carts import CART
from orgbridge.emulator.http.resources.commerce.deals import dealing
from orgbridge.emulator.http.routing import Route
from orgbridge.kit.json import JSON


def cart_of(deal: Deal, key: str) -> Row:
    """Return the cart of a path that is only read.

    Raises:
        SFError: There is none.
    """
    found = carts.find(deal, key)
    if found is None:
        raise deal.policy.no_active_cart.error("There is no active cart.")
    return found


async def show_coupons(call: Call) -> Response:
    """Answer GET cart-coupons."""
    need_version(call, 54)
    return call.json(await dealing(call, lambda d: discounts.coupon_collection(d, cart_of(d, call.args["cart"]))))


async def add_coupon(call: Call) -> Response:
    """Answer POST cart-coupons."""
    need_version(call, 54)
    body = inputs.check(inputs.COUPON, await call.json_object(), call.version)

    def work(deal: Deal) -> dict[str, JSON]:
        cart = carts.to_change(deal, call.args["cart"])
        promotions.take_coupon(deal, cart, body)
        carts.recalculate(deal, cart["Id"])
        return discounts.coupon_collection(deal, cart)

    return call.json(await dealing(call, work), call.parts.commerce.policy.coupon_status)


async def drop_coupon(call: Call) -> Response:
    """Answer DELETE cart-coupons/{coupon}."""
    need_version(call, 54)

    def work(deal: Deal) -> None:
        cart = carts.to_change(deal, call.args["cart"])
        promotions.drop_coupon(deal, cart, call.args["coupon"])
        carts.recalculate(deal, cart["Id"])

    await dealing(call, work)
    return Response(status_code=204)


async def show_promotions(call: Call) -> Response:
    """Answer GET promotions of a cart."""
    need_version(call, 53)
    return call.json(await dealing(call, lambda d: discounts.promotion_collection(d, cart_of(d, call.args["cart"]))))


async def item_promotions(call: Call) -> Response:
    """Answer POST cart-items/promotions, which reads."""
    need_version(call, 53)
    body = await call.json_object()
    return call.json(await dealing(call, lambda d: discounts.item_promotions(d, cart_of(d, call.args["cart"]), body)))


ROUTES = (
    Route(pattern=f"{CART}/cart-coupons", handlers={"GET": show_coupons, "POST": add_coupon}),
    Route(pattern=f"{CART}/cart-coupons/{{coupon}}", handlers={"DELETE": drop_coupon}),
    Route(pattern=f"{CART}/promotions", handlers={"GET": show_promotions}),
    Route(pattern=f"{CART}/cart-items/promotions", handlers={"POST": item_promotions}),
)
