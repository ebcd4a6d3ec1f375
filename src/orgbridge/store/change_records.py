"""Rows of the store that tell how far changes of an org were followed. No SQLAlchemy here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedRecord:
    """How far the changes of one object were followed. All instants but `polled_at` are the org's own."""

    #: Our name of the org.
    org: str
    #: API name of the object.
    sobject: str
    #: `SystemModstamp` of the last change that was taken in; None while the org has had no row.
    watermark: datetime | None = None
    #: Where the present look began; None between two looks. What was made before it is not new.
    run_from: datetime | None = None
    #: Raised by every write: of two workers that think they are the one, one writes.
    version: int = 1
    #: When it was last asked for, by our clock.
    polled_at: datetime
    #: Why the last look saw nothing; None when it did.
    trouble: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRecord:
    """The last state of a record that was told, or that was there when following began."""

    org: str
    sobject: str
    #: 18 characters.
    record_id: str
    #: `SystemModstamp` of that state.
    modstamp: datetime
    #: Its status; empty for none.
    status: str
    #: Whether it was in the recycle bin.
    deleted: bool
    #: Account that it belonged to, of 18 characters; None for none, and where a version before 0017 saw it.
    account_id: str | None = None
