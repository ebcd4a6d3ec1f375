"""From a wishlist into a cart, and from a cart into a wishlist.

Source: facts/commerce/catalog.md section 4, carts.md section 3, row 16. Assumed: each product goes in once; a product
with a quantity rule goes in with its least quantity; both actions answer 201.
"""

from __future__ import annotations

from decimal import Decimal

from starlette.responses import Response

from orgbridge.emulator.commerce import carts, cartviews, lines, shapes
from orgbridge.emulator.commerce.catalog import products_of, quantity_rules
from orgbridge.emulator.commerce.deals import Deal
from orgbridge.emulator.commerce.versions import Shape
from orgbridge.emulator.commerce.versions import body as shaped
from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.http.resources.commerce import bodies
from orgbridge.emulator.http.resources.commerce.buyers import WS, need_version
from orgbridge.emulator.http.resources.commerce.carts import CART
from orgbridge.emulator.http.resources.commerce.deals import dealing
from orgbridge.emulator.http.resources.commerce.wishlists import add_products, find_wishlist, wishlist_items
from orgbridge.emulator.http.routing import Route
from orgbridge.kit.json import JSON

_RESULT: Shape = {
    "cartId": 49,
    "failedWishlistToCartItems": 49,
    "productsFailedCount": 49,
    "productsRequestedCount": 49,
    "productsSucceededCount": 49,
    "succeededWishlistToCartItems": 49,
}


async def to_cart(call: Call) -> Response:
    """Answer POST wishlists/{id}/actions/add-wishlist-to-cart: what cannot be had is told beside the rest."""
    need_version(call, 49)

    def work(deal: Deal) -> dict[str, JSON]:
        row = find_wishlist(call, deal.connection, deal.buyer, call.args["id"])
        products = [product for _, product in wishlist_items(deal.connection, row[0], "CreatedDateAsc")]
        cart = carts.to_change(deal, call.query("cartId") or "active", create=True)
        rules = quantity_rules(deal.connection, products)
        wanted = [
            (product, (rules[product].minimum if product in rules else None) or Decimal(1)) for product in products
        ]
        refusals = lines.copy_lines(deal, cart, wanted)
        known = products_of(deal.connection, products)
        failed: list[JSON] = []
        for product, refusal in zip(products, refusals, strict=True):
            if refusal is not None:
                name = known[product].name if product in known else None
                item = shaped(shapes.CART_ITEM, deal.version, {"productId": product, "name": name, "type": "Product"})
                failed.append({"cartItem": item, "message": refusal.message, "status": "Failed"})
        added = {product for product, refusal in zip(products, refusals, strict=True) if refusal is None}
        rows = [one for one in lines.product_lines(deal, cart["Id"]) if one["Product2Id"] in added]
        views = cartviews.ItemViews(deal, rows, ())
        values: dict[str, JSON] = {
            "cartId": cart["Id"],
            "failedWishlistToCartItems": failed,
            "productsFailedCount": len(failed),
            "productsRequestedCount": len(products),
            "productsSucceededCount": len(products) - len(failed),
            "succeededWishlistToCartItems": [views.result(one) for one in rows],
        }
        return shaped(_RESULT, deal.version, values)

    return call.json(await dealing(call, work), 201)


async def to_wishlist(call: Call) -> Response:
    """Answer POST carts/{cart}/actions/add-cart-to-wishlist."""
    need_version(call, 50)
    given = await bodies.read_body(call, {"wishlistId": str})
    if not given.get("wishlistId"):
        raise call.parts.commerce.policy.bad_input.error("You must specify a value for the wishlistId parameter.")

    def work(deal: Deal) -> dict[str, JSON]:
        row = find_wishlist(call, deal.connection, deal.buyer, given["wishlistId"])
        cart = carts.to_read(deal, call.args["cart"])
        products = [] if cart is None else [one["Product2Id"] for one in lines.product_lines(deal, cart["Id"])]
        before = {product for _, product in wishlist_items(deal.connection, row[0])}
        add_products(call, deal.connection, deal.buyer, row[0], products)
        values: dict[str, JSON] = {"productsAddedCount": len(set(products) - before), "wishlistId": row[0]}
        return shaped(shapes.CART_TO_WISHLIST_RESULT, deal.version, values)

    return call.json(await dealing(call, work), 201)


ROUTES = (
    Route(pattern=f"{WS}/wishlists/{{id}}/actions/add-wishlist-to-cart", handlers={"POST": to_cart}),
    Route(pattern=f"{CART}/actions/add-cart-to-wishlist", handlers={"POST": to_wishlist}),
)
