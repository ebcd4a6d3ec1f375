"""Loads whose rows are grouped by parent: one job for each parent, results in input order, kills lose nothing."""

from __future__ import annotations

import csv
import io
import random
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from orgbridge.engine import grouping
from orgbridge.engine.errors import StepRefused
from orgbridge.engine.grouping import results_by_line
from orgbridge.loads.states import LoadState, PartState
from orgbridge.store.files import LocalFiles
from orgbridge.store.records import LoadRecord, PartRecord
from orgbridge.wire.versions import DEFAULT_VERSION
from tests.support.bench_fixtures import bench, org, server
from tests.support.emulator_server import EmulatorServer
from tests.support.engine_bench import Bench, account_rows
from tests.support.local_house import LocalHouse, house
from tests.support.org_calls import OrgCalls

__all__ = ["bench", "house", "org", "server"]


def contacts(parents: list[str], *, bad: range = range(0)) -> bytes:
    """Return a CSV of contacts with newlines in cells; those in `bad` lack their last name."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["LastName", "AccountId", "Description"])
    for number, parent in enumerate(parents):
        writer.writerow(["" if number in bad else f'N "{number}"', parent, f"a\nb {number}" if number % 3 else ""])
    return text.getvalue().encode()


def result_cells(bench: Bench, load: LoadRecord) -> list[dict[str, str]]:
    """Return the rows of the results file."""
    text = bench.files.path(load.results_key or "").read_text(encoding="utf-8")
    return list(csv.DictReader(io.StringIO(text, newline="")))


async def test_rows_of_one_parent_go_in_one_job_and_results_in_input_order(bench: Bench, org: OrgCalls) -> None:
    """Each parent's records were written by one job; a hot one's jobs never ran at once; the file order is kept."""
    names = [org.create("Account", {"Name": f"P{number}"}) for number in range(9)]
    hot = org.create("Account", {"Name": "Hot"})
    dice = random.Random(4)
    parents = [dice.choice(names) for _ in range(110)] + [hot] * 65 + [""] * 5
    dice.shuffle(parents)
    content = contacts(parents, bad=range(30, 37))
    options = {"original_name": "c.csv", "part_rows": 30, "group_by": "accountid"}
    bench.start_worker()
    load = await bench.ended(await bench.submit(content, object_name="Contact", options=options), seconds=40)
    assert load.state is LoadState.JOB_COMPLETE, load.error_message
    assert bench.check_rows(load, content) == {"succeeded": 173, "failed": 7}
    rows = result_cells(bench, load)
    lines = [int(row["ob__line"]) for row in rows]
    cells = list(csv.reader(io.StringIO(content.decode(), newline="")))
    due = [2]
    for row in cells[1:-1]:
        due.append(due[-1] + 1 + row[2].count("\n"))
    assert lines == due
    # Salesforce's own record of its jobs, not ours: which job wrote which row.
    receipt = load.receipt or {}
    job_of: dict[str, str] = {}
    for part in receipt["parts"]:
        found = org.call_text(f"/jobs/ingest/{part['job_id']}/successfulResults", version=DEFAULT_VERSION)
        for row in csv.DictReader(io.StringIO(found, newline="")):
            assert job_of.setdefault(row["sf__Id"], part["job_id"]) == part["job_id"]
    jobs: dict[str, set[str]] = defaultdict(set)
    for row, parent in zip(rows, parents, strict=True):
        if row["ob__status"] == "succeeded":
            jobs[parent].add(job_of[row["sf__Id"]])
    assert {name: len(jobs[name]) for name in names} == dict.fromkeys(names, 1)
    chain = [part for part in receipt["parts"] if part["after"] is not None]
    assert len(jobs[hot]) == 3
    assert len(chain) == 2
    by_number = {part["number"]: part for part in receipt["parts"]}
    for part in chain:
        before = org.call("GET", f"/jobs/ingest/{by_number[part['after']]['job_id']}")
        later = org.call("GET", f"/jobs/ingest/{part['job_id']}")
        assert later["createdDate"] >= before["systemModstamp"]
    failed = bench.files.path(load.failed_key or "").read_text(encoding="utf-8")
    assert [row[2] for row in csv.reader(io.StringIO(failed, newline=""))][1:] == [row[2] for row in cells[31:38]]


async def test_rounds_of_locked_rows_keep_to_the_lines_and_the_chains(
    bench: Bench, server: EmulatorServer, org: OrgCalls
) -> None:
    """Rows of a hot parent that were locked go again, job after job, and end on the lines that they came from."""
    hot = org.create("Account", {"Name": "Hot"})
    other = org.create("Account", {"Name": "Other"})
    content = contacts([hot if number % 3 else other for number in range(90)], bad=range(80, 83))
    server.fault(kind="locks", share=0.5, seed=5, jobs=4)
    options = {"original_name": "c.csv", "part_rows": 30, "group_by": "AccountId"}
    bench.start_worker(retry_pause_seconds=0.05)
    load = await bench.ended(await bench.submit(content, object_name="Contact", options=options), seconds=40)
    assert load.state is LoadState.JOB_COMPLETE, load.error_message
    assert bench.check_rows(load, content) == {"succeeded": 87, "failed": 3}
    assert org.count("Contact") == 87
    again = {
        part["number"]: part["rounds"][0]["job_id"] for part in (load.receipt or {})["parts"] if len(part["rounds"]) > 0
    }
    chain = [part for part in (load.receipt or {})["parts"] if part["after"] is not None]
    assert len(chain) == 1
    later, before = again[chain[0]["number"]], again[chain[0]["after"]]
    ended = org.call("GET", f"/jobs/ingest/{before}")["systemModstamp"]
    assert org.call("GET", f"/jobs/ingest/{later}")["createdDate"] >= ended


async def test_a_mapping_and_a_canary_go_with_groups(bench: Bench, org: OrgCalls) -> None:
    """The column is one of the file, whatever it is sent as; a canary that fails stops all, in input order."""
    content = b"Firm,Who\n" + b"".join(b"%s,N%d\n" % (b"xyz"[n % 3 : n % 3 + 1], n) for n in range(60))
    mapping = {"columns": {"Who": "LastName", "Firm": "Department"}, "constants": {"Title": "t"}}
    options = {"original_name": "c.csv", "part_rows": 20, "group_by": "Firm", "mapping": mapping}
    bench.start_worker()
    load = await bench.ended(await bench.submit(content, object_name="Contact", options=options), seconds=30)
    assert bench.check_rows(load, content) == {"succeeded": 60}
    assert org.count("Contact", "WHERE Title = 't'") == 60
    bad = contacts([f"P{number % 4}" for number in range(40)], bad=range(40)).replace(b"AccountId", b"Department")
    options = {"original_name": "c.csv", "part_rows": 20, "group_by": "Department", "canary": 4}
    load = await bench.ended(await bench.submit(bad, object_name="Contact", options=options), seconds=30)
    assert (load.state, load.error_code) == (LoadState.FAILED, "load.failure_ratio")
    assert bench.check_rows(load, bad) == {"failed": 4, "unprocessed": 36}


async def test_a_fault_anywhere_refuses_a_grouped_load(bench: Bench, org: OrgCalls) -> None:
    """All is read before anything is sent: a ragged last row leaves the org untouched."""
    content = contacts(["a"] * 50) + b"only one cell\n"
    options = {"original_name": "c.csv", "part_rows": 10, "group_by": "LastName"}
    bench.start_worker(piece_bytes=64)
    load = await bench.ended(await bench.submit(content, object_name="Contact", options=options), seconds=30)
    assert load.state is LoadState.FAILED
    assert (load.error_code or "").startswith("input.")
    assert org.count("Contact") == 0


async def test_kills_while_rows_are_grouped_lose_and_double_nothing(tmp_path: Path) -> None:
    """A worker dies by SIGKILL as soon as it writes parts, others later: parts come out equal, every row once."""
    bench = Bench(f"sqlite:///{tmp_path / 'orgbridge.sqlite'}", tmp_path)
    try:
        dice = random.Random(7)
        bench.start_double(seconds=0.3)
        worker = bench.start_worker()
        contents: list[bytes] = []
        options = {"original_name": "a.csv", "part_rows": 250, "group_by": "Name"}
        # The machine may be so slow that the step is over before the kill arrives: then once more.
        while True:
            assert len(contents) < 5, "the step had always ended before it was killed"
            contents.append(account_rows(3000, tag=f"load{len(contents)}-"))
            load_id = await bench.submit(contents[-1], options=options)
            folder = bench.files.path(f"loads/{load_id}/parts")
            while not list(folder.glob("*.csv")):
                await bench.clock.sleep(0.002)
            worker.kill()
            worker.wait(timeout=10)
            if (await bench.load(load_id)).parts == 0:
                break
            worker = bench.start_worker()
            await bench.ended(load_id)
        before = {path.name: path.read_bytes() for path in folder.glob("0*.csv")}
        worker = bench.start_worker()
        while (await bench.load(load_id)).parts == 0:
            await bench.clock.sleep(0.02)
        after = {name: (folder / name).read_bytes() for name in before}
        for _ in range(2):
            await bench.clock.sleep(dice.uniform(0.2, 0.8))
            worker.kill()
            worker.wait(timeout=10)
            worker = bench.start_worker()
        load = await bench.ended(load_id)
        assert load.state is LoadState.JOB_COMPLETE, load.error_message
        assert before == after
        assert bench.check_rows(load, contents[-1]) == {"succeeded": 2700, "failed": 300}
        bench.check_org(*contents)
    finally:
        await bench.close()


def test_many_results_are_merged_in_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More files than may be open at once come out in one order all the same."""
    monkeypatch.setattr(grouping, "MERGED_AT_ONCE", 3)
    files = LocalFiles(tmp_path)
    parts = []
    for number in range(14):
        key = f"loads/load_1/parts/{number:05d}.results.csv"
        files.write_blocks(key, [b"%d,succeeded\n" % line for line in range(number + 2, 200, 14)])
        part = PartRecord(
            load_id="load_1",
            number=number,
            state=PartState.MATCHED,
            rows=14,
            bytes=0,
            sha256="",
            first_line=number + 2,
            first_row=number + 1,
            input_key="",
            results_key=key,
        )
        parts.append(part)
    found = b"".join(results_by_line(files, parts))
    assert found.split() == [b"%d,succeeded" % line for line in range(2, 200)]
    with pytest.raises(StepRefused, match="do not fit together"):
        list(results_by_line(files, [*parts, parts[3]]))


