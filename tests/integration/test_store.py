"""The store on SQLite and on PostgreSQL: the same code, the same behaviour."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from orgbridge.loads.states import LoadState, PartState
from orgbridge.store.addresses import parse_address
from orgbridge.store.database import Database
from orgbridge.store.errors import (
    CursorInvalid,
    RecordMissing,
    SchemaOutdated,
    StoreUnavailable,
    UsernameTaken,
)
from orgbridge.store.records import JobRecord, JobUse, LoadKind, LoadRecord, PartRecord, UserRecord
from orgbridge.store.schema import VERSION_TABLE, check_schema, downgrade, upgrade
from orgbridge.store.tables import metadata
from tests.support.engine_bench import free_port
from tests.support.forks import run
from tests.support.postgres import Server

_NOW = datetime(2026, 11, 22, 9, 30, 15, 123456, tzinfo=UTC)
_ROOT = Path(__file__).parents[2]


def _load(number: int = 1, **changes: Any) -> LoadRecord:
    record = LoadRecord(
        id=f"load_{number:04d}",
        kind=LoadKind.INGEST,
        object_name="Account",
        operation="upsert",
        external_id_field="Key__c",
        state=LoadState.QUEUED,
        options={"encoding": "cp1252", "part_rows": 7},
        error_details=[{"line": 3, "code": "input.ragged_rows"}],
        created_by="ann",
        created_at=_NOW + timedelta(seconds=number),
    )
    return replace(record, **changes)


def _part(number: int = 0, **changes: Any) -> PartRecord:
    record = PartRecord(
        load_id="load_0001",
        number=number,
        state=PartState.PLANNED,
        rows=10,
        bytes=1000,
        sha256="ab" * 32,
        first_line=2,
        first_row=1,
        input_key=f"loads/load_0001/parts/{number:05d}.csv",
        upload={"upload_bytes": 1020},
    )
    return replace(record, **changes)


@pytest.fixture
async def database(store_url: str) -> AsyncIterator[Database]:
    """Give a database with the newest tables."""
    database = Database(store_url)
    yield database
    await database.close()


async def test_a_load_comes_back_as_it_was_written(database: Database) -> None:
    """Every column survives the way into the database and back, instants to the microsecond."""
    written = _load(
        soql="SELECT Id FROM Account",
        cancel_requested=True,
        started_at=_NOW.astimezone(tz=None),
        receipt={"rows": {"read": 5}},
        input_facts={"header_record": "Näme\r\n"},
        rows_read=5_000_000_000,
    )
    async with database.unit() as unit:
        await unit.loads.add(written)
    async with database.unit(write=False) as unit:
        assert await unit.loads.get(written.id) == written
        assert await unit.loads.get("load_none") is None


async def test_nothing_is_kept_of_a_unit_that_raises(database: Database) -> None:
    """A block that raises leaves no trace; the error is its own."""

    async def broken() -> None:
        async with database.unit() as unit:
            await unit.loads.add(_load())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await broken()
    async with database.unit() as unit:
        assert await unit.loads.get("load_0001") is None


async def test_pages_hold_every_load_once_newest_first(database: Database) -> None:
    """Walking the pages gives all loads, also those of the same instant, in order and without gaps."""
    async with database.unit() as unit:
        for number in range(25):
            await unit.loads.add(_load(number, created_at=_NOW + timedelta(seconds=number // 5)))
    seen: list[str] = []
    cursor = None
    while True:
        async with database.unit(write=False) as unit:
            page = await unit.loads.list(cursor=cursor, limit=4)
        seen += [load.id for load in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == [f"load_{number:04d}" for number in reversed(range(25))]
    async with database.unit(write=False) as unit:
        with pytest.raises(CursorInvalid):
            await unit.loads.list(cursor="!")


async def test_lists_filter_by_what_was_asked(database: Database) -> None:
    """State, object in any case, operation and creator each narrow the list."""
    async with database.unit() as unit:
        await unit.loads.add(_load(1))
        await unit.loads.add(_load(2, state=LoadState.FAILED, object_name="Lead"))
        await unit.loads.add(_load(3, operation="insert", created_by="bob"))
    async with database.unit(write=False) as unit:
        assert [load.id for load in (await unit.loads.list(state=LoadState.FAILED)).items] == ["load_0002"]
        assert [load.id for load in (await unit.loads.list(object_name="LEAD")).items] == ["load_0002"]
        assert [load.id for load in (await unit.loads.list(operation="insert")).items] == ["load_0003"]
        assert [load.id for load in (await unit.loads.list(created_by="bob")).items] == ["load_0003"]


async def test_a_load_is_found_by_the_id_of_any_job_of_it(database: Database) -> None:
    """Salesforce's id in 15 or 18 characters finds the load and the part, also when a newer job replaced it."""
    async with database.unit() as unit:
        await unit.loads.add(_load())
        await unit.loads.add(_load(2, kind=LoadKind.QUERY))
        await unit.parts.replace_all("load_0001", [_part(0), _part(1)])
        for job_id, load_id, part in (
            ("750Ob0000000001IAA", "load_0001", 1),
            ("750Ob0000000002IAA", "load_0001", 1),
            ("750Ob0000000003IAA", "load_0002", None),
        ):
            record = JobRecord(job_id=job_id, load_id=load_id, part=part, use=JobUse.CREATED, created_at=_NOW)
            await unit.jobs.add(record)
    async with database.unit(write=False) as unit:
        for job_id in ("750Ob0000000001", "750Ob0000000001IAA", "750Ob0000000002IAA"):
            found = await unit.loads.find_by_job_id(job_id)
            assert found is not None
            assert found == (await unit.loads.get("load_0001"), await unit.parts.get("load_0001", 1))
        query = await unit.loads.find_by_job_id("750Ob0000000003IAA")
        assert query is not None
        assert query[1] is None
        assert await unit.loads.find_by_job_id("750Ob0000000009IAA") is None
        assert await unit.loads.find_by_job_id("no id") is None


