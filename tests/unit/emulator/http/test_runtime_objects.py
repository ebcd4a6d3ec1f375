"""Objects and fields made, changed and deleted while the org runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest

from tests.unit.emulator.http.conftest import Caller
from tests.unit.emulator.http.test_controls import control, finish

ENGINE: dict[str, Any] = {
    "name": "Engine__c",
    "label": "Engine",
    "labelPlural": "Engines",
    "fields": [
        {"name": "Serial__c", "type": "string", "length": 20, "unique": True, "externalId": True},
        {"name": "Power__c", "type": "double", "precision": 5, "scale": 1},
        {"name": "State__c", "type": "picklist", "picklistValues": ["New", "Used"], "restrictedPicklist": True},
        {"name": "Account__c", "type": "reference", "referenceTo": "Account"},
        {"name": "Ready__c", "type": "boolean", "defaultValue": True},
    ],
}
PART: dict[str, Any] = {
    "name": "Part__c",
    "nameField": {"type": "autoNumber", "displayFormat": "P-{0000}", "label": "Number"},
    "fields": [
        {"name": "Engine__c", "type": "masterDetail", "referenceTo": "Engine__c"},
        {"name": "Cost__c", "type": "currency", "precision": 10, "scale": 2},
    ],
}


def refused(call: Caller, method: str, path: str, body: object, status: int = 400) -> str:
    """Use a control that must refuse, and return why."""
    return str(control(call, method, path, body, status)["error"])


def ask(call: Caller, soql: str) -> list[dict[str, Any]]:
    """Return the records of a query without their attributes."""
    reply = call("GET", "/query", params={"q": soql})
    assert reply.status_code == 200, reply.text
    return [{k: v for k, v in record.items() if k != "attributes"} for record in reply.json()["records"]]


def make(call: Caller, sobject: str, **row: Any) -> str:
    """Insert a row and return its id."""
    reply = call("POST", f"/sobjects/{sobject}", json=row)
    assert reply.status_code == 201, reply.text
    return str(reply.json()["id"])


def test_a_new_object_works_at_once_in_every_api(call: Caller) -> None:
    """Describe, insert, upsert, SOQL over relationships, Bulk and Tooling know an object made a moment ago."""
    told = control(call, "POST", "objects", ENGINE, 201)
    prefix = told["keyPrefix"]
    assert prefix.startswith("a")
    account = make(call, "Account", Name="Acme")
    machine = make(call, "Engine__c", Name="M1", Serial__c="S-1", Account__c=account)
    assert machine.startswith(prefix)
    assert ask(call, "SELECT Name, Ready__c, OwnerId, Account__r.Name FROM Engine__c WHERE Serial__c = 's-1'") == [
        {
            "Name": "M1",
            "Ready__c": True,
            "OwnerId": call("GET", "/sobjects/Engine__c/" + machine).json()["OwnerId"],
            "Account__r": {"attributes": {"type": "Account", "url": f"/services/data/v62.0/sobjects/Account/{account}"},
                           "Name": "Acme"},
        }
    ]  # fmt: skip
    below = ask(call, "SELECT (SELECT Name FROM Engines__r) FROM Account")
    assert below[0]["Engines__r"]["totalSize"] == 1
    reply = call("PATCH", "/sobjects/Engine__c/Serial__c/S-2", json={"Name": "M2", "State__c": "New"})
    assert reply.status_code == 201
    bad = call("PATCH", "/sobjects/Engine__c/Serial__c/S-2", json={"State__c": "Broken"})
    assert bad.json()[0]["errorCode"] == "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"
    described = call("GET", "/sobjects/Engine__c/describe").json()
    assert {"Serial__c", "OwnerId", "CreatedDate"} <= {field["name"] for field in described["fields"]}
    assert "Engine__c" in {one["name"] for one in call("GET", "/sobjects").json()["sobjects"]}
    entity = call("GET", "/tooling/query", params={"q": "SELECT KeyPrefix FROM EntityDefinition "
                  "WHERE QualifiedApiName = 'Engine__c'"}).json()  # fmt: skip
    assert entity["records"][0]["KeyPrefix"] == prefix
    job = call("POST", "/jobs/ingest", json={"object": "Engine__c", "operation": "insert"}).json()["id"]
    call(
        "PUT", f"/jobs/ingest/{job}/batches", content=b"Name,Power__c\nM3,12.5\n", headers={"Content-Type": "text/csv"}
    )
    call("PATCH", f"/jobs/ingest/{job}", json={"state": "UploadComplete"})
    assert finish(call, "ingest", job)["numberRecordsFailed"] == 0
    assert ask(call, "SELECT Name FROM Engine__c WHERE Power__c = 12.5") == [{"Name": "M3"}]


def test_details_and_roll_ups_can_be_made(call: Caller) -> None:
    """A detail has no owner, goes with its master, and a roll-up made later sums up what is there."""
    control(call, "POST", "objects", [ENGINE, PART], 201)
    machine = make(call, "Engine__c", Name="M1")
    part = make(call, "Part__c", Engine__c=machine, Cost__c=2.5)
    make(call, "Part__c", Engine__c=machine, Cost__c=4)
    assert [row["Name"] for row in ask(call, "SELECT Name FROM Part__c ORDER BY Name")] == ["P-0001", "P-0002"]
    assert "OwnerId" not in call("GET", f"/sobjects/Part__c/{part}").json()
    summary = {"child": "Part__c", "reference": "Engine__c", "operation": "sum", "field": "Cost__c"}
    control(call, "POST", "objects/Engine__c/fields", {"name": "Cost__c", "type": "summary", "summary": summary}, 201)
    assert ask(call, "SELECT Cost__c FROM Engine__c") == [{"Cost__c": 6.5}]
    assert "sums up" in refused(call, "DELETE", "objects/Part__c/fields/Cost__c", None)
    assert "refers to" in refused(call, "DELETE", "objects/Engine__c", None)
    assert call("DELETE", f"/sobjects/Engine__c/{machine}").status_code == 204
    assert ask(call, "SELECT Id FROM Part__c") == []


def test_a_change_is_seen_at_once_by_those_who_looked_before(call: Caller) -> None:
    """ETag and Last-Modified of describe move with every change, and a compiled rule forgets what it knew."""
    before = call("GET", "/sobjects/Account/describe")
    make(call, "Account", Name="compiled")
    field = {"name": "Code__c", "type": "string", "length": 3}
    control(call, "POST", "objects/Account/fields", field, 201)
    after = call("GET", "/sobjects/Account/describe", headers={"If-None-Match": before.headers["ETag"]})
    assert after.status_code == 200
    since = {"If-Modified-Since": before.headers["Last-Modified"]}
    assert call("GET", "/sobjects/Account/describe", headers=since).status_code == 200
    first = parsedate_to_datetime(after.headers["Last-Modified"])
    assert call("POST", "/sobjects/Account", json={"Name": "x", "Code__c": "abcd"}).json()[0]["errorCode"] == (
        "STRING_TOO_LONG"
    )
    control(call, "PATCH", "objects/Account/fields/Code__c", {"length": 4})
    assert make(call, "Account", Name="x", Code__c="abcd")
    again = call("GET", "/sobjects", headers={"If-Modified-Since": after.headers["Last-Modified"]})
    assert again.status_code == 200
    assert parsedate_to_datetime(again.headers["Last-Modified"]) > first
    control(call, "DELETE", "objects/Account/fields/Code__c", None, 204)
    gone = call("POST", "/sobjects/Account", json={"Name": "x", "Code__c": "abcd"})
    assert gone.json()[0]["errorCode"] == "INVALID_FIELD"


def test_objects_follow_the_file(make_caller: Callable[..., Caller]) -> None:
    """Objects survive a restart; snapshot, restore, branch and reset bring those of their time."""
    call = make_caller()
    call.sign_in()
    control(call, "POST", "snapshots", {"name": "bare"}, 201)
    control(call, "POST", "objects", ENGINE, 201)
    control(call, "POST", "objects/Account/fields", {"name": "Key__c", "type": "string", "unique": True}, 201)
    make(call, "Engine__c", Name="kept", Serial__c="1")
    make(call, "Account", Name="one", Key__c="k")
    call.close()
    call = make_caller()
    call.sign_in()
    assert ask(call, "SELECT Name, Serial__c FROM Engine__c") == [{"Name": "kept", "Serial__c": "1"}]
    modified = call("GET", "/sobjects").headers["Last-Modified"]
    control(call, "POST", "branches", {"name": "other"}, 201)
    control(call, "POST", "restore", {"name": "bare"}, 204)
    assert call("GET", "/sobjects", headers={"If-Modified-Since": modified}).status_code == 200
    assert call("GET", "/sobjects/Engine__c/describe").status_code == 404
    for _ in range(2):
        make(call, "Account", Name="no key any more")
    control(call, "POST", "branches", {"name": "main"})
    assert ask(call, "SELECT Name FROM Engine__c") == [{"Name": "kept"}]
    twice = call("POST", "/sobjects/Account", json={"Name": "two", "Key__c": "K"})
    assert twice.json()[0]["errorCode"] == "DUPLICATE_VALUE"
    control(call, "POST", "reset", {}, 204)
    assert call("GET", "/sobjects/Engine__c").status_code == 404
    control(call, "POST", "objects", ENGINE, 201)
    assert ask(call, "SELECT Name FROM Engine__c") == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        pytest.param({"name": "Engine"}, "ends with __c", id="no suffix"),
        pytest.param({"name": "Engine__e"}, "reserved", id="platform event"),
        pytest.param({"name": "Engine__r"}, "reserved", id="relationship"),
        pytest.param({"name": "My__Engine__c"}, "single underscores", id="namespace"),
        pytest.param({"name": "9Engine__c"}, "letter first", id="digit first"),
        pytest.param({"name": "M" * 41 + "__c"}, "at most 40", id="too long"),
        pytest.param({"name": None}, "needs a name", id="no name"),
        pytest.param({"colour": "red"}, "unknown keys colour", id="unknown key"),
        pytest.param({"label": " "}, "1 to 40 characters", id="label"),
        pytest.param({"nameField": {"type": "date"}}, "string or an autoNumber", id="name field"),
        pytest.param({"recordTypes": ["A", "A"]}, "stands twice", id="record types"),
    ],
)
def test_what_is_no_object_is_refused(call: Caller, change: dict[str, Any], told: str) -> None:
    """Names, labels and keys that no org would take are refused, and nothing is made."""
    assert told in refused(call, "POST", "objects", {**ENGINE, **change})
    assert not [one for one in control(call, "GET", "objects")["objects"] if one["madeHere"]]


@pytest.mark.parametrize(
    ("field", "told"),
    [
        ({"name": "X__c", "type": "blob"}, "no type"),
        ({"name": "X__c", "type": "int"}, "no type"),
        ({"name": "X__r", "type": "string"}, "reserved"),
        ({"name": "X", "type": "string"}, "ends with __c"),
        ({"name": "Serial__c", "type": "string"}, "already"),
        ({"name": "sERIAL__C", "type": "string"}, "ends with __c"),
        ({"name": "X__c", "type": "string", "length": 256}, "from 1 to 255"),
        ({"name": "X__c", "type": "double", "precision": 2, "scale": 3}, "larger than precision"),
        ({"name": "X__c", "type": "reference", "referenceTo": "Nothing__c"}, "knows no such object"),
        ({"name": "X__c", "type": "reference"}, "referenceTo"),
        ({"name": "X__c", "type": "reference", "referenceTo": "Account"}, "child relationship Engines__r already"),
        ({"name": "X__c", "type": "picklist"}, "picklistValues"),
        ({"name": "X__c", "type": "picklist", "picklistValues": ["a", "A"]}, "stands twice"),
        ({"name": "X__c", "type": "picklist", "picklistValues": ["a"], "controllerName": "No__c"}, "no field"),
        ({"name": "X__c", "type": "date", "length": 3}, "says nothing"),
        ({"name": "X__c", "type": "boolean", "defaultValue": "yes"}, "cannot be the default"),
        ({"name": "X__c", "type": "string", "unique": "yes"}, "true or false"),
        ({"name": "X__c", "type": "masterDetail", "referenceTo": "Engine__c"}, "not itself"),
        ({"name": "X__c", "type": "summary", "summary": {"child": "Contact", "reference": "AccountId",
          "operation": "count"}}, "no master-detail"),
        ({"name": "X__c", "type": "autoNumber", "displayFormat": "none"}, "displayFormat"),
    ],
)  # fmt: skip
def test_what_is_no_field_is_refused(call: Caller, field: dict[str, Any], told: str) -> None:
    """A field that no org would take is refused with a sentence, and the object stays as it was."""
    before = control(call, "POST", "objects", ENGINE, 201)
    reply = call.http.post("/_emulator/objects/Engine__c/fields", json=field)
    assert reply.status_code in (400, 409)
    assert told in reply.json()["error"]
    assert control(call, "GET", "objects/Engine__c") == before


def test_rows_that_are_there_are_looked_after(call: Caller) -> None:
    """A change that rows do not fit is refused; one that they fit keeps them, and a field made again begins empty."""
    control(call, "POST", "objects", ENGINE, 201)
    for name in ("a", "b"):
        make(call, "Engine__c", Name=name, Power__c=1.5, State__c="Used")
    path = "objects/Engine__c/fields"
    control(call, "POST", path, {"name": "Text__c", "type": "string", "length": 10}, 201)
    for row in ask(call, "SELECT Id FROM Engine__c"):
        call("PATCH", f"/sobjects/Engine__c/{row['Id']}", json={"Text__c": "same text"})
    assert "several rows hold 'same text'" in refused(call, "PATCH", f"{path}/Text__c", {"unique": True})
    assert "9 characters" in refused(call, "PATCH", f"{path}/Text__c", {"length": 5})
    assert "the type stays" in refused(call, "PATCH", f"{path}/Text__c", {"type": "double", "length": None})
    assert "without a master" in refused(
        call, "POST", path, {"name": "M__c", "type": "masterDetail", "referenceTo": "Contact"}
    )
    control(call, "POST", path, {"name": "On__c", "type": "boolean", "defaultValue": True}, 201)
    control(call, "PATCH", f"{path}/Text__c", {"externalId": True, "label": "Text"})
    assert ask(call, "SELECT On__c FROM Engine__c WHERE Text__c = 'SAME TEXT'") == [{"On__c": True}] * 2
    control(call, "DELETE", f"{path}/Text__c", None, 204)
    control(call, "POST", path, {"name": "Text__c", "type": "double"}, 201)
    assert ask(call, "SELECT Text__c FROM Engine__c") == [{"Text__c": None}] * 2
    control(call, "DELETE", "objects/Engine__c", None, 204)
    assert refused(call, "GET", "objects/Engine__c", None, 404)
    control(call, "POST", "objects", {"name": "Engine__c", "fields": []}, 201)
    assert ask(call, "SELECT Name FROM Engine__c") == []


def test_standard_parts_stay(call: Caller) -> None:
    """Standard objects and fields can be neither changed nor deleted."""
    assert "standard object" in refused(call, "DELETE", "objects/Account", None)
    assert "standard object" in refused(call, "PATCH", "objects/Account", {"label": "Firm"})
    assert "standard field" in refused(call, "DELETE", "objects/Account/fields/Phone", None)
    assert "already" in refused(call, "POST", "objects", {**ENGINE, "fields": ENGINE["fields"] * 2}, 409)
    assert "no object" in refused(call, "POST", "objects/Nothing__c/fields", {"name": "X__c", "type": "date"}, 404)


def test_a_describe_reply_makes_the_same_object(call: Caller) -> None:
    """What describe says of a made object makes it again, field by field, after it was deleted."""
    kinds = [{"name": "Big one"}, {"name": "Small one", "default": True}]
    control(call, "POST", "objects", {**ENGINE, "recordTypes": kinds}, 201)
    described = call("GET", "/sobjects/Engine__c/describe").json()
    assert {info["name"] for info in described["recordTypeInfos"]} == {"Big one", "Small one", "Master"}
    control(call, "DELETE", "objects/Engine__c", None, 204)
    assert ask(call, "SELECT Id FROM RecordType") == []
    control(call, "POST", "objects", described, 201)
    again = call("GET", "/sobjects/Engine__c/describe").json()
    differ = {
        one["name"]: [key for key in one if one[key] != two[key]]
        for one, two in zip(described["fields"], again["fields"], strict=True)
        if one != two
    }
    assert differ == {}


def test_a_job_whose_object_is_gone_fails_with_a_reason(call: Caller, tmp_path: Path) -> None:
    """A job of an object that was deleted meanwhile ends Failed, and says why."""
    control(call, "POST", "objects", ENGINE, 201)
    job = call("POST", "/jobs/ingest", json={"object": "Engine__c", "operation": "insert"}).json()["id"]
    call("PUT", f"/jobs/ingest/{job}/batches", content=b"Name\nM\n", headers={"Content-Type": "text/csv"})
    control(call, "DELETE", "objects/Engine__c", None, 204)
    call("PATCH", f"/jobs/ingest/{job}", json={"state": "UploadComplete"})
    deadline = time.monotonic() + 10
    assert finish(call, "ingest", job)["state"] == "Failed"
    assert time.monotonic() < deadline
    assert "does not exist" in call("GET", f"/jobs/ingest/{job}").json()["errorMessage"]
