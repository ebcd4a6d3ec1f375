"""Documents of machines as values: telemetry readings, KPIs, service notes; what may be kept, and in which form.

One form for all backends, so that what one of them keeps another one takes.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from orgbridge.kit.errors import OrgbridgeError
from orgbridge.kit.json import JSON, dumps
from orgbridge.store.document_errors import DocumentInvalid, DocumentTooLarge
from orgbridge.store.errors import CursorInvalid
from orgbridge.store.pages import decode_cursor, encode_cursor

#: Cosmos DB takes 2 MB of JSON per item, its own properties included; a little is left for those.
#: Source: Azure Cosmos DB service quotas, "Per-item limits", read 2026-11-22.
MAX_DOCUMENT_BYTES = 2_000_000
#: Documents of one bulk upsert, and of one page.
MAX_BULK, MAX_PAGE = 500, 200
#: Bytes of bodies on one page: it ends early rather than grow.
MAX_PAGE_BYTES = 4 * MAX_DOCUMENT_BYTES
#: Cosmos DB takes 128 levels, and ours lie below a few of its own.
MAX_DEPTH = 64
#: Beyond, numbers lose digits in a store that keeps them as doubles.
MAX_INTEGER = 2**53 - 1
#: Cosmos DB takes no `/`, `\`, `?` or `#` in an id; the rest would have to be escaped in addresses.
_ID = re.compile(r"[A-Za-z0-9_.~-]{1,128}\Z")
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}\Z")
_OLDEST, _NEWEST = datetime(1900, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One document as it is kept."""

    #: Unique within the organization.
    id: str
    #: Whose it is: the partition.
    organization_id: str
    #: The machine it tells of.
    machine_id: str
    #: What it is: `telemetry`, `kpi`, `note`, or another word of the caller's.
    kind: str
    #: When it was true.
    recorded_at: datetime
    #: What it says: a JSON object.
    body: dict[str, JSON]
    #: Who wrote it first.
    created_by: str
    #: When it was written first.
    created_at: datetime
    #: When it was written last.
    updated_at: datetime
    #: Names this state of it; another one after every write.
    etag: str
    #: When it ends by itself; None for never.
    expires_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentDraft:
    """What somebody wants kept."""

    #: Unique within the organization; the caller's own, or made.
    id: str
    #: Whose it is.
    organization_id: str
    #: The machine it tells of.
    machine_id: str
    #: What it is.
    kind: str
    #: When it was true.
    recorded_at: datetime
    #: What it says.
    body: dict[str, JSON]
    #: Who writes it; of no effect on a document that is there.
    created_by: str
    #: When it ends by itself; None for never.
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentKey:
    """Where a document is."""

    #: Whose it is.
    organization_id: str
    #: The machine, under each name that it has: its own id, its Asset's.
    machine_ids: tuple[str, ...]
    #: Its id.
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentQuery:
    """Which documents are asked for. None is any."""

    #: Whose they are.
    organization_id: str
    #: The machine, under each name that it has.
    machine_ids: tuple[str, ...]
    #: Of this kind.
    kind: str | None = None
    #: Recorded then or later.
    since: datetime | None = None
    #: Recorded earlier than then.
    until: datetime | None = None
    #: The oldest first; else the newest.
    oldest_first: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentPage:
    """One page of documents."""

    #: Not more than were asked for; fewer when they are large.
    items: list[Document]
    #: Leads to the next page; None behind the last one.
    next_cursor: str | None


class Fate(StrEnum):
    """What became of one document of a bulk upsert."""

    CREATED = "created"
    UPDATED = "updated"
    #: Not written; the error says why.
    REFUSED = "refused"
    #: Not written: the store had no time for it.
    NOT_DONE = "not_done"
    #: Nobody knows whether it was written.
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentOutcome:
    """What became of one document of a bulk upsert, in the order that they were given."""

    #: The document's id.
    id: str
    #: What became of it.
    fate: Fate
    #: Its ETag now, when it was written.
    etag: str | None = None
    #: Why it was not.
    error: OrgbridgeError | None = None


