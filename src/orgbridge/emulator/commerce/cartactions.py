"""What is done with a whole cart: copied, kept after signing in, put on a list, computed, reserved for.

Source: facts/commerce/carts.md section 3 rows 15 to 26, section 5. Assumed: that a guest's cart is named by the cookie
`GuestCartSessionId_{webstoreId}` and belongs to nobody's account; that reserving succeeds as far as there is stock.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from orgbridge.emulator.commerce import bundles, carts, delivery, inputs, lines, shapes
from orgbridge.emulator.commerce.calculation import calculate
from orgbridge.emulator.commerce.cartviews import ItemViews, summary
from orgbridge.emulator.commerce.deals import Deal, Row, bad_input, missing, required
from orgbridge.emulator.commerce.money import of_row, quantity_text
from orgbridge.emulator.commerce.placing import reference_number
from orgbridge.emulator.commerce.promotions import coupons, take_coupon
from orgbridge.emulator.commerce.settling import State, work_of
from orgbridge.emulator.commerce.versions import body as shaped
from orgbridge.emulator.schema.errors import SFError
from orgbridge.kit.json import JSON
from orgbridge.wire.ids import to_18

#: Seconds of a reservation, least and most. Assumed.
_RESERVATION_SECONDS = (1, 3600)


def template_of(deal: Deal, key: str) -> Row:
    """Return the cart to be copied: a template that an internal user made, or one of the buyer's own.

    Raises:
        SFError: There is none.
    """
    row = deal.find("WebCart", key)
    if row is not None and row["Type"] == "Template" and row["WebStoreId"] == deal.buyer.store.id:
        return row
    found = carts.find(deal, key)
    if found is None:
        raise missing("cart", key[:40])
    return found


def clone(deal: Deal, cart: Row, target_type: str | None) -> Row:
    """Copy a template so that a buyer pays for it, and return the copy, which nobody can change.

    Raises:
        SFError: The copy is to be of another type. Nothing was copied.
    """
    if (target_type or "PayNowReadOnly") != "PayNowReadOnly":
        raise bad_input(f"The targetType {str(target_type)[:40]} isn't valid.")
    copied = carts.create_cart(deal, {"name": str(cart["Name"]), "type": "PayNowReadOnly"})
    _copy_items(deal, cart, copied)
    lines.finish(deal, copied)
    return deal.get("WebCart", copied)


def _copy_items(deal: Deal, source: Row, target_id: str) -> None:
    group = lines.default_group(deal, target_id)
    rows = lines.product_lines(deal, source["Id"])
    shared = {"CartId": target_id, "CartDeliveryGroupId": group}
    made: dict[str, str] = {}
    for some in (bundles.own(rows), [row for row in rows if row["ParentCartItemId"] is not None]):
        fresh = [{**_copy(line), **shared, "ParentCartItemId": made.get(line["ParentCartItemId"])} for line in some]
        if fresh:
            made |= dict(zip((line["Id"] for line in some), deal.add("CartItem", fresh), strict=True))
    bundles.carry(deal, bundles.CART, bundles.CART, made)


def _copy(line: Row) -> dict[str, JSON]:
    names = ("Name", "Product2Id", "Quantity", "Sku", "SubType", "Type", "ProductClass", *bundles.COLUMNS)
    return {**{name: line[name] for name in names}, **dict.fromkeys(("TotalAmount", "TotalPrice", "TotalListPrice"), 0)}


def preserve(deal: Deal, guest_cart_id: str | None) -> dict[str, JSON] | None:
    """Take a guest's cart over for the buyer who signed in, and return what became of its lines.

    The buyer gets a new primary cart with the lines and coupons of both; the earlier one becomes a secondary cart, and
    the guest's cart is deleted.

    Args:
        deal: The business.
        guest_cart_id: What the guest's cookie says.

    Returns:
        None when there is nothing to take over.
    """
    found = None if guest_cart_id is None else to_18(guest_cart_id)
    guest = None if found is None or not found.startswith("0a6") else deal.find("WebCart", found)
    if guest is None or guest["AccountId"] is not None or guest["WebStoreId"] != deal.buyer.store.id:
        return None
    rows = bundles.own(lines.product_lines(deal, guest["Id"]))
    new = deal.get("WebCart", carts.create_cart(deal, {"name": str(guest["Name"])}))
    refusals = lines.copy_lines(deal, new, [(row["Product2Id"], of_row(row["Quantity"])) for row in rows])
    for coupon in coupons(deal, guest["Id"]):
        try:
            take_coupon(deal, new, {"couponCode": coupon["Name"]})
        except SFError:
            continue
    carts.recalculate(deal, new["Id"])
    carts.delete_cart(deal, guest)
    pairs = list(zip(rows, refusals, strict=True))
    good = [_basic(row, None) for row, refusal in pairs if refusal is None]
    bad = [_basic(row, refusal) for row, refusal in pairs if refusal is not None]
    values: dict[str, JSON] = {
        "cartId": new["Id"],
        "currencyIsoCode": deal.buyer.store.currency,
        "failedCartItems": bad,
        "numberOfProducts": len(rows),
        "numberOfProductsWithError": len(bad),
        "numberOfProductsWithSuccess": len(good),
        "succeededCartItems": good,
    }
    return shaped(shapes.PRESERVE_CART_OUTPUT, deal.version, values)


def _basic(row: Row, refusal: SFError | None) -> dict[str, JSON]:
    """Return a line in short. Assumed: its properties, which the facts do not list."""
    return {
        "errorCode": None if refusal is None else refusal.code,
        "errorMessage": None if refusal is None else refusal.message,
        "name": row["Name"],
        "productId": row["Product2Id"],
        "quantity": quantity_text(row["Quantity"]),
    }


def to_wishlist(deal: Deal, cart: Row, body: Mapping[str, JSON]) -> dict[str, JSON]:
    """Put the products of a cart on a list of the buyer; those that are there already are not counted.

    Raises:
        SFError: There is no such list.
    """
    wanted = required(body, "wishlistId")
    row = deal.find("Wishlist", wanted)
    buyer = deal.buyer
    if row is None or row["AccountId"] != buyer.account_id or row["WebStoreId"] != buyer.store.id:
        raise missing("wishlist", wanted[:40])
    if row["OwnerId"] != buyer.user_id:
        raise missing("wishlist", wanted[:40])
    there = {item["Product2Id"] for item in deal.rows("WishlistItem", {"WishlistId": row["Id"]})}
    products = [line["Product2Id"] for line in bundles.own(lines.product_lines(deal, cart["Id"]))]
    fresh = [product for product in dict.fromkeys(products) if product not in there]
    names = deal.by_id("Product2", fresh)
    if fresh:
        deal.add(
            "WishlistItem",
            [{"WishlistId": row["Id"], "Product2Id": one, "Name": str(names[one]["Name"])} for one in fresh],
        )
        deal.change("Wishlist", [{"Id": row["Id"], "WishlistProductCount": len(there) + len(fresh)}])
    values: dict[str, JSON] = {"productsAddedCount": len(fresh), "wishlistId": row["Id"]}
    return shaped(shapes.CART_TO_WISHLIST_RESULT, deal.version, values)


def recompute(deal: Deal, cart: Row, body: Mapping[str, JSON]) -> None:
    """Compute a cart anew, with what a body says of its custom fields.

    Raises:
        SFError: The body makes no sense.
    """
    fields = inputs.custom_fields(deal, "WebCart", body)
    if fields:
        deal.change("WebCart", [{"Id": cart["Id"], **fields}])
    carts.recalculate(deal, cart["Id"])


def evaluate(deal: Deal, cart: Row, body: Mapping[str, JSON]) -> dict[str, JSON]:
    """Return what a cart would cost if it went to an address; the cart stays as it is.

    Raises:
        SFError: The body has no address.
    """
    if body.get("shippingAddress") is None:
        raise bad_input("You must specify a value for the shippingAddress parameter.")
    fields = delivery.address_fields(deal, body["shippingAddress"], inputs.ADDRESS)
    deal.connection.execute("SAVEPOINT evaluation")
    try:
        group = delivery.group_of(deal, cart, "default")
        deal.change("CartDeliveryGroup", [{"Id": group["Id"], **fields}])
        calculate(deal, cart["Id"])
        return result(deal, cart["Id"])
    finally:
        deal.connection.execute("ROLLBACK TO evaluation")
        deal.connection.execute("RELEASE evaluation")


def result(deal: Deal, cart_id: str) -> dict[str, JSON]:
    """Return the reply of a calculation. Assumed: texts of `status`."""
    work = work_of(deal, cart_id)
    data = summary(deal, deal.get("WebCart", cart_id), work)
    status = {State.PROCESSING: "Processing", State.COMPLETED: "Success", State.ERRORED: "Error"}[work.state]
    return shaped(shapes.CART_SUMMARY_RESULT, deal.version, {"data": data, "message": None, "status": status})


def reserve(deal: Deal, cart: Row, body: Mapping[str, JSON]) -> dict[str, JSON]:
    """Reserve the products of a cart, all or none.

    Raises:
        SFError: The duration makes no sense.
    """
    seconds = body.get("durationInSeconds")
    least, most = _RESERVATION_SECONDS
    if isinstance(seconds, bool) or not isinstance(seconds, int) or not least <= seconds <= most:
        raise bad_input(f"The durationInSeconds parameter must be between {least} and {most}.")
    wanted: dict[str, Row] = {}
    for line in lines.product_lines(deal, cart["Id"]):
        known = wanted.setdefault(line["Product2Id"], {**line, "Quantity": 0})
        known["Quantity"] += line["Quantity"]
    short = [row for row in wanted.values() if _stock(deal, row) < row["Quantity"]]
    identifier = None if short else reference_number(deal, f"reservation:{cart['Id']}")
    deal.change("WebCart", [{"Id": cart["Id"], "InventoryReservationIdentifier": identifier}])
    rows = [_reserved(deal, row, row in short) for row in wanted.values()]
    values: dict[str, JSON] = {
        "errorCode": "INSUFFICIENT_INVENTORY" if short else None,
        "errorMessage": "There isn't enough inventory." if short else None,
        "inventoryItemReservations": rows,
        "reservationIdentifier": identifier,
        "success": not short,
    }
    return shaped(shapes.CART_INVENTORY_RESERVATION, deal.version, values)


def _stock(deal: Deal, row: Row) -> float:
    return float(deal.policy.stock.get(row["Sku"] or "", Decimal("Infinity")))


def _reserved(deal: Deal, row: Row, short: bool) -> dict[str, JSON]:
    values: dict[str, JSON] = {
        "errorCode": "INSUFFICIENT_INVENTORY" if short else None,
        "errorMessage": "There isn't enough inventory." if short else None,
        "itemReservationSourceId": row["Id"],
        "productId": row["Product2Id"],
        "quantity": row["Quantity"],
    }
    return shaped(shapes.CART_INVENTORY_ITEM_RESERVATION, deal.version, values)


def release(deal: Deal, cart: Row) -> None:
    """Release what was reserved for a cart."""
    deal.change("WebCart", [{"Id": cart["Id"], "InventoryReservationIdentifier": None}])


def show_messages(deal: Deal, cart: Row, *, visible: bool) -> None:
    """Show or hide the messages of a cart."""
    rows = deal.rows("CartValidationOutput", {"CartId": cart["Id"]})
    if rows:
        deal.change("CartValidationOutput", [{"Id": row["Id"], "IsDismissed": not visible} for row in rows])


def products_view(
    deal: Deal, cart: Row, fields: tuple[str, ...], product_id: str | None = None
) -> list[dict[str, JSON]]:
    """Return the products of a cart, each with its lines; of one product where it is named.

    Raises:
        SFError: The cart does not have the product.
    """
    rows = lines.product_lines(deal, cart["Id"])
    if product_id is not None:
        rows = [row for row in rows if row["Product2Id"] == to_18(product_id)]
        if not rows:
            raise missing("product", product_id[:40])
    views = ItemViews(deal, rows, fields)
    return [
        shaped(
            shapes.PRODUCT_CART_ITEM,
            deal.version,
            {
                "cartItems": [views.result(row) for row in rows if row["Product2Id"] == product],
                "product": views.product(product),
            },
        )
        for product in dict.fromkeys(row["Product2Id"] for row in rows)
    ]
