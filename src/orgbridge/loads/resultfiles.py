"""The three files of results that a job leaves behind, read as cells."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from orgbridge.loads.dialect import Dialect
from orgbridge.loads.errors import UnreadableResults
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

    def rows(self) -> Iterator[tuple[str, list[list[str]]]]:
        """Yield pieces of the file: their text, and the cells of each row in it.

        Raises:
            UnreadableResults: A row does not have as many cells as the header, or is not CSV.
        """
        number = 0
        for chunk in itertools.chain((self._first,), self._chunks):
            text = self._decoded(chunk)
            rows = self._parsed(text)
            if set(map(len, rows)) - {self.width}:
                # Blank lines are let pass.
                for place, cells in enumerate(rows, number + 1):
                    if cells and len(cells) != self.width:
                        raise UnreadableResults(
                            f"Row {place} of {self.name} has {len(cells)} cells, the header {self.width}."
                        )
                number += len(rows)
                rows = [cells for cells in rows if cells]
            else:
                number += len(rows)
            yield text, rows

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
