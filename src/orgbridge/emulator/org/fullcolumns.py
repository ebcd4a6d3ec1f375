"""Columns of which it is known that every record gives a value, so that nobody has to look for gaps in them again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from orgbridge.emulator.org.outcomes import Missing
from orgbridge.emulator.schema.rendering import Stored


class FullColumn(list[Stored | Missing]):
    """Stored values of one field, none of them null or `MISSING`. Never changed once it is made.

    Args:
        values: The values.
        alike: Whether all of them are one and the same.
    """

    __slots__ = ("alike",)

    def __init__(self, values: Iterable[Stored | Missing], *, alike: bool = False) -> None:
        super().__init__(values)
        self.alike = alike


def repeated(value: Stored, size: int) -> FullColumn:
    """Return a column that says the same for every record; the value is not null."""
    return FullColumn([value] * size, alike=True)


def pick(column: list[Stored | Missing], positions: Sequence[int]) -> list[Stored | Missing]:
    """Return the values at some positions; of a full column they are one again."""
    picked = [column[position] for position in positions]
    return FullColumn(picked, alike=column.alike) if isinstance(column, FullColumn) else picked


def is_full(column: object) -> bool:
    """Tell whether a column is known to have no gap; False says nothing."""
    return isinstance(column, FullColumn)
