"""Connections, transactions, tables, counters, sessions, and what survives a kill."""

from __future__ import annotations

import subprocess
import sys
import threading
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from orgbridge.emulator.schema.loading import standard_catalogue
from orgbridge.emulator.schema.model import Catalogue
from orgbridge.emulator.storage.counters import allocate, get_meta, set_meta
from orgbridge.emulator.storage.database import Storage
from orgbridge.emulator.storage.functions import fold, like
from orgbridge.emulator.storage.sessions import Session, drop_session, find_session, put_session, touch_session


@pytest.fixture(params=["memory", "file"])
def storage(request, tmp_path):
    """Return a storage in memory and one in a file."""
    made = Storage(":memory:" if request.param == "memory" else tmp_path / "org.sqlite")
    yield made
    made.close()


def test_a_reader_sees_one_snapshot_beside_the_writer(storage):
    """Rows committed after a read began are seen by the next read only, and nobody waits."""
    storage.ensure("CREATE TABLE IF NOT EXISTS t (n); CREATE INDEX IF NOT EXISTS i ON t (n)")
    with storage.read() as reader:
        assert reader.execute("SELECT COUNT(*) FROM t").fetchone() == (0,)
        with storage.write() as writer:
            writer.execute("INSERT INTO t VALUES (1)")
        assert reader.execute("SELECT COUNT(*) FROM t").fetchone() == (0,)
    with storage.read() as reader:
        assert reader.execute("SELECT COUNT(*) FROM t").fetchone() == (1,)


def test_a_failed_write_leaves_nothing(storage):
    """An exception in the block undoes all of it, and the next write works."""

    def fail() -> None:
        with storage.write() as writer:
            set_meta(writer, "k", "v")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with storage.write() as writer:
        assert get_meta(writer, "k") is None


def test_a_write_inside_a_write_is_refused(storage):
    """The same thread cannot open a second transaction; the first goes on."""
    with storage.write() as writer:
        set_meta(writer, "k", "v")
        with pytest.raises(RuntimeError, match="pass the open connection on"), storage.write():
            pass
    with storage.read() as reader:
        assert get_meta(reader, "k") == "v"


def test_readers_cannot_write(storage):
    """A read transaction refuses to write."""
    with storage.read() as reader, pytest.raises(Exception, match="readonly"):
        set_meta(reader, "k", "v")


def test_threads_write_one_after_the_other(storage):
    """Numbers taken by several threads are all different and none is left out."""
    taken: list[int] = []

    def work() -> None:
        for _ in range(20):
            with storage.write() as writer:
                taken.append(allocate(writer, "001"))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == list(range(1, 81))


def test_blocks_of_numbers_follow_each_other(storage):
    """A block begins where the one before it ended; each key counts for itself."""
    with storage.write() as writer:
        assert [allocate(writer, "a", 5), allocate(writer, "a", 2), allocate(writer, "a")] == [1, 6, 8]
        assert allocate(writer, "b", first=100) == 100


def test_an_older_file_gets_the_columns_it_lacks(tmp_path):
    """A field that is added later gets its column and shadow column, filled from the rows, and its index."""
    catalogue = standard_catalogue()
    account = catalogue.sobject("Account")
    short = replace(account, fields=tuple(f for f in account.fields if f.name not in ("Site", "External_Id__c")))
    storage = Storage(tmp_path / "org.sqlite")
    storage.migrate(Catalogue([short]))
    with storage.write() as writer:
        writer.execute("INSERT INTO \"Account\" (Id, Name) VALUES ('1', 'ÄB')")
        writer.execute('ALTER TABLE "Account" RENAME COLUMN "Name$key" TO "old"')
    storage.migrate(catalogue)
    storage.migrate(catalogue)
    with storage.read() as reader:
        row = reader.execute('SELECT Name, Site, "External_Id__c$key", "Name$key", IsBuyer FROM "Account"').fetchone()
        plan = reader.execute('EXPLAIN QUERY PLAN SELECT Id FROM "Account" WHERE "External_Id__c$key" = 1').fetchall()
    storage.close()
    assert row == ("ÄB", None, None, "äb", 0)
    assert "USING INDEX Account.External_Id__c" in plan[0][3]


