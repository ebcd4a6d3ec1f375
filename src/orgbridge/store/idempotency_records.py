"""What the store knows of a call made under an Idempotency-Key."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class KeyState(StrEnum):
    """How far the call under a key has come.

    receiving → working → done, or → unknown. A receiving call has done nothing yet.
    """

    RECEIVING = "receiving"
    WORKING = "working"
    DONE = "done"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class IdempotencyRecord:
    """One call."""

    #: Hash of caller and key.
    id: str
    #: Who called.
    caller_id: str
    #: Hash of the request, None while its body is still coming in.
    fingerprint: str | None
    #: How far it is.
    state: KeyState
    #: Names the one request that does the work.
    holder: str
    #: The holder says again and again that it lives; after this it counts as dead.
    lease_until: datetime
    #: Request that does, or did, the work.
    request_id: str
    #: When it was claimed.
    created_at: datetime
    #: When it is forgotten.
    expires_at: datetime
    #: The reply; None until it is kept.
    status: int | None = None
    #: Header names and values of the reply.
    headers: list[list[str]] | None = None
    #: Body of the reply; None when it was too large to be kept.
    body: bytes | None = field(default=None, repr=False)
