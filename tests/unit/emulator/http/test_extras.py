"""Replication, recent rows, layouts, and the Tooling API as far as clients ask."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.unit.emulator.http.conftest import Caller, V


def make(call: Caller, name: str = "Acme") -> str:
    """Insert an account and return its id."""
    return str(call("POST", "/sobjects/Account", json={"Name": name}).json()["id"])


def period(call: Caller, start: int, end: int) -> dict[str, str]:
    """Return the parameters for a period in minutes from now."""
    now = call.clock.now()
    return {
        "start": (now + timedelta(minutes=start)).isoformat(),
        "end": (now + timedelta(minutes=end)).isoformat(),
    }


@pytest.mark.documented
def test_deleted_rows_are_told_of_by_the_time_of_their_deletion(call: Caller) -> None:
    """Ids with REST dates; a period before them is empty; restored rows are out."""
    gone = make(call)
    make(call)
    call("DELETE", f"/sobjects/Account/{gone}")
    call.clock.ahead = timedelta(minutes=2)
    reply = call("GET", "/sobjects/Account/deleted", params=period(call, -60, 0)).json()
    assert list(reply) == ["deletedRecords", "earliestDateAvailable", "latestDateCovered"]
    (record,) = reply["deletedRecords"]
    assert (record["id"], record["deletedDate"][-5:]) == (gone, "+0000")
    early = call("GET", "/sobjects/Account/deleted/", params=period(call, -120, -60)).json()
    assert early["deletedRecords"] == []


@pytest.mark.documented
def test_updated_rows_follow_the_modstamp_without_gaps(call: Caller) -> None:
    """A next period that starts where the last one ended finds what came since, and nothing twice."""
    first = make(call, "A")
    call.clock.ahead = timedelta(minutes=2)
    reply = call("GET", "/sobjects/Account/updated", params=period(call, -60, 0)).json()
    assert reply["ids"] == [first]
    second = make(call, "B")
    call.clock.ahead = timedelta(minutes=5)
    end = call.clock.now().isoformat()
    params = {"start": reply["latestDateCovered"], "end": end}
    assert call("GET", "/sobjects/Account/updated", params=params).json()["ids"] == [second]


@pytest.mark.parametrize(
    ("kind", "start", "end"),
    [("updated", 0, 0), ("updated", -60 * 24 * 31, 0), ("deleted", -60 * 24 * 16, 0), ("updated", 5, 50)],
    ids=["empty", "old", "older bin", "future"],
)
def test_periods_out_of_bounds_are_refused(call: Caller, kind: str, start: int, end: int) -> None:
    """Too far back, or shorter than a minute, is INVALID_REPLICATION_DATE."""
    reply = call("GET", f"/sobjects/Account/{kind}", params=period(call, start, end))
    assert (reply.status_code, reply.json()[0]["errorCode"]) == (400, "INVALID_REPLICATION_DATE")
    assert call("GET", f"/sobjects/Account/{kind}?start=x&end=y").status_code == 400


def test_recent_rows_are_the_callers_own_newest(call: Caller) -> None:
    """Newest first, over all objects, no more than asked for."""
    call.clock.ahead = timedelta(seconds=5)
    account = make(call)
    call.clock.ahead = timedelta(seconds=10)
    contact = call("POST", "/sobjects/Contact", json={"LastName": "Ax"}).json()["id"]
    items = call("GET", "/recent?limit=2").json()
    assert [item["Id"] for item in items] == [contact, account]
    assert items[1] == {
        "attributes": {"type": "Account", "url": f"{V}/sobjects/Account/{account}"}, "Id": account, "Name": "Acme",
    }  # fmt: skip
    assert call("GET", "/recent?limit=0").status_code == 400


def test_layouts_in_a_plain_form(call: Caller) -> None:
    """Every address of describe's urls answers, and the layout shows what can be filled in."""
    urls: dict[str, str] = call("GET", "/sobjects/Account/describe").json()["urls"]
    for name in ("compactLayouts", "approvalLayouts", "listviews", "quickActions", "layouts"):
        assert call("GET", urls[name]).status_code == 200, name
    reply = call("GET", urls["layouts"]).json()
    rows = reply["layouts"][0]["detailLayoutSections"][0]["layoutRows"]
    shown = [item["layoutComponents"][0]["value"] for row in rows for item in row["layoutItems"]]
    assert "Name" in shown
    assert "CreatedDate" not in shown
    record_type = reply["recordTypeMappings"][0]["recordTypeId"]
    assert call("GET", f"{urls['layouts']}/{record_type}").json() == reply["layouts"][0]
    assert call("GET", f"{urls['layouts']}/012000000000009AAA").status_code == 404
    compact = call("GET", f"{urls['compactLayouts']}/primary").json()
    assert call("GET", "/compactLayouts?q=Account,contact").json().keys() == {"Account", "Contact"}
    assert compact["fieldItems"][0]["layoutComponents"][0]["value"] == "Name"
    assert call("GET", "/compactLayouts").status_code == 400
    assert call("GET", "/sobjects/Attachment/describe/layouts").status_code == 404
    assert call("GET", "/sobjects/Nope/describe/layouts").status_code == 404


