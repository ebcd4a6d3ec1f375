"""The engine from a load written down to a load ended, with real workers, on both backends."""

from __future__ import annotations

import csv
import io
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from orgbridge.loads.states import LoadState, PartState
from orgbridge.store.records import JobUse, LoadKind
from tests.support.engine_bench import Bench, account_rows, wait_for
from tests.support.forks import Fork


@pytest.fixture
async def bench(store_url: str, tmp_path: Path) -> AsyncIterator[Bench]:
    """Give a bench on each backend in turn."""
    bench = Bench(store_url, tmp_path)
    yield bench
    await bench.close()


@pytest.fixture
async def sqlite_bench(tmp_path: Path) -> AsyncIterator[Bench]:
    """Give a bench on SQLite: for what does not depend on the backend."""
    bench = Bench(f"sqlite:///{tmp_path / 'orgbridge.sqlite'}", tmp_path)
    yield bench
    await bench.close()


def _has_ended(process: Fork) -> bool:
    return process.poll() is not None


async def test_every_row_of_a_load_is_accounted_for(bench: Bench) -> None:
    """Good rows are in the org once, bad ones in the results with their reason, in input order."""
    bench.start_double()
    bench.start_worker()
    content = account_rows(95)
    load = await bench.ended(await bench.submit(content))
    assert load.state is LoadState.JOB_COMPLETE
    assert bench.check_rows(load, content) == {"succeeded": 86, "failed": 9}
    bench.check_org(content)
    assert (load.parts, load.rows_read) == (5, 95)
    assert load.receipt is not None
    assert load.api_calls == load.receipt["api_calls"] > 5 * 6
    assert [error["code"] for error in load.receipt["errors"]] == ["REQUIRED_FIELD_MISSING"]
    assert load.failed_key is not None
    failed = list(csv.reader(io.StringIO(bench.files.path(load.failed_key).read_text(), newline="")))
    assert failed[0] == ["Name", "Key__c", "Note__c"]
    assert [row[0] for row in failed[1:]] == [f"BAD {number}" for number in range(9, 95, 10)]
    async with bench.database.unit(write=False) as unit:
        found = await unit.loads.find_by_job_id(load.receipt["parts"][2]["job_id"])
        assert found is not None
        assert found[1] is not None
        assert (found[0].id, found[1].number, found[1].state) == (load.id, 2, PartState.MATCHED)


@pytest.mark.parametrize(
    ("content", "changes", "code", "says"),
    [
        (b"", {}, "input.empty", ""),
        (b"Name,Key__c\n", {}, "input.header_only", ""),
        (b"Name,Key__c\na,b\nc\n", {}, "input.ragged_rows", "Line 3"),
        (b"Name,Key__c\na,b\n\xff\xfe\xff,b\n", {}, "input.undecodable_bytes", "Line 3"),
        (b"Name,name\na,b\n", {}, "input.duplicate_header", ""),
        (b"Nmae,Key__c\na,b\n", {}, "load.unknown_column", "Did you mean Name?"),
        (b"Name,CreatedDate\na,b\n", {}, "load.unwritable_column", "CreatedDate"),
        (b"Name,Parent.Key__c\na,b\n", {}, "load.unknown_column", "Parent"),
        (b"Name\na\n", {"object_name": "Acount"}, "load.unknown_object", "Acount"),
        (b"Name\na\n", {"operation": "update"}, "load.key_column_missing", "Id"),
        (b"Id,Name\na,b\n", {"operation": "delete"}, "load.header_delete", "exactly one column"),
    ],
    ids=lambda value: value if isinstance(value, str) and "." in value else "",
)
async def test_a_bad_input_fails_before_anything_is_sent(
    sqlite_bench: Bench, content: bytes, changes: dict[str, Any], code: str, says: str
) -> None:
    """The load says what is wrong and where, and Salesforce saw no job."""
    sqlite_bench.start_double()
    sqlite_bench.start_worker()
    load = await sqlite_bench.ended(await sqlite_bench.submit(content, **changes))
    assert (load.state, load.error_code) == (LoadState.FAILED, code)
    assert says in (load.error_message or "")
    if "Line 3" in says:
        assert load.error_details[0]["line"] == 3
    assert load.parts == 0
    assert sqlite_bench.call("/report")["jobs"] == {}


