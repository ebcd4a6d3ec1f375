"""What a cart costs: prices, promotions, delivery, tax and totals, written to its rows.

Every sum is exact: totals are sums of the lines' rounded amounts, and a reduction of the whole cart is shared out over
the lines to the cent. The same holds at every time: `grand total = products + charges + reductions + tax`.

Source: facts/commerce/carts.md sections 2, 5 and 7. Assumed: rounding, that tax is known once the delivery address is,
and that it is added unless the cart's tax is `Gross`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from orgbridge.emulator.commerce.amounts import cents
from orgbridge.emulator.commerce.bundles import is_included
from orgbridge.emulator.commerce.deals import Deal, Row
from orgbridge.emulator.commerce.money import ZERO, of_row, shared_out
from orgbridge.emulator.commerce.offers import Offer, QuantityRule, broken_rule, entitled, offers_for, quantity_rules
from orgbridge.emulator.commerce.promotions import Promotion, applied, off_delivery, reductions
from orgbridge.emulator.commerce.quotedlines import Terms, terms_of

#: What belongs to a calculation and is made anew by the next.
_RESULTS = (
    ("CartTax", "CartId"),
    ("CartItemPriceAdjustment", "CartId"),
    ("WebCartAdjustmentGroup", "CartId"),
    ("CartValidationOutput", "CartId"),
)


@dataclass(slots=True, kw_only=True)
class _Line:
    """One line while it is worked out."""

    row: Row
    quantity: Decimal
    list_total: Decimal = ZERO
    total: Decimal = ZERO
    reduction: Decimal = ZERO
    tax: Decimal = ZERO
    change: dict[str, Any] = field(default_factory=dict)

    @property
    def after(self) -> Decimal:
        return self.total + self.reduction


@dataclass(frozen=True, slots=True, kw_only=True)
class _Message:
    """Something that is wrong with a line or a cart."""

    kind: str
    text: str
    about: str


def calculate(deal: Deal, cart_id: str) -> None:
    """Work a cart out anew and write what came of it."""
    cart = deal.get("WebCart", cart_id)
    _clear(deal, cart_id)
    groups = {group["Id"]: group for group in deal.rows("CartDeliveryGroup", {"CartId": cart_id})}
    messages: list[_Message] = []
    products = _priced(deal, cart_id, messages)
    promotions = applied(deal, cart_id)
    taken = reductions(deal, promotions, sum((line.total for line in products), ZERO))
    for _, amount in taken:
        for line, share in zip(products, shared_out(amount, [line.total for line in products]), strict=True):
            line.reduction += share
    charges = _charged(deal, cart_id, groups, products)
    free = [off_delivery(promotions, charge.total) for charge in charges]
    for charge, off in zip(charges, free, strict=True):
        charge.reduction = ZERO if off is None else off[1]
    lines = [*products, *charges]
    _tax(deal, cart, groups, lines)
    gross = cart["TaxType"] == "Gross"
    for line in lines:
        _finish(line, gross=gross)
    deal.change("CartItem", [{"Id": line.row["Id"], **line.change} for line in lines])
    _note_adjustments(deal, cart_id, products, taken)
    _note_free_delivery(deal, cart_id, charges, free)
    _note_messages(deal, cart_id, messages)
    _total_groups(deal, groups, products, charges)
    _total_cart(deal, cart, products, charges, messages)


def _clear(deal: Deal, cart_id: str) -> None:
    for sobject, reference in _RESULTS:
        deal.remove([row["Id"] for row in deal.rows(sobject, {reference: cart_id})], hard=True)


def _priced(deal: Deal, cart_id: str, messages: list[_Message]) -> list[_Line]:
    rows = deal.rows("CartItem", {"CartId": cart_id, "Type": "Product"})
    wanted = _wanted(row for row in rows if not is_included(row))
    pieces = _wanted(rows)
    seen = entitled(deal, pieces)
    offers, rules = offers_for(deal, {**pieces, **wanted}), quantity_rules(deal, wanted)
    agreed = terms_of(deal, rows)
    lines = []
    for row in rows:
        line, product = _Line(row=row, quantity=of_row(row["Quantity"])), row["Product2Id"]
        lines.append(line)
        offer, terms = offers.get(product), agreed.get(row["Id"])
        if product not in seen:
            messages.append(_Message(kind="Entitlement", text=f"{row['Name']} is not available.", about=row["Id"]))
        elif offer is None and terms is None and not is_included(row):
            messages.append(_Message(kind="Pricing", text=f"{row['Name']} has no price.", about=row["Id"]))
        if row["ParentCartItemId"] is None and (text := _broken(rules.get(product), wanted[product])):
            messages.append(_Message(kind="Other", text=text, about=row["Id"]))
        if (stock := deal.policy.stock.get(row["Sku"] or "")) is not None and stock < pieces[product]:
            text = f"Only {stock} pieces of {row['Name']} are in stock."
            messages.append(_Message(kind="Inventory", text=text, about=row["Id"]))
        if terms is not None:
            _as_agreed(line, terms, offer)
            continue
        if is_included(row):
            line.change |= {"ListPrice": ZERO, "SalesPrice": ZERO, "PriceBookEntryId": offer and offer.entry_id}
            continue
        if offer is None:
            line.change |= dict.fromkeys(("ListPrice", "SalesPrice", "PriceBookEntryId"))
            continue
        list_price = offer.unit_price if offer.list_price is None else offer.list_price
        line.list_total, line.total = cents(list_price * line.quantity), cents(offer.unit_price * line.quantity)
        line.change |= {
            "ListPrice": offer.list_price,
            "SalesPrice": offer.unit_price,
            "PriceBookEntryId": offer.entry_id,
        }
    return lines


def _wanted(rows: Iterable[Row]) -> dict[str, Decimal]:
    """Return how many pieces of each product there are."""
    found: dict[str, Decimal] = {}
    for row in rows:
        found[row["Product2Id"]] = found.get(row["Product2Id"], Decimal(0)) + of_row(row["Quantity"])
    return found


def _broken(rule: QuantityRule | None, quantity: Decimal) -> str | None:
    return None if rule is None else broken_rule(rule, quantity)


def _as_agreed(line: _Line, terms: Terms, offer: Offer | None) -> None:
    """Let a line that came from a quote cost what was agreed, whatever the store's price is now."""
    unit = terms.unit_price
    list_price = unit if offer is None or offer.list_price is None else offer.list_price
    line.list_total, line.total = cents(list_price * line.quantity), terms.total(line.quantity)
    line.change |= {"ListPrice": list_price, "SalesPrice": unit, "PriceBookEntryId": terms.entry_id}


