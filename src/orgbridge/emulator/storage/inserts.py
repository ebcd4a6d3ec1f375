"""New rows into a table, many in one statement: what a statement costs by itself is shared by all of its rows."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain, repeat
from typing import Any

from orgbridge.emulator.storage.tables import quote

#: Rows of one statement. More make its text longer: it is read once for each number of rows up to this.
ROWS_AT_ONCE = 50
#: Rows of one statement of many rows, and from how many on. Between statements other threads want their turn.
MANY_AT_ONCE, MANY = 250, 2_000

#: A row repeats a value that may stand in a table only once, or leaves out one that must be there.
UniqueError = sqlite3.IntegrityError


def insert_rows(
    connection: sqlite3.Connection, table: str, columns: Mapping[str, Sequence[Any] | Iterator[Any]], count: int
) -> None:
    """Insert rows given by column, each column as long as there are rows or a `repeat`.

    Args:
        connection: The open write transaction.
        table: The table's name.
        columns: Stored values by the name of their column.
        count: How many rows.

    Raises:
        UniqueError: A row breaks a rule of the table. Rows before it may have been inserted.
    """
    if count == 1:
        values = [next(iter(column)) for column in columns.values()]
        connection.execute(_statement(table, (), tuple(columns), 1), values)
        return
    alike: dict[str, Any] = {}
    varied: dict[str, Sequence[Any]] = {}
    for name, column in columns.items():
        if isinstance(column, repeat):
            alike[name] = next(column)
        elif isinstance(column, Sequence) and not _is_alike(column, count):
            varied[name] = column
        else:
            alike[name] = next(iter(column))
    at_once = min(MANY_AT_ONCE if count >= MANY else ROWS_AT_ONCE, count, _room(connection, len(alike), len(varied)))
    # Row by row, all values one after the other: a statement takes a slice of them behind those that all rows share.
    flat = list(chain.from_iterable(zip(*varied.values(), strict=True)))
    shared, width = list(alike.values()), len(varied)
    whole = count - count % at_once
    step = at_once * width
    many = (shared + flat[start : start + step] for start in range(0, whole * width, step or 1)) if width else ()
    connection.executemany(_statement(table, tuple(alike), tuple(varied), at_once), many)
    if whole == count and width:
        return
    rest = (shared + flat[start : start + width] for start in range(whole * width, count * width, width or 1))
    connection.executemany(_statement(table, tuple(alike), tuple(varied), 1), rest if width else repeat(shared, count))


def _is_alike(column: Sequence[Any], count: int) -> bool:
    """Tell whether all values of a column are one and the same; texts that differ are told apart at a glance.

    1 and 1.0 are equal and not the same; with floats of their own kind there are two zeros.
    """
    first, last = column[0], column[-1]
    if first != last or isinstance(first, float) or column.count(first) != count:
        return False
    # What equals a text is a text.
    return isinstance(first, str) or set(map(type, column)) == {type(first)}


def _room(connection: sqlite3.Connection, alike: int, varied: int) -> int:
    """Return for how many rows a statement can take values."""
    most = connection.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER)
    return max(1, (most - alike) // max(1, varied))


@lru_cache(maxsize=512)
def _statement(table: str, alike: tuple[str, ...], varied: tuple[str, ...], rows: int) -> str:
    names = ", ".join(map(quote, (*alike, *varied)))
    shared = "".join(f"?{place + 1}, " for place in range(len(alike)))
    marks = []
    for row in range(rows):
        first = len(alike) + row * len(varied) + 1
        marks.append(f"({shared}{', '.join(f'?{first + place}' for place in range(len(varied)))})".replace(", )", ")"))
    return f"INSERT INTO {quote(table)} ({names}) VALUES {', '.join(marks)}"  # noqa: S608 names come from the catalogue
