"""One open write transaction, dressed as the whole storage, so that many calls become one that stays or goes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from orgbridge.emulator.storage.database import Connection, Storage


class JoinedStorage(Storage):
    """What works on this storage works inside the transaction that it was made in.

    `write()` is a savepoint of that transaction, `read()` sees what the transaction has written so far. Good only
    while the transaction lasts, and only in the thread that opened it.

    Args:
        storage: The storage that the transaction belongs to.
        connection: The connection of its open `write()`.
    """

    def __init__(self, storage: Storage, connection: Connection) -> None:
        # The parent's work is not done: this storage opens nothing of its own.
        self.path = storage.path
        self._connection = connection

    @contextlib.contextmanager
    def write(self) -> Iterator[Connection]:
        """Open a savepoint; keep it at the end, roll back to it when the block raises."""
        self._connection.execute("SAVEPOINT joined")
        try:
            yield self._connection
        except BaseException:
            self._connection.execute("ROLLBACK TO joined")
            self._connection.execute("RELEASE joined")
            raise
        self._connection.execute("RELEASE joined")

    @contextlib.contextmanager
    def write_once(self) -> Iterator[Connection]:
        """Write inside the transaction."""
        yield self._connection

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """Read inside the transaction."""
        yield self._connection

    def close(self) -> None:
        """Do nothing: whoever opened the transaction ends it."""
