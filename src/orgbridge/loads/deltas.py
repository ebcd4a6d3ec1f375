"""What a source looked like when it was last loaded: one hash per key, in a sorted file, compared in one pass. Pure.

An entry is 33 bytes: 16 that stand for the key, 16 for all cells of the row, and one that tells whether the row is
known to be in the org (1) or has to be sent the next time (0). Entries are in the order of their keys, one per key.
"""

from __future__ import annotations

import hashlib
import heapq
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

_HASH_BYTES: Final = 16
ENTRY_BYTES: Final = 2 * _HASH_BYTES + 1
_SEPARATOR: Final = "\x1f"
_LOADED, _UNKNOWN = b"\x01", b"\x00"


def source_of(*, org: str, object_name: str, operation: str, key_field: str, name: str) -> str:
    """Return what stands for a source: 64 characters."""
    return hashlib.sha256("\0".join((org, object_name, operation, key_field, name)).encode()).hexdigest()


def key_digest(value: str) -> bytes:
    """Return what stands for a key."""
    return hashlib.blake2b(value.encode(), digest_size=_HASH_BYTES).digest()


def row_digest(header: Sequence[str], cells: Sequence[str]) -> bytes:
    """Return what stands for a row: its cells under their columns."""
    sizes = ",".join(str(len(cell)) for cell in cells)
    text = _SEPARATOR.join((*header, sizes, *cells)).replace("\r\n", "\n")
    return hashlib.blake2b(text.encode(), digest_size=_HASH_BYTES).digest()


def entry(key: bytes, row: bytes, *, loaded: bool) -> bytes:
    """Return an entry."""
    return key + row + (_LOADED if loaded else _UNKNOWN)


def entries(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the entries of a file."""
    carry = b""
    for block in blocks:
        data = carry + block
        end = len(data) - len(data) % ENTRY_BYTES
        for start in range(0, end, ENTRY_BYTES):
            yield data[start : start + ENTRY_BYTES]
        carry = data[end:]


def unchanged_places(baseline: Iterable[bytes], rows: Sequence[tuple[bytes, bytes]]) -> set[int]:
    """Return the places of the rows that are in a baseline as they are.

    A key that several rows have is never unchanged: which of them the org holds depends on their order.

    Args:
        baseline: Entries in order.
        rows: Digest of the key and of the whole of each row.
    """
    order = sorted(range(len(rows)), key=lambda place: rows[place][0])
    repeated = {rows[a][0] for a, b in itertools.pairwise(order) if rows[a][0] == rows[b][0]}
    found: set[int] = set()
    place = 0
    for known in baseline:
        key = known[:_HASH_BYTES]
        while place < len(order) and rows[order[place]][0] < key:
            place += 1
        if place == len(order):
            break
        candidate = order[place]
        if known == entry(*rows[candidate], loaded=True) and key not in repeated:
            found.add(candidate)
    return found


def merged_entries(*files: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the entries of several sorted files as one; of a key in several the last file has the say.

    Keys that are not known to be in the org are left out.
    """

    def keyed(rank: int, file: Iterable[bytes]) -> Iterator[tuple[bytes, int, bytes]]:
        for found in file:
            yield found[:_HASH_BYTES], rank, found

    last: bytes | None = None
    for _, _, found in heapq.merge(*(keyed(rank, file) for rank, file in enumerate(files))):
        if last is not None and last[:_HASH_BYTES] != found[:_HASH_BYTES] and last.endswith(_LOADED):
            yield last
        last = found
    if last is not None and last.endswith(_LOADED):
        yield last
