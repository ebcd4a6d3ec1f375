"""Errors of the document store, whichever backend it has.

StoreError
+-- DocumentMissing         no document of that id, or its time is up
+-- DocumentExists          the id is taken
+-- DocumentInvalid         it could not be kept unaltered
+-- DocumentTooLarge        it is larger than a document may be
+-- DocumentsRefused        the store refuses us: key, rights, or a container of another make
+-- RevisionStale
|   +-- DocumentStale       it changed since the caller read it
+-- StoreUnavailable
    +-- DocumentsUnavailable    the store did not answer in time
    +-- DocumentsThrottled      the store has no throughput left for us
"""

from __future__ import annotations

from orgbridge.kit.errors import ErrorKind
from orgbridge.store.errors import RevisionStale, StoreError, StoreUnavailable


class DocumentMissing(StoreError):
    """There is no such document, or its time is up."""

    code = "document.not_found"
    kind = ErrorKind.MISSING


class DocumentExists(StoreError):
    """Another document has this id."""

    code = "document.exists"
    kind = ErrorKind.CONFLICT

    def __init__(self, identifier: str) -> None:
        super().__init__(
            f"There is a document {identifier} already: nothing was written. Choose another id, or replace that one.",
            details=[{"id": identifier, "code": self.code, "message": "taken"}],
        )


class DocumentInvalid(StoreError):
    """The document could not be kept unaltered."""

    code = "document.invalid"
    kind = ErrorKind.INVALID


class DocumentTooLarge(StoreError):
    """The document is larger than a document may be."""

    code = "document.too_large"
    kind = ErrorKind.TOO_LARGE

    def __init__(self, size: int, limit: int) -> None:
        self.size = size
        self.limit = limit
        super().__init__(
            f"The document has {size:,} bytes as JSON and a document may have {limit:,}: nothing was sent. "
            "Cut it into several, or put the file elsewhere and keep its address here."
        )


class DocumentStale(RevisionStale):
    """It was changed since it was read: read it again, and repeat the change on what it is now."""

    code = "document.stale"

    def __init__(self, current_etag: str) -> None:
        self.current_etag = current_etag
        super().__init__(details=[{"etag": current_etag, "message": "the present ETag"}])


class DocumentsRefused(StoreError):
    """The document store refuses this service."""

    code = "document.store_refused"
    kind = ErrorKind.UPSTREAM


class DocumentsUnavailable(StoreUnavailable):
    """The document store did not answer in time.

    Attributes:
        unknown: True when nobody knows whether what was asked was done.
    """

    code = "document.store_unavailable"

    def __init__(self, message: str | None = None, *, unknown: bool = False) -> None:
        self.unknown = unknown
        super().__init__(message)


class DocumentsThrottled(StoreUnavailable):
    """The document store has no throughput left for us; nothing was done.

    Attributes:
        attempts: How often it was asked.
    """

    code = "document.store_throttled"

    def __init__(self, attempts: int, waited_seconds: float, retry_after_seconds: float) -> None:
        self.attempts = attempts
        super().__init__(
            f"The document store has no throughput left: it refused {attempts} times in {waited_seconds:.1f} seconds. "
            "Nothing was done. Try again later, or raise the container's throughput."
        )
        self.retry_after_seconds = retry_after_seconds
