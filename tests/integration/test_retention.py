"""What is past its time goes, once, and nothing else does."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from orgbridge.kit.identifiers import instant_of, new_identifier
from orgbridge.loads.states import LoadState
from orgbridge.store.order_records import PlacementRecord, PlacementState, PlacementWay
from orgbridge.store.records import LoadKind, LoadRecord
from tests.support.engine_bench import Bench, account_rows, wait_for

_OLD = timedelta(days=40)


@pytest.fixture
async def bench(store_url: str, tmp_path: Path) -> AsyncIterator[Bench]:
    """Give a bench over each database in turn."""
    made = Bench(store_url, tmp_path)
    made.start_double(seconds=0.0)
    yield made
    await made.close()


async def _aged(bench: Bench, load_id: str) -> None:
    async with bench.database.unit() as unit:
        await unit.loads.update(load_id, finished_at=bench.clock.now() - _OLD)


async def _cleaned(bench: Bench, load_id: str) -> LoadRecord:
    for _ in range(400):
        load = await bench.load(load_id)
        if load.cleaned_at is not None:
            return load
        await bench.clock.sleep(0.05)
    raise AssertionError(bench.logs())


async def _workflows(bench: Bench, load_id: str) -> int:
    if not bench.url.startswith("sqlite"):
        return -1
    with sqlite3.connect(f"file:{bench.folder / 'engine.sqlite'}?mode=ro", uri=True) as connection:
        query = "SELECT count(*) FROM workflow_status WHERE workflow_uuid LIKE ?"
        return int(connection.execute(query, (f"{load_id}%",)).fetchone()[0])


async def test_files_and_workflows_go_counts_and_receipt_stay(bench: Bench) -> None:
    """Of two ended loads the old one loses its files and workflows; the young one loses nothing."""
    bench.start_worker(retention_seconds=0.3)
    old, young = await bench.submit(account_rows(30)), await bench.submit(account_rows(30, tag="y"))
    before = await bench.ended(old)
    await bench.ended(young)
    assert await _workflows(bench, old) != 0
    await _aged(bench, old)
    load = await _cleaned(bench, old)
    assert not (bench.folder / "files" / "loads" / old).exists()
    assert (load.results_key, load.failed_key, load.input_key) == (None, None, None)
    assert (load.receipt, load.rows_succeeded, load.rows_failed) == (before.receipt, 27, 3)
    assert await _workflows(bench, old) in (0, -1)
    kept = await bench.load(young)
    assert kept.cleaned_at is None
    assert await bench.files.exists(kept.results_key or "")


async def test_the_input_of_a_load_that_has_not_ended_stays_however_old_it_is(bench: Bench) -> None:
    """Its parts are ranges of that file: as long as any may still be sent or matched, it is there."""
    long_ago = bench.clock.now() - _OLD
    waiting = await bench.submit(account_rows(30), state=LoadState.IN_PROGRESS, created_at=long_ago)
    bench.start_worker(retention_seconds=0.3)
    ended = await bench.submit(account_rows(30, tag="e"))
    await bench.ended(ended)
    await _aged(bench, ended)
    await _cleaned(bench, ended)
    load = await bench.load(waiting)
    assert (load.cleaned_at, load.input_key) == (None, f"loads/{waiting}/input")
    assert await bench.files.exists(f"loads/{waiting}/input")


async def test_loads_themselves_go_when_the_second_setting_says_so(bench: Bench) -> None:
    """With a time for rows too, the load is gone from the list, and so are messages about it."""
    bench.start_worker(retention_seconds=0.3, retention_rows_days=35.0)
    load_id = await bench.submit(account_rows(5))
    await bench.ended(load_id)
    await _aged(bench, load_id)
    for _ in range(400):
        async with bench.database.unit(write=False) as unit:
            if await unit.loads.get(load_id) is None:
                return
        await bench.clock.sleep(0.05)
    raise AssertionError(bench.logs())


async def test_old_orders_are_forgotten_and_undecided_ones_are_not(bench: Bench) -> None:
    """Decided, audited and old orders go; what is unknown, unaudited, young or left a cart open stays."""
    now = bench.clock.now()
    old = now - timedelta(days=401)
    odd: dict[str, dict[str, Any]] = {
        "chk_gone": {},
        "chk_unknown": {"state": PlacementState.UNKNOWN},
        "chk_unaudited": {"audited_at": None},
        "chk_young": {"ended_at": now},
        "chk_open": {"facts": {"cart_left_open": "it could not be closed"}},
    }
    async with bench.database.unit() as unit:
        for name, changes in odd.items():
            usual = PlacementRecord(
                id=name,
                caller_id="usr_1",
                caller_name="kiel",
                account_id="001Ob000000000AAAA",
                webstore_id="0ZEOb000000000AAAA",
                cart_id="0a6Ob000000000AAAA",
                claim=name,
                way=PlacementWay.CHECKOUT,
                marker=name,
                state=PlacementState.PLACED,
                dispatched_at=old,
                created_at=old,
                updated_at=old,
                ended_at=old,
                audited_at=old,
            )
            await unit.placements.add(replace(usual, **changes))
    bench.start_worker(retention_seconds=0.3)
    async with asyncio.timeout(30):
        while True:
            async with bench.database.unit(write=False) as unit:
                left = {name for name in odd if await unit.placements.get(name) is not None}
            if "chk_gone" not in left:
                break
            await bench.clock.sleep(0.05)
    assert left == set(odd) - {"chk_gone"}


async def test_files_that_no_load_knows_go_after_a_day(bench: Bench) -> None:
    """A crash between file and record leaves a folder that is removed once it cannot be a load just being taken in."""
    now = bench.clock.now()
    old, fresh = new_identifier("load", now - timedelta(days=2)), new_identifier("load", now)
    for name in (old, fresh, "strange"):
        bench.files.write_blocks(f"loads/{name}/input", [b"x"])
    bench.start_worker(retention_seconds=0.3)
    wait_for(lambda: not (bench.folder / "files" / "loads" / old).exists(), "not removed")
    assert await bench.files.folders("loads") == sorted([fresh, "strange"])


async def test_an_export_past_its_time_says_when_it_went(bench: Bench) -> None:
    """Exports are cleaned as loads are, their pages and results included."""
    bench.start_worker(retention_seconds=0.3)
    await bench.ended(await bench.submit(account_rows(10)))
    changes: dict[str, Any] = {"kind": LoadKind.QUERY, "operation": "query", "input_key": None, "options": {}}
    load_id = await bench.submit(b"x", soql="SELECT Name FROM Account", **changes)
    await bench.ended(load_id)
    await _aged(bench, load_id)
    load = await _cleaned(bench, load_id)
    assert load.receipt is not None
    assert not (bench.folder / "files" / "loads" / load_id).exists()


async def test_one_worker_of_many_has_a_task(bench: Bench) -> None:
    """While a lease lasts nobody else gets it; its holder keeps it; after it anybody may."""
    now = bench.clock.now()
    later = now + timedelta(minutes=10)
    async with bench.database.unit() as unit:
        assert await unit.tasks.take("t", "a", now, later)
        assert not await unit.tasks.take("t", "b", now, later)
        assert await unit.tasks.take("t", "a", now, later)
        assert await unit.tasks.take("t", "b", later, later + timedelta(minutes=10))


def test_an_identifier_tells_when_it_was_made() -> None:
    """To the millisecond; what is none of ours tells nothing."""
    made = instant_of("load_01jd6z7w7kq2m4t8v0x3y5z7b9")
    assert made is not None
    identifier = new_identifier("load", made)
    assert instant_of(identifier) == made
    for text in ("", "load", "load_short", "strange", "load_" + "i" * 26, "load_" + "z" * 26):
        assert instant_of(text) is None
