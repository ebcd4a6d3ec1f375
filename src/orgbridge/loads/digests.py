"""What stands for the cells of a row, so that rows can be compared: their text in one form, or 128 bits of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Final

_SEPARATOR: Final = "\x1f"


def digest_of(row: bytes) -> bytes:
    """Return 128 bits that stand for a row, given as `joined_rows` or `joined_texts` do."""
    return hashlib.blake2b(row, digest_size=16).digest()


def joined_texts(rows: Iterable[Sequence[str]], count: int, text: str) -> list[bytes]:
    """Return each row as `joined_rows` does; two are the same only if all cells are. Newlines of all kinds are one.

    Args:
        rows: Cells of each.
        count: Cells of a row.
        text: What the cells were read from.
    """
    if _SEPARATOR in text:
        return [_joined(cells, count) for cells in rows]
    join = _SEPARATOR.join
    if "\r" in text:
        return [_with_line_feeds(join(cells)).encode() for cells in rows]
    return [join(cells).encode() for cells in rows]


def _joined(cells: Sequence[str], count: int) -> bytes:
    """Return what `joined_texts` does of one row, some cell of which may hold the separator itself."""
    text = _with_line_feeds(_SEPARATOR.join(cells))
    if text.count(_SEPARATOR) == count - 1:
        return text.encode()
    # So the lengths of the cells are told as well. No other row has as many separators, or tells other lengths.
    sizes = _SEPARATOR.join(str(len(_with_line_feeds(cell))) for cell in cells)
    return f"{sizes}{_SEPARATOR}{text}".encode()


def _with_line_feeds(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text
