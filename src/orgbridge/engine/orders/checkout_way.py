"""The first way: a checkout session with address, delivery method and payment, and the order that comes of it.

Each act reads the session before it changes it, so that an act that is done again after a crash finds its own work.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from orgbridge.client.commerce.checkout_values import Checkout, DeliveryMethod, PaymentKind
from orgbridge.client.commerce.checkouts import ACTIVE
from orgbridge.client.commerce.resources import Asked
from orgbridge.client.errors import ClientError, Conflicting, NotFound, SendingWithheld
from orgbridge.engine.faults import nothing_sent
from orgbridge.engine.orders.desks import Desk, Done, is_refusal
from orgbridge.engine.orders.looks import look_for_order
from orgbridge.engine.orders.machine import Event, Verdict, judge_checkout
from orgbridge.engine.orders.refusals import PlacementRefused, Refusal, SessionLost, refusal_of, refuse
from orgbridge.kit.logs import get_logger

#: Parts of an address that are compared to tell whether a session has it already.
_ADDRESS_PARTS = ("street", "city", "postalCode", "region", "country", "name")
_log = get_logger(__name__)


async def start(desk: Desk) -> Done:
    """Make sure that the cart has a session.

    Raises:
        PlacementRefused: What it computes fails and fails.
        ClientError: Salesforce refused, or could not be reached.
    """
    checkouts = desk.store.checkouts

    async def look() -> Asked[Checkout]:
        return await checkouts.find(ACTIVE)

    async def begin() -> None:
        # A session that is there is kept: before v57 a second one would be refused. One that failed begins anew.
        held = (await look()).value
        if held is not None and held.errored:
            await checkouts.end(ACTIVE)
        if held is None or held.errored:
            await desk.unless_in_conflict(lambda: checkouts.start(desk.record.cart_id), look)

    await begin()
    session = await _computed(desk, look, begin)
    if session is None or session.checkout_id is None:
        raise SessionLost
    numbers = [*desk.facts.get("references", ()), *filter(None, [session.reference])]
    facts = {"checkout_id": session.checkout_id, "references": list(dict.fromkeys(numbers)), "paying": False}
    return Done(event=Event.SESSION_READY, facts=facts)


async def address(desk: Desk) -> Done:
    """Give the session contact, address, date and instructions, as far as they were asked for.

    Raises:
        SessionLost: The session is gone.
        PlacementRefused: There is no address, or what is computed for it fails and fails.
        ClientError: Salesforce refused, or could not be reached.
    """
    wanted: Mapping[str, Any] | None = desk.request.get("delivery_address")
    date, instructions = desk.request.get("desired_delivery_date"), desk.request.get("shipping_instructions")
    contact: Mapping[str, Any] | None = desk.request.get("contact")
    checkout_id = _session_id(desk)
    checkouts = desk.store.checkouts
    session = await _session(desk)
    if contact:
        await _changed(desk, lambda: checkouts.contact(checkout_id, contact))
    if (wanted and not _same_address(session.address, wanted)) or date or instructions:
        session = await _changed(
            desk,
            lambda: checkouts.deliver_to(checkout_id, wanted, desired_date=date, instructions=instructions),
        )
    if not session.address and not wanted:
        raise refuse(
            "order.no_delivery_address",
            "The cart has no delivery address and the buyer no default one: give delivery_address.",
        )
    return Done(event=Event.ADDRESS_TAKEN)


async def method(desk: Desk) -> Done:
    """Choose the delivery method that was asked for, else keep the chosen one, else take the cheapest.

    Raises:
        SessionLost: The session is gone.
        PlacementRefused: There is none, or not the one that was asked for.
        ClientError: Salesforce refused, or could not be reached.
    """
    session = await _session(desk)
    if not session.methods and session.chosen_method is None:
        raise refuse("order.no_delivery_method", "Salesforce offers no way of delivery for this address.")
    chosen = _method_of(desk.request.get("delivery_method"), session)
    if chosen != session.chosen_method:
        checkout_id = _session_id(desk)
        await _changed(desk, lambda: desk.store.checkouts.choose(checkout_id, chosen))
    return Done(event=Event.METHOD_TAKEN, facts={"delivery_method_id": chosen})


async def pay(desk: Desk) -> Done:
    """Give the session its payment.

    A reference of a gateway that may have been given before, at a version where a second one does not replace the
    first, ends the session: ending it wipes the payment, and a new session takes it afresh.

    Raises:
        SessionLost: The session is gone, or was ended.
        PlacementRefused: The payment is refused.
        ClientError: Salesforce refused, or could not be reached.
    """
    payment: Mapping[str, Any] = desk.request["payment"]
    kind = PaymentKind(payment["kind"])
    checkouts, checkout_id = desk.store.checkouts, _session_id(desk)
    await _session(desk)
    if kind is PaymentKind.POST_AUTH and not checkouts.may_pay_again:
        if desk.facts.get("paying"):
            await checkouts.end(checkout_id)
            raise SessionLost
        if not await desk.note(Event.PAYMENT_TAKEN, {"paying": True}):
            raise SessionLost
    billing = desk.request.get("billing_address") or desk.request.get("delivery_address")
    faults = await desk.unless_in_conflict(
        lambda: checkouts.pay(
            checkout_id, kind, str(payment["token"]), billing=_without_id(billing), data=payment.get("data")
        ),
        lambda: checkouts.find(checkout_id),
    )
    if faults:
        raise refuse("order.payment_refused", faults[0].message, *({"message": one.message} for one in faults))
    await _session(desk)
    return Done(event=Event.PAYMENT_TAKEN)


async def place(desk: Desk) -> Done | None:
    """Note that the order is about to be made, and have it made.

    Returns:
        None when its outcome must be looked for; what is known of it is noted.
    """
    tries = int(desk.facts.get("tries", 0)) + 1
    sent = {"tries": tries, "refusal": None, "answered": False}
    if not await desk.note(Event.SENDING, sent):
        return None
    try:
        placed = await desk.store.checkouts.place(
            _session_id(desk), seconds=desk.sending_seconds, guard=desk.may_still_send
        )
    except ClientError as error:
        return _answer(error, tries)
    if placed.faults:
        # A refusal may carry an order's number: the look that follows tells whether there is one.
        return _look_after(
            Refusal(
                code="order.refused",
                message=placed.faults[0].message,
                details=tuple({"type": one.type, "message": one.message} for one in placed.faults),
            )
        )
    columns = {"order_reference": placed.reference, "order_id": placed.order_id}
    return Done(event=Event.SENDING, facts={"answered": True, "accepted": True}, columns=columns)


async def find(desk: Desk) -> Done | None:
    """Look whether the order is there.

    Returns:
        None when that cannot be told yet.

    Raises:
        ClientError: Salesforce could not be asked: nothing is known.
    """
    found = await look_for_order(desk)
    config, facts = desk.config, desk.facts
    if facts.get("accepted") and (found.order_ids or not _soon(desk)):
        # Salesforce said yes: the order is there or will be, and nothing is ever sent again.
        return placed_as(found.reference, found.order_ids, desk)
    if facts.get("accepted"):
        return None
    settled = bool(facts.get("answered")) or desk.sent_longer_ago_than(config.order_settle_seconds)
    patient = not desk.sent_longer_ago_than(config.order_settle_seconds + config.order_find_seconds)
    verdict = judge_checkout(found, settled=settled, patient=patient)
    refusal = facts.get("refusal")
    match verdict:
        case Verdict.FOUND:
            return placed_as(found.reference, found.order_ids, desk)
        case Verdict.ABSENT | Verdict.SESSION_LOST if refusal:
            return Done(event=Event.REFUSED, columns={"error": refusal})
        case Verdict.ABSENT:
            return Done(event=Event.ABSENT)
        case Verdict.SESSION_LOST:
            return Done(event=Event.SESSION_LOST, facts={"restarts": int(facts.get("restarts", 0)) + 1})
        case Verdict.UNDECIDABLE:
            return Done(event=Event.UNDECIDABLE, columns={"error": _undecidable(desk, found.cart_status).to_json()})
        case _:
            return None


async def release(desk: Desk) -> None:
    """Give the cart back by ending its session, which wipes the payment too.

    Raises:
        ClientError: Salesforce refused, or could not be reached.
    """
    checkouts, checkout_id = desk.store.checkouts, str(desk.facts.get("checkout_id") or ACTIVE)
    await desk.unless_in_conflict(lambda: checkouts.end(checkout_id), lambda: checkouts.find(checkout_id))


def placed_as(reference: str | None, order_ids: tuple[str, ...], desk: Desk) -> Done:
    """Return that the order is there."""
    record = desk.record
    columns = {
        "order_id": order_ids[0] if order_ids else record.order_id,
        "order_reference": reference or record.order_reference,
        "error": None,
    }
    return Done(event=Event.ORDERS_MADE, columns=columns)


def _soon(desk: Desk) -> bool:
    """Tell whether the order row of an accepted order may still come."""
    return not desk.sent_longer_ago_than(desk.config.longest_checkout_poll_seconds * 3)


def _answer(error: ClientError, tries: int) -> Done:
    if nothing_sent(error):
        # A sending that was withheld is no try.
        made = tries - 1 if isinstance(error, SendingWithheld) else tries
        return Done(event=Event.SENDING, facts={"answered": True, "tries": made})
    if not is_refusal(error):
        _log.warning("engine.order_outcome_unknown", cause=error.message)
        return Done(event=Event.SENDING)
    if isinstance(error, Conflicting | NotFound) or error.retryable:
        # Something changed the cart under the call, or took the session away: the look tells how to go on.
        return Done(event=Event.SENDING, facts={"answered": True, "last_error": refusal_of(error).to_json()})
    return _look_after(refusal_of(error))


def _look_after(refusal: Refusal) -> Done:
    return Done(event=Event.SENDING, facts={"answered": True, "refusal": refusal.to_json()})


def _undecidable(desk: Desk, status: str | None) -> Refusal:
    record = desk.record
    stands = f"The cart is {status}" if status else "The cart can no longer be read"
    return Refusal(
        code="order.outcome_unknown",
        message=f"Whether the cart {record.cart_id} became an order cannot be told. {stands}, and no order carries its "
        f"number{f' {record.order_reference}' if record.order_reference else ''}. Nothing was or will be sent again: "
        "look for the order in Salesforce before ordering anew.",
    )


def _session_id(desk: Desk) -> str:
    return str(desk.facts["checkout_id"])


async def _session(desk: Desk) -> Checkout:
    """Return the session once nothing is computed on it any more.

    Raises:
        SessionLost: It is gone.
        PlacementRefused: It takes too long.
    """
    checkout_id = _session_id(desk)

    async def look() -> Asked[Checkout]:
        return await desk.store.checkouts.find(checkout_id)

    async def nothing() -> None:
        return

    session = await _computed(desk, look, nothing, errors_pass=True)
    if session is None:
        raise SessionLost
    return session


async def _changed(desk: Desk, change: Callable[[], Awaitable[None]]) -> Checkout:
    """Change the session and return it once Salesforce has computed; a failed computation is started again.

    Raises:
        SessionLost: It is gone.
        PlacementRefused: The computation failed too often, or takes too long.
    """
    checkout_id = _session_id(desk)

    async def look() -> Asked[Checkout]:
        return await desk.store.checkouts.find(checkout_id)

    async def again() -> None:
        try:
            await desk.unless_in_conflict(change, look)
        except NotFound:
            raise SessionLost from None

    await again()
    session = await _computed(desk, look, again)
    if session is None:
        raise SessionLost
    return session


async def _computed(
    desk: Desk,
    look: Callable[[], Awaitable[Asked[Checkout]]],
    again: Callable[[], Awaitable[None]],
    *,
    errors_pass: bool = False,
) -> Checkout | None:
    config = desk.config
    pause, retries = config.checkout_poll_seconds, 0
    while True:
        asked = await look()
        session = asked.value
        if session is None:
            return None
        if not asked.pending and not (session.errored and not errors_pass):
            return session
        if not desk.patient:
            raise _too_slow(session)
        await desk.stop_if_called_off()
        if asked.pending:
            await desk.clock.sleep(min(max(asked.retry_after or 0.0, pause), config.longest_checkout_poll_seconds))
            pause = min(pause * 2, config.longest_checkout_poll_seconds)
            continue
        if retries >= config.checkout_retries:
            raise _failing(session)
        retries += 1
        _log.info("engine.checkout_errored", placement_id=desk.record.id, retry=retries)
        await desk.clock.sleep(config.checkout_retry_seconds)
        await again()


def _too_slow(session: Checkout) -> PlacementRefused:
    said = f" It says: {session.faults[0].message}" if session.faults else ""
    return refuse("order.checkout_timeout", f"Salesforce did not finish computing the checkout in time.{said}")


def _failing(session: Checkout) -> PlacementRefused:
    said = session.faults[0].message if session.faults else "Salesforce does not say why."
    details = ({"type": one.type, "message": one.message} for one in session.faults)
    return refuse(
        "order.integration_failed", f"What Salesforce computes for the checkout keeps failing: {said}", *details
    )


def _same_address(held: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    if wanted.get("id"):
        return bool(held.get("id") == wanted["id"])
    given = [name for name in _ADDRESS_PARTS if wanted.get(name)]
    return bool(held) and all(str(held.get(name) or "") == str(wanted[name]) for name in given)


def _without_id(given: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    # A billing address is spelt out; an address book's id is for delivery only.
    return None if given is None or given.get("id") else given


def _method_of(wanted: str | None, session: Checkout) -> str:
    if wanted:
        for one in session.methods:
            if wanted in (one.id, one.name):
                return one.id
        if wanted == session.chosen_method:
            return wanted
        offered = [{"id": one.id, "name": one.name, "fee": _text(one)} for one in session.methods]
        raise refuse("order.no_delivery_method", f"There is no way of delivery {wanted!r} for this address.", *offered)
    if session.chosen_method is not None:
        return session.chosen_method
    return min(session.methods, key=lambda one: (one.fee is None, one.fee or 0, one.id)).id


def _text(one: DeliveryMethod) -> str | None:
    return None if one.fee is None else str(one.fee)
