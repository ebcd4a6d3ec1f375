"""Few locked rows of many parts are sent again together, and come back each to its own part."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from orgbridge.loads.states import LoadState
from orgbridge.store.records import LoadRecord
from orgbridge.wiring.hosting import OrgControl
from tests.support.bench_fixtures import bench, org, server
from tests.support.emulator_server import EmulatorServer
from tests.support.engine_bench import Bench, wait_for
from tests.support.org_calls import OrgCalls

__all__ = ["bench", "org", "server"]

_QUICK: dict[str, Any] = {"retry_pause_seconds": 0.05, "watch_seconds": 0.3}
_PARTS, _PART_ROWS = 12, 20


def _contacts(count: int, *, tag: str = "J", columns: str = "LastName,External_Id__c") -> bytes:
    return (columns + "\n" + "".join(f"Name {tag} {n},{tag}{n}\n" for n in range(count))).encode()


def _results(bench: Bench, load: LoadRecord) -> list[dict[str, str]]:
    assert load.results_key is not None
    text = bench.files.path(load.results_key).read_text(encoding="utf-8")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def _check(bench: Bench, org: OrgCalls, load: LoadRecord, content: bytes, rows: int) -> list[dict[str, Any]]:
    """Make sure that every row is in the org under the id that the results name; return the rounds."""
    assert load.state is LoadState.JOB_COMPLETE, load.error_message
    assert bench.check_rows(load, content) == {"succeeded": rows}
    held = {record["External_Id__c"]: record["Id"] for record in org.query("SELECT Id, External_Id__c FROM Contact")}
    assert {row["External_Id__c"]: row["sf__Id"] for row in _results(bench, load)} == held
    assert len(held) == rows
    assert load.receipt is not None
    return [again for part in load.receipt["parts"] for again in part["rounds"]]


async def test_rows_of_all_parts_go_again_in_one_job_a_round(
    bench: Bench, server: EmulatorServer, org: OrgCalls
) -> None:
    """A storm over all parts ends in one more job, not one more for each part; every part has its own rows back."""
    server.fault(kind="locks", share=0.3, seed=5, jobs=_PARTS)
    bench.start_worker(**_QUICK)
    content = _contacts(_PARTS * _PART_ROWS)
    load = await bench.ended(await bench.submit(content, object_name="Contact"), 60)
    rounds = _check(bench, org, load, content, _PARTS * _PART_ROWS)
    assert len(rounds) >= _PARTS - 2
    assert len({again["job_id"] for again in rounds}) == 1
    later = [row for row in _results(bench, load) if row["ob__attempt"] == "2"]
    assert len(later) == sum(again["rows"] for again in rounds) == sum(again["succeeded"] for again in rounds)


async def test_rows_that_write_the_same_record_never_meet_in_one_job(
    bench: Bench, server: EmulatorServer, org: OrgCalls
) -> None:
    """Salesforce refuses two rows of one key in one job; parts that share a key go again each by itself."""
    bench.start_worker(**_QUICK)
    seed = _contacts(20)
    assert (await bench.ended(await bench.submit(seed, object_name="Contact"), 30)).state is LoadState.JOB_COMPLETE
    server.fault(kind="locks", share=1.0, seed=2, jobs=2)
    content = seed + b"".join(seed.splitlines(keepends=True)[1:])
    changes = {"object_name": "Contact", "operation": "upsert", "external_id_field": "External_Id__c"}
    load = await bench.ended(await bench.submit(content, **changes), 40)
    assert bench.check_rows(load, content) == {"succeeded": 40}
    assert load.receipt is not None
    assert len({again["job_id"] for part in load.receipt["parts"] for again in part["rounds"]}) == 2


@pytest.mark.parametrize("after", ["POST", "PUT", "PATCH"])
async def test_a_worker_killed_amid_a_joint_round_loses_and_doubles_nothing(
    bench: Bench, server: EmulatorServer, org: OrgCalls, after: str
) -> None:
    """Killed after the joint's job was made, filled or committed, another worker brings every row to its part."""
    server.fault(kind="locks", share=0.5, seed=3, jobs=6)
    server.fault(kind="slow_jobs", delay_ms=150)
    worker = bench.start_worker(**_QUICK)
    content = _contacts(6 * _PART_ROWS)
    load_id = await bench.submit(content, object_name="Contact")
    wanted = 7
    wait_for(
        lambda: len(OrgControl(url=server.url).requests(path="/jobs/ingest", method=after, limit=1000)) >= wanted,
        "the joint's job was not reached",
    )
    worker.kill()
    worker.wait(timeout=10)
    bench.start_worker(**_QUICK)
    load = await bench.ended(load_id, 60)
    rounds = _check(bench, org, load, content, 6 * _PART_ROWS)
    assert len(rounds) >= 5
