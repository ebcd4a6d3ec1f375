"""Pieces of SQL that carry their parameters, so that no value is ever written into a statement."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

#: Parser stack that `depth` lets a subselect take. Measured: SQLite 3.40, five child subqueries inside each other.
SUBSELECT_DEPTH = 6
#: The largest `depth` that SQLite's stack of 100 was seen to take in any arrangement, with some to spare.
MAX_DEPTH = 72
#: Parentheses of a piece up to which the order of the pieces is left as written.
SHALLOW = 6
_PARENTHESIS = re.compile(r"\((?:SELECT\b)?|\)")

#: What a parameter may be.
Parameter: TypeAlias = str | int | float


@dataclass(frozen=True, slots=True)
class Fragment:
    """Some SQL and the values of its question marks, in order."""

    text: str
    parameters: tuple[Parameter, ...] = ()

    def wrap(self, before: str, after: str = "") -> Fragment:
        """Return the piece with SQL put around it."""
        return Fragment(f"{before}{self.text}{after}", self.parameters)


def join(separator: str, pieces: Iterable[Fragment]) -> Fragment:
    """Return the pieces one after another."""
    items = list(pieces)
    parameters = tuple(parameter for item in items for parameter in item.parameters)
    return Fragment(separator.join(item.text for item in items), parameters)


def depth(sql: str) -> int:
    """Return how much of SQLite's parser stack a piece may take: one for a parenthesis, more for a subselect."""
    deepest, open_weights, weight = 0, list[int](), 0
    for found in _PARENTHESIS.finditer(sql):
        if found.group() == ")":
            weight -= open_weights.pop()
            continue
        open_weights.append(1 if found.group() == "(" else SUBSELECT_DEPTH)
        weight += open_weights[-1]
        deepest = max(deepest, weight)
    return deepest


def balanced(word: str, pieces: Sequence[Fragment]) -> Fragment:
    """Return the pieces joined by AND or OR, as a balanced tree of parentheses.

    SQLite refuses expressions deeper than 1,000, and reads `a OR b OR c` as a chain. Its parser remembers what stands
    before an open parenthesis, in a stack of 100: so deep pieces are put first, where nothing stands before them.
    """
    if any(piece.text.count("(") > SHALLOW for piece in pieces):
        pieces = sorted(pieces, key=lambda piece: -depth(piece.text))
    return _balanced(word, pieces)


def _balanced(word: str, pieces: Sequence[Fragment]) -> Fragment:
    if len(pieces) == 1:
        return pieces[0]
    middle = len(pieces) // 2
    return join(f" {word} ", (_balanced(word, pieces[:middle]), _balanced(word, pieces[middle:]))).wrap("(", ")")


def identifier(name: str) -> str:
    """Return a name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'
