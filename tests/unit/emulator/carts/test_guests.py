"""Guests who look their order up by a token or by what they know of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.unit.emulator.carts.shops import ADMIN, BREMEN, Shop, check_out, error_of, place

_CONTACT = {"email": "karin.kieler@gast.example", "phoneNumber": "+49 431 5557740"}
_AUTHORIZE = "WS/order-summaries/actions/authorize"
_LOOKUP = "WS/order-summaries/actions/lookup"


def _ordered(shop: Shop) -> str:
    """Place an order whose bill names the guest; return its reference number."""
    shop.add(1, 2)
    number = place(shop, check_out(shop))
    (row,) = shop.query(f"SELECT Id FROM OrderSummary WHERE ExternalReferenceIdentifier = '{number}'")
    bill = {"BillingEmailAddress": _CONTACT["email"], "BillingPhoneNumber": _CONTACT["phoneNumber"]}
    shop.change("OrderSummary", row["Id"], **bill)
    return number


def _authorized(shop: Shop, **body: Any) -> Any:
    return shop.call("POST", _AUTHORIZE, user=BREMEN, version=64, json=body)


def test_a_guest_gets_a_token_that_finds_the_order(shop: Shop) -> None:
    """Who knows e-mail, phone and number reads the whole order by a token: without its id, with masked fields."""
    number = _ordered(shop)
    proof = {"email": "Karin.Kieler@Gast.example", "phoneNumber": "+494315557740"}
    reply = _authorized(shop, **proof, orderSummaryRefNumber=number)
    assert reply.status_code == 200, reply.text
    assert list(reply.json()) == ["accessToken"]
    token = reply.json()["accessToken"]
    fields = "OrderSummary.BillingEmailAddress,OrderSummary.BillingPhoneNumber,OrderSummary.PoNumber"
    params = {"accessToken": token, "fields": fields, "excludeParameters": "Adjustments"}
    body = shop.call("GET", _LOOKUP, user=BREMEN, version=64, params=params).json()
    assert (body["id"], body["status"], body["adjustments"]) == (None, "Created", [])
    texts = {name: value["text"] for name, value in body["fields"].items()}
    assert texts == {
        "BillingEmailAddress": "ka**********@ga**.example",
        "BillingPhoneNumber": "***********7740",
        "PoNumber": "PO-7",
    }
    (line,) = body["deliveryGroups"][0]["lineItems"]
    assert line["product"]["canViewProduct"] is True
    assert not any(token.encode() in file.read_bytes() for file in shop.files())


def test_a_token_ends_after_an_hour_and_is_for_one_order(shop: Shop) -> None:
    """The token is refused with another number, and with any after 60 minutes."""
    number = _ordered(shop)
    token = _authorized(shop, **_CONTACT, orderSummaryRefNumber=number, lastName="kieler").json()["accessToken"]
    path = f"{_LOOKUP}?accessToken={token}"
    assert shop.call("GET", f"{path}&orderSummaryIdOrRefNumber={number}", version=64).status_code == 200
    other = shop.call("GET", f"{path}&orderSummaryIdOrRefNumber=OTHER", version=64)
    assert error_of(other) == (403, "INSUFFICIENT_ACCESS")
    shop.clock.ahead += timedelta(minutes=59)
    assert shop.call("GET", path, version=64).status_code == 200
    shop.clock.ahead += timedelta(minutes=1)
    assert error_of(shop.call("GET", path, version=64)) == (403, "INSUFFICIENT_ACCESS")


@pytest.mark.parametrize(
    "wrong",
    [
        {"email": "karin@gast.example"},
        {"phoneNumber": "+49 431 5557741"},
        {"phoneNumber": "none"},
        {"lastName": "Karin"},
        {"orderSummaryRefNumber": "AAAAA-AAAAA-AAAAA-AAAAA"},
    ],
)
def test_what_does_not_fit_is_refused_alike(shop: Shop, wrong: dict[str, str]) -> None:
    """One wrong value is enough, and the reply does not tell which it was nor whether the order is there."""
    body = {**_CONTACT, "orderSummaryRefNumber": _ordered(shop), **wrong}
    reply = _authorized(shop, **body)
    text = "We couldn't verify your access to the order summary."
    assert (reply.status_code, reply.json()) == (403, [{"errorCode": "INSUFFICIENT_ACCESS", "message": text}])


def test_authorizing_refuses_what_makes_no_sense(shop: Shop) -> None:
    """Each required value is asked for; unknown ones are refused; versions before 64 do not have it."""
    whole = {**_CONTACT, "orderSummaryRefNumber": "AAAAA-AAAAA-AAAAA-AAAAA"}
    for name in whole:
        reply = _authorized(shop, **{key: value for key, value in whole.items() if key != name})
        message = f"You must specify a value for the {name} parameter."
        assert (reply.status_code, reply.json()) == (400, [{"errorCode": "INVALID_API_INPUT", "message": message}])
    assert error_of(_authorized(shop, **whole, city="Kiel")) == (400, "JSON_PARSER_ERROR")
    assert error_of(shop.call("POST", _AUTHORIZE, version=63, json=whole)) == (404, "NOT_FOUND")


def test_an_order_without_contact_is_nobodys(shop: Shop) -> None:
    """An order whose bill names neither e-mail nor phone is never shown to a guest."""
    shop.add(1)
    number = place(shop, check_out(shop))
    assert error_of(_authorized(shop, **_CONTACT, orderSummaryRefNumber=number)) == (403, "INSUFFICIENT_ACCESS")


def test_a_guest_may_prove_it_in_the_look_up(shop: Shop) -> None:
    """POST takes the proof itself; an empty or a wrong one is refused; buyers still see their ids."""
    body: dict[str, Any] = {"orderSummaryIdOrRefNumber": _ordered(shop)}
    shown = shop.call("POST", _LOOKUP, user=ADMIN, json={**body, "verification": {"email": _CONTACT["email"]}})
    assert (shown.status_code, shown.json()["id"]) == (200, None)
    wrong = shop.call("POST", _LOOKUP, user=ADMIN, json={**body, "verification": {"email": "other@gast.example"}})
    assert error_of(wrong) == (403, "INSUFFICIENT_ACCESS")
    empty = shop.call("POST", _LOOKUP, user=ADMIN, json={**body, "verification": {}})
    assert error_of(empty) == (400, "INVALID_API_INPUT")
    assert shop.call("POST", _LOOKUP, json=body).json()["id"]