def _charged(deal: Deal, cart_id: str, groups: Mapping[str, Row], products: Iterable[_Line]) -> list[_Line]:
    """Return the lines for delivery: one for each group that has products and a method of delivery."""
    there = {row["CartDeliveryGroupId"]: row for row in deal.rows("CartItem", {"CartId": cart_id, "Type": "Charge"})}
    used = {line.row["CartDeliveryGroupId"] for line in products}
    chosen = {key: group["SelectedDeliveryMethodId"] for key, group in groups.items() if key in used}
    methods = deal.by_id("CartDeliveryGroupMethod", [method for method in chosen.values() if method])
    lines = []
    for key, method_id in chosen.items():
        method = methods.get(method_id or "")
        if method is None:
            continue
        row = there.pop(key, None)
        name, fee = str(method["Name"]), of_row(method["ShippingFee"])
        if row is None:
            fresh = {"CartId": cart_id, "CartDeliveryGroupId": key, "Type": "Charge", "Name": name, "Quantity": 1}
            row = deal.get("CartItem", deal.add("CartItem", [fresh])[0])
        line = _Line(row=row, quantity=Decimal(1), list_total=fee, total=fee)
        line.change |= {"Name": name, "ListPrice": fee, "SalesPrice": fee}
        lines.append(line)
    deal.remove([row["Id"] for row in there.values()], hard=True)
    return lines


