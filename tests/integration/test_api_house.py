"""Loads and jobs of the API over a whole house: service, worker and emulated org in one process, everything real."""

from __future__ import annotations

import gzip
import io
import json
import os
import stat
import threading
import time
import zipfile
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest

from tests.integration.test_api_contract import check_problem
from tests.support.local_house import LocalHouse, house

__all__ = ["house"]

DIRTY = (
    b"\xef\xbb\xbfName;External_Id__c;Description\r\n"
    b'N\xc3\xa4me 1;dirty-1;"two\r\nlines; and a ""quote"""\r\n'
    b";dirty-2;no name\r\n"
    b"Name 3;dirty-3;\r\n"
)


def _upload(house: LocalHouse, data: bytes, name: str = "in.csv", **params: str) -> httpx2.Response:
    query = {"object_name": "Account", "operation_type": "insert", **params}
    with house.client() as client:
        return client.post("/bulk/dml-file-upload", params=query, files={"file": (name, data)})


def _kept(house: LocalHouse) -> set[str]:
    folder = house.folder / "files" / "loads"
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


def test_a_dirty_file_is_accounted_for_row_by_row(house: LocalHouse) -> None:
    """BOM, CRLF, semicolons, quoted line breaks and a bad row: status, results and receipt agree and keep the bytes."""
    reply = _upload(house, DIRTY, "dirty.csv")
    assert reply.status_code == 202
    assert reply.headers["location"] == reply.json()["status_url"]
    assert reply.json()["input"]["delimiter"] == ";"
    job_id = reply.json()["job_id"]
    status = house.wait(job_id)
    assert (status["records_processed"], status["records_failed"], status["operation"]) == (3, 1, "insert")
    with house.client() as client:
        receipt = client.get(f"/bulk/job/{job_id}/receipt").json()
        assert receipt["balanced"] is True
        counts = {name: receipt["rows"][name] for name in ("read", "sent", "succeeded", "failed", "unprocessed")}
        assert counts == {"read": 3, "sent": 3, "succeeded": 2, "failed": 1, "unprocessed": 0}
        everything = client.get(f"/bulk/job/{job_id}/results/all").content
        assert [line.split(b";")[0] for line in everything.split(b"\r\n")[:2]] == [b"ob__line", b"2"]
        assert b'N\xc3\xa4me 1;dirty-1;"two\r\nlines; and a ""quote"""\r\n' in everything
        failed = client.get(f"/bulk/job/{job_id}/results/failed")
        assert failed.headers["content-type"].startswith("text/csv")
        assert [line.split(";")[0] for line in failed.text.splitlines()] == ["ob__line", "4"]
        again = client.get(f"/bulk/job/{job_id}/results/failed", params={"loadable": "true"}).text
        assert again.splitlines() == [line.split(";", 9)[9] for line in failed.text.splitlines()]
        check_problem(
            client.get(f"/bulk/job/{job_id}/results/all", params={"loadable": "true"}), 400, "request.invalid"
        )
        rows = [
            json.loads(line)
            for line in client.get(
                f"/bulk/job/{job_id}/results/all", headers={"Accept": "application/x-ndjson"}
            ).text.splitlines()
        ]
        assert [row["External_Id__c"] for row in rows] == ["dirty-1", "dirty-2", "dirty-3"]
        assert rows[0]["Description"] == 'two\r\nlines; and a "quote"'
        plain = client.get(f"/bulk/job/{job_id}/status").json()
        assert (plain["results_data"], plain["raw_results_csv"]) == (None, None)
        full = client.get(f"/bulk/job/{job_id}/status", params={"include_results_data": True}).json()
        assert (full["raw_results_csv"].encode(), full["results_data"]) == (everything, rows)
        assert full["truncated"] is False


def test_a_job_is_found_by_the_id_that_salesforce_gave_it(house: LocalHouse) -> None:
    """The `750…` id of a part leads to the load; one that is nobody's is Salesforce's 404."""
    job_id = _upload(house, b"Name\nBy id\n").json()["job_id"]
    part = house.wait(job_id)["parts"][0]
    with house.client() as client:
        for known in (part["job_id"], part["job_id"][:15]):
            found = client.get(f"/bulk/job/{known}/status").json()
            assert (found["job_id"], found["job_info_details"]["part"]["number"]) == (job_id, 0)
        check_problem(client.get("/bulk/job/750000000000001AAA/status"), 404, "salesforce.not_found")
        check_problem(client.get("/bulk/job/load_none/receipt"), 404, "load.not_found")


