"""Checkouts as plain values, and how they are read from Connect's bodies. No I/O.

Source: facts/commerce/checkout.md sections 4 and 6, carts.md section 5.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

from orgbridge.client.commerce.values import decimal, items, part, text
from orgbridge.kit.json import JSON

_ERRORED = frozenset({"errored", "failed"})


class PaymentKind(StrEnum):
    """What a payment token is. `Auth`, which needs a card in Salesforce's hands, is not used here."""

    #: The gateway's own reference of a payment that was authorised elsewhere.
    POST_AUTH = "PostAuth"
    #: The number of a purchase order.
    PURCHASE_ORDER = "SimplePurchaseOrder"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckoutFault:
    """One error of a checkout's body."""

    #: Tail of its `type`, e.g. `shipping-failure`.
    type: str
    #: Salesforce's words: title and detail.
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryMethod:
    """One way of delivery that is offered."""

    #: Its id.
    id: str
    #: Name that buyers see.
    name: str | None
    #: What it costs, adjustments taken off; None where it is not told.
    fee: Decimal | None
    #: Who carries it.
    carrier: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """A checkout session as it is at this moment."""

    #: Its id; None right after a change that Salesforce computes on.
    checkout_id: str | None
    #: True while Salesforce computes.
    processing: bool
    #: True when what Salesforce computed failed: the same change again lets it compute again.
    errored: bool
    #: What is wrong.
    faults: tuple[CheckoutFault, ...]
    #: The order's reference number, where it is told.
    reference: str | None
    #: The delivery address as Salesforce has it; empty when there is none.
    address: Mapping[str, Any]
    #: Id of the chosen way of delivery.
    chosen_method: str | None
    #: Ways of delivery.
    methods: tuple[DeliveryMethod, ...]
    #: What is to be paid, where it is told.
    grand_total: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedCheckout:
    """What the placing of a checkout was answered. The faults come first: a refusal may carry a number too."""

    #: What is wrong; with any of these there is no order.
    faults: tuple[CheckoutFault, ...]
    #: The order's reference number.
    reference: str | None
    #: Id of the Order, where it is told.
    order_id: str | None


def parse_checkout(body: Mapping[str, Any], *, accepted: bool) -> Checkout:
    """Read a checkout.

    Args:
        body: Salesforce's.
        accepted: It came with 202: Salesforce still computes.
    """
    summary = part(body, "cartSummary")
    operation = (text(summary, "asyncOperationStatus") or "").lower()
    groups = items(body, "deliveryGroups", "items")
    group: Mapping[str, Any] = next(
        (one for one in groups if one.get("isDefault") is True), groups[0] if groups else {}
    )
    faults = parse_checkout_faults(body)
    status = text(body, "statusCode")
    return Checkout(
        checkout_id=text(body, "checkoutId"),
        processing=accepted or operation == "processing" or status == "202",
        errored=operation in _ERRORED or (bool(faults) and not accepted),
        faults=faults,
        reference=text(body, "orderReferenceNumber"),
        address=part(group, "deliveryAddress"),
        chosen_method=text(part(group, "selectedDeliveryMethod"), "id"),
        methods=tuple(
            DeliveryMethod(id=str(one["id"]), name=text(one, "name"), fee=_fee(one), carrier=text(one, "carrier"))
            for one in items(group, "availableDeliveryMethods")
            if one.get("id")
        ),
        grand_total=decimal(summary, "grandTotalAmount"),
    )


def parse_placed(body: Mapping[str, Any]) -> PlacedCheckout:
    """Read the reply to the placing of a checkout."""
    return PlacedCheckout(
        faults=parse_checkout_faults(body),
        reference=text(body, "orderReferenceNumber"),
        order_id=text(body, "salesOrderId"),
    )


def parse_checkout_faults(body: Mapping[str, Any]) -> tuple[CheckoutFault, ...]:
    """Read the errors of a body."""
    found = []
    for one in items(body, "errors"):
        words = [text(one, "title"), text(one, "detail")]
        kind = (text(one, "type") or "").rpartition("/")[2]
        found.append(CheckoutFault(type=kind, message=": ".join(dict.fromkeys(filter(None, words))) or kind))
    return tuple(found)


def address_input(given: Mapping[str, JSON]) -> dict[str, JSON]:
    """Return an address as Connect takes it.

    `name` is needed beside first and last name; a telephone number, which replies carry, can be refused. Source:
    checkout.md sections 3 and 5.
    """
    sent = {name: value for name, value in given.items() if value is not None and name != "shipToPhoneNumber"}
    if "name" not in sent and "id" not in sent:
        names = [str(sent[name]) for name in ("firstName", "lastName") if sent.get(name)]
        if names:
            sent["name"] = " ".join(names)
    return sent


def _fee(one: Mapping[str, Any]) -> Decimal | None:
    adjusted = decimal(one, "adjustedShippingFee")
    return adjusted if adjusted is not None else decimal(one, "shippingFee")
