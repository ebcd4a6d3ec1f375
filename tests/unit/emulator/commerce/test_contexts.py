"""Who may buy for whom: the store, the chain to a buyer, the effective account."""

from __future__ import annotations

from typing import Any

import pytest
from httpx2 import Response

from tests.support.commerce_org import ADMIN, APPROVER, BREMEN, KIEL, LYON, NOBODY, OMAHA
from tests.unit.emulator.commerce.conftest import US, Shop, code_of


def test_a_buyer_acts_for_the_own_account(shown: Shop) -> None:
    """Without a parameter the account is that of the user's contact, with its groups in this store."""
    body = shown.store(KIEL, "GET", "/session-context").json()
    assert body["accountId"] == shown.account("ACC-110")
    assert body["accountName"] == "Nordmühle Werk Kiel"
    assert [group["name"] for group in body["buyerGroups"]] == ["Nordmühle Buyers"]
    assert body["profile"] == {"firstName": "Karin", "lastName": "Kieler", "userName": KIEL}
    assert body["guestUser"] is False


def test_old_versions_know_less_of_the_session(shown: Shop) -> None:
    """The account came with v57, the groups with v58; the user's name went after v61; v53 has no such resource."""
    assert set(shown.store(KIEL, "GET", "/session-context", version=56).json()) == {"guestUser", "userId", "userName"}
    assert "buyerGroups" not in shown.store(KIEL, "GET", "/session-context", version=57).json()
    assert "userName" not in shown.store(KIEL, "GET", "/session-context", version=62).json()
    assert code_of(shown.store(KIEL, "GET", "/session-context", version=53)) == (404, "NOT_FOUND")


def test_a_parameter_without_an_equals_sign_is_passed_over(shown: Shop) -> None:
    """`?effectiveAccountId001…` has another name: the call runs for the own account (flaw of the public service)."""
    other = shown.account("ACC-210")
    reply = shown.store(KIEL, "GET", f"/session-context?effectiveAccountId{other}")
    assert reply.status_code == 200
    assert reply.json()["accountId"] == shown.account("ACC-110")


def test_an_empty_account_is_none(shown: Shop) -> None:
    """`effectiveAccountId=` counts as left out."""
    reply = shown.store(KIEL, "GET", "/session-context?effectiveAccountId=")
    assert reply.json()["accountId"] == shown.account("ACC-110")


def test_accounts_that_a_buyer_manages_may_be_named(shown: Shop) -> None:
    """An approver acts for the plants of the group, by ids of 15 and of 18 characters."""
    for key in ("ACC-110", "ACC-120", "ACC-130"):
        wanted = shown.account(key)
        for text in (wanted, wanted[:15]):
            body = shown.store(APPROVER, "GET", "/session-context", params={"effectiveAccountId": text}).json()
            assert body["accountId"] == wanted


@pytest.mark.parametrize(
    ("user", "key"), [(KIEL, "ACC-120"), (KIEL, "ACC-100"), (BREMEN, "ACC-210"), (LYON, "ACC-200")]
)
def test_nobody_acts_for_anothers_account(shown: Shop, user: str, key: str) -> None:
    """Not even for a company of the same group, above or beside."""
    reply = shown.store(user, "GET", "/session-context", params={"effectiveAccountId": shown.account(key)})
    assert code_of(reply) == (403, "INSUFFICIENT_ACCESS")


def test_an_account_that_is_no_buyer_is_told_as_missing(shown: Shop) -> None:
    """An unknown id, an id of another object and an account that cannot buy are one and the same."""
    for text in ("001000000000000AAA", shown.product(1), "nonsense", shown.account("ACC-900")):
        reply = shown.store(ADMIN, "GET", "/session-context", params={"effectiveAccountId": text})
        assert code_of(reply) == (404, "EFFECTIVE_ACCOUNT_NOT_FOUND"), text


