"""Loads that are sent while they are still being read: late faults, kills in the middle, mappings."""

from __future__ import annotations

import csv
import io
import signal
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from orgbridge.loads.mapping_files import spec_from_json
from orgbridge.loads.states import LoadState, PartState
from tests.support.engine_bench import Bench, account_rows

#: Cuts a piece after each part of twenty rows.
_PIECE_BYTES = 500


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    """Give a bench on SQLite."""
    bench = Bench(f"sqlite:///{tmp_path / 'orgbridge.sqlite'}", tmp_path)
    yield bench
    await bench.close()


def _rows(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode(), newline="")))


@pytest.mark.parametrize(
    ("late", "code", "unread"),
    [
        (b"only one cell\r\n", "input.ragged_rows", None),
        (b'a"b,c,d\r\n', "input.bad_quoting", "input.bad_quoting"),
        (b"\xff\xfe\xff,c,d\r\n", "input.undecodable_bytes", "input.undecodable_bytes"),
        (b"a,b,c\n", "input.mixed_line_endings", None),
    ],
    ids=["ragged", "quote", "bytes", "ending"],
)
async def test_pain_30_a_late_fault_ends_the_load_and_every_row_is_accounted_for(
    bench: Bench, late: bytes, code: str, unread: str | None
) -> None:
    """Rows of earlier parts are in the org; those after are unprocessed, or the receipt says what was not read."""
    good, rest = account_rows(6_000, bad_every=10_000), account_rows(30, bad_every=1_000, tag="r")
    content = good + late + rest.partition(b"\r\n")[2]
    bench.start_double(seconds=0.05)
    bench.start_worker(piece_bytes=_PIECE_BYTES)
    options = {"original_name": "accounts.csv", "part_rows": 1_000}
    load = await bench.ended(await bench.submit(content, options=options))
    assert (load.state, load.error_code) == (LoadState.FAILED, code)
    assert load.receipt is not None
    assert load.receipt["balanced"], load.receipt["mismatches"]
    rows = load.receipt["rows"]
    sent = rows["sent"]
    assert 0 < sent < 6_000, "parts before the fault's were sent"
    assert sent % 1_000 == 0
    assert (rows["succeeded"], rows["failed"]) == (sent, 0)
    assert rows["read"] == sent + rows["unprocessed"] == (6_000 if unread else 6_031)
    assert Counter(bench.call("/report")["keys"]) == Counter(f"k{number}" for number in range(sent))
    at = content.index(late)
    line = content[:at].count(b"\n") + 1
    found = load.receipt["input"]["unread"]
    if unread:
        assert (found["code"], found["line"], found["row"], found["byte"]) == (unread, line, 6_001, at)
    else:
        assert found is None
    assert load.error_details[0]["line"] == line
    assert load.failed_key is not None
    again = bench.files.path(load.failed_key).read_bytes()
    header = content.partition(b"\r\n")[0] + b"\r\n"
    start = content.index(b'"Gr\xc3\xb6\xc3\x9fe ""%d""' % sent)
    assert again == header + (content[start:at] if unread else content[start:])
    assert "Open" not in bench.call("/report")["jobs"]


async def test_a_fault_in_the_first_piece_sends_nothing(bench: Bench) -> None:
    """What is refused at once leaves no job behind, as ever."""
    content = account_rows(5) + b"ragged\r\n" + account_rows(100).partition(b"\r\n")[2]
    bench.start_double()
    bench.start_worker(piece_bytes=_PIECE_BYTES)
    load = await bench.ended(await bench.submit(content))
    assert (load.state, load.error_code, load.parts) == (LoadState.FAILED, "input.ragged_rows", 0)
    assert bench.call("/report")["jobs"] == {}


async def test_a_strict_load_checks_all_of_the_file_before_anything_is_sent(bench: Bench) -> None:
    """A fault in the last line refuses a strict load as a whole."""
    content = account_rows(100) + b"ragged\r\n"
    bench.start_double()
    bench.start_worker(piece_bytes=_PIECE_BYTES)
    options = {"original_name": "a.csv", "part_rows": 20, "strict": True}
    load = await bench.ended(await bench.submit(content, options=options))
    assert (load.state, load.parts, load.rows_succeeded) == (LoadState.FAILED, 0, 0)
    assert bench.call("/report")["jobs"] == {}