@pytest.mark.parametrize("form", ["raw", "json", "ndjson", "gzip", "zip", "utf16", "tab"])
def test_an_input_may_have_any_documented_form(house: LocalHouse, form: str) -> None:
    """Each form carries the same two rows into the org."""
    text = f"Name,AccountNumber\nÄ {form},form-{form}\nB {form},form-{form}\n"
    records = [{"Name": f"{name} {form}", "AccountNumber": f"form-{form}"} for name in ("Ä", "B")]
    match form:
        case "raw":
            with house.client() as client:
                reply = client.put(
                    "/bulk/dml-file-upload",
                    params={"object_name": "Account", "operation_type": "insert"},
                    content=text.encode(),
                    headers={"Content-Type": "text/csv"},
                )
        case "json":
            reply = _upload(house, json.dumps(records).encode(), "in.json")
        case "ndjson":
            reply = _upload(house, "\n".join(json.dumps(item) for item in records).encode(), "in.ndjson")
        case "gzip":
            reply = _upload(house, gzip.compress(text.encode()), "in.csv.gz")
        case "zip":
            packed = io.BytesIO()
            with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr("in.csv", text)
            reply = _upload(house, packed.getvalue(), "in.zip")
        case "utf16":
            reply = _upload(house, text.encode("utf-16"), "in.csv")
        case _:
            reply = _upload(house, text.replace(",", "\t").encode(), "in.tsv")
    assert reply.status_code == 202, reply.text
    status = house.wait(reply.json()["job_id"])
    assert (status["state"], status["records_processed"], status["records_failed"]) == ("JobComplete", 2, 0)
    with house.client() as client:
        soql = f"SELECT Name FROM Account WHERE AccountNumber = 'form-{form}' ORDER BY Name"
        found = client.get("/query", params={"q": soql}).json()["records"]
    assert sorted(record["Name"] for record in found) == sorted(record["Name"] for record in records)


@pytest.mark.parametrize(
    ("data", "params", "status", "code"),
    [
        (b"", {}, 400, "input.empty"),
        (b"Name,Industry\n", {}, 400, "input.header_only"),
        (b"Name,name\nA,B\n", {}, 400, "input.duplicate_header"),
        (b"Name,Nmae__c\nA,B\n", {}, 400, "load.columns_refused"),
        (b"Name,CreatedDate\nA,B\n", {}, 400, "load.columns_refused"),
        (b"Name\nA\n", {"operation_type": "update"}, 400, "load.columns_refused"),
        (b"Name\nA\n", {"operation_type": "upsert"}, 400, "request.invalid"),
        (
            b"Name\nA\n",
            {"operation_type": "upsert", "external_id_field": "External_Id__c"},
            400,
            "load.columns_refused",
        ),
        (b"Name\nA\n", {"operation_type": "insrt"}, 400, "request.invalid"),
        (b"Name\nA\n", {"object_name": "Acount"}, 400, "request.invalid"),
        (b"Name\nA\n", {"object_name": "A/../B"}, 422, "request.invalid"),
        (b"Name\n" + b"x" * 600_000, {"object_name": "Account", "delimiter": "%"}, 400, "input.unknown_delimiter"),
    ],
)
def test_bad_input_is_refused_at_once_and_leaves_nothing(
    house: LocalHouse, data: bytes, params: dict[str, str], status: int, code: str
) -> None:
    """Each refusal has its own code, and neither a file nor a load stays behind."""
    before = _kept(house)
    with house.client() as client:
        # Ids only: a job that an earlier test left running moves on meanwhile.
        newest = [job["job_id"] for job in client.get("/bulk/jobs", params={"limit": 1}).json()["jobs"]]
        check_problem(_upload(house, data, **params), status, code)
        assert [job["job_id"] for job in client.get("/bulk/jobs", params={"limit": 1}).json()["jobs"]] == newest
    assert _kept(house) == before


def test_a_long_csv_is_refused_by_its_first_bytes(house: LocalHouse) -> None:
    """An unknown column of a 20 MB upload is refused with the reason, which the sender gets to see."""
    check_problem(_upload(house, b"Name,Bogus__c\n" + b"A,B\n" * 5_000_000), 400, "load.columns_refused")


