"""/query with children, FOR VIEW and page sizes; /search and /parameterizedSearch."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.emulator.http.conftest import Caller, V


def _create(call: Caller, sobject: str, **fields: Any) -> str:
    reply = call("POST", f"/sobjects/{sobject}", json=fields)
    assert reply.status_code == 201, reply.text
    return str(reply.json()["id"])


def _create_many(call: Caller, sobject: str, rows: list[dict[str, Any]]) -> None:
    for start in range(0, len(rows), 200):
        records = [{"attributes": {"type": sobject}, **row} for row in rows[start : start + 200]]
        reply = call("POST", "/composite/sobjects", json={"records": records})
        assert all(result["success"] for result in reply.json()), reply.text


def _get(call: Caller, soql: str, **headers: str) -> dict[str, Any]:
    reply = call("GET", "/query", params={"q": soql}, headers=headers)
    assert reply.status_code == 200, reply.text
    body: dict[str, Any] = reply.json()
    return body


@pytest.mark.documented
def test_a_long_list_of_children_has_pages_of_its_own(call: Caller) -> None:
    """Children beyond a page come under their own nextRecordsUrl, each of them once, and count toward the page."""
    big, small = (_create(call, "Account", Name=name) for name in ("Big", "Small"))
    _create_many(call, "Contact", [{"LastName": f"C{n:03d}", "AccountId": big} for n in range(450)])
    _create_many(call, "Contact", [{"LastName": "Only", "AccountId": small}])
    soql = "SELECT Name, (SELECT LastName FROM Contacts ORDER BY LastName) FROM Account ORDER BY Name"
    first = _get(call, soql, **{"Sforce-Query-Options": "batchSize=200"})
    assert (first["totalSize"], first["done"], [r["Name"] for r in first["records"]]) == (2, False, ["Big"])
    children = first["records"][0]["Contacts"]
    assert list(children) == ["totalSize", "done", "nextRecordsUrl", "records"]
    names, page = [], children
    while True:
        assert page["totalSize"] == 450
        names += [record["LastName"] for record in page["records"]]
        if page["done"]:
            break
        page = call("GET", page["nextRecordsUrl"]).json()
    assert names == [f"C{n:03d}" for n in range(450)]
    second = call("GET", first["nextRecordsUrl"]).json()
    assert (second["done"], second["totalSize"]) == (True, 2)
    assert [(r["Name"], r["Contacts"]["totalSize"]) for r in second["records"]] == [("Small", 1)]
    assert "nextRecordsUrl" not in second["records"][0]["Contacts"]


@pytest.mark.documented
def test_records_with_few_children_share_a_page_until_it_is_full(call: Caller) -> None:
    """With a batch size of 200, 150 accounts with one contact each need two pages."""
    _create_many(call, "Account", [{"Name": f"A{n:03d}"} for n in range(150)])
    ids = [record["Id"] for record in _get(call, "SELECT Id FROM Account")["records"]]
    _create_many(call, "Contact", [{"LastName": "C", "AccountId": identity} for identity in ids])
    soql = "SELECT Name, (SELECT Id FROM Contacts) FROM Account"
    first = _get(call, soql, **{"Sforce-Query-Options": "batchSize=200"})
    second = call("GET", first["nextRecordsUrl"]).json()
    assert (len(first["records"]), len(second["records"]), second["done"]) == (100, 50, True)


@pytest.mark.documented
def test_for_view_and_for_reference_leave_their_instants(call: Caller) -> None:
    """Only the records found are marked, each clause in its own field, and SystemModstamp stays."""
    _create(call, "Account", Name="Seen")
    _create(call, "Account", Name="Unseen")
    fields = "SELECT Name, LastViewedDate, LastReferencedDate, SystemModstamp FROM Account ORDER BY Name"
    before = _get(call, fields)["records"]
    _get(call, "SELECT Id FROM Account WHERE Name = 'Seen' ORDER BY Name LIMIT 5 FOR VIEW")
    seen, unseen = _get(call, fields)["records"]
    assert (seen["LastViewedDate"] is not None, seen["LastReferencedDate"]) == (True, None)
    assert unseen == before[1]
    assert seen["SystemModstamp"] == before[0]["SystemModstamp"]
    _get(call, "SELECT Id FROM Account FOR REFERENCE")
    assert all(record["LastReferencedDate"] for record in _get(call, fields)["records"])


@pytest.mark.documented
def test_subqueries_inside_each_other_need_version_58(call: Caller) -> None:
    """Two levels of children are refused up to v57 and answered since."""
    soql = "SELECT (SELECT (SELECT Id FROM Tasks) FROM Contacts) FROM Account"
    old = call("GET", V.replace("62.0", "57.0") + "/query", params={"q": soql})
    new = call("GET", V.replace("62.0", "58.0") + "/query", params={"q": soql})
    assert (old.status_code, old.json()[0]["errorCode"], new.status_code) == (400, "MALFORMED_QUERY", 200)


@pytest.mark.documented
def test_a_search_answers_in_the_form_of_its_version(call: Caller) -> None:
    """Since v37 the records stand under searchRecords, before that in a bare list."""
    identity = _create(call, "Account", Name="Acme Tools")
    record = {"attributes": {"type": "Account", "url": f"{V}/sobjects/Account/{identity}"}, "Name": "Acme Tools"}
    sosl = "FIND {tools} RETURNING Account(Name)"
    assert call("GET", "/search/", params={"q": sosl}).json() == {"searchRecords": [record]}
    old = call("GET", V.replace("62.0", "36.0") + "/search", params={"q": sosl}).json()
    assert [found["Name"] for found in old] == ["Acme Tools"]


@pytest.mark.documented
def test_a_search_without_braces_is_refused(call: Caller) -> None:
    """The reply is the one that restforce's fixture shows."""
    reply = call("GET", "/search", params={"q": "FIND Acme"})
    message = "No search term found. The search term must be enclosed in braces."
    assert (reply.status_code, reply.json()) == (400, [{"message": message, "errorCode": "MALFORMED_SEARCH"}])


