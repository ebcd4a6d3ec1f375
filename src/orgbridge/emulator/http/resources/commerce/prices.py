"""Prices of a store's products for its buyer: one, a list, up to 500 lines of a body.

Source: facts/commerce/catalog.md section 3. Assumed: a product without any price has nulls; a currency that the store
does not sell in is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.responses import Response

from orgbridge.emulator.commerce import versions
from orgbridge.emulator.commerce.amounts import money_text
from orgbridge.emulator.commerce.contexts import BuyerContext
from orgbridge.emulator.commerce.entitlements import NO_RIGHTS, product_id_of, rights_of
from orgbridge.emulator.commerce.pricing import prices_of
from orgbridge.emulator.commerce.versions import Shape
from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.http.resources.commerce import bodies
from orgbridge.emulator.http.resources.commerce.buyers import WS, need_version, reading, words
from orgbridge.emulator.http.routing import Route
from orgbridge.emulator.storage.database import Connection
from orgbridge.kit.json import JSON

#: Source: catalog.md section 3.
_MOST_LINES = 500
_PRICE: Shape = {
    "childEntries": 65,
    "currencyIsoCode": 49,
    "listPrice": 49,
    "lowestUnitPrice": 59,
    "priceAdjustment": 49,
    "pricebookEntryId": 49,
    "productId": 65,
    "productPriceEntries": 56,
    "unitPrice": 49,
}
_RESULT: Shape = {"currencyIsoCode": 49, "error": 49, "pricingLineItemResults": 49, "success": 49}


def check_currency(call: Call, buyer: BuyerContext) -> None:
    """Refuse a `currencyIsoCode` that the store does not sell in; versions before it came pass it over.

    Raises:
        SFError: It is another currency.
    """
    wanted = call.query("currencyIsoCode")
    if wanted and call.version >= 57 and wanted.upper() != buyer.store.currency:
        raise call.parts.commerce.policy.bad_input.error(f"The store doesn't sell in the currency {wanted}.")


async def product_price(call: Call) -> Response:
    """Answer GET pricing/products/{id}."""
    need_version(call, 49)
    policy, given = call.parts.commerce.policy, call.args["id"]

    def work(connection: Connection, buyer: BuyerContext) -> dict[str, JSON]:
        check_currency(call, buyer)
        product_id = product_id_of(given)
        rights = rights_of(connection, buyer, [product_id] if product_id else [])
        if product_id is None or product_id not in rights:
            raise bodies.missing_product(policy, given)
        if not rights[product_id].price:
            raise bodies.hidden_price(policy, product_id)
        price = prices_of(connection, buyer, [product_id], call.parts.clock.now())[product_id]
        values: dict[str, JSON] = {
            "currencyIsoCode": price.currency,
            "listPrice": money_text(price.list_price),
            "lowestUnitPrice": money_text(price.lowest_unit_price),
            "priceAdjustment": bodies.schedule(price.schedule, call.version),
            "pricebookEntryId": price.entry_id,
            "productId": product_id,
            "productPriceEntries": [],
            "unitPrice": money_text(price.unit_price),
        }
        return versions.body(_PRICE, call.version, values)

    return call.json(await reading(call, work))


async def product_prices(call: Call) -> Response:
    """Answer GET pricing/products."""
    need_version(call, 54)
    ids = words(call, "productIds")
    if not ids:
        raise call.parts.commerce.policy.bad_input.error("You must specify a value for the productIds parameter.")
    return await _priced(call, ids)


async def price_lines(call: Call) -> Response:
    """Answer POST pricing/products."""
    need_version(call, 49)
    given = await bodies.read_body(call, {"pricingLineItems": list})
    lines: list[Any] = given.get("pricingLineItems", [])
    if not lines:
        raise call.parts.commerce.policy.bad_input.error("You must specify a value for the pricingLineItems parameter.")
    ids = [str(bodies.check_object(line, {"productId": str}).get("productId", "")) for line in lines]
    return await _priced(call, ids)


async def _priced(call: Call, ids: Sequence[str]) -> Response:
    policy = call.parts.commerce.policy
    if len(ids) > _MOST_LINES:
        raise policy.too_many.error(f"You can price up to {_MOST_LINES} products.")

    def work(connection: Connection, buyer: BuyerContext) -> dict[str, JSON]:
        check_currency(call, buyer)
        asked = [(text, product_id_of(text)) for text in ids]
        known = [product_id for _, product_id in asked if product_id]
        rights = rights_of(connection, buyer, known)
        prices = prices_of(connection, buyer, known, call.parts.clock.now())
        lines: list[JSON] = []
        for text, product_id in asked:
            error = None
            right = rights.get(product_id or "", NO_RIGHTS)
            if not right.view:
                error = bodies.missing_product(policy, text)
            elif not right.price:
                error = bodies.hidden_price(policy, text)
            price = prices.get(product_id or "")
            lines.append(bodies.price_line(product_id or text, price, error, call.version))
        values: dict[str, JSON] = {
            "currencyIsoCode": buyer.store.currency,
            "pricingLineItemResults": lines,
            # Assumed: the whole is a success as long as it could be carried out.
            "success": True,
        }
        return versions.body(_RESULT, call.version, values)

    return call.json(await reading(call, work))


ROUTES = (
    Route(pattern=f"{WS}/pricing/products", handlers={"GET": product_prices, "POST": price_lines}),
    Route(pattern=f"{WS}/pricing/products/{{id}}", handlers={"GET": product_price}),
)
