"""The states of a placement, what may follow which, and what to look up before anything is done. Pure.

Salesforce takes no idempotency key, so that an order is placed once only if every one of these laws holds:

1. What makes an order is sent from `paid` or `planned` alone, and only after `placing` is in the store.
2. Out of `placing` leads only what the very request was answered, or a look. Whoever finds a placement in `placing`
   looks; nobody sends.
3. A look says that there is no order only when the cart can still be ordered, no order carries the placement's natural
   keys, and the request has had its time to come to an end. Then, and only then, is it sent again.
4. What cannot be decided ends as `unknown`, and its cart stays claimed: there is never a second order. A later look,
   or an operator, may decide it; nothing is sent then.
5. A placement ends as `failed` or `cancelled` only when no order of it is there.

The checkout way:

    accepted -> ready -> started -> addressed -> method_chosen -> paid -> placing -> placed
                  ^---------------- session lost --------------------------'  |
                                                        paid <---- absent ----'

The Place Order way:

    accepted -> ready -> planned -> placing -> ordered -> placed
                            ^----- one of several made, or absent ('planned')

What is refused goes over `compensating` (orders made before are taken back) and `releasing` (the cart is given back).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final, assert_never

from orgbridge.store.order_records import PlacementState, PlacementWay

_S = PlacementState


class Act(StrEnum):
    """What is to be done next."""

    #: Look at the cart.
    INSPECT = "inspect"
    #: Make sure that there is a checkout session.
    START = "start"
    #: Give the session its address.
    ADDRESS = "address"
    #: Give the session its delivery method.
    METHOD = "method"
    #: Give the session its payment.
    PAY = "pay"
    #: Deal the lines out to price books.
    PLAN = "plan"
    #: Note that an order is about to be sent, and send it.
    PLACE = "place"
    #: Look whether the order is there.
    FIND = "find"
    #: Close the cart.
    CLOSE = "close"
    #: Take back orders made before one was refused.
    UNDO = "undo"
    #: Give the cart back.
    RELEASE = "release"
    #: Nothing: it has ended.
    NOTHING = "nothing"


class Event(StrEnum):
    """What became of it."""

    #: The cart can be ordered.
    CART_READY = "cart_ready"
    #: There is a checkout session.
    SESSION_READY = "session_ready"
    #: The session is gone: somebody changed the cart.
    SESSION_LOST = "session_lost"
    #: The session has its address.
    ADDRESS_TAKEN = "address_taken"
    #: The session has its delivery method.
    METHOD_TAKEN = "method_taken"
    #: The session has its payment.
    PAYMENT_TAKEN = "payment_taken"
    #: The lines are dealt out.
    DEALT_OUT = "dealt_out"
    #: What makes an order is about to be sent.
    SENDING = "sending"
    #: One order of several is there.
    ORDER_MADE = "order_made"
    #: All orders are there.
    ORDERS_MADE = "orders_made"
    #: It is certain that there is no order.
    ABSENT = "absent"
    #: It cannot be told whether there is an order.
    UNDECIDABLE = "undecidable"
    #: The cart is closed, or that it cannot be is noted.
    CLOSED = "closed"
    #: It was refused for good; no order came of it.
    REFUSED = "refused"
    #: Somebody called it off.
    CALLED_OFF = "called_off"
    #: Orders made before are taken back.
    UNDONE = "undone"
    #: An order made before could not be taken back.
    LEFT = "left"
    #: The cart is given back after a refusal.
    GIVEN_BACK = "given_back"
    #: The cart is given back after it was called off.
    GIVEN_BACK_AS_ASKED = "given_back_as_asked"


_COMMON: Final[Mapping[tuple[PlacementState, Event], PlacementState]] = {
    (_S.ACCEPTED, Event.CART_READY): _S.READY,
    (_S.ACCEPTED, Event.REFUSED): _S.FAILED,
    (_S.ACCEPTED, Event.CALLED_OFF): _S.CANCELLED,
    (_S.READY, Event.REFUSED): _S.RELEASING,
    (_S.READY, Event.CALLED_OFF): _S.RELEASING,
    (_S.PLACING, Event.UNDECIDABLE): _S.UNKNOWN,
    (_S.RELEASING, Event.GIVEN_BACK): _S.FAILED,
    (_S.RELEASING, Event.GIVEN_BACK_AS_ASKED): _S.CANCELLED,
}
_SESSION_STATES: Final = (_S.STARTED, _S.ADDRESSED, _S.METHOD_CHOSEN, _S.PAID)
_CHECKOUT: Final[Mapping[tuple[PlacementState, Event], PlacementState]] = {
    **_COMMON,
    (_S.READY, Event.SESSION_READY): _S.STARTED,
    (_S.STARTED, Event.ADDRESS_TAKEN): _S.ADDRESSED,
    (_S.ADDRESSED, Event.METHOD_TAKEN): _S.METHOD_CHOSEN,
    (_S.METHOD_CHOSEN, Event.PAYMENT_TAKEN): _S.PAID,
    (_S.PAID, Event.SENDING): _S.PLACING,
    (_S.PLACING, Event.ORDERS_MADE): _S.PLACED,
    (_S.PLACING, Event.ABSENT): _S.PAID,
    (_S.PLACING, Event.SESSION_LOST): _S.READY,
    (_S.PLACING, Event.REFUSED): _S.RELEASING,
    **{(state, Event.SESSION_LOST): _S.READY for state in _SESSION_STATES},
    **{(state, Event.REFUSED): _S.RELEASING for state in _SESSION_STATES},
    **{(state, Event.CALLED_OFF): _S.RELEASING for state in _SESSION_STATES},
}
_PLACE_ORDER: Final[Mapping[tuple[PlacementState, Event], PlacementState]] = {
    **_COMMON,
    (_S.READY, Event.DEALT_OUT): _S.PLANNED,
    (_S.PLANNED, Event.SENDING): _S.PLACING,
    (_S.PLANNED, Event.REFUSED): _S.COMPENSATING,
    (_S.PLANNED, Event.CALLED_OFF): _S.COMPENSATING,
    (_S.PLACING, Event.ORDER_MADE): _S.PLANNED,
    (_S.PLACING, Event.ORDERS_MADE): _S.ORDERED,
    (_S.PLACING, Event.ABSENT): _S.PLANNED,
    (_S.PLACING, Event.REFUSED): _S.COMPENSATING,
    (_S.ORDERED, Event.CLOSED): _S.PLACED,
    (_S.COMPENSATING, Event.UNDONE): _S.RELEASING,
    (_S.COMPENSATING, Event.LEFT): _S.PARTIAL,
}
#: What follows which event in which state, by way. Everything else is a fault of ours.
TRANSITIONS: Final[Mapping[PlacementWay, Mapping[tuple[PlacementState, Event], PlacementState]]] = MappingProxyType(
    {PlacementWay.CHECKOUT: _CHECKOUT, PlacementWay.PLACE_ORDER: _PLACE_ORDER}
)


class ImpossibleEvent(AssertionError):
    """An event that cannot happen in a state: the program is wrong."""


def after(way: PlacementWay, state: PlacementState, event: Event) -> PlacementState:
    """Return the state that follows an event.

    Raises:
        ImpossibleEvent: It cannot happen in this state.
    """
    try:
        return TRANSITIONS[way][state, event]
    except KeyError:
        raise ImpossibleEvent(f"{event.value} in {state.value} ({way.value})") from None


def act_in(way: PlacementWay, state: PlacementState) -> Act:
    """Return what is to be done in a state by whoever finds it so."""
    match state:
        case _S.ACCEPTED:
            return Act.INSPECT
        case _S.READY:
            return Act.START if way is PlacementWay.CHECKOUT else Act.PLAN
        case _S.STARTED:
            return Act.ADDRESS
        case _S.ADDRESSED:
            return Act.METHOD
        case _S.METHOD_CHOSEN:
            return Act.PAY
        case _S.PAID | _S.PLANNED:
            return Act.PLACE
        case _S.PLACING:
            return Act.FIND
        case _S.ORDERED:
            return Act.CLOSE
        case _S.COMPENSATING:
            return Act.UNDO
        case _S.RELEASING:
            return Act.RELEASE
        case _S.PLACED | _S.FAILED | _S.CANCELLED | _S.PARTIAL | _S.UNKNOWN:
            return Act.NOTHING
        case _:
            assert_never(state)


def after_late_look(way: PlacementWay, verdict: Verdict, *, complete: bool, earlier: bool) -> PlacementState | None:
    """Return what follows a look at a placement that ended as unknown; None: it stays so.

    Nothing is ever sent again: whoever asked was told so, and may have ordered in another way since. Of several orders
    of which not all are there, those that are get taken back.

    Args:
        way: How the order was placed.
        verdict: What the look says.
        complete: No order is missing, if the verdict is that this one is there.
        earlier: Other orders of this cart were made before.
    """
    match verdict:
        case Verdict.FOUND:
            if way is PlacementWay.CHECKOUT:
                return _S.PLACED
            return _S.ORDERED if complete else _S.COMPENSATING
        case Verdict.ABSENT | Verdict.SESSION_LOST:
            return _S.COMPENSATING if earlier else _S.RELEASING
        case Verdict.WAIT | Verdict.UNDECIDABLE:
            return None
        case _:
            assert_never(verdict)


class Verdict(StrEnum):
    """What a look says."""

    #: The order is there.
    FOUND = "found"
    #: There is none, and none can come of what was sent: it may be sent again.
    ABSENT = "absent"
    #: There is none, and the session is gone: it begins anew.
    SESSION_LOST = "session_lost"
    #: Not to be told yet: look again.
    WAIT = "wait"
    #: Not to be told at all.
    UNDECIDABLE = "undecidable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What a look at a cart that may have become an order has found."""

    #: `WebCart.Status`; None when it could not be read.
    cart_status: str | None
    #: The order reference number that cart or session carry.
    reference: str | None = None
    #: Orders that carry the reference number.
    order_ids: tuple[str, ...] = ()
    #: Whether Salesforce let orders be searched by the number, so that none found is none there.
    orders_asked: bool = True


