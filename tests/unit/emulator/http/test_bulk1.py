"""Bulk API 1.0 over HTTP: forms of bodies and replies, states, results, refusals."""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

import pytest
from httpx2 import Response

from tests.unit.emulator.http.conftest import Caller

NS = "http://www.force.com/2009/06/asyncapi/dataload"
ASYNC = "/services/async/60.0"
JSON, XML, CSV = ({"Content-Type": kind} for kind in ("application/json", "application/xml", "text/csv"))
KEY = "External_Id__c"


def send(call: Caller, method: str, path: str, body: Any = None, **headers: str) -> Response:
    """Send one request as clients do: the session in X-SFDC-Session only."""
    sent = {"X-SFDC-Session": call.token, **{name.replace("_", "-"): value for name, value in headers.items()}}
    rest = {"json": body} if isinstance(body, dict | list) else {"content": body}
    return call.http.request(method, f"{ASYNC}/job{path}", headers=sent, **rest)


def make_job(call: Caller, **info: Any) -> str:
    """Create a job by JSON and return its id."""
    reply = send(call, "POST", "", {"operation": "insert", "object": "Account", "contentType": "JSON", **info})
    assert reply.status_code == 201, reply.text
    return str(reply.json()["id"])


def add(call: Caller, job_id: str, body: Any, **headers: str) -> str:
    """Add a batch and return its id."""
    reply = send(call, "POST", f"/{job_id}/batch", body, **headers)
    assert reply.status_code == 201, reply.text
    if reply.headers["content-type"] == "application/json":
        return str(reply.json()["id"])
    return str(tags(reply)["id"])


def tags(reply: Response) -> dict[str, str]:
    """Return the elements of a flat XML reply."""
    root = ElementTree.fromstring(reply.text)
    assert root.tag.startswith(f"{{{NS}}}")
    return {child.tag.removeprefix(f"{{{NS}}}"): child.text or "" for child in root}


