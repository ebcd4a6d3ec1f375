"""Rows of the store that tell of placements: carts on their way to orders."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class PlacementWay(StrEnum):
    """How a cart becomes an order."""

    #: Through a checkout session of the store: addresses, delivery method, payment, order.
    CHECKOUT = "checkout"
    #: Through the Place Order API, from the cart's lines.
    PLACE_ORDER = "place_order"


class PlacementState(StrEnum):
    """Where a placement stands."""

    #: Written down; nothing was sent.
    ACCEPTED = "accepted"
    #: The cart was looked at and can be ordered.
    READY = "ready"
    #: A checkout session is there.
    STARTED = "started"
    #: The session has its address.
    ADDRESSED = "addressed"
    #: The session has its delivery method.
    METHOD_CHOSEN = "method_chosen"
    #: The session has its payment.
    PAID = "paid"
    #: The lines are dealt out to price books.
    PLANNED = "planned"
    #: An order was sent, or is about to be: look before anything is sent again.
    PLACING = "placing"
    #: All orders are there; the cart is still to be closed.
    ORDERED = "ordered"
    #: Something was refused for good: orders made before it are being taken back.
    COMPENSATING = "compensating"
    #: Nothing was ordered: the cart is being given back.
    RELEASING = "releasing"
    #: The order exists, once.
    PLACED = "placed"
    #: Nothing was ordered.
    FAILED = "failed"
    #: Somebody called it off; nothing was ordered.
    CANCELLED = "cancelled"
    #: Some orders of several are there and could not be taken back.
    PARTIAL = "partial"
    #: Whether the order exists could not be told. Nothing is sent any more; it is looked at again now and then.
    UNKNOWN = "unknown"

    @property
    def ended(self) -> bool:
        """Whether nothing happens to it any more."""
        return self in _ENDED

    @property
    def claims_cart(self) -> bool:
        """Whether no other placement of its cart may be made."""
        return self not in (PlacementState.FAILED, PlacementState.CANCELLED)

    @property
    def cancellable(self) -> bool:
        """Whether it can still be called off: nothing that makes an order was sent."""
        return self in _CANCELLABLE


_ENDED = frozenset(
    {
        PlacementState.PLACED,
        PlacementState.FAILED,
        PlacementState.CANCELLED,
        PlacementState.PARTIAL,
        PlacementState.UNKNOWN,
    }
)
_CANCELLABLE = frozenset(
    {
        PlacementState.ACCEPTED,
        PlacementState.READY,
        PlacementState.STARTED,
        PlacementState.ADDRESSED,
        PlacementState.METHOD_CHOSEN,
        PlacementState.PAID,
        PlacementState.PLANNED,
    }
)
#: The same for queries.
CANCELLABLE_STATES: tuple[PlacementState, ...] = tuple(sorted(_CANCELLABLE))


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacementRecord:
    """One cart on its way to an order."""

    #: Our identifier.
    id: str
    #: Our user id of who asked for it.
    caller_id: str
    #: Sign-in name of the same.
    caller_name: str
    #: The organization that buys; None when the account was mapped to none.
    organization_id: str | None = None
    #: The Salesforce account that buys.
    account_id: str
    #: The Salesforce user who acts; None for the integration user.
    sf_username: str | None = None
    #: The store.
    webstore_id: str
    #: The cart, in 18 characters.
    cart_id: str
    #: The cart's id while no other placement of it may be made; None once nothing was ordered for good. Unique.
    claim: str | None
    #: How.
    way: PlacementWay
    #: What our orders are marked with, so that they are found again: a UUID made for this placement alone.
    marker: str
    #: Hash of caller and Idempotency-Key; None without one. Unique.
    key_id: str | None = None
    #: Hash of the request that came with the key.
    fingerprint: str = ""
    #: Where it stands.
    state: PlacementState = PlacementState.ACCEPTED
    #: Counts up with every change; who changes it names the one that was read.
    revision: int = 0
    #: What was asked for: addresses, delivery method, payment. Cleared of payment when it has ended.
    request: dict[str, Any] = field(default_factory=dict, repr=False)
    #: What is known so far: session, counts of tries, orders.
    facts: dict[str, Any] = field(default_factory=dict)
    #: What was done, in order: step, event, time.
    steps: tuple[dict[str, Any], ...] = ()
    #: The order at Salesforce, the first one of several.
    order_id: str | None = None
    #: Its reference number.
    order_reference: str | None = None
    #: Why it did not come to an order: code, message, details.
    error: dict[str, Any] | None = None
    #: Why it does not go on just now.
    waiting: str | None = None
    #: Somebody asked to call it off.
    cancel_requested: bool = False
    #: When the last request that makes an order was about to be sent.
    sent_at: datetime | None = None
    #: When a worker was handed it.
    dispatched_at: datetime | None = None
    #: When it was written down.
    created_at: datetime
    #: When it last changed.
    updated_at: datetime
    #: When it ended.
    ended_at: datetime | None = None
    #: Id of the request that asked for it.
    request_id: str = ""
    #: When it is looked at again; None for one whose outcome is known or still being found.
    look_at: datetime | None = None
    #: When its end was written into the audit.
    audited_at: datetime | None = None
