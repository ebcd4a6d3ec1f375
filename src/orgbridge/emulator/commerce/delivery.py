"""Delivery groups of a cart: where their goods go, by which method, and which lines they hold.

Source: facts/commerce/carts.md section 3 rows 22 to 24, section 5; checkout.md sections 3 and 6. Assumed: that methods
are offered once the address is known, and that a line is split by a new line in the other group.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from orgbridge.emulator.commerce import bundles, inputs, quotedlines, shapes
from orgbridge.emulator.commerce.addressbook import ADDRESS_COLUMNS
from orgbridge.emulator.commerce.cartviews import ItemViews
from orgbridge.emulator.commerce.deals import Deal, Row, bad_input, missing
from orgbridge.emulator.commerce.lines import default_group, finish, line_of, product_lines, remove_lines
from orgbridge.emulator.commerce.money import money_text, of_row, read_quantity
from orgbridge.emulator.commerce.versions import body as shaped
from orgbridge.kit.json import JSON
from orgbridge.wire.dates import bulk_datetime, parse_date, parse_datetime

#: Properties of an address, and the ends of the names of a group's fields.
_ADDRESS = {
    "city": "DeliverToCity",
    "country": "DeliverToCountry",
    "firstName": "DeliverToFirstName",
    "lastName": "DeliverToLastName",
    "name": "DeliverToName",
    "postalCode": "DeliverToPostalCode",
    "region": "DeliverToState",
    "shipToPhoneNumber": "ShipToPhoneNumber",
    "street": "DeliverToStreet",
    "companyName": "CompanyName",
}


def groups_of(deal: Deal, cart_id: str) -> list[Row]:
    """Return the delivery groups of a cart, the default one first."""
    return deal.rows("CartDeliveryGroup", {"CartId": cart_id}, '"IsDefault" DESC, Id')


def group_of(deal: Deal, cart: Row, group_id: str) -> Row:
    """Return a delivery group of a cart; `default` names the default one.

    Raises:
        SFError: The cart has no such group.
    """
    if group_id.lower() == "default":
        return deal.get("CartDeliveryGroup", default_group(deal, cart["Id"]))
    row = deal.find("CartDeliveryGroup", group_id)
    if row is None or row["CartId"] != cart["Id"]:
        raise missing("delivery group", group_id[:40])
    return row


def book_address(deal: Deal, address_id: str) -> dict[str, JSON]:
    """Return an address of the account's address book as a caller would give it.

    Raises:
        SFError: The account has no such address.
    """
    row = deal.find("ContactPointAddress", address_id)
    if row is None or row["ParentId"] != deal.buyer.account_id:
        raise missing("address", address_id[:40])
    return {name: row[column] for name, column in ADDRESS_COLUMNS.items()}


def default_address(deal: Deal) -> dict[str, JSON] | None:
    """Return the account's default address for deliveries, else its first one; None for none."""
    where = {"ParentId": deal.buyer.account_id, "AddressType": "Shipping"}
    rows = deal.rows("ContactPointAddress", where, '"IsDefault" DESC, Id')
    return {name: rows[0][column] for name, column in ADDRESS_COLUMNS.items()} if rows else None


def address_fields(deal: Deal, given: JSON, shape: Mapping[str, int | tuple[int, int]]) -> dict[str, JSON]:
    """Return the fields of a delivery group for an address that a caller gave, by value or by its id.

    Raises:
        SFError: Something is missing, or there is no such address.
    """
    body = inputs.check(shape, given, deal.version)
    address_id = inputs.text(body, "id")
    return fields_of(body if address_id is None else book_address(deal, address_id))


def fields_of(address: Mapping[str, JSON]) -> dict[str, JSON]:
    """Return the fields of a delivery group for an address.

    Raises:
        SFError: Something is missing.
    """
    values = dict(address)
    if not values.get("name") and values.get("lastName"):
        values["name"] = " ".join(str(values[key]) for key in ("firstName", "lastName") if values.get(key))
    for name in ("name", "street", "country"):
        if not values.get(name):
            raise bad_input(f"You must specify a value for the {name} parameter.")
    return {column: values.get(name) for name, column in _ADDRESS.items()}


def desired_date(text: str | None) -> str | None:
    """Return the day or instant that goods are wanted on as rows hold it.

    Raises:
        SFError: The text is no date.
    """
    if text is None:
        return None
    instant = parse_datetime(text)
    if instant is not None:
        return bulk_datetime(instant)
    day = parse_date(text)
    if day is None:
        raise bad_input(f"The date {text[:40]} isn't valid.")
    return bulk_datetime(datetime.fromisoformat(f"{day.isoformat()}T00:00:00+00:00"))