async def test_a_cancelled_load_accounts_for_what_was_done_and_what_not(bench: Bench) -> None:
    """Parts that ran are matched, the others are unprocessed, and no job is left open."""
    bench.start_double(seconds=2.0)
    bench.start_worker(parts_per_org=2)
    content = account_rows(120)
    load_id = await bench.submit(content)

    async def committed() -> bool:
        async with bench.database.unit(write=False) as unit:
            return any(part.state is PartState.COMMITTED for part in await unit.parts.list(load_id))

    while not await committed():
        await bench.clock.sleep(0.05)
    async with bench.database.unit() as unit:
        assert await unit.loads.request_cancel(load_id)
    load = await bench.ended(load_id)
    assert (load.state, load.error_code) == (LoadState.ABORTED, "load.cancelled")
    counts = bench.check_rows(load, content)
    assert counts["unprocessed"] >= 80
    report = bench.call("/report")
    assert len(report["keys"]) == counts["succeeded"]
    assert "Open" not in report["jobs"]


async def test_a_load_cancelled_before_it_began_sends_nothing(sqlite_bench: Bench) -> None:
    """It ends as aborted without having spoken to Salesforce."""
    sqlite_bench.start_double()
    load_id = await sqlite_bench.submit(account_rows(10))
    async with sqlite_bench.database.unit() as unit:
        await unit.loads.request_cancel(load_id)
    sqlite_bench.start_worker()
    load = await sqlite_bench.ended(load_id)
    assert (load.state, load.api_calls) == (LoadState.ABORTED, 0)
    assert sqlite_bench.call("/report")["jobs"] == {}


async def test_an_upload_of_unknown_outcome_gets_a_new_job(sqlite_bench: Bench) -> None:
    """Uploads that Salesforce answers with 503 are not repeated on their jobs: those are aborted, others made."""
    sqlite_bench.start_double()
    sqlite_bench.call("/control", {"put": 3})
    sqlite_bench.start_worker(parts_per_org=1)
    content = account_rows(15)
    load = await sqlite_bench.ended(await sqlite_bench.submit(content))
    assert load.state is LoadState.JOB_COMPLETE
    sqlite_bench.check_rows(load, content)
    sqlite_bench.check_org(content)
    assert sqlite_bench.call("/report")["jobs"] == {"Aborted": 3, "JobComplete": 1}
    async with sqlite_bench.database.unit(write=False) as unit:
        jobs = await unit.jobs.list(load.id)
    assert [job.use for job in jobs] == [JobUse.DISCARDED] * 3 + [JobUse.COMMITTED]


async def test_a_salesforce_that_never_takes_uploads_fails_the_part_in_balance(sqlite_bench: Bench) -> None:
    """The rows are unprocessed with the reason, the load is failed, the sums come out."""
    sqlite_bench.start_double()
    sqlite_bench.call("/control", {"put": 1000})
    sqlite_bench.start_worker(upload_attempts=2)
    content = account_rows(30)
    load = await sqlite_bench.ended(await sqlite_bench.submit(content))
    assert (load.state, load.error_code) == (LoadState.FAILED, "load.parts_failed")
    assert sqlite_bench.check_rows(load, content) == {"unprocessed": 30}
    assert load.receipt is not None
    assert load.receipt["rows"]["sent"] == 0
    assert load.receipt["errors"][0]["code"] == "job.upload_failed"


async def test_an_outage_of_salesforce_is_waited_out(sqlite_bench: Bench) -> None:
    """503 on every call, then a dead process, then Salesforce again: the load goes on."""
    double = sqlite_bench.start_double(seconds=1.0)
    sqlite_bench.start_worker()
    content = account_rows(60)
    load_id = await sqlite_bench.submit(content)
    while (await sqlite_bench.load(load_id)).parts == 0:
        await sqlite_bench.clock.sleep(0.02)
    sqlite_bench.call("/control", {"unavailable": 1.5})
    await sqlite_bench.clock.sleep(0.5)
    double.kill()
    double.wait(timeout=10)
    await sqlite_bench.clock.sleep(1.0)
    sqlite_bench.start_double()
    load = await sqlite_bench.ended(load_id)
    assert load.state is LoadState.JOB_COMPLETE
    sqlite_bench.check_rows(load, content)
    sqlite_bench.check_org(content)


async def test_a_refused_sign_in_fails_the_load_at_once(sqlite_bench: Bench) -> None:
    """There is nothing to wait for, and the message says what to mend without showing the secret."""
    sqlite_bench.start_double()
    sqlite_bench.start_worker(client_id="refused", secret="hunter2")
    load = await sqlite_bench.ended(await sqlite_bench.submit(account_rows(5)), seconds=10)
    assert (load.state, load.error_code) == (LoadState.FAILED, "salesforce.sign_in_refused")
    assert "hunter2" not in (load.error_message or "") + sqlite_bench.logs()


