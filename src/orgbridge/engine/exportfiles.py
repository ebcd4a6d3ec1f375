"""Pages become one results file: CSV, NDJSON or Parquet. Each page is checked against its recorded hash on the way.

Everything here blocks and runs in the worker's thread for whole files; a block or a row group is in memory at a time. A
CSV can grow page by page while the rest is still on its way; the other forms are made once all pages are there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import assert_never

from orgbridge.loads.columns import Column, ExportFormat, ndjson_rows
from orgbridge.loads.records import parse_chunk
from orgbridge.store.export_records import PageRecord
from orgbridge.store.files import FileStore, StoredFile, Writing

_LONGEST_HEADER = 1024 * 1024


class PageDamaged(Exception):
    """A page's file is not what was recorded: it has to be fetched again."""

    def __init__(self, number: int) -> None:
        super().__init__(f"page {number} is damaged")
        self.number = number


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """The pages of one export, in order."""

    files: FileStore
    pages: Sequence[PageRecord]

    def header(self) -> list[str]:
        """Return the names of the columns; empty when Salesforce gave no header, as some versions do for no rows."""
        data = b""
        for block in self.blocks(self.pages[0]):
            data += block
            if b"\n" in data or len(data) > _LONGEST_HEADER:
                break
        line = data.partition(b"\n")[0]
        return next(iter(parse_chunk(line.decode("utf-8"), ",")), []) if line else []

    def blocks(self, page: PageRecord) -> Iterator[bytes]:
        """Yield a page's bytes as Salesforce gave them.

        Raises:
            PageDamaged: At the end, when they are not those that were recorded.
        """
        seen = hashlib.sha256()
        for block in self.files.open_blocks(page.key):
            seen.update(block)
            yield block
        if seen.hexdigest() != page.sha256:
            raise PageDamaged(page.number)

    def csv(self) -> Iterator[bytes]:
        """Yield all pages as one CSV: the header once, every record with its line feed.

        Raises:
            PageDamaged: A page is not what was recorded.
        """
        header: bytes | None = None
        for page in self.pages:
            header, blocks = self.joined(page, header)
            yield from blocks

    def joined(self, page: PageRecord, header: bytes | None) -> tuple[bytes, Iterator[bytes]]:
        """Return the header of the pages before, and what a page adds to them.

        Args:
            page: The next page.
            header: The header of the pages before; None for the first.

        Raises:
            PageDamaged: The page has other columns, or, while it is read, is not what was recorded.
        """
        own, rest = _cut_header(self.blocks(page))
        if header is None:
            return own, chain([own] if own else [], _with_last_newline(rest))
        if own != header and page.rows:
            # Never seen; two pages with different columns cannot be one file.
            raise PageDamaged(page.number)
        return header, _with_last_newline(rest)


class GrowingCSV:
    """A CSV results file that takes page after page. Its methods block: call them from threads, one at a time."""

    def __init__(self, files: FileStore, key: str) -> None:
        self._pages = Pages(files=files, pages=())
        self._key = key
        self._header: bytes | None = None
        self._writing: Writing | None = None

    def add(self, page: PageRecord) -> None:
        """Append the next page.

        Raises:
            PageDamaged: It is not what was recorded. Nothing but `give_up` may follow.
            OSError: The store refused. Nothing but `give_up` may follow.
        """
        if self._writing is None:
            self._writing = self._pages.files.begin(self._key)
        self._header, blocks = self._pages.joined(page, self._header)
        for block in blocks:
            self._writing.add(block)

    def finish(self) -> StoredFile | None:
        """Make the file durable under its key; None when it was given up, or no page came."""
        writing, self._writing = self._writing, None
        if writing is None:
            return None
        try:
            return writing.finish()
        except BaseException:
            writing.give_up()
            raise

    def give_up(self) -> None:
        """Remove what was written; what the key held before stays."""
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.give_up()


def _with_last_newline(blocks: Iterable[bytes]) -> Iterator[bytes]:
    last = b"\n"
    for block in blocks:
        yield block
        last = block[-1:]
    if last != b"\n":
        yield b"\n"


def _cut_header(blocks: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """Return a page's first line, which gets the line feed that it lacks, and what follows.

    Names of columns never hold a newline.
    """
    head = b""
    for block in blocks:
        head += block
        line, newline, rest = head.partition(b"\n")
        if newline:
            return line + newline, chain([rest] if rest else [], blocks)
    return head + b"\n" if head else head, iter(())


def write_results(pages: Pages, columns: Sequence[Column], form: ExportFormat, key: str) -> StoredFile:
    """Write the results file.

    Raises:
        PageDamaged: A page has to be fetched again; nothing was written under the key.
        ValueUntyped: Parquet: a value is not of the type that describe tells; nothing was written under the key.
    """
    match form:
        case ExportFormat.CSV:
            return pages.files.write_blocks(key, pages.csv())
        case ExportFormat.NDJSON:
            return pages.files.write_blocks(key, ndjson_rows(pages.csv(), columns))
        case ExportFormat.PARQUET:
            # Protects the memory of every worker that writes no Parquet: Arrow takes 50 MiB as soon as it is imported.
            from orgbridge.engine.parquet import write_parquet

            return write_parquet(pages.files, key, pages.csv, columns)
        case _:
            assert_never(form)
