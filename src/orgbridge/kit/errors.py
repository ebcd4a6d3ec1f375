"""The one root of every error Orgbridge raises on purpose.

    OrgbridgeError
    +-- each room's own tree (see its errors.py)

An error knows what kind of trouble it is, never an HTTP status: `api` and `cli` each hold one table for that.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, ClassVar


class ErrorKind(StrEnum):
    """What the caller can do about an error."""

    INVALID = "invalid"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    MISSING = "missing"
    CONFLICT = "conflict"
    #: The request contradicts what the caller said before.
    CONTRADICTION = "contradiction"
    #: The caller acts on an old state of the thing.
    STALE = "stale"
    #: The caller did not say which state of the thing it acts on.
    UNCONDITIONAL = "unconditional"
    TOO_LARGE = "too_large"
    LIMITED = "limited"
    UPSTREAM = "upstream"
    UNAVAILABLE = "unavailable"
    INTERNAL = "internal"


class OrgbridgeError(Exception):
    """Something Orgbridge was asked to do could not be done.

    Attributes:
        code: Stable, dotted, lower-case text for machines, e.g. `load.not_found`.
        kind: What the caller can do about it.
        retryable: True when the identical call may succeed later.
        message: One sentence for people: what, where, and how to mend it. Never holds a secret.
        retry_after_seconds: How long to wait before the identical call, when that is known.
        details: JSON-ready items that point at places: `{"line": 12, "field": "Name", "code": ..., "message": ...}`.
    """

    code: ClassVar[str] = "internal"
    kind: ClassVar[ErrorKind] = ErrorKind.INTERNAL
    retryable: ClassVar[bool] = False

    def __init__(self, message: str | None = None, *, details: list[dict[str, Any]] | None = None) -> None:
        self.message = message if message is not None else (type(self).__doc__ or "").split("\n", 1)[0]
        self.details: list[dict[str, Any]] = details or []
        self.retry_after_seconds: float | None = None
        super().__init__(self.message)