def ended(call: Caller, job_id: str, batch_id: str) -> dict[str, Any]:
    """Return batchInfo once the batch has ended."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        reply = send(call, "GET", f"/{job_id}/batch/{batch_id}")
        info = reply.json() if reply.headers["content-type"] == "application/json" else tags(reply)
        if info["state"] not in ("Queued", "InProgress"):
            return dict(info)
        time.sleep(0.005)
    raise AssertionError(f"batch {batch_id} did not end")


def result(call: Caller, job_id: str, batch_id: str, name: str = "") -> Response:
    """Return a result."""
    return send(call, "GET", f"/{job_id}/batch/{batch_id}/result{name}")


@pytest.mark.recorded
def test_a_job_in_xml_has_the_recorded_elements_in_their_order(call: Caller) -> None:
    """XML in gives XML out, with the recorded head, order and namespace, and 201."""
    body = f'<jobInfo xmlns="{NS}"><operation>insert</operation><object>account</object></jobInfo>'
    reply = send(call, "POST", "", body, Content_Type="application/xml; charset=UTF-8")
    assert (reply.status_code, reply.headers["content-type"]) == (201, "application/xml")
    head = f'<?xml version="1.0" encoding="UTF-8"?><jobInfo\n   xmlns="{NS}">\n <id>750'
    assert reply.text.startswith(head)
    assert list(tags(reply)) == [
        *("id", "operation", "object", "createdById", "createdDate", "systemModstamp", "state", "concurrencyMode"),
        *("contentType", "numberBatchesQueued", "numberBatchesInProgress", "numberBatchesCompleted"),
        *("numberBatchesFailed", "numberBatchesTotal", "numberRecordsProcessed", "numberRetries", "apiVersion"),
        *("numberRecordsFailed", "totalProcessingTime", "apiActiveProcessingTime", "apexProcessingTime"),
    ]
    assert tags(reply)["object"] == "Account"
    assert (tags(reply)["contentType"], tags(reply)["apiVersion"]) == ("XML", "60.0")
    assert tags(reply)["createdDate"].endswith("Z")


@pytest.mark.documented
@pytest.mark.parametrize(("mode", "word"), [(0, "Parallel"), (1, "Serial"), ("Serial", "Serial"), (None, "Parallel")])
def test_a_job_in_json_takes_the_mode_as_a_number(call: Caller, mode: object, word: str) -> None:
    """The ordinal that one client sends is as good as the word; JSON has nulls and a number for the version."""
    info = send(call, "GET", f"/{make_job(call, concurrencyMode=mode)}", Content_Type="application/json").json()
    assert (info["concurrencyMode"], info["apiVersion"], info["externalIdFieldName"]) == (word, 60.0, None)
    assert info["fastPathEnabled"] is False


def test_csv_batches_answer_in_xml_and_give_results_in_order(call: Caller) -> None:
    """A JSON job with CSV content has batches in XML; every row has its result, where it stood."""
    job_id = make_job(call, contentType="CSV")
    batch_id = add(call, job_id, "Name,BillingCity\nOne,Köln\n,Bonn\nThree,\n".encode(), **{"Content-Type": "text/csv"})
    info = ended(call, job_id, batch_id)
    assert (info["state"], info["numberRecordsProcessed"], info["numberRecordsFailed"]) == ("Completed", "3", "1")
    reply = result(call, job_id, batch_id)
    assert reply.headers["content-type"] == "text/csv"
    head, one, two, three, end = reply.text.split("\n")
    assert head == '"Id","Success","Created","Error"'
    assert one.startswith('"001')
    assert one.endswith('","true","true",""')
    assert two == '"","false","false","REQUIRED_FIELD_MISSING:Required fields are missing: [Name]:Name --"'
    assert three.endswith('","true","true",""')
    assert end == ""
    assert send(call, "GET", f"/{job_id}/batch/{batch_id}/request").content.startswith(b"Name,BillingCity\nOne")
    job = send(call, "GET", f"/{job_id}", Content_Type="application/json").json()
    assert (job["numberBatchesCompleted"], job["numberRecordsProcessed"], job["numberRecordsFailed"]) == (1, 3, 1)
    listed = send(call, "GET", f"/{job_id}/batch")
    assert ElementTree.fromstring(listed.text).tag == f"{{{NS}}}batchInfoList"


def test_json_batches_of_every_operation(call: Caller) -> None:
    """Insert, update, upsert and delete by JSON: flags, ids, errors, nulls and related records by key."""
    job_id = make_job(call)
    records = [{"Name": "Parent", KEY: "p"}, {"BillingCity": "x"}]
    good, bad = _through(call, job_id, records)
    assert (good["success"], good["created"], good["errors"]) == (True, True, [])
    assert bad == {
        "success": False,
        "created": False,
        "id": None,
        "errors": [
            {
                "statusCode": "REQUIRED_FIELD_MISSING",
                "message": "Required fields are missing: [Name]",
                "fields": ["Name"],
                "extendedErrorDetails": None,
            }
        ],
    }
    contacts = [{"LastName": "A", "Account": {KEY: "p"}}, {"LastName": "B", "Account": {KEY: "nobody"}}]
    linked, lost = _through(call, make_job(call, object="Contact"), contacts)
    assert (linked["success"], lost["errors"][0]["statusCode"]) == (True, "INVALID_FIELD")
    assert call("GET", f"/sobjects/Contact/{linked['id']}").json()["AccountId"] == good["id"]
    changes = [{"Id": good["id"], "BillingCity": None, "Phone": "1"}]
    (changed,) = _through(call, make_job(call, operation="update"), changes)
    assert (changed["success"], changed["created"]) == (True, False)
    upsert = make_job(call, operation="upsert", externalIdFieldName="external_id__c")
    same, new = _through(call, upsert, [{KEY: "p", "Name": "Again"}, {KEY: "q", "Name": "New"}])
    assert ((same["id"], same["created"]), new["created"]) == ((good["id"], False), True)
    gone, unknown = _through(call, make_job(call, operation="delete"), [{"Id": new["id"]}, {"Id": "001000000000009"}])
    assert (gone["success"], unknown["success"]) == (True, False)
    assert call("GET", "/query?q=SELECT+COUNT()+FROM+Account").json()["totalSize"] == 1


def _through(call: Caller, job_id: str, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    batch_id = add(call, job_id, records)
    info = ended(call, job_id, batch_id)
    assert info["state"] == "Completed", info
    return list(result(call, job_id, batch_id).json())


def test_xml_batches(call: Caller) -> None:
    """Records, related records, nil and markup go in by XML, results come out by XML."""
    job_id = make_job(call, contentType="XML", object="Contact")
    call("POST", "/sobjects/Account", json={"Name": "P", KEY: "p"})
    body = (
        f'<sObjects xmlns="{NS}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        f"<sObject><LastName>A &amp; B</LastName><Email xsi:nil='true'/><Account><sObject><type>Account</type>"
        f"<{KEY}>p</{KEY}></sObject></Account></sObject><sObject><FirstName>x</FirstName></sObject></sObjects>"
    )
    batch_id = add(call, job_id, body, **{"Content-Type": "application/xml"})
    assert ended(call, job_id, batch_id)["numberRecordsFailed"] == "1"
    reply = result(call, job_id, batch_id)
    one, two = ElementTree.fromstring(reply.text)
    assert [child.tag.removeprefix(f"{{{NS}}}") for child in one] == ["id", "success", "created"]
    assert two.findtext(f"{{{NS}}}errors/{{{NS}}}statusCode") == "REQUIRED_FIELD_MISSING"
    row = call("GET", "/query?q=SELECT+LastName,Account.Name+FROM+Contact").json()["records"][0]
    assert (row["LastName"], row["Account"]["Name"]) == ("A & B", "P")


def test_queries_in_three_forms(call: Caller) -> None:
    """A query lists its results and gives them as CSV, as JSON with instants in milliseconds, or as XML."""
    for name in ("Ä, 1", "B"):
        call("POST", "/sobjects/Account", json={"Name": name})
    soql = "SELECT Id, Name, CreatedDate, Owner.Name FROM Account ORDER BY Name DESC"
    texts = {}
    for kind in ("CSV", "JSON", "XML"):
        job_id = make_job(call, operation="query", contentType=kind)
        media = {"CSV": "text/csv", "JSON": "application/json", "XML": "application/xml"}[kind]
        batch_id = add(call, job_id, soql, **{"Content-Type": media})
        assert str(ended(call, job_id, batch_id)["numberRecordsProcessed"]) == "2"
        listed = result(call, job_id, batch_id)
        names = listed.json() if kind == "JSON" else [item.text for item in ElementTree.fromstring(listed.text)]
        assert [str(name)[:3] for name in names] == ["752"]
        reply = result(call, job_id, batch_id, f"/{names[0]}")
        assert reply.headers["content-type"] == media
        texts[kind] = reply
        assert result(call, job_id, batch_id, "/752000000000001AAA").status_code == 400
    head, first = texts["CSV"].text.splitlines()[:2]
    assert head == '"Id","Name","CreatedDate","Owner.Name"'
    assert first.split('","')[1] == "Ä, 1"
    record = texts["JSON"].json()[0]
    assert record["attributes"]["url"] == f"/services/data/v60.0/sobjects/Account/{record['Id']}"
    assert abs(record["CreatedDate"] / 1000 - time.time()) < 60
    assert record["Owner"]["Name"]
    record_xml = ElementTree.fromstring(texts["XML"].text)[0]
    assert record_xml.findtext(f"{{{NS}}}Name") == "Ä, 1"
    assert (record_xml.findtext(f"{{{NS}}}CreatedDate") or "").endswith("Z")


@pytest.mark.assumed
def test_a_query_without_records(call: Caller) -> None:
    """CSV has one line that says so, JSON an empty list; deleted rows are seen by queryAll only."""
    row = call("POST", "/sobjects/Account", json={"Name": "Gone"}).json()["id"]
    call("DELETE", f"/sobjects/Account/{row}")
    found = {}
    for operation, kind in (("query", "CSV"), ("query", "JSON"), ("queryAll", "JSON")):
        job_id = make_job(call, operation=operation, contentType=kind)
        batch_id = add(call, job_id, "SELECT Id FROM Account", **{"Content-Type": "text/csv"})
        ended(call, job_id, batch_id)
        listed = result(call, job_id, batch_id)
        name = listed.json()[0] if kind == "JSON" else ElementTree.fromstring(listed.text)[0].text
        found[operation, kind] = result(call, job_id, batch_id, f"/{name}")
    assert found["query", "CSV"].text == "Records not found for this query\n"
    assert found["query", "JSON"].json() == []
    assert [record["Id"] for record in found["queryAll", "JSON"].json()] == [row]


@pytest.mark.parametrize(
    ("info", "body", "message"),
    [
        ({"contentType": "CSV"}, b"Name,Foo__c\na,b\n", "InvalidBatch : Field name not found : Foo__c"),
        ({}, [{"Foo__c": "b"}], "InvalidBatch : Field name not found : Foo__c"),
        ({"operation": "delete"}, [{"Id": "1", "Name": "b"}], "InvalidBatch : Field name not found : Name"),
        ({}, [], "InvalidBatch : Records not found"),
        ({"contentType": "CSV"}, b"", "InvalidBatch : Records not found"),
        ({}, b"[1]", "InvalidBatch : Failed to parse JSON. A list of objects is expected"),
        ({}, [{"Name": "x"}] * 10_001, "InvalidBatch : The batch has more than 10000 records"),
        (
            {"contentType": "CSV"},
            b'Name\nsay "hi"\n',
            "InvalidBatch : Failed to parse CSV. Found unescaped quote. A value with quote should be within a quote",
        ),
        (
            {"operation": "query"},
            "SELECT Id FROM Contact",
            "InvalidBatch : Failed to process query: INVALID_TYPE_FOR_OPERATION: The root entity of the requested "
            "query (Contact) does not match the entity of the requested Bulk API Job (Account).",
        ),
        ({"operation": "query"}, "SELECT", "InvalidBatch : Failed to process query: MALFORMED_QUERY: "),
    ],
    ids=["csv-name", "json-name", "delete", "no-json", "no-csv", "json", "too-many", "quote", "root", "soql"],
)
def test_a_batch_that_cannot_be_used_fails_as_a_whole(
    call: Caller, info: dict[str, str], body: Any, message: str
) -> None:
    """It says why in stateMessage, has no results, and the job goes on."""
    job_id = make_job(call, **info)
    headers = {"Content-Type": "text/csv"} if isinstance(body, bytes) and "contentType" in info else {}
    batch_id = add(call, job_id, body, **headers)
    found = ended(call, job_id, batch_id)
    assert found["state"] == "Failed"
    assert found["stateMessage"].startswith(message)
    refused = send(call, "GET", f"/{job_id}/batch/{batch_id}/result", Content_Type="application/json")
    assert refused.json() == {"exceptionCode": "InvalidBatch", "exceptionMessage": "Records not processed"}
    assert call("GET", "/query?q=SELECT+COUNT()+FROM+Account").json()["totalSize"] == 0


def test_a_closed_job_finishes_and_an_aborted_one_does_not(call: Caller) -> None:
    """Closing only ends the adding of batches; aborting leaves those that wait unprocessed."""
    call.http.post("/_emulator/faults", json={"kind": "slow_jobs", "delay_ms": 100})
    closed = make_job(call)
    first = add(call, closed, [{"Name": "kept"}])
    assert send(call, "POST", f"/{closed}", {"state": "Closed"}).json()["state"] == "Closed"
    again = send(call, "POST", f"/{closed}/batch", [{"Name": "late"}])
    assert (again.status_code, again.json()["exceptionCode"]) == (400, "InvalidJobState")
    early = result(call, closed, first)
    assert tags(early) == {"exceptionCode": "InvalidBatch", "exceptionMessage": "Batch not completed"}
    assert ended(call, closed, first)["state"] == "Completed"
    call.http.post("/_emulator/faults", json={"kind": "slow_jobs", "delay_ms": 60_000})
    aborted = make_job(call, contentType="XML")
    second = add(call, aborted, f'<sObjects xmlns="{NS}"/>', **{"Content-Type": "application/xml"})
    body = f'<jobInfo xmlns="{NS}"><id>{aborted}</id><state>Aborted</state></jobInfo>'
    assert tags(send(call, "POST", f"/{aborted}", body, Content_Type="text/xml"))["state"] == "Aborted"
    assert ended(call, aborted, second)["state"] == "Not Processed"
    assert send(call, "POST", f"/{aborted}", {"state": "Aborted"}).json()["exceptionCode"] == "InvalidJobState"


@pytest.mark.parametrize(
    ("info", "code"),
    [
        ({"operation": "merge"}, "InvalidOperation"),
        ({"object": "Nope"}, "InvalidEntity"),
        ({"object": None}, "InvalidJob"),
        ({"operation": "upsert"}, "InvalidJob"),
        ({"operation": "upsert", "externalIdFieldName": "Phone"}, "InvalidJob"),
        ({"contentType": "ZIP_CSV"}, "UnsupportedContentType"),
        ({"contentType": "PDF"}, "UnsupportedContentType"),
        ({"concurrencyMode": 2}, "InvalidJob"),
        ({"state": "Closed"}, "InvalidJobState"),
        ({"magic": "x"}, "InvalidJob"),
        ({"assignmentRuleId": "01Q000000000001"}, "InvalidJob"),
    ],
)
def test_jobs_that_make_no_sense_are_refused(call: Caller, info: dict[str, Any], code: str) -> None:
    """Each gets its code, as a JSON object with 400 and a content type without charset."""
    reply = send(call, "POST", "", {"operation": "insert", "object": "Account", **info})
    assert (reply.status_code, reply.json()["exceptionCode"]) == (400, code)
    assert reply.headers["content-type"] == "application/json"


@pytest.mark.documented
def test_sessions_versions_and_addresses(call: Caller) -> None:
    """A bad session is 400 in the caller's form; so are a version out of range and an address that is none."""
    for headers in ({}, {"X-SFDC-Session": "nope"}):
        reply = call.http.get(f"{ASYNC}/job/750", headers={**XML, **headers})
        assert (reply.status_code, reply.headers["content-type"]) == (400, "application/xml")
        assert "<exceptionCode>InvalidSessionId</exceptionCode>" in reply.text
    known = {"X-SFDC-Session": call.token, **JSON}
    assert call.http.get("/services/async/20.0/job/750", headers=known).json()["exceptionCode"] == "InvalidVersion"
    assert call.http.get("/services/async/v60.0/job/750", headers=known).json()["exceptionCode"] == "InvalidVersion"
    assert call.http.get(f"{ASYNC}/jobs", headers=known).json()["exceptionCode"] == "InvalidUrl"
    assert call.http.delete(f"{ASYNC}/job/750", headers=known).json()["exceptionCode"] == "InvalidUrl"
    missing = call.http.get(f"{ASYNC}/job/750000000000001", headers=known).json()
    assert missing == {"exceptionCode": "InvalidJob", "exceptionMessage": "Invalid job id: 750000000000001"}
    spec = call.http.get(f"{ASYNC}/job/750000000000001/spec", headers=known).json()
    assert spec["exceptionCode"] == "FeatureNotEnabled"
    bearer = call.http.get(f"{ASYNC}/job/750", headers={**call.headers, **JSON})
    assert bearer.json()["exceptionCode"] == "InvalidJob"


