"""The Place Order API: one order with its items in one call, all of it or nothing (v30).

It updates nothing, answers with ids only, and takes no idempotency key: an order carries a marker of the caller's, and
whoever does not get a reply looks for that.

Source: facts/commerce/orders.md section 3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from orgbridge.client.commerce.values import items, part, text, wire
from orgbridge.client.errors import MalformedReply
from orgbridge.client.replies import parse_object
from orgbridge.client.transport.exchange import Transport
from orgbridge.client.transport.requests import Guard, Request, Resend, json_request, segment
from orgbridge.kit.json import JSON

#: Records of one call, the order counted. Source: orders.md section 3.
MOST_RECORDS = 2000
#: The only status that a new order may have; an org's label of it may differ.
DRAFT = "Draft"


@dataclass(frozen=True, slots=True, kw_only=True)
class SaleItem:
    """One line of an order to be made."""

    #: The price book entry.
    entry_id: str
    #: How many.
    quantity: Decimal
    #: Price of one.
    unit_price: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Sale:
    """An order to be made."""

    #: The account that buys.
    account_id: str
    #: The price book of all lines.
    pricebook_id: str
    #: Its lines.
    items: Sequence[SaleItem]
    #: First day.
    effective_on: date
    #: The org's label of a status in the category Draft.
    status: str = DRAFT
    #: Further fields of the order, e.g. its marker. Compound fields such as `BillingAddress` are read-only: give
    #: `BillingStreet`, `BillingCity` and the like.
    fields: Mapping[str, JSON]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedSale:
    """An order that was made."""

    #: Its id.
    order_id: str
    #: Ids of its items.
    item_ids: tuple[str, ...]


class Sales:
    """Orders made from lines."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def place(self, sale: Sale, *, seconds: float | None = None, guard: Guard | None = None) -> PlacedSale:
        """Make an order. Sent once, and again only when nothing of the first sending got out.

        Args:
            sale: The order.
            seconds: For one exchange; None as usual.
            guard: Asked right before each sending.

        Raises:
            ValueError: It has no lines or too many. Nothing was sent.
            ConnectionFailed: With `sent` true the order may be there: look for its marker.
            SalesforceError: With `outcome_unknown` the order may be there; else nothing was made.
            MalformedReply: The reply names no order, which may be there.
        """
        if not 1 <= len(sale.items) < MOST_RECORDS:
            raise ValueError(f"an order has 1 to {MOST_RECORDS - 1} lines, not {len(sale.items)}")
        lines = [
            {
                "attributes": {"type": "OrderItem"},
                "PricebookEntryId": item.entry_id,
                "quantity": wire(item.quantity),
                "UnitPrice": wire(item.unit_price),
            }
            for item in sale.items
        ]
        order = {
            "attributes": {"type": "Order"},
            "EffectiveDate": sale.effective_on.isoformat(),
            "Status": sale.status,
            "accountId": sale.account_id,
            "Pricebook2Id": sale.pricebook_id,
            **sale.fields,
            "OrderItems": {"records": lines},
        }
        reply = await self._transport.send(
            json_request("POST", self._path(), {"order": [order]}, seconds=seconds, guard=guard)
        )
        return _placed(parse_object(reply.body, "an order"))

    async def read(self, order_id: str) -> dict[str, Any]:
        """Return an order as the Place Order API shows it, which is hardly more than ids.

        Raises:
            NotFound: There is no such order.
            ClientError: Salesforce refused, or could not be reached.
        """
        request = Request(method="GET", target=self._path(order_id), resend=Resend.ALWAYS)
        return parse_object((await self._transport.send(request)).body, "an order")

    def _path(self, order_id: str | None = None) -> str:
        base = "commerce/sale/order"
        return self._transport.path(f"{base}/{segment(order_id)}" if order_id else base)


def _placed(body: Mapping[str, Any]) -> PlacedSale:
    records = items(body, "records")
    order_id = text(records[0], "Id") if records else None
    if order_id is None:
        raise MalformedReply("Salesforce's reply to an order names none.")
    found = (text(one, "Id") for one in items(part(records[0], "OrderItems"), "records"))
    return PlacedSale(order_id=order_id, item_ids=tuple(one for one in found if one))