def instant_text(instant: datetime) -> str:
    """Return an instant in UTC in 27 characters that sort as time does."""
    return f"{instant.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def parse_instant(text: str) -> datetime:
    """Return the instant that `instant_text` wrote."""
    return datetime.fromisoformat(text.removesuffix("Z")).replace(tzinfo=UTC)


def place_of(recorded_at: datetime, identifier: str) -> str:
    """Return a text by which documents stand in the order of their instants, and of their ids within one."""
    return f"{instant_text(recorded_at)}~{identifier}"


def is_over(expires_at: datetime | None, now: datetime) -> bool:
    """Tell whether a document's time is up."""
    return expires_at is not None and expires_at <= now


def check_draft(draft: DocumentDraft, now: datetime) -> int:
    """See that a document can be kept unaltered by every backend, and return its bytes as JSON.

    Raises:
        DocumentInvalid: A name, an instant or a value in it cannot be kept; the message names the place.
        DocumentTooLarge: It has too many bytes.
    """
    if not _ID.match(draft.id):
        raise DocumentInvalid("id has 1 to 128 letters, digits, dots, dashes, tildes and underscores.")
    for name in ("organization_id", "machine_id", "kind"):
        if not _NAME.match(getattr(draft, name)):
            raise DocumentInvalid(f"{name} has 1 to 64 letters, digits, dots, dashes and underscores.")
    _check_instant("recorded_at", draft.recorded_at)
    if draft.expires_at is not None:
        _check_instant("expires_at", draft.expires_at)
        if draft.expires_at <= now:
            raise DocumentInvalid("expires_at is over already: the document would be gone at once.")
    if not isinstance(draft.body, dict):
        raise DocumentInvalid("body is a JSON object.")
    _check_value(draft.body, "body", 1)
    size = len(dumps(item_of(draft, created_at=now, updated_at=now)))
    if size > MAX_DOCUMENT_BYTES:
        raise DocumentTooLarge(size, MAX_DOCUMENT_BYTES)
    return size


def check_page(query: DocumentQuery, limit: int) -> None:
    """See that a page can be asked for.

    Raises:
        DocumentInvalid: Its size is not served, or the window has an instant that no document can have.
    """
    for name, instant in (("since", query.since), ("until", query.until)):
        if instant is not None:
            _check_instant(name, instant)
    if not 1 <= limit <= MAX_PAGE:
        raise DocumentInvalid(f"A page has 1 to {MAX_PAGE} documents.")


def refusals(organization_id: str, drafts: Sequence[DocumentDraft], now: datetime) -> dict[int, DocumentOutcome]:
    """Return what becomes of the documents of one bulk upsert that cannot be written, by places; the others can.

    Raises:
        DocumentInvalid: There are too many of them, or they belong to another organization.
    """
    if len(drafts) > MAX_BULK:
        raise DocumentInvalid(f"One call takes {MAX_BULK} documents, and these are {len(drafts)}: nothing was written.")
    if any(draft.organization_id != organization_id for draft in drafts):
        raise DocumentInvalid("The documents of one call belong to one organization: nothing was written.")
    found: dict[int, DocumentOutcome] = {}
    seen: set[str] = set()
    for place, draft in enumerate(drafts):
        try:
            check_draft(draft, now)
            if draft.id in seen:
                raise DocumentInvalid(f"The id {draft.id} stands before in the same call.")
        except (DocumentInvalid, DocumentTooLarge) as error:
            found[place] = DocumentOutcome(id=draft.id, fate=Fate.REFUSED, error=error)
        seen.add(draft.id)
    return found


def item_of(draft: DocumentDraft, *, created_at: datetime, updated_at: datetime) -> dict[str, JSON]:
    """Return a document as the JSON object that a document database keeps."""
    return {
        "id": draft.id,
        "organization_id": draft.organization_id,
        "machine_id": draft.machine_id,
        "kind": draft.kind,
        "recorded_at": instant_text(draft.recorded_at),
        "place": place_of(draft.recorded_at, draft.id),
        "body": draft.body,
        "created_by": draft.created_by,
        "created_at": instant_text(created_at),
        "updated_at": instant_text(updated_at),
        "expires_at": instant_text(draft.expires_at) if draft.expires_at is not None else None,
    }


