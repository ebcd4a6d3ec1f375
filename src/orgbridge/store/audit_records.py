"""Rows of the audit."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRecord:
    """One link of the chain."""

    #: 1, 2, 3, ... without a gap.
    seq: int
    #: When it happened.
    at: datetime
    #: Who did it; empty for nobody known.
    actor_id: str
    #: That user's name.
    actor_name: str
    #: What was done, e.g. `records.create_record`.
    action: str
    #: To what kind of thing.
    object_name: str
    #: succeeded, refused, failed or unknown.
    outcome: str
    #: Id of the request.
    request_id: str
    #: Everything, as canonical JSON.
    content: str = field(repr=False)
    #: SHA-256 of the former hash and the content.
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditHead:
    """Where the chain ends."""

    #: Number of the last entry, 0 for none.
    seq: int
    #: Its hash; of no entry: 64 zeros.
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointRecord:
    """The last entry of a piece that was pruned."""

    #: Its number.
    seq: int
    #: Its hash.
    hash: str
    #: When it was pruned.
    made_at: datetime
    #: Public key that signed.
    jwk: dict[str, Any]
    #: A JWS over number, hash and instant.
    signature: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """Which entries; None is any."""

    #: User id or name.
    actor: str | None = None
    #: The action, or its first part, e.g. `records`.
    action: str | None = None
    #: The kind of thing.
    object_name: str | None = None
    #: succeeded, refused, failed or unknown.
    outcome: str | None = None
    #: Id of the request.
    request_id: str | None = None
    #: Not before.
    since: datetime | None = None
    #: Before.
    until: datetime | None = None