def test_a_grouped_load_is_undone_and_an_unknown_column_refused(house: LocalHouse) -> None:
    """Over HTTP: every created record goes again, though parts lie scattered; a wrong column is told at once."""
    content = b"Name,Site\n" + b"".join(b"Grouped%d,s%d\n" % (n, n % 5) for n in range(40))
    asked = {
        "object_name": "Account",
        "operation_type": "insert",
        "filename": "a.csv",
        "part_rows": 10,
        "group_by": "Site",
    }
    with house.client() as client:
        wrong = client.put("/bulk/dml-file-upload", params={**asked, "group_by": "Nowhere"}, content=content)
        assert wrong.status_code in (400, 422), wrong.text
        assert "no column 'Nowhere'" in wrong.text
        reply = client.put("/bulk/dml-file-upload", params=asked, content=content)
        assert reply.status_code == 202, reply.text
        job_id = reply.json()["job_id"]
        assert house.wait(job_id)["records_processed"] == 40
        made = client.post(f"/bulk/job/{job_id}/undo")
        assert made.status_code == 202, made.text
        undo_id = made.json()["job_id"]
        undone = house.wait(undo_id)
        text = client.get(f"/bulk/job/{undo_id}/results/all").text
        statuses = Counter(row["ob__status"] for row in csv.DictReader(io.StringIO(text, newline="")))
        assert statuses == {"succeeded": 40}, undone
