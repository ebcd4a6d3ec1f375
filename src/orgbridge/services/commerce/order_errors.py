"""What the use-cases of checkout and orders refuse, and how the end of a placement is told to a caller.

ServiceError
+-- OrderError
    +-- KeyNeeded            idempotency.key_needed
    +-- CardRefused          order.card_refused
    +-- PaymentMissing       order.payment_missing
    +-- CartMissing          order.cart_not_found
    +-- CartClaimed          order.cart_claimed
    +-- PlacementMissing     order.placement_not_found
    +-- TooLate              order.too_late
    +-- NotUndecided         order.not_undecided
    +-- OrderMissing         order.not_found
    +-- NoMachineField       order.no_machine_field
    +-- PlacementFailed      order.refused, and its subclasses: what the worker noted
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from orgbridge.kit.errors import ErrorKind
from orgbridge.services.errors import ServiceError


class OrderError(ServiceError):
    """The use-case of checkout and orders refused."""


class KeyNeeded(OrderError):
    """A checkout needs the header Idempotency-Key, best a random UUID: with it the same call may be sent again."""

    code: ClassVar[str] = "idempotency.key_needed"
    kind: ClassVar[ErrorKind] = ErrorKind.INVALID


class CardRefused(OrderError):
    """The request holds what looks like a payment card's number or code, which this service never takes.

    Nothing of it was kept. Pay by a purchase order's number, or by a gateway's reference of an authorised payment.
    """

    code: ClassVar[str] = "order.card_refused"
    kind: ClassVar[ErrorKind] = ErrorKind.CONTRADICTION


class PaymentMissing(OrderError):
    """A checkout needs a payment: a purchase order's number, or the reference of a payment gateway."""

    code: ClassVar[str] = "order.payment_missing"
    kind: ClassVar[ErrorKind] = ErrorKind.INVALID


class CartMissing(OrderError):
    """You have no such cart, or no active one."""

    code: ClassVar[str] = "order.cart_not_found"
    kind: ClassVar[ErrorKind] = ErrorKind.MISSING


class CartClaimed(OrderError):
    """The cart is being ordered, or was: a cart becomes one order."""

    code: ClassVar[str] = "order.cart_claimed"
    kind: ClassVar[ErrorKind] = ErrorKind.CONFLICT


class PlacementMissing(OrderError):
    """There is no such checkout, or it is somebody else's."""

    code: ClassVar[str] = "order.placement_not_found"
    kind: ClassVar[ErrorKind] = ErrorKind.MISSING


class TooLate(OrderError):
    """The order was sent, or it has ended: it can no longer be called off."""

    code: ClassVar[str] = "order.too_late"
    kind: ClassVar[ErrorKind] = ErrorKind.CONFLICT


class NotUndecided(OrderError):
    """What became of the order is known, or is being found: there is nothing to settle."""

    code: ClassVar[str] = "order.not_undecided"
    kind: ClassVar[ErrorKind] = ErrorKind.CONFLICT


class OrderMissing(OrderError):
    """There is no such order, or none that you may see."""

    code: ClassVar[str] = "order.not_found"
    kind: ClassVar[ErrorKind] = ErrorKind.MISSING


class NoMachineField(OrderError):
    """Lines of orders in this org name no machine, or you may not see which: filter without `machine`."""

    code: ClassVar[str] = "order.no_machine_field"
    kind: ClassVar[ErrorKind] = ErrorKind.INVALID


class PlacementFailed(OrderError):
    """Salesforce refused the order for good; nothing was ordered."""

    code: ClassVar[str] = "order.refused"
    kind: ClassVar[ErrorKind] = ErrorKind.CONTRADICTION


class PlacementCancelled(PlacementFailed):
    """The order was called off; nothing was ordered."""

    code: ClassVar[str] = "order.cancelled"
    kind: ClassVar[ErrorKind] = ErrorKind.CONFLICT


class CartClosed(PlacementFailed):
    """The cart was ordered or closed before."""

    code: ClassVar[str] = "order.cart_closed"
    kind: ClassVar[ErrorKind] = ErrorKind.CONFLICT


class CartEmpty(PlacementFailed):
    """The cart is empty."""

    code: ClassVar[str] = "order.cart_empty"


class CartElsewhere(PlacementFailed):
    """The cart belongs to another account."""

    code: ClassVar[str] = "order.cart_of_another_account"
    kind: ClassVar[ErrorKind] = ErrorKind.FORBIDDEN


class CartGone(PlacementFailed):
    """This buyer has no such cart."""

    code: ClassVar[str] = "order.cart_not_found"
    kind: ClassVar[ErrorKind] = ErrorKind.MISSING


class CartProcessing(PlacementFailed):
    """Salesforce did not finish computing the cart in time."""

    code: ClassVar[str] = "order.cart_processing"
    kind: ClassVar[ErrorKind] = ErrorKind.UNAVAILABLE
    retryable: ClassVar[bool] = False


