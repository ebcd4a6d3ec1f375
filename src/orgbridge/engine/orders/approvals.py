"""What a cart holds compared with what somebody approved. Pure.

An approval names products, quantities, prices, the currency and, where the cart as it stood was approved, what all of
it cost. Lines of one product count together: a cart keeps one line for each product.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from orgbridge.client.commerce.values import wire
from orgbridge.engine.orders.books import Line


def differences(
    approved: Mapping[str, Any] | None, lines: Iterable[Line], facts: Mapping[str, Any]
) -> tuple[dict[str, Any], ...]:
    """Return what is different from what was approved, one item for each thing.

    Args:
        approved: `currency`, `total` or None, and `lines`: product id, SKU, quantity and unit price as text; None when
            nothing had to be approved.
        lines: The cart's, with its prices.
        facts: `currency` and `cart_total` of the cart, None where they are not known.
    """
    if approved is None:
        return ()
    found: list[dict[str, Any]] = []
    currency = facts.get("currency")
    if currency is not None and approved["currency"] and currency != approved["currency"]:
        found.append(_item("", "currency_changed", f"{approved['currency']} was approved, the cart is in {currency}."))
    wanted: dict[str, tuple[str, Decimal, Decimal]] = {}
    for product, sku, quantity, price in approved["lines"]:
        amount = Decimal(quantity)
        _, before, cost = wanted.get(product, ("", Decimal(0), Decimal(0)))
        wanted[product] = (sku or product, before + amount, cost + amount * Decimal(price))
    held: dict[str, tuple[str, Decimal, Decimal | None]] = {}
    for line in lines:
        key = line.product_id or ""
        _, before, sum_ = held.get(key, ("", Decimal(0), Decimal(0)))
        priced = None if line.unit_price is None or sum_ is None else sum_ + line.quantity * line.unit_price
        held[key] = (line.name, before + line.quantity, priced)
    for product, (sku, quantity, cost) in wanted.items():
        now = held.get(product)
        if now is None:
            found.append(_item(sku, "line_missing", f"{sku} was approved and is not in the cart."))
        elif now[1] != quantity:
            text = f"{wire(quantity)} of {sku} were approved, the cart holds {wire(now[1])}."
            found.append(_item(sku, "quantity_changed", text, approved=wire(quantity), now=wire(now[1])))
        elif now[2] is None:
            found.append(_item(sku, "price_missing", f"{sku} has no price now."))
        elif now[2] != cost:
            before_, after = _each(cost, quantity), _each(now[2], quantity)
            text = f"{sku} was approved at {before_} each and costs {after} now."
            found.append(_item(sku, "price_changed", text, approved=before_, now=after))
    for product, (name, _, _) in held.items():
        if product not in wanted:
            found.append(_item(name, "line_added", f"{name} is in the cart and was not approved."))
    total, cart_total = approved.get("total"), facts.get("cart_total")
    if not found and total is not None and cart_total is not None and Decimal(cart_total) > Decimal(total):
        text = f"{total} in all was approved, the cart costs {cart_total} now."
        found.append(_item("", "total_changed", text, approved=total, now=cart_total))
    return tuple(found)


def _item(sku: str, code: str, message: str, **more: Any) -> dict[str, Any]:
    return {"sku": sku, "code": code, "message": message, **more}


def _each(amount: Decimal, quantity: Decimal) -> str:
    return wire((amount / quantity).quantize(Decimal("0.000001")))
