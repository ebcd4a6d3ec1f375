"""A log file that turns over at a size, written by any number of processes at once.

The standard library's rotating handler is for one process: of two, one goes on writing into a file that the other has
renamed, and both rename. Here every line is one append to whatever file bears the name, and turning over is done by one
process at a time.

Laws:
1. A line is written whole: one `write` on a file opened for appending.
2. Whoever turns over holds the lock of the folder, and looks again under it: of many who find the file full, one acts.
3. A file that was renamed meanwhile is noticed by its inode; what was appended to it in that moment is in the backup.
4. No file passes its size by more than the lines that are on their way, and there are never more than the backups asked
   for; with none, what was logged before is dropped.
"""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class SharedFileHandler(logging.Handler):
    """Appends to a file that turns over at a size."""

    def __init__(self, path: Path, *, max_bytes: int, backup_count: int) -> None:
        """Open the file.

        Args:
            path: The file; backups are this with `.1`, `.2` and so on, `.1` being the newest.
            max_bytes: Size at which it turns over.
            backup_count: Backups kept.

        Raises:
            OSError: The file cannot be opened.
        """
        super().__init__()
        self._path = path.absolute()
        self._max_bytes = max_bytes
        self._backup_count = backup_count
        self._descriptor = -1
        self._inode = -1
        self._open()

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        try:
            line = self.format(record).encode("utf-8", "backslashreplace") + b"\n"
            size = self._look()
            if size and size + len(line) > self._max_bytes:
                self._turn_over(len(line))
            os.write(self._descriptor, line)
        except Exception:  # noqa: BLE001 - the handler's edge: a full disk must not break the work that is logged
            self.handleError(record)

    def close(self) -> None:
        """Close the file."""
        with self.lock or _nothing():
            if self._descriptor >= 0:
                os.close(self._descriptor)
                self._descriptor = -1
        super().close()

    def _look(self) -> int:
        """Return the size of the file that bears the name, and see that it is the one that is open."""
        try:
            found = self._path.stat()
        except FileNotFoundError:
            self._open()
            return 0
        if found.st_ino != self._inode or self._descriptor < 0:
            self._open()
        return found.st_size

    def _open(self) -> None:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = descriptor
        self._inode = os.fstat(descriptor).st_ino

    def _turn_over(self, coming: int) -> None:
        with _locked(self._path.parent):
            if self._look() + coming <= self._max_bytes:
                return
            newest = [self._path, *(self._backup(number) for number in range(1, self._backup_count + 1))]
            for number in range(len(newest) - 1, 0, -1):
                if newest[number - 1].exists():
                    newest[number - 1].replace(newest[number])
            if self._backup_count == 0:
                self._path.unlink(missing_ok=True)
            self._open()

    def _backup(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _nothing() -> Iterator[None]:
    yield
