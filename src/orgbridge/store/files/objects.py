"""Files of loads in object storage, S3 or Azure Blob, so that workers and services share no disk.

A file is uploaded in parts and becomes visible by the one call that completes it: whole or not there. What a crash left
of an upload is in no listing; let a lifecycle rule of the bucket remove incomplete uploads.

Reads are ranged requests of some megabytes each: no connection stays open while a slow reader thinks.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import AzureStore, S3Store

from orgbridge.store.errors import FileAddressInvalid, FilesUnavailable, StoredFileMissing
from orgbridge.store.files.protocol import StoredFile, check_key
from orgbridge.store.files.writing import write_blocks, write_stream

if TYPE_CHECKING:
    from obstore import WritableFile
    from obstore.store import ObjectStore
    from typing_extensions import Buffer

#: Bytes of one part of an upload. S3 takes 10,000 parts of at least 5 MiB: a file may have 48 GiB.
PART_BYTES = 5 * 1024 * 1024
#: Parts of one file on their way at once. Bounds memory: parts x bytes, for each file being written.
_PARTS_AT_ONCE = 1
#: Bytes of one ranged read.
_RANGE_BYTES = 4 * 1024 * 1024
_BLOCK_BYTES = 256 * 1024
_DELETED_AT_ONCE = 500
_CONNECT, _TIMEOUT = timedelta(seconds=10), timedelta(seconds=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectAccess:
    """How object storage is reached. What is None is found as the cloud's own libraries find it (role, identity)."""

    #: Address of a server that is not the cloud's own, e.g. `http://127.0.0.1:5000`.
    endpoint: str | None = None
    #: S3: the region.
    region: str | None = None
    #: S3: id of the access key.
    access_key_id: str | None = None
    #: S3: the secret key.
    secret_access_key: str | None = None
    #: S3: token of a temporary session.
    session_token: str | None = None
    #: Azure: name of the storage account.
    account_name: str | None = None
    #: Azure: key of the storage account.
    account_key: str | None = None


def open_objects(url: str, access: ObjectAccess) -> ObjectStore:
    """Return a client for `s3://bucket/prefix` or `az://container/prefix`; nothing is connected yet.

    Raises:
        FileAddressInvalid: The address is neither, or lacks what its kind needs.
    """
    parts = urlsplit(url)
    prefix = parts.path.strip("/") or None
    if not parts.hostname or parts.username or parts.query or parts.fragment:
        raise FileAddressInvalid
    options: Any = {
        "connect_timeout": _CONNECT,
        "timeout": _TIMEOUT,
        "allow_http": (access.endpoint or "").startswith("http://"),
    }
    retry: Any = {"max_retries": 6, "retry_timeout": timedelta(seconds=60)}
    try:
        match parts.scheme:
            case "s3":
                config: Any = _given(
                    endpoint=access.endpoint,
                    region=access.region,
                    access_key_id=access.access_key_id,
                    secret_access_key=access.secret_access_key,
                    session_token=access.session_token,
                )
                return S3Store(parts.netloc, prefix=prefix, config=config, client_options=options, retry_config=retry)
            case "az" | "azure" | "abfs":
                config = _given(
                    endpoint=access.endpoint, account_name=access.account_name, account_key=access.account_key
                )
                return AzureStore(
                    parts.netloc, prefix=prefix, config=config, client_options=options, retry_config=retry
                )
            case _:
                raise FileAddressInvalid
    except BaseError as error:
        # The library's text names what is missing; it may also repeat what was given.
        raise FileAddressInvalid(f"Object storage at {parts.scheme}://{parts.netloc} cannot be set up.") from error


def _given(**values: str | None) -> dict[str, str]:
    return {name: value for name, value in values.items() if value is not None}


@contextlib.contextmanager
def _told(key: str) -> Iterator[None]:
    """Give errors of the library the words of the house."""
    try:
        yield
    except FileNotFoundError as error:
        raise StoredFileMissing(f"No file is stored under {key}.") from error
    except (BaseError, OSError) as error:
        raise FilesUnavailable(f"Object storage does not serve {key}: {_cause(error)}") from error


def _cause(error: Exception) -> str:
    # The first line names the trouble; what follows are addresses and headers.
    return str(error).strip().split("\n", 1)[0][:200]


class _Writing:
    def __init__(self, store: ObjectStore, key: str) -> None:
        self._key = check_key(key)
        self._store = store
        self._file: WritableFile = obstore.open_writer(
            store, self._key, buffer_size=PART_BYTES, max_concurrency=_PARTS_AT_ONCE
        )
        self._hash = hashlib.sha256()
        self._bytes = 0

    def add(self, block: bytes) -> None:
        """Append a block."""
        with _told(self._key):
            self._file.write(block)
        self._hash.update(block)
        self._bytes += len(block)

    def finish(self) -> StoredFile:
        """Complete the upload: this makes the file visible."""
        with _told(self._key):
            self._file.close()
        return StoredFile(key=self._key, bytes=self._bytes, sha256=self._hash.hexdigest())

    def give_up(self) -> None:
        """Let go of the upload without completing it."""
        del self._file