@pytest.mark.documented
def test_parameterized_search_by_get_and_post_find_the_same(call: Caller) -> None:
    """Fields, condition, order and limits of each object are honoured in both forms."""
    for name, employees in (("Acme One", 1), ("Acme Two", 2), ("Acme Three", 3), ("Other", 4)):
        _create(call, "Account", Name=name, NumberOfEmployees=employees)
    _create(call, "Contact", LastName="Acme")
    params = {
        "q": "acme",
        "sobject": "Account,Contact",
        "Account.fields": "Name,NumberOfEmployees",
        "Account.where": "NumberOfEmployees > 1",
        "Account.orderBy": "Name DESC",
        "in": "NAME",
        "overallLimit": "10",
    }
    body = {
        "q": "acme",
        "in": "NAME",
        "overallLimit": 10,
        "sobjects": [
            {
                "name": "Account",
                "fields": ["Name", "NumberOfEmployees"],
                "where": "NumberOfEmployees > 1",
                "orderBy": "Name DESC",
            },
            {"name": "Contact"},
        ],
    }
    found = call("GET", "/parameterizedSearch", params=params).json()
    assert [record.get("Name") for record in found["searchRecords"]] == ["Acme Two", "Acme Three", None]
    assert call("POST", "/parameterizedSearch", json=body).json() == found


@pytest.mark.documented
def test_parameterized_search_keeps_limits_and_gives_labels(call: Caller) -> None:
    """defaultLimit holds per object, offset skips, and labels come only when they are asked for."""
    _create_many(call, "Account", [{"Name": f"Acme {n}"} for n in range(5)])
    params = {"q": "acme", "sobject": "Account", "fields": "Name", "defaultLimit": "2", "offset": "1"}
    found = call("GET", "/parameterizedSearch", params=params).json()
    assert [record["Name"] for record in found["searchRecords"]] == ["Acme 1", "Acme 2"]
    labelled = call("GET", "/parameterizedSearch", params={**params, "metadata": "LABELS"}).json()
    assert labelled["metadata"]["entityMetadata"][0]["fieldMetadata"] == [{"name": "Name", "label": "Account Name"}]


@pytest.mark.assumed
@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"q": ""}, "MALFORMED_SEARCH"),
        ({"q": "a"}, "INVALID_SEARCH"),
        ({"q": "acme", "fields": ["Name"]}, "MALFORMED_SEARCH"),
        ({"q": "acme", "sobjects": [{"name": "Bogus"}]}, "INVALID_TYPE"),
        ({"q": "acme", "sobjects": [{"name": "Account", "fields": ["Bogus"]}]}, "INVALID_FIELD"),
        ({"q": "acme", "sobjects": [{"name": "Account", "where": "Name = 'x' LIMIT 1"}]}, "MALFORMED_SEARCH"),
        ({"q": "acme", "sobjects": [{"name": "Account", "limit": "many"}]}, "MALFORMED_SEARCH"),
        ({"q": "acme", "sobjects": [{"nome": "Account"}]}, "MALFORMED_SEARCH"),
        ({"q": "acme", "in": "SOME"}, "MALFORMED_SEARCH"),
        ({"q": "acme", "snippet": True}, "FUNCTIONALITY_NOT_ENABLED"),
    ],
)
def test_a_wrong_parameterized_search_is_refused(call: Caller, body: dict[str, Any], code: str) -> None:
    """Nothing in the body is ignored."""
    assert call("POST", "/parameterizedSearch", json=body).json()[0]["errorCode"] == code