async def test_jobs_remember_what_became_of_them(database: Database) -> None:
    """Marked jobs are listed by their use."""
    async with database.unit() as unit:
        await unit.loads.add(_load())
        for number in range(3):
            await unit.jobs.add(
                JobRecord(
                    job_id=f"750Ob000000000{number}IAA",
                    load_id="load_0001",
                    part=0,
                    use=JobUse.CREATED,
                    created_at=_NOW + timedelta(seconds=number),
                )
            )
        await unit.jobs.mark(["750Ob0000000001IAA"], JobUse.COMMITTED)
    async with database.unit(write=False) as unit:
        assert [job.job_id for job in await unit.jobs.list("load_0001", use=JobUse.COMMITTED)] == ["750Ob0000000001IAA"]
        assert len(await unit.jobs.list("load_0001")) == 3


async def test_an_upload_is_begun_once_per_job(database: Database) -> None:
    """The second begin for one job says no; another job may begin anew."""
    async with database.unit() as unit:
        await unit.loads.add(_load())
        await unit.parts.replace_all("load_0001", [_part()])
    answers = []
    for job_id in ("750Ob0000000001IAA", "750Ob0000000001IAA", "750Ob0000000002IAA"):
        async with database.unit() as unit:
            answers.append(await unit.parts.begin_upload("load_0001", 0, job_id))
    assert answers == [True, False, True]


async def test_of_many_that_begin_an_upload_at_once_one_does(database: Database) -> None:
    """The begin is atomic."""
    async with database.unit() as unit:
        await unit.loads.add(_load())
        await unit.parts.replace_all("load_0001", [_part()])

    async def begin() -> bool:
        async with database.unit() as unit:
            return await unit.parts.begin_upload("load_0001", 0, "750Ob0000000001IAA")

    assert sum(await asyncio.gather(*(begin() for _ in range(8)))) == 1


async def test_a_part_never_goes_back(database: Database) -> None:
    """What a worker writes that woke up late does not undo what came after it."""
    async with database.unit() as unit:
        await unit.loads.add(_load())
        await unit.parts.replace_all("load_0001", [_part()])
        assert await unit.parts.advance("load_0001", 0, PartState.MATCHED, succeeded=9, failed=1)
        assert not await unit.parts.advance("load_0001", 0, PartState.COMMITTED, succeeded=0, job_state="InProgress")
        assert await unit.parts.get("load_0001", 0) == _part(state=PartState.MATCHED, succeeded=9, failed=1)


