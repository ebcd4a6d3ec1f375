"""Addresses below a row, conditions on rows, and plans of queries."""

from __future__ import annotations

import pytest

from tests.unit.emulator.http.conftest import Caller, V


@pytest.fixture
def family(call: Caller) -> tuple[str, str]:
    """Ids of an account and its contact."""
    account = call("POST", "/sobjects/Account", json={"Name": "Acme"}).json()["id"]
    contact = call("POST", "/sobjects/Contact", json={"LastName": "Ax", "AccountId": account}).json()["id"]
    return account, contact


@pytest.mark.documented
def test_a_parent_is_read_changed_and_deleted_by_its_child(call: Caller, family: tuple[str, str]) -> None:
    """The relationship's name leads to the parent, and to nothing where it is empty."""
    account, contact = family
    path = f"/sobjects/Contact/{contact}/Account"
    shown = call("GET", f"{path}?fields=Name").json()
    assert shown == {
        "attributes": {"type": "Account", "url": f"{V}/sobjects/Account/{account}"}, "Name": "Acme", "Id": account,
    }  # fmt: skip
    assert call("PATCH", path, json={"Name": "New"}).status_code == 204
    assert call("GET", f"/sobjects/Account/{account}").json()["Name"] == "New"
    assert call("GET", f"/sobjects/Contact/{contact}/ReportsTo").status_code == 404
    assert call("GET", f"/sobjects/Contact/{contact}/Nope").status_code == 404
    assert call("GET", f"/sobjects/Contact/{contact}/Owner").json()["attributes"]["type"] == "User"
    assert call("DELETE", path).status_code == 204
    assert call("GET", f"/sobjects/Account/{account}").status_code == 404


@pytest.mark.documented
def test_children_come_in_the_form_of_a_query(call: Caller, family: tuple[str, str]) -> None:
    """All fields, or those named; none are an empty result; they cannot be changed together."""
    account, contact = family
    reply = call("GET", f"/sobjects/Account/{account}/Contacts?fields=LastName")
    assert reply.json() == {
        "totalSize": 1,
        "done": True,
        "records": [
            {"attributes": {"type": "Contact", "url": f"{V}/sobjects/Contact/{contact}"}, "LastName": "Ax"},
        ],
    }
    whole = call("GET", f"/sobjects/Account/{account}/contacts").json()["records"][0]
    assert whole.keys() == call("GET", f"/sobjects/Contact/{contact}").json().keys()
    empty = call("GET", f"/sobjects/Account/{account}/Cases").json()
    assert (empty["totalSize"], empty["records"]) == (0, [])
    assert call("PATCH", f"/sobjects/Account/{account}/Contacts", json={}).status_code == 405
    assert call("GET", f"/sobjects/Account/{account}/Contacts?fields=Nope").status_code == 400
    assert call("GET", "/sobjects/Account/001000000000009AAA/Contacts").status_code == 404


def test_relationships_work_in_a_composite_call(call: Caller, family: tuple[str, str]) -> None:
    """Traversal and children are sobjects resources like any other."""
    items = [
        {"method": "GET", "url": f"{V}/sobjects/Contact/{family[1]}/Account", "referenceId": "a"},
        {"method": "GET", "url": f"{V}/sobjects/Account/@{{a.Id}}/Contacts?fields=Id", "referenceId": "b"},
    ]
    results = call("POST", "/composite", json={"compositeRequest": items, "allOrNone": True}).json()
    assert results["compositeResponse"][1]["body"]["records"][0]["Id"] == family[1]


@pytest.mark.documented
def test_accounts_have_etags(call: Caller, family: tuple[str, str]) -> None:
    """A known row is 304, a writer with an old tag is stopped, also within one second; others have no tags."""
    path = f"/sobjects/Account/{family[0]}"
    first = call("GET", path).headers["etag"]
    assert call("GET", f"{path}?fields=Name").headers["etag"] == first
    assert call("GET", path, headers={"If-None-Match": f'"other", {first}'}).status_code == 304
    assert call("GET", path, headers={"If-Match": first}).status_code == 200
    assert call("PATCH", path, headers={"If-Match": first}, json={"Name": "B"}).status_code == 204
    assert call("PATCH", path, headers={"If-Match": first}, json={"Name": "C"}).status_code == 412
    second = call("GET", path).headers["etag"]
    assert call("PATCH", path, headers={"If-None-Match": second}, json={"Name": "D"}).status_code == 412
    assert (first == second, call("GET", path).json()["Name"]) == (False, "B")
    assert call("DELETE", path, headers={"If-Match": second}).status_code == 403
    reply = call("GET", f"/sobjects/Contact/{family[1]}")
    assert "etag" not in reply.headers
    assert call("GET", f"/sobjects/Contact/{family[1]}", headers={"If-Match": first}).status_code == 403


def test_dates_stop_writers_by_key_too(call: Caller) -> None:
    """If-Unmodified-Since holds for an upsert of a row that is there."""
    path = "/sobjects/Account/External_Id__c/k"
    assert call("PATCH", path, json={"Name": "A"}).status_code == 201
    past = {"If-Unmodified-Since": "Mon, 01 Jan 2001 00:00:00 GMT"}
    assert call("PATCH", path, headers=past, json={"Name": "B"}).status_code == 412
    assert call("GET", path).json()["Name"] == "A"
    assert call("PATCH", path, headers={"If-Unmodified-Since": "soon"}, json={"Name": "B"}).status_code == 400


@pytest.mark.parametrize(
    ("header", "value", "status"),
    [
        ("Sforce-Auto-Assign", "FALSE", 200),
        ("Sforce-Auto-Assign", "01Q000000000001AAA", 200),
        ("Sforce-Auto-Assign", "perhaps", 400),
        ("Sforce-Duplicate-Rule-Header", "allowSave=true; includeRecordDetails=false", 200),
        ("Sforce-Duplicate-Rule-Header", "saveAnyway=true", 400),
        ("Sforce-Mru", "updateMru=false", 200),
        ("Sforce-Mru", "update", 400),
        ("Sforce-Call-Options", "client=a/b, defaultNamespace=ns", 200),
        ("Sforce-Call-Options", "speed=1", 400),
        ("x-sfdc-packageversion-ns", "1.0", 403),
    ],
)
def test_headers_say_what_they_may(call: Caller, header: str, value: str, status: int) -> None:
    """Known headers with a known value pass, others are refused."""
    assert call("GET", "/limits", headers={header: value}).status_code == status


def test_a_query_is_explained(call: Caller, family: tuple[str, str]) -> None:
    """An indexed filter is told from a scan, and nothing is read."""
    soql = f"SELECT Id FROM Account WHERE Id = '{family[0]}'"
    reply = call("GET", "/query", params={"explain": soql}).json()
    (plan,) = reply["plans"]
    assert (reply["sourceQuery"], plan["leadingOperationType"], plan["cardinality"]) == (soql, "Index", 1)
    assert plan["fields"] == ["Id"]
    named = call("GET", "/query", params={"explain": "SELECT Id FROM Account WHERE External_Id__c = 'x'"}).json()
    assert named["plans"][0]["fields"] == ["External_Id__c"]
    scan = call("GET", "/query", params={"explain": "SELECT Id FROM Account WHERE Phone = 'x'"}).json()
    assert (scan["plans"][0]["leadingOperationType"], scan["plans"][0]["sobjectCardinality"]) == ("TableScan", 1)
    assert call("GET", "/query", params={"explain": "SELECT"}).json()[0]["errorCode"] == "MALFORMED_QUERY"
