"""Signing in as a buyer by JWT bearer, at the org and at a site, and using the API there."""

from __future__ import annotations

from tests.support.commerce_org import ADMIN, KIEL, NOBODY, OMAHA, token_form
from tests.unit.emulator.commerce.conftest import EU, Shop

_SITE = "/parts-eu"
_ROOT = "http://testserver"


def test_a_buyer_signs_in_at_the_site(shown: Shop) -> None:
    """The token endpoint below the site's path takes the site as audience and tells where the site is."""
    form = token_form(KIEL, f"{_ROOT}{_SITE}")
    for path in (f"{_SITE}/services/oauth2/token", "/services/oauth2/token"):
        reply = shown.http.post(path, data=form)
        assert reply.status_code == 200, reply.text
        body = reply.json()
        assert body["instance_url"] == _ROOT
        assert body["sfdc_community_url"] == f"{_ROOT}{_SITE}"
        assert body["sfdc_community_id"] == shown.id("Network", "Name", EU)
        assert "expires_in" not in body
        assert "issued_at" not in body


def test_the_api_answers_at_both_addresses(shown: Shop) -> None:
    """One session, the org's own path and the site's."""
    store = shown.id("WebStore", "Name", EU)
    headers = {"Authorization": f"Bearer {shown.token(KIEL)}"}
    path = f"/services/data/v62.0/commerce/webstores/{store}/session-context"
    assert shown.http.get(path, headers=headers).json() == shown.http.get(f"{_SITE}{path}", headers=headers).json()


def test_a_site_is_for_its_members(shown: Shop) -> None:
    """Neither tokens nor the API for whoever belongs to another site; users of the org itself come in."""
    refused = shown.http.post(f"{_SITE}/services/oauth2/token", data=token_form(OMAHA, f"{_ROOT}{_SITE}"))
    assert refused.status_code == 400
    assert refused.json()["error"] == "invalid_grant"
    path = f"{_SITE}/services/data/v62.0/limits"
    omaha = shown.http.get(path, headers={"Authorization": f"Bearer {shown.token(OMAHA)}"})
    assert omaha.status_code == 401
    assert omaha.json()[0]["errorCode"] == "INVALID_SESSION_ID"
    assert shown.http.get(path, headers={"Authorization": f"Bearer {shown.token(ADMIN)}"}).status_code == 200


def test_users_of_the_org_hear_of_no_site(shown: Shop) -> None:
    """The reply of a user who is nobody's contact is as ever."""
    body = shown.http.post("/services/oauth2/token", data=token_form(ADMIN)).json()
    assert not {"sfdc_community_url", "sfdc_community_id"} & set(body)


def test_unknown_sites_and_audiences_are_refused(shown: Shop) -> None:
    """A path that no site has is not found; an audience that is no address of the org is not valid."""
    assert shown.http.post("/nowhere/services/oauth2/token", data=token_form(KIEL)).status_code == 404
    assert shown.http.get(f"{_SITE}/_emulator/health").status_code == 404
    for audience in (f"{_ROOT}/nowhere", f"https://evil.example{_SITE}", f"{_ROOT}{_SITE}/deeper"):
        reply = shown.http.post("/services/oauth2/token", data=token_form(KIEL, audience))
        assert reply.json() == {"error": "invalid_grant", "error_description": "audience is invalid"}


def test_somebody_whose_account_buys_nothing_still_signs_in(shown: Shop) -> None:
    """The door is the user's; the chain to the store is broken behind it."""
    assert shown.http.post(f"{_SITE}/services/oauth2/token", data=token_form(NOBODY)).status_code == 200


def test_an_inactive_buyer_is_refused(shop: Shop) -> None:
    """Whoever is not active gets no token."""
    user = shop.id("User", "Username", KIEL)
    assert shop.call(ADMIN, "PATCH", f"/sobjects/User/{user}", json={"IsActive": False}).status_code == 204
    reply = shop.http.post(f"{_SITE}/services/oauth2/token", data=token_form(KIEL))
    assert (reply.status_code, reply.json()["error"]) == (400, "invalid_grant")
