"""Documents in the database of everything else: SQLite, or JSONB of PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence

from orgbridge.kit.clock import Clock
from orgbridge.kit.errors import OrgbridgeError
from orgbridge.kit.json import dumps
from orgbridge.store.database import Database, Unit
from orgbridge.store.document_errors import DocumentExists, DocumentMissing
from orgbridge.store.document_records import (
    Document,
    DocumentDraft,
    DocumentKey,
    DocumentOutcome,
    DocumentPage,
    DocumentQuery,
    Fate,
    check_draft,
    check_page,
    refusals,
)
from orgbridge.store.documents.protocol import DocumentBackend
from orgbridge.store.errors import StoreUnavailable

#: Documents of one transaction of a bulk upsert: SQLite has one writer, and others want to write as well.
_AT_ONCE = 50
#: Documents deleted by one sweep.
_SWEPT_AT_ONCE = 1_000


class SQLDocuments:
    """A document store in the database."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    @property
    def backend(self) -> DocumentBackend:
        """Where documents are kept."""
        return DocumentBackend.SQLITE if self._database.address.is_sqlite else DocumentBackend.POSTGRESQL

    async def add(self, draft: DocumentDraft) -> Document:
        """Write a new document; see `DocumentStore.add`."""
        now = self._clock.now()
        size = check_draft(draft, now)
        async with self._database.unit() as unit:
            return await unit.documents.add(draft, size, now)

    async def get(self, key: DocumentKey) -> Document:
        """Return a document; see `DocumentStore.get`."""
        async with self._database.unit(write=False) as unit:
            found = await unit.documents.get(key, self._clock.now())
        if found is None:
            raise DocumentMissing
        return found

    async def replace(self, key: DocumentKey, draft: DocumentDraft, *, expected: str | None) -> Document:
        """Write another state of a document; see `DocumentStore.replace`."""
        now = self._clock.now()
        size = check_draft(draft, now)
        async with self._database.unit() as unit:
            return await unit.documents.replace(key, draft, size, now, expected=expected)

    async def delete(self, key: DocumentKey, *, expected: str | None) -> None:
        """Delete a document; see `DocumentStore.delete`."""
        async with self._database.unit() as unit:
            await unit.documents.delete(key, self._clock.now(), expected=expected)

    async def page(self, query: DocumentQuery, *, cursor: str | None, limit: int) -> DocumentPage:
        """Return one page of documents; see `DocumentStore.page`."""
        check_page(query, limit)
        async with self._database.unit(write=False) as unit:
            return await unit.documents.page(query, self._clock.now(), cursor=cursor, limit=limit)

    async def put_many(
        self, organization_id: str, machine_ids: tuple[str, ...], drafts: Sequence[DocumentDraft]
    ) -> list[DocumentOutcome]:
        """Write documents whether they are there or not; see `DocumentStore.put_many`."""
        refused = refusals(organization_id, drafts, self._clock.now())
        outcomes = dict(refused)
        # In the order of their ids: two calls that write the same documents then wait for each other and never both.
        places = sorted((place for place in range(len(drafts)) if place not in refused), key=lambda at: drafts[at].id)
        chunks = [places[start : start + _AT_ONCE] for start in range(0, len(places), _AT_ONCE)]
        written = False
        gone: StoreUnavailable | None = None
        for chunk in chunks:
            fate = Fate.NOT_DONE
            if gone is None:
                done: dict[int, DocumentOutcome] = {}
                try:
                    async with self._database.unit() as unit:
                        for place in chunk:
                            done[place] = await self._put(unit, machine_ids, drafts[place])
                        # From here on only the answer to the commit can be lost.
                        fate = Fate.UNKNOWN
                    outcomes |= done
                    written = True
                    continue
                except StoreUnavailable as error:
                    gone = error
                    written = written or fate is Fate.UNKNOWN
            for place in chunk:
                outcomes[place] = DocumentOutcome(id=drafts[place].id, fate=fate, error=gone)
        if gone is not None and not written:
            raise gone
        return [outcomes[place] for place in range(len(drafts))]

    async def _put(self, unit: Unit, machine_ids: tuple[str, ...], draft: DocumentDraft) -> DocumentOutcome:
        now = self._clock.now()
        size = len(dumps(draft.body))
        key = DocumentKey(organization_id=draft.organization_id, machine_ids=machine_ids, id=draft.id)
        error: OrgbridgeError | None = None
        # Twice: between the update that finds none and the insert that finds one, somebody else may have written it.
        for _ in range(2):
            try:
                done = await unit.documents.replace(key, draft, size, now, expected=None)
                return DocumentOutcome(id=draft.id, fate=Fate.UPDATED, etag=done.etag)
            except DocumentMissing:
                pass
            try:
                done = await unit.documents.add(draft, size, now)
                return DocumentOutcome(id=draft.id, fate=Fate.CREATED, etag=done.etag)
            except DocumentExists as taken:
                error = taken
        return DocumentOutcome(id=draft.id, fate=Fate.REFUSED, error=error)

    async def sweep(self) -> int:
        """Delete some documents whose time is up, and return how many."""
        async with self._database.unit() as unit:
            return await unit.documents.sweep(self._clock.now(), _SWEPT_AT_ONCE)

    async def check(self) -> None:
        """See that the table can be read; see `DocumentStore.check`."""
        async with self._database.unit(write=False) as unit:
            await unit.documents.get(DocumentKey(organization_id="-", machine_ids=("-",), id="-"), self._clock.now())

    async def renew(self, secret: str) -> None:
        """Do nothing: the store has no key of its own."""

    async def close(self) -> None:
        """Do nothing: the database is everybody's."""
