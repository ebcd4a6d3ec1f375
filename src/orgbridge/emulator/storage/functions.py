"""SQL functions that compare text as SOQL does."""

from __future__ import annotations

import re
from functools import lru_cache

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
