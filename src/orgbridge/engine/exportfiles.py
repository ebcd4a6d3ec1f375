"""Pages become one results file: CSV, NDJSON or Parquet. Each page is checked against its recorded hash on the way.

Everything here blocks and runs in the worker's thread for whole files; a block or a row group is in memory at a time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import assert_never

from orgbridge.loads.columns import Column, ExportFormat, ndjson_rows
from orgbridge.loads.records import parse_chunk
from orgbridge.store.export_records import PageRecord
from orgbridge.store.files import FileStore, StoredFile

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
        """Yield all pages as one CSV: the header once, every record with its line feed."""
        header: bytes | None = None
        for page in self.pages:
            blocks = self.blocks(page)
            own, rest = _cut_header(blocks)
            if header is None:
                header = own
                yield own
            elif own != header and page.rows:
                # Never seen; two pages with different columns cannot be one file.
                raise PageDamaged(page.number)
            last = b"\n"
            for block in rest:
                yield block
                last = block[-1:]
            if last != b"\n":
                yield b"\n"


def _cut_header(blocks: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """Return a page's first line and what follows. Names of columns never hold a newline."""
    head = b""
    for block in blocks:
        head += block
        line, newline, rest = head.partition(b"\n")
        if newline:
            return line + newline, chain([rest] if rest else [], blocks)
    return head, iter(())


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