def test_a_user_of_the_org_must_name_an_account(shown: Shop) -> None:
    """Whoever is nobody's contact has no account of their own, and may name any that buys."""
    assert code_of(shown.store(ADMIN, "GET", "/session-context")) == (403, "INSUFFICIENT_ACCESS")
    named = {"effectiveAccountId": shown.account("ACC-310")}
    body = shown.store(ADMIN, "GET", "/session-context", name=US, params=named).json()
    assert body["accountName"] == "Prairie Omaha"


def test_the_broken_chain_is_refused(shown: Shop) -> None:
    """A contact's user whose account does not buy has a session and no store."""
    assert code_of(shown.store(NOBODY, "GET", "/session-context")) == (403, "INSUFFICIENT_ACCESS")


def test_a_store_without_the_user_among_its_members_is_closed(shown: Shop) -> None:
    """A buyer of one store does not enter the other, whose site has other members."""
    assert code_of(shown.store(OMAHA, "GET", "/session-context")) == (403, "INSUFFICIENT_ACCESS")
    assert code_of(shown.store(KIEL, "GET", "/application-context", name=US)) == (403, "INSUFFICIENT_ACCESS")


def test_each_broken_link_closes_the_store(shop: Shop) -> None:
    """Permission set, membership of the account and of the site: without any one of them nothing is bought."""
    links = (
        ("PermissionSetAssignment", "AssigneeId", shop.id("User", "Username", KIEL)),
        ("BuyerAccount", "BuyerId", shop.account("ACC-120")),
    )
    for user, (sobject, key, value) in zip((KIEL, BREMEN), links, strict=True):
        row = shop.id(sobject, key, value)
        assert shop.store(user, "GET", "/session-context").status_code == 200
        assert shop.call(ADMIN, "DELETE", f"/sobjects/{sobject}/{row}").status_code == 204
        assert code_of(shop.store(user, "GET", "/session-context")) == (403, "INSUFFICIENT_ACCESS")


def test_without_a_group_the_catalogue_is_empty(shop: Shop) -> None:
    """An account in no buyer group enters the store and sees nothing in it."""
    row = shop.id("BuyerGroupMember", "BuyerId", shop.account("ACC-110"))
    assert shop.call(ADMIN, "DELETE", f"/sobjects/BuyerGroupMember/{row}").status_code == 204
    assert shop.store(KIEL, "GET", "/session-context").json()["buyerGroups"] == []
    body = shop.store(KIEL, "POST", "/search/product-search", json={"searchTerm": "blade"}).json()
    assert body["productsPage"]["total"] == 0
    assert code_of(shop.store(KIEL, "GET", f"/products/{shop.product(1)}")) == (404, "MISSING_RECORD")


def test_unknown_stores_are_not_found(shown: Shop) -> None:
    """A store that is not there, whatever its id looks like."""
    for text in ("0ZE000000000999AAA", "001000000000001AAA", "current"):
        reply = shown.call(KIEL, "GET", f"/commerce/webstores/{text}/session-context")
        assert code_of(reply) == (404, "WEBSTORE_NOT_FOUND")


def test_what_nobody_verified_is_a_setting(shop: Shop) -> None:
    """Codes and statuses can be set while the org runs, and go back."""
    changed = shop.http.patch("/_emulator/commerce", json={"unknown_store": "NOT_THERE:400", "webstore_resource": True})
    assert changed.status_code == 200
    assert code_of(shop.call(KIEL, "GET", "/commerce/webstores/x/session-context")) == (400, "NOT_THERE")
    assert shop.store(KIEL, "GET", "").json()["defaultCurrency"] == "EUR"
    assert shop.http.patch("/_emulator/commerce", json={"unknown_store": "x"}).status_code == 400
    assert shop.http.patch("/_emulator/commerce", json={"nothing": 1}).status_code == 400
    assert shop.http.delete("/_emulator/commerce").status_code == 204
    assert code_of(shop.store(KIEL, "GET", "")) == (404, "NOT_FOUND")


def test_the_application_context_tells_of_the_store(shown: Shop) -> None:
    """Currency and country are the store's."""
    body = shown.store(OMAHA, "GET", "/application-context", name=US).json()
    assert (body["defaultCurrency"], body["country"], body["supportedCurrencies"]) == ("USD", "US", ["USD"])


