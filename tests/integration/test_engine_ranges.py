"""Parts that are ranges of the stored input: inputs that change, and loads whose parts an older program wrote out."""

from __future__ import annotations

import hashlib
import signal
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from orgbridge.engine.ranges import RANGE, own_records
from orgbridge.loads.states import LoadState, PartState
from orgbridge.store.records import LoadRecord
from tests.support.engine_bench import Bench, account_rows


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    """Give a bench on SQLite."""
    bench = Bench(f"sqlite:///{tmp_path / 'orgbridge.sqlite'}", tmp_path)
    yield bench
    await bench.close()


async def _cut_and_waiting(bench: Bench, content: bytes) -> LoadRecord:
    """Submit a load and return it once all its parts are recorded and only its canary is on its way."""
    load_id = await bench.submit(content, options={"original_name": "a.csv", "part_rows": 20, "canary": 20})
    for _ in range(600):
        load = await bench.load(load_id)
        if load.rows_read is not None and "UploadComplete" in str(bench.call("/report")["jobs"]):
            return load
        await bench.clock.sleep(0.05)
    raise AssertionError(bench.logs())


async def test_an_input_that_changes_before_its_upload_fails_that_part_and_no_other(bench: Bench) -> None:
    """Nothing of the changed part reaches the org; its rows are unprocessed, with the change as their reason."""
    content = account_rows(100, bad_every=1_000)
    bench.start_double(seconds=2.5)
    bench.start_worker()
    load = await _cut_and_waiting(bench, content)
    assert load.input_key is not None
    changed = content.replace(b",k99,", b",k00,")
    assert changed != content
    bench.files.path(load.input_key).write_bytes(changed)
    load = await bench.ended(load.id)
    assert load.state is LoadState.FAILED
    assert load.error_message is not None
    assert "input was changed" in load.error_message
    async with bench.database.unit(write=False) as unit:
        parts = await unit.parts.list(load.id)
    assert [part.state for part in parts] == [PartState.MATCHED] * 4 + [PartState.FAILED]
    assert (load.rows_succeeded, load.rows_unprocessed) == (80, 20)
    assert bench.check_rows(load, changed) == {"succeeded": 80, "unprocessed": 20}
    assert load.receipt is not None
    assert [group["code"] for group in load.receipt["errors"]] == ["load.input_changed"]
    report = bench.call("/report")
    assert Counter(report["keys"]) == Counter(f"k{number}" for number in range(80))
    assert "Open" not in report["jobs"]


async def test_a_load_whose_parts_an_older_program_wrote_out_goes_on(bench: Bench) -> None:
    """Killed with its parts in files of their own and no ranges on record, it ends as any other load does."""
    content = account_rows(100)
    bench.start_double(seconds=2.5)
    worker = bench.start_worker()
    load = await _cut_and_waiting(bench, content)
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    async with bench.database.unit() as unit:
        parts = await unit.parts.list(load.id)
        for part in parts:
            key = f"loads/{load.id}/parts/{part.number:05d}.csv"
            stored = bench.files.write_blocks(key, own_records(bench.files, part))
            assert (stored.bytes, stored.sha256) == (part.bytes, part.sha256)
            upload = {name: value for name, value in part.upload.items() if name != RANGE}
            await unit.parts.update(load.id, part.number, input_key=key, upload=upload)
    bench.start_worker()
    load = await bench.ended(load.id)
    assert load.state is LoadState.JOB_COMPLETE
    assert bench.check_rows(load, content) == {"succeeded": 90, "failed": 10}
    bench.check_org(content)


async def test_nothing_is_written_beside_the_input_of_a_plain_load(bench: Bench) -> None:
    """While its parts are on their way the store holds the bytes of the input once."""
    content = account_rows(100)
    bench.start_double(seconds=2.5)
    bench.start_worker()
    load = await _cut_and_waiting(bench, content)
    files = [path.relative_to(bench.folder / "files").as_posix() for path in _files(bench, load)]
    assert files == [load.input_key]
    async with bench.database.unit(write=False) as unit:
        parts = await unit.parts.list(load.id)
    for part in parts:
        place = part.upload[RANGE]
        assert hashlib.sha256(content[place["start"] : place["stop"]]).hexdigest() == part.sha256
    load = await bench.ended(load.id)
    assert bench.check_rows(load, content) == {"succeeded": 90, "failed": 10}


def _files(bench: Bench, load: LoadRecord) -> list[Path]:
    return [path for path in (bench.folder / "files" / "loads" / load.id).rglob("*") if path.is_file()]
