"""What became of the orders of the commerce seed: activated ones have their summaries, and some were shipped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from orgbridge.emulator.commerce.contexts import buyer_context
from orgbridge.emulator.commerce.deals import Deal
from orgbridge.emulator.commerce.placing import activate
from orgbridge.emulator.commerce.policy import CommercePolicy
from orgbridge.emulator.commerce.seed_rows import Rows
from orgbridge.emulator.faults import Faults

_VERSION = 62


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedOrder:
    """One order of the seed."""

    #: Its id.
    id: str
    #: Whose it is.
    user_id: str
    #: Where it was placed.
    store_id: str
    #: Name of the company.
    company: str
    #: When it was placed.
    day: date
    #: Whether its goods are on their way.
    shipped: bool


def activate_orders(rows: Rows, orders: Sequence[SeedOrder]) -> None:
    """Activate orders, each as its buyer, and ship the goods of some: the first line has come, others are under way."""
    policy = CommercePolicy()
    for order in orders:
        buyer = buyer_context(rows.connection, policy, store_id=order.store_id, user_id=order.user_id)
        deal = Deal(
            org=rows.org, connection=rows.connection, buyer=buyer, version=_VERSION, policy=policy, faults=Faults()
        )
        summary = activate(deal, order.id)
        rows.change("Order", [{"Id": order.id, "ActivatedDate": _instant(order.day, "12:00")}])
        if order.shipped:
            _ship(rows, deal, order, summary)


def _instant(day: date, time: str) -> str:
    return f"{day.isoformat()}T{time}:00.000Z"


def _ship(rows: Rows, deal: Deal, order: SeedOrder, summary: str) -> None:
    items = deal.rows("OrderItemSummary", {"OrderSummaryId": summary, "TypeCode": "Product"}, '"LineNumber", Id')
    shipments = rows.add(
        "Shipment",
        [
            {
                "OrderSummaryId": summary,
                "ShipToName": order.company,
                "Status": "Delivered" if place == 0 else "Shipped",
                "Provider": "Küstenlogistik",
                "TrackingNumber": f"KL-{order.id[-6:-3]}-{place + 1}",
                "ExpectedDeliveryDate": _instant(order.day + timedelta(days=3 + place), "10:00"),
                "ActualDeliveryDate": None if place else _instant(order.day + timedelta(days=3), "09:30"),
            }
            for place in range(len(items))
        ],
    )
    rows.add(
        "ShipmentItem",
        [
            {
                "ShipmentId": shipment,
                "OrderItemSummaryId": item["Id"],
                "Product2Id": item["Product2Id"],
                "Quantity": item["Quantity"],
            }
            for shipment, item in zip(shipments, items, strict=True)
        ],
    )
