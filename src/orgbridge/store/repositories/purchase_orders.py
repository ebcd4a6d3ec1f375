"""Purchase orders, their steps and what is said of them. Nothing here commits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from orgbridge.store.constraints import checked
from orgbridge.store.errors import NameTaken
from orgbridge.store.identity_records import Page
from orgbridge.store.pages import decode_cursor, encode_cursor
from orgbridge.store.purchase_order_records import (
    MirrorState,
    PurchaseCommentRecord,
    PurchaseFilter,
    PurchaseLine,
    PurchaseOrderRecord,
    StepRecord,
)
from orgbridge.store.purchase_order_states import PurchaseState, PurchaseStep
from orgbridge.store.purchase_order_tables import (
    purchase_approvers,
    purchase_order_comments,
    purchase_order_steps,
    purchase_orders,
)

_FIELDS = tuple(field.name for field in fields(PurchaseOrderRecord))
_AMOUNTS = ("quantity", "unit_price", "total")
_LIST = "purchase_orders"
#: Tries of the mirror after which only a person's call begins anew.
_MIRROR_TRIES = 200


class PurchaseOrderRepository:
    """Reads and writes purchase orders within the unit's transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, record: PurchaseOrderRecord, first: StepRecord) -> None:
        """Write a new purchase order with the first line of its history.

        Raises:
            NameTaken: Another one of the organization bears the number; nothing was written.
            ReferenceMissing: There is no such organization; nothing was written.
        """
        taken = NameTaken(f"The purchase order number {record.number!r} is in use in this organization.")
        async with checked(self._connection, taken=taken):
            await self._connection.execute(sa.insert(purchase_orders).values(_values(record)))
        await self.add_step(first)

    async def add_step(self, step: StepRecord) -> None:
        """Write a line of an order's history."""
        names = [field.name for field in fields(StepRecord)]
        values = {name: getattr(step, name) for name in names}
        await self._connection.execute(sa.insert(purchase_order_steps).values(values))

    async def get(self, key: str) -> PurchaseOrderRecord | None:
        """Return an order by our id, its UUID or Salesforce's id, or None when there is none."""
        columns = purchase_orders.c
        query = sa.select(purchase_orders).where(
            sa.or_(columns.id == key, columns.uuid == key.lower(), columns.mirror_record_id == key)
        )
        row = (await self._connection.execute(query.limit(1))).mappings().first()
        return _record(row) if row is not None else None

    async def move(self, order_id: str, *, expected: int, state: PurchaseState, **changes: Any) -> bool:
        """Let an order take a step: the one compare-and-set of every change of state.

        Args:
            order_id: Which.
            expected: The version that it must still have; it gets the next one.
            state: The new state.
            changes: Further columns by their names in the record.

        Returns:
            False when somebody else was faster; nothing was changed then.
        """
        if "order_ids" in changes:
            changes["order_ids"] = list(changes["order_ids"])
        columns = purchase_orders.c
        done = await self._connection.execute(
            sa.update(purchase_orders)
            .where(columns.id == order_id, columns.version == expected)
            .values(state=state.value, version=expected + 1, **changes)
        )
        return bool(done.rowcount)

    async def take_over(self, order_id: str, now: datetime, until: datetime, version: int) -> bool:
        """Go on with a placement whose process is gone, and raise the version. False when somebody is at it."""
        columns = purchase_orders.c
        done = await self._connection.execute(
            sa.update(purchase_orders)
            .where(
                columns.id == order_id,
                columns.version == version,
                columns.state == PurchaseState.ORDERING.value,
                columns.ordering_until <= now,
            )
            .values(ordering_until=until, version=version + 1)
        )
        return bool(done.rowcount)

    async def hold(self, order_id: str, version: int, until: datetime | None = None) -> bool:
        """Go on being at work on a placement. False when it is somebody else's, or has ended.

        Args:
            order_id: Of which order.
            version: What it was when the work was taken in hand.
            until: How long nobody else may take it; None as before. Until the transaction ends nobody does.
        """
        columns = purchase_orders.c
        done = await self._connection.execute(
            sa.update(purchase_orders)
            .where(columns.id == order_id, columns.version == version, columns.state == PurchaseState.ORDERING.value)
            .values(ordering_until=columns.ordering_until if until is None else until)
        )
        return bool(done.rowcount)

    async def let_go(self, order_id: str, version: int, now: datetime) -> None:
        """Note that no process is at work on a placement any more, whose outcome is open."""
        columns = purchase_orders.c
        await self._connection.execute(
            sa.update(purchase_orders)
            .where(columns.id == order_id, columns.version == version, columns.state == PurchaseState.ORDERING.value)
            .values(ordering_until=now)
        )

    async def left_ordering(self, now: datetime, after_id: str, limit: int) -> list[PurchaseOrderRecord]:
        """Return orders, by their ids, whose placement was begun and that no process is at work on."""
        columns = purchase_orders.c
        query = (
            sa.select(purchase_orders)
            .where(
                columns.id > after_id,
                columns.state == PurchaseState.ORDERING.value,
                columns.ordering_until <= now,
            )
            .order_by(columns.id)
            .limit(limit)
        )
        return [_record(row) for row in (await self._connection.execute(query)).mappings()]

    async def page(self, chosen: PurchaseFilter, *, cursor: str | None, limit: int) -> Page[PurchaseOrderRecord]:
        """Return one page of orders, newest first.

        Raises:
            CursorInvalid: The cursor is not one of this list.
        """
        columns = purchase_orders.c
        query = sa.select(purchase_orders).where(*_conditions(chosen))
        if cursor is not None:
            query = query.where(columns.id < decode_cursor(_LIST, cursor, 1)[0])
        # Identifiers of ours sort by time.
        query = query.order_by(columns.id.desc()).limit(limit + 1)
        found = [_record(row) for row in (await self._connection.execute(query)).mappings()]
        items, more = found[:limit], len(found) > limit
        return Page(items=items, next_cursor=encode_cursor(_LIST, items[-1].id) if more else None)

    async def steps(self, order_id: str) -> list[StepRecord]:
        """Return an order's history, oldest first."""
        columns = purchase_order_steps.c
        query = sa.select(purchase_order_steps).where(columns.order_id == order_id).order_by(columns.version)
        return [_step(row) for row in (await self._connection.execute(query)).mappings()]

    async def add_comment(self, comment: PurchaseCommentRecord) -> None:
        """Write a comment."""
        names = [field.name for field in fields(PurchaseCommentRecord)]
        await self._connection.execute(
            sa.insert(purchase_order_comments).values({name: getattr(comment, name) for name in names})
        )

    async def comments(self, order_id: str, limit: int) -> list[PurchaseCommentRecord]:
        """Return the last comments on an order, oldest first."""
        columns = purchase_order_comments.c
        query = (
            sa.select(purchase_order_comments)
            .where(columns.order_id == order_id)
            .order_by(columns.id.desc())
            .limit(limit)
        )
        rows = (await self._connection.execute(query)).mappings()
        return [PurchaseCommentRecord(**dict(row)) for row in rows][::-1]

    async def past_their_time(self, now: datetime, limit: int) -> list[PurchaseOrderRecord]:
        """Return orders that end by themselves now, the longest overdue first."""
        columns = purchase_orders.c
        return await self._due(
            columns.state.in_([PurchaseState.PENDING.value, PurchaseState.APPROVED.value]),
            columns.expires_at,
            now,
            limit,
        )

    async def to_remind(self, now: datetime, limit: int) -> list[PurchaseOrderRecord]:
        """Return orders whose approvers are to be reminded now."""
        columns = purchase_orders.c
        return await self._due(columns.state == PurchaseState.PENDING.value, columns.remind_at, now, limit)

    async def reminded(self, order_id: str, seen: datetime, next_at: datetime) -> bool:
        """Note that approvers are reminded. False when somebody else did so, or there is nothing to decide."""
        columns = purchase_orders.c
        done = await self._connection.execute(
            sa.update(purchase_orders)
            .where(columns.id == order_id, columns.state == PurchaseState.PENDING.value, columns.remind_at == seen)
            .values(remind_at=next_at)
        )
        return bool(done.rowcount)

    async def to_mirror(self, now: datetime, limit: int) -> list[PurchaseOrderRecord]:
        """Return orders of which Salesforce is to be told now."""
        columns = purchase_orders.c
        waiting = sa.and_(columns.mirror_state == MirrorState.PENDING.value, columns.mirror_attempts < _MIRROR_TRIES)
        return await self._due(waiting, columns.mirror_at, now, limit)

    async def begin_mirror(self, order: PurchaseOrderRecord, until: datetime) -> bool:
        """Take the telling of Salesforce in hand until an instant. False when somebody else has it."""
        columns = purchase_orders.c
        done = await self._connection.execute(
            sa.update(purchase_orders)
            .where(
                columns.id == order.id,
                columns.version == order.version,
                columns.mirror_attempts == order.mirror_attempts,
            )
            .values(mirror_at=until, mirror_attempts=columns.mirror_attempts + 1)
        )
        return bool(done.rowcount)

    async def end_mirror(self, order_id: str, version: int, **changes: Any) -> bool:
        """Note what became of telling Salesforce of one version. False when the order has moved on since."""
        columns = purchase_orders.c
        done = await self._connection.execute(
            sa.update(purchase_orders).where(columns.id == order_id, columns.version == version).values(**changes)
        )
        return bool(done.rowcount)

    async def note_record(self, order_id: str, record_id: str) -> None:
        """Note Salesforce's id of an order, whatever its version."""
        await self._connection.execute(
            sa.update(purchase_orders).where(purchase_orders.c.id == order_id).values(mirror_record_id=record_id)
        )

    async def _due(
        self, condition: sa.ColumnElement[bool], column: sa.ColumnElement[datetime | None], now: datetime, limit: int
    ) -> list[PurchaseOrderRecord]:
        query = (
            sa.select(purchase_orders)
            .where(condition, column.is_not(None), column <= now)
            .order_by(column)
            .limit(limit)
        )
        return [_record(row) for row in (await self._connection.execute(query)).mappings()]


