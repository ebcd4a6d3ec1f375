"""Reads `tests/soql/constructs.txt`, the list of every construct of SOQL and SOSL that must have a text test."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from orgbridge.emulator.query.datefunctions import DATE_FUNCTIONS
from orgbridge.soql.dateliterals import COUNTED_LITERALS, PLAIN_LITERALS
from tests.support.soql_files import blocks

_FOLDER = Path(__file__).resolve().parents[1] / "soql"
_LIST = _FOLDER / "constructs.txt"
_FILES = {
    "plan": sorted((_FOLDER / "plan").glob("*.soql")),
    "errors": [_FOLDER / "errors.soql"],
    "search": [_FOLDER / "search.sosl"],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Construct:
    """One construct of the language."""

    #: Heading of the list that it stands under.
    section: str
    #: `recorded`, `documented` or `assumed`.
    mark: str
    #: Which files its test is in.
    where: str
    #: What people call it.
    name: str
    #: Matches the text of its test.
    pattern: re.Pattern[str]


def constructs() -> list[Construct]:
    """Return the list, with every date literal and date function that the language has."""
    found: list[Construct] = []
    section = ""
    for line in _LIST.read_text().splitlines():
        if line.startswith("## "):
            section = line[3:]
        elif line and not line.startswith("#"):
            mark, where, name, pattern = (piece.strip() for piece in line.split(" | ", 3))
            found.append(_construct(section, mark, where, name, pattern))
    dates = [(name, rf"= {name}\Z") for name in sorted(PLAIN_LITERALS)]
    dates += [(f"{name}:n", rf"= {name}:\d+\Z") for name in sorted(COUNTED_LITERALS)]
    found += [_construct("Date literals", "documented", "plan", name, pattern) for name, pattern in dates]
    functions = [(f"{name}()", rf"GROUP BY {name}\(") for name in sorted(DATE_FUNCTIONS)]
    return found + [_construct("Date functions", "documented", "plan", name, pattern) for name, pattern in functions]


def _construct(section: str, mark: str, where: str, name: str, pattern: str) -> Construct:
    compiled = re.compile(pattern, re.IGNORECASE | re.MULTILINE | re.DOTALL)
    return Construct(section=section, mark=mark, where=where, name=name, pattern=compiled)


def texts(where: str) -> list[str]:
    """Return what the patterns of a kind of test are matched with: the query, for errors with code and message."""
    return [block.text if where == "plan" else block.whole for path in _FILES[where] for block in blocks(path)]


def untested() -> list[str]:
    """Return the names of the constructs without a text test."""
    known = {where: texts(where) for where in _FILES}
    return [c.name for c in constructs() if not any(c.pattern.search(text) for text in known[c.where])]
