"""Query cursors: the pages of a long result, kept in the storage as they were when the query ran.

Since every page is written before the first is given out, pages neither skip nor repeat a row whatever is inserted
meanwhile, a page can be read twice, and a restart keeps them.

Source: facts/salesforce/soql.md section 1 (locator `0r8…-2000`, life of two days).
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice

from orgbridge.emulator.http.childpages import pages, shorten
from orgbridge.emulator.schema.errors import SFError
from orgbridge.emulator.storage.counters import allocate
from orgbridge.emulator.storage.database import Storage
from orgbridge.kit.clock import Clock
from orgbridge.kit.json import JSON, dumps
from orgbridge.wire.dates import bulk_datetime
from orgbridge.wire.ids import make_id

_TABLES = """
CREATE TABLE IF NOT EXISTS "_cursors" (id TEXT PRIMARY KEY, user_id TEXT NOT NULL, total INTEGER NOT NULL,
    created_at TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS "_cursor_pages" (cursor TEXT NOT NULL, start INTEGER NOT NULL, stop INTEGER NOT NULL,
    body BLOB NOT NULL, PRIMARY KEY (cursor, start))
"""
_PREFIX = "0r8"
_LOCATOR = re.compile(r"(0r8\w{15})-(\d{1,12})\Z")
_LIFE = timedelta(days=2)
#: Pages that are written in one transaction, so that other writers need not wait long.
_AT_ONCE = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some records of a result."""

    #: Records of the whole result.
    total: int
    #: A JSON list.
    records: bytes
    #: Locator of the next page; None on the last.
    next_locator: str | None


def _lists(records: Iterable[JSON], size: int) -> Iterator[list[JSON]]:
    remaining = iter(records)
    while page := list(islice(remaining, size)):
        yield page


class Cursors:
    """Keeps and finds pages. Every method works in a thread.

    Args:
        storage: Where pages are kept.
        clock: The time.
    """

    def __init__(self, storage: Storage, clock: Clock) -> None:
        self._storage = storage
        self._clock = clock
        storage.ensure(_TABLES)

    def through(self, storage: Storage) -> Cursors:
        """Return these cursors as kept in another storage of the same file, such as one open transaction."""
        twin = copy.copy(self)
        twin._storage = storage
        return twin

    def open(self, records: Iterable[JSON], total: int, size: int, user_id: str) -> Page:
        """Return the first page, and keep the others.

        Args:
            records: All of them, in order; read once.
            total: How many there are.
            size: Records per page.
            user_id: Who may read on.
        """
        return self._open(_lists(records, size), total, user_id)

    def open_with_children(self, records: Iterable[JSON], total: int, size: int, user_id: str, query_path: str) -> Page:
        """Return the first page of records that hold lists of children, and keep the others; see `childpages`.

        Args:
            records: See `open`.
            total: See `open`.
            size: Records and children per page.
            user_id: Who may read on.
            query_path: `/services/data/vXX.X/query`.
        """

        def keep_rest(children: list[JSON], shown: int) -> str:
            page = self._open(_lists(children, shown), len(children), user_id)
            return page.next_locator or ""

        def shortened() -> Iterator[JSON]:
            for record in records:
                shorten(record, size, keep_rest, query_path)
                yield record

        return self._open(pages(shortened(), size), total, user_id)

    def _open(self, lists: Iterator[list[JSON]], total: int, user_id: str) -> Page:
        bodies = ((len(records), dumps(records)) for records in lists)
        count, first = next(bodies, (0, b"[]"))
        if count >= total:
            return Page(total=total, records=first, next_locator=None)
        self.sweep()
        with self._storage.write() as connection:
            cursor = make_id(_PREFIX, allocate(connection, _PREFIX))
        start = count
        while batch := list(islice(bodies, _AT_ONCE)):
            rows = []
            for length, body in batch:
                rows.append((cursor, start, start + length, body))
                start += length
            with self._storage.write() as connection:
                connection.executemany('INSERT INTO "_cursor_pages" VALUES (?, ?, ?, ?)', rows)
        with self._storage.write() as connection:
            # Written last: a cursor without its row is one that a crash cut short, and it is not found.
            stamp = bulk_datetime(self._clock.now())
            connection.execute('INSERT INTO "_cursors" VALUES (?, ?, ?, ?)', (cursor, user_id, start, stamp))
        return Page(total=total, records=first, next_locator=f"{cursor}-{count}")

    def page(self, locator: str, user_id: str) -> Page:
        """Return the page that a locator names.

        Raises:
            SFError: There is no such page, or it belongs to somebody else.
        """
        found = _LOCATOR.match(locator)
        if found is None:
            raise _invalid()
        cursor, start = found.group(1), int(found.group(2))
        oldest = bulk_datetime(self._clock.now() - _LIFE)
        with self._storage.read() as connection:
            row = connection.execute(
                'SELECT c.total, p.stop, p.body FROM "_cursors" c JOIN "_cursor_pages" p ON p.cursor = c.id '
                "WHERE c.id = ? AND c.user_id = ? AND c.created_at >= ? AND p.start = ?",
                (cursor, user_id, oldest, start),
            ).fetchone()
        if row is None:
            raise _invalid()
        total, stop = int(row[0]), int(row[1])
        return Page(total=total, records=row[2], next_locator=None if stop >= total else f"{cursor}-{stop}")

    def sweep(self) -> None:
        """Remove the cursors whose life is over."""
        oldest = bulk_datetime(self._clock.now() - _LIFE)
        with self._storage.read() as connection:
            due = [
                str(row[0]) for row in connection.execute('SELECT id FROM "_cursors" WHERE created_at < ?', (oldest,))
            ]
        for cursor in due:
            with self._storage.write() as connection:
                connection.execute('DELETE FROM "_cursors" WHERE id = ?', (cursor,))
                connection.execute('DELETE FROM "_cursor_pages" WHERE cursor = ?', (cursor,))

    def sweep_orphans(self) -> None:
        """Remove pages without a cursor; only at the start, when no query is being written."""
        with self._storage.write() as connection:
            connection.execute('DELETE FROM "_cursor_pages" WHERE cursor NOT IN (SELECT id FROM "_cursors")')


def _invalid() -> SFError:
    return SFError("INVALID_QUERY_LOCATOR", "invalid query locator")
