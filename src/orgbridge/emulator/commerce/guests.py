"""Guests who look their order up: they prove who they are by what the order knows of them.

Source: facts/commerce/orders.md section 2, rows 10 and 11, and the reference of Order Summary Authorization: a token
is valid for 60 minutes; the sample of it shows how phone and e-mail are masked. Assumed: that e-mail and phone are
those of the bill, that the last name is the last word of a name that was delivered to, that everything that does not
fit is refused alike, and that `excludeParameters` and fields are as for registered buyers.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from orgbridge.emulator.commerce import inputs
from orgbridge.emulator.commerce.contexts import BuyerContext, Store, groups_of
from orgbridge.emulator.commerce.deals import Deal, Row, bad_input, required
from orgbridge.emulator.commerce.versions import Shape
from orgbridge.emulator.schema.errors import SFError
from orgbridge.kit.json import JSON
from orgbridge.wire.dates import bulk_datetime

#: The room's own table; of a token only its hash is kept.
TABLES = """
CREATE TABLE IF NOT EXISTS ob_order_tokens (
    token_hash TEXT PRIMARY KEY,
    summary_id TEXT NOT NULL,
    expires TEXT NOT NULL
)
"""
_VALID = timedelta(minutes=60)
_AUTHORIZATION: Shape = {"email": 64, "lastName": 64, "orderSummaryRefNumber": 64, "phoneNumber": 64}
_VERIFICATION: Shape = {"email": 58, "lastName": 58, "phoneNumber": 58}
_FIELD = {"label", "text", "type"}
_HEAD, _TAIL = 2, 4


def nobody(store: Store, user_id: str) -> BuyerContext:
    """Return a guest of a store: nobody's contact, with no account."""
    return BuyerContext(
        store=store, user_id=user_id, contact_id=None, own_account_id=None, account_id="", account_name="", groups=()
    )


def authorize(deal: Deal, given: JSON) -> str:
    """Return a token for the order that a guest proves to know.

    Raises:
        SFError: Something is missing, or there is no such order, or the guest is not who ordered: which of the two is
            not told.
    """
    body = inputs.check(_AUTHORIZATION, given, deal.version)
    number = required(body, "orderSummaryRefNumber")
    proof = {name: required(body, name) for name in ("email", "phoneNumber")}
    if (last := inputs.text(body, "lastName")) is not None:
        proof["lastName"] = last
    summary = _proved(deal, number, proof)
    token = secrets.token_urlsafe(48)
    deal.connection.execute("DELETE FROM ob_order_tokens WHERE expires <= ?", (deal.now,))
    expires = bulk_datetime(deal.org.clock.now() + _VALID)
    deal.connection.execute("INSERT INTO ob_order_tokens VALUES (?, ?, ?)", (_hash(token), summary["Id"], expires))
    return token


def by_token(deal: Deal, token: str, number: str | None) -> Row:
    """Return the summary that a token is for.

    Args:
        deal: The guest's business.
        token: What `authorize` returned.
        number: The order reference number, which must be the same order's; None where it is not told.

    Raises:
        SFError: The token is unknown or too old, or for another order or store.
    """
    sql = "SELECT summary_id FROM ob_order_tokens WHERE token_hash = ? AND expires > ?"
    found = deal.connection.execute(sql, (_hash(token), deal.now)).fetchone()
    summary = None if found is None else deal.find("OrderSummary", found[0])
    if summary is None or summary["SalesStoreId"] != deal.buyer.store.id:
        raise _refused(deal)
    if number is not None and number != summary["ExternalReferenceIdentifier"]:
        raise _refused(deal)
    return summary


def by_verification(deal: Deal, given: JSON, number: str) -> Row:
    """Return the summary of an order reference number to a guest who proves to be who ordered.

    Raises:
        SFError: As `authorize`.
    """
    body = inputs.check(_VERIFICATION, given, deal.version)
    proof = {name: value for name in _VERIFICATION if (value := inputs.text(body, name)) is not None}
    if not proof:
        raise bad_input("You must specify a value for the verification parameter.")
    return _proved(deal, number, proof)


def acting_for(deal: Deal, summary: Row) -> Deal:
    """Return the deal that reads an order as its own account does."""
    account = str(summary["AccountId"])
    groups = groups_of(deal.connection, deal.buyer.store.id, account)
    return replace(deal, buyer=replace(deal.buyer, account_id=account, groups=groups))


def masked(body: JSON) -> JSON:
    """Return a body with phone numbers and e-mail addresses of Record Fields masked."""
    if isinstance(body, list):
        return [masked(one) for one in body]
    if not isinstance(body, Mapping):
        return body
    if set(body) == _FIELD and body["type"] in ("email", "phone") and body["text"]:
        hide = masked_email if body["type"] == "email" else masked_phone
        return {**body, "text": hide(str(body["text"]))}
    return {name: masked(value) for name, value in body.items()}


def masked_email(text: str) -> str:
    """Return an e-mail address of which little can be read."""
    local, _, domain = text.partition("@")
    name, dot, end = domain.rpartition(".")
    return f"{_hidden(local)}@{_hidden(name)}{dot}{end}"


def _hidden(text: str) -> str:
    return text[:_HEAD] + "*" * (len(text) - _HEAD)


def masked_phone(text: str) -> str:
    """Return a phone number of which little can be read."""
    return "*" * len(text) if len(text) <= _TAIL else "*" * (len(text) - _TAIL) + text[-_TAIL:]


def _proved(deal: Deal, number: str, proof: Mapping[str, str]) -> Row:
    where = {"ExternalReferenceIdentifier": number, "SalesStoreId": deal.buyer.store.id}
    for summary in deal.rows("OrderSummary", where):
        if all(_fits(deal, summary, name, value) for name, value in proof.items()):
            return summary
    raise _refused(deal)


def _fits(deal: Deal, summary: Row, name: str, value: str) -> bool:
    if name == "email":
        return _same(value, [summary["BillingEmailAddress"]])
    if name == "phoneNumber":
        digits = _digits(value)
        return bool(digits) and digits == _digits(summary["BillingPhoneNumber"] or "")
    groups = deal.rows("OrderDeliveryGroupSummary", {"OrderSummaryId": summary["Id"]})
    return _same(value, [(group["DeliverToName"] or "").rpartition(" ")[2] for group in groups])


def _same(value: str, known: list[str | None]) -> bool:
    return value.strip().casefold() in {one.strip().casefold() for one in known if one and one.strip()}


def _digits(text: str) -> str:
    return "".join(sign for sign in text if sign.isdigit())


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _refused(deal: Deal) -> SFError:
    return deal.policy.no_access.error("We couldn't verify your access to the order summary.")