def _conditions(chosen: PurchaseFilter) -> Sequence[sa.ColumnElement[bool]]:
    columns = purchase_orders.c
    found: list[sa.ColumnElement[bool]] = []
    if chosen.organizations is not None:
        found.append(columns.organization_id.in_(chosen.organizations))
    if chosen.requester_id is not None:
        found.append(columns.requester_id == chosen.requester_id)
    if chosen.approver_id is not None:
        approvers = purchase_approvers.c
        theirs = sa.select(approvers.organization_id).where(approvers.user_id == chosen.approver_id)
        found += [
            columns.state == PurchaseState.PENDING.value,
            columns.requester_id != chosen.approver_id,
            columns.organization_id.in_(theirs),
        ]
    if chosen.states:
        found.append(columns.state.in_([state.value for state in chosen.states]))
    if chosen.number is not None:
        found.append(columns.number == chosen.number)
    if chosen.since is not None:
        found.append(columns.created_at >= chosen.since)
    if chosen.until is not None:
        found.append(columns.created_at < chosen.until)
    return found


def _values(record: PurchaseOrderRecord) -> dict[str, Any]:
    values = {name: getattr(record, name) for name in _FIELDS}
    lines = [
        {
            "product_id": line.product_id,
            "sku": line.sku,
            "name": line.name,
            **{name: str(getattr(line, name)) for name in _AMOUNTS},
        }
        for line in record.lines
    ]
    return values | {"total": str(record.total), "lines": lines, "order_ids": list(record.order_ids)}


def _record(row: sa.RowMapping) -> PurchaseOrderRecord:
    values = {name: row[name] for name in _FIELDS}
    values["total"] = Decimal(values["total"])
    values["lines"] = tuple(
        PurchaseLine(**{**line, **{name: Decimal(line[name]) for name in _AMOUNTS}}) for line in values["lines"]
    )
    values["order_ids"] = tuple(values["order_ids"])
    values["state"] = PurchaseState(values["state"])
    values["mirror_state"] = MirrorState(values["mirror_state"])
    return PurchaseOrderRecord(**values)


def _step(row: sa.RowMapping) -> StepRecord:
    values = dict(row)
    values["state"] = PurchaseState(values["state"])
    values["step"] = PurchaseStep(values["step"]) if values["step"] is not None else None
    return StepRecord(**values)
