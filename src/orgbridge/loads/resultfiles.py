"""The three files of results that a job leaves behind, read as cells."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from orgbridge.loads.dialect import Dialect
from orgbridge.loads.errors import UnreadableResults
from orgbridge.loads.joinedrows import joined_rows
from orgbridge.loads.records import outside_quotes, parse_chunk, record_chunks, split_chunk
from orgbridge.wire.bulk import RESULT_ERROR


class ResultFile:
    """One results file of a job: its header, then its rows."""

    def __init__(
        self, blocks: Iterator[bytes], name: str, extra: tuple[str, ...], dialect: Dialect, header: tuple[str, ...]
    ) -> None:
        self.name = name
        #: Whether its rows are those that Salesforce refused.
        self.is_failed = RESULT_ERROR in extra
        self.delimiter = ","
        #: Cells of every row.
        self.width = 0
        self._chunks = record_chunks(blocks)
        #: Rows that were read.
        self._rows = 0
        first = next(self._chunks, b"")
        records = split_chunk(first)[:1]
        head = self._decoded(records[0] if records else b"").strip("\r\n")
        self._first = first[len(records[0]) :] if records else b""
        #: Places of the input's columns that the file echoes, against their places in the file.
        self.columns: dict[int, int] = {}
        #: Places of the columns that Salesforce adds, in the order asked for.
        self.extra: list[int] = []
        if head:
            self._read_header(head, extra, dialect, header)

    def _read_header(self, head: str, extra: tuple[str, ...], dialect: Dialect, header: tuple[str, ...]) -> None:
        # Assumed: results have the job's delimiter; a comma is understood as well.
        outside = outside_quotes(head.encode()).decode()
        self.delimiter = dialect.delimiter if dialect.delimiter in outside else ","
        names = [name.removeprefix("\ufeff").casefold() for name in self._parsed(head)[0]]
        places = {name: place for place, name in enumerate(names)}
        self.width = len(names)
        missing = [name for name in extra if name.casefold() not in places]
        if missing:
            raise UnreadableResults(f"{self.name} has no column {' and '.join(missing)}.")
        self.extra = [places[name.casefold()] for name in extra]
        self.columns = {
            column: places[name.casefold()] for column, name in enumerate(header) if name.casefold() in places
        }
        if not self.columns:
            raise UnreadableResults(f"{self.name} echoes no column of the input.")

    @property
    def is_regular(self) -> bool:
        """Whether each row is what Salesforce adds, in the order asked for, and then all of the input's columns."""
        added = len(self.extra)
        return self.extra == list(range(added)) and list(self.columns.values()) == list(range(added, self.width))

    def chunks(self) -> Iterator[bytes]:
        """Yield pieces of the file that hold whole rows; each is read by `joined` or by `rows`."""
        return itertools.chain((self._first,), self._chunks)

    def joined(self, chunk: bytes) -> list[bytes] | None:
        """Return the rows of a piece as `joined_rows` does; None leaves it to `rows`."""
        found = joined_rows(chunk, self.delimiter, self.width)
        if found is not None:
            self._decoded(chunk)
            self._rows += len(found)
        return found

    def rows(self, chunk: bytes) -> tuple[str, list[list[str]]]:
        """Return the text of a piece, and the cells of each row in it.

        Raises:
            UnreadableResults: A row does not have as many cells as the header, or is not CSV.
        """
        text = self._decoded(chunk)
        rows = self._parsed(text)
        before, self._rows = self._rows, self._rows + len(rows)
        if set(map(len, rows)) - {self.width}:
            # Blank lines are let pass.
            for place, cells in enumerate(rows, before + 1):
                if cells and len(cells) != self.width:
                    raise UnreadableResults(
                        f"Row {place} of {self.name} has {len(cells)} cells, the header {self.width}."
                    )
            rows = [cells for cells in rows if cells]
        return text, rows

    def _parsed(self, text: str) -> list[list[str]]:
        try:
            return list(parse_chunk(text, self.delimiter))
        except ValueError as error:
            raise UnreadableResults(f"{self.name} is not well quoted.") from error

    def _decoded(self, chunk: bytes) -> str:
        try:
            return chunk.decode()
        except UnicodeDecodeError as error:
            raise UnreadableResults(f"{self.name} is not UTF-8.") from error
