"""Bulk API 2.0 over HTTP: keys of JobInfo by state, headers, lists, refusals."""

from __future__ import annotations

import gzip
import re
import time
from collections.abc import Callable
from typing import Any

import pytest

from orgbridge.emulator.http.resources import bulk_lists, bulk_query
from tests.unit.emulator.http.conftest import Caller, V

SHORT = [
    "id",
    "operation",
    "object",
    "createdById",
    "createdDate",
    "systemModstamp",
    "state",
    "concurrencyMode",
    "contentType",
    "apiVersion",
]
COUNTERS = [
    "numberRecordsProcessed",
    "numberRecordsFailed",
    "retries",
    "totalProcessingTime",
    "apiActiveProcessingTime",
    "apexProcessingTime",
    "isPkChunkingSupported",
]
CSV = {"Content-Type": "text/csv"}
SLOW = {"kind": "slow_jobs", "delay_ms": 60_000}


def create(call: Caller, **body: str) -> dict[str, Any]:
    """Create an ingest job."""
    reply = call("POST", "/jobs/ingest", json={"object": "Account", "operation": "insert", **body})
    assert reply.status_code == 200, reply.text
    return dict(reply.json())


def finished(call: Caller, kind: str, job_id: str) -> dict[str, Any]:
    """Return JobInfo once the job has ended."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        info = call("GET", f"/jobs/{kind}/{job_id}").json()
        if info["state"] in ("JobComplete", "Failed", "Aborted"):
            return dict(info)
    raise AssertionError(f"job {job_id} did not end")


def load(call: Caller, data: bytes, **body: str) -> dict[str, Any]:
    """Run a whole ingest job."""
    job_id = create(call, **body)["id"]
    assert call("PUT", f"/jobs/ingest/{job_id}/batches", content=data, headers=CSV).status_code == 201
    assert call("PATCH", f"/jobs/ingest/{job_id}", json={"state": "UploadComplete"}).status_code == 200
    return finished(call, "ingest", job_id)


@pytest.mark.documented
def test_job_info_by_state(call: Caller) -> None:
    """Each reply has exactly the keys that the platform gives in that state."""
    job = create(call)
    assert list(job) == [*SHORT, "contentUrl", "lineEnding", "columnDelimiter"]
    assert job["contentUrl"] == f"services/data/v62.0/jobs/ingest/{job['id']}/batches"
    assert re.search(rb'"apiVersion":62\.0[,}]', call("GET", f"/jobs/ingest/{job['id']}").content)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000", job["createdDate"])
    opened = call("GET", f"/jobs/ingest/{job['id']}").json()
    assert list(opened) == [*SHORT, "jobType", "contentUrl", "lineEnding", "columnDelimiter", *COUNTERS]
    upload = call("PUT", f"/jobs/ingest/{job['id']}/batches/", content=b"Name\nx\n", headers=CSV)
    assert (upload.status_code, upload.content) == (201, b"")
    closed = call("PATCH", f"/jobs/ingest/{job['id']}/", json={"state": "UploadComplete"}).json()
    assert closed["state"] == "UploadComplete"
    assert list(closed) == [*SHORT, "lineEnding", "columnDelimiter"]
    done = finished(call, "ingest", job["id"])
    assert list(done) == [*SHORT, "jobType", "lineEnding", "columnDelimiter", *COUNTERS]
    assert (done["state"], done["numberRecordsProcessed"]) == ("JobComplete", 1)
    failed = load(call, b"Nope\nx\n")
    assert list(failed)[-1] == "errorMessage"
    assert failed["errorMessage"] == "InvalidBatch : InvalidBatch : Field name not found : Nope"
    upsert = create(call, operation="upsert", externalIdFieldName="external_id__c")
    assert upsert["externalIdFieldName"] == "External_Id__c"


def test_results_over_http_know_no_case(call: Caller) -> None:
    """All spellings of the three result files give quoted CSV, with a header when empty."""
    job = load(call, b"Name\nx\n\n")
    for name in ("successfulResults", "failedResults", "unprocessedrecords", "unprocessedRecords"):
        reply = call("GET", f"/jobs/ingest/{job['id']}/{name}/")
        assert reply.headers["content-type"] == "text/csv; charset=UTF-8"
        assert len(reply.text.splitlines()) == (2 if name == "successfulResults" else 1)
    assert call("GET", f"/jobs/ingest/{job['id']}/otherResults").status_code == 404


def test_multipart_makes_a_closed_job(call: Caller) -> None:
    """Job and content in one request are processed without PUT or PATCH."""
    files = {
        "job": (None, '{"object":"Account","operation":"insert"}', "application/json"),
        "content": ("content", "Name\nOne\nTwo\n", "text/csv"),
    }
    reply = call("POST", "/jobs/ingest", files=files)
    assert reply.json()["state"] == "UploadComplete"
    assert finished(call, "ingest", reply.json()["id"])["numberRecordsProcessed"] == 2
    big = {**files, "content": ("content", "Name\n" + "x" * 100_001, "text/csv")}
    assert call("POST", "/jobs/ingest", files=big).status_code == 400


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"operation": "insert"}, "INVALIDJOB"),
        ({"object": "Nope", "operation": "insert"}, "INVALIDENTITY"),
        ({"object": "Account", "operation": "merge"}, "INVALIDOPERATION"),
        ({"object": "Account"}, "INVALIDOPERATION"),
        ({"object": "Account", "operation": "upsert"}, "INVALIDJOB"),
        ({"object": "Account", "operation": "upsert", "externalIdFieldName": "Phone"}, "INVALIDJOB"),
        ({"object": "Account", "operation": "insert", "externalIdFieldName": "Id"}, "INVALIDJOB"),
        ({"object": "Account", "operation": "insert", "contentType": "XML"}, "CLIENTINPUTERROR"),
        ({"object": "Account", "operation": "insert", "columnDelimiter": ","}, "CLIENTINPUTERROR"),
        ({"object": "Account", "operation": "insert", "lineEnding": "CR"}, "CLIENTINPUTERROR"),
        ({"object": "Account", "operation": "insert", "priority": "high"}, "JSON_PARSER_ERROR"),
        ({"object": 5, "operation": "insert"}, "JSON_PARSER_ERROR"),
        ({"object": "Account", "operation": "insert", "assignmentRuleId": "x"}, "INVALIDJOB"),
    ],
    ids=str,
)
def test_wrong_jobs_are_refused(call: Caller, body: dict[str, Any], error: str) -> None:
    """What is not understood makes no job; the error has code and message only."""
    reply = call("POST", "/jobs/ingest", json=body)
    assert reply.status_code == 400
    assert reply.json()[0]["errorCode"] == error
    assert set(reply.json()[0]) == {"errorCode", "message"}
    assert call("GET", "/jobs/ingest").json()["records"] == []


def test_uploads_that_must_not_be(call: Caller) -> None:
    """A second PUT, a PUT to no job, one too large and one of another type are refused."""
    job_id = create(call)["id"]
    path = f"/jobs/ingest/{job_id}/batches"
    large = {**CSV, "Content-Length": "112500001"}
    assert call("PUT", path, content=b"", headers=large).status_code == 413
    assert call("PUT", path, content=b"x", headers={"Content-Type": "application/json"}).status_code == 415
    assert call("PUT", path, content=b"Name\nx\n", headers=CSV).status_code == 201
    second = call("PUT", path, content=b"Name\ny\n", headers=CSV)
    assert (second.status_code, second.json()[0]["message"]) == (400, f"Found multiple contents for job: <{job_id}>")
    assert call("PUT", "/jobs/ingest/750000000000009AAA/batches", content=b"x", headers=CSV).status_code == 404


def test_a_packed_upload_is_unpacked(call: Caller) -> None:
    """Content-Encoding gzip on the PUT gives the same rows."""
    job_id = create(call)["id"]
    packed = gzip.compress(b"Name\n" + b"".join(b"Firma %d\n" % n for n in range(1_000)))
    headers = {**CSV, "Content-Encoding": "gzip"}
    assert call("PUT", f"/jobs/ingest/{job_id}/batches", content=packed, headers=headers).status_code == 201
    call("PATCH", f"/jobs/ingest/{job_id}", json={"state": "UploadComplete"})
    assert finished(call, "ingest", job_id)["numberRecordsProcessed"] == 1_000


def test_states_over_http(call: Caller) -> None:
    """Deleting and reading too early, aborting, deleting and aborting too late, each with its code."""
    call.http.post("/_emulator/faults", json=SLOW)
    job_id = create(call)["id"]
    path = f"/jobs/ingest/{job_id}"
    early = call("DELETE", path).json()[0]
    assert early["errorCode"] == "API_ERROR"
    call("PUT", f"{path}/batches", content=b"Name\nx\n", headers=CSV)
    assert call("GET", f"{path}/successfulResults").json()[0]["errorCode"] == "INVALIDJOBSTATE"
    assert call("PATCH", path, json={"state": "JobComplete"}).json()[0]["errorCode"] == "INVALIDJOBSTATE"
    assert call("PATCH", path, json={"state": "Aborted"}).json()["state"] == "Aborted"
    late = call("PATCH", path, json={"state": "Aborted"}).json()[0]
    assert late == {"errorCode": "INVALIDJOBSTATE", "message": "Aborting already Completed Job not allowed"}
    assert call("GET", f"{path}/unprocessedrecords").text == '"Name"\n"x"\n'
    assert call("DELETE", path).status_code == 204
    assert call("GET", path).status_code == 404
    assert call("GET", "/services/data/v61.0/jobs/ingest/750000000000009AAA").status_code == 404


def test_results_belong_to_the_version_of_the_job(call: Caller) -> None:
    """Another version in the address gives 409."""
    job = load(call, b"Name\nx\n")
    assert call("GET", f"/services/data/v61.0/jobs/ingest/{job['id']}/failedResults").status_code == 409


def test_lists_have_pages(call: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every job is on one page, items have no counters, and a foreign filter finds nothing."""
    monkeypatch.setattr(bulk_lists, "_PAGE", 2)
    made = {create(call)["id"] for _ in range(5)}
    found: list[str] = []
    url = "/jobs/ingest"
    while url:
        page = call("GET", url).json()
        assert all("numberRecordsProcessed" not in item for item in page["records"])
        found += [item["id"] for item in page["records"]]
        url = page["nextRecordsUrl"]
        assert page["done"] is (url is None)
    assert (len(found), set(found)) == (5, made)
    assert call("GET", "/jobs/ingest?jobType=Classic").json()["records"] == []
    assert call("GET", "/jobs/ingest?jobType=Nope").status_code == 400
    assert call("GET", "/jobs/ingest?colour=red").status_code == 400
    assert call("GET", "/jobs/ingest?queryLocator=zzz").json()[0]["errorCode"] == "INVALID_QUERY_LOCATOR"
    assert call("GET", "/jobs/query").json() == {"done": True, "records": [], "nextRecordsUrl": None}