def shipping_fields(deal: Deal, body: Mapping[str, JSON]) -> dict[str, JSON]:
    """Return the fields of a group for what a body says of its delivery, without the method.

    Raises:
        SFError: A value makes no sense.
    """
    fields: dict[str, JSON] = {}
    if body.get("deliveryAddress") is not None:
        fields |= address_fields(deal, body["deliveryAddress"], inputs.ADDRESS)
    if "desiredDeliveryDate" in body:
        fields["DesiredDeliveryDate"] = desired_date(inputs.text(body, "desiredDeliveryDate"))
    if "shippingInstructions" in body:
        fields["ShippingInstructions"] = inputs.text(body, "shippingInstructions")
    return fields


def choose_method(deal: Deal, group: Row, method_id: str) -> None:
    """Let a group be delivered by a method that it was offered.

    Raises:
        SFError: It was not offered.
    """
    method = deal.find("CartDeliveryGroupMethod", method_id)
    if method is None or method["CartDeliveryGroupId"] != group["Id"]:
        raise missing("delivery method", method_id[:40])
    deal.change("CartDeliveryGroup", [{"Id": group["Id"], "SelectedDeliveryMethodId": method["Id"]}])


def offer_methods(deal: Deal, cart_id: str, session_id: str | None) -> None:
    """Offer the groups with an address their methods of delivery; what was chosen before stays chosen by its name."""
    rows = deal.rows("CartDeliveryGroupMethod", {"WebCartId": cart_id})
    for group in groups_of(deal, cart_id):
        own = [row for row in rows if row["CartDeliveryGroupId"] == group["Id"]]
        if own or not group["DeliverToCountry"]:
            continue
        fresh = [
            {
                "CartDeliveryGroupId": group["Id"],
                "WebCartId": cart_id,
                "CartCheckoutSessionId": session_id,
                "Name": offer.name,
                "ShippingFee": offer.fee,
                "Carrier": offer.carrier,
                "ClassOfService": offer.service,
                "IsActive": True,
                "ReferenceNumber": offer.name.upper(),
                "TransitTimeMin": offer.days[0],
                "TransitTimeMax": offer.days[1],
                "TransitTimeUnit": "Days",
            }
            for offer in deal.policy.deliveries
        ]
        deal.add("CartDeliveryGroupMethod", fresh)


def withdraw_methods(deal: Deal, group: Row) -> None:
    """Take back what a group was offered, as its address is another."""
    deal.change("CartDeliveryGroup", [{"Id": group["Id"], "SelectedDeliveryMethodId": None}])
    deal.remove(
        [row["Id"] for row in deal.rows("CartDeliveryGroupMethod", {"CartDeliveryGroupId": group["Id"]})], hard=True
    )


def add_group(deal: Deal, cart: Row, given: JSON) -> str:
    """Add a delivery group to a cart and return its id.

    Raises:
        SFError: The body makes no sense. Nothing was added.
    """
    body = inputs.check(inputs.DELIVERY_GROUP, given, deal.version)
    first = not groups_of(deal, cart["Id"])
    row = {
        "CartId": cart["Id"],
        "Name": inputs.text(body, "name") or "Delivery Group",
        "IsDefault": first,
        **shipping_fields(deal, body),
    }
    return deal.add("CartDeliveryGroup", [row])[0]


def change_group(deal: Deal, group: Row, given: JSON) -> None:
    """Change a delivery group.

    Raises:
        SFError: The body makes no sense. Nothing was changed.
    """
    body = inputs.check(inputs.DELIVERY_GROUP, given, deal.version)
    fields = shipping_fields(deal, body)
    if inputs.text(body, "name") is not None:
        fields["Name"] = inputs.text(body, "name")
    if fields:
        deal.change("CartDeliveryGroup", [{"Id": group["Id"], **fields}])
    if "DeliverToCountry" in fields:
        withdraw_methods(deal, group)
    method = inputs.text(body, "deliveryMethodId")
    if method is not None:
        choose_method(deal, deal.get("CartDeliveryGroup", group["Id"]), method)


