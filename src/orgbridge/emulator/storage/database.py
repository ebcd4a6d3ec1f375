"""Connections to the org's SQLite file: one writer behind a lock, readers for threads, both in WAL mode.

A committed transaction survives SIGKILL of the process. `:memory:` is a private temporary file without syncs, so
that readers see the same snapshots in both modes; it goes away with `close`.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import tempfile
import threading
import weakref
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from orgbridge.emulator.schema.model import Catalogue
from orgbridge.emulator.storage import functions, tables, templates
from orgbridge.emulator.storage.checkpoints import Checkpoints

#: What rows and jobs are written and read through. Named here because sqlite3 stays in this room.
Connection = sqlite3.Connection
#: Seconds that a statement waits for another process's lock on the file.
BUSY_SECONDS = 30
#: Reader connections kept open for the next reader.
IDLE_READERS = 8
#: Page cache of a reader; a sort that does not fit into it goes to a file.
READER_CACHE_KIB = 16_384
#: What the file is made of, with the statements that made it: tables first, then what hangs on them.
_OBJECTS = (
    "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
    " ORDER BY CASE type WHEN 'table' THEN 0 ELSE 1 END"
)
#: How a `write()` begins, ends and is undone: as a transaction, and as a part of a shared one.
_WHOLE = ("BEGIN IMMEDIATE", "COMMIT", ("ROLLBACK",))
_PART = ("SAVEPOINT part", "RELEASE part", ("ROLLBACK TO part", "RELEASE part"))


def _let_go(writer: Connection, idle: list[Connection]) -> None:
    for connection in (*idle, writer):
        connection.close()


def _open(path: Path, synchronous: str) -> Connection:
    connection = sqlite3.connect(
        path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=512
    )
    connection.execute(f"PRAGMA synchronous={synchronous}")
    # Small sorts stay in the page cache; large ones go to a file, so that memory is bounded by the cache.
    connection.execute("PRAGMA temp_store=FILE")
    connection.execute(f"PRAGMA cache_size=-{READER_CACHE_KIB}")
    functions.register(connection)
    return connection


class Storage:
    """The org's database.

    Args:
        path: The SQLite file, made when it is not there; `":memory:"` for one that lives as long as this object.
    """

    def __init__(self, path: Path | str) -> None:
        self._temporary: str | None = None
        if str(path) == ":memory:":
            self._temporary = tempfile.mkdtemp(prefix="orgbridge-org-")
            weakref.finalize(self, shutil.rmtree, self._temporary, ignore_errors=True)
            path = Path(self._temporary) / "org.sqlite"
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._writing = False
        self._shared = False
        self._closed = False
        self._idle: list[Connection] = []
        self._idle_lock = threading.Lock()
        # No method of this object: it is to go away as soon as nobody refers to it.
        self._connect = partial(_open, self.path, "OFF" if self._temporary else "NORMAL")
        self._writer = self._connect()
        self._writer.execute("PRAGMA journal_mode=WAL")
        # `Checkpoints` does it; a log that begins anew is cut off, so that its length tells what there is to do.
        self._writer.execute("PRAGMA wal_autocheckpoint=0")
        self._writer.execute("PRAGMA journal_size_limit=0")
        self._writer.execute("PRAGMA cache_size=-65536")
        # A writer sorts nothing large, and what it keeps to undo a statement is faster in memory.
        self._writer.execute("PRAGMA temp_store=MEMORY")
        self._checkpoints = Checkpoints(self.path, self._connect, self._lock)
        # A storage that nobody closed, because its application never started, lets go of its files all the same.
        weakref.finalize(self, _let_go, self._writer, self._idle).atexit = False
        with self.write() as connection:
            tables.create_own_tables(connection)

    def migrate(self, catalogue: Catalogue) -> None:
        """Give every object of the catalogue its table; add the columns and indexes that an older file lacks."""
        with self._lock:
            if templates.is_blank(self._writer):
                templates.copy_onto(self._writer, catalogue)
                return
        with self.write() as connection:
            tables.create_object_tables(connection, catalogue)

    @contextlib.contextmanager
    def write(self) -> Iterator[Connection]:
        """Open the one write transaction; commit at the end, roll back when the block raises.

        Within `share` it is a part of the shared transaction, kept or undone by itself. Else it blocks the calling
        thread while another one writes: never call it on the event loop.

        Raises:
            RuntimeError: This thread already is in a write transaction. That one goes on.
        """
        with self._lock:
            if self._writing:
                raise RuntimeError("write() inside write(): pass the open connection on instead")
            self._writing = True
            try:
                begin, keep, undo = _PART if self._shared else _WHOLE
                self._writer.execute(begin)
                try:
                    yield self._writer
                except BaseException:
                    for statement in undo:
                        self._writer.execute(statement)
                    raise
                self._writer.execute(keep)
                if not self._shared:
                    self._checkpoints.after_commit()
            finally:
                self._writing = False

    @contextlib.contextmanager
    def write_once(self) -> Iterator[Connection]:
        """Open a `write()` for a block that writes with one statement, so that nothing of it has to be undone.

        Within `share` that takes no savepoint.

        Raises:
            RuntimeError: As `write`.
        """
        with self._lock:
            if not self._shared or self._writing:
                with self.write() as connection:
                    yield connection
                return
            self._writing = True
            try:
                yield self._writer
            finally:
                self._writing = False

    def share(self) -> bool:
        """Open, or stay in, a transaction that the following `write()`s of this thread share; False, at once, when
        another thread writes.

        Until `commit_shared` no other thread can write. Neither this nor a `write()` within waits: for no thread, as
        this one holds the writer, nor for another process, as the org's file belongs to one (see `wiring.emulator`).
        A commit appends to the log without a sync; what syncs is the checkpoint, which has a thread of its own.
        """
        if not self._lock.acquire(blocking=False):
            return False
        if self._shared:
            self._lock.release()
            return True
        try:
            self._writer.execute("BEGIN IMMEDIATE")
        except BaseException:
            self._lock.release()
            raise
        self._shared = True
        return True

    def commit_shared(self) -> None:
        """Commit what the `write()`s since `share` have kept; called by the thread that shared."""
        try:
            try:
                self._writer.execute("COMMIT")
                self._checkpoints.after_commit()
            except BaseException:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise
        finally:
            self._shared = False
            self._lock.release()

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other threads from writing while several transactions of this one belong together."""
        with self._lock:
            yield

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a read transaction: one snapshot until the block ends, beside any writer. Nothing can be written."""
        with self._idle_lock:
            connection = self._idle.pop() if self._idle else None
        if connection is None:
            connection = self._connect()
            connection.execute("PRAGMA query_only=ON")
        try:
            connection.execute("BEGIN")
            yield connection
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            with self._idle_lock:
                keep = not self._closed and len(self._idle) < IDLE_READERS
                if keep:
                    self._idle.append(connection)
            if not keep:
                connection.close()

    def ensure(self, sql: str) -> None:
        """Run statements that make a room's own tables (`CREATE … IF NOT EXISTS …;`), in one transaction."""
        with self.write() as connection:
            for statement in filter(None, (part.strip() for part in sql.split(";"))):
                connection.execute(statement)

    def copy_to(self, path: Path) -> None:
        """Write what is committed now to another file, whole or not at all; writers are not held up."""
        half = path.with_name(path.name + ".half")
        half.unlink(missing_ok=True)
        target = sqlite3.connect(half, isolation_level=None)
        try:
            with self.read() as connection:
                connection.backup(target)
            # One file without a log beside it, so that it can be copied and renamed.
            target.execute("PRAGMA journal_mode=DELETE")
        finally:
            target.close()
        half.rename(path)

    def replace_with(self, path: Path) -> None:
        """Take the contents of another file in place of the present ones, in one transaction.

        Readers under way keep their snapshot. Tables that the other file lacks are made anew, empty. Indexes of
        objects (`Object.Field`) are not: they may be of fields that the other file does not have.

        Raises:
            RuntimeError: This thread is in a write transaction. Nothing was replaced.
        """
        with self._lock:
            if self._writing:
                raise RuntimeError("replace_with() inside write()")
            wanted = self._writer.execute(_OBJECTS).fetchall()
            source = sqlite3.connect(path, isolation_level=None)
            try:
                source.backup(self._writer)
            finally:
                source.close()
            for name, sql in wanted:
                known = "SELECT 1 FROM sqlite_master WHERE name = ?"
                if "." not in name and self._writer.execute(known, (name,)).fetchone() is None:
                    self._writer.execute(sql)

    def close(self) -> None:
        """Close all connections; the temporary file of `:memory:` goes away. Readers still open close when they end."""
        self._checkpoints.finish()
        with self._lock, self._idle_lock:
            self._closed = True
            for connection in self._idle:
                connection.close()
            self._idle.clear()
            self._writer.close()
        if self._temporary:
            shutil.rmtree(self._temporary, ignore_errors=True)