def _tax(deal: Deal, cart: Row, groups: Mapping[str, Row], lines: Iterable[_Line]) -> None:
    gross, rows = cart["TaxType"] == "Gross", []
    for line in lines:
        country = groups.get(line.row["CartDeliveryGroupId"], {}).get("DeliverToCountry")
        percent = deal.policy.tax_percent.get(country or "")
        if percent is None:
            continue
        share = percent / (100 + percent) if gross else percent / 100
        line.tax = cents(line.after * share)
        rows.append(
            {
                "CartItemId": line.row["Id"],
                "CartId": cart["Id"],
                "Name": f"Tax {country}",
                "Amount": line.tax,
                "TaxRate": percent,
                "TaxType": "Estimated",
                "TaxCalculationDate": deal.now[:10],
            }
        )
    if rows:
        deal.add("CartTax", rows)


def _finish(line: _Line, *, gross: bool) -> None:
    added = ZERO if gross else line.tax
    share = cents(line.after / line.quantity) if line.quantity else ZERO
    line.change |= {
        "TotalListPrice": line.list_total,
        "TotalLineAmount": line.total,
        "TotalPrice": line.total,
        "ItemizedAdjustmentAmount": ZERO,
        "DistributedAdjustmentAmount": line.reduction,
        "TotalPromoAdjustmentAmount": line.reduction,
        "AdjustmentAmount": ZERO,
        "TotalAdjustmentAmount": ZERO,
        "UnitAdjustmentAmount": ZERO,
        "UnitItemAdjustmentAmount": ZERO,
        "UnitAdjustedPrice": line.change.get("SalesPrice"),
        "UnitAdjustedPriceWithItemAdj": line.change.get("SalesPrice"),
        "UnitPriceAfterAdjustments": share,
        "NetUnitPrice": line.change.get("SalesPrice"),
        "TotalPriceAfterAllAdjustments": line.after,
        "TotalPriceTaxAmount": line.tax,
        "TotalLineTaxAmount": line.tax,
        "TotalTaxAmount": line.tax,
        "TotalAmount": line.after + added,
        "TotalLineNetAmount": line.after - (line.tax if gross else ZERO),
        "TotalLineGrossAmount": line.after + added,
    }


def _note_adjustments(deal: Deal, cart_id: str, products: list[_Line], taken: list[tuple[Promotion, Decimal]]) -> None:
    for promotion, amount in taken:
        shared = {
            "Name": promotion.name,
            "AdjustmentSource": "Promotion",
            "AdjustmentTargetType": "Cart",
            "AdjustmentType": _adjustment_type(promotion),
            "AdjustmentValue": -promotion.value,
            "CartId": cart_id,
        }
        group = deal.add("WebCartAdjustmentGroup", [{**shared, "Description": promotion.id, "TotalAmount": amount}])[0]
        shares = shared_out(amount, [line.total for line in products])
        rows = [
            {
                **shared,
                "Description": promotion.id,
                "CartItemId": line.row["Id"],
                "TotalAmount": share,
                "WebCartAdjustmentGroupId": group,
            }
            for line, share in zip(products, shares, strict=True)
        ]
        if rows:
            deal.add("CartItemPriceAdjustment", rows)


def _note_free_delivery(
    deal: Deal, cart_id: str, charges: list[_Line], free: list[tuple[Promotion, Decimal] | None]
) -> None:
    rows = [
        {
            "Name": off[0].name,
            "AdjustmentSource": "Promotion",
            "AdjustmentTargetType": "Item",
            "AdjustmentType": _adjustment_type(off[0]),
            "AdjustmentValue": -off[0].value,
            "CartId": cart_id,
            "Description": off[0].id,
            "CartItemId": charge.row["Id"],
            "TotalAmount": off[1],
        }
        for charge, off in zip(charges, free, strict=True)
        if off is not None
    ]
    if rows:
        deal.add("CartItemPriceAdjustment", rows)


def _adjustment_type(promotion: Promotion) -> str:
    return "AdjustmentPercentage" if promotion.is_percent else "AdjustmentAmount"


