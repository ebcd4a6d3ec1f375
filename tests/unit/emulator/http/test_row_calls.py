"""Single rows beside other writers: nobody waits on the event loop, and nothing is told before it is kept."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orgbridge.emulator.http.routing import Route, RouteTable
from orgbridge.emulator.http.rowwrites import RowWrites
from orgbridge.emulator.storage.counters import get_meta, set_meta
from orgbridge.emulator.storage.database import Storage


@pytest.fixture
def storage(tmp_path: Path):
    """Return a storage in a file."""
    made = Storage(tmp_path / "org.sqlite")
    yield made
    made.close()


def _seen(storage: Storage, *keys: str) -> list[str | None]:
    with storage.read() as reader:
        return [get_meta(reader, key) for key in keys]


def test_saves_of_one_moment_share_a_commit_that_comes_before_any_answer(storage):
    """Two saves end with one commit, seen whole by whoever is answered; a third that fails takes nothing with it."""
    writes = RowWrites(storage)

    async def save(key: str, *, fails: bool = False) -> list[str | None]:
        def work() -> None:
            with storage.write() as writer:
                set_meta(writer, key, "1")
                if fails:
                    raise ZeroDivisionError

        assert writes.may_join()
        await writes.save(work)
        return _seen(storage, "a", "b", "c")

    async def work() -> list[object]:
        return await asyncio.gather(save("a"), save("b", fails=True), save("c"), return_exceptions=True)

    first, second, third = asyncio.run(work())
    assert first == third == ["1", None, "1"]
    assert isinstance(second, ZeroDivisionError)
    with storage.write() as writer:
        set_meta(writer, "b", "free again")
    assert _seen(storage, "b") == ["free again"]


def test_a_caller_that_goes_away_takes_no_other_save_with_it(storage):
    """The transaction is committed although one of those who wait for it was cancelled."""
    writes = RowWrites(storage)

    async def save(key: str) -> None:
        def work() -> None:
            with storage.write() as writer:
                set_meta(writer, key, "1")

        assert writes.may_join()
        await writes.save(work)

    async def work() -> None:
        gone, stays = asyncio.create_task(save("gone")), asyncio.create_task(save("stays"))
        asyncio.get_running_loop().call_soon(gone.cancel)
        await stays

    asyncio.run(work())
    assert _seen(storage, "gone", "stays") == ["1", "1"]


def test_while_somebody_writes_rows_are_read_at_once(call, tmp_path: Path):
    """A reader waits for no writer, be it another process."""
    record = call("POST", "/sobjects/Contact", json={"LastName": "One"}).json()["id"]
    other = sqlite3.connect(tmp_path / "org.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        assert call("GET", f"/sobjects/Contact/{record}").json()["LastName"] == "One"
    finally:
        other.execute("ROLLBACK")
        other.close()


def test_a_save_waits_for_a_bulk_writer_in_a_thread(storage):
    """While another thread writes, a save is told to go elsewhere and joins nothing."""
    writes, held, done = RowWrites(storage), threading.Event(), threading.Event()

    def write() -> None:
        with storage.write() as writer:
            set_meta(writer, "bulk", "1")
            held.set()
            done.wait()

    thread = threading.Thread(target=write)
    thread.start()
    held.wait()
    assert not writes.may_join()
    done.set()
    thread.join()
    assert writes.may_join()
    storage.commit_shared()


@given(st.lists(st.sampled_from(["a", "B", "c%2Fd", "x"]), min_size=1, max_size=4))
def test_literal_segments_win_from_the_left(given):
    """The route is the first, in the order of literal segments from the left, of those that fit at all."""

    async def nothing(_call):
        raise AssertionError

    patterns = ["/a", "/{p}", "/a/b", "/a/{q}", "/{p}/b", "/{p}/{q}", "/a/{q}/x", "/{p}/b/{r}", "/{p}/{q}/{r}/a"]
    table = RouteTable([Route(pattern=pattern, handlers={"GET": nothing}) for pattern in reversed(patterns)])
    found = table.match("/" + "/".join(given) + "/")
    fitting = []
    for pattern in patterns:
        pieces = pattern.strip("/").split("/")
        if len(pieces) == len(given) and all(
            piece.startswith("{") or piece == text.lower() for piece, text in zip(pieces, given, strict=True)
        ):
            fitting.append(([piece.startswith("{") for piece in pieces], pattern))
    assert (found.route.pattern if found else None) == (min(fitting)[1] if fitting else None)
    if found:
        names = [piece[1:-1] for piece in found.route.pattern.strip("/").split("/")]
        texts = [text.replace("%2F", "/") for text in given]
        assert found.args == {n: t for n, t in zip(names, texts, strict=True) if n in ("p", "q", "r")}
