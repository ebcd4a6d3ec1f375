"""Inputs that the service fetches itself: files of its input folder, and objects of object storage."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import BinaryIO

from orgbridge.services.errors import FileNotFound, PathRefused
from orgbridge.store.files.sources import Sources

_BLOCK_BYTES = 1024 * 1024


class ServerInputs:
    """What `file_path` may name."""

    def __init__(self, folder: Path, sources: Sources) -> None:
        """Use the only folder that is read, and the only places in object storage."""
        self._folder = folder
        self._sources = sources

    def open(self, file_path: str) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Open an input and give its bytes. Of object storage only the address is judged before they are asked for.

        Raises:
            PathRefused: The path leads outside of the input folder, also by a symlink.
            FileNotFound: There is no such file.
            SourceRefused: The address lies below none of those that the settings allow.
        """
        return self._object(file_path) if "://" in file_path else self._file(file_path)

    def first_bytes(self, file_path: str, most: int) -> bytes:
        """Return an input's first bytes. Blocks. Raises what `open` raises, and what reading an object raises."""
        if "://" in file_path:
            return self._sources.first_bytes(file_path, most)
        with open_inside(self._folder, file_path) as file:
            return file.read(most)

    @asynccontextmanager
    async def _object(self, address: str) -> AsyncIterator[AsyncIterator[bytes]]:
        self._sources.check(address)
        yield self._sources.read(address)

    @asynccontextmanager
    async def _file(self, file_path: str) -> AsyncIterator[AsyncIterator[bytes]]:
        file = await asyncio.to_thread(open_inside, self._folder, file_path)
        try:
            yield _blocks(file)
        finally:
            file.close()


def open_inside(folder: Path, file_path: str) -> BinaryIO:
    """Open a regular file that lies inside a folder once every symlink is followed. Blocks.

    Args:
        folder: The only folder that may be read.
        file_path: Relative to the folder, or absolute.

    Raises:
        PathRefused: The path leads outside.
        FileNotFound: There is no such regular file inside.
    """
    if "\0" in file_path or not file_path.strip():
        raise PathRefused("file_path is not a path.")
    try:
        root = folder.resolve(strict=True)
    except OSError:
        raise FileNotFound(
            "DATA_PATH_INPUT is not a folder of this machine: set it to the folder with the files."
        ) from None
    try:
        # Not strict: a path outside is refused in the same way whether or not something lies there.
        resolved = (root / file_path).resolve()
    except (OSError, RuntimeError):
        raise PathRefused from None
    if not resolved.is_relative_to(root):
        raise PathRefused("file_path leads outside of DATA_PATH_INPUT; only files inside of it are read.")
    try:
        descriptor = os.open(resolved, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        raise FileNotFound(f"There is no readable file {Path(file_path).name!r} in DATA_PATH_INPUT.") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise FileNotFound(f"{Path(file_path).name!r} in DATA_PATH_INPUT is not a regular file.")
    return os.fdopen(descriptor, "rb")


async def _blocks(file: BinaryIO) -> AsyncIterator[bytes]:
    """Yield a file's bytes, each block read in a thread."""
    while block := await asyncio.to_thread(file.read, _BLOCK_BYTES):
        yield block
