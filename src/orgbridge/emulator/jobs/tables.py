"""Records of an uploaded file by column, beside the same records as quoted CSV: what saving and result files want."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from orgbridge.wire.bulk import ColumnDelimiter


def quoted(rows: Iterable[Sequence[str]], delimiter: ColumnDelimiter) -> list[str]:
    """Return each row with every cell quoted, but for the row's first and last quote and without a line end."""
    between, listed = f'"{delimiter.char}"', list(rows)
    lines = list(map(between.join, listed))
    if sum(map(str.count, lines, '"' * len(lines))) == 2 * (sum(map(len, listed)) - len(listed)):
        return lines
    # Some cell holds a quote.
    return [between.join([cell.replace('"', '""') for cell in row]) for row in listed]


@dataclass(slots=True)
class Table:
    """Some records, all of the same width."""

    #: The cells, by column.
    columns: list[list[str]]
    #: The records, as `quoted` gives them.
    lines: list[str]

    def __len__(self) -> int:
        """Return how many records there are."""
        return len(self.lines)

    def add(self, other: Table) -> None:
        """Append the records of another table of the same width."""
        if not self.lines:
            self.columns, self.lines = other.columns, other.lines
            return
        for column, more in zip(self.columns, other.columns, strict=True):
            column += more
        self.lines += other.lines

    def add_records(self, records: Sequence[Sequence[str]], delimiter: ColumnDelimiter) -> None:
        """Append records, each of the table's width."""
        for column, cells in zip(self.columns, zip(*records, strict=True), strict=False):
            column += cells
        self.lines += quoted(records, delimiter)

    def records(self) -> list[list[str]]:
        """Return the records as rows of cells."""
        return [list(row) for row in zip(*self.columns, strict=True)]

    def cells_at(self, places: Sequence[int]) -> list[list[str]]:
        """Return the columns of some of the records."""
        return [[column[place] for place in places] for column in self.columns]
