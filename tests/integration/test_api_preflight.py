"""Looking before loading, and loading by a mapping, over a whole house."""

from __future__ import annotations

import datetime as dt
import io
import json

import openpyxl

from tests.integration.test_api_contract import check_problem
from tests.support.local_house import LocalHouse, house

__all__ = ["house"]


def _made(house: LocalHouse, **data: str) -> str:
    with house.client() as client:
        made = client.post("/records/create", json={"object_name": "Account", "data": data})
        assert made.status_code == 201, made.text
        return str(made.json()["record_id"])


def test_pain_28_missing_parents_are_found_in_bulk_with_their_lines(house: LocalHouse) -> None:
    """Parents by id and by key are looked up; those that are not there are named, and nothing is sent."""
    parent = _made(house, Name="Parent", External_Id__c="parent-1")
    content = (
        "LastName;Account.External_Id__c;ReportsToId\n"
        "a;PARENT-1;\nb;parent-2;\nc;parent-'x;003000000000001AAA\nd;parent-2;\n"
    )
    with house.client() as client:
        before = client.get("/bulk/jobs").json()["jobs"]
        reply = client.post(
            "/bulk/preflight",
            params={"object_name": "Contact", "operation_type": "insert", "null_policy": "ignore"},
            files={"file": ("c.csv", content.encode())},
        )
        assert reply.status_code == 200, reply.text
        assert client.get("/bulk/jobs").json()["jobs"] == before
    report = reply.json()
    found = {(item["code"], item["field"]): (item["count"], item["lines"]) for item in report["findings"]}
    assert found == {
        ("INVALID_FIELD", "Account.External_Id__c"): (3, [3, 4]),
        ("INVALID_CROSS_REFERENCE_KEY", "ReportsToId"): (1, [4]),
    }
    assert (report["rows"], report["complete"], report["estimate"]["parts"]) == (4, True, 1)
    assert 0 < report["estimate"]["api_calls"] <= report["estimate"]["calls_left"]
    assert report["detected"]["delimiter"] == ";"
    assert parent


def test_a_dry_run_sends_nothing_and_a_strict_load_stops_on_findings(house: LocalHouse) -> None:
    """The same findings: as a report, and as the reason why a load was refused."""
    params = {"object_name": "Account", "operation_type": "insert"}
    content = b"Name,NumberOfEmployees\nok,1\nbad,many\n"
    with house.client() as client:
        dry = client.post(
            "/bulk/dml-file-upload", params={**params, "dry_run": "true"}, files={"file": ("a.csv", content)}
        )
        assert dry.status_code == 200, dry.text
        (finding,) = dry.json()["findings"]
        assert (finding["field"], finding["line"]) == ("NumberOfEmployees", 3)
        body = {"object_name": "Account", "operation": "insert", "records": [{"Name": ""}], "dry_run": True}
        assert client.post("/bulk/dml-direct-payload", json=body).json()["findings"][0]["field"] == "Name"
        taken = client.post(
            "/bulk/dml-file-upload", params={**params, "strict": "true"}, files={"file": ("a.csv", content)}
        )
        ended = house.wait(taken.json()["job_id"])
        assert (ended["state"], ended["records_processed"]) == ("Failed", 0)
        assert "line 3" in ended["error_message"]
        bad = client.put("/bulk/dml-file-upload", params={**params, "time_zone": "Mars"}, content=content)
        check_problem(bad, 400, "input.bad_mapping")


def test_a_workbook_is_loaded_by_labels_and_a_mapping(house: LocalHouse) -> None:
    """Columns find fields by label and by name, dates come in as dates, and results are the sheet's own values."""
    book = openpyxl.Workbook()
    assert book.active is not None
    book.active.append(["Firma", "External_Id__c", "Employees"])
    book.active.append(["Größe AG", "xlsx-1", 12.0])
    book.active.append([dt.date(2024, 1, 2), "xlsx-2", "viele"])
    out = io.BytesIO()
    book.save(out)
    mapping = {"columns": {"Firma": "Name"}, "constants": {"Industry": "Energy"}}
    with house.client() as client:
        taken = client.post(
            "/bulk/dml-file-upload",
            params={"object_name": "Account", "operation_type": "upsert", "external_id_field": "External_Id__c"},
            data={"mapping": json.dumps(mapping)},
            files={"file": ("a.xlsx", out.getvalue())},
        )
        assert taken.status_code == 202, taken.text
        job_id = taken.json()["job_id"]
        ended = house.wait(job_id)
        assert (ended["state"], ended["records_failed"]) == ("JobComplete", 1), ended
        receipt = client.get(f"/bulk/job/{job_id}/receipt").json()
        assert (receipt["balanced"], receipt["rows"]["sent"], receipt["input"]["format"]) == (True, 1, "XLSX")
        assert [error["code"] for error in receipt["errors"]] == ["BAD_NUMBER"]
        lines = client.get(f"/bulk/job/{job_id}/results/all").text.splitlines()
        assert lines[1].endswith(",Größe AG,xlsx-1,12")
        assert lines[2].endswith(",2024-01-02,xlsx-2,viele")
        assert lines[2].startswith("3,failed,")
        made = client.get("/records/Account/xlsx-1", params={"external_id_field": "External_Id__c"}).json()["data"]
        assert (made["Name"], made["Industry"], made["NumberOfEmployees"]) == ("Größe AG", "Energy", 12)


def test_columns_of_one_name_are_a_finding_of_a_preflight_and_a_refusal_of_a_load(house: LocalHouse) -> None:
    """Every repeated column is named, whatever its letters' case."""
    content = b"Name,Site,name,SITE,Name\na,b,c,d,e\n"
    params = {"object_name": "Account", "operation_type": "insert"}
    with house.client() as client:
        looked = client.post("/bulk/preflight", params=params, files={"file": ("a.csv", content)})
        refused = client.post("/bulk/dml-file-upload", params=params, files={"file": ("a.csv", content)})
    assert looked.status_code == 200, looked.text
    report = looked.json()
    assert [(item["code"], item["field"]) for item in report["findings"]] == [
        ("input.duplicate_header", name) for name in ("name", "SITE", "Name")
    ]
    assert (report["rows"], report["complete"]) == (0, False)
    check_problem(refused, 400, "input.duplicate_header")
