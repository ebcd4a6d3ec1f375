"""Placements in the database. Nothing here commits; two unique columns decide between processes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from orgbridge.store.chunks import by_ids
from orgbridge.store.constraints import checked
from orgbridge.store.order_records import CANCELLABLE_STATES, PlacementRecord, PlacementState, PlacementWay
from orgbridge.store.order_tables import placements

_FIELDS = tuple(field.name for field in fields(PlacementRecord))


class PlacementRepository:
    """Reads and writes placements within the unit's transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, record: PlacementRecord) -> None:
        """Write a new placement.

        Raises:
            NameTaken: Its cart is claimed by another one, or its key was used; nothing was written, the unit goes on.
        """
        async with checked(self._connection):
            await self._connection.execute(
                sa.insert(placements).values(_values({name: getattr(record, name) for name in _FIELDS}))
            )

    async def get(self, placement_id: str) -> PlacementRecord | None:
        """Return a placement, or None when there is none."""
        return await self._one(placements.c.id == placement_id)

    async def by_key(self, key_id: str) -> PlacementRecord | None:
        """Return the placement that a caller asked for under a key."""
        return await self._one(placements.c.key_id == key_id)

    async def by_claim(self, cart_id: str) -> PlacementRecord | None:
        """Return the one placement of a cart that may come, or came, to an order."""
        return await self._one(placements.c.claim == cart_id)

    async def of_caller(self, caller_id: str, *, limit: int) -> list[PlacementRecord]:
        """Return the placements that a caller asked for, newest first."""
        query = (
            sa.select(placements)
            .where(placements.c.caller_id == caller_id)
            .order_by(placements.c.created_at.desc(), placements.c.id.desc())
            .limit(limit)
        )
        return [_record(row) for row in (await self._connection.execute(query)).mappings()]

    async def accounts_of(self, order_ids: Sequence[str]) -> dict[str, str]:
        """Return the accounts of some orders that were placed here, by the orders' ids; others are left out."""
        return await by_ids(self._connection, placements.c.order_id, placements.c.account_id, order_ids)

    async def undispatched(self, limit: int) -> list[PlacementRecord]:
        """Return placements that no worker was handed yet, oldest first."""
        query = (
            sa.select(placements)
            .where(placements.c.dispatched_at.is_(None))
            .order_by(placements.c.created_at)
            .limit(limit)
        )
        return [_record(row) for row in (await self._connection.execute(query)).mappings()]

    async def dispatched(self, placement_id: str, now: datetime) -> None:
        """Note that a worker was handed a placement. No change of it: its revision stays."""
        await self._connection.execute(
            sa.update(placements).where(placements.c.id == placement_id).values(dispatched_at=now)
        )

    async def move(
        self, placement_id: str, revision: int, *, now: datetime, unless_cancelled: bool = False, **changes: Any
    ) -> bool:
        """Set columns of a placement that nobody changed since it was read.

        Args:
            placement_id: Which.
            revision: The one that was read.
            now: The time.
            unless_cancelled: Change nothing when somebody asked to call it off.
            changes: By their names in `PlacementRecord`.

        Returns:
            False when it was changed since, or is to be called off; nothing was written.
        """
        conditions = [placements.c.id == placement_id, placements.c.revision == revision]
        if unless_cancelled:
            conditions.append(placements.c.cancel_requested.is_(sa.false()))
        done = await self._connection.execute(
            sa.update(placements).where(*conditions).values(**_values(changes), revision=revision + 1, updated_at=now)
        )
        return done.rowcount == 1

    async def tell(self, placement_id: str, waiting: str | None) -> None:
        """Say why a placement does not go on just now. No change of it: its revision stays."""
        await self._connection.execute(
            sa.update(placements).where(placements.c.id == placement_id).values(waiting=waiting)
        )

    async def ask_to_cancel(self, placement_id: str) -> bool:
        """Ask to call a placement off; False when what makes an order may have been sent, or it has ended."""
        done = await self._connection.execute(
            sa.update(placements)
            .where(placements.c.id == placement_id, placements.c.state.in_([one.value for one in CANCELLABLE_STATES]))
            .values(cancel_requested=True)
        )
        return done.rowcount == 1

    async def ask_to_look(self, placement_id: str, now: datetime) -> None:
        """Ask for a look at a placement whose outcome is unknown. No change of it: its revision stays."""
        await self._connection.execute(
            sa.update(placements)
            .where(placements.c.id == placement_id, placements.c.state == PlacementState.UNKNOWN.value)
            .values(look_at=now)
        )

    async def to_look_at(self, now: datetime, limit: int) -> list[PlacementRecord]:
        """Return placements that are due to be looked at again, the longest due first."""
        query = sa.select(placements).where(placements.c.look_at <= now).order_by(placements.c.look_at).limit(limit)
        return [_record(row) for row in (await self._connection.execute(query)).mappings()]

    async def unaudited(self, limit: int) -> list[PlacementRecord]:
        """Return placements that have ended and are not in the audit, the oldest end first."""
        query = (
            sa.select(placements)
            .where(placements.c.ended_at.is_not(None), placements.c.audited_at.is_(None))
            .order_by(placements.c.ended_at)
            .limit(limit)
        )
        return [_record(row) for row in (await self._connection.execute(query)).mappings()]

    async def audited(self, placement_id: str, revision: int, now: datetime) -> None:
        """Note that the audit has a placement's end, unless it has changed since. Its revision stays."""
        await self._connection.execute(
            sa.update(placements)
            .where(placements.c.id == placement_id, placements.c.revision == revision)
            .values(audited_at=now)
        )

    async def forgettable(self, before: datetime, after_id: str, limit: int) -> list[PlacementRecord]:
        """Return placements by their ids that are decided, audited and ended before an instant."""
        decided = (PlacementState.PLACED, PlacementState.FAILED, PlacementState.CANCELLED)
        query = (
            sa.select(placements)
            .where(
                placements.c.id > after_id,
                placements.c.ended_at < before,
                placements.c.audited_at.is_not(None),
                placements.c.state.in_([one.value for one in decided]),
            )
            .order_by(placements.c.id)
            .limit(limit)
        )
        return [_record(row) for row in (await self._connection.execute(query)).mappings()]

    async def forget(self, placement_id: str, revision: int) -> None:
        """Delete a placement that nobody changed since it was read."""
        await self._connection.execute(
            sa.delete(placements).where(placements.c.id == placement_id, placements.c.revision == revision)
        )

    async def _one(self, condition: sa.ColumnElement[bool]) -> PlacementRecord | None:
        row = (await self._connection.execute(sa.select(placements).where(condition))).mappings().first()
        return None if row is None else _record(row)


def _values(changes: dict[str, Any]) -> dict[str, Any]:
    values = dict(changes)
    for name in ("state", "way"):
        if name in values:
            values[name] = values[name].value
    steps: Sequence[dict[str, Any]] | None = values.get("steps")
    if steps is not None:
        values["steps"] = list(steps)
    return values


def _record(row: sa.RowMapping) -> PlacementRecord:
    values = {name: row[name] for name in _FIELDS}
    values["state"], values["way"] = PlacementState(values["state"]), PlacementWay(values["way"])
    values["steps"] = tuple(values["steps"])
    return PlacementRecord(**values)
