"""Files of loads in a folder of this machine. Written under a temporary name, synced, renamed: whole or not there."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import secrets
import shutil
import sys
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from orgbridge.store.errors import StoredFileMissing
from orgbridge.store.files.protocol import StoredFile, check_key
from orgbridge.store.files.writing import write_blocks, write_stream

#: Bytes of one block read. Big enough that the hop to a thread costs little, small beside the memory limit.
BLOCK_BYTES = 256 * 1024
_TEMPORARY = ".writing-"


class _Writing:
    """One file on its way in. Its methods block: call them from threads, one at a time."""

    def __init__(self, root: Path, key: str) -> None:
        self._key = key
        self._target = root / check_key(key)
        self._target.parent.mkdir(parents=True, exist_ok=True)
        # Random, because a frozen worker may wake up beside the one that took its work over.
        self._temporary = self._target.with_name(f"{_TEMPORARY}{self._target.name}-{secrets.token_hex(6)}")
        self._file: BinaryIO = self._temporary.open("xb")
        self._hash = hashlib.sha256()
        self._bytes = 0

    def add(self, block: bytes) -> None:
        """Append a block."""
        self._file.write(block)
        self._hash.update(block)
        self._bytes += len(block)

    def finish(self) -> StoredFile:
        """Make the file durable under its own name."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._temporary.replace(self._target)
        # The new name itself is durable only once the folder is synced.
        folder = os.open(self._target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        return StoredFile(key=self._key, bytes=self._bytes, sha256=self._hash.hexdigest())

    def give_up(self) -> None:
        """Remove what was written."""
        with contextlib.suppress(OSError):
            self._file.close()
        self._temporary.unlink(missing_ok=True)


class LocalFiles:
    """A `FileStore` in one folder. Several processes may share it; leftovers of a crash are removed by `sweep`."""

    def __init__(self, root: Path) -> None:
        """Use a folder; it is made at the first write.

        Args:
            root: The folder. Nothing outside it is ever touched.
        """
        self._root = root

    def begin(self, key: str) -> _Writing:
        """Begin to write a file; blocking, for threads.

        Raises:
            FileKeyInvalid: The key could lead out of the store; nothing was written.
            OSError: The disk refused.
        """
        return _Writing(self._root, key)

    async def write(self, key: str, chunks: AsyncIterator[bytes]) -> StoredFile:
        """Store a stream of bytes.

        Raises:
            FileKeyInvalid: The key could lead out of the store; nothing was written.
            OSError: The disk refused (full, read-only); nothing is left under the key that was not there before.
        """
        return await write_stream(self, key, chunks)

    def write_blocks(self, key: str, blocks: Iterable[bytes]) -> StoredFile:
        """Store blocks of bytes; blocking, for threads. Raises what `write` raises."""
        return write_blocks(self, key, blocks)

    def open_blocks(self, key: str, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Yield the file's bytes in blocks, from an offset on, up to another; blocking, for threads.

        Raises:
            StoredFileMissing: There is no such file.
        """
        with _open(self.path(key), key) as file:
            file.seek(start)
            left = sys.maxsize if stop is None else stop - start
            while left > 0 and (block := file.read(min(left, BLOCK_BYTES))):
                left -= len(block)
                yield block

    async def read(self, key: str, start: int = 0) -> AsyncIterator[bytes]:
        """Yield the file's bytes in blocks from an offset on.

        Raises:
            StoredFileMissing: There is no such file.
        """
        file = await asyncio.to_thread(_open, self.path(key), key)
        try:
            await asyncio.to_thread(file.seek, start)
            while block := await asyncio.to_thread(file.read, BLOCK_BYTES):
                yield block
        finally:
            file.close()

    async def size(self, key: str) -> int:
        """Return the file's size in bytes.

        Raises:
            StoredFileMissing: There is no such file.
        """
        try:
            return (await asyncio.to_thread(self.path(key).stat)).st_size
        except FileNotFoundError as error:
            raise StoredFileMissing(f"No file is stored under {key}.") from error

    async def exists(self, key: str) -> bool:
        """Tell whether the file is there."""
        return await asyncio.to_thread(self.path(key).is_file)

    async def delete(self, prefix: str) -> int:
        """Delete the file of that key and all files below it; return how many there were."""
        return await asyncio.to_thread(_delete, self.path(prefix))

    async def sweep(self, prefix: str) -> int:
        """Remove what crashes left half-written below a key; return how many files. Only while nobody writes there."""
        return await asyncio.to_thread(_sweep, self.path(prefix))

    def open_file(self, key: str) -> BinaryIO:
        """Open the file for reading at any place; blocking, for threads.

        Raises:
            StoredFileMissing: There is no such file.
        """
        return _open(self.path(key), key)

    async def folders(self, prefix: str) -> list[str]:
        """Return the names that have files of their own below a key."""
        return await asyncio.to_thread(_folders, self.path(prefix))

    def path(self, key: str) -> Path:
        """Return where the file lies on this machine.

        Raises:
            FileKeyInvalid: The key could lead out of the store.
        """
        return self._root / check_key(key)


def _open(path: Path, key: str) -> BinaryIO:
    try:
        return path.open("rb")
    except (FileNotFoundError, IsADirectoryError) as error:
        raise StoredFileMissing(f"No file is stored under {key}.") from error


def _delete(path: Path) -> int:
    if path.is_file():
        path.unlink(missing_ok=True)
        return 1
    count = sum(1 for found in path.rglob("*") if found.is_file())
    shutil.rmtree(path, ignore_errors=True)
    return count


def _sweep(path: Path) -> int:
    found = list(path.rglob(f"{_TEMPORARY}*")) if path.is_dir() else []
    for leftover in found:
        leftover.unlink(missing_ok=True)
    return len(found)


def _folders(path: Path) -> list[str]:
    if not path.is_dir():
        return []
    return sorted(found.name for found in path.iterdir() if found.is_dir() and any(found.iterdir()))
