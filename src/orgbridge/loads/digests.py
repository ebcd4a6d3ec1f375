"""What stands for the cells of a row, so that rows can be compared without keeping them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Final

_SEPARATOR: Final = "\x1f"


def joined_digest(row: bytes) -> bytes:
    """Return what `digests_of` does of one row, given as `joined_rows` does."""
    return hashlib.blake2b(row, digest_size=16).digest()


def digests_of(rows: Iterable[Sequence[str]], count: int, text: str) -> list[bytes]:
    """Return 128 bits for each row that stand for its cells; newlines of all kinds are one.

    Args:
        rows: Cells of each.
        count: Cells of a row.
        text: What the cells were read from.
    """
    if _SEPARATOR in text:
        return [_digest(cells, count) for cells in rows]
    blake2b, join = hashlib.blake2b, _SEPARATOR.join
    if "\r" in text:
        joined = (join(cells) for cells in rows)
        return [blake2b(_with_line_feeds(cells).encode(), digest_size=16).digest() for cells in joined]
    return [blake2b(join(cells).encode(), digest_size=16).digest() for cells in rows]


def _digest(cells: Sequence[str], count: int) -> bytes:
    """Return what `digests_of` does of one row, some cell of which may hold the separator itself."""
    text = _with_line_feeds(_SEPARATOR.join(cells))
    if text.count(_SEPARATOR) != count - 1:
        # So the lengths of the cells are told as well.
        sizes = _SEPARATOR.join(str(len(cell.replace("\r\n", "\n"))) for cell in cells)
        return hashlib.blake2b(f"{sizes}\n{text}".encode(), digest_size=16, person=b"separator").digest()
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def _with_line_feeds(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text