class NoDeliveryAddress(PlacementFailed):
    """There is no delivery address."""

    code: ClassVar[str] = "order.no_delivery_address"


class NoDeliveryMethod(PlacementFailed):
    """There is no such way of delivery for this address."""

    code: ClassVar[str] = "order.no_delivery_method"


class PaymentRefused(PlacementFailed):
    """The payment was refused; nothing was ordered."""

    code: ClassVar[str] = "order.payment_refused"


class CheckoutTimeout(PlacementFailed):
    """Salesforce did not finish computing the checkout in time; nothing was ordered."""

    code: ClassVar[str] = "order.checkout_timeout"
    kind: ClassVar[ErrorKind] = ErrorKind.UNAVAILABLE


class IntegrationFailed(PlacementFailed):
    """What Salesforce computes for the checkout (stock, prices, delivery, tax) keeps failing; nothing was ordered."""

    code: ClassVar[str] = "order.integration_failed"
    kind: ClassVar[ErrorKind] = ErrorKind.UPSTREAM


class NoMarkerField(PlacementFailed):
    """Orders of this org have no field by which a lost order could be found again; nothing was ordered."""

    code: ClassVar[str] = "order.no_marker_field"
    kind: ClassVar[ErrorKind] = ErrorKind.CONFLICT


class NoPricebook(PlacementFailed):
    """The account and the store have no active price book; nothing was ordered."""

    code: ClassVar[str] = "order.no_pricebook"
    kind: ClassVar[ErrorKind] = ErrorKind.FORBIDDEN


class LineUnorderable(PlacementFailed):
    """A line of the cart cannot be ordered this way; nothing was ordered."""

    code: ClassVar[str] = "order.line_unorderable"


class TooManyLines(PlacementFailed):
    """The cart has more lines than one order takes; nothing was ordered."""

    code: ClassVar[str] = "order.too_many_lines"


class CartChanged(PlacementFailed):
    """What the cart holds is not what was approved, or not at the approved prices; nothing was ordered."""

    code: ClassVar[str] = "order.changed"
    kind: ClassVar[ErrorKind] = ErrorKind.CONFLICT


class PartlyPlaced(PlacementFailed):
    """One of several orders was refused, and those made before it could not be taken back."""

    code: ClassVar[str] = "order.partly_placed"
    kind: ClassVar[ErrorKind] = ErrorKind.CONFLICT


class OrderOutcomeUnknown(PlacementFailed):
    """Whether the order exists could not be told: look for it in Salesforce before ordering anew."""

    code: ClassVar[str] = "order.outcome_unknown"
    kind: ClassVar[ErrorKind] = ErrorKind.CONFLICT


class SalesforceKeptAway(PlacementFailed):
    """Salesforce does not let this service act as your Salesforce user; nothing was ordered."""

    code: ClassVar[str] = "commerce.upstream_auth"
    kind: ClassVar[ErrorKind] = ErrorKind.UPSTREAM


class BuyerNotEntitled(PlacementFailed):
    """Your Salesforce user may not do this; nothing was ordered."""

    code: ClassVar[str] = "commerce.not_entitled"
    kind: ClassVar[ErrorKind] = ErrorKind.FORBIDDEN


class CheckoutKeptChanging(PlacementFailed):
    """Something else kept changing the cart or its checkout; nothing was ordered."""

    code: ClassVar[str] = "commerce.checkout_conflict"
    kind: ClassVar[ErrorKind] = ErrorKind.CONFLICT


_BY_CODE: Final[Mapping[str, type[PlacementFailed]]] = {
    one.code: one
    for one in (
        PlacementFailed,
        PlacementCancelled,
        CartClosed,
        CartEmpty,
        CartElsewhere,
        CartGone,
        CartProcessing,
        NoDeliveryAddress,
        NoDeliveryMethod,
        PaymentRefused,
        CheckoutTimeout,
        IntegrationFailed,
        NoMarkerField,
        NoPricebook,
        LineUnorderable,
        TooManyLines,
        CartChanged,
        PartlyPlaced,
        OrderOutcomeUnknown,
        SalesforceKeptAway,
        BuyerNotEntitled,
        CheckoutKeptChanging,
    )
}


def failure_of(placement_id: str, error: Mapping[str, Any] | None) -> PlacementFailed:
    """Return the error that tells a caller why a placement came to no order.

    Args:
        placement_id: Which.
        error: What the worker noted; None for one that was called off.
    """
    if error is None:
        return PlacementCancelled(details=[{"checkout_id": placement_id}])
    kind = _BY_CODE.get(str(error["code"]), PlacementFailed)
    details = [dict(one) for one in error.get("details") or ()]
    return kind(str(error["message"]), details=[{"checkout_id": placement_id}, *details])
