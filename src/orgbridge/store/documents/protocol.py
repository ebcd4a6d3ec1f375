"""What every document store must offer."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

from orgbridge.store.document_records import (
    Document,
    DocumentDraft,
    DocumentKey,
    DocumentOutcome,
    DocumentPage,
    DocumentQuery,
)


class DocumentBackend(StrEnum):
    """Where documents are kept."""

    SQLITE = "sqlite"
    POSTGRESQL = "postgresql"
    COSMOS = "cosmos"


class DocumentStore(Protocol):
    """Documents of machines, parted by organization: no call reaches from one into another.

    A document whose time is up is not there any more, for any call, whether it was swept yet or not. Any call may
    raise `StoreUnavailable` (of Cosmos DB: `DocumentsUnavailable`, `DocumentsThrottled`) and `DocumentsRefused`; their
    messages say whether something was done.
    """

    @property
    def backend(self) -> DocumentBackend:
        """Where documents are kept."""
        ...

    async def add(self, draft: DocumentDraft) -> Document:
        """Write a new document.

        Raises:
            DocumentExists: The id is taken in this organization; nothing was written.
            DocumentInvalid: It could not be kept unaltered; nothing was written.
            DocumentTooLarge: It has too many bytes; nothing was written.
        """
        ...

    async def get(self, key: DocumentKey) -> Document:
        """Return a document.

        Raises:
            DocumentMissing: There is none.
        """
        ...

    async def replace(self, key: DocumentKey, draft: DocumentDraft, *, expected: str | None) -> Document:
        """Write another state of a document: kind, instant, body and end; the rest stays.

        Args:
            key: Which one.
            draft: Its new state.
            expected: The ETag of the state that is to be replaced; None for whichever it is.

        Raises:
            DocumentMissing: There is none; nothing was written.
            DocumentStale: It has another ETag, which the error names; nothing was written.
            DocumentInvalid: It could not be kept unaltered; nothing was written.
            DocumentTooLarge: It has too many bytes; nothing was written.
        """
        ...

    async def delete(self, key: DocumentKey, *, expected: str | None) -> None:
        """Delete a document.

        Raises:
            DocumentMissing: There is none; nothing was deleted.
            DocumentStale: It has another ETag, which the error names; nothing was deleted.
        """
        ...

    async def page(self, query: DocumentQuery, *, cursor: str | None, limit: int) -> DocumentPage:
        """Return one page of documents, by instant and id.

        A document that is there from the first page to the last stands on exactly one of them, whatever is written
        meanwhile.

        Args:
            query: Which ones.
            cursor: `next_cursor` of the page before, or None for the first page.
            limit: Most documents on the page, from 1 to `MAX_PAGE`.

        Raises:
            CursorInvalid: The cursor is not one of this query.
            DocumentInvalid: The page has another size, or the window an instant that no document can have.
        """
        ...

    async def put_many(
        self, organization_id: str, machine_ids: tuple[str, ...], drafts: Sequence[DocumentDraft]
    ) -> list[DocumentOutcome]:
        """Write documents of one machine, whether they are there or not, and tell what became of each.

        Args:
            organization_id: Whose they are.
            machine_ids: The machine, under each name that it has. An id that belongs to a document of another machine
                is taken.
            drafts: At most `MAX_BULK`.

        Returns:
            One outcome per draft, in their order. When the store gives up on the way, the rest is `not_done`.

        Raises:
            DocumentInvalid: Too many, or of another organization; nothing was written.
            StoreUnavailable: The store gave up and nothing was written.
        """
        ...

    async def sweep(self) -> int:
        """Delete some documents whose time is up, and return how many; 0 when the store does so itself."""
        ...

    async def check(self) -> None:
        """See that the store can be used.

        Raises:
            StoreUnavailable: It does not answer.
            DocumentsRefused: It refuses us.
        """
        ...

    async def renew(self, secret: str) -> None:
        """Use another key from now on; of no effect on a store that has none of its own."""
        ...

    async def close(self) -> None:
        """Close what the store opened itself."""
        ...