@pytest.mark.parametrize("packed", [False, True], ids=["csv", "zstd"])
async def test_kills_while_a_file_is_still_being_cut_lose_no_row_and_double_none(bench: Bench, packed: bool) -> None:
    """SIGKILL between pieces: the next worker cuts on from the last recorded place."""
    from backports import zstd

    content = account_rows(600, bad_every=50)
    bench.start_double(seconds=0.05)
    load_id = await bench.submit(
        zstd.compress(content) if packed else content,
        options={"original_name": "a.csv.zst" if packed else "a.csv", "part_rows": 20},
    )
    kills = 0
    while kills < 4:
        worker = bench.start_worker(piece_bytes=_PIECE_BYTES)
        wanted = kills * 5 + 2
        while (load := await bench.load(load_id)).parts < wanted and load.finished_at is None:
            await bench.clock.sleep(0.01)
        assert load.rows_read is None, "the file was cut before the kill"
        worker.send_signal(signal.SIGKILL)
        worker.wait()
        kills += 1
    bench.start_worker(piece_bytes=_PIECE_BYTES)
    load = await bench.ended(load_id)
    assert (load.state, load.parts, load.rows_read) == (LoadState.JOB_COMPLETE, 30, 600)
    assert bench.check_rows(load, content) == {"succeeded": 588, "failed": 12}
    async with bench.database.unit(write=False) as unit:
        assert {part.state for part in await unit.parts.list(load_id)} == {PartState.MATCHED}
    assert Counter(bench.call("/report")["keys"]) == Counter(
        row[1] for row in _rows(content)[1:] if not row[0].startswith("BAD")
    )


async def test_pain_21_and_35_a_mapping_changes_what_is_sent_and_not_what_comes_back(bench: Bench) -> None:
    """Results have the caller's own bytes; rows that a mapping refuses fail with line and reason and are not sent."""
    lines = [b"Company;Code;Remark;Junk\r\n"]
    for number in range(50):
        remark = b"" if number % 3 else b'"two\r\nlines; and a mark"'
        lines.append(b"Firm %d;%s;%s;x\r\n" % (number, b"" if number == 30 else b"m%d" % number, remark))
    content = b"".join(lines)
    spec = spec_from_json(
        {
            "columns": {"company": "Name", "Code": "Key__c", "Remark": "Note__c", "Junk": None},
            "nulls": {"Code": "error"},
        }
    )
    bench.start_double()
    bench.start_worker(piece_bytes=_PIECE_BYTES)
    options = {"original_name": "a.csv", "part_rows": 20, "mapping": spec.to_json()}
    load = await bench.ended(await bench.submit(content, options=options))
    assert load.state is LoadState.JOB_COMPLETE, load.error_message
    assert load.receipt is not None
    assert load.receipt["balanced"], load.receipt["mismatches"]
    assert (load.rows_read, load.rows_succeeded, load.rows_failed) == (50, 49, 1)
    assert load.receipt["rows"]["sent"] == 49
    assert Counter(bench.call("/report")["keys"]) == Counter(f"m{n}" for n in range(50) if n != 30)
    assert load.results_key is not None
    results = bench.files.path(load.results_key).read_bytes()
    cells = list(csv.reader(io.StringIO(results.decode(), newline=""), delimiter=";"))
    assert [row[9:] for row in cells] == list(csv.reader(io.StringIO(content.decode(), newline=""), delimiter=";"))
    (failed,) = [row for row in cells[1:] if row[1] != "succeeded"]
    assert (failed[1], failed[4], failed[6]) == ("failed", "BLANK_VALUE", "Key__c")
    line = content[: content.index(b"Firm 30")].count(b"\n") + 1
    assert failed[0] == str(line)
    assert load.failed_key is not None
    assert bench.files.path(load.failed_key).read_bytes() == lines[0] + lines[31]