async def test_progress_sums_the_parts(database: Database) -> None:
    """Counts by state and by outcome are those of all parts."""
    async with database.unit() as unit:
        await unit.loads.add(_load())
        parts = [
            _part(0, state=PartState.MATCHED, succeeded=8, failed=2, api_calls=7),
            _part(1, state=PartState.MATCHED, succeeded=10, api_calls=6),
            _part(2, state=PartState.FAILED, unprocessed=10),
            _part(3),
        ]
        await unit.parts.replace_all("load_0001", parts)
        await unit.parts.add_calls("load_0001", 3, 2)
        progress = await unit.loads.progress("load_0001")
    assert progress.parts == {PartState.MATCHED: 2, PartState.FAILED: 1, PartState.PLANNED: 1}
    assert (progress.rows, progress.succeeded, progress.failed, progress.unprocessed) == (40, 18, 2, 10)
    assert progress.api_calls == 15


async def test_loads_wait_to_be_dispatched_oldest_first(database: Database) -> None:
    """A dispatched load is not offered again."""
    async with database.unit() as unit:
        for number in (3, 1, 2):
            await unit.loads.add(_load(number))
        await unit.loads.update("load_0002", dispatched_at=_NOW)
        assert [load.id for load in await unit.loads.undispatched(10)] == ["load_0001", "load_0003"]


async def test_only_a_running_load_can_be_cancelled(database: Database) -> None:
    """The wish is kept for queued and running loads, and refused for ended and unknown ones."""
    async with database.unit() as unit:
        await unit.loads.add(_load(1))
        await unit.loads.add(_load(2, state=LoadState.JOB_COMPLETE))
        assert await unit.loads.request_cancel("load_0001")
        assert await unit.loads.cancel_requested("load_0001")
        assert not await unit.loads.request_cancel("load_0002")
        assert not await unit.loads.request_cancel("load_0003")


async def test_the_start_of_a_load_is_noted_once(database: Database) -> None:
    """A second worker that takes a load up does not move its start; an ended load stays ended."""
    async with database.unit() as unit:
        await unit.loads.add(_load(1))
        await unit.loads.begin("load_0001", _NOW)
        await unit.loads.begin("load_0001", _NOW + timedelta(hours=1))
        load = await unit.loads.get("load_0001")
        assert load is not None
        assert (load.state, load.started_at) == (LoadState.IN_PROGRESS, _NOW)
        await unit.loads.update("load_0001", state=LoadState.FAILED)
        await unit.loads.begin("load_0001", _NOW)
        ended = await unit.loads.get("load_0001")
        assert ended is not None
        assert ended.state is LoadState.FAILED


async def test_updates_of_what_is_not_there_say_so(database: Database) -> None:
    """No update is lost in silence."""
    async with database.unit() as unit:
        with pytest.raises(RecordMissing):
            await unit.loads.update("load_none", api_calls=1)
        with pytest.raises(RecordMissing):
            await unit.parts.update("load_none", 0, rows=1)
        with pytest.raises(RecordMissing):
            await unit.users.update("user_none", disabled=True)


async def test_users_are_kept_and_their_names_are_unique(database: Database) -> None:
    """A name that is taken is refused, and the rest of the unit goes on."""
    ann = UserRecord(id="user_1", username="ann", password_hash="$argon2id$x", scopes=("bulk:write",), created_at=_NOW)
    async with database.unit() as unit:
        await unit.users.add(ann)
        with pytest.raises(UsernameTaken, match="ann"):
            await unit.users.add(replace(ann, id="user_2"))
        await unit.users.update("user_1", scopes=("bulk:read", "bulk:write"), disabled=True)
    async with database.unit(write=False) as unit:
        wanted = replace(ann, scopes=("bulk:read", "bulk:write"), disabled=True)
        assert await unit.users.get_by_username("ann") == wanted
        assert await unit.users.get("user_1") == wanted
        assert await unit.users.list() == [wanted]
        assert await unit.users.get("user_2") is None