@pytest.mark.parametrize(
    ("headers", "body", "code"),
    [
        (JSON, b"{", "ClientInputError"),
        (JSON, b"[]", "ClientInputError"),
        (XML, b"<oops", "InvalidXml"),
        (XML, b'<!DOCTYPE a [<!ENTITY b "c">]><jobInfo>&b;</jobInfo>', "InvalidXml"),
        (XML, b"<job/>", "InvalidXml"),
        ({**JSON, "Sforce-Enable-PKChunking": "parent=Account"}, b"{}", "FeatureNotEnabled"),
        ({**JSON, "Sforce-Enable-PKChunking": "chunkSize=many"}, b"{}", "ClientInputError"),
        ({**JSON, "Sforce-Line-Ending": "CR"}, b"{}", "ClientInputError"),
    ],
)
def test_bodies_that_are_no_job_are_refused(call: Caller, headers: dict[str, str], body: bytes, code: str) -> None:
    """What cannot be read, or asks for what is not there, is a refusal and no job."""
    reply = call.http.post(f"{ASYNC}/job", content=body, headers={"X-SFDC-Session": call.token, **headers})
    assert reply.status_code == 400
    assert f"{code}" in reply.text


@pytest.mark.documented
def test_pk_chunking_makes_batches_of_ranges(call: Caller) -> None:
    """The first batch is not processed, the others hold every row once; LIMIT leaves a query whole."""
    _through(call, make_job(call), [{"Name": f"n{n}"} for n in range(25)])
    info = {"operation": "query", "object": "Account", "contentType": "JSON"}
    chunking = {"Sforce-Enable-PKChunking": "chunkSize=10; startRow=001000000000000AAA", "X-SFDC-Session": call.token}
    made = call.http.post(f"{ASYNC}/job", json=info, headers=chunking)
    job_id = made.json()["id"]
    first = add(call, job_id, "SELECT Name FROM Account WHERE Name != 'n3' OR Name = null", **JSON)
    assert ended(call, job_id, first)["state"] == "NotProcessed"
    names: list[str] = []
    batches = send(call, "GET", f"/{job_id}/batch").json()["batchInfo"][1:]
    assert len(batches) == 3
    for batch in batches:
        assert ended(call, job_id, batch["id"])["state"] == "Completed"
        (name,) = result(call, job_id, batch["id"]).json()
        names += [row["Name"] for row in result(call, job_id, batch["id"], f"/{name}").json()]
    assert sorted(names) == sorted(f"n{n}" for n in range(25) if n != 3)
    whole = add(call, job_id, "SELECT Id FROM Account LIMIT 5", **JSON)
    assert ended(call, job_id, whole)["numberRecordsProcessed"] == 5


