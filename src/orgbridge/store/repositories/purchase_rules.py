"""How organizations decide about purchase orders, their documents and their approval links. Nothing here commits."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from orgbridge.store.constraints import checked
from orgbridge.store.errors import NameTaken, ReferenceMissing, RevisionStale
from orgbridge.store.purchase_order_records import ApprovalLinkRecord, PurchaseDocumentRecord, PurchaseRulesRecord
from orgbridge.store.purchase_order_tables import (
    approval_links,
    purchase_approvers,
    purchase_order_documents,
    purchase_rules,
)

_DOCUMENT = tuple(field.name for field in fields(PurchaseDocumentRecord))
_LINK = tuple(field.name for field in fields(ApprovalLinkRecord))


class PurchaseRulesRepository:
    """Reads and writes rules and approvers within the unit's transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def get(self, organization_id: str) -> PurchaseRulesRecord | None:
        """Return the rules of an organization, or None when it has none of its own."""
        query = sa.select(purchase_rules).where(purchase_rules.c.organization_id == organization_id)
        row = (await self._connection.execute(query)).mappings().first()
        if row is None:
            return None
        columns = purchase_approvers.c
        query = sa.select(columns.user_id).where(columns.organization_id == organization_id).order_by(columns.user_id)
        approvers = tuple((await self._connection.execute(query)).scalars())
        return PurchaseRulesRecord(approvers=approvers, **dict(row))

    async def put(self, rules: PurchaseRulesRecord, *, expected: str | None) -> None:
        """Write the rules of an organization in place of those it had.

        Args:
            rules: The new ones.
            expected: The revision that the old ones must have, empty when there must be none; None for any.

        Raises:
            RevisionStale: They were changed since; nothing was written.
            ReferenceMissing: There is no such organization, or an approver is no user; nothing was written.
        """
        organization_id = rules.organization_id
        values: dict[str, Any] = {
            name: getattr(rules, name)
            for name in ("limits", "free_up_to", "expires_days", "remind_days", "revision", "updated_at")
        }
        missing = ReferenceMissing("There is no such organization, or one of the approvers is no user any more.")
        async with checked(self._connection, taken=NameTaken(), missing=missing):
            where = [purchase_rules.c.organization_id == organization_id]
            if expected:
                where.append(purchase_rules.c.revision == expected)
            changed = 0
            if expected != "":
                done = await self._connection.execute(sa.update(purchase_rules).where(*where).values(values))
                changed = int(done.rowcount)
            if not changed:
                if expected or await self.get(organization_id) is not None:
                    raise RevisionStale
                await self._connection.execute(
                    sa.insert(purchase_rules).values(organization_id=organization_id, **values)
                )
            columns = purchase_approvers.c
            await self._connection.execute(
                sa.delete(purchase_approvers).where(columns.organization_id == organization_id)
            )
            if rules.approvers:
                await self._connection.execute(
                    sa.insert(purchase_approvers),
                    [{"organization_id": organization_id, "user_id": user} for user in rules.approvers],
                )


class PurchaseDocumentRepository:
    """Reads and writes what is known of documents within the unit's transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def latest(self, order_id: str) -> PurchaseDocumentRecord | None:
        """Return the document of an order that was last sent whole, or None."""
        columns = purchase_order_documents.c
        query = (
            sa.select(purchase_order_documents)
            .where(columns.order_id == order_id, columns.link_id.is_not(None))
            .order_by(columns.updated_at.desc())
            .limit(1)
        )
        row = (await self._connection.execute(query)).mappings().first()
        return PurchaseDocumentRecord(**dict(row)) if row is not None else None

    async def claim(
        self, record: PurchaseDocumentRecord, now: datetime, until: datetime
    ) -> PurchaseDocumentRecord | None:
        """Take the sending of a file in hand and return what is known of it; None when somebody else has it."""
        columns = purchase_order_documents.c
        mine = (columns.order_id == record.order_id, columns.sha256 == record.sha256)
        free = sa.or_(columns.claimed_until.is_(None), columns.claimed_until <= now)
        done = await self._connection.execute(
            sa.update(purchase_order_documents).where(*mine, free).values(claimed_until=until)
        )
        if not done.rowcount:
            values = {name: getattr(record, name) for name in _DOCUMENT} | {"claimed_until": until}
            try:
                async with checked(self._connection):
                    await self._connection.execute(sa.insert(purchase_order_documents).values(values))
            except NameTaken:
                return None
        row = (await self._connection.execute(sa.select(purchase_order_documents).where(*mine))).mappings().one()
        return PurchaseDocumentRecord(**dict(row))

    async def settle(self, record: PurchaseDocumentRecord, **changes: Any) -> None:
        """Let go of a file and set columns of it."""
        columns = purchase_order_documents.c
        await self._connection.execute(
            sa.update(purchase_order_documents)
            .where(columns.order_id == record.order_id, columns.sha256 == record.sha256)
            .values(claimed_until=None, **changes)
        )


class ApprovalLinkRepository:
    """Reads and writes hashes of approval links within the unit's transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, record: ApprovalLinkRecord) -> None:
        """Write a new link."""
        await self._connection.execute(
            sa.insert(approval_links).values({name: getattr(record, name) for name in _LINK})
        )

    async def get(self, token_hash: str) -> ApprovalLinkRecord | None:
        """Return a link, or None when there is none."""
        query = sa.select(approval_links).where(approval_links.c.token_hash == token_hash)
        row = (await self._connection.execute(query)).mappings().first()
        return ApprovalLinkRecord(**dict(row)) if row is not None else None

    async def use(self, token_hash: str, now: datetime) -> bool:
        """Use a link up. False when it was used before or its time is over."""
        columns = approval_links.c
        done = await self._connection.execute(
            sa.update(approval_links)
            .where(columns.token_hash == token_hash, columns.used_at.is_(None), columns.expires_at > now)
            .values(used_at=now)
        )
        return bool(done.rowcount)

    async def forget(self, before: datetime) -> int:
        """Delete links whose time was over before an instant; return how many."""
        done = await self._connection.execute(sa.delete(approval_links).where(approval_links.c.expires_at < before))
        return int(done.rowcount)
