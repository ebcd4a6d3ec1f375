"""Workers are killed and frozen at random moments: no row is lost, none comes twice, no load is stuck."""

from __future__ import annotations

import asyncio
import random
import signal
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest
from dbos._sys_db import SystemDatabase
from dbos._utils import INTERNAL_QUEUE_NAME

from orgbridge.engine.durable import RECOVERY_QUEUE
from orgbridge.loads.states import LOAD_ENDS, LoadState
from tests.support.engine_bench import Bench, account_rows, wait_for
from tests.support.forks import Fork
from tests.support.postgres import Server, running_postgres

_SEED = 20261122


@pytest.fixture
async def bench(store_url: str, tmp_path: Path) -> AsyncIterator[Bench]:
    """Give a bench on each backend in turn."""
    bench = Bench(store_url, tmp_path)
    yield bench
    await bench.close()


async def test_kills_at_random_moments_lose_and_double_nothing(bench: Bench) -> None:
    """Workers and Salesforce's stand-in die by SIGKILL while three loads run; after each death another one starts."""
    dice = random.Random(_SEED)
    double = bench.start_double(seconds=0.5)
    workers = [bench.start_worker() for _ in range(1 if bench.url.startswith("sqlite") else 3)]
    contents = [account_rows(150, tag=f"load{number}-") for number in range(3)]
    load_ids = [await bench.submit(content) for content in contents]
    kills = 0
    while kills < 6:
        await bench.clock.sleep(dice.uniform(0.2, 1.5))
        if kills % 3 == 2:
            double.kill()
            double.wait(timeout=10)
            kills += 1
            double = bench.start_double(seconds=0.5)
            continue
        victim = dice.choice(workers)
        victim.kill()
        victim.wait(timeout=10)
        kills += 1
        workers.remove(victim)
        workers.append(bench.start_worker())
        if all([(await bench.load(load_id)).state in LOAD_ENDS for load_id in load_ids]):
            break
    assert kills >= 2, "the loads ended before they could be disturbed"
    for load_id, content in zip(load_ids, contents, strict=True):
        load = await bench.ended(load_id)
        assert load.state is LoadState.JOB_COMPLETE, load
        assert bench.check_rows(load, content) == {"succeeded": 135, "failed": 15}
    bench.check_org(*contents)
    jobs = bench.call("/report")["jobs"]
    assert jobs["JobComplete"] == 3 * 8
    # An orphan of a create whose reply died with the worker has an id that nobody knows: that one may stay open.
    assert jobs.get("Open", 0) <= kills * 5


async def test_a_frozen_worker_that_wakes_up_does_no_harm(postgres: Server, tmp_path: Path) -> None:
    """Frozen for longer than its lease, its work is taken over; awake again it writes nothing and leaves."""
    bench = Bench(postgres.create_migrated(), tmp_path)
    try:
        bench.start_double(seconds=0.5)
        zombie = bench.start_worker()
        content = account_rows(200)
        load_id = await bench.submit(content)
        await bench.begun(load_id)
        await bench.clock.sleep(0.4)
        zombie.send_signal(signal.SIGSTOP)
        bench.start_worker()
        load = await bench.ended(load_id)
        zombie.send_signal(signal.SIGCONT)
        assert zombie.wait(timeout=30) == 70
        assert bench.check_rows(load, content) == {"succeeded": 180, "failed": 20}
        bench.check_org(content)
        assert await bench.load(load_id) == load
    finally:
        await bench.close()


async def test_a_lock_left_by_the_dead_costs_no_living_worker_its_lease(postgres: Server, tmp_path: Path) -> None:
    """While a row of dead work is locked, the worker that wants to take it over keeps its own lease, and waits."""
    url = postgres.create_migrated()
    bench = Bench(url, tmp_path)
    try:
        bench.start_double(seconds=0.5)
        dead = bench.start_worker(lease_seconds=2.0)
        content = account_rows(60)
        load_id = await bench.submit(content)
        await bench.begun(load_id)
        dead.kill()
        dead.wait(timeout=10)
        with psycopg.connect(url) as holder:
            holder.execute("SELECT 1 FROM dbos.workflow_status WHERE status = 'PENDING' FOR UPDATE")
            heir = bench.start_worker(lease_seconds=2.0)
            await bench.clock.sleep(5)
            assert heir.poll() is None, bench.logs()
            assert (await bench.load(load_id)).state not in LOAD_ENDS
            holder.rollback()
        load = await bench.ended(load_id)
        assert bench.check_rows(load, content) == {"succeeded": 54, "failed": 6}
        bench.check_org(content)
    finally:
        await bench.close()


