"""Records in a stream of result CSV whose quoting is regular: counted, and freed of the header. Pure."""

from __future__ import annotations

from collections.abc import AsyncIterator


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
        # Every quote opens or closes; a doubled one does both, and nothing stands between its halves.
        for index, piece in enumerate(block.split(b'"')):
            if index:
                self._quoted = not self._quoted
            if not self._quoted:
                self._ends += piece.count(b"\n")
        self._open = not block.endswith(b"\n") or self._quoted

    @property
    def records(self) -> int:
        """Records so far, the header and a last one without its newline included."""
        return self._ends + (1 if self._open else 0)


async def without_header(blocks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield a page's bytes after its first record. Names of columns never hold a newline."""
    inside = False
    async for block in blocks:
        if inside:
            yield block
            continue
        _, newline, rest = block.partition(b"\n")
        inside = bool(newline)
        if rest:
            yield rest
