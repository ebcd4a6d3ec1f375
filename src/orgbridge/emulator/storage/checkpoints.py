"""Bringing what the write-ahead log holds into the org's file, in a thread beside whoever reads and writes.

SQLite would do it inside the commit that made the log long: syncs and all, in the middle of somebody's save. Here a
commit that finds the log long only wakes a thread.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

#: Length of the log from which on it is brought in.
LOG_BYTES = 96 << 20
#: The log begins anew only when all of it was brought in. Past this the last part is brought in while nobody writes.
HELD_BYTES = 256 << 20


class Checkpoints:
    """Keeps the log of one file short.

    Args:
        path: The file.
        connect: Opens a connection to it.
        lock: Held by whoever writes.
        long: Bytes of a log that is brought in.
        held: Bytes of a log that is brought in while nobody writes.
    """

    def __init__(
        self,
        path: Path,
        connect: Callable[[], sqlite3.Connection],
        lock: contextlib.AbstractContextManager[object],
        *,
        long: int = LOG_BYTES,
        held: int = HELD_BYTES,
    ) -> None:
        self._long, self._held = long, held
        self._log = path.with_name(path.name + "-wal")
        self._connect = connect
        self._lock = lock
        self._thread: threading.Thread | None = None

    def after_commit(self) -> None:
        """Begin to bring the log in if it is long and that is not under way. The caller holds the writer."""
        if self._length() < self._long or (self._thread is not None and self._thread.is_alive()):
            return
        self._thread = threading.Thread(target=self._run, name="emulator-checkpoint", daemon=True)
        self._thread.start()

    def finish(self) -> None:
        """Return once nothing is under way. The caller must not hold the writer."""
        if self._thread is not None:
            self._thread.join()

    def _length(self) -> int:
        try:
            return self._log.stat().st_size
        except FileNotFoundError:
            return 0

    def _run(self) -> None:
        connection = self._connect()
        try:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            if self._length() >= self._held:
                # What came in meanwhile is little. Without this the log of a long load would grow to its end.
                with self._lock:
                    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        finally:
            connection.close()
