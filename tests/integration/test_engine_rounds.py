"""Rows sent again, canaries, aborts and stalls: the engine against the emulated org, with its faults."""

from __future__ import annotations

import csv
import io
import random
from collections import Counter
from typing import Any

from orgbridge.loads.states import LoadState
from orgbridge.store.records import LoadRecord
from tests.support.bench_fixtures import bench, org, server
from tests.support.emulator_server import EmulatorServer
from tests.support.engine_bench import Bench, wait_for
from tests.support.org_calls import OrgCalls

__all__ = ["bench", "org", "server"]

_QUICK: dict[str, Any] = {"retry_pause_seconds": 0.05, "watch_seconds": 0.3}


def contacts(count: int, *, parents: list[str] | None = None, bad: range | None = None) -> bytes:
    """Return a CSV of contacts; those in `bad` lack their last name."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["LastName", "External_Id__c", "AccountId"])
    for number in range(count):
        name = "" if bad is not None and number in bad else f'Name "{number}"'
        writer.writerow([name, f"C{number}", parents[number % len(parents)] if parents else ""])
    return text.getvalue().encode()


async def ended(bench: Bench, load_id: str) -> LoadRecord:
    """Return the load once it has ended, within a time that shows what is wrong soon."""
    return await bench.ended(load_id, seconds=20)


def results(bench: Bench, load: LoadRecord) -> list[dict[str, str]]:
    """Return the rows of a results file."""
    assert load.results_key is not None
    text = bench.files.path(load.results_key).read_text(encoding="utf-8")
    return list(csv.DictReader(io.StringIO(text, newline="")))


async def test_pain_33_only_rows_that_could_not_be_locked_are_sent_again(
    bench: Bench, server: EmulatorServer, org: OrgCalls
) -> None:
    """A lock storm over all first jobs costs no row: the locked ones, and no others, go again until they are in."""
    parent = org.create("Account", {"Name": "Hot"})
    server.fault(kind="locks", share=0.4, seed=5, jobs=4)
    bench.start_worker(**_QUICK)
    content = contacts(80, parents=[parent], bad=range(70, 75))
    load = await ended(bench, await bench.submit(content, object_name="Contact"))
    assert load.state is LoadState.JOB_COMPLETE, load.error_message
    assert bench.check_rows(load, content) == {"succeeded": 75, "failed": 5}
    assert org.count("Contact") == 75
    assert load.receipt is not None
    rounds = [again for part in load.receipt["parts"] for again in part["rounds"]]
    assert rounds
    assert sum(again["rows"] for again in rounds) < 80
    assert {row["ob__error_code"] for row in results(bench, load)} == {"", "REQUIRED_FIELD_MISSING"}
    later = Counter(row["ob__attempt"] for row in results(bench, load) if row["ob__status"] == "succeeded")
    assert later["2"] == sum(part["rounds"][0]["succeeded"] for part in load.receipt["parts"] if part["rounds"])
    hot = load.receipt["hot_parents"][0]
    assert (hot["field"], hot["value"]) == ("AccountId", parent)
    assert hot["rows"] == sum(part["rounds"][0]["rows"] for part in load.receipt["parts"] if part["rounds"])


async def test_locks_that_stay_end_after_the_rounds_and_keep_their_code(bench: Bench, server: EmulatorServer) -> None:
    """Rows that are locked for ever are tried as often as the load says, and are failed with Salesforce's words."""
    server.fault(kind="locks", share=1.0, seed=1)
    bench.start_worker(**_QUICK)
    content = contacts(10)
    options = {"original_name": "c.csv", "part_rows": 20, "row_retry": 2}
    load = await ended(bench, await bench.submit(content, object_name="Contact", options=options))
    assert bench.check_rows(load, content) == {"failed": 10}
    assert load.receipt is not None
    assert [again["round"] for again in load.receipt["parts"][0]["rounds"]] == [1, 2]
    assert load.receipt["errors"][0]["code"] == "UNABLE_TO_LOCK_ROW"
    assert {row["ob__attempt"] for row in results(bench, load)} == {"3"}


async def test_a_canary_that_fails_stops_the_load(bench: Bench, org: OrgCalls) -> None:
    """The first rows go alone; too many of them fail, so nothing else is sent, and every row says why."""
    bench.start_worker(**_QUICK)
    content = contacts(100, bad=range(0, 6))
    options = {"original_name": "c.csv", "part_rows": 20, "canary": 10, "max_failure_ratio": 0.5}
    load = await ended(bench, await bench.submit(content, object_name="Contact", options=options))
    assert (load.state, load.error_code) == (LoadState.FAILED, "load.failure_ratio")
    assert bench.check_rows(load, content) == {"succeeded": 4, "failed": 6, "unprocessed": 90}
    assert org.count("Contact") == 4
    assert load.receipt is not None
    assert [part["rows"] for part in load.receipt["parts"]][:2] == [10, 20]
    assert {row["ob__error_code"] for row in results(bench, load)[10:]} == {"load.failure_ratio"}
    assert load.failed_key is not None
    assert len(bench.files.path(load.failed_key).read_text().splitlines()) == 1 + 96