def test_default_values_of_a_new_row(call: Caller) -> None:
    """Fields with a default are told, all or those asked for."""
    assert call("GET", "/sobjects/Contract/defaultValues?fields=Status").json()["Status"] == "Draft"
    assert "Status" in call("GET", "/sobjects/Contract/defaultValues").json()
    assert call("GET", "/sobjects/Contract/defaultValues?fields=Nope").status_code == 400


def tooling(call: Caller, soql: str) -> Any:
    """Ask the Tooling API."""
    return call("GET", "/tooling/query", params={"q": soql})


def test_definitions_can_be_queried(call: Caller) -> None:
    """Objects by name, fields by object and name, with parents, order and counts."""
    entity = tooling(
        call, "SELECT QualifiedApiName, Label, KeyPrefix FROM EntityDefinition WHERE QualifiedApiName = 'account'"
    ).json()
    assert (entity["size"], entity["totalSize"], entity["done"]) == (1, 1, True)
    record = entity["records"][0]
    assert (record["QualifiedApiName"], record["KeyPrefix"]) == ("Account", "001")
    assert record["attributes"]["url"].startswith(f"{V}/tooling/sobjects/EntityDefinition/")
    fields = tooling(
        call,
        "SELECT QualifiedApiName, DataType, EntityDefinition.QualifiedApiName FROM FieldDefinition"
        " WHERE EntityDefinition.QualifiedApiName IN ('Contact') AND QualifiedApiName LIKE 'Last%' ORDER BY DataType",
    ).json()["records"]
    assert {"LastName", "LastModifiedDate"} <= {row["QualifiedApiName"] for row in fields}
    assert fields[0]["EntityDefinition"]["QualifiedApiName"] == "Contact"
    everything = tooling(call, "SELECT QualifiedApiName FROM FieldDefinition").json()
    described = call("GET", "/sobjects").json()["sobjects"]
    expected = sum(len(call("GET", item["urls"]["describe"]).json()["fields"]) for item in described)
    assert (everything["totalSize"], len(everything["records"])) == (expected, expected)


def test_other_tooling_resources_are_refused(call: Caller) -> None:
    """What is not there is INVALID_TYPE in a query and 404 by address; definitions cannot be written."""
    reply = tooling(call, "SELECT Id FROM ApexClass")
    assert (reply.status_code, reply.json()[0]["errorCode"]) == (400, "INVALID_TYPE")
    names = [item["name"] for item in call("GET", "/tooling/sobjects").json()["sobjects"]]
    assert names == ["EntityDefinition", "FieldDefinition"]
    assert call("GET", "/tooling/sobjects/EntityDefinition/describe").json()["createable"] is False
    assert call("GET", "/tooling/sobjects/FieldDefinition").status_code == 200
    assert call("GET", "/tooling/sobjects/ApexClass/describe").status_code == 404
    for method, path, status, code in (
        ("POST", "EntityDefinition", 400, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"),
        ("DELETE", "EntityDefinition/000000000000001", 400, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"),
        ("POST", "ApexClass", 404, "NOT_FOUND"),
        ("PATCH", "ApexClass/01p000000000001", 404, "NOT_FOUND"),
    ):
        reply = call(method, f"/tooling/sobjects/{path}", json={})
        assert (reply.status_code, reply.json()[0]["errorCode"]) == (status, code)
    assert call("GET", "/tooling/executeAnonymous").status_code == 404


def test_rows_queries_and_errors_come_as_xml(call: Caller) -> None:
    """Values are escaped, null is nil, ids of save results and errors are told; anything else is refused unread."""
    xml = {"Accept": "application/xml"}
    made = call("POST", "/sobjects/Account", headers=xml, json={"Name": "A & <B>\u0001"})
    result = ElementTree.fromstring(made.content)
    record_id = result.findtext("id")
    assert (made.status_code, result.tag, result.findtext("success")) == (201, "Result", "true")
    row = ElementTree.fromstring(call("GET", f"/sobjects/Account/{record_id}", headers=xml).content)
    assert (row.tag, row.get("type"), row.findtext("Name")) == ("Account", "Account", "A & <B>\ufffd")
    assert row.find("Phone").keys() == ["{http://www.w3.org/2001/XMLSchema-instance}nil"]
    reply = call("GET", "/query?q=SELECT+Id,Owner.Name+FROM+Account", headers=xml)
    assert reply.headers["content-type"] == "application/xml;charset=UTF-8"
    page = ElementTree.fromstring(reply.content)
    assert (page.tag, page.findtext("totalSize"), page.findtext("records/Owner/Name")) == (
        "QueryResult",
        "1",
        "Ada Admin",
    )
    error = ElementTree.fromstring(call("GET", "/sobjects/Account/001000000000009AAA", headers=xml).content)
    assert (error.tag, error.findtext("Error/errorCode")) == ("Errors", "NOT_FOUND")
    refused = call("POST", "/composite/sobjects", headers=xml, json={"records": []})
    assert (refused.status_code, ElementTree.fromstring(refused.content).findtext("Error/errorCode")) == (
        406,
        "NOT_ACCEPTABLE",
    )


def test_a_body_nested_without_end_is_refused(call: Caller) -> None:
    """It is a fault of the caller, not of the org."""
    body = b'{"a":' * 100_000 + b"1" + b"}" * 100_000
    reply = call("POST", "/sobjects/Account", content=body, headers={"Content-Type": "application/json"})
    assert (reply.status_code, reply.json()[0]["errorCode"]) == (400, "JSON_PARSER_ERROR")
