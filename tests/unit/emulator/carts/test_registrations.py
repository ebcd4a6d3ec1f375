"""Guests who register as buyers."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.emulator.carts.shops import ADMIN, BREMEN, Shop, error_of

_PATH = "WS/buyers/registrations"
_EMAIL = "jana.jensen@gast.example"
_ADDRESS = {"name": "Jana Jensen", "street": "Hafen 3", "city": "Husum", "postalCode": "25813", "country": "Germany"}
_BODY: dict[str, Any] = {
    "captchaToken": "03AFcWeA-captcha",
    "email": _EMAIL,
    "firstName": "Jana",
    "lastName": "Jensen",
    "phoneNumber": "+49 4841 555",
    "addressList": {"addresses": [_ADDRESS, {**_ADDRESS, "street": "Hafen 4", "companyName": "Jensen"}]},
}


@pytest.fixture
def open_store(shop: Shop) -> Shop:
    """A shop that guests may browse."""
    shop.change("WebStore", shop.store(), OptionsGuestBrowsingEnabled=True)
    return shop


def _register(shop: Shop, changes: dict[str, Any] | None = None, *, version: int = 61) -> Any:
    body = {name: value for name, value in {**_BODY, **(changes or {})}.items() if value is not None}
    return shop.call("POST", _PATH, user=BREMEN, version=version, json=body)


def _let_in(shop: Shop, user_id: str) -> None:
    """Give the new user a password, and sign in with it."""
    word = "hafenstadt25813"
    reply = shop.call("POST", f"/sobjects/User/{user_id}/password", user=ADMIN, json={"NewPassword": word})
    assert reply.status_code == 204, reply.text
    form = {"grant_type": "password", "client_id": "local-client", "client_secret": "local-secret"}
    signed_in = shop.http.post("/services/oauth2/token", data={**form, "username": _EMAIL, "password": word})
    assert signed_in.status_code == 200, signed_in.text
    shop.tokens[_EMAIL] = signed_in.json()["access_token"]


def test_a_guest_becomes_a_buyer(open_store: Shop) -> None:
    """Account, contact, user and addresses are there, and the user may enter the store as that account."""
    shop = open_store
    reply = _register(shop)
    assert reply.status_code == 201, reply.text
    assert list(reply.json()) == ["accountId"]
    account = reply.json()["accountId"]
    assert shop.query(f"SELECT Name FROM Account WHERE Id = '{account}'")[0]["Name"] == "Jana Jensen"
    (user,) = shop.query(f"SELECT Id, Contact.AccountId, Email FROM User WHERE Username = '{_EMAIL}'")
    assert (user["Contact"]["AccountId"], user["Email"]) == (account, _EMAIL)
    addresses = shop.query(
        f"SELECT Street, IsDefault FROM ContactPointAddress WHERE ParentId = '{account}' ORDER BY Id"
    )
    assert [(one["Street"], one["IsDefault"]) for one in addresses] == [("Hafen 3", True), ("Hafen 4", False)]
    _let_in(shop, user["Id"])
    cart = shop.call("PUT", "WS/carts/active", user=_EMAIL)
    assert (cart.status_code, cart.json()["accountId"]) == (201, account)
    assert not any(b"03AFcWeA-captcha" in file.read_bytes() for file in shop.files())


def test_addresses_may_be_a_list(open_store: Shop) -> None:
    """The documented type of addressList is taken as well as the documented sample."""
    account = _register(open_store, {"addressList": [_ADDRESS]}).json()["accountId"]
    assert len(open_store.query(f"SELECT Id FROM ContactPointAddress WHERE ParentId = '{account}'")) == 1


def test_a_user_name_is_taken_once(open_store: Shop) -> None:
    """A second registration with the same e-mail is refused and leaves nothing behind."""
    assert _register(open_store).status_code == 201
    again = _register(open_store)
    assert error_of(again) == (400, "DUPLICATE_VALUE")
    assert len(open_store.query("SELECT Id FROM Account WHERE Name = 'Jana Jensen'")) == 1


@pytest.mark.parametrize("name", sorted(_BODY))
def test_everything_is_asked_for(open_store: Shop, name: str) -> None:
    """Each property is required."""
    reply = _register(open_store, {name: None})
    message = f"You must specify a value for the {name} parameter."
    assert (reply.status_code, reply.json()) == (400, [{"errorCode": "INVALID_API_INPUT", "message": message}])


def test_registering_refuses_what_makes_no_sense(open_store: Shop) -> None:
    """Addresses need their parts, unknown properties are refused, and versions before 61 do not have it."""
    bare = {name: value for name, value in _ADDRESS.items() if name != "country"}
    assert error_of(_register(open_store, {"addressList": [bare]})) == (400, "INVALID_API_INPUT")
    assert error_of(_register(open_store, {"addressList": []})) == (400, "INVALID_API_INPUT")
    assert error_of(_register(open_store, {"addressList": [{**_ADDRESS, "planet": "E"}]})) == (400, "JSON_PARSER_ERROR")
    assert error_of(_register(open_store, {"password": "x"})) == (400, "JSON_PARSER_ERROR")
    assert error_of(_register(open_store, version=60)) == (404, "NOT_FOUND")
    assert open_store.query("SELECT Id FROM Account WHERE Name = 'Jana Jensen'") == []


def test_a_store_without_guests_registers_nobody(shop: Shop) -> None:
    """Guests must be allowed to browse the store."""
    shop.change("WebStore", shop.store(), OptionsGuestBrowsingEnabled=False)
    assert error_of(_register(shop)) == (403, "INSUFFICIENT_ACCESS")
