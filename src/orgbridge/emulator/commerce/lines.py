"""Lines of a cart: adding, changing and removing them.

Source: facts/commerce/carts.md section 3. Assumed: merging, the texts, that quantity rules are held against the whole
quantity of a product, and that a line of a product without a price can be added.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from orgbridge.emulator.commerce import bundles, inputs
from orgbridge.emulator.commerce.calculation import count
from orgbridge.emulator.commerce.carts import check_editable, is_async, recalculate
from orgbridge.emulator.commerce.deals import Deal, Row, bad_input, missing, required
from orgbridge.emulator.commerce.entitlements import product_id_of
from orgbridge.emulator.commerce.money import of_row, read_quantity
from orgbridge.emulator.commerce.offers import broken_rule, entitled, quantity_rules
from orgbridge.emulator.commerce.quotedlines import forget, terms_of
from orgbridge.emulator.schema.errors import SFError
from orgbridge.kit.json import JSON

#: Lines of one batch. Documented.
BATCH = 100
_SUB_TYPES = {"bonus": "Bonus", "gift": "GiftWrap", "giftwrap": "GiftWrap"}


def default_group(deal: Deal, cart_id: str) -> str:
    """Return the id of the cart's default delivery group, which is made when it is not there."""
    groups = deal.rows("CartDeliveryGroup", {"CartId": cart_id}, '"IsDefault" DESC, Id')
    if groups:
        return str(groups[0]["Id"])
    return deal.add("CartDeliveryGroup", [{"CartId": cart_id, "Name": "Default Delivery Group", "IsDefault": True}])[0]


def product_lines(deal: Deal, cart_id: str) -> list[Row]:
    """Return the lines of products, first come first."""
    return deal.rows("CartItem", {"CartId": cart_id, "Type": "Product"})


def _quantity(deal: Deal, body: Mapping[str, JSON]) -> Decimal:
    if body.get("quantity") is None:
        raise bad_input("You must specify a value for the quantity parameter.")
    number = read_quantity(body["quantity"])
    if number is None or number <= 0 or number != number.to_integral_value():
        raise deal.policy.bad_quantity.error(f"The quantity {str(body['quantity'])[:40]} isn't valid.")
    return number


def add_line(deal: Deal, cart: Row, given: JSON, *, merge: bool = True) -> str:
    """Add a product to a cart, or more of it to its line; return the line's id. Nothing is worked out yet.

    Args:
        deal: The business.
        cart: The cart.
        given: The body.
        merge: Whether a line that is there already takes the pieces.

    Raises:
        SFError: The product is not to be had, the quantity is wrong, or the cart is full. Nothing was added.
    """
    body = inputs.check(inputs.CART_ITEM, given, deal.version)
    kind = required(body, "type")
    if kind.lower() != "product":
        raise bad_input(f"The cart item type {kind[:40]} isn't valid.")
    product = product_id_of(required(body, "productId"))
    quantity = _quantity(deal, body)
    row = None if product is None else deal.find("Product2", product)
    if row is None or product is None:
        raise missing("product", str(body["productId"])[:40])
    if product not in entitled(deal, [product]):
        raise deal.policy.not_entitled.error("You don't have access to this product.")
    sub_type = inputs.text(body, "subType")
    if sub_type is not None and sub_type.lower() not in _SUB_TYPES:
        raise bad_input(f"The subType {sub_type[:40]} isn't valid.")
    custom = inputs.custom_fields(deal, "CartItem", body)
    group = _group(deal, cart["Id"], inputs.text(body, "cartDeliveryGroupId"))
    lines = bundles.own(product_lines(deal, cart["Id"]))
    same = [line for line in lines if line["Product2Id"] == product]
    _check_rule(deal, product, quantity + sum((of_row(line["Quantity"]) for line in same), Decimal(0)))
    own = _takers(deal, same, group) if merge and sub_type is None and not custom else []
    if own:
        deal.change("CartItem", [{"Id": own[0]["Id"], "Quantity": of_row(own[0]["Quantity"]) + quantity}])
        return str(own[0]["Id"])
    if len(lines) >= deal.policy.cart_lines:
        raise deal.policy.too_many.error(f"A cart takes {deal.policy.cart_lines} items at most.")
    fresh = {
        "CartId": cart["Id"],
        "CartDeliveryGroupId": group or default_group(deal, cart["Id"]),
        "Name": row["Name"],
        "Product2Id": product,
        "Quantity": quantity,
        "Sku": row.get("StockKeepingUnit"),
        "SubType": _SUB_TYPES[sub_type.lower()] if sub_type else None,
        "Type": "Product",
        "TotalAmount": 0,
        "TotalPrice": 0,
        "TotalListPrice": 0,
        **custom,
    }
    return deal.add("CartItem", [fresh])[0]


def _takers(deal: Deal, same: Sequence[Row], group: str | None) -> list[Row]:
    """Return the lines of a product that take more pieces of it."""
    if "OptionsDuplicateCartItemsEnabled" in deal.buyer.store.options:
        return []
    kept = {*terms_of(deal, same), *bundles.configured(deal, same)}
    return [
        line
        for line in same
        if group in (None, line["CartDeliveryGroupId"]) and line["SubType"] is None and line["Id"] not in kept
    ]


def _group(deal: Deal, cart_id: str, group_id: str | None) -> str | None:
    if group_id is None:
        return None
    row = deal.find("CartDeliveryGroup", group_id)
    if row is None or row["CartId"] != cart_id:
        raise missing("delivery group", group_id)
    return str(row["Id"])


