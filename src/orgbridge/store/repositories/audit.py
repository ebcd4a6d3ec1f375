"""The chain of audit entries. Nothing here commits; whoever appends holds the head until the unit ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from orgbridge.store.audit_records import AuditFilter, AuditHead, AuditRecord, CheckpointRecord
from orgbridge.store.audit_tables import audit_checkpoints, audit_entries, audit_head
from orgbridge.store.identity_records import Page
from orgbridge.store.pages import decode_cursor, encode_cursor

_FIELDS = tuple(field.name for field in fields(AuditRecord))
_HEAD = 1


class AuditRepository:
    """Reads and writes the audit within the unit's transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def head(self, *, hold: bool = False) -> AuditHead:
        """Return where the chain ends.

        Args:
            hold: True keeps everybody else from appending until the unit ends.
        """
        query = sa.select(audit_head).where(audit_head.c.id == _HEAD)
        row = (await self._connection.execute(query.with_for_update() if hold else query)).mappings().one()
        return AuditHead(seq=row["seq"], hash=row["hash"])

    async def append(self, records: Sequence[AuditRecord]) -> None:
        """Write entries that follow the head, which the caller holds, and move it to the last of them."""
        await self._connection.execute(
            sa.insert(audit_entries), [{name: getattr(record, name) for name in _FIELDS} for record in records]
        )
        last = records[-1]
        await self._connection.execute(
            sa.update(audit_head).where(audit_head.c.id == _HEAD).values(seq=last.seq, hash=last.hash)
        )

    async def page(self, chosen: AuditFilter, *, cursor: str | None, limit: int) -> Page[AuditRecord]:
        """Return one page of entries, newest first.

        Raises:
            CursorInvalid: The cursor is not one of ours.
        """
        query = sa.select(audit_entries).where(*_conditions(chosen)).order_by(audit_entries.c.seq.desc())
        if cursor is not None:
            text = decode_cursor("audit", cursor, 1)[0]
            query = query.where(audit_entries.c.seq < (int(text) if text.isdecimal() else 0))
        rows = (await self._connection.execute(query.limit(limit + 1))).mappings()
        found = [_record(row) for row in rows]
        items = found[:limit]
        more = len(found) > limit
        return Page(items=items, next_cursor=encode_cursor("audit", str(items[-1].seq)) if more else None)

    async def after(self, seq: int, limit: int, chosen: AuditFilter | None = None) -> list[AuditRecord]:
        """Return entries behind a number, oldest first."""
        query = sa.select(audit_entries).where(audit_entries.c.seq > seq, *_conditions(chosen or AuditFilter()))
        rows = (await self._connection.execute(query.order_by(audit_entries.c.seq).limit(limit))).mappings()
        return [_record(row) for row in rows]

    async def last_before(self, chosen: AuditFilter) -> AuditRecord | None:
        """Return the last entry that a filter takes, None when it takes none."""
        query = sa.select(audit_entries).where(*_conditions(chosen)).order_by(audit_entries.c.seq.desc()).limit(1)
        row = (await self._connection.execute(query)).mappings().first()
        return _record(row) if row is not None else None

    async def before(self, seq: int) -> AuditRecord | None:
        """Return the entry in front of a number, None when there is none."""
        query = sa.select(audit_entries).where(audit_entries.c.seq < seq).order_by(audit_entries.c.seq.desc()).limit(1)
        row = (await self._connection.execute(query)).mappings().first()
        return _record(row) if row is not None else None

    async def checkpoints(self) -> list[CheckpointRecord]:
        """Return all checkpoints, oldest first."""
        rows = (
            await self._connection.execute(sa.select(audit_checkpoints).order_by(audit_checkpoints.c.seq))
        ).mappings()
        return [CheckpointRecord(**dict(row)) for row in rows]

    async def prune(self, checkpoint: CheckpointRecord) -> int:
        """Write a checkpoint, delete all entries up to it, and return how many those were."""
        names = [field.name for field in fields(CheckpointRecord)]
        values = {name: getattr(checkpoint, name) for name in names}
        await self._connection.execute(sa.insert(audit_checkpoints).values(values))
        done = await self._connection.execute(sa.delete(audit_entries).where(audit_entries.c.seq <= checkpoint.seq))
        return int(done.rowcount)


def _conditions(chosen: AuditFilter) -> list[sa.ColumnElement[bool]]:
    columns = audit_entries.c
    found: list[sa.ColumnElement[bool]] = []
    if chosen.actor is not None:
        found.append(sa.or_(columns.actor_id == chosen.actor, columns.actor_name == chosen.actor))
    if chosen.action is not None:
        found.append(
            sa.or_(columns.action == chosen.action, columns.action.startswith(f"{chosen.action}.", autoescape=True))
        )
    for name in ("object_name", "outcome", "request_id"):
        value = getattr(chosen, name)
        if value is not None:
            found.append(columns[name] == value)
    if chosen.since is not None:
        found.append(columns.at >= chosen.since)
    if chosen.until is not None:
        found.append(columns.at < chosen.until)
    return found


def _record(row: sa.RowMapping) -> AuditRecord:
    return AuditRecord(**{name: row[name] for name in _FIELDS})
