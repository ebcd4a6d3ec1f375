"""Shipments of an order, as buyers see them. They are rows: who ships makes them by `/sobjects`.

Source: facts/commerce/orders.md section 2, rows 5 and 6, and the object reference of Shipment and ShipmentItem.
Assumed: fields of OrderDeliveryMethod are left out, as the emulated org has no such rows; that a shipment belongs to
whoever its order summary belongs to.
"""

from __future__ import annotations

from collections.abc import Sequence

from orgbridge.emulator.commerce import shapes, summaries
from orgbridge.emulator.commerce.deals import Deal, Row, bad_input, missing
from orgbridge.emulator.commerce.versions import body as shaped
from orgbridge.kit.json import JSON

_BY_DATE = "ExpectedDeliveryDate"
#: Orders of the list: column, and whether the last comes first.
SORTS = {
    "expecteddeliverydateasc": (_BY_DATE, False),
    "expecteddeliverydatedesc": (_BY_DATE, True),
    "shipmentnumberasc": ("ShipmentNumber", False),
    "shipmentnumberdesc": ("ShipmentNumber", True),
}
#: The reference writes the object so in its sample of shipment items.
_ALSO = "ShipmentItems."


def listed(deal: Deal, summary: Row, sort: str) -> list[Row]:
    """Return the shipments of a summary in an order of `SORTS`.

    Raises:
        SFError: They are to be sorted by a date that one of them does not have. Source: the reference says that this
            is an error; Assumed: which.
    """
    column, descending = SORTS[sort]
    direction = "DESC" if descending else "ASC"
    rows = deal.rows("Shipment", {"OrderSummaryId": summary["Id"]}, f'"{column}" {direction}, Id {direction}')
    if column == _BY_DATE and any(row[column] is None for row in rows):
        raise bad_input("Shipments without an expected delivery date can't be sorted by it.")
    return rows


def view(deal: Deal, shipment: Row, names: Sequence[str]) -> dict[str, JSON]:
    """Return a shipment as a Connect body.

    Raises:
        SFError: It has no such field.
    """
    own = [name for name in names if not name.startswith("OrderDeliveryMethod.")]
    values: dict[str, JSON] = {
        "expectedDeliveryDate": shipment[_BY_DATE],
        "fields": summaries.fields_of(deal, own, {"Shipment": shipment}, "Shipment"),
        "orderSummaryId": shipment["OrderSummaryId"],
        "shipmentId": shipment["Id"],
        "shipmentNumber": shipment["ShipmentNumber"],
        "status": shipment["Status"],
    }
    return shaped(shapes.ORDER_SHIPMENT, deal.version, values)


def find(deal: Deal, shipment_id: str) -> Row:
    """Return a shipment of one of the account's orders.

    Raises:
        SFError: There is none.
    """
    row = deal.find("Shipment", shipment_id)
    summary = None if row is None else deal.find("OrderSummary", row["OrderSummaryId"])
    if row is None or summary is None or not summaries.belongs(deal, summary):
        raise missing("shipment", shipment_id[:40])
    return row


def items_of(deal: Deal, shipment: Row, *, descending: bool) -> list[Row]:
    """Return what is in a shipment."""
    return deal.rows("ShipmentItem", {"ShipmentId": shipment["Id"]}, "Id DESC" if descending else "Id")


def item_view(deal: Deal, item: Row, names: Sequence[str]) -> dict[str, JSON]:
    """Return an item of a shipment as a Connect body.

    Raises:
        SFError: An object has no such field.
    """
    own = [name.removeprefix(_ALSO) for name in names if not name.startswith("Product2.")]
    ordered = deal.find("OrderItemSummary", item["OrderItemSummaryId"]) or {}
    values: dict[str, JSON] = {
        "fields": summaries.fields_of(deal, own, {"ShipmentItem": item, "OrderItemSummary": ordered}, "ShipmentItem"),
        "orderItemSummaryId": item["OrderItemSummaryId"],
        "product": summaries.product_view(deal, item["Product2Id"], names),
        "productId": item["Product2Id"],
        "quantity": item["Quantity"],
        "shipmentId": item["ShipmentId"],
        "shipmentItemId": item["Id"],
    }
    return shaped(shapes.ORDER_SHIPMENT_ITEM, deal.version, values)
