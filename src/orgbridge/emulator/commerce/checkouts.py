"""Checkouts: from a cart that is Active to an order, step by step.

Source: facts/commerce/checkout.md sections 1 to 4. Assumed: which refusals a step has beside the documented ones; that
a step is refused with CHECKOUT_CONFLICT as long as the last one is being computed; that a checkout without a
payment is not ordered.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from orgbridge.emulator.commerce import carts, cartviews, delivery, inputs, sessions, settling, shapes
from orgbridge.emulator.commerce.calculation import calculate
from orgbridge.emulator.commerce.deals import Deal, Row, bad_input, missing, required
from orgbridge.emulator.commerce.payments import error, payment_of
from orgbridge.emulator.commerce.placing import place, reference_number
from orgbridge.emulator.commerce.settling import Stage, State, Work
from orgbridge.emulator.commerce.versions import body as shaped
from orgbridge.emulator.faults import Trouble
from orgbridge.emulator.schema.errors import SFError
from orgbridge.kit.json import JSON
from orgbridge.wire.dates import bulk_datetime
from orgbridge.wire.ids import to_18

#: First version that keeps the reference number on the cart, and that answers with 412 and 422. Documented.
_NUMBER_ON_CART = _NEW_CODES = 63
_SHIPPING = ("deliveryAddress", "desiredDeliveryDate", "shippingInstructions")
_CONTACT = {
    "email": "GuestEmailAddress",
    "firstName": "GuestFirstName",
    "lastName": "GuestLastName",
    "phoneNumber": "GuestPhoneNumber",
}


def conflict() -> SFError:
    """Return the refusal of a step while something else changes the checkout. Source: checkout.md section 4."""
    return SFError(
        "CHECKOUT_CONFLICT", "CHECKOUT_CONFLICT: The checkout was changed meanwhile. Get it and try again.", 409
    )


def _check_conflict(deal: Deal, cart_id: str) -> None:
    """Refuse a change of a checkout that somebody else changes.

    Raises:
        SFError: 409.
    """
    work = settling.work_of(deal, cart_id)
    if work.conflict or (work.stage is Stage.CHECKOUT and work.state is State.PROCESSING):
        raise conflict()


def meets_conflict(deal: Deal, cart_id: str) -> bool:
    """Tell whether trouble was ordered for this change; if so, it and the next are refused until somebody reads."""
    if not deal.faults.commerce(Trouble.CONFLICT):
        return False
    settling.set_conflict(deal, cart_id, True)
    return True


def find(deal: Deal, key: str) -> tuple[Row, Row]:
    """Return session and cart of the checkout that `active` or an id names.

    Raises:
        SFError: There is none, or it is over.
    """
    if key.lower() == "active":
        cart = carts.primary(deal, ("Checkout",))
        session = None if cart is None else sessions.live_session(deal, cart["Id"])
    else:
        found = to_18(key)
        if found is None or not found.startswith("2z9"):
            raise SFError("INVALID_ID_FIELD", f"The checkout ID {key[:40]} isn't valid.", 400)
        session = deal.find("CartCheckoutSession", found)
        cart = None if session is None else carts.find(deal, session["WebCartId"])
    if cart is None or session is None or session["IsArchived"] or cart["Status"] != "Checkout":
        raise missing("checkout", key[:40])
    if _is_expired(deal, session):
        raise missing("checkout", key[:40])
    return session, cart


def _is_expired(deal: Deal, session: Row) -> bool:
    store = deal.get("WebStore", deal.buyer.store.id)
    after = store["CheckoutValidAfterDate"]
    if after is not None and session["CreatedDate"] < after:
        return True
    minutes = store["CheckoutTimeToLive"]
    oldest = bulk_datetime(deal.org.clock.now() - timedelta(minutes=minutes or 0))
    return minutes is not None and session["CreatedDate"] < oldest


def start(deal: Deal, given: JSON, *, ensure: bool) -> Row:
    """Start the checkout of a cart and return its session.

    Args:
        deal: The business.
        given: The body.
        ensure: Whether a checkout that is there already is returned as it is.

    Raises:
        SFError: The cart cannot be checked out. Nothing changed.
    """
    body = inputs.check(inputs.CHECKOUT_START, given, deal.version)
    cart = carts.find(deal, required(body, "cartId"))
    if cart is None:
        raise missing("cart", str(body["cartId"])[:40])
    if deal.get("WebStore", deal.buyer.store.id)["CheckoutTimeToLive"] == 0:
        raise SFError("INVALID_OPERATION", "Checkout is disabled for this web store.", 403)
    session = sessions.live_session(deal, cart["Id"])
    if ensure and session is not None and cart["Status"] == "Checkout" and not _is_expired(deal, session):
        return session
    carts.check_editable(deal, cart)
    _check_conflict(deal, cart["Id"])
    if not deal.rows("CartItem", {"CartId": cart["Id"], "Type": "Product"}):
        raise SFError("INVALID_OPERATION", "The cart has no items.", 400)
    sessions.cancel(deal, cart)
    _start_address(deal, cart, body.get("deliveryAddressInput"))
    row = {"WebCartId": cart["Id"], "Name": f"Checkout {cart['Name']}"[:255], "State": "Start"}
    session_id = deal.add("CartCheckoutSession", [row])[0]
    number = reference_number(deal, session_id)
    if deal.version >= _NUMBER_ON_CART:
        deal.change("WebCart", [{"Id": cart["Id"], "InitialOrderReferenceNumber": number}])
    else:
        deal.change("CartCheckoutSession", [{"Id": session_id, "OrderReferenceNumber": number}])
    change = inputs.custom_fields(deal, "WebCart", body)
    deal.change("WebCart", [{"Id": cart["Id"], "Status": "Checkout", **change}])
    compute(deal, cart["Id"])
    return deal.get("CartCheckoutSession", session_id)


def _start_address(deal: Deal, cart: Row, given: JSON) -> None:
    default = delivery.group_of(deal, cart, "default")
    if given is None:
        return
    body = inputs.check(inputs.START_ADDRESS, given, deal.version)
    if inputs.flag(body, "shouldUseDefaultAddress"):
        address = delivery.default_address(deal)
        if address is None:
            return
        fields = delivery.fields_of(address)
    else:
        fields = delivery.address_fields(deal, body, inputs.START_ADDRESS)
    deal.change("CartDeliveryGroup", [{"Id": default["Id"], **fields}])


def compute(deal: Deal, cart_id: str) -> None:
    """Let the integrations of a checkout run: now, or in the background."""
    at_once = deal.policy.synchronous_checkout
    done = settling.begin(deal, cart_id, Stage.CHECKOUT, at_once=at_once)
    if done:
        _run(deal, cart_id)
    _mark(deal, cart_id, settling.work_of(deal, cart_id))


def _run(deal: Deal, cart_id: str) -> None:
    session = sessions.live_session(deal, cart_id)
    delivery.offer_methods(deal, cart_id, None if session is None else session["Id"])
    calculate(deal, cart_id)


def _mark(deal: Deal, cart_id: str, work: Work) -> None:
    session = sessions.live_session(deal, cart_id)
    if session is not None:
        processing = work.state is State.PROCESSING
        row = {"IsProcessing": processing, "IsError": work.state is State.ERRORED}
        state = {"State": "Calculating" if processing else "Ready", "NextState": "Ready" if processing else None}
        deal.change("CartCheckoutSession", [{"Id": session["Id"], **row, **state}])


def ask(deal: Deal, session: Row, cart: Row) -> tuple[Row, Work]:
    """Ask after what a checkout computes, which brings that nearer to its end; conflicts are over from now on."""
    work, done = settling.ask(deal, cart["Id"])
    if work.conflict:
        settling.set_conflict(deal, cart["Id"], False)
    if done:
        _run(deal, cart["Id"])
    _mark(deal, cart["Id"], work)
    return deal.get("WebCart", cart["Id"]), work


def change(deal: Deal, cart: Row, given: JSON) -> None:
    """Change one part of a checkout: the contact, where and when goods go, or by which method.

    Raises:
        SFError: The body makes no sense, or the checkout is changed by somebody else. Nothing changed.
    """
    body = inputs.check(inputs.CHECKOUT, given, deal.version)
    contact, method = "contactInfo" in body, "deliveryMethodId" in body
    shipping = any(name in body for name in _SHIPPING)
    if contact + method + shipping > 1:
        raise bad_input(
            "Only one of contact information, shipping information and delivery method can be changed at once."
        )
    if "customFields" in body and (contact or set(body) == {"shippingInstructions", "customFields"}):
        raise bad_input("These properties can't be changed together with custom fields.")
    if not body:
        raise bad_input("You must specify a value to change.")
    _check_conflict(deal, cart["Id"])
    group = delivery.group_of(deal, cart, "default")
    custom = inputs.custom_fields(deal, "CartDeliveryGroup", body)
    if custom:
        deal.change("CartDeliveryGroup", [{"Id": group["Id"], **custom}])
    if contact:
        info = inputs.check(inputs.CONTACT, body["contactInfo"], deal.version)
        fields = {column: inputs.text(info, name) for name, column in _CONTACT.items() if name in info}
        deal.change("WebCart", [{"Id": cart["Id"], **fields}])
    if shipping:
        fields = delivery.shipping_fields(deal, body)
        deal.change("CartDeliveryGroup", [{"Id": group["Id"], **fields}])
        if "DeliverToCountry" in fields:
            delivery.withdraw_methods(deal, group)
    if method:
        delivery.choose_method(deal, group, required(body, "deliveryMethodId"))
        # Documented: choosing a method clears what was given for paying.
        sessions.forget_payment(deal, cart["Id"])
    compute(deal, cart["Id"])


def cancel(deal: Deal, cart: Row) -> None:
    """End a checkout; the cart is Active again.

    Raises:
        SFError: Somebody else changes it. Nothing changed.
    """
    _check_conflict(deal, cart["Id"])
    sessions.cancel(deal, cart)
    settling.forget(deal, cart["Id"])
    carts.recalculate(deal, cart["Id"])


def check_ready(deal: Deal, cart: Row) -> None:
    """Refuse a step that needs a checkout at rest.

    Raises:
        SFError: 409.
    """
    _check_conflict(deal, cart["Id"])


def obstacles(deal: Deal, cart: Row) -> tuple[int, list[dict[str, JSON]]]:
    """Return what keeps a checkout from being ordered, with the status of the reply; no errors for nothing."""
    newer = deal.version >= _NEW_CODES
    problems: list[dict[str, JSON]] = []
    rows = deal.rows("CartValidationOutput", {"CartId": cart["Id"], "Level": "Error"})
    stock = [row for row in rows if row["Type"] == "Inventory"]
    for row in rows:
        tail = "inventory-failure" if row["Type"] == "Inventory" else "cart-failure"
        problems.append(error(deal, tail, "The cart has errors", str(row["Message"])))
    if problems:
        return (412 if newer and stock else 422), problems
    held = {line["CartDeliveryGroupId"] for line in deal.rows("CartItem", {"CartId": cart["Id"], "Type": "Product"})}
    groups = [one for one in delivery.groups_of(deal, cart["Id"]) if one["Id"] in held]
    if any(not group["SelectedDeliveryMethodId"] for group in groups):
        problems.append(error(deal, "shipping-failure", "Delivery", "A delivery group has no delivery method."))
    if payment_of(deal, cart["Id"]) is None:
        problems.append(error(deal, "payment-failure", "Payment", "The payment isn't authorized."))
    return 422, problems


def order(deal: Deal, session: Row, cart: Row) -> str:
    """Make the order of a checkout and return its order reference number; the cart is closed.

    Raises:
        SFError: A row of the order breaks a rule. The transaction is not to be kept.
    """
    number = session["OrderReferenceNumber"] or cart["InitialOrderReferenceNumber"]
    number = number or reference_number(deal, session["Id"])
    calculate(deal, cart["Id"])
    order_id = place(deal, deal.get("WebCart", cart["Id"]), number)
    done = {"IsArchived": True, "IsProcessing": False, "State": "Completed", "NextState": None}
    row = {"Id": session["Id"], "OrderId": order_id, "OrderReferenceNumber": number, **done}
    deal.change("CartCheckoutSession", [row])
    close(deal, cart["Id"])
    return str(number)


def close(deal: Deal, cart_id: str) -> None:
    """Close a cart whose order is there: at once, or after a while."""
    deal.change("WebCart", [{"Id": cart_id, "Status": "PendingClosed"}])
    if settling.begin(deal, cart_id, Stage.ORDER, at_once=False):
        deal.change("WebCart", [{"Id": cart_id, "Status": "Closed"}])


def view(deal: Deal, session: Row, cart: Row, work: Work) -> dict[str, JSON]:
    """Return a checkout as a Connect body."""
    errors = []
    if work.state is State.ERRORED:
        errors = [error(deal, work.trouble, "An integration failed", "An integration failed. Try again.")]
    contact = {name: cart[column] for name, column in _CONTACT.items()}
    values: dict[str, JSON] = {
        "cartSummary": cartviews.summary(deal, cart, work),
        "checkoutId": session["Id"],
        "contactInfo": shaped(shapes.CONTACT_INFORMATION, deal.version, contact),
        "deliveryGroups": delivery.collection(deal, cart["Id"]),
        "errors": errors,
        "orderReferenceNumber": session["OrderReferenceNumber"] or cart["InitialOrderReferenceNumber"],
        "statusCode": str(status_of(work)),
    }
    return shaped(shapes.CHECKOUT, deal.version, values)


def status_of(work: Work) -> int:
    """Return the status of a reply that shows a checkout."""
    match work.state:
        case State.PROCESSING:
            return 202
        case State.ERRORED:
            return 422
        case State.COMPLETED:
            return 200


def order_view(deal: Deal, number: str | None, errors: list[dict[str, JSON]]) -> dict[str, JSON]:
    """Return the body of an order that was placed, or not."""
    values: Mapping[str, JSON] = {"errors": errors, "orderReferenceNumber": number}
    return shaped(shapes.CHECKOUT_ORDER, deal.version, values)
