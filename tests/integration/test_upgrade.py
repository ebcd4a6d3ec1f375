"""An upgrade of the tables while programs of the version before are at work, and programs older than their tables."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from orgbridge.loads.states import LoadState, PartState
from orgbridge.store.addresses import parse_address
from orgbridge.store.database import Database
from orgbridge.store.schema import VERSION_TABLE, check_schema, read_schema, upgrade
from tests.support.earlier_state import EARLIER, restore
from tests.support.engine_bench import Bench

_OLD = "0007"
_NOW = datetime(2026, 10, 1, 12, tzinfo=UTC)
#: Frozen: what a program of revision 0007 wrote and read. Not to be brought up to date with the tables.
_LOAD = sa.text(
    "INSERT INTO loads (id, kind, object_name, operation, state, options, input_sha256, error_details, created_by, "
    "created_at) VALUES (:id, 'ingest', 'Account', 'insert', :state, '{}', :sha, '[]', 'tester', :at)"
)
_PART = sa.text(
    "INSERT INTO parts (load_id, number, state, rows, bytes, sha256, first_line, input_key, upload) "
    "VALUES (:load, :number, :state, 10, 100, :sha, 2, 'loads/x/part', '{}')"
)
_PROGRESS = sa.text(
    "UPDATE parts SET succeeded = succeeded + 1, stalled_at = NULL WHERE load_id = :load AND number = 0"
)
_READ = sa.text("SELECT state, rows, succeeded, skipped, attempt FROM parts WHERE load_id = :load ORDER BY number")


def old_engine(url: str) -> sa.Engine:
    """Return the connections of an older program."""
    address = parse_address(url)
    arguments = {"timeout": 30} if address.is_sqlite else {}
    return sa.create_engine(address.synchronous, connect_args=arguments)


def old_load(engine: sa.Engine, load_id: str) -> None:
    """Write a load with a part in every state, as the older program did."""
    at = _NOW.isoformat(sep=" ") if engine.dialect.name == "sqlite" else _NOW
    with engine.begin() as connection:
        connection.execute(_LOAD, {"id": load_id, "state": "InProgress", "sha": "0" * 64, "at": at})
        for number, state in enumerate(PartState):
            values = {"load": load_id, "number": number, "state": state.value, "sha": "1" * 64}
            connection.execute(_PART, values)


def test_an_older_program_goes_on_through_the_upgrade(empty_store_url: str) -> None:
    """While the tables are brought up to date its reads and writes succeed, and nothing that it wrote is changed."""
    upgrade(empty_store_url, _OLD)
    engine = old_engine(empty_store_url)
    old_load(engine, "before")
    done, begun, errors, rounds = threading.Event(), threading.Event(), [], [0]

    def work() -> None:
        try:
            while not done.is_set():
                with engine.begin() as connection:
                    connection.execute(_PROGRESS, {"load": "before"})
                with engine.connect() as connection:
                    assert len(connection.execute(_READ, {"load": "before"}).all()) == len(PartState)
                rounds[0] += 1
                begun.set()
        except Exception as error:
            errors.append(error)
            begun.set()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        assert begun.wait(30)
        upgrade(empty_store_url)
        seen = rounds[0]
        while rounds[0] <= seen + 1 and not errors:
            done.wait(0.01)
    finally:
        done.set()
        thread.join(30)
    assert errors == []
    old_load(engine, "after")
    with engine.connect() as connection:
        rows = connection.execute(_READ, {"load": "before"}).all()
    engine.dispose()
    assert [row.state for row in rows] == [state.value for state in PartState]
    assert rows[0].succeeded == rounds[0]


async def test_the_new_program_reads_what_the_older_one_wrote(empty_store_url: str) -> None:
    """Loads and parts of before, and those that the older program still writes, are whole for the new one."""
    upgrade(empty_store_url, _OLD)
    engine = old_engine(empty_store_url)
    old_load(engine, "before")
    await asyncio.to_thread(upgrade, empty_store_url)
    old_load(engine, "after")
    engine.dispose()
    database = Database(empty_store_url)
    try:
        async with database.unit(write=False) as unit:
            for load_id in ("before", "after"):
                load = await unit.loads.get(load_id)
                assert load is not None
                assert load.created_at == _NOW
                parts = await unit.parts.list(load_id)
                assert [part.state for part in parts] == list(PartState)
                assert {part.rows for part in parts} == {10}
            waiting = await unit.loads.undispatched(10)
            assert {load.id for load in waiting} == {"before", "after"}
    finally:
        await database.close()


def test_an_older_program_starts_on_newer_tables(empty_store_url: str) -> None:
    """Started again while, or after, a newer one is there, it takes the tables as they are: they only have more."""
    upgrade(empty_store_url)
    engine = old_engine(empty_store_url)
    with engine.begin() as connection:
        connection.execute(sa.text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    check_schema(empty_store_url)
    upgrade(empty_store_url)
    state = read_schema(empty_store_url)
    assert (state.applied, state.newer, state.outdated) == ("9999", True, False)
    engine.dispose()


@pytest.mark.parametrize("revision", ["0001", _OLD])
def test_a_newer_program_does_not_start_on_older_tables(empty_store_url: str, revision: str) -> None:
    """Tables of before are told as outdated, with both revisions."""
    upgrade(empty_store_url, revision)
    state = read_schema(empty_store_url)
    assert state.outdated
    assert state.applied == revision


@pytest.mark.parametrize("revision", EARLIER)
async def test_loads_that_an_older_worker_began_are_finished(
    revision: str, empty_store_url: str, tmp_path: Path
) -> None:
    """Killed amid three loads, an older worker is followed by one of today: every row once, and accounted for."""
    left = restore(revision, empty_store_url, tmp_path)
    assert {"matched", "planned"} < set(left.states), "the record holds parts that have ended, run, and wait"
    assert read_schema(empty_store_url).applied == revision
    # Brings the tables up to date, as `orgbridge db upgrade` does.
    bench = Bench(empty_store_url, tmp_path)
    try:
        bench.start_double(seconds=0.3)
        # Logs of before are replayed all at once: on a busy machine that takes longer than the bench's usual lease.
        bench.start_worker(lease_seconds=30.0)
        total: Counter[str] = Counter()
        for load_id, content in left.inputs.items():
            load = await bench.ended(load_id, 150)
            assert load.state is LoadState.JOB_COMPLETE, (load.error_code, load.error_message)
            total += bench.check_rows(load, content)
        assert total == {"succeeded": 351, "failed": 39}
        bench.check_org(*left.inputs.values())
    finally:
        await bench.close()


async def test_loads_whose_log_does_not_fit_are_carried_on(empty_store_url: str, tmp_path: Path) -> None:
    """Logs of other steps, of loads half cut, of their parts or of both, stop nothing: the store holds enough."""
    left = restore(EARLIER[0], empty_store_url, tmp_path)
    address = parse_address(empty_store_url)
    engine = sa.create_engine(address.engine_url.replace("postgresql:", "postgresql+psycopg:"))
    schema = "" if address.is_sqlite else "dbos."
    # As if the version of then had begun in another way.
    rename = f"UPDATE {schema}operation_outputs SET function_name = 'elder' WHERE function_id = 1 AND workflow_uuid"
    both, parts, load = left.inputs
    with engine.begin() as connection:
        changed = [
            connection.execute(sa.text(f"{rename} LIKE '{pattern}'")).rowcount
            for pattern in (f"{both}%", f"{parts}.%", load)
        ]
        # As if it had died before it cut the last two parts.
        for number in (5, 6):
            never = f"DELETE FROM {schema}workflow_status WHERE workflow_uuid = '{load}.{number:05d}'"
            connection.execute(sa.text(never))
    engine.dispose()
    store = old_engine(empty_store_url)
    with store.begin() as connection:
        assert connection.execute(sa.text(f"DELETE FROM parts WHERE load_id = '{load}' AND number > 4")).rowcount == 2
        connection.execute(sa.text(f"UPDATE loads SET rows_read = NULL, parts = 5 WHERE id = '{load}'"))
    store.dispose()
    assert all(changed), "each of the three has a log to be changed"
    bench = Bench(empty_store_url, tmp_path)
    try:
        bench.start_double(seconds=0.3)
        bench.start_worker(lease_seconds=30.0)
        for load_id, content in left.inputs.items():
            ended = await bench.ended(load_id, 150)
            assert ended.state is LoadState.JOB_COMPLETE, (ended.error_code, ended.error_message)
            bench.check_rows(ended, content)
        bench.check_org(*left.inputs.values())
        assert bench.told("engine.taken_up") == 2, bench.logs()
    finally:
        await bench.close()
