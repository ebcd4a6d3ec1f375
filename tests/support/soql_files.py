"""Reads the text files of `tests/soql`: blocks of a query and marked lines that say what must come of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: What the lines after a query begin with.
MARKS = "~?=!|"


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One query or search and what is expected."""

    #: The query.
    text: str
    #: Lines by their first character, without it and the space after it.
    marked: dict[str, list[str]]

    @property
    def whole(self) -> str:
        """The query with the code and the text of its error."""
        return "\n".join([self.text, *self.marked["!"], *self.marked["|"]])


def blocks(path: Path) -> list[Block]:
    """Return the blocks of a file; lines that begin with `--` are comments."""
    text = "\n".join(line for line in path.read_text().split("\n") if not line.startswith("--"))
    return [_block(piece) for piece in text.split("\n\n") if piece.strip("\n")]


def bare(value: Any) -> Any:
    """Return a record without attributes, at every level."""
    if isinstance(value, dict):
        return {key: bare(item) for key, item in value.items() if key != "attributes"}
    return [bare(item) for item in value] if isinstance(value, list) else value


def _block(piece: str) -> Block:
    query: list[str] = []
    marked: dict[str, list[str]] = {mark: [] for mark in MARKS}
    for line in piece.strip("\n").split("\n"):
        if line and line[0] in marked:
            marked[line[0]].append(line[1:] if line[0] == "|" else line[2:])
        else:
            query.append(line)
    return Block(text="\n".join(query), marked=marked)