async def test_a_worker_frozen_inside_a_transaction_holds_nobody_up(postgres: Server, tmp_path: Path) -> None:
    """The locks of a worker that froze in the middle of a transaction are taken from it within seconds."""
    url = postgres.create_migrated()
    bench = Bench(url, tmp_path)
    try:
        bench.start_double(seconds=0.5)
        zombie = bench.start_worker()
        content = account_rows(60)
        load_id = await bench.submit(content)
        await bench.begun(load_id)
        with psycopg.connect(url, autocommit=True) as watcher:
            held = await _freeze_inside_a_transaction(zombie, url, watcher)
            heir = bench.start_worker()
            wait_for(lambda: not _in_transaction(watcher) & held, "the frozen worker kept its locks")
        assert heir.poll() is None, bench.logs()
        load = await bench.ended(load_id)
        zombie.send_signal(signal.SIGCONT)
        assert zombie.wait(timeout=30) == 70
        assert bench.check_rows(load, content) == {"succeeded": 54, "failed": 6}
        bench.check_org(content)
    finally:
        await bench.close()


def _in_transaction(watcher: psycopg.Connection) -> set[int]:
    """Return the server processes whose clients have begun a transaction and say nothing."""
    idle = "SELECT pid FROM pg_stat_activity WHERE state = 'idle in transaction' AND datname = current_database()"
    return {row[0] for row in watcher.execute(idle)}


async def _freeze_inside_a_transaction(process: Fork, url: str, watcher: psycopg.Connection) -> set[int]:
    """Freeze a worker while it writes to the load's parts; return the server processes that hold its locks.

    A transaction is a matter of milliseconds: the test locks the rows that the worker must write, freezes it while it
    waits for them, and lets go. What it waited for is then its own, and nobody is awake to commit it.
    """
    waiting = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    with psycopg.connect(url) as holder:
        holder.execute("SELECT 1 FROM parts FOR UPDATE")
        wait_for(lambda: watcher.execute(waiting).fetchone(), "the worker writes to no part")
        process.send_signal(signal.SIGSTOP)
        held = {row[0] for row in watcher.execute(waiting)}
        holder.rollback()
    wait_for(lambda: _in_transaction(watcher) & held, "the frozen worker got no lock")
    return _in_transaction(watcher) & held


async def test_a_crash_of_the_database_is_lived_through(tmp_path: Path) -> None:
    """PostgreSQL dies under load and comes back within the lease: the same worker goes on, nothing is lost."""
    with running_postgres(durable=True) as server:
        bench = Bench(server.create_migrated(), tmp_path)
        try:
            bench.start_double(seconds=0.5)
            worker = bench.start_worker(lease_seconds=30.0)
            content = account_rows(200)
            load_id = await bench.submit(content)
            await bench.begun(load_id)
            await asyncio.to_thread(server.crash)
            await bench.clock.sleep(1.5)
            await asyncio.to_thread(server.start)
            load = await bench.ended(load_id)
            assert bench.check_rows(load, content) == {"succeeded": 180, "failed": 20}
            bench.check_org(content)
            assert worker.poll() is None
        finally:
            await bench.close()


async def test_a_load_whose_workflow_broke_is_ended(tmp_path: Path) -> None:
    """Should the engine itself lose a workflow, the load does not hang: it fails with a reason."""
    bench = Bench(f"sqlite:///{tmp_path / 'orgbridge.sqlite'}", tmp_path)
    try:
        bench.start_double(seconds=60)
        worker = bench.start_worker()
        load_id = await bench.submit(account_rows(5))
        await bench.begun(load_id)
        worker.kill()
        worker.wait(timeout=10)
        with sqlite3.connect(tmp_path / "engine.sqlite") as engine:
            engine.execute("UPDATE workflow_status SET status = 'ERROR' WHERE workflow_uuid = ?", (load_id,))
        bench.start_worker()
        load = await bench.ended(load_id, seconds=20)
        assert (load.state, load.error_code) == (LoadState.FAILED, "engine.workflow_failed")
    finally:
        await bench.close()


def test_the_primitive_that_recovery_stands_on_is_still_there() -> None:
    """The reaper uses two private names of the pinned library: a new release that drops them fails here first."""
    assert callable(SystemDatabase.reenqueue_for_recovery)
    assert INTERNAL_QUEUE_NAME == RECOVERY_QUEUE