def document_of(item: dict[str, Any], etag: str) -> Document:
    """Return the document that an item of a document database is."""
    ends = item.get("expires_at")
    return Document(
        id=item["id"],
        organization_id=item["organization_id"],
        machine_id=item["machine_id"],
        kind=item["kind"],
        recorded_at=parse_instant(item["recorded_at"]),
        body=body_of(item["body"]),
        created_by=item["created_by"],
        created_at=parse_instant(item["created_at"]),
        updated_at=parse_instant(item["updated_at"]),
        etag=etag,
        expires_at=parse_instant(ends) if ends is not None else None,
    )


def body_of(kept: dict[str, JSON]) -> dict[str, JSON]:
    """Return a body as it was written, from what a store gave back.

    No whole number beyond `MAX_INTEGER` was taken: one that comes back is a float, which JSONB of PostgreSQL and Cosmos
    DB write without a point.
    """
    return {name: _value_of(value) for name, value in kept.items()}


def _value_of(value: JSON) -> JSON:
    match value:
        case bool():
            return value
        case int() if abs(value) > MAX_INTEGER:
            return float(value)
        case dict():
            return {name: _value_of(inner) for name, inner in value.items()}
        case list():
            return [_value_of(inner) for inner in value]
        case _:
            return value


def next_cursor(query: DocumentQuery, last: Document) -> str:
    """Return the cursor that leads behind a document, for the same query only."""
    return encode_cursor("documents", _digest(query), instant_text(last.recorded_at), last.id)


def open_cursor(query: DocumentQuery, cursor: str) -> tuple[datetime, str]:
    """Return instant and id of the document that a page goes on behind.

    Raises:
        CursorInvalid: It is no cursor of this query.
    """
    digest, instant, identifier = decode_cursor("documents", cursor, 3)
    if digest != _digest(query) or not _ID.match(identifier):
        raise CursorInvalid("The cursor belongs to another list: keep kind, since, until and order as they were.")
    try:
        return parse_instant(instant), identifier
    except ValueError as error:
        raise CursorInvalid from error


def _digest(query: DocumentQuery) -> str:
    # The names of the machine are left out: it may get another one between two pages.
    window = [instant_text(at) if at is not None else None for at in (query.since, query.until)]
    asked = [query.organization_id, query.kind, *window, query.oldest_first]
    return hashlib.sha256(dumps(asked)).hexdigest()[:16]


def _check_instant(name: str, instant: datetime) -> None:
    if instant.tzinfo is None:
        raise DocumentInvalid(f"{name} has no time zone.")
    if not _OLDEST <= instant < _NEWEST:
        raise DocumentInvalid(f"{name} lies between the years 1900 and 9000.")


def _check_value(value: JSON, where: str, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise DocumentInvalid(f"body is nested deeper than {MAX_DEPTH} levels.")
    match value:
        case None | bool():
            return
        case str():
            _check_text(value, where)
        case int():
            if abs(value) > MAX_INTEGER:
                raise DocumentInvalid(f"{where} has more digits than a JSON number keeps: write it as a text.")
        case float():
            if not math.isfinite(value):
                raise DocumentInvalid(f"{where} is no number that JSON knows.")
        case dict():
            for name, inner in value.items():
                if not isinstance(name, str):
                    raise DocumentInvalid(f"A name in {where} is no text.")
                _check_text(name, f"A name in {where}")
                _check_value(inner, f"{where}.{name}"[:200], depth + 1)
        case list():
            for place, inner in enumerate(value):
                _check_value(inner, f"{where}[{place}]"[:200], depth + 1)
        case _:
            raise DocumentInvalid(f"{where} has no JSON form.")


def _check_text(text: str, where: str) -> None:
    # PostgreSQL keeps no NUL, UTF-8 no half of a surrogate pair.
    if "\x00" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise DocumentInvalid(f"{where} holds a character that cannot be kept: NUL, or half of a surrogate pair.")