def remove_group(deal: Deal, cart: Row, group: Row, *, with_items: bool) -> None:
    """Delete a group; its lines go to the default one, or along with it.

    Raises:
        SFError: It is the default group and has lines that are to stay. Nothing was deleted.
    """
    held = [line for line in product_lines(deal, cart["Id"]) if line["CartDeliveryGroupId"] == group["Id"]]
    others = [one for one in groups_of(deal, cart["Id"]) if one["Id"] != group["Id"]]
    if held and not with_items:
        if not others or group["IsDefault"]:
            raise bad_input("The default delivery group can't be deleted while it has items.")
        deal.change("CartItem", [{"Id": line["Id"], "CartDeliveryGroupId": others[0]["Id"]} for line in held])
    charges = deal.rows("CartItem", {"CartDeliveryGroupId": group["Id"], "Type": "Charge"})
    withdraw_methods(deal, group)
    remove_lines(deal, cart, [*charges, *(held if with_items else [])])
    deal.remove([group["Id"]], hard=True)
    if group["IsDefault"] and others:
        deal.change("CartDeliveryGroup", [{"Id": others[0]["Id"], "IsDefault": True}])


def arrange(deal: Deal, cart: Row, body: Mapping[str, JSON], *, delete_empty: bool) -> None:
    """Put pieces of lines into groups.

    Raises:
        SFError: An arrangement makes no sense. The transaction is not to be kept.
    """
    given = body.get("arrangements")
    if not isinstance(given, list) or not given:
        raise bad_input("You must specify a value for the arrangements parameter.")
    for one in given:
        _arrange_one(deal, cart, inputs.check(inputs.ARRANGEMENT, one, deal.version))
    if delete_empty:
        held = {line["CartDeliveryGroupId"] for line in product_lines(deal, cart["Id"])}
        empty = [one for one in groups_of(deal, cart["Id"]) if one["Id"] not in held and not one["IsDefault"]]
        for group in empty:
            remove_group(deal, cart, group, with_items=True)
    finish(deal, cart["Id"])


def _arrange_one(deal: Deal, cart: Row, body: Mapping[str, JSON]) -> None:
    quantity = read_quantity(body.get("quantity"))
    if quantity is None or quantity < 0:
        raise deal.policy.bad_quantity.error("You must specify a value for the quantity parameter.")
    target = _target(deal, cart, body)
    item_id, product_id = inputs.text(body, "cartItemId"), inputs.text(body, "productId")
    if item_id is None:
        rows = bundles.own(product_lines(deal, cart["Id"]))
        sources = [line for line in rows if line["Product2Id"] == product_id]
        if not sources:
            raise missing("product", product_id)
        source = next((line for line in sources if line["CartDeliveryGroupId"] != target), sources[0])
    else:
        source = line_of(deal, cart, item_id)
    if not quantity:
        remove_lines(deal, cart, [source])
        return
    if source["CartDeliveryGroupId"] == target:
        bundles.follow_quantity(deal, source, quantity)
        deal.change("CartItem", [{"Id": source["Id"], "Quantity": quantity}])
        return
    _move(deal, cart, source, target, quantity)


def _target(deal: Deal, cart: Row, body: Mapping[str, JSON]) -> str:
    group_id = inputs.text(body, "deliveryGroupId")
    if group_id is not None:
        return str(group_of(deal, cart, group_id)["Id"])
    name = inputs.text(body, "deliveryGroupName")
    known = [one for one in groups_of(deal, cart["Id"]) if name is not None and one["Name"] == name]
    if known:
        return str(known[0]["Id"])
    address_id = inputs.text(body, "deliveryAddressId")
    address = {"id": address_id} if address_id is not None else body.get("deliveryAddress")
    given = {"name": name, "deliveryAddress": address}
    return add_group(deal, cart, {key: value for key, value in given.items() if value is not None})


