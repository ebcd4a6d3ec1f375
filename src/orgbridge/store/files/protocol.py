"""What a place for the files of loads must offer, and which keys it takes."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from orgbridge.store.errors import FileKeyInvalid

_KEY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(?:/[A-Za-z0-9_-][A-Za-z0-9._-]*)*\Z")
_LONGEST_KEY = 512


def check_key(key: str) -> str:
    """Return the key.

    Raises:
        FileKeyInvalid: It could lead out of the store: absolute, `..`, a hidden name, an odd character, too long.
    """
    if len(key) > _LONGEST_KEY or not _KEY.match(key):
        raise FileKeyInvalid
    return key


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """A file that lies safely in the store."""

    #: Its key, e.g. `loads/load_…/input`.
    key: str
    #: Its size.
    bytes: int
    #: SHA-256 of its content, hexadecimal.
    sha256: str


class Writing(Protocol):
    """One file on its way in. Its methods block: call them from threads, one at a time."""

    def add(self, block: bytes) -> None:
        """Append a block."""
        ...

    def finish(self) -> StoredFile:
        """Make the file durable under its own name; from here on others see it."""
        ...

    def give_up(self) -> None:
        """Remove what was written; what the key held before stays."""
        ...


class FileStore(Protocol):
    """Files by key. A file is there whole or not at all, also after a crash; writing a key again replaces it."""

    def begin(self, key: str) -> Writing:
        """Begin to write a file block by block; blocking, for threads. End it by `finish` or `give_up`."""
        ...

    async def write(self, key: str, chunks: AsyncIterator[bytes]) -> StoredFile:
        """Store a stream of bytes."""
        ...

    def write_blocks(self, key: str, blocks: Iterable[bytes]) -> StoredFile:
        """Store blocks of bytes; blocking, for threads."""
        ...

    def open_blocks(self, key: str, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Yield the file's bytes in blocks, from an offset on, up to another; blocking, for threads."""
        ...

    def read(self, key: str, start: int = 0) -> AsyncIterator[bytes]:
        """Yield the file's bytes in blocks from an offset on."""
        ...

    async def size(self, key: str) -> int:
        """Return the file's size in bytes."""
        ...

    async def exists(self, key: str) -> bool:
        """Tell whether the file is there."""
        ...

    async def delete(self, prefix: str) -> int:
        """Delete the file of that key and all files below it; return how many there were."""
        ...

    async def sweep(self, prefix: str) -> int:
        """Remove what crashes left half-written below a key; return how many files. Only while nobody writes there."""
        ...

    def open_file(self, key: str) -> BinaryIO:
        """Open the file for reading at any place, wherever it lies; blocking, for threads. The caller closes it."""
        ...

    async def folders(self, prefix: str) -> list[str]:
        """Return the names that have files of their own below a key, e.g. the loads below `loads`."""
        ...