async def test_a_query_streams_all_pages_into_one_file(bench: Bench) -> None:
    """One header, every record once, counted."""
    bench.start_double()
    bench.start_worker()
    content = account_rows(20)
    await bench.ended(await bench.submit(content))
    soql = "SELECT Name FROM Account"
    query: dict[str, Any] = {"kind": LoadKind.QUERY, "operation": "query", "input_key": None}
    load = await bench.ended(await bench.submit(b"x", soql=soql, **query))
    assert load.state is LoadState.JOB_COMPLETE, load
    assert load.results_key is not None
    rows = list(csv.reader(io.StringIO(bench.files.path(load.results_key).read_text(), newline="")))
    assert rows[0] == ["Name"]
    assert sorted(row[0] for row in rows[1:]) == sorted(f'Größe "{n}", Ltd' for n in range(20) if n % 10 != 9)
    assert load.rows_read == 18
    async with bench.database.unit(write=False) as unit:
        found = await unit.loads.find_by_job_id(load.job_id or "")
    assert found == (load, None)
    refused = await bench.ended(await bench.submit(b"x", soql="SELECT Name FROM Acount", **query))
    assert (refused.state, refused.error_code) == (LoadState.FAILED, "INVALID_TYPE")


async def test_a_second_worker_on_a_sqlite_file_is_refused(sqlite_bench: Bench) -> None:
    """It ends by itself, says why, and the first one works on."""
    sqlite_bench.start_double()
    sqlite_bench.start_worker()
    second = sqlite_bench.start_worker(wait=False)
    assert second.wait(timeout=30) == 3
    assert sqlite_bench.told("engine.already_running")
    content = account_rows(5)
    assert (await sqlite_bench.ended(await sqlite_bench.submit(content))).state is LoadState.JOB_COMPLETE


async def test_a_worker_told_to_stop_ends_at_once_and_loses_nothing(bench: Bench) -> None:
    """SIGTERM in the middle: the next worker goes on from the last finished step."""
    bench.start_double(seconds=0.8)
    worker = bench.start_worker()
    content = account_rows(100)
    load_id = await bench.submit(content)
    while (await bench.load(load_id)).parts == 0:
        await bench.clock.sleep(0.02)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(timeout=10) == 0
    bench.start_worker()
    load = await bench.ended(load_id)
    bench.check_rows(load, content)
    bench.check_org(content)


async def test_a_worker_opens_no_port_and_calls_nobody_else(bench: Bench) -> None:
    """Its only connections are those to Salesforce and to the database."""
    bench.start_double()
    worker = bench.start_worker()
    load_id = await bench.submit(account_rows(40))
    allowed = {int(bench.salesforce.rsplit(":", 1)[1])}
    if bench.url.startswith("postgresql"):
        allowed.add(int(bench.url.rsplit(":", 1)[1].split("/")[0]))
    seen = set()
    process = psutil.Process(worker.pid)
    while (await bench.load(load_id)).finished_at is None:
        for connection in process.net_connections(kind="inet"):
            assert connection.status != psutil.CONN_LISTEN
            if connection.raddr:
                seen.add(connection.raddr.port)
        await bench.clock.sleep(0.02)
    assert seen <= allowed


async def test_a_worker_without_a_database_leaves_with_its_lease(store_url: str, tmp_path: Path) -> None:
    """On PostgreSQL a worker outlives an outage shorter than its lease, and exits 70 after a longer one."""
    if store_url.startswith("sqlite"):
        pytest.skip("SQLite needs no lease")
    bench = Bench(store_url, tmp_path)
    try:
        bench.start_double()
        worker = bench.start_worker(lease_seconds=5.0)
        wait_for(lambda: bench.told("engine.started"), "not started")
        async with bench.database.unit() as unit:
            # The lease's table goes away, which is as good as an outage to the one who wants to renew it.
            await unit._connection.exec_driver_sql("ALTER TABLE executor_leases RENAME TO away")
        await bench.clock.sleep(1.5)
        assert worker.poll() is None
        async with bench.database.unit() as unit:
            await unit._connection.exec_driver_sql("ALTER TABLE away RENAME TO executor_leases")
        await bench.clock.sleep(5.5)
        assert worker.poll() is None, bench.logs()
        async with bench.database.unit() as unit:
            await unit._connection.exec_driver_sql("ALTER TABLE executor_leases RENAME TO away")
        wait_for(lambda: _has_ended(worker), "the worker still runs")
        assert worker.returncode == 70
    finally:
        await bench.close()