async def test_a_canary_that_holds_lets_the_rest_go(bench: Bench, org: OrgCalls) -> None:
    """The whole load runs once the canary is through."""
    bench.start_worker(**_QUICK)
    content = contacts(100, bad=range(50, 60))
    options = {"original_name": "c.csv", "part_rows": 20, "canary": 10}
    load = await ended(bench, await bench.submit(content, object_name="Contact", options=options))
    assert load.state is LoadState.JOB_COMPLETE
    assert bench.check_rows(load, content) == {"succeeded": 90, "failed": 10}
    assert org.count("Contact") == 90


async def test_pain_26_a_job_aborted_by_somebody_else_is_noticed(
    bench: Bench, server: EmulatorServer, org: OrgCalls
) -> None:
    """The load ends as aborted, with every row accounted for and the words that tell who did not do it."""
    server.fault(kind="job_abort", after_batches=1)
    bench.start_worker(**_QUICK)
    content = contacts(150)
    options = {"original_name": "c.csv", "part_rows": 150}
    load = await ended(bench, await bench.submit(content, object_name="Contact", options=options))
    assert (load.state, load.error_code) == (LoadState.ABORTED, "load.aborted_elsewhere")
    counts = bench.check_rows(load, content)
    assert counts["unprocessed"] > 0
    assert counts["succeeded"] == org.count("Contact")


async def test_pain_26_a_stalled_job_is_reported_parked_and_still_ends(
    bench: Bench, server: EmulatorServer, org: OrgCalls
) -> None:
    """A job without progress is told in the load's status and the metrics; parked, it ends like any other."""
    server.fault(kind="slow_jobs", delay_ms=3000)
    bench.start_worker(**_QUICK, stall_seconds=0.3, park_seconds=0.8, parked_poll_seconds=0.3)
    content = contacts(20)
    load_id = await bench.submit(content, object_name="Contact")
    seen = []

    async def look() -> bool:
        load = await bench.load(load_id)
        seen.append(load.error_message or "")
        return load.finished_at is not None

    while not await look():
        await bench.clock.sleep(0.05)
    assert any("no progress" in text for text in seen)
    load = await bench.load(load_id)
    assert load.state is LoadState.JOB_COMPLETE
    assert bench.check_rows(load, content) == {"succeeded": 20}
    assert bench.told("engine.job_stalled")
    assert org.count("Contact") == 20


async def test_an_orphan_of_a_lost_reply_is_swept_and_no_other_job_is_touched(
    bench: Bench, server: EmulatorServer, org: OrgCalls
) -> None:
    """The job whose create call was never answered is aborted; an open job of another program stays open."""
    strange = org.open_job("Contact", "update")
    server.fault(kind="reply_lost", method="POST", path="/jobs/ingest$")
    bench.start_worker(**_QUICK, orphan_seconds=1.0)
    content = contacts(20)
    load = await ended(bench, await bench.submit(content, object_name="Contact"))
    assert bench.check_rows(load, content) == {"succeeded": 20}
    wait_for(lambda: org.jobs().get("Open", []) == [strange], "the orphan was not swept")
    assert len(org.jobs()["Aborted"]) == 1


async def test_pain_22_kills_between_rounds_lose_and_double_nothing(
    bench: Bench, server: EmulatorServer, org: OrgCalls
) -> None:
    """Workers die by SIGKILL while locked rows go again and again: every row is in the org once, and accounted for."""
    dice = random.Random(20261122)
    server.fault(kind="locks", share=0.3, seed=9, jobs=12)
    server.fault(kind="slow_jobs", delay_ms=150)
    content = contacts(160, bad=range(40, 44))
    worker = bench.start_worker(**_QUICK)
    load_id = await bench.submit(content, object_name="Contact")
    kills = 0
    while (await bench.load(load_id)).finished_at is None and kills < 6:
        await bench.clock.sleep(dice.uniform(0.3, 1.2))
        worker.kill()
        worker.wait(timeout=10)
        kills += 1
        worker = bench.start_worker(**_QUICK)
    load = await bench.ended(load_id, seconds=40)
    assert kills >= 2
    assert load.state is LoadState.JOB_COMPLETE, load.error_message
    counts = bench.check_rows(load, content)
    assert counts == {"succeeded": 156, "failed": 4}
    assert org.count("Contact") == 156
    assert load.receipt is not None
    assert any(part["rounds"] for part in load.receipt["parts"])


async def test_a_load_cancelled_between_rounds_keeps_what_is_known(
    bench: Bench, server: EmulatorServer, org: OrgCalls
) -> None:
    """Abort is heeded while rows wait to be sent again: they stay failed with their lock, nothing more is sent."""
    server.fault(kind="locks", share=0.5, seed=3)
    bench.start_worker(retry_pause_seconds=30.0)
    content = contacts(20)
    load_id = await bench.submit(content, object_name="Contact")

    async def pausing() -> bool:
        return "are sent again" in ((await bench.load(load_id)).error_message or "")

    while not await pausing():
        await bench.clock.sleep(0.05)
    async with bench.database.unit() as unit:
        assert await unit.loads.request_cancel(load_id)
    load = await ended(bench, load_id)
    counts = bench.check_rows(load, content)
    assert counts["failed"] > 0
    assert counts["succeeded"] == org.count("Contact")
    assert load.error_message is None or "sent again" not in load.error_message
