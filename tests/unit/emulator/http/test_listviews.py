"""List views, and what else pages show around rows."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.emulator.http.conftest import Caller, V


def view_of(call: Caller, sobject: str = "Account") -> dict[str, Any]:
    """Return the one list view of an object."""
    (view,) = call("GET", f"/sobjects/{sobject}/listviews").json()["listviews"]
    return dict(view)


def below(call: Caller, address: str) -> Any:
    """Return the reply of an address that a list view names."""
    reply = call("GET", address.removeprefix(V))
    assert reply.status_code == 200, reply.text
    return reply.json()


@pytest.mark.documented
def test_a_list_view_shows_all_rows_in_pages(call: Caller) -> None:
    """Pages of rows in the order of their names, told with their columns; the last page says that it is."""
    for name in ("Cesar", "Anton", "Berta"):
        call("POST", "/sobjects/Account", json={"Name": name})
    view = view_of(call)
    assert (view["developerName"], view["label"], view["soqlCompatible"]) == ("AllAccounts", "All Accounts", True)
    assert below(call, view["url"]) == view
    first = below(call, f"{view['resultsUrl']}?limit=2")
    second = below(call, f"{view['resultsUrl']}?limit=2&offset=2")
    names = [[row["columns"][0]["value"] for row in page["records"]] for page in (first, second)]
    assert names == [["Anton", "Berta"], ["Cesar"]]
    assert [page["done"] for page in (first, second)] == [False, True]
    assert [page["size"] for page in (first, second)] == [2, 1]
    assert first["columns"][0]["fieldNameOrPath"] == "Name"


@pytest.mark.documented
def test_the_query_of_a_list_view_runs(call: Caller) -> None:
    """Describe tells a query, which brings the same rows, and explain takes the id of the view for it."""
    call("POST", "/sobjects/Account", json={"Name": "Anton"})
    view = view_of(call)
    told = below(call, view["describeUrl"])
    rows = call("GET", "/query", params={"q": told["query"]}).json()["records"]
    assert [row["Name"] for row in rows] == ["Anton"]
    plans = call("GET", "/query", params={"explain": view["id"]}).json()
    assert plans["sourceQuery"] == told["query"]
    assert call("GET", "/query", params={"explain": "00B000000000001"}).status_code == 404


@pytest.mark.assumed
def test_every_object_with_pages_has_a_view_that_runs(call: Caller) -> None:
    """Describe, results and query work for each, also for those without a name."""
    shown = [tab["sobjectName"] for tab in call("GET", "/tabs").json()]
    assert len(shown) > 20
    for sobject in shown:
        view = view_of(call, sobject)
        assert call("GET", view["resultsUrl"].removeprefix(V)).status_code == 200, sobject
        told = below(call, view["describeUrl"])
        assert call("GET", "/query", params={"q": told["query"]}).status_code == 200, told["query"]


@pytest.mark.assumed
@pytest.mark.parametrize("query", ["limit=0", "limit=2001", "limit=x", "offset=-1", "offset=2001", "limit=99999999999"])
def test_pages_out_of_bounds_are_refused(call: Caller, query: str) -> None:
    """A limit or an offset that is no number within bounds is an error, not a guess."""
    reply = call("GET", f"{view_of(call)['resultsUrl'].removeprefix(V)}?{query}")
    assert (reply.status_code, reply.json()[0]["errorCode"]) == (400, "INVALID_QUERY_LIMIT")


@pytest.mark.assumed
def test_what_is_not_there_is_not_found(call: Caller) -> None:
    """Views of other objects, quick actions, and the SOAP APIs beside signing in."""
    other = view_of(call, "Contact")["id"]
    for path in (
        f"/sobjects/Account/listviews/{other}",
        "/quickActions/LogACall",
        "/sobjects/Account/quickActions/New",
    ):
        assert call("GET", path).status_code == 404, path
    assert call("GET", "/sobjects/Account/listviews/recent").json()["listviews"] == []
    assert call("GET", "/process/rules").json() == {"rules": {}}
    assert call("GET", "/process/approvals").json() == {"approvals": {}}
    assert call("GET", "/quickActions").json() == []
    names = [item["name"] for item in call("GET", "/theme").json()["themeItems"]]
    assert "Account" in names