def _check_rule(deal: Deal, product: str, quantity: Decimal) -> None:
    """Hold a product's quantity rule against it. Documented: only where the store answers when prices are known."""
    rule = None if is_async(deal) else quantity_rules(deal, [product]).get(product)
    text = None if rule is None else broken_rule(rule, quantity)
    if text is not None:
        raise deal.policy.bad_quantity.error(text)


def finish(deal: Deal, cart_id: str) -> None:
    """Count the cart's products and let it be worked out, after its lines were changed."""
    count(deal, cart_id)
    recalculate(deal, cart_id)


def add_lines(deal: Deal, cart: Row, body: Mapping[str, JSON]) -> list[str | SFError]:
    """Add up to 100 products, each by itself; return the lines' ids, or why there is none, in the order given.

    Raises:
        SFError: The request as a whole makes no sense. Nothing was added.
    """
    given = body.get("inputs")
    if not isinstance(given, list):
        raise bad_input("You must specify a value for the inputs parameter.")
    if not 1 <= len(given) <= BATCH:
        raise SFError("INVALID_BATCH_SIZE", f"A batch has 1 to {BATCH} inputs, not {len(given)}.", 400)
    results: list[str | SFError] = []
    for one in given:
        deal.connection.execute("SAVEPOINT batch_line")
        try:
            rich = one.get("richInput") if isinstance(one, Mapping) else None
            if rich is None:
                raise bad_input("You must specify a value for the richInput parameter.")
            results.append(add_line(deal, cart, rich))
        except SFError as error:
            deal.connection.execute("ROLLBACK TO batch_line")
            results.append(error)
        deal.connection.execute("RELEASE batch_line")
    if any(isinstance(result, str) for result in results):
        finish(deal, cart["Id"])
    return results


def line_of(deal: Deal, cart: Row, line_id: str) -> Row:
    """Return a product line of a cart that may be changed.

    Raises:
        SFError: The cart has no such line, or it is a part of another one.
    """
    row = deal.find("CartItem", line_id)
    if row is None or row["CartId"] != cart["Id"] or row["Type"] != "Product":
        raise SFError("ITEM_NOT_FOUND", f"The cart item {line_id[:40]} could not be found.", 404)
    bundles.check_own(row)
    return row


def change_line(deal: Deal, cart: Row, line: Row, given: JSON) -> None:
    """Change the quantity of a line, and what else may be changed of it.

    Raises:
        SFError: The body makes no sense, or the quantity is wrong. Nothing was changed.
    """
    body = inputs.check(inputs.CART_ITEM, given, deal.version)
    for name in ("productId", "type"):
        if name in body:
            raise bad_input(f"The {name} parameter isn't supported when a cart item is updated.")
    quantity = _quantity(deal, body)
    product = line["Product2Id"]
    if product not in entitled(deal, [product]):
        raise deal.policy.not_entitled.error("You don't have access to this product.")
    check_quantity(deal, cart, line, quantity)
    change: dict[str, JSON] = {"Id": line["Id"], "Quantity": quantity, **inputs.custom_fields(deal, "CartItem", body)}
    group = _group(deal, cart["Id"], inputs.text(body, "cartDeliveryGroupId"))
    if group is not None:
        change["CartDeliveryGroupId"] = group
        parts = bundles.below(deal, [line["Id"]])
        if parts:
            deal.change("CartItem", [{"Id": one["Id"], "CartDeliveryGroupId": group} for one in parts])
    bundles.follow_quantity(deal, line, quantity)
    deal.change("CartItem", [change])
    finish(deal, cart["Id"])


def check_quantity(deal: Deal, cart: Row, line: Row, quantity: Decimal) -> None:
    """Refuse a quantity for a line that, with the product's other lines, breaks the product's rule.

    Raises:
        SFError: As the org's settings say.
    """
    product = line["Product2Id"]
    rows = bundles.own(product_lines(deal, cart["Id"]))
    others = [one for one in rows if one["Product2Id"] == product and one["Id"] != line["Id"]]
    _check_rule(deal, product, quantity + sum((of_row(one["Quantity"]) for one in others), Decimal(0)))


def remove_lines(deal: Deal, cart: Row, lines: Sequence[Row]) -> None:
    """Remove lines of a cart with what belongs to them."""
    drop(deal, lines)
    finish(deal, cart["Id"])


def drop(deal: Deal, lines: Sequence[Row]) -> None:
    """Remove lines with what belongs to them; nothing is counted or worked out yet."""
    ids = [line["Id"] for line in lines]
    ids = list(dict.fromkeys([*(part["Id"] for part in bundles.below(deal, ids)), *ids]))
    for sobject in ("CartTax", "CartItemPriceAdjustment"):
        deal.remove([row["Id"] for row in deal.rows(sobject, {"CartItemId": ids})], hard=True)
    deal.remove([row["Id"] for row in deal.rows("CartValidationOutput", {"RelatedEntityId": ids})], hard=True)
    deal.remove(ids)
    forget(deal, ids)


def copy_lines(deal: Deal, cart: Row, wanted: Sequence[tuple[str, Decimal]]) -> list[SFError | None]:
    """Add products to a cart as far as they are to be had; return what refused each, in the order given.

    Raises:
        SFError: The cart cannot be changed. Nothing was added.
    """
    check_editable(deal, cart)
    refusals: list[SFError | None] = []
    for product, quantity in wanted:
        deal.connection.execute("SAVEPOINT copied_line")
        try:
            add_line(deal, cart, {"productId": product, "quantity": str(quantity), "type": "Product"})
            refusals.append(None)
        except SFError as error:
            deal.connection.execute("ROLLBACK TO copied_line")
            refusals.append(error)
        deal.connection.execute("RELEASE copied_line")
    finish(deal, cart["Id"])
    return refusals