@pytest.mark.documented
def test_query_job_over_http(call: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    """Locators lead through all rows and end in the text null; resultPages name the same pages."""
    load(call, b"Name\n" + b"".join(b"Firma %03d\n" % n for n in range(25)))
    body = {"operation": "query", "query": "SELECT Name FROM Account ORDER BY Name"}
    made = call("POST", "/jobs/query", json=body, headers={"Accept": "text/csv"})
    assert made.status_code == 200
    assert list(made.json()) == [*SHORT, "lineEnding", "columnDelimiter"]
    assert (made.json()["state"], made.json()["object"]) == ("UploadComplete", "Account")
    path = f"/jobs/query/{made.json()['id']}"
    info = finished(call, "query", made.json()["id"])
    assert (info["jobType"], info["numberRecordsProcessed"]) == ("V2Query", 25)
    names: list[str] = []
    locator, sizes = "", []
    while locator != "null":
        page = call("GET", f"{path}/results?maxRecords=10" + (f"&locator={locator}" if locator else ""))
        header, *rows = page.text.splitlines()
        assert header == '"Name"'
        names += rows
        sizes.append(int(page.headers["sforce-numberofrecords"]))
        locator = page.headers["sforce-locator"]
    assert names == [f'"Firma {n:03d}"' for n in range(25)]
    assert sizes == [10, 10, 5]
    monkeypatch.setattr(bulk_query, "DEFAULT_PAGE_ROWS", 4)
    pages = call("GET", f"{path}/resultPages").json()
    assert (len(pages["resultPages"]), pages["done"]) == (5, False)
    rest = call("GET", pages["nextRecordsUrl"]).json()
    assert (len(rest["resultPages"]), rest["done"], rest["nextRecordsUrl"]) == (2, True, None)
    urls = [item["resultUrl"] for item in pages["resultPages"] + rest["resultPages"]]
    assert [row for url in urls for row in call("GET", url).text.splitlines()[1:]] == names
    assert call("GET", f"/services/data/v57.0{path}/resultPages").status_code == 404
    assert call("GET", f"{path}/results?maxRecords=0").status_code == 400
    assert call("GET", f"{path}/results?locator=*").status_code == 400
    assert call("DELETE", path).status_code == 204


def test_a_query_job_is_aborted_and_never_closed(call: Caller) -> None:
    """Aborted is the only state that may be asked for; its results are not there."""
    call.http.post("/_emulator/faults", json=SLOW)
    job_id = call("POST", "/jobs/query", json={"operation": "queryAll", "query": "SELECT Id FROM Account"}).json()["id"]
    assert call("PATCH", f"/jobs/query/{job_id}", json={"state": "UploadComplete"}).status_code == 400
    assert call("DELETE", f"/jobs/query/{job_id}").json()[0]["errorCode"] == "API_ERROR"
    assert call("PATCH", f"/jobs/query/{job_id}", json={"state": "Aborted"}).json()["state"] == "Aborted"
    assert call("GET", f"/jobs/query/{job_id}/results").status_code == 400


def test_bad_soql_is_refused_at_once(call: Caller) -> None:
    """The POST itself fails, with the error of /query."""
    reply = call("POST", "/jobs/query", json={"operation": "query", "query": "SELECT Nope FROM Account"})
    assert (reply.status_code, reply.json()[0]["errorCode"]) == (400, "INVALID_FIELD")
    missing = call("POST", "/jobs/query", json={"operation": "query"})
    assert missing.json()[0]["errorCode"] == "INVALIDJOB"


def test_an_application_that_is_closed_leaves_its_jobs_for_the_next(make_caller: Callable[..., Caller]) -> None:
    """A job of a stopped process is finished by the next one."""
    call = make_caller(batch_delay_seconds=60, batch_rows=2)
    call.sign_in()
    job_id = create(call)["id"]
    call("PUT", f"/jobs/ingest/{job_id}/batches", content=b"Name\na\nb\nc\n", headers=CSV)
    call("PATCH", f"/jobs/ingest/{job_id}", json={"state": "UploadComplete"})
    call.close()
    again = make_caller(batch_rows=2)
    again.headers = call.headers
    assert finished(again, "ingest", job_id)["numberRecordsProcessed"] == 3


def test_faults_and_stats_over_http(call: Caller) -> None:
    """Programmed trouble hits, is used up, and is counted; outsiders see no controls."""
    faults = [
        {"path": "/limits", "status": 503, "times": 1},
        {"path": "/sobjects/Account$", "method": "POST", "status": 500, "effect": True},
    ]
    assert call.http.post("/_emulator/faults", json=faults).status_code == 200
    assert [call("GET", "/limits").status_code for _ in range(2)] == [503, 200]
    assert call("POST", "/sobjects/Account", json={"Name": "Saved all the same"}).status_code == 500
    assert call("GET", "/query?q=SELECT+COUNT()+FROM+Account").json()["totalSize"] == 1
    assert call.http.post("/_emulator/faults", json={"kind": "nope"}).status_code == 400
    assert call.http.post("/_emulator/faults", json=3).status_code == 400
    assert call.http.post("/_emulator/faults", content=b"{").status_code == 400
    load(call, b"Name\nx\n")
    stats = call.http.get("/_emulator/stats").json()
    assert list(stats["upload_complete_commits"].values()) == [1]
    assert stats["requests"]["GET /services/data/{version}/limits"] == 1
    assert stats["peak_rss_bytes"] > 10_000_000
    call.http.post("/_emulator/faults", json={"kind": "expire_sessions"})
    assert call("GET", "/limits").status_code == 401


def test_a_cut_connection_before_and_after_the_effect(call: Caller) -> None:
    """Cut before, nothing is saved; cut after, the row is there though nobody was told."""
    for cut in ("before", "after"):
        call.http.post("/_emulator/faults", json={"path": "/sobjects/Account", "cut": cut})
        with pytest.raises(ConnectionResetError):
            call("POST", "/sobjects/Account", json={"Name": cut})
    rows = call("GET", "/query?q=SELECT+Name+FROM+Account").json()["records"]
    assert [row["Name"] for row in rows] == ["after"]
    assert V in rows[0]["attributes"]["url"]