class ObjectFiles:
    """A `FileStore` in object storage. Any number of processes may share it."""

    def __init__(self, store: ObjectStore) -> None:
        """Use a client; its prefix is the store's root."""
        self._store = store

    def begin(self, key: str) -> _Writing:
        """Begin to write a file; blocking, for threads.

        Raises:
            FileKeyInvalid: The key could lead out of the store; nothing was written.
        """
        return _Writing(self._store, key)

    async def write(self, key: str, chunks: AsyncIterator[bytes]) -> StoredFile:
        """Store a stream of bytes.

        Raises:
            FileKeyInvalid: The key could lead out of the store; nothing was written.
            FilesUnavailable: Object storage refused or did not answer; the key holds what it held before.
        """
        return await write_stream(self, key, chunks)

    def write_blocks(self, key: str, blocks: Iterable[bytes]) -> StoredFile:
        """Store blocks of bytes; blocking, for threads. Raises what `write` raises."""
        return write_blocks(self, key, blocks)

    def open_blocks(self, key: str, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Yield the file's bytes in blocks, from an offset on, up to another; blocking, for threads.

        Raises:
            StoredFileMissing: There is no such file.
            FilesUnavailable: Object storage refused or did not answer.
        """
        size, version = self._head(key)
        end = size if stop is None else min(size, stop)
        while start < end:
            piece = self._range(key, start, min(end, start + _RANGE_BYTES), version)
            start += len(piece)
            yield from (piece[place : place + _BLOCK_BYTES] for place in range(0, len(piece), _BLOCK_BYTES))

    async def read(self, key: str, start: int = 0) -> AsyncIterator[bytes]:
        """Yield the file's bytes in blocks from an offset on. Raises what `open_blocks` raises."""
        size, version = await asyncio.to_thread(self._head, key)
        while start < size:
            piece = await asyncio.to_thread(self._range, key, start, min(size, start + _RANGE_BYTES), version)
            start += len(piece)
            for place in range(0, len(piece), _BLOCK_BYTES):
                yield piece[place : place + _BLOCK_BYTES]

    async def size(self, key: str) -> int:
        """Return the file's size in bytes.

        Raises:
            StoredFileMissing: There is no such file.
        """
        return (await asyncio.to_thread(self._head, key))[0]

    async def exists(self, key: str) -> bool:
        """Tell whether the file is there."""
        try:
            await asyncio.to_thread(self._head, key)
        except StoredFileMissing:
            return False
        return True

    async def delete(self, prefix: str) -> int:
        """Delete the file of that key and all files below it; return how many there were."""
        return await asyncio.to_thread(self._delete, check_key(prefix))

    async def sweep(self, prefix: str) -> int:
        """Do nothing: what was not completed never became an object."""
        check_key(prefix)
        return 0

    def open_file(self, key: str) -> BinaryIO:
        """Open the file for reading at any place, by ranged reads; blocking, for threads.

        Raises:
            StoredFileMissing: There is no such file.
        """
        size, version = self._head(key)
        return io.BufferedReader(_Ranges(self, key, size, version), _BLOCK_BYTES)

    async def folders(self, prefix: str) -> list[str]:
        """Return the names that have files of their own below a key."""

        def found() -> list[str]:
            with _told(prefix):
                result = obstore.list_with_delimiter(self._store, f"{check_key(prefix)}/")
            return sorted(path.rstrip("/").rsplit("/", 1)[-1] for path in result["common_prefixes"])

        return await asyncio.to_thread(found)

    def _head(self, key: str) -> tuple[int, str | None]:
        with _told(check_key(key)):
            found = obstore.head(self._store, key)
        return found["size"], found["e_tag"]

    def _range(self, key: str, start: int, stop: int, version: str | None) -> bytes:
        with _told(key):
            # A file that is replaced between two ranges must not be read half old and half new.
            options: Any = {"range": (start, stop), **({"if_match": version} if version else {})}
            piece = bytes(obstore.get(self._store, key, options=options).bytes())
        if not piece:
            raise FilesUnavailable(f"Object storage gave no bytes of {key} where there should be some.")
        return piece

    def _delete(self, prefix: str) -> int:
        with _told(prefix):
            found = [str(item["path"]) for page in obstore.list(self._store, f"{prefix}/") for item in page]
            try:
                obstore.head(self._store, prefix)
            except FileNotFoundError:
                pass
            else:
                found.append(prefix)
            for start in range(0, len(found), _DELETED_AT_ONCE):
                # Another worker may be deleting the same: what is gone is what was wanted.
                with contextlib.suppress(FileNotFoundError):
                    obstore.delete(self._store, found[start : start + _DELETED_AT_ONCE])
        return len(found)


class _Ranges(io.RawIOBase):
    """A stored file as Python's own readers want it."""

    def __init__(self, files: ObjectFiles, key: str, size: int, version: str | None) -> None:
        self._files = files
        self._key = key
        self._size = size
        self._version = version
        self._place = 0

    def readable(self) -> bool:
        """Return that it can be read."""
        return True

    def seekable(self) -> bool:
        """Return that any place can be gone to."""
        return True

    def tell(self) -> int:
        """Return the place."""
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place and return it."""
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence]
        self._place = max(0, origin + offset)
        return self._place

    def readinto(self, buffer: Buffer) -> int:
        """Read up to the buffer's size; 0 at the end."""
        view = memoryview(buffer).cast("B")
        stop = min(self._size, self._place + len(view))
        if self._place >= stop:
            return 0
        piece = self._files._range(self._key, self._place, stop, self._version)
        view[: len(piece)] = piece
        self._place += len(piece)
        return len(piece)