def test_form_fields_before_the_file_serve_as_parameters(house: LocalHouse) -> None:
    """object_name and operation_type may be fields of the form."""
    with house.client() as client:
        reply = client.post(
            "/bulk/dml-file-upload",
            data={"object_name": "Account", "operation_type": "insert"},
            files={"file": ("in.csv", b"Name\nBy form\n")},
        )
        assert reply.status_code == 202, reply.text
        missing = client.post("/bulk/dml-file-upload", files={"file": ("in.csv", b"Name\nBy form\n")})
        check_problem(missing, 400, "request.invalid")
        check_problem(client.post("/bulk/dml-file-upload", data={"a": "b"}), 400, "request.invalid")


def test_local_files_are_read_inside_the_input_folder_only(house: LocalHouse, tmp_path: Path) -> None:
    """A file inside is loaded; .., absolute paths, symlinks out, folders, pipes and missing files are refused."""
    folder = house.folder / "input"
    (folder / "in.csv").write_bytes(b"Name\nLocal\n")
    (tmp_path / "outside.csv").write_bytes(b"Name\nOutside\n")
    (folder / "link.csv").symlink_to(tmp_path / "outside.csv")
    (folder / "sub").mkdir()
    (folder / "updir").symlink_to(tmp_path)
    (folder / "inner.csv").symlink_to(folder / "in.csv")
    os.mkfifo(folder / "pipe.csv")

    def ask(path: str) -> httpx2.Response:
        body = {"object_name": "Account", "use_bulk_api": True, "file_path": path, "operation_type": "insert"}
        with house.client() as client:
            return client.post("/bulk/local-file-process", json=body)

    for good in ("in.csv", str(folder / "in.csv"), "sub/../in.csv", "inner.csv"):
        reply = ask(good)
        assert reply.status_code == 202, reply.text
        assert house.wait(reply.json()["job_id"])["records_failed"] == 0
    for bad in ("../cli.json", "/etc/passwd", "link.csv", "updir/outside.csv", "../nowhere.csv", "a\0b"):
        check_problem(ask(bad), 403, "load.path_refused")
    for missing in ("none.csv", "sub", "pipe.csv"):
        check_problem(ask(missing), 404, "load.file_not_found")


def test_a_small_local_file_is_answered_at_once(house: LocalHouse) -> None:
    """`use_bulk_api` false sends by collections: typed values, cleared and left fields, results in file order."""
    (house.folder / "input" / "small.csv").write_bytes(
        b"Name,NumberOfEmployees,AnnualRevenue,Industry\nSmall A,12,1.5,#N/A\n,1,,\nSmall B,,,Technology\n"
    )
    body = {
        "object_name": "Account",
        "use_bulk_api": False,
        "file_path": "small.csv",
        "operation_type": "insert",
    }
    with house.client() as client:
        reply = client.post("/bulk/local-file-process", json=body)
        assert [result["success"] for result in reply.json()["results"]] == [True, False, True]
        made = client.get(f"/records/Account/{reply.json()['results'][0]['id']}").json()["data"]
    assert (made["NumberOfEmployees"], made["AnnualRevenue"], made["Industry"]) == (12, 1.5, None)


def test_a_bulk_query_delivers_what_the_org_holds(house: LocalHouse) -> None:
    """Its results are CSV and NDJSON; kinds that a query cannot have are refused; its receipt is there."""
    house.wait(_upload(house, b"Name,AccountNumber\nQ1,bq\nQ2,bq\n").json()["job_id"])
    body = {
        "object_name": "Account",
        "soql_query": "SELECT Name FROM Account WHERE AccountNumber = 'bq' ORDER BY Name",
        "operation": "query",
    }
    with house.client() as client:
        job_id = client.post("/bulk/query-submit", json=body).json()["job_id"]
        status = house.wait(job_id)
        assert (status["state"], status["records_processed"], status["is_query_job"]) == ("JobComplete", 2, True)
        assert client.get(f"/bulk/job/{job_id}/results/all").text.splitlines() == ['"Name"', '"Q1"', '"Q2"']
        lines = client.get(f"/bulk/job/{job_id}/results/all", headers={"Accept": "application/x-ndjson"}).text
        assert [json.loads(line) for line in lines.splitlines()] == [{"Name": "Q1"}, {"Name": "Q2"}]
        check_problem(client.get(f"/bulk/job/{job_id}/results/failed"), 404, "load.results_missing")


