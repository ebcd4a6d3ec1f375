"""Inputs in object storage: which addresses may be read, and the bytes of one object as it was when it was found."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import obstore
from obstore.exceptions import (
    BaseError,
    NotFoundError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)

from orgbridge.kit.logs import get_logger
from orgbridge.kit.object_addresses import ObjectAddress
from orgbridge.store.errors import (
    FileAddressInvalid,
    FilesUnavailable,
    SourceChanged,
    SourceForbidden,
    SourceMissing,
    SourceRefused,
    SourceTooLarge,
)
from orgbridge.store.files.objects import ObjectAccess, open_objects

if TYPE_CHECKING:
    from obstore.store import ObjectStore

#: Bytes of one ranged read; one is held at a time.
_RANGE_BYTES = 4 * 1024 * 1024
_BLOCK_BYTES = 256 * 1024
log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What an object was when it was found; every piece of it must come of the same."""

    size: int
    e_tag: str | None
    last_modified: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """The places in object storage from which inputs may be taken, as the settings name them."""

    #: Addresses below which objects may be read, e.g. `s3://acme-inputs/daily`.
    allowed: tuple[str, ...] = ()
    #: How that object storage is reached.
    access: ObjectAccess = field(default_factory=ObjectAccess)
    #: Largest object that is taken.
    max_bytes: int = 48 * 1024**3

    def check(self, address: str) -> ObjectAddress:
        """Return the address of an object that may be read. Nothing is connected.

        Raises:
            SourceRefused: It may not.
        """
        try:
            asked = ObjectAddress.parse(address)
        except ValueError as error:
            raise SourceRefused(str(error)) from None
        if not asked.names or address.endswith("/"):
            raise SourceRefused(f"{asked.root} and a folder are no objects: name one object, like s3://bucket/in.csv.")
        if not any(asked.is_below(ObjectAddress.parse(allowed)) for allowed in self.allowed):
            if not self.allowed:
                raise SourceRefused(
                    "This service takes no inputs from object storage: its operator names the places in "
                    "ORGBRIDGE_IMPORT_URLS."
                )
            raise SourceRefused
        return asked

    async def read(self, address: str) -> AsyncIterator[bytes]:
        """Yield an object's bytes in blocks, by ranged reads; the first one is asked for when iteration begins.

        Raises:
            SourceRefused: The address may not be read; nothing was connected.
            SourceMissing: There is no such object.
            SourceForbidden: Object storage does not let the service read it.
            SourceTooLarge: It is larger than what is taken; nothing of it was read.
            SourceChanged: It was replaced while it was read: what was yielded is of no use.
            FilesUnavailable: Object storage cannot be reached, or cannot be set up by the settings.
        """
        asked = self.check(address)
        store, found = await asyncio.to_thread(self._find, asked)
        start = 0
        while start < found.size:
            piece = await asyncio.to_thread(_range, store, asked, start, found)
            start += len(piece)
            for place in range(0, len(piece), _BLOCK_BYTES):
                yield piece[place : place + _BLOCK_BYTES]

    def first_bytes(self, address: str, most: int) -> bytes:
        """Return an object's first bytes; blocking, for threads. Raises what `read` raises, but no SourceTooLarge."""
        asked = self.check(address)
        store, found = self._find(asked, any_size=True)
        pieces: list[bytes] = []
        start, stop = 0, min(most, found.size)
        while start < stop:
            piece = _range(store, asked, start, found)[: stop - start]
            pieces.append(piece)
            start += len(piece)
        return b"".join(pieces)

    def _find(self, asked: ObjectAddress, *, any_size: bool = False) -> tuple[ObjectStore, _Found]:
        try:
            store = open_objects(asked.root, self.access)
        except FileAddressInvalid:
            raise FilesUnavailable(
                f"{asked.root} cannot be reached by these settings: its operator sets ORGBRIDGE_FILES_REGION or "
                "ORGBRIDGE_FILES_ACCOUNT_NAME."
            ) from None
        with _told(asked):
            head = obstore.head(store, asked.key)
        found = _Found(size=head["size"], e_tag=head["e_tag"], last_modified=head["last_modified"])
        if found.size > self.max_bytes and not any_size:
            raise SourceTooLarge(
                f"{asked} has {found.size:,} bytes; ORGBRIDGE_IMPORT_MAX_BYTES allows {self.max_bytes:,}. "
                "Cut it into several, or pack it."
            )
        return store, found


def _range(store: ObjectStore, asked: ObjectAddress, start: int, found: _Found) -> bytes:
    stop = min(found.size, start + _RANGE_BYTES)
    options: Any = {"range": (start, stop), **({"if_match": found.e_tag} if found.e_tag else {})}
    with _told(asked):
        result = obstore.get(store, asked.key, options=options)
        now = result.meta
        # A store that does not know If-Match gives the new object's bytes under the new object's tag.
        same = (now["size"], now["e_tag"]) == (found.size, found.e_tag)
        if not same or (found.e_tag is None and now["last_modified"] != found.last_modified):
            raise SourceChanged(_changed(asked))
        piece = bytes(result.bytes())
    if len(piece) != stop - start:
        raise FilesUnavailable(f"Object storage gave {len(piece)} of {stop - start} bytes of {asked}; try again.")
    return piece


@contextlib.contextmanager
def _told(asked: ObjectAddress) -> Iterator[None]:
    """Give errors of the library the words of the house.

    Its own texts repeat requests and replies, in which ids of keys may stand: neither callers nor logs get them.
    """
    try:
        yield
    except (FileNotFoundError, NotFoundError):
        raise SourceMissing(f"There is no object {asked}: check bucket and key, also upper and lower case.") from None
    except PreconditionError:
        raise SourceChanged(_changed(asked)) from None
    except (PermissionDeniedError, UnauthenticatedError, PermissionError):
        raise SourceForbidden(
            f"Object storage does not let the service read {asked}: its operator gives the role or key of "
            "ORGBRIDGE_FILES_* the right to read there (s3:GetObject, or Storage Blob Data Reader)."
        ) from None
    except (BaseError, OSError) as error:
        log.warning("source_unavailable", address=str(asked), error=type(error).__name__)
        raise FilesUnavailable(
            f"Object storage does not serve {asked}: see whether it is up, whether ORGBRIDGE_FILES_ENDPOINT and "
            "ORGBRIDGE_FILES_REGION are right, and whether this machine reaches it; then try again."
        ) from None


def _changed(asked: ObjectAddress) -> str:
    return f"{asked} was replaced while it was read; nothing was kept. Load it again once its writer is done."