def _move(deal: Deal, cart: Row, source: Row, target: str, quantity: Decimal) -> None:
    """Move pieces of a line to another group: the line itself when all of them go."""
    have = of_row(source["Quantity"])
    if quantity > have:
        raise deal.policy.bad_quantity.error("The cart has fewer pieces of this item.")
    there = bundles.own(product_lines(deal, cart["Id"]))
    configured = bundles.configured(deal, there)
    if source["Id"] in configured and quantity != have:
        raise bad_input("A configured product can't be split between delivery groups.")
    agreed = quotedlines.terms_of(deal, there)
    terms = agreed.get(source["Id"])
    twin = [
        line
        for line in there
        if line["CartDeliveryGroupId"] == target
        and line["Product2Id"] == source["Product2Id"]
        and agreed.get(line["Id"]) == terms
        and not {line["Id"], source["Id"]} & configured
    ]
    if twin:
        deal.change("CartItem", [{"Id": twin[0]["Id"], "Quantity": of_row(twin[0]["Quantity"]) + quantity}])
    elif quantity == have:
        moved = [source, *bundles.below(deal, [source["Id"]])]
        deal.change("CartItem", [{"Id": line["Id"], "CartDeliveryGroupId": target} for line in moved])
        return
    else:
        copied = ("CartId", "Name", "Product2Id", "Sku", "SubType", "Type")
        fresh = {name: source[name] for name in copied}
        totals = dict.fromkeys(("TotalAmount", "TotalPrice", "TotalListPrice"), 0)
        (new,) = deal.add("CartItem", [{**fresh, **totals, "CartDeliveryGroupId": target, "Quantity": quantity}])
        if terms is not None:
            quotedlines.note(deal, new, terms)
    if quantity == have:
        remove_lines(deal, cart, [source])
    else:
        deal.change("CartItem", [{"Id": source["Id"], "Quantity": have - quantity}])


# -- views -------------------------------------------------------------------------------------------------------


def collection(deal: Deal, cart_id: str, items: int = 25, page: slice = slice(0, 25)) -> dict[str, JSON]:
    """Return one page of the delivery groups of a cart, each with its first lines."""
    shown: Sequence[JSON] = [group_view(deal, group, items) for group in groups_of(deal, cart_id)[page]]
    return shaped(shapes.DELIVERY_GROUP_COLLECTION, deal.version, {"count": len(shown), "items": shown})


def group_view(deal: Deal, group: Row, items: int = 25) -> dict[str, JSON]:
    """Return a delivery group as a Connect body."""
    methods = [
        _method_view(deal, row)
        for row in deal.rows("CartDeliveryGroupMethod", {"CartDeliveryGroupId": group["Id"]})
        if row["IsActive"]
    ]
    chosen = deal.find("CartDeliveryGroupMethod", group["SelectedDeliveryMethodId"])
    lines = [row for row in product_lines(deal, group["CartId"]) if row["CartDeliveryGroupId"] == group["Id"]]
    views = ItemViews(deal, lines[:items], ())
    listed = {"cartItems": [views.result(line) for line in lines[:items]], "totalItemCount": len(lines)}
    values: dict[str, JSON] = {
        "availableDeliveryMethods": methods,
        "cartId": group["CartId"],
        "cartItems": shaped(shapes.CART_ITEM_COLLECTION, deal.version, listed),
        "deliveryAddress": _address_view(deal, group),
        "desiredDeliveryDate": group["DesiredDeliveryDate"],
        "errors": [],
        "giftMessage": group["GiftMessage"],
        "giftToName": group["GiftToName"],
        "id": group["Id"],
        "isAllDigitalCartItems": False,
        "isDefault": bool(group["IsDefault"]),
        "isGift": bool(group["IsGift"]),
        "name": group["Name"],
        "selectedDeliveryMethod": None if chosen is None else _method_view(deal, chosen),
        "shippingInstructions": group["ShippingInstructions"],
        "totalCartItemCount": len(lines),
        "totalProductAmount": money_text(group["TotalProductAmount"]),
    }
    return shaped(shapes.DELIVERY_GROUP, deal.version, values)


def _address_view(deal: Deal, group: Row) -> dict[str, JSON] | None:
    if not group["DeliverToCountry"]:
        return None
    values = {name: group[column] for name, column in _ADDRESS.items() if name in shapes.CHECKOUT_ADDRESS}
    return shaped(shapes.CHECKOUT_ADDRESS, deal.version, {**values, "isDefault": False})


def _method_view(deal: Deal, row: Row) -> dict[str, JSON]:
    values = {
        "adjustedShippingFee": money_text(row["ShippingFee"]),
        "carrier": row["Carrier"],
        "classOfService": row["ClassOfService"],
        "currencyIsoCode": deal.buyer.store.currency,
        "id": row["Id"],
        "name": row["Name"],
        "processTime": row["ProcessTime"],
        "processTimeUnit": row["ProcessTimeUnit"],
        "shippingFee": money_text(row["ShippingFee"]),
        "totalAdjustmentAmount": "0.00",
        "transitTimeMax": row["TransitTimeMax"],
        "transitTimeMin": row["TransitTimeMin"],
        "transitTimeUnit": row["TransitTimeUnit"],
    }
    return shaped(shapes.DELIVERY_METHOD, deal.version, values)
