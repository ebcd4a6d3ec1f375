"""Complaints about loads: rows that vanish, results of other rows, line breaks, guesses, jobs that die with clients."""

from __future__ import annotations

import json
import socket
from collections import Counter
from urllib.parse import urlsplit

import httpx2
import pytest

from tests.pains.conftest import Pains

_BATCH_ROWS = 10_000


@pytest.mark.parametrize("count", [1, _BATCH_ROWS - 1, _BATCH_ROWS, _BATCH_ROWS + 1, 2 * _BATCH_ROWS + 1])
def test_pain_13_no_row_vanishes_at_the_edge_of_a_batch(pains: Pains, count: int) -> None:
    """As many rows arrive as were sent, each once, whether they fill a batch and a part, miss one or begin the next."""
    tag = pains.tag()
    content = "Name,External_Id__c\n" + "".join(f"{tag},{tag}-{row}\n" for row in range(count))
    receipt = pains.load(content.encode(), part_rows=_BATCH_ROWS)
    counts = {name: receipt["rows"][name] for name in ("read", "sent", "succeeded", "failed", "unprocessed")}
    assert counts == {"read": count, "sent": count, "succeeded": count, "failed": 0, "unprocessed": 0}
    assert len(receipt["parts"]) == -(-count // _BATCH_ROWS)
    results = pains.results(receipt["job_id"])
    assert results.count(b"\n") == count + 1
    assert results.endswith(f"{tag}-{count - 1}\n".encode())
    held = {row["External_Id__c"] for row in pains.query(f"SELECT External_Id__c FROM Account WHERE Name = '{tag}'")}
    assert held == {f"{tag}-{row}" for row in range(count)}


def test_pain_14_identical_rows_are_marked_and_others_get_their_own_result(pains: Pains) -> None:
    """Of equal rows with unequal outcomes none is called certain; rows around them keep their own id."""
    tag = pains.tag()
    keys = ["a", "twin", "b", "twin", "c", "twin", "d"]
    receipt = pains.load(b"Name,External_Id__c\n" + b"".join(f"{tag},{tag}-{key}\n".encode() for key in keys))
    assert (receipt["rows"]["succeeded"], receipt["rows"]["failed"], receipt["rows"]["ambiguous"]) == (5, 2, 3)
    rows = pains.rows(receipt["job_id"])
    assert [row["External_Id__c"] for row in rows] == [f"{tag}-{key}" for key in keys]
    assert [row["ob__match"] for row in rows] == ["ambiguous" if key == "twin" else "exact" for key in keys]
    soql = f"SELECT Id, External_Id__c FROM Account WHERE Name = '{tag}'"
    held = {row["External_Id__c"]: row["Id"] for row in pains.query(soql)}
    told = {row["External_Id__c"]: row["sf__Id"] for row in rows if row["ob__status"] == "succeeded"}
    assert told == held


def test_pain_16_results_keep_every_column_in_its_place(pains: Pains) -> None:
    """Columns that were not sent are in the results, where the input had them; ours stand before them."""
    tag = pains.tag()
    header = "Zebra note,External_Id__c,Name,Another note,AccountNumber"
    content = f'{header}\n"keep, me",{tag},{tag},too,7\n'
    mapping = json.dumps({"columns": {"Zebra note": None, "Another note": None}})
    receipt = pains.load(content.encode(), mapping=mapping)
    assert receipt["rows"]["succeeded"] == 1
    first, second = pains.results(receipt["job_id"]).decode().splitlines()
    assert first.endswith(f",ob__match,{header}")
    assert second.endswith(f',"keep, me",{tag},{tag},too,7')


def test_pain_18_parts_end_where_records_end(pains: Pains) -> None:
    """With parts of one and two rows no line break in a cell becomes a record of its own."""
    tag = pains.tag()
    cell = '"line 1\n""quoted"",\n\nline 4"'
    content = "Name,Description\n" + "".join(f"{tag}{row},{cell}\n" for row in range(5))
    for part_rows, parts in ((1, 5), (2, 3)):
        receipt = pains.load(content.encode(), part_rows=part_rows)
        assert (len(receipt["parts"]), receipt["rows"]["read"], receipt["rows"]["succeeded"]) == (parts, 5, 5)
        assert [row["ob__line"] for row in pains.rows(receipt["job_id"])] == ["2", "6", "10", "14", "18"]
    texts = [row["Description"] for row in pains.query(f"SELECT Description FROM Account WHERE Name LIKE '{tag}%'")]
    assert texts == ['line 1\n"quoted",\n\nline 4'] * 10


@pytest.mark.parametrize("ending", ["\n", "\r\n"], ids=["LF file", "CRLF file"])
@pytest.mark.parametrize("inside", ["\n", "\r\n"], ids=["LF cells", "CRLF cells"])
def test_pain_19_line_breaks_in_values_stay_as_they_are(pains: Pains, ending: str, inside: str) -> None:
    """LF and CRLF inside of cells reach the org, the results and an export as they were, whatever ends the records."""
    tag = pains.tag()
    cells = [f"a{inside}b", f"a{inside}{inside}b,c", f'"a"{inside}b']
    records = [f'{tag}{number},"{cell.replace(chr(34), chr(34) * 2)}"{ending}' for number, cell in enumerate(cells)]
    receipt = pains.load(f"Name,Description{ending}{''.join(records)}".encode())
    results = pains.results(receipt["job_id"])
    assert all(f",{record}".encode() in results for record in records)
    soql = f"SELECT Name, Description FROM Account WHERE Name LIKE '{tag}%' ORDER BY Name"
    assert [row["Description"] for row in pains.query(soql)] == cells
    with pains.house.client() as client:
        job_id = client.post("/bulk/query-submit", json={"object_name": "Account", "soql_query": soql}).json()["job_id"]
    pains.house.wait(job_id)
    assert [row["Description"] for row in pains.rows(job_id)] == cells


def test_pain_19_breaks_of_both_kinds_in_one_upload_are_refused_and_never_altered(pains: Pains) -> None:
    """Salesforce takes one kind per job: a part with both fails loudly, and no row of it arrives changed."""
    tag = pains.tag()
    job_id = pains.submit(f'Name,Description\n{tag},"a\r\nb\nc"\n'.encode())["job_id"]
    status = pains.house.wait(job_id)
    assert status["state"] == "Failed"
    assert "LineEnding" in status["error_message"]
    assert [row["ob__status"] for row in pains.rows(job_id)] == ["unprocessed"]
    assert pains.query(f"SELECT Id FROM Account WHERE Name = '{tag}'") == []


@pytest.mark.parametrize(
    ("content", "delimiter", "ending"),
    [(b"Name;Phone\r\nA, B;1\r\n", ";", "CRLF"), (b"Name\tPhone\nA, B\t1\n", "\t", "LF")],
    ids=["semicolon", "tab"],
)
def test_pain_20_delimiter_and_ending_are_found_in_the_file_and_told(
    pains: Pains, content: bytes, delimiter: str, ending: str
) -> None:
    """What was detected is in the answer, not what the machine's system would use."""
    answer = pains.submit(content)
    assert (answer["input"]["delimiter"], answer["input"]["line_ending"]) == (delimiter, ending)
    pains.house.wait(answer["job_id"])
    assert pains.rows(answer["job_id"], delimiter)[0]["Name"] == "A, B"


def test_pain_20_mixed_line_endings_are_refused_with_their_line(pains: Pains) -> None:
    """A record that ends otherwise than the header is named; nothing is sent."""
    tag = pains.tag()
    answer = pains.submit(f"Name,Phone\r\n{tag},1\r\n{tag},2\n{tag},3\r\n".encode())
    status = pains.house.wait(answer["job_id"])
    assert status["state"] == "Failed"
    assert "Line 3" in status["error_message"]
    assert pains.query(f"SELECT Id FROM Account WHERE Name = '{tag}'") == []


def test_pain_21_a_blank_cell_means_what_the_load_says(pains: Pains) -> None:
    """Blank leaves the value, clears it, or is an error on its line; a column that is absent is never touched."""
    tag = pains.tag()
    soql = f"SELECT Phone, Site FROM Account WHERE External_Id__c = '{tag}'"
    key = {"external_id_field": "External_Id__c"}
    pains.load(f"External_Id__c,Name,Phone,Site\n{tag},{tag},1,here\n".encode(), "upsert", **key)
    blank = f"External_Id__c,Phone\n{tag},\n".encode()
    outcomes = []
    for policy in ("ignore", "error", "clear"):
        receipt = pains.load(blank, "upsert", null_policy=policy, **key)
        record = pains.query(soql)[0]
        outcomes.append((policy, receipt["rows"]["succeeded"], record["Phone"], record["Site"]))
    assert outcomes == [("ignore", 1, "1", "here"), ("error", 0, "1", "here"), ("clear", 1, None, "here")]


def test_pain_24_a_client_that_hangs_up_does_not_end_its_load(pains: Pains) -> None:
    """A connection cut while the job runs costs nothing: the load ends complete, and no job was deleted or aborted."""
    tag = pains.tag()
    pains.org.clear_requests()
    pains.org.fault("slow_jobs", delay_ms=250)
    try:
        answer = pains.submit(b"Name\n" + f"{tag}\n".encode() * 30, part_rows=10)
        address = urlsplit(pains.house.url)
        with socket.create_connection((address.hostname, address.port or 80), timeout=10) as watcher:
            head = f"GET /api/v1/bulk/job/{answer['job_id']}/events HTTP/1.1\r\nHost: x\r\n"
            watcher.sendall(f"{head}Authorization: Bearer {pains.house.token}\r\n\r\n".encode())
            assert b"200" in watcher.recv(64)
        with pains.house.client() as client, pytest.raises(httpx2.TimeoutException):
            client.get(f"/bulk/job/{answer['job_id']}/events", timeout=0.001)
        status = pains.house.wait(answer["job_id"])
    finally:
        pains.org.clear_faults()
    assert (status["state"], status["records_processed"], status["records_failed"]) == ("JobComplete", 30, 0)
    asked = Counter(one["method"] for one in pains.org.requests(path="/jobs/ingest", limit=1000))
    # Each of the three jobs is created, filled and closed once; an abort would be another PATCH.
    assert (asked["POST"], asked["PUT"], asked["PATCH"], asked["DELETE"]) == (3, 3, 3, 0)


@pytest.mark.parametrize(
    ("encoding", "said"),
    [("utf-8", None), ("utf-8-sig", None), ("utf-16", None), ("cp1252", "cp1252"), ("cp1252", None)],
    ids=["UTF-8", "BOM", "UTF-16", "cp1252", "cp1252 detected"],
)
def test_pain_34_no_encoding_spoils_a_letter_or_the_first_column(pains: Pains, encoding: str, said: str | None) -> None:
    """Letters of each encoding arrive, and a byte order mark is no part of the first column's name."""
    tag = pains.tag()
    name = f"{tag} Größe – Åse “q”"
    receipt = pains.load(f"Name,AccountNumber\n{name},{tag}\n".encode(encoding), **({"encoding": said} if said else {}))
    assert receipt["rows"]["succeeded"] == 1
    assert [row["Name"] for row in pains.query(f"SELECT Name FROM Account WHERE AccountNumber = '{tag}'")] == [name]
    assert pains.rows(receipt["job_id"])[0]["Name"] == name


@pytest.mark.parametrize(("encoding", "content"), [("utf-8", "Größe".encode("cp1252")), (None, b"Gr\x81\xff\x8d")])
def test_pain_34_a_byte_that_is_no_text_is_refused_with_its_offset(
    pains: Pains, encoding: str | None, content: bytes
) -> None:
    """What is not text in the encoding that was said, or in any that can be detected, is named by its byte."""
    job_id = pains.submit(b"Name\n" + content + b"\n", **({"encoding": encoding} if encoding else {}))["job_id"]
    status = pains.house.wait(job_id)
    assert status["state"] == "Failed"
    assert "offset 7" in status["error_message"]
