"""Mapped loads, cut piece by piece, with canaries and rounds: the engine against the emulated org."""

from __future__ import annotations

import csv
import io
from collections import Counter
from typing import Any

import pytest

from orgbridge.loads.mapping_files import spec_from_json
from orgbridge.loads.states import LoadState
from orgbridge.store.records import LoadRecord
from tests.support.bench_fixtures import bench, org, server
from tests.support.emulator_server import EmulatorServer
from tests.support.engine_bench import Bench
from tests.support.org_calls import OrgCalls

__all__ = ["bench", "org", "server"]

_QUICK: dict[str, Any] = {"retry_pause_seconds": 0.05, "watch_seconds": 0.3}
_SPEC = spec_from_json(
    {
        "columns": {"Surname": "LastName", "Code": "External_Id__c", "Firm": "AccountId", "Junk": None},
        "constants": {"Department": "Sales"},
        "nulls": {"Code": "error"},
    }
).to_json()


def people(count: int, *, parent: str = "", bad: range = range(0), refused: range = range(0)) -> bytes:
    """Return people; those in `bad` lack the name that Salesforce wants, those in `refused` the code that we want."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=";", lineterminator="\r\n")
    writer.writerow(["Surname", "Code", "Firm", "Junk"])
    for number in range(count):
        name = "" if number in bad else f'Two\r\nlines; "{number}"' if number % 5 == 0 else f"N{number}"
        writer.writerow([name, "" if number in refused else f"C{number}", parent, "x"])
    return text.getvalue().encode()


async def run(bench: Bench, content: bytes, **options: Any) -> LoadRecord:
    """Load people as the mapping says, and return the load once it has ended."""
    given = {"original_name": "people.csv", "part_rows": 20, "mapping": _SPEC, **options}
    return await bench.ended(await bench.submit(content, object_name="Contact", options=given), seconds=30)


def outcomes(bench: Bench, load: LoadRecord, content: bytes) -> list[list[str]]:
    """Return the results' own columns by row, once they are seen to stand beside the input's own cells, in order."""
    assert load.receipt is not None, load.error_message
    assert load.receipt["balanced"], load.receipt["mismatches"]
    assert load.results_key is not None
    text = bench.files.path(load.results_key).read_bytes().decode()
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=";"))
    assert [row[9:] for row in rows] == list(csv.reader(io.StringIO(content.decode(), newline=""), delimiter=";"))
    return [row[:9] for row in rows[1:]]


async def test_locked_rows_of_a_mapped_load_are_mapped_again_when_they_are_sent_again(
    bench: Bench, server: EmulatorServer, org: OrgCalls
) -> None:
    """A round sends the mapped records, not the file's own; refused rows are in no round and fail by their reason."""
    parent = org.create("Account", {"Name": "Hot"})
    server.fault(kind="locks", share=0.4, seed=5, jobs=4)
    bench.start_worker(**_QUICK, piece_bytes=1)
    content = people(80, parent=parent, refused=range(30, 33), bad=range(70, 75))
    load = await run(bench, content)
    assert load.state is LoadState.JOB_COMPLETE, load.error_message
    found = outcomes(bench, load, content)
    assert Counter(row[1] for row in found) == {"succeeded": 72, "failed": 8}
    assert {row[4] for row in found[30:33]} == {"BLANK_VALUE"}
    assert org.count("Contact") == 72
    assert load.receipt is not None
    rows = load.receipt["rows"]
    assert (rows["read"], rows["sent"], rows["refused"], rows["not_sent"]) == (80, 77, 3, 0)
    rounds = [again for part in load.receipt["parts"] for again in part["rounds"]]
    assert rounds
    hot = load.receipt["hot_parents"][0]
    assert (hot["field"], hot["value"]) == ("AccountId", parent)
    sent = org.query("SELECT LastName, External_Id__c, Department FROM Contact")
    assert {record["Department"] for record in sent} == {"Sales"}
    assert {record["External_Id__c"] for record in sent} == {
        f"C{number}" for number in range(80) if number not in (30, 31, 32, *range(70, 75))
    }
    assert load.failed_key is not None
    again = bench.files.path(load.failed_key).read_bytes()
    assert again.count(b"\r\nN") + again.count(b'\r\n"Two') + again.count(b"\r\n;") == 8


