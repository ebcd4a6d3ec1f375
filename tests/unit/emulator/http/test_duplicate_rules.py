"""Duplicate rules in every resource that saves, and the header that passes over their warnings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.emulator.http.conftest import Caller, V
from tests.unit.emulator.http.test_controls import finish
from tests.unit.emulator.http.test_policies import project

__all__ = ["project"]
ALLOW = {"Sforce-Duplicate-Rule-Header": "allowSave=true"}
ROW = {"attributes": {"type": "Account", "referenceId": "a"}, "Name": "b", "Site": "S"}
PLAIN = {"Name": "b", "Site": "S"}


def _single(ref: str) -> dict[str, Any]:
    return {"method": "POST", "url": f"{V}/sobjects/Account", "referenceId": ref, "body": PLAIN}


#: Every way of saving one account: method, path, body.
WAYS: dict[str, tuple[str, str, Any]] = {
    "record": ("POST", "/sobjects/Account", PLAIN),
    "upsert": ("PATCH", "/sobjects/Account/External_Id__c/K", PLAIN),
    "collection": ("POST", "/composite/sobjects", {"records": [ROW]}),
    "collection, all or none": ("POST", "/composite/sobjects", {"allOrNone": True, "records": [ROW]}),
    "collection of upserts": (
        "PATCH", "/composite/sobjects/Account/External_Id__c", {"records": [{**ROW, "External_Id__c": "K"}]}
    ),
    "tree": ("POST", "/composite/tree/Account", {"records": [ROW]}),
    "composite": ("POST", "/composite", {"compositeRequest": [_single("r")]}),
    "composite, all or none": ("POST", "/composite", {"allOrNone": True, "compositeRequest": [_single("r")]}),
    "batch": ("POST", "/composite/batch",
              {"batchRequests": [{"method": "POST", "url": f"{V}/sobjects/Account", "richInput": PLAIN}]}),
    "graph": ("POST", "/composite/graph", {"graphs": [{"graphId": "g", "compositeRequest": [_single("r")]}]}),
}  # fmt: skip


@pytest.fixture
def caller(make_caller: Callable[..., Caller], project: Path) -> Caller:
    """An org that warns of a second account of one site, with a first one in it."""
    call = make_caller(metadata=project)
    call.sign_in()
    assert call("POST", "/sobjects/Account", json={"Name": "a", "Site": "S"}).status_code == 201
    return call


def count(call: Caller) -> int:
    """Return how many accounts there are."""
    return int(call("GET", "/query", params={"q": "SELECT COUNT() FROM Account"}).json()["totalSize"])


@pytest.mark.documented
def test_every_way_of_saving_asks_the_rule_and_honours_the_header(caller: Caller) -> None:
    """Without the header nothing is saved and DUPLICATES_DETECTED is told; with allowSave the row is saved."""
    for place, (name, (method, path, body)) in enumerate(WAYS.items(), 1):
        refused = caller(method, path, json=body)
        assert "DUPLICATES_DETECTED" in refused.text, name
        assert count(caller) == place, name
        allowed = caller(method, path, json=body, headers=ALLOW)
        assert "DUPLICATES_DETECTED" not in allowed.text, name
        assert count(caller) == place + 1, name
        caller("PATCH", "/sobjects/Account/External_Id__c/K", json={"Name": "free", "External_Id__c": None})
        for row in caller("GET", "/query", params={"q": "SELECT Id FROM Account WHERE External_Id__c = 'K'"}).json()[
            "records"
        ]:
            caller("PATCH", f"/sobjects/Account/{row['Id']}", json={"External_Id__c": None}, headers=ALLOW)


@pytest.mark.documented
def test_the_header_came_with_v52(caller: Caller) -> None:
    """Earlier versions pass the header over, as the guide says that it is available from 52.0 on."""
    old = caller("POST", "/services/data/v51.0/sobjects/Account", json=PLAIN, headers=ALLOW)
    assert old.json()[0]["errorCode"] == "DUPLICATES_DETECTED"


@pytest.mark.documented
def test_details_of_duplicates_come_when_they_are_wanted(caller: Caller) -> None:
    """includeRecordDetails returns the fields of the duplicates; without it their ids come alone."""
    for option, names in (("false", {"attributes", "Id"}), ("true", {"attributes", "Id", "Name", "Site"})):
        header = {"Sforce-Duplicate-Rule-Header": f"allowSave=false; includeRecordDetails={option}"}
        (error,) = caller("POST", "/sobjects/Account", json=PLAIN, headers=header).json()
        record = error["duplicateResult"]["matchResults"][0]["matchRecords"][0]["record"]
        assert names <= set(record)
        assert (len(record) == 2) is (option == "false")


@pytest.mark.documented
def test_bulk_jobs_know_no_such_header(caller: Caller) -> None:
    """Rows of a bulk job that have a duplicate fail one by one; the header is not for Bulk."""
    job = caller("POST", "/jobs/ingest", json={"object": "Account", "operation": "insert"}, headers=ALLOW).json()["id"]
    caller("PUT", f"/jobs/ingest/{job}/batches", content=b"Name,Site\nb,S\nc,T\n", headers={"Content-Type": "text/csv"})
    caller("PATCH", f"/jobs/ingest/{job}", json={"state": "UploadComplete"})
    assert finish(caller, "ingest", job)["numberRecordsFailed"] == 1
    assert "DUPLICATES_DETECTED:Use one of these records?" in caller("GET", f"/jobs/ingest/{job}/failedResults").text
