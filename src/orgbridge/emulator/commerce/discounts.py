"""Coupons and promotions of a cart as Connect bodies show them.

Source: facts/commerce/carts.md sections 3 to 5.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from orgbridge.emulator.commerce import shapes
from orgbridge.emulator.commerce.amounts import money_text
from orgbridge.emulator.commerce.deals import Deal, Row, bad_input
from orgbridge.emulator.commerce.lines import line_of
from orgbridge.emulator.commerce.money import ZERO, of_row
from orgbridge.emulator.commerce.promotions import Promotion, applied, coupons
from orgbridge.emulator.commerce.versions import body as shaped
from orgbridge.kit.json import JSON


def coupon_collection(deal: Deal, cart: Row) -> dict[str, JSON]:
    """Return the coupons of a cart, wrapped twice as both the reference and what was seen have it."""
    listed = [
        shaped(shapes.CART_COUPON, deal.version, {"cartCouponId": row["Id"], "couponCode": row["Name"]})
        for row in coupons(deal, cart["Id"])
    ]
    values: dict[str, JSON] = {
        "cartCoupons": {"coupons": listed},
        "cartId": cart["Id"],
        "cartStatus": cart["Status"],
        "ownerId": cart["OwnerId"],
    }
    return shaped(shapes.CART_COUPON_COLLECTION, deal.version, values)


def promotion_collection(deal: Deal, cart: Row) -> dict[str, JSON]:
    """Return the promotions that lower what a cart costs."""
    rows = deal.rows("CartItemPriceAdjustment", {"CartId": cart["Id"]})
    sums: dict[str, Decimal] = {}
    for row in rows:
        sums[row["Description"]] = sums.get(row["Description"], ZERO) + of_row(row["TotalAmount"])
    shown = [_shown(deal, one, sums.get(one.id, ZERO)) for one in applied(deal, cart["Id"])]
    wrapped: JSON = {"promotions": shown} if deal.policy.wrapped_promotions else shown
    values: dict[str, JSON] = {
        "cartId": cart["Id"],
        "cartStatus": cart["Status"],
        "currencyIsoCode": deal.buyer.store.currency,
        "promotions": wrapped,
    }
    return shaped(shapes.CART_PROMOTION_COLLECTION, deal.version, values)


def item_promotions(deal: Deal, cart: Row, body: Mapping[str, JSON]) -> dict[str, JSON]:
    """Return the promotions that lower what single lines cost, by line.

    Raises:
        SFError: The body names no lines of the cart.
    """
    given = body.get("items")
    if not isinstance(given, list) or not given:
        raise bad_input("You must specify a value for the items parameter.")
    known = {promotion.id: promotion for promotion in applied(deal, cart["Id"])}
    found: dict[str, JSON] = {}
    for one in given:
        line = line_of(deal, cart, str(one.get("cartItemId") if isinstance(one, Mapping) else None))
        rows = deal.rows("CartItemPriceAdjustment", {"CartItemId": line["Id"]})
        found[line["Id"]] = [
            _shown(deal, known[row["Description"]], of_row(row["TotalAmount"]))
            for row in rows
            if row["Description"] in known
        ]
    values: dict[str, JSON] = {"currencyIsoCode": deal.buyer.store.currency, "items": found}
    return shaped(shapes.CART_ITEM_PROMOTION_COLLECTION, deal.version, values)


def _shown(deal: Deal, promotion: Promotion, amount: Decimal) -> dict[str, JSON]:
    values: dict[str, JSON] = {
        "adjustmentAmount": money_text(amount),
        "couponCode": promotion.code,
        "currencyIsoCode": deal.buyer.store.currency,
        "displayName": promotion.name,
        "promotionId": promotion.id,
        "targetType": "Cart" if promotion.target == "Cart" else "Item",
        "termsAndConditions": promotion.terms,
    }
    return shaped(shapes.CART_PROMOTION, deal.version, values)