async def test_many_writers_take_turns(database: Database) -> None:
    """Units that read and then write at the same time lose nothing and fail nowhere."""
    async with database.unit() as unit:
        await unit.loads.add(_load())

    async def add() -> None:
        async with database.unit() as unit:
            await unit.loads.add_calls("load_0001", 1)

    await asyncio.gather(*(add() for _ in range(40)))
    async with database.unit(write=False) as unit:
        load = await unit.loads.get("load_0001")
    assert load is not None
    assert load.api_calls == 40


async def test_leases_run_by_the_databases_clock(postgres: Server) -> None:
    """A lease lives until it runs out, is dropped or forgotten."""
    url = postgres.create_migrated()
    database = Database(url)
    try:
        async with database.unit() as unit:
            await unit.leases.renew("alive", timedelta(seconds=60))
            await unit.leases.renew("dead", timedelta(seconds=-1))
            await unit.leases.renew("long dead", timedelta(hours=-2))
            await unit.leases.renew("left", timedelta(seconds=60))
            await unit.leases.drop("left")
            assert await unit.leases.living() == {"alive"}
            await unit.leases.renew("dead", timedelta(seconds=60))
            assert await unit.leases.living() == {"alive", "dead"}
            await unit.leases.forget(timedelta(hours=1))
        async with database.unit() as unit:
            await unit.leases.renew("alive", timedelta(seconds=-7200))
            await unit.leases.forget(timedelta(hours=1))
            assert await unit.leases.living() == {"dead"}
    finally:
        await database.close()


async def test_a_database_that_is_not_there_is_unavailable() -> None:
    """The error names the cause, not the password."""
    url = f"postgresql://ann:hunter2@127.0.0.1:{free_port()}/x"
    database = Database(url)
    with pytest.raises(StoreUnavailable) as refused:
        async with database.unit() as unit:
            await unit.ping()
    assert refused.value.retryable
    assert "hunter2" not in str(refused.value)
    with pytest.raises(StoreUnavailable) as refused:
        await asyncio.to_thread(upgrade, url)
    assert "hunter2" not in str(refused.value)
    await database.close()


def _sync_engine(url: str) -> sa.Engine:
    return sa.create_engine(parse_address(url).synchronous, poolclass=sa.NullPool)


def test_migrations_and_models_agree(empty_store_url: str) -> None:
    """What the migrations make is what the tables say: columns, types, defaults, indexes, keys."""
    upgrade(empty_store_url)
    engine = _sync_engine(empty_store_url)
    with engine.connect() as connection:
        options = {"version_table": VERSION_TABLE, "compare_type": True, "compare_server_default": True}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_migrations_can_be_taken_back_and_applied_again(empty_store_url: str) -> None:
    """Down to nothing and up again leaves the same tables."""
    upgrade(empty_store_url)
    downgrade(empty_store_url, "base")
    engine = _sync_engine(empty_store_url)
    assert set(sa.inspect(engine).get_table_names()) == {VERSION_TABLE}
    with pytest.raises(SchemaOutdated):
        check_schema(empty_store_url)
    upgrade(empty_store_url)
    check_schema(empty_store_url)
    assert set(sa.inspect(engine).get_table_names()) == {VERSION_TABLE, *metadata.tables}
    engine.dispose()


def test_a_fresh_database_is_outdated_until_upgraded(empty_store_url: str) -> None:
    """Checking makes nothing, not even a file."""
    with pytest.raises(SchemaOutdated):
        check_schema(empty_store_url)
    file = parse_address(empty_store_url).file
    assert file is None or not file.exists()


def test_processes_that_upgrade_at_once_take_turns(empty_store_url: str) -> None:
    """Four processes that start together all succeed."""
    code = f"from orgbridge.store.schema import upgrade; upgrade({empty_store_url!r})"
    with ThreadPoolExecutor(4) as threads:
        ended = list(threads.map(lambda _: run(["-c", code], folder=_ROOT, environment={}), range(4)))
    assert [done.returncode for done in ended] == [0] * 4, [done.stderr for done in ended]
    check_schema(empty_store_url)