def test_limits_of_a_batch(call: Caller) -> None:
    """More than ten million bytes, and another form than the job's, are refused; gzip is unpacked."""
    job_id = make_job(call, contentType="CSV")
    large = send(call, "POST", f"/{job_id}/batch", b"x" * 10_000_001, **{"Content-Type": "text/csv"})
    assert tags(large)["exceptionCode"] == "ClientInputError"
    other = send(call, "POST", f"/{job_id}/batch", [{"Name": "x"}])
    assert other.json()["exceptionCode"] == "InvalidBatch"
    packed = {"Content-Type": "text/csv", "Content-Encoding": "gzip"}
    batch_id = add(call, job_id, gzip.compress(b"Name\r\nPacked\r\n"), **packed)
    assert ended(call, job_id, batch_id)["numberRecordsFailed"] == "0"


@pytest.mark.documented
def test_the_list_of_bulk_2_shows_bulk_1_jobs_as_classic(call: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    """All jobs of the org are listed, over pages too, and the filter by type tells them apart."""
    monkeypatch.setattr("orgbridge.emulator.http.resources.bulk_lists._PAGE", 2)
    classic = [make_job(call, concurrencyMode=mode) for mode in ("Serial", "Parallel", "Serial")]
    newer = [call("POST", "/jobs/ingest", json={"object": "Account", "operation": "insert"}).json()["id"]]
    seen: list[tuple[str, str]] = []
    path = "/jobs/ingest"
    while path:
        page = call("GET", path).json()
        seen += [(job["id"], job["jobType"]) for job in page["records"]]
        path = page["nextRecordsUrl"]
    assert seen == [(newer[0], "V2Ingest"), *((job_id, "Classic") for job_id in reversed(classic))]
    only = call("GET", "/jobs/ingest?jobType=Classic&concurrencyMode=Serial").json()["records"]
    assert [job["id"] for job in only] == [classic[2], classic[0]]
    assert call("GET", "/jobs/ingest?jobType=V2Ingest").json()["records"][0]["id"] == newer[0]
    assert len(set(classic + newer)) == 4


def test_a_lock_storm_and_a_failing_job_hit_batches_too(call: Caller) -> None:
    """Trouble on demand reaches Bulk API 1.0: locked rows have their own results, a failing batch says why."""
    call.http.post("/_emulator/faults", json={"kind": "locks", "share": 0.5, "seed": 3})
    rows = _through(call, make_job(call), [{"Name": f"n{n}"} for n in range(100)])
    locked = [row for row in rows if not row["success"]]
    assert 20 < len(locked) < 80
    assert locked[0]["errors"][0]["statusCode"] == "UNABLE_TO_LOCK_ROW"
    call.http.request("DELETE", "/_emulator/faults")
    call.http.post("/_emulator/faults", json={"kind": "job_failure", "message": "InternalServerError : on demand"})
    job_id = make_job(call)
    info = ended(call, job_id, add(call, job_id, [{"Name": "x"}]))
    assert (info["state"], info["stateMessage"]) == ("Failed", "InternalServerError : on demand")


def test_a_restart_keeps_jobs_and_does_what_waits(make_caller: Callable[..., Caller]) -> None:
    """A batch that waited when the org ended is processed by the next process, once."""
    first = make_caller(batch_delay_seconds=60.0)
    first.sign_in()
    job_id = make_job(first)
    batch_id = add(first, job_id, [{"Name": "Waits"}])
    first.close()
    second = make_caller()
    second.token, second.headers = first.token, first.headers
    assert ended(second, job_id, batch_id)["state"] == "Completed"
    assert second("GET", "/query?q=SELECT+COUNT()+FROM+Account").json()["totalSize"] == 1
