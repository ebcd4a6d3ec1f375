"""Configured lines of a cart: the lines below them, and their attributes.

Source: the object reference of CartItem (`ParentCartItemId`, `ChildProductCount`, `QuantityScaleMethod`,
`AssociatedItemPricing`) and CartItemAttribute (66). Assumed: a component that the bundle's price includes costs
nothing; lines below others are not counted as products of the cart, and are changed by configuring the bundle alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from orgbridge.emulator.commerce.deals import Deal, Row, bad_input
from orgbridge.emulator.commerce.money import of_row, quantity_text
from orgbridge.kit.json import JSON

INCLUDED, NOT_INCLUDED = "IncludedInBundlePrice", "NotIncludedInBundlePrice"
PROPORTIONAL = "Proportional"
#: Objects of attributes, each with the field that names its line.
CART = ("CartItemAttribute", "CartItemId")
QUOTE = ("QuoteLineItemAttribute", "QuoteLineItemId")
ORDER = ("OrderItemAttribute", "OrderItemId")
#: Columns that a line has for what it consists of, or what it is a part of.
COLUMNS = ("AssociatedItemPricing", "ChildProductCount", "ConfigureDuringSale", "QuantityScaleMethod")
_ROLE = "BundleComponent"


def own(lines: Iterable[Row]) -> list[Row]:
    """Return the lines that are below no other."""
    return [line for line in lines if line["ParentCartItemId"] is None]


def below(deal: Deal, line_ids: Sequence[str]) -> list[Row]:
    """Return the lines below these."""
    return deal.rows("CartItem", {"ParentCartItemId": list(line_ids)}) if line_ids else []


def is_included(line: Row) -> bool:
    """Tell whether the price of the line above includes this one."""
    return line["ParentCartItemId"] is not None and line["AssociatedItemPricing"] == INCLUDED


def configured(deal: Deal, lines: Sequence[Row]) -> set[str]:
    """Return those of the lines that were configured: with lines below them, or with attributes."""
    ids = [line["Id"] for line in lines]
    found = {str(row["ParentCartItemId"]) for row in below(deal, ids)}
    return found | set(attributes_of(deal, CART, ids))


def components_of(deal: Deal, product_id: str) -> dict[str, Row]:
    """Return the components of a bundle by the product that each is; of several rows for one product the first."""
    rows = deal.rows("ProductRelatedComponent", {"ParentProductId": product_id}, '"Sequence" DESC, Id DESC')
    kinds = deal.by_id("ProductRelationshipType", {row["ProductRelationshipTypeId"] for row in rows})
    return {
        str(row["ChildProductId"]): row
        for row in rows
        if kinds.get(row["ProductRelationshipTypeId"], {}).get("AssociatedProductRoleCat") == _ROLE
    }


def part(line: Row, product: Row, component: Row, quantity: Decimal) -> dict[str, JSON]:
    """Return a new line below another one for a part of its product."""
    return {
        **{name: line[name] for name in ("CartId", "CartDeliveryGroupId", "Type")},
        **dict.fromkeys(("TotalAmount", "TotalPrice", "TotalListPrice"), 0),
        "ParentCartItemId": line["Id"],
        "Name": product["Name"],
        "Product2Id": product["Id"],
        "Sku": product.get("StockKeepingUnit"),
        "Quantity": quantity,
        "QuantityScaleMethod": component["QuantityScaleMethod"],
        "AssociatedItemPricing": INCLUDED if component["DoesBundlePriceIncludeChild"] else NOT_INCLUDED,
    }


def check_own(line: Row) -> None:
    """Refuse the change of a line that is below another.

    Raises:
        SFError: INVALID_API_INPUT.
    """
    if line["ParentCartItemId"] is not None:
        raise bad_input("A part of a configured product is changed by configuring the product.")


def follow_quantity(deal: Deal, line: Row, quantity: Decimal) -> None:
    """Let the lines below one that is to have another quantity follow it, as far as they are proportional.

    Raises:
        SFError: The pieces of one are no longer whole. Nothing was changed.
    """
    had = of_row(line["Quantity"])
    rows = [row for row in below(deal, [line["Id"]]) if row["QuantityScaleMethod"] == PROPORTIONAL]
    if not rows or not had:
        return
    new = {row["Id"]: whole(deal, row, of_row(row["Quantity"]) * quantity / had) for row in rows}
    deal.change("CartItem", [{"Id": key, "Quantity": pieces} for key, pieces in new.items()])


def whole(deal: Deal, product: Row, quantity: Decimal) -> Decimal:
    """Return a quantity that is a whole number.

    Raises:
        SFError: It is none.
    """
    if quantity != quantity.to_integral_value():
        raise deal.policy.bad_quantity.error(f"{quantity_text(quantity)} pieces of {product['Name']} aren't whole.")
    return quantity


def attributes_of(deal: Deal, kind: tuple[str, str], line_ids: Sequence[str]) -> dict[str, list[Row]]:
    """Return the attributes of lines of a cart, a quote or an order, by line."""
    sobject, reference = kind
    found: dict[str, list[Row]] = {}
    for row in deal.rows(sobject, {reference: list(line_ids)}) if line_ids else ():
        found.setdefault(str(row[reference]), []).append(row)
    return found


def carry(deal: Deal, source: tuple[str, str], target: tuple[str, str], lines: Mapping[str, str]) -> None:
    """Copy the attributes of lines of one kind to the lines of another that they became.

    Args:
        deal: The business.
        source: `CART` or `QUOTE`.
        target: `CART`, `QUOTE` or `ORDER`.
        lines: Ids of the lines, old to new.
    """
    rows: list[dict[str, JSON]] = [
        {
            target[1]: lines[line],
            "AttributeName": row["AttributeName"],
            "AttributeValue": row["AttributeValue"],
            "IsPriceImpacting": bool(row["IsPriceImpacting"]),
        }
        for line, found in attributes_of(deal, source, list(lines)).items()
        for row in found
    ]
    if rows:
        deal.add(target[0], rows)
