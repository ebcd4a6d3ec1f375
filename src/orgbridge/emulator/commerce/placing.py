"""From a cart to an order: its rows, its summary, and the end of the cart, all in one transaction.

Source: facts/commerce/orders.md section 1, checkout.md section 2. Assumed: which fields are copied beside those that
the facts name; that a summary is made at once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from decimal import Decimal

from orgbridge.emulator.commerce.bundles import CART, ORDER, carry
from orgbridge.emulator.commerce.deals import Deal, Row
from orgbridge.emulator.commerce.money import ZERO, of_row
from orgbridge.emulator.commerce.quotedlines import quote_of, terms_of
from orgbridge.kit.json import JSON

_SIGNS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_BILLING = ("BillingStreet", "BillingCity", "BillingState", "BillingPostalCode", "BillingCountry")
_SHIPPING = {
    "ShippingStreet": "DeliverToStreet",
    "ShippingCity": "DeliverToCity",
    "ShippingState": "DeliverToState",
    "ShippingPostalCode": "DeliverToPostalCode",
    "ShippingCountry": "DeliverToCountry",
}
_OF_ORDER = (
    "AccountId",
    "OwnerId",
    "SalesStoreId",
    "Pricebook2Id",
    "PoNumber",
    "EffectiveDate",
    "OrderedDate",
    *_BILLING,
)
_GROUP = {
    "DeliverToStreet": "DeliverToStreet",
    "DeliverToCity": "DeliverToCity",
    "DeliverToState": "DeliverToState",
    "DeliverToPostalCode": "DeliverToPostalCode",
    "DeliverToCountry": "DeliverToCountry",
    "DeliverToName": "DeliverToName",
    "DeliverToCompanyName": "CompanyName",
    "DeliveryInstructions": "ShippingInstructions",
    "PhoneNumber": "ShipToPhoneNumber",
}


def reference_number(deal: Deal, seed: str) -> str:
    """Return the order reference number that belongs to a session of checkout: `ER37G-VYS2M-6GPHH-HG4DE`.

    The same session always has the same number, so an order can be looked for by it after a lost reply.
    """
    number = int.from_bytes(hashlib.blake2b(f"{deal.org.org_id}:{seed}".encode(), digest_size=16).digest(), "big")
    signs = []
    for _ in range(20):
        number, place = divmod(number, len(_SIGNS))
        signs.append(_SIGNS[place])
    return "-".join("".join(signs[start : start + 5]) for start in range(0, 20, 5))


def place(deal: Deal, cart: Row, reference: str) -> str:
    """Make the order of a cart, with its summary where the store activates orders; return the order's id.

    Args:
        deal: The business; nothing is kept unless its transaction is.
        cart: The cart, worked out.
        reference: The order reference number.
    """
    lines = deal.rows("CartItem", {"CartId": cart["Id"]})
    groups = deal.rows("CartDeliveryGroup", {"CartId": cart["Id"]}, '"IsDefault" DESC, Id')
    used = {line["CartDeliveryGroupId"] for line in lines}
    groups = [group for group in groups if group["Id"] in used]
    entries = deal.by_id("PricebookEntry", {line["PriceBookEntryId"] for line in lines if line["PriceBookEntryId"]})
    books = {entry["Pricebook2Id"] for entry in entries.values()}
    book = books.pop() if len(books) == 1 else None
    agreed = terms_of(deal, lines)
    activated = deal.buyer.store.order_status != "Draft"
    order = {
        "AccountId": cart["AccountId"],
        "OwnerId": cart["OwnerId"],
        "SalesStoreId": cart["WebStoreId"],
        "Pricebook2Id": book,
        "EffectiveDate": deal.now[:10],
        "OrderedDate": deal.now,
        "Status": "Draft",
        "OrderReferenceNumber": reference,
        "QuoteId": quote_of(agreed),
        "PoNumber": cart["PoNumber"],
        "TaxLocaleType": cart["TaxLocaleType"],
        "BillingEmailAddress": cart["GuestEmailAddress"],
        "BillingPhoneNumber": cart["GuestPhoneNumber"],
        **{name: cart[name] for name in _BILLING},
        **{name: groups[0][column] for name, column in _SHIPPING.items() if groups},
        **_copied(deal, "WebCart", "Order", cart),
    }
    order_id = deal.add("Order", [order])[0]
    group_ids = _place_groups(deal, order_id, groups, lines)
    items = [
        {
            **_order_item(deal, order_id, group_ids, line, entries if book is not None else {}, number + 1),
            **({"QuoteLineItemId": agreed[line["Id"]].quote_line_id} if line["Id"] in agreed else {}),
        }
        for number, line in enumerate(lines)
    ]
    made = deal.add("OrderItem", items)
    carry(deal, CART, ORDER, dict(zip((line["Id"] for line in lines), made, strict=True)))
    deal.change("Order", [{"Id": order_id, **_order_totals(lines)}])
    if activated:
        activate(deal, order_id)
    return order_id


def _copied(deal: Deal, source: str, target: str, row: Row) -> dict[str, JSON]:
    """Return the custom fields that both objects have, where the store maps them. Source: orders.md section 1."""
    if "OptionsCartToOrderAutoCustomFieldMapping" not in deal.buyer.store.options:
        return {}
    known, wanted = deal.org.sobject(source), deal.org.sobject(target)
    names = [field.name for field in known.stored_fields if field.custom and wanted.field(field.name) is not None]
    return {name: row[name] for name in names if row[name] is not None}


def _place_groups(deal: Deal, order_id: str, groups: Sequence[Row], lines: Sequence[Row]) -> dict[str, str]:
    rows = []
    for group in groups:
        own = [line for line in lines if line["CartDeliveryGroupId"] == group["Id"]]
        wanted = group["DesiredDeliveryDate"]
        rows.append(
            {
                "OrderId": order_id,
                "DesiredDeliveryDate": wanted[:10] if wanted else None,
                "IsGift": bool(group["IsGift"]),
                "TotalLineAmount": _sum(own, "TotalPrice"),
                "TotalAdjustmentAmount": _sum(own, "TotalPromoAdjustmentAmount"),
                "TotalAmount": _sum(own, "TotalPriceAfterAllAdjustments"),
                "TotalTaxAmount": _sum(own, "TotalTaxAmount"),
                "GrandTotalAmount": _sum(own, "TotalAmount"),
                **{name: group[column] for name, column in _GROUP.items()},
                **_copied(deal, "CartDeliveryGroup", "OrderDeliveryGroup", group),
            }
        )
    ids = deal.add("OrderDeliveryGroup", rows) if rows else []
    return {group["Id"]: own for group, own in zip(groups, ids, strict=True)}


def _order_item(
    deal: Deal, order_id: str, groups: Mapping[str, str], line: Row, entries: Mapping[str, Row], number: int
) -> dict[str, JSON]:
    is_product = line["Type"] == "Product"
    entry = line["PriceBookEntryId"] if line["PriceBookEntryId"] in entries else None
    item: dict[str, JSON] = {
        "OrderId": order_id,
        "Product2Id": line["Product2Id"],
        "Quantity": line["Quantity"],
        "UnitPrice": line["SalesPrice"],
        "ListPrice": line["ListPrice"],
        "LineNumber": number,
        "Description": None if is_product else line["Name"],
        "Type": "Order Product" if is_product else "Delivery Charge",
        "TypeCode": "Product" if is_product else "Charge",
        "OrderDeliveryGroupId": groups.get(line["CartDeliveryGroupId"]),
        "TotalLineAmount": of_row(line["TotalPrice"]),
        "TotalAdjustmentAmount": of_row(line["TotalPromoAdjustmentAmount"]),
        "TotalAdjustmentDistAmount": of_row(line["DistributedAdjustmentAmount"]) if is_product else ZERO,
        "TotalLineAdjustmentAmount": ZERO if is_product else of_row(line["DistributedAdjustmentAmount"]),
        "AdjustedLineAmount": of_row(line["TotalPriceAfterAllAdjustments"]),
        "TotalTaxAmount": of_row(line["TotalTaxAmount"]),
        "TotalLineTaxAmount": of_row(line["TotalTaxAmount"]),
        "TotalAmtWithTax": of_row(line["TotalAmount"]),
        **_copied(deal, "CartItem", "OrderItem", line),
    }
    return item if entry is None else {**item, "PricebookEntryId": entry}


def _sum(rows: Sequence[Row], name: str) -> Decimal:
    return sum((of_row(row[name]) for row in rows), ZERO)


def _order_totals(lines: Sequence[Row]) -> dict[str, JSON]:
    products = [line for line in lines if line["Type"] == "Product"]
    charges = [line for line in lines if line["Type"] != "Product"]
    return {
        "GrandTotalAmount": _sum(lines, "TotalAmount"),
        "TotalTaxAmount": _sum(lines, "TotalTaxAmount"),
        "TotalAdjustedProductAmount": _sum(products, "TotalPrice"),
        "TotalAdjustedProductTaxAmount": _sum(products, "TotalTaxAmount"),
        "TotalProductAdjDistAmount": _sum(products, "DistributedAdjustmentAmount"),
        "TotalAdjustedDeliveryAmount": _sum(charges, "TotalPriceAfterAllAdjustments"),
        "TotalAdjustedDeliveryTaxAmount": _sum(charges, "TotalTaxAmount"),
    }


def activate(deal: Deal, order_id: str) -> str:
    """Activate an order and make its summary with items and groups; return the summary's id.

    Raises:
        SFError: The order is not there.
    """
    changed = {"Status": "Activated", "StatusCode": "Activated", "ActivatedDate": deal.now}
    deal.change("Order", [{"Id": order_id, **changed, "ActivatedById": deal.buyer.user_id}])
    order = deal.get("Order", order_id)
    items = deal.rows("OrderItem", {"OrderId": order_id})
    groups = deal.rows("OrderDeliveryGroup", {"OrderId": order_id})
    summary_id = deal.add("OrderSummary", [_summary(deal, order, items)])[0]
    group_ids = _summary_groups(deal, summary_id, order, groups)
    products = deal.by_id("Product2", {item["Product2Id"] for item in items if item["Product2Id"]})
    if items:
        deal.add("OrderItemSummary", [_summary_item(summary_id, group_ids, item, products) for item in items])
    return summary_id


def _summary(deal: Deal, order: Row, items: Sequence[Row]) -> dict[str, JSON]:
    products = [item for item in items if item["TypeCode"] != "Charge"]
    charges = [item for item in items if item["TypeCode"] == "Charge"]
    product, delivery = _sum(products, "TotalPrice"), _sum(charges, "TotalPrice")
    tax = _sum(items, "TotalTaxAmount")
    return {
        **{name: order[name] for name in _OF_ORDER},
        "OrderNumber": order["OrderNumber"],
        "OriginalOrderId": order["Id"],
        "ExternalReferenceIdentifier": order["OrderReferenceNumber"],
        "BillingEmailAddress": order["BillingEmailAddress"],
        "BillingPhoneNumber": order["BillingPhoneNumber"],
        "BusinessModel": "B2B",
        "OrderLifeCycleType": deal.buyer.store.order_life_cycle,
        "SourceProcess": "Standard",
        "Status": "Created",
        "OrderProductLineCount": len(products),
        "TotalAmount": product + delivery + _sum(items, "TotalAdjustmentAmount"),
        "TotalTaxAmount": tax,
        "GrandTotalAmount": of_row(order["GrandTotalAmount"] if order["GrandTotalAmount"] else order["TotalAmount"]),
        "TotalProductAmount": product,
        "TotalProductTaxAmount": _sum(products, "TotalTaxAmount"),
        "TotalAdjustedProductAmount": product,
        "TotalProductAdjDistAmount": _sum(products, "TotalAdjustmentDistAmount"),
        "TotalDeliveryAmount": delivery,
        "TotalDeliveryTaxAmount": _sum(charges, "TotalTaxAmount"),
        "TotalAdjustedDeliveryAmount": delivery + _sum(charges, "TotalAdjustmentAmount"),
        "TotalAdjDistAmount": _sum(items, "TotalAdjustmentAmount"),
    }


def _summary_groups(deal: Deal, summary_id: str, order: Row, groups: Sequence[Row]) -> dict[str | None, str]:
    copied = (*_GROUP, "TotalLineAmount", "TotalAdjustmentAmount", "TotalAmount", "TotalTaxAmount")
    rows = [
        {
            **{name: group[name] for name in copied},
            "OrderSummaryId": summary_id,
            "OriginalOrderDeliveryGroupId": group["Id"],
            "GrandTotalAmount": group["GrandTotalAmount"],
            "DesiredDeliveryDate": _instant(group["DesiredDeliveryDate"]),
        }
        for group in groups
    ]
    # An order without groups of its own gets one that holds everything.
    keys: list[str | None] = [group["Id"] for group in groups]
    if not rows:
        rows, keys = [{"OrderSummaryId": summary_id, "DeliverToName": order["Name"]}], [None]
    return dict(zip(keys, deal.add("OrderDeliveryGroupSummary", rows), strict=True))


def _instant(day: str | None) -> str | None:
    return None if day is None else f"{day}T00:00:00.000Z"


def _summary_item(
    summary_id: str, groups: Mapping[str | None, str], item: Row, products: Mapping[str, Row]
) -> dict[str, JSON]:
    product = products.get(item["Product2Id"] or "", {})
    quantity = item["Quantity"]
    return {
        "OrderSummaryId": summary_id,
        "OrderDeliveryGroupSummaryId": groups.get(item["OrderDeliveryGroupId"]) or next(iter(groups.values())),
        "OriginalOrderItemId": item["Id"],
        "OrderManagementBillingType": "Standard",
        "Name": product.get("Name") or item["Description"] or "Item",
        "Product2Id": item["Product2Id"],
        "ProductCode": product.get("ProductCode"),
        "StockKeepingUnit": product.get("StockKeepingUnit"),
        "PricebookEntryId": item["PricebookEntryId"],
        "LineNumber": item["LineNumber"],
        "Quantity": quantity,
        "QuantityOrdered": quantity,
        "QuantityNetOrdered": quantity,
        "QuantityAvailableToCancel": quantity,
        "QuantityAvailableToFulfill": quantity,
        "Status": "ORDERED",
        "Type": item["Type"] or "Order Product",
        "TypeCode": item["TypeCode"] or "Product",
        "ListPrice": item["ListPrice"],
        "UnitPrice": item["UnitPrice"],
        "TotalPrice": item["TotalPrice"],
        "TotalLineAmount": item["TotalPrice"],
        "TotalAdjustmentAmount": item["TotalAdjustmentAmount"],
        "TotalAdjustmentDistAmount": item["TotalAdjustmentDistAmount"],
        "TotalLineAdjustmentAmount": item["TotalLineAdjustmentAmount"],
        "AdjustedLineAmount": item["AdjustedLineAmount"],
        "TotalTaxAmount": item["TotalTaxAmount"],
        "TotalAmtWithTax": item["TotalAmtWithTax"],
    }