@pytest.mark.parametrize("piece_bytes", [1, 10_000_000], ids=["a piece a part", "one piece"])
async def test_a_canary_that_fails_stops_the_cutting_too(bench: Bench, org: OrgCalls, piece_bytes: int) -> None:
    """The canary holds exactly its rows; when they fail, rows cut and not cut yet are unprocessed for it."""
    bench.start_worker(**_QUICK, piece_bytes=piece_bytes)
    content = people(500, bad=range(0, 6))
    load = await run(bench, content, canary=10, max_failure_ratio=0.5)
    assert (load.state, load.error_code) == (LoadState.FAILED, "load.failure_ratio")
    assert load.error_message is not None
    assert "6 of the first 10 rows failed" in load.error_message
    assert "490 rows were not sent" in load.error_message
    found = outcomes(bench, load, content)
    assert [row[1] for row in found[10:]] == ["unprocessed"] * 490
    assert {row[4] for row in found[10:]} == {"load.failure_ratio"}
    assert org.count("Contact") == 4
    assert load.receipt is not None
    assert load.receipt["parts"][0]["rows"] == 10
    rows = load.receipt["rows"]
    assert (rows["read"], rows["sent"], rows["not_sent"], rows["unprocessed"]) == (500, 10, 490, 490)


async def test_a_canary_of_which_every_row_is_refused_lets_nothing_out(bench: Bench, org: OrgCalls) -> None:
    """Rows that the mapping refuses count at the gate like rows that Salesforce refuses."""
    bench.start_worker(**_QUICK, piece_bytes=1)
    content = people(100, refused=range(0, 10))
    load = await run(bench, content, canary=10)
    assert (load.state, load.error_code) == (LoadState.FAILED, "load.failure_ratio")
    found = outcomes(bench, load, content)
    assert Counter(row[1] for row in found) == {"failed": 10, "unprocessed": 90}
    assert org.count("Contact") == 0
    assert load.receipt is not None
    rows = load.receipt["rows"]
    assert (rows["sent"], rows["refused"], rows["not_sent"]) == (0, 10, 90)
    assert all(part["job_id"] is None for part in load.receipt["parts"])


async def test_a_canary_that_holds_lets_the_other_pieces_go(bench: Bench, org: OrgCalls) -> None:
    """The whole load runs once the canary is through, whatever the pieces."""
    bench.start_worker(**_QUICK, piece_bytes=1)
    content = people(100, bad=range(50, 60), refused=range(0, 1))
    load = await run(bench, content, canary=10)
    assert load.state is LoadState.JOB_COMPLETE, load.error_message
    assert Counter(row[1] for row in outcomes(bench, load, content)) == {"succeeded": 89, "failed": 11}
    assert org.count("Contact") == 89
    assert load.receipt is not None
    assert [part["rows"] for part in load.receipt["parts"]] == [10, 20, 20, 20, 20, 10]


async def test_a_canary_that_fails_before_an_unreadable_rest_says_both(bench: Bench) -> None:
    """Rows up to the fault are unprocessed, and the receipt names the line from which on nothing was read."""
    bench.start_worker(**_QUICK, piece_bytes=1)
    content = people(12_000, bad=range(0, 10)) + b'a"b;c;d;e\r\n' + people(10).partition(b"\r\n")[2]
    load = await run(bench, content, canary=10, part_rows=1_000)
    assert (load.state, load.error_code) == (LoadState.FAILED, "load.failure_ratio"), load.error_message
    assert load.receipt is not None
    assert load.receipt["balanced"], load.receipt["mismatches"]
    rows = load.receipt["rows"]
    assert (rows["read"], rows["sent"], rows["failed"], rows["unprocessed"]) == (12_000, 10, 10, 11_990)
    line = content[: content.index(b'a"b')].count(b"\n") + 1
    assert load.receipt["input"]["unread"]["line"] == line
    assert load.error_message is not None
    assert f"From line {line} on" in load.error_message
