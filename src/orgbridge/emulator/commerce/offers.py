"""What products are offered to a buyer: whether they may be seen, what they cost, and how many may be bought.

Source: facts/commerce/catalog.md, carts.md section 3. Assumed: the texts.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal

from orgbridge.emulator.commerce.deals import Deal
from orgbridge.emulator.commerce.entitlements import rights_of
from orgbridge.emulator.commerce.money import quantity_text
from orgbridge.emulator.commerce.pricing import prices_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What a product costs the account."""

    #: Price before anything that was agreed; None for none.
    list_price: Decimal | None
    #: Price of one piece.
    unit_price: Decimal
    #: The price book entry it comes from.
    entry_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantityRule:
    """How many pieces of a product may be bought."""

    #: At least; None for any.
    minimum: Decimal | None
    #: At most; None for any.
    maximum: Decimal | None
    #: In steps of; None for any.
    increment: Decimal | None


def entitled(deal: Deal, products: Collection[str]) -> set[str]:
    """Return those of the products that the buyer may see."""
    return {product for product, rights in rights_of(deal.connection, deal.buyer, products).items() if rights.view}


def offers_for(deal: Deal, wanted: Mapping[str, Decimal]) -> dict[str, Offer]:
    """Return what each product costs in that quantity; one without a price for this buyer is left out."""
    found = {}
    for product, price in prices_of(deal.connection, deal.buyer, wanted, deal.org.clock.now()).items():
        unit = price.unit_price_for(wanted[product])
        if unit is not None:
            found[product] = Offer(list_price=price.list_price, unit_price=unit, entry_id=price.entry_id)
    return found


def quantity_rules(deal: Deal, products: Collection[str]) -> dict[str, QuantityRule]:
    """Return the quantity rules of the products that have one."""
    links = deal.rows("ProductQuantityRule", {"ProductId": list(products)})
    rules = deal.by_id("PurchaseQuantityRule", [link["PurchaseQuantityRuleId"] for link in links])
    return {
        link["ProductId"]: QuantityRule(
            minimum=_number(rule["Minimum"]), maximum=_number(rule["Maximum"]), increment=_number(rule["Increment"])
        )
        for link in links
        if (rule := rules.get(link["PurchaseQuantityRuleId"])) is not None
    }


def _number(value: object) -> Decimal | None:
    return None if value is None else Decimal(str(value))


def broken_rule(rule: QuantityRule, quantity: Decimal) -> str | None:
    """Return what is wrong with a quantity, or None."""
    if rule.minimum is not None and quantity < rule.minimum:
        return f"The minimum quantity is {quantity_text(rule.minimum)}."
    if rule.maximum is not None and quantity > rule.maximum:
        return f"The maximum quantity is {quantity_text(rule.maximum)}."
    if rule.increment and quantity % rule.increment:
        return f"The quantity must be a multiple of {quantity_text(rule.increment)}."
    return None
