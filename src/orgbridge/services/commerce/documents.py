"""Documents of machines: telemetry readings, KPIs, service notes. Who may see which, and what they look like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from orgbridge.kit.clock import Clock
from orgbridge.kit.identifiers import new_identifier
from orgbridge.kit.json import JSON
from orgbridge.kit.notes import note
from orgbridge.services.commerce.granted_machines import GrantedMachines
from orgbridge.services.cursors import Cursors
from orgbridge.services.errors import InvalidRequest
from orgbridge.services.scopes import Caller
from orgbridge.store.document_records import (
    MAX_BULK,
    Document,
    DocumentDraft,
    DocumentKey,
    DocumentOutcome,
    DocumentPage,
    DocumentQuery,
    Fate,
)
from orgbridge.store.documents import DocumentStore

__all__ = ["MAX_BULK", "DocumentService", "DocumentWish", "document_portrait", "outcome_portrait"]
#: Ids that an audit entry names, at most.
_NOTED = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentWish:
    """What a caller wants kept of a machine."""

    #: What it is: `telemetry`, `kpi`, `note`, or another word.
    kind: str
    #: What it says.
    body: Mapping[str, JSON]
    #: The caller's own id; None has one made.
    id: str | None = None
    #: When it was true; None for now.
    recorded_at: datetime | None = None
    #: When it ends; at most one of the two.
    expires_at: datetime | None = None
    ttl_seconds: int | None = None


class DocumentService:
    """Reads and writes documents of the machines that a caller is granted."""

    def __init__(self, store: DocumentStore, machines: GrantedMachines, cursors: Cursors, clock: Clock) -> None:
        #: Where the documents are kept.
        self.store = store
        self._machines = machines
        self._cursors = cursors
        self._clock = clock

    async def page(
        self,
        caller: Caller,
        organization_id: str,
        machine_id: str,
        *,
        kind: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        oldest_first: bool = False,
        cursor: str | None = None,
        limit: int,
    ) -> DocumentPage:
        """Return one page of a machine's documents, the newest first.

        Args:
            caller: Who asks.
            organization_id: Whose machine it is.
            machine_id: Our machine's id, or its Asset's.
            kind: Of this kind only.
            since: Recorded then or later; without a zone it is UTC.
            until: Recorded earlier than then.
            oldest_first: The oldest first.
            cursor: Of the page before.
            limit: Most documents on the page.

        Raises:
            OrganizationUnknown: There is no such organization.
            NotGranted: The caller is granted nothing of it.
            MachineMissing: There is no such machine, or none that the caller may see.
            InvalidRequest: The cursor was given to somebody else, or the window ends before it begins.
            CursorInvalid: The cursor belongs to another list.
            DocumentInvalid: The window has an instant that no document can have.
            StoreUnavailable: The store does not answer.
        """
        names = await self._machines.names(caller, organization_id, machine_id)
        query = DocumentQuery(
            organization_id=organization_id,
            machine_ids=names,
            kind=kind,
            since=_utc(since),
            until=_utc(until),
            oldest_first=oldest_first,
        )
        if query.since is not None and query.until is not None and query.until <= query.since:
            raise InvalidRequest("`until` lies before `since`: no instant is between them.")
        inner: str | None = None
        if cursor is not None:
            opened = self._cursors.open(caller.user_id, cursor)
            if opened.get("of") != [organization_id, names[0]]:
                raise InvalidRequest("The cursor belongs to another machine: begin without one.")
            inner = str(opened.get("at"))
        page = await self.store.page(query, cursor=inner, limit=limit)
        if page.next_cursor is None:
            return page
        sealed = self._cursors.seal(caller.user_id, {"of": [organization_id, names[0]], "at": page.next_cursor})
        return DocumentPage(items=page.items, next_cursor=sealed)

    async def get(self, caller: Caller, organization_id: str, machine_id: str, document_id: str) -> Document:
        """Return a document.

        Raises:
            OrganizationUnknown: There is no such organization.
            NotGranted: The caller is granted nothing of it.
            MachineMissing: There is no such machine, or none that the caller may see.
            DocumentMissing: The machine has no such document.
            StoreUnavailable: The store does not answer.
        """
        return await self.store.get(await self._key(caller, organization_id, machine_id, document_id))

    async def add(self, caller: Caller, organization_id: str, machine_id: str, wish: DocumentWish) -> Document:
        """Keep a new document.

        Raises:
            OrganizationUnknown: There is no such organization.
            NotGranted: The caller is granted nothing of it.
            MachineMissing: There is no such machine, or none that the caller may see.
            DocumentExists: The id is taken; nothing was written.
            DocumentInvalid: It could not be kept unaltered; nothing was written.
            DocumentTooLarge: It has too many bytes; nothing was written.
            StoreUnavailable: The store does not answer; the message says whether something was written.
        """
        names = await self._machines.names(caller, organization_id, machine_id)
        made = await self.store.add(self._draft(caller, organization_id, names, wish))
        _note([made.id], made.kind)
        return made

    async def put_many(
        self, caller: Caller, organization_id: str, machine_id: str, wishes: Sequence[DocumentWish]
    ) -> list[DocumentOutcome]:
        """Keep documents whether they are there or not, and tell what became of each, in their order.

        Raises:
            OrganizationUnknown: There is no such organization.
            NotGranted: The caller is granted nothing of it.
            MachineMissing: There is no such machine, or none that the caller may see.
            DocumentInvalid: There are too many; nothing was written.
            StoreUnavailable: The store gave up before anything was written.
        """
        names = await self._machines.names(caller, organization_id, machine_id)
        drafts = [self._draft(caller, organization_id, names, wish) for wish in wishes]
        outcomes = await self.store.put_many(organization_id, names, drafts)
        _note([outcome.id for outcome in outcomes if outcome.fate in (Fate.CREATED, Fate.UPDATED)])
        note(fates={fate.value: sum(one.fate is fate for one in outcomes) for fate in Fate})
        return outcomes

    async def replace(
        self,
        caller: Caller,
        organization_id: str,
        machine_id: str,
        document_id: str,
        wish: DocumentWish,
        *,
        expected: str | None,
    ) -> Document:
        """Keep another state of a document.

        Raises:
            OrganizationUnknown: There is no such organization.
            NotGranted: The caller is granted nothing of it.
            MachineMissing: There is no such machine, or none that the caller may see.
            DocumentMissing: The machine has no such document; nothing was written.
            DocumentStale: It has another ETag; nothing was written.
            DocumentInvalid: It could not be kept unaltered; nothing was written.
            DocumentTooLarge: It has too many bytes; nothing was written.
            StoreUnavailable: The store does not answer; the message says whether something was written.
        """
        key = await self._key(caller, organization_id, machine_id, document_id)
        draft = self._draft(caller, organization_id, key.machine_ids, wish, document_id)
        done = await self.store.replace(key, draft, expected=expected)
        _note([done.id], done.kind)
        return done

    async def delete(
        self, caller: Caller, organization_id: str, machine_id: str, document_id: str, *, expected: str | None
    ) -> None:
        """Delete a document.

        Raises:
            OrganizationUnknown: There is no such organization.
            NotGranted: The caller is granted nothing of it.
            MachineMissing: There is no such machine, or none that the caller may see.
            DocumentMissing: The machine has no such document; nothing was deleted.
            DocumentStale: It has another ETag; nothing was deleted.
            StoreUnavailable: The store does not answer; the message says whether something was deleted.
        """
        key = await self._key(caller, organization_id, machine_id, document_id)
        await self.store.delete(key, expected=expected)
        _note([document_id])

    async def _key(self, caller: Caller, organization_id: str, machine_id: str, document_id: str) -> DocumentKey:
        names = await self._machines.names(caller, organization_id, machine_id)
        return DocumentKey(organization_id=organization_id, machine_ids=names, id=document_id)

    def _draft(
        self,
        caller: Caller,
        organization_id: str,
        names: tuple[str, ...],
        wish: DocumentWish,
        document_id: str | None = None,
    ) -> DocumentDraft:
        now = self._clock.now()
        ends = _utc(wish.expires_at)
        if wish.ttl_seconds is not None:
            if ends is not None:
                raise InvalidRequest("Give expires_at or ttl_seconds, not both.")
            ends = now + timedelta(seconds=wish.ttl_seconds)
        return DocumentDraft(
            id=document_id or wish.id or new_identifier("doc", now),
            organization_id=organization_id,
            machine_id=names[0],
            kind=wish.kind,
            recorded_at=_utc(wish.recorded_at) or now,
            body=dict(wish.body),
            created_by=caller.user_id,
            expires_at=ends,
        )


def document_portrait(document: Document) -> dict[str, Any]:
    """Return a document as callers see it."""
    ends = document.expires_at
    return {
        "id": document.id,
        "organization_id": document.organization_id,
        "machine_id": document.machine_id,
        "kind": document.kind,
        "recorded_at": document.recorded_at.isoformat(),
        "body": document.body,
        "created_by": document.created_by,
        "created_at": document.created_at.isoformat(),
        "updated_at": document.updated_at.isoformat(),
        "expires_at": ends.isoformat() if ends is not None else None,
        "etag": document.etag,
    }


def outcome_portrait(outcome: DocumentOutcome) -> dict[str, Any]:
    """Return what became of one document as callers see it."""
    error = outcome.error
    return {
        "id": outcome.id,
        "outcome": outcome.fate.value,
        "success": outcome.fate in (Fate.CREATED, Fate.UPDATED),
        "etag": outcome.etag,
        "code": error.code if error is not None else None,
        "message": error.message if error is not None else None,
        "retryable": error.retryable if error is not None else False,
    }


def _note(ids: list[str], kind: str | None = None) -> None:
    note(ids=ids[:_NOTED])
    if kind is not None:
        note(document_kind=kind)


def _utc(instant: datetime | None) -> datetime | None:
    if instant is None or instant.tzinfo is not None:
        return instant
    return instant.replace(tzinfo=UTC)
