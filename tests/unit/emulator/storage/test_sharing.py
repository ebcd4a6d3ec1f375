"""Transactions that several writes share, rows inserted many at a time, and the log that is brought in beside them."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from itertools import repeat
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from orgbridge.emulator.storage.checkpoints import Checkpoints
from orgbridge.emulator.storage.counters import get_meta, set_meta
from orgbridge.emulator.storage.database import Storage
from orgbridge.emulator.storage.inserts import UniqueError, insert_rows

_T = TypeVar("_T")


@pytest.fixture
def storage(tmp_path):
    """Return a storage in a file."""
    made = Storage(tmp_path / "org.sqlite")
    yield made
    made.close()


def elsewhere(work: Callable[[], _T]) -> _T:
    """Return what another thread makes of some work."""
    found: list[_T] = []
    thread = threading.Thread(target=lambda: found.append(work()))
    thread.start()
    thread.join()
    return found[0]


def test_a_failed_write_takes_nothing_from_the_others_of_its_transaction(storage):
    """What one write undoes, the next one does not miss, and readers see none of it before the commit."""

    def fail() -> None:
        with storage.write() as writer:
            set_meta(writer, "bad", "1")
            raise ZeroDivisionError

    assert storage.share()
    with storage.write() as writer:
        set_meta(writer, "first", "1")
    with pytest.raises(ZeroDivisionError):
        fail()
    assert storage.share(), "a thread stays in the transaction that it shares"
    with storage.write() as writer:
        set_meta(writer, "second", "2")
    with storage.read() as reader:
        assert get_meta(reader, "first") is None
    storage.commit_shared()
    with storage.read() as reader:
        assert [get_meta(reader, key) for key in ("first", "bad", "second")] == ["1", None, "2"]


def test_a_write_of_one_statement_is_kept_beside_a_failed_one_and_is_a_transaction_when_alone(storage):
    """Within a shared transaction it stays when another write fails; alone it is undone when its block raises."""

    def fail(opened: AbstractContextManager[sqlite3.Connection], key: str) -> None:
        with opened as writer:
            set_meta(writer, key, "1")
            raise ZeroDivisionError

    assert storage.share()
    with storage.write_once() as writer:
        set_meta(writer, "once", "1")
        with pytest.raises(RuntimeError), storage.write_once():
            pass
    with pytest.raises(ZeroDivisionError):
        fail(storage.write(), "failed")
    storage.commit_shared()
    with pytest.raises(ZeroDivisionError):
        fail(storage.write_once(), "alone")
    with storage.read() as reader:
        assert [get_meta(reader, key) for key in ("once", "failed", "alone")] == ["1", None, None]


def test_a_writer_that_is_taken_is_told_at_once(storage):
    """Another thread cannot share while somebody writes, and can afterwards."""
    with storage.write():
        assert not elsewhere(storage.share)
    assert storage.share()
    assert not elsewhere(storage.share)
    storage.commit_shared()

    def share_and_commit() -> bool:
        shared = storage.share()
        storage.commit_shared()
        return shared

    assert elsewhere(share_and_commit)


def test_a_write_of_another_thread_waits_for_the_shared_commit(storage):
    """It comes after, and both are kept."""

    def write() -> None:
        with storage.write() as writer:
            set_meta(writer, "later", get_meta(writer, "first") or "")

    assert storage.share()
    thread = threading.Thread(target=write)
    thread.start()
    with storage.write() as writer:
        set_meta(writer, "first", "seen")
    storage.commit_shared()
    thread.join()
    with storage.read() as reader:
        assert get_meta(reader, "later") == "seen"


def test_a_long_log_is_brought_in_and_begins_anew(tmp_path: Path):
    """After it was brought in the next write cuts it off; no row is lost on the way."""
    path = tmp_path / "some.sqlite"
    writer = sqlite3.connect(path, isolation_level=None)
    for statement in ("journal_mode=WAL", "wal_autocheckpoint=0", "journal_size_limit=0"):
        writer.execute(f"PRAGMA {statement}")
    writer.execute("CREATE TABLE t (text)")
    checkpoints = Checkpoints(path, lambda: sqlite3.connect(path), threading.Lock(), long=1 << 20, held=1 << 20)
    log = path.with_name("some.sqlite-wal")
    checkpoints.after_commit()
    checkpoints.finish()
    assert path.stat().st_size <= 2 * 4096, "a short log is left alone"
    writer.executemany("INSERT INTO t VALUES (?)", repeat(("x" * 4000,), 400))
    assert log.stat().st_size > 1 << 20
    checkpoints.after_commit()
    checkpoints.finish()
    writer.execute("INSERT INTO t VALUES ('last')")
    assert log.stat().st_size < 1 << 16
    assert writer.execute("SELECT COUNT(*), SUM(LENGTH(text)) FROM t").fetchone() == (401, 1_600_004)
    writer.close()


_VALUE = st.one_of(st.none(), st.integers(-5, 5), st.text("aé'\x00", max_size=3), st.sampled_from([0, 0.0, 1.5]))


@settings(max_examples=80, deadline=None)
@given(
    rows=st.lists(st.tuples(_VALUE, _VALUE), min_size=1, max_size=130),
    same=_VALUE,
)
@example(rows=[(0, 0.0), (0.0, -0.0), (0, 0.0)], same=0.0)
def test_many_rows_at_a_time_are_the_rows_one_by_one(rows, same):
    """Whatever the number of rows, and whichever columns hold one value throughout, the table holds the rows."""
    columns = dict(zip("ab", map(list, zip(*rows, strict=True)), strict=True))
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute("CREATE TABLE t (a, b, c, d)")
    insert_rows(connection, "t", {**columns, "c": repeat(same), "d": [same] * len(rows)}, len(rows))
    found = connection.execute("SELECT a, b, c, d FROM t ORDER BY rowid").fetchall()
    connection.close()
    assert list(map(repr, found)) == [repr((*row, same, same)) for row in rows]


def test_a_repeated_value_is_told(storage):
    """Wherever among the rows it stands, also when it repeats one of the same statement."""
    storage.ensure("CREATE TABLE IF NOT EXISTS u (n UNIQUE)")
    for at in (1, 49, 50, 119):
        numbers = list(range(120))
        numbers[at] = 0
        with pytest.raises(UniqueError), storage.write() as writer:
            insert_rows(writer, "u", {"n": numbers}, 120)
        with storage.read() as reader:
            assert reader.execute("SELECT COUNT(*) FROM u").fetchone() == (0,)