def _note_messages(deal: Deal, cart_id: str, messages: list[_Message]) -> None:
    rows = [
        {
            "CartId": cart_id,
            "Name": f"{message.kind} {number + 1}",
            "Level": "Error",
            "Type": message.kind,
            "Message": message.text[:255],
            "RelatedEntityId": message.about,
        }
        for number, message in enumerate(messages)
    ]
    if rows:
        deal.add("CartValidationOutput", rows)


def _sum(lines: Iterable[_Line], name: str) -> Decimal:
    return sum((getattr(line, name) for line in lines), ZERO)


def _total_groups(deal: Deal, groups: Mapping[str, Row], products: list[_Line], charges: list[_Line]) -> None:
    rows = []
    for key in groups:
        own = [line for line in products if line.row["CartDeliveryGroupId"] == key]
        costs = [line for line in charges if line.row["CartDeliveryGroupId"] == key]
        both = [*own, *costs]
        total, reduction = _sum(both, "total"), _sum(both, "reduction")
        rows.append(
            {
                "Id": key,
                "TotalProductAmount": _sum(own, "total"),
                "TotalProductTaxAmount": _sum(own, "tax"),
                "TotalChargeAmount": _sum(costs, "total"),
                "TotalChargeTaxAmount": _sum(costs, "tax"),
                "TotalAdjustmentAmount": reduction,
                "TotalAmount": total,
                "TotalTaxAmount": _sum(both, "tax"),
                "GrandTotalAmount": sum((of_row(line.change["TotalAmount"]) for line in both), ZERO),
                "TotalCartItemCount": len(own),
            }
        )
    if rows:
        deal.change("CartDeliveryGroup", rows)


def _total_cart(deal: Deal, cart: Row, products: list[_Line], charges: list[_Line], messages: list[_Message]) -> None:
    both = [*products, *charges]
    reduction, total, tax = _sum(both, "reduction"), _sum(both, "total"), _sum(both, "tax")
    row = {
        "Id": cart["Id"],
        "TotalListAmount": _sum(both, "list_total"),
        "TotalProductListAmount": _sum(products, "list_total"),
        "TotalProductAmount": _sum(products, "total"),
        "TotalProductItemAdjAmount": ZERO,
        "TotalProductTaxAmount": _sum(products, "tax"),
        "TotalChargeAmount": _sum(charges, "total"),
        "TotalChargeItemAdjAmount": _sum(charges, "reduction"),
        "TotalChargeTaxAmount": _sum(charges, "tax"),
        "TotalCartLevelAdjAmount": _sum(products, "reduction"),
        "TotalPromoAdjustmentAmount": reduction,
        "TotalPromoAdjustmentTaxAmount": ZERO,
        "TotalAdjustmentAmount": reduction,
        "TotalAmount": total,
        "TotalAmountAfterAllAdjustments": total + reduction,
        "TotalTaxAmount": tax,
        "GrandTotalAmount": sum((of_row(line.change["TotalAmount"]) for line in both), ZERO),
        "TotalLineItemsWithErrors": len({message.about for message in messages}),
        "IsRepricingNeeded": False,
        "LastRepricingDate": deal.now,
        **counts(products),
    }
    deal.change("WebCart", [row])


def counts(products: Iterable[_Line]) -> dict[str, Any]:
    """Return what a cart counts of its product lines: parts of others are none of its products."""
    lines = [line for line in products if line.row["ParentCartItemId"] is None]
    return {
        "TotalProductCount": sum((line.quantity for line in lines), Decimal(0)),
        "UniqueProductCount": len({line.row["Product2Id"] for line in lines}),
        "TotalProductLineItemCount": len(lines),
    }


def count(deal: Deal, cart_id: str) -> None:
    """Count the products of a cart, at once and without working out what they cost."""
    rows = deal.rows("CartItem", {"CartId": cart_id, "Type": "Product"})
    lines = [_Line(row=row, quantity=of_row(row["Quantity"])) for row in rows]
    deal.change("WebCart", [{"Id": cart_id, **counts(lines)}])
