"""Documents in the database. Nothing here commits; what is over is never returned, swept or not."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from orgbridge.store.document_errors import DocumentExists, DocumentMissing, DocumentStale
from orgbridge.store.document_records import (
    MAX_PAGE_BYTES,
    Document,
    DocumentDraft,
    DocumentKey,
    DocumentPage,
    DocumentQuery,
    body_of,
    next_cursor,
    open_cursor,
)
from orgbridge.store.document_tables import documents

_COLUMNS = [column for column in documents.c if column.name != "body_bytes"]


class DocumentRepository:
    """Reads and writes documents within the unit's transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, draft: DocumentDraft, size: int, now: datetime) -> Document:
        """Write a new document; one whose time is up gives way.

        Raises:
            DocumentExists: The id is taken; nothing was written.
        """
        columns = documents.c
        values = _values(draft, size, now) | {"created_by": draft.created_by, "created_at": now}
        insert: Any = postgresql.insert if self._connection.dialect.name == "postgresql" else sqlite.insert
        statement = insert(documents).values(organization_id=draft.organization_id, id=draft.id, **values)
        statement = statement.on_conflict_do_update(
            index_elements=[columns.organization_id, columns.id], set_=values, where=columns.expires_at <= now
        )
        row = (await self._connection.execute(statement.returning(*_COLUMNS))).mappings().first()
        if row is None:
            raise DocumentExists(draft.id)
        return _document(row)

    async def get(self, key: DocumentKey, now: datetime) -> Document | None:
        """Return a document, None when there is none or its time is up."""
        query = sa.select(*_COLUMNS).where(*_at(key), _living(now))
        row = (await self._connection.execute(query)).mappings().first()
        return _document(row) if row is not None else None

    async def replace(
        self, key: DocumentKey, draft: DocumentDraft, size: int, now: datetime, *, expected: str | None
    ) -> Document:
        """Write another state of a document.

        Raises:
            DocumentMissing: There is none; nothing was written.
            DocumentStale: It has another ETag; nothing was written.
        """
        statement = sa.update(documents).where(*_at(key), _living(now), *_expected(expected))
        # The machine stays under the name that the document was written with.
        values = {name: value for name, value in _values(draft, size, now).items() if name != "machine_id"}
        row = (await self._connection.execute(statement.values(values).returning(*_COLUMNS))).mappings().first()
        if row is None:
            raise await self._why_not(key, now, expected)
        return _document(row)

    async def delete(self, key: DocumentKey, now: datetime, *, expected: str | None) -> None:
        """Delete a document.

        Raises:
            DocumentMissing: There is none; nothing was deleted.
            DocumentStale: It has another ETag; nothing was deleted.
        """
        statement = sa.delete(documents).where(*_at(key), _living(now), *_expected(expected))
        if (await self._connection.execute(statement)).rowcount == 0:
            raise await self._why_not(key, now, expected)

    async def page(self, query: DocumentQuery, now: datetime, *, cursor: str | None, limit: int) -> DocumentPage:
        """Return one page of documents.

        Raises:
            CursorInvalid: It is no cursor of this query.
        """
        columns = documents.c
        place = sa.tuple_(columns.recorded_at, columns.id)
        conditions = [
            columns.organization_id == query.organization_id,
            columns.machine_id.in_(query.machine_ids),
            _living(now),
        ]
        if query.kind is not None:
            conditions.append(columns.kind == query.kind)
        if query.since is not None:
            conditions.append(columns.recorded_at >= query.since)
        if query.until is not None:
            conditions.append(columns.recorded_at < query.until)
        if cursor is not None:
            instant, identifier = open_cursor(query, cursor)
            behind = sa.tuple_(sa.literal(instant, columns.recorded_at.type), sa.literal(identifier, columns.id.type))
            conditions.append(place > behind if query.oldest_first else place < behind)
        order = (
            (columns.recorded_at, columns.id) if query.oldest_first else (columns.recorded_at.desc(), columns.id.desc())
        )
        # Names and sizes first, so that no more bodies are read than a page may hold.
        listed = sa.select(columns.id, columns.body_bytes).where(*conditions).order_by(*order).limit(limit + 1)
        rows = (await self._connection.execute(listed)).all()
        chosen: list[str] = []
        total = 0
        for identifier, size in rows[:limit]:
            total += size
            if chosen and total > MAX_PAGE_BYTES:
                break
            chosen.append(identifier)
        if not chosen:
            return DocumentPage(items=[], next_cursor=None)
        whole = sa.select(*_COLUMNS).where(*conditions, columns.id.in_(chosen)).order_by(*order)
        items = [_document(row) for row in (await self._connection.execute(whole)).mappings()]
        more = len(rows) > len(chosen) and bool(items)
        return DocumentPage(items=items, next_cursor=next_cursor(query, items[-1]) if more else None)

    async def sweep(self, now: datetime, limit: int) -> int:
        """Delete documents whose time is up, and return how many."""
        columns = documents.c
        over = sa.select(columns.organization_id, columns.id).where(columns.expires_at <= now).limit(limit)
        statement = sa.delete(documents).where(sa.tuple_(columns.organization_id, columns.id).in_(over))
        return int((await self._connection.execute(statement)).rowcount)

    async def _why_not(self, key: DocumentKey, now: datetime, expected: str | None) -> DocumentMissing | DocumentStale:
        # Without an ETag nothing can be stale: what is there now has come since, from somebody else.
        there = await self.get(key, now) if expected is not None else None
        return DocumentMissing() if there is None else DocumentStale(there.etag)


def _at(key: DocumentKey) -> list[sa.ColumnElement[bool]]:
    columns = documents.c
    return [
        columns.organization_id == key.organization_id,
        columns.id == key.id,
        columns.machine_id.in_(key.machine_ids),
    ]


def _document(row: sa.RowMapping) -> Document:
    return Document(**{**row, "body": body_of(row["body"])})


def _living(now: datetime) -> sa.ColumnElement[bool]:
    return sa.or_(documents.c.expires_at.is_(None), documents.c.expires_at > now)


def _expected(etag: str | None) -> list[sa.ColumnElement[bool]]:
    return [documents.c.etag == etag] if etag is not None else []


def _values(draft: DocumentDraft, size: int, now: datetime) -> dict[str, Any]:
    return {
        "machine_id": draft.machine_id,
        "kind": draft.kind,
        "recorded_at": draft.recorded_at,
        "body": draft.body,
        "body_bytes": size,
        "updated_at": now,
        "etag": secrets.token_hex(16),
        "expires_at": draft.expires_at,
    }