def test_jobs_are_listed_newest_first_by_cursor(house: LocalHouse) -> None:
    """The cursor walks all jobs once, and the filters narrow."""
    ids = [_upload(house, b"LastName,Company\nA,B\n", object_name="Lead").json()["job_id"] for _ in range(3)]
    with house.client() as client:
        seen: list[str] = []
        params: dict[str, Any] = {"limit": 2, "object_name": "Lead"}
        while True:
            page = client.get("/bulk/jobs", params=params)
            seen += [job["job_id"] for job in page.json()["jobs"]]
            if page.json()["next_cursor"] is None:
                break
            assert 'rel="next"' in page.headers["link"]
            params["cursor"] = page.json()["next_cursor"]
        assert seen[:3] == ids[::-1]
        assert len(set(seen)) == len(seen)
        check_problem(client.get("/bulk/jobs", params={"cursor": "x"}), 400, "page.cursor_invalid")
        check_problem(client.get("/bulk/jobs", params={"state": "Odd"}), 400, "request.invalid")


def test_an_aborted_job_stays_accounted_for(house: LocalHouse) -> None:
    """A load stopped half way: what was done is told, the rest is unprocessed, and the receipt adds up."""
    rows = b"Name,AccountNumber\n" + b"".join(b"Abort %d,aborted\n" % n for n in range(60))
    # One row per part makes sixty jobs, of which a few run at a time: no machine is through with them at once.
    job_id = _upload(house, rows, part_rows="1").json()["job_id"]
    deadline = time.monotonic() + 30
    with house.client() as client:
        while not client.get(f"/bulk/job/{job_id}/status").json()["progress"]["parts_by_state"].get("matched"):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        asked = client.post(f"/bulk/job/{job_id}/abort")
        assert (asked.status_code, asked.json()["job_info_details"]["cancel_requested"]) == (202, True)
        status = house.wait(job_id)
        assert status["state"] == "Aborted"
        assert "cancelled" in status["error_message"]
        receipt = client.get(f"/bulk/job/{job_id}/receipt").json()
        counts = receipt["rows"]
        assert receipt["balanced"]
        assert counts["read"] == 60 == counts["succeeded"] + counts["unprocessed"]
        assert counts["succeeded"] >= 1
        assert counts["unprocessed"] >= 1
        soql = "SELECT COUNT() FROM Account WHERE AccountNumber = 'aborted'"
        assert client.get("/query", params={"q": soql}).json()["totalSize"] == counts["succeeded"]
        again = client.get(f"/bulk/job/{job_id}/results/failed", params={"loadable": "true"}).text
        assert len(again.splitlines()) == 1 + counts["unprocessed"]


def _watch(process: psutil.Process, stop: threading.Event, peaks: list[int]) -> None:
    while not stop.wait(0.05):
        peaks[0] = max(peaks[0], process.memory_info().rss)


def test_pain_29_a_large_upload_is_not_held_in_memory(house: LocalHouse) -> None:
    """100 MB are taken in, hashed and looked through with less than 60 MiB more than before."""
    process = psutil.Process(house.process.pid)
    # NDJSON has no header: that a column is unknown shows only once all of it was kept and read.
    line = b'{"Name": "Name %08d with some text to make it long", "Bogus__c": "%08d"}\n'
    block = b"".join(line % (n, n) for n in range(20_000))
    stop = threading.Event()
    watcher = threading.Thread(target=lambda: _watch(process, stop, peaks))
    _upload(house, b"Name,Bogus__c\nA,B\n")
    before, peaks = process.memory_info().rss, [0]
    kept = _kept(house)
    watcher.start()
    try:
        with house.client() as client:
            reply = client.put(
                "/bulk/dml-file-upload",
                params={"object_name": "Account", "operation_type": "insert", "filename": "large.ndjson"},
                content=(block for _ in range(100_000_000 // len(block))),
                timeout=100,
            )
    finally:
        stop.set()
        watcher.join()
    check_problem(reply, 400, "load.columns_refused")
    assert _kept(house) == kept
    assert peaks[0] - before < 60 * 1024 * 1024


def test_the_file_for_the_command_line_is_for_its_owner_alone(house: LocalHouse) -> None:
    """cli.json has mode 0600, and its token is an administrator's."""
    path = house.folder / "cli.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with house.client() as client:
        assert client.get("/users/me").json()["is_admin"] is True
        assert httpx2.get(f"{house.url}/health/ready").json()["status"] == "ok"