def test_lookups_and_instants_are_indexed(storage):
    """A filter on a reference or on SystemModstamp does not scan."""
    storage.migrate(standard_catalogue())
    with storage.read() as reader:
        for condition in ("AccountId = 'x'", "AccountId IN ('x', 'y')", "SystemModstamp > 'x'"):
            plan = reader.execute(f'EXPLAIN QUERY PLAN SELECT Id FROM "Contact" WHERE {condition}').fetchall()
            assert plan[0][3].startswith("SEARCH"), condition


def test_a_temporary_org_goes_away(tmp_path):
    """Closing a `:memory:` storage removes its file."""
    storage = Storage(":memory:")
    assert storage.path.exists()
    storage.close()
    assert not storage.path.exists()


def test_sessions_survive_a_restart_and_hide_their_tokens(tmp_path):
    """A token is found again by another process; the file does not hold it."""
    path, token = tmp_path / "org.sqlite", "00Dxx!secret.token"
    start = datetime(2025, 1, 1, tzinfo=UTC)
    storage = Storage(path)
    session = Session(kind="access", user_id="005", client_id=None, issued_at=start, used_at=start)
    with storage.write() as writer:
        put_session(writer, token, session)
        touch_session(writer, token, start.replace(hour=1))
    storage.close()
    assert token.encode() not in b"".join(p.read_bytes() for p in tmp_path.iterdir())
    storage = Storage(path)
    with storage.write() as writer:
        assert find_session(writer, token) == replace(session, used_at=start.replace(hour=1))
        assert (drop_session(writer, token), drop_session(writer, token)) == (True, False)
        assert find_session(writer, token) is None
    storage.close()


KILLED = """
import os, sys
from orgbridge.emulator.org.org import Org
from orgbridge.emulator.schema.loading import standard_catalogue
from orgbridge.emulator.storage.database import Storage
from orgbridge.kit.clock import SystemClock
org = Org(Storage(sys.argv[1]), standard_catalogue(), SystemClock())
org.insert("Account", [{"Name": f"n{i}", "External_Id__c": f"k{i}"} for i in range(500)], user_id=org.admin_id)
with org.storage.write() as connection:
    org.insert_in(connection, "Account", [{"Name": "never"}], user_id=org.admin_id)
    os._exit(9)
"""


def test_a_committed_insert_survives_a_kill(tmp_path):
    """After a process dies inside its next transaction the committed rows are there and the open one is not."""
    path = tmp_path / "org.sqlite"
    done = subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False, timeout=60, capture_output=True)
    assert (done.returncode, done.stderr) == (9, b"")
    storage = Storage(path)
    with storage.write() as connection:
        assert connection.execute('SELECT COUNT(*), COUNT("External_Id__c$key") FROM "Account"').fetchone() == (
            500,
            500,
        )
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    storage.close()


@pytest.mark.parametrize(
    ("value", "pattern", "matches"),
    [
        ("Acme", "ac%", 1),
        ("Acme", "a_me", 1),
        ("Acme", "acm", 0),
        ("50% off", r"50\% o%", 1),
        ("500 off", r"50\% o%", 0),
        ("a_b", r"a\_b", 1),
        ("axb", r"a\_b", 0),
        ("a\nb", "a%b", 1),
        ("STRASSE", "straße", 1),
        ("a.b", "a.b", 1),
        ("axb", "a.b", 0),
        ("a\\b", r"a\\b", 1),
        (None, "%", None),
    ],
)
def test_like_matches_whole_texts_without_case(value, pattern, matches):
    """`%` is any text, `_` one character, a backslash takes the next one literally."""
    assert like(value, pattern) == matches


def test_fold_leaves_what_is_no_text():
    """Only text is folded."""
    assert [fold(v) for v in ("ÄSS", 1, None, b"A")] == ["äss", 1, None, b"A"]


def test_a_blank_org_is_copied_from_a_template(tmp_path):
    """New orgs have the tables that making them one by one gives; one with a row is not written over."""
    catalogue = standard_catalogue()
    found = []
    for name in ("a", "b", "c"):
        storage = Storage(tmp_path / name)
        if name == "c":
            with storage.write() as connection:
                set_meta(connection, "mine", "kept")
        storage.migrate(catalogue)
        with storage.read() as connection:
            found.append(sorted(row[0] for row in connection.execute("SELECT sql FROM sqlite_master WHERE sql > ''")))
            journal = connection.execute("PRAGMA journal_mode").fetchone()[0]
            kept = get_meta(connection, "mine")
        storage.close()
    assert found[0] == found[1] == found[2]
    assert (journal, kept) == ("wal", "kept")
