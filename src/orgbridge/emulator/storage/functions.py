"""SQL functions that SQLite lacks: those that compare text as SOQL does, and the list of all."""

from __future__ import annotations

import re
import sqlite3
from functools import lru_cache

from orgbridge.emulator.storage.locations import distance
from orgbridge.emulator.storage.numerals import decimal_cell
from orgbridge.emulator.storage.presentation import formatted
from orgbridge.emulator.storage.words import contains

#: What SQLite hands to a function.
SQLValue = str | bytes | int | float | None


def fold(value: SQLValue) -> SQLValue:
    """Serve as `SF_FOLD(value)`: the text without regard to case; other values as they are."""
    return value.casefold() if isinstance(value, str) else value


@lru_cache(maxsize=256)
def _like_pattern(pattern: str) -> re.Pattern[str]:
    out = []
    chars = iter(pattern)
    for char in chars:
        if char == "\\":
            out.append(re.escape(next(chars, "\\").casefold()))
        elif char == "%":
            out.append(".*")
        elif char == "_":
            out.append(".")
        else:
            out.append(re.escape(char.casefold()))
    return re.compile("".join(out), re.DOTALL)


def like(value: SQLValue, pattern: str) -> int | None:
    r"""Serve as `SF_LIKE(value, pattern)`: 1 when the whole text matches, 0 when not, NULL for NULL.

    `%` stands for any characters, `_` for one; a backslash takes the next character as it is. Case does not matter.
    """
    if value is None:
        return None
    return int(_like_pattern(pattern).fullmatch(str(value).casefold()) is not None)


def register(connection: sqlite3.Connection) -> None:
    """Give a connection every function."""
    connection.create_function("SF_FOLD", 1, fold, deterministic=True)
    connection.create_function("SF_LIKE", 2, like, deterministic=True)
    connection.create_function("SF_DECIMAL", 1, decimal_cell, deterministic=True)
    connection.create_function("SF_DISTANCE", 5, distance, deterministic=True)
    connection.create_function("SF_FORMAT", 3, formatted, deterministic=True)
    connection.create_function("SF_CONTAINS", -1, contains, deterministic=True)
