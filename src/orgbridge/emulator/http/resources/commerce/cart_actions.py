"""Actions on whole carts, and views of the products in them.

Source: facts/commerce/carts.md section 3, rows 15 to 21, 25 and 26.
"""

from __future__ import annotations

from http.cookies import CookieError, SimpleCookie

from starlette.responses import Response

from orgbridge.emulator.commerce import cartactions, carts, cartviews, inputs, shapes
from orgbridge.emulator.commerce.deals import Deal, bad_input
from orgbridge.emulator.commerce.settling import State, work_of
from orgbridge.emulator.commerce.versions import body as shaped
from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.http.resources.commerce.buyers import need_version, number
from orgbridge.emulator.http.resources.commerce.cart_items import product_fields
from orgbridge.emulator.http.resources.commerce.carts import CART, optional_object
from orgbridge.emulator.http.resources.commerce.deals import dealing, settling_reply
from orgbridge.emulator.http.resources.commerce.discounts import cart_of
from orgbridge.emulator.http.routing import Route
from orgbridge.kit.json import JSON


async def clone(call: Call) -> Response:
    """Answer POST actions/clone."""
    need_version(call, 60)

    def work(deal: Deal) -> dict[str, JSON]:
        source = cartactions.template_of(deal, call.args["cart"])
        row = cartactions.clone(deal, source, call.query("targetType"))
        return cartviews.summary(deal, row, work_of(deal, row["Id"]))

    return call.json(await dealing(call, work, call.query("targetEffectiveAccountId")), 201)


async def preserve(call: Call) -> Response:
    """Answer POST actions/preserve: an empty body when there is nothing to take over."""
    need_version(call, 60)
    cookies: SimpleCookie = SimpleCookie()
    try:
        cookies.load(call.header("cookie") or "")
    except CookieError:
        cookies.clear()

    def work(deal: Deal) -> dict[str, JSON] | None:
        store = deal.buyer.store.id
        named = [cookies[name].value for name in cookies if name == f"GuestCartSessionId_{store}"]
        short = [cookies[name].value for name in cookies if name == f"GuestCartSessionId_{store[:15]}"]
        return cartactions.preserve(deal, next(iter([*named, *short]), None))

    body = await dealing(call, work)
    return Response(status_code=200) if body is None else call.json(body, 201)


async def to_wishlist(call: Call) -> Response:
    """Answer POST actions/add-cart-to-wishlist."""
    need_version(call, 50)
    body = await call.json_object()

    def work(deal: Deal) -> dict[str, JSON]:
        return cartactions.to_wishlist(deal, cart_of(deal, call.args["cart"]), body)

    return call.json(await dealing(call, work), 201)


async def calculate(call: Call) -> Response:
    """Answer POST actions/calculate: 202 while it is under way."""
    need_version(call, 62)
    body = await optional_object(call)

    def work(deal: Deal) -> tuple[dict[str, JSON], State]:
        cart = carts.to_change(deal, call.args["cart"])
        cartactions.recompute(deal, cart, body)
        return cartactions.result(deal, cart["Id"]), work_of(deal, cart["Id"]).state

    reply, state = await dealing(call, work)
    return call.json(reply, 202 if state is State.PROCESSING else call.parts.commerce.policy.action_status)


async def evaluate(call: Call) -> Response:
    """Answer POST actions/evaluate-shipping and evaluate-taxes."""
    need_version(call, 63)
    body = await call.json_object()

    def work(deal: Deal) -> dict[str, JSON]:
        return cartactions.evaluate(deal, cart_of(deal, call.args["cart"]), body)

    return call.json(await dealing(call, work), call.parts.commerce.policy.action_status)


async def reserve(call: Call) -> Response:
    """Answer PUT inventory-reservations."""
    need_version(call, 58, 63)
    body = await call.json_object()

    def work(deal: Deal) -> dict[str, JSON]:
        return cartactions.reserve(deal, cart_of(deal, call.args["cart"]), body)

    return call.json(await dealing(call, work))


async def release(call: Call) -> Response:
    """Answer DELETE inventory-reservations."""
    need_version(call, 58, 63)
    await dealing(call, lambda deal: cartactions.release(deal, cart_of(deal, call.args["cart"])))
    return Response(status_code=204)


async def set_visibility(call: Call) -> Response:
    """Answer POST messages/actions/set-visibility."""
    need_version(call, 50)
    body = await call.json_object()
    if body.get("visibility") is None:
        raise bad_input("You must specify a value for the visibility parameter.")
    visible = inputs.flag(body, "visibility")

    def work(deal: Deal) -> None:
        cartactions.show_messages(deal, cart_of(deal, call.args["cart"]), visible=visible)

    await dealing(call, work)
    return call.json({"visibility": visible}, call.parts.commerce.policy.action_status)


async def products(call: Call) -> Response:
    """Answer GET products of a cart."""
    need_version(call, 60)
    fields, size = product_fields(call), number(call, "pageSize", 25, 1, 100)
    wanted = number(call, "pageNumber", 1, 1, 10**8)

    def work(deal: Deal) -> dict[str, JSON]:
        found = cartactions.products_view(deal, cart_of(deal, call.args["cart"]), fields)
        pages = max(-(-len(found) // size), 1)
        page = min(wanted, pages)
        shown = found[(page - 1) * size : page * size]
        values: dict[str, JSON] = {
            "count": len(shown),
            "currentPage": page,
            "hasErrors": False,
            "products": shown,
            "totalItemCount": len(found),
            "totalNumberOfPages": pages,
        }
        return shaped(shapes.PRODUCT_CART_ITEM_COLLECTION, deal.version, values)

    return call.json(await dealing(call, work))


async def product(call: Call) -> Response:
    """Answer GET products/{product} of a cart."""
    need_version(call, 60)
    fields = product_fields(call)

    def work(deal: Deal) -> dict[str, JSON]:
        cart = cart_of(deal, call.args["cart"])
        return cartactions.products_view(deal, cart, fields, call.args["product"])[0]

    return settling_reply(call, await dealing(call, work), None)


_ACTIONS = f"{CART}/actions"
ROUTES = (
    Route(pattern=f"{_ACTIONS}/clone", handlers={"POST": clone}),
    Route(pattern=f"{_ACTIONS}/preserve", handlers={"POST": preserve}),
    Route(pattern=f"{_ACTIONS}/add-cart-to-wishlist", handlers={"POST": to_wishlist}),
    Route(pattern=f"{_ACTIONS}/calculate", handlers={"POST": calculate}),
    Route(pattern=f"{_ACTIONS}/evaluate-shipping", handlers={"POST": evaluate}),
    Route(pattern=f"{_ACTIONS}/evaluate-taxes", handlers={"POST": evaluate}),
    Route(pattern=f"{CART}/inventory-reservations", handlers={"PUT": reserve, "DELETE": release}),
    Route(pattern=f"{CART}/messages/actions/set-visibility", handlers={"POST": set_visibility}),
    Route(pattern=f"{CART}/products", handlers={"GET": products}),
    Route(pattern=f"{CART}/products/{{product}}", handlers={"GET": product}),
)