#: Carts in these states can still be ordered.
_OPEN: Final = frozenset({"Active", "Checkout"})
#: Carts in these states are, or become, orders.
_CLOSING: Final = frozenset({"PendingClosed", "Closed"})


def judge_checkout(found: Findings, *, settled: bool, patient: bool) -> Verdict:
    """Say whether the order of a checkout is there.

    Args:
        found: What the look found.
        settled: The request was sent so long ago that it has come to its end, one way or the other.
        patient: There is time left to look again.
    """
    if found.order_ids:
        return Verdict.FOUND
    if found.cart_status in _OPEN:
        if not settled:
            return Verdict.WAIT
        return Verdict.SESSION_LOST if found.cart_status == "Active" else Verdict.ABSENT
    if patient:
        return Verdict.WAIT
    if found.cart_status in _CLOSING and found.reference and not found.orders_asked:
        # This buyer may not search orders. The store closed the cart of this number after the order was sent: it was
        # placed. Where orders can be searched and none has the number, somebody else closed the cart.
        return Verdict.FOUND
    return Verdict.UNDECIDABLE


def judge_marked(order_ids: tuple[str, ...] | None, *, settled: bool, patient: bool) -> Verdict:
    """Say whether the order that carries a marker of ours is there.

    Args:
        order_ids: Orders that carry it; None when that could not be asked.
        settled: As above.
        patient: As above.
    """
    if order_ids:
        return Verdict.FOUND
    if order_ids is None:
        return Verdict.WAIT if patient else Verdict.UNDECIDABLE
    return Verdict.ABSENT if settled else Verdict.WAIT
