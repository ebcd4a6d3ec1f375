"""Words in texts, as an SQL function for SOSL: no index, no stemming, no ranking, so nothing has to be guessed.

A word is a run of letters, digits and underscores, compared without regard to case. Assumed: a real org breaks text
into words by language, and finds synonyms and other forms of a word as well.
"""

from __future__ import annotations

import re
from functools import lru_cache

#: What SQLite hands to a function.
SQLValue = str | bytes | int | float | None


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def contains(pattern: str, *texts: SQLValue) -> int:
    """Serve as `SF_CONTAINS(pattern, text, ...)`: 1 when a folded text holds the pattern, else 0."""
    search = _compiled(pattern).search
    return int(any(isinstance(text, str) and search(text.casefold()) is not None for text in texts))


def word_pattern(words: list[str]) -> str:
    """Return the pattern of words in a row; `*` in a word stands for any letters, `?` for one.

    Args:
        words: At least one; each with letters, digits, underscores and wildcards only.
    """
    return r"(?<!\w)" + r"\W+".join(_word(word.casefold()) for word in words) + r"(?!\w)"


def _word(word: str) -> str:
    first, *others = [_literal(part) for part in re.sub(r"\*+", "*", word).split("*")]
    if not others:
        return first
    # Between two stars the nearest place is good enough, so nothing is tried twice and no word takes long.
    between = "".join(rf"(?>\w*?{part})" for part in others[:-1])
    return rf"{first}{between}\w*{others[-1]}"


def _literal(part: str) -> str:
    return re.escape(part).replace(r"\?", r"\w")
