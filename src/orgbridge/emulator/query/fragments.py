"""Pieces of SQL that carry their parameters, so that no value is ever written into a statement."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

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


def balanced(word: str, pieces: Sequence[Fragment]) -> Fragment:
    """Return the pieces joined by AND or OR, as a balanced tree of parentheses.

    SQLite refuses expressions deeper than 1,000, and reads `a OR b OR c` as a chain.
    """
    if len(pieces) == 1:
        return pieces[0]
    middle = len(pieces) // 2
    return join(f" {word} ", (balanced(word, pieces[:middle]), balanced(word, pieces[middle:]))).wrap("(", ")")


def identifier(name: str) -> str:
    """Return a name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'
