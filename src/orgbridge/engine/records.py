"""Records in a stream of result CSV whose quoting is regular, counted. Pure."""

from __future__ import annotations

from typing import Final

#: All bytes but the quote and the line feed.
_NEITHER: Final = bytes(byte for byte in range(256) if byte not in b'"\n')


class RecordCounter:
    """Counts records of a CSV that ends its records in LF, whatever newlines its quoted cells hold."""

    def __init__(self) -> None:
        self._quoted = False
        self._ends = 0
        self._open = False

    def add(self, block: bytes) -> None:
        """Take the next bytes."""
        if not block:
            return
        # Every quote opens or closes. Two with no newline between them change nothing for the newlines around.
        pieces = block.translate(None, _NEITHER).replace(b'""', b"").split(b'"')
        self._ends += b"".join(pieces[self._quoted :: 2]).count(b"\n")
        self._quoted ^= not len(pieces) & 1
        self._open = not block.endswith(b"\n") or self._quoted

    @property
    def records(self) -> int:
        """Records so far, the header and a last one without its newline included."""
        return self._ends + (1 if self._open else 0)
