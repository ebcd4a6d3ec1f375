"""Records of what comes after a part's first sending."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from orgbridge.store.records import PartRecord


class LinkKind(StrEnum):
    """How one load came out of another one."""

    #: It loads the rows again that failed or were not processed.
    RETRY = "retry"
    #: It deletes the records that the other one created.
    UNDO_CREATED = "undo_created"
    #: It gives fields back the values that they had before the other one.
    UNDO_UPDATED = "undo_updated"


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundRecord:
    """Rows of a part in a job of their own."""

    #: 1 for the first.
    round: int
    #: The sending, as if it were a part: `number` is the part's.
    sending: PartRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkRecord:
    """One load that came out of another one."""

    #: The load that was there first.
    parent_id: str
    #: How.
    kind: LinkKind
    #: The load that came out of it.
    child_id: str
    #: When.
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class IntentRecord:
    """A job that is about to be created."""

    #: Our identifier.
    id: str
    #: For which load.
    load_id: str
    #: API name of the object.
    object_name: str
    #: insert, update, ...
    operation: str
    #: Key of an upsert.
    external_id_field: str | None
    #: LF or CRLF.
    line_ending: str
    #: COMMA, TAB, ...
    column_delimiter: str
    #: By our clock.
    begun_at: datetime
    #: Salesforce's answer; None when none came.
    job_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineRecord:
    """Hashes of a source's rows as they were when they were last loaded."""

    #: Hash of what the source is called, its object, operation and key.
    source: str
    #: Where the hashes lie.
    file_key: str
    #: How many.
    rows: int
    #: The load that wrote them last.
    load_id: str
    #: When.
    updated_at: datetime
