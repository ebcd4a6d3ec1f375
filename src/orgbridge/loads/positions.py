"""A place between two parts of an input, small enough for the step log: splitting goes on from it in any process."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from orgbridge.loads.splitter import LineCount, Part


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where the next part begins."""

    #: Its number, from 0.
    part: int
    #: Number of its first record in the input, from 1.
    row: int
    #: Line on which that record begins, from 1.
    line: int
    #: Bytes of the canonical CSV's records before it.
    bytes: int

    @classmethod
    def first(cls, line: int) -> Position:
        """Return where the first part of all begins.

        Args:
            line: Line on which the first record begins.
        """
        return cls(part=0, row=1, line=line, bytes=0)

    def after(self, part: Part, line_count: LineCount) -> Position:
        """Return where the part after one begins.

        Args:
            part: The part that begins here, as the splitter gave it.
            line_count: What line numbers count.
        """
        return Position(
            part=part.number + 1,
            row=part.first_row + part.rows,
            line=part.first_line + (part.rows if line_count is LineCount.RECORD else part.newlines),
            bytes=self.bytes + part.bytes,
        )

    def to_json(self) -> dict[str, int]:
        """Return the form that the step log keeps."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Position:
        """Return the position that the step log keeps."""
        return cls(**value)