def test_a_buyer_sees_the_accounts_to_buy_for(shown: Shop) -> None:
    """The switch lists what is managed, with the own account on demand."""
    body = shown.store(APPROVER, "GET", "/external-managed-accounts?includeMyAccount=true").json()
    assert body["totalExternalManagedAccounts"] == 4
    assert [one["isMyAccount"] for one in body["externalManagedAccounts"]] == [True, False, False, False]
    assert shown.store(KIEL, "GET", "/external-managed-accounts").json()["externalManagedAccounts"] == []


def test_a_profile_is_read_and_changed(shop: Shop) -> None:
    """What is changed is the user's row."""
    changed = shop.store(KIEL, "PATCH", "/myprofile", json={"lastName": "Kielmann", "phoneNumber": "+49 431 1"})
    assert changed.json()["lastName"] == "Kielmann"
    assert shop.store(KIEL, "GET", "/myprofile").json()["phoneNumber"] == "+49 431 1"
    assert "phoneNumber" not in shop.store(KIEL, "GET", "/myprofile", version=58).json()


def _code(shop: Shop, kind: str, purpose: str) -> dict[str, Any]:
    body = {"method": kind, "reCaptchaToken": "x", "type": purpose}
    reply = shop.store(KIEL, "POST", "/myprofile/actions/initOTP", json=body)
    assert reply.status_code == 200, reply.text
    return dict(reply.json())


def _prove(shop: Shop, identifier: str, code: str = "123456", user: str = KIEL) -> str:
    body = {"code": code, "identifier": identifier}
    return str(shop.store(user, "POST", "/myprofile/actions/verify", json=body).json()["status"])


def _change(shop: Shop, identifier: str | None, **fields: str) -> Response:
    proof = {"reCaptchaToken": "x", "stepUpVerificationIdentifier": identifier}
    return shop.store(KIEL, "PATCH", "/myprofile", json={**fields, "verificationInput": proof if identifier else {}})


def test_an_address_is_changed_with_a_code_where_the_org_asks_for_one(shop: Shop) -> None:
    """A proved step-up is good for one change; the new address is verified by a code of its own."""
    shop.http.patch("/_emulator/commerce", json={"profile_codes": True})
    new = {"email": "karin@nordmuehle.example"}
    assert _change(shop, None, **new).status_code == 400
    sent = _code(shop, "EMAIL", "StepUp")
    assert (sent["status"], sent["recipient"][:3]) == ("Success", "bu*")
    assert _change(shop, sent["identifier"], **new).status_code == 403
    assert _prove(shop, sent["identifier"], user=BREMEN) == "Failure"
    assert _prove(shop, sent["identifier"]) == "Success"
    assert _change(shop, sent["identifier"], **new, phoneNumber="+49 1").status_code == 400
    changed = _change(shop, sent["identifier"], **new).json()
    assert (changed["email"], changed["isEmailVerified"]) == (new["email"], False)
    assert changed["verificationResponse"]["method"] == "Email"
    assert _change(shop, sent["identifier"], **new).status_code == 403
    assert _prove(shop, changed["verificationResponse"]["identifier"]) == "Success"
    assert shop.store(KIEL, "GET", "/myprofile").json()["isEmailVerified"] is True
    assert _change(shop, None, lastName="Kieler").status_code == 200


def test_a_code_bears_five_tries_and_older_versions_know_none(shop: Shop) -> None:
    """After five wrong ones the right one is of no use; a user without a phone number gets no code there."""
    identifier = _code(shop, "EMAIL", "Verify")["identifier"]
    assert [_prove(shop, identifier, "0") for _ in range(5)] == ["Failure"] * 5
    assert _prove(shop, identifier) == "Failure"
    body = {"method": "SMS", "reCaptchaToken": "x", "type": "StepUp"}
    path = "/myprofile/actions/initOTP"
    assert shop.store(KIEL, "POST", path, json=body).status_code == 400
    assert shop.store(KIEL, "POST", path, json={**body, "method": "PIGEON"}).status_code == 400
    assert shop.store(KIEL, "POST", path, json=body, version=63).status_code == 404
