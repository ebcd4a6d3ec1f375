"""Payments of a checkout, without any card: a token, a gateway's own reference, or a purchase order number.

Source: facts/commerce/checkout.md section 5. Assumed: that the kind of payment cannot be changed in any version, and
the refusals' texts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from orgbridge.emulator.commerce import inputs, shapes
from orgbridge.emulator.commerce.deals import Deal, Row, bad_input, required
from orgbridge.emulator.commerce.versions import body as shaped
from orgbridge.emulator.faults import Trouble
from orgbridge.emulator.storage.counters import allocate
from orgbridge.kit.json import JSON, JSONDecodeError, loads

_CARD = ("cardHolderName", "cardNumber", "cardType", "cvv", "expiryMonth", "expiryYear")
_CARD_TYPES = ("AmericanExpress", "MasterCard", "Visa")
_KINDS = ("Auth", "PostAuth", "SimplePurchaseOrder")
_PO_LENGTH = 80
_DATA_PAIRS = 4
_BILLING = {
    "city": "BillingCity",
    "country": "BillingCountry",
    "postalCode": "BillingPostalCode",
    "region": "BillingState",
    "street": "BillingStreet",
}


def tokenize(deal: Deal, body: Mapping[str, JSON]) -> str:
    """Return a token for a card; nothing of the card is kept, not even in part.

    Raises:
        SFError: Something of the card is missing or malformed.
    """
    card = body.get("cardPaymentMethod")
    if not isinstance(card, Mapping):
        raise bad_input("You must specify a value for the cardPaymentMethod parameter.")
    for name in _CARD:
        if not str(card.get(name) or ""):
            raise bad_input(f"You must specify a value for the {name} parameter.")
    digits = str(card["cardNumber"]).replace(" ", "")
    if not digits.isascii() or not digits.isdigit() or not 12 <= len(digits) <= 19:
        raise bad_input("The card number isn't valid.")
    if card["cardType"] not in _CARD_TYPES:
        raise bad_input("The card type isn't valid.")
    number = allocate(deal.connection, "commerce.payment.token")
    token = hashlib.blake2b(f"{deal.org.org_id}:{number}".encode(), digest_size=16).hexdigest()
    deal.connection.execute("INSERT INTO ob_payment_tokens VALUES (?, ?)", (token, deal.now))
    return token


def pay(deal: Deal, cart: Row, given: JSON) -> dict[str, JSON]:
    """Take what a checkout is paid with; return the reply's body.

    Raises:
        SFError: The body makes no sense, or another kind of payment was given before. Nothing was taken.
    """
    body = inputs.check(inputs.PAYMENT, given, deal.version)
    kind = required(body, "requestType")
    if kind not in _KINDS:
        raise bad_input(f"The requestType {kind[:40]} isn't valid.")
    earlier = payment_of(deal, cart["Id"])
    if earlier is not None and earlier[0] != kind:
        raise bad_input("The payment type can't be changed.")
    token = required(body, "paymentToken")
    if body.get("paymentsData") is not None:
        _check_data(kind, body["paymentsData"])
    change = {"Id": cart["Id"], **_billing(deal, kind, body)}
    match kind:
        case "SimplePurchaseOrder":
            if len(token) > _PO_LENGTH:
                raise bad_input(f"The purchase order number has more than {_PO_LENGTH} characters.")
            change["PoNumber"] = token
        case "Auth":
            known = deal.connection.execute("SELECT 1 FROM ob_payment_tokens WHERE token = ?", (token,)).fetchone()
            if known is None:
                return _reply(deal, "ValidationError", "The payment token isn't valid.")
    if deal.faults.commerce(Trouble.DECLINE):
        return _reply(deal, "Decline", "The payment was declined.")
    if len(change) > 1:
        deal.change("WebCart", [change])
    row = (cart["Id"], kind, "paid")
    deal.connection.execute("INSERT OR REPLACE INTO ob_cart_payments VALUES (?, ?, ?)", row)
    return _reply(deal, "Success", None)


def payment_of(deal: Deal, cart_id: str) -> tuple[str, str] | None:
    """Return kind and state of a cart's payment, or None."""
    row = deal.connection.execute("SELECT kind, state FROM ob_cart_payments WHERE cart_id = ?", (cart_id,)).fetchone()
    return None if row is None else (row[0], row[1])


def _check_data(kind: str, given: JSON) -> None:
    if kind == "SimplePurchaseOrder":
        raise bad_input("The paymentsData parameter isn't supported for this requestType.")
    try:
        pairs = loads(given) if isinstance(given, str) else given
    except JSONDecodeError:
        pairs = None
    if not isinstance(pairs, Mapping) or len(pairs) > _DATA_PAIRS:
        raise bad_input(f"The paymentsData parameter takes {_DATA_PAIRS} pairs of key and value at most.")


def _billing(deal: Deal, kind: str, body: Mapping[str, JSON]) -> dict[str, JSON]:
    if body.get("billingAddress") is None:
        return {}
    address = inputs.check(inputs.ADDRESS, body["billingAddress"], deal.version)
    wanted = ("name", "street", "country") if kind == "SimplePurchaseOrder" else ("street", "country")
    for name in wanted:
        if not inputs.text(address, name):
            raise bad_input(f"You must specify a value for the {name} parameter.")
    return {column: address.get(name) for name, column in _BILLING.items()}


def _reply(deal: Deal, code: str, problem: str | None) -> dict[str, JSON]:
    errors = [] if problem is None else [error(deal, "payment-failure", "Payment failed", problem)]
    return shaped(shapes.CHECKOUT_PAYMENT, deal.version, {"errors": errors, "salesforceResultCode": code})


def error(deal: Deal, tail: str, title: str, detail: str) -> dict[str, JSON]:
    """Return an error as bodies of checkout hold it. Source: facts/commerce/checkout.md section 4."""
    values: dict[str, JSON] = {
        "detail": detail,
        "instance": "",
        "invalidParameters": [],
        "title": title,
        "type": f"/commerce/errors/{tail}",
    }
    return shaped(shapes.CHECKOUT_ERROR, deal.version, values)
