"""Webhooks in the database: subscriptions, and the outbox. Nothing here commits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from orgbridge.kit.sealing import SealBroken, Sealer, is_sealed
from orgbridge.store import tables
from orgbridge.store.records import LoadRecord
from orgbridge.store.webhook_records import DeliveryRecord, DeliveryState, SubscriptionRecord
from orgbridge.store.webhook_tables import webhook_deliveries, webhook_subscriptions

_SUBSCRIPTION = tuple(field.name for field in fields(SubscriptionRecord))
_DELIVERY = tuple(field.name for field in fields(DeliveryRecord))
#: Ids of one condition.
_CHUNK = 500


def _delivery(row: sa.RowMapping) -> DeliveryRecord:
    values = {name: row[name] for name in _DELIVERY}
    values["state"] = DeliveryState(values["state"])
    return DeliveryRecord(**values)


class WebhookRepository:
    """Reads and writes subscriptions and deliveries within the unit's transaction."""

    def __init__(self, connection: AsyncConnection, sealer: Sealer | None = None) -> None:
        self._connection = connection
        self._sealer = sealer

    async def add_subscription(self, record: SubscriptionRecord) -> None:
        """Write a new subscription."""
        values = {name: getattr(record, name) for name in _SUBSCRIPTION}
        values["events"] = list(record.events)
        if self._sealer is not None:
            values["secret"] = self._sealer.seal(record.secret, record.id)
        await self._connection.execute(sa.insert(webhook_subscriptions).values(values))

    async def subscription(self, subscription_id: str) -> SubscriptionRecord | None:
        """Return a subscription, or None when there is none."""
        columns = webhook_subscriptions.c
        found = await self._connection.execute(sa.select(webhook_subscriptions).where(columns.id == subscription_id))
        row = found.mappings().first()
        return self._subscription(row) if row is not None else None

    async def subscriptions(self, owner: str | None, *, limit: int) -> list[SubscriptionRecord]:
        """Return subscriptions that are about no single load, newest first; of one owner, or of all for None."""
        columns = webhook_subscriptions.c
        query = (
            sa.select(webhook_subscriptions)
            .where(columns.load_id.is_(None))
            .order_by(columns.created_at.desc(), columns.id.desc())
            .limit(limit)
        )
        if owner is not None:
            query = query.where(columns.owner == owner)
        return [self._subscription(row) for row in (await self._connection.execute(query)).mappings()]

    async def drop_subscription(self, subscription_id: str) -> None:
        """Delete a subscription with its messages."""
        await self._connection.execute(
            sa.delete(webhook_subscriptions).where(webhook_subscriptions.c.id == subscription_id)
        )

    async def lying_open(self) -> bool:
        """Return whether there are secrets that lie open or under a former key, and a key to seal them with."""
        if self._sealer is None:
            return False
        columns = webhook_subscriptions.c
        query = sa.select(columns.id).where(columns.secret.not_like(f"{self._sealer.prefix}%")).limit(1)
        return (await self._connection.execute(query)).first() is not None

    async def reseal(self, after: str, limit: int) -> tuple[int, str]:
        """Seal secrets that lie open or under a former key, in the order of their ids; one that does not open stays.

        Args:
            after: Id to go on after; empty for the beginning.
            limit: Most rows.

        Returns:
            How many were sealed, and the id to go on after, empty at the end.
        """
        if self._sealer is None:
            return 0, ""
        columns, done, last = webhook_subscriptions.c, 0, ""
        query = (
            sa.select(columns.id, columns.secret)
            .where(columns.secret.not_like(f"{self._sealer.prefix}%"), columns.id > after)
            .order_by(columns.id)
            .limit(limit)
        )
        for row in (await self._connection.execute(query)).all():
            last, secret = row.id, self._opened(row.secret, row.id)
            if secret:
                sealed = self._sealer.seal(secret, row.id)
                await self._connection.execute(
                    sa.update(webhook_subscriptions)
                    .where(columns.id == row.id, columns.secret == row.secret)
                    .values(secret=sealed)
                )
                done += 1
        return done, last

    async def interested(self, load: LoadRecord) -> list[SubscriptionRecord]:
        """Return the subscriptions that a load concerns, whatever their events."""
        columns = webhook_subscriptions.c
        query = sa.select(webhook_subscriptions).where(
            sa.or_(
                columns.load_id == load.id,
                sa.and_(
                    columns.load_id.is_(None),
                    sa.or_(columns.all_loads.is_(sa.true()), columns.owner == load.created_by),
                ),
            )
        )
        return [self._subscription(row) for row in (await self._connection.execute(query)).mappings()]

    async def wanting(self, prefixes: Sequence[str], *, limit: int) -> list[SubscriptionRecord]:
        """Return the subscriptions, about no single load, that ask for an event that begins with one of some texts.

        Args:
            prefixes: Such as `order.`; not empty.
            limit: Most of them.
        """
        columns = webhook_subscriptions.c
        # Events are words without quotes or wildcards, so that the list's own text finds them on both databases.
        text = sa.cast(columns.events, sa.Text)
        query = (
            sa.select(webhook_subscriptions)
            .where(
                columns.load_id.is_(None),
                sa.or_(*(text.contains(f'"{prefix}', autoescape=True) for prefix in prefixes)),
            )
            .order_by(columns.id)
            .limit(limit)
        )
        return [self._subscription(row) for row in (await self._connection.execute(query)).mappings()]

    async def unannounced(self, limit: int) -> list[str]:
        """Return ids of loads that have ended and whose end nobody was told of yet, oldest first."""
        columns = tables.loads.c
        query = (
            sa.select(columns.id)
            .where(columns.announced_at.is_(None), columns.finished_at.is_not(None))
            .order_by(columns.finished_at)
            .limit(limit)
        )
        return list((await self._connection.execute(query)).scalars())

    async def announce(self, load_id: str, now: datetime) -> bool:
        """Note that the end of a load is told. False when somebody else did so before."""
        columns = tables.loads.c
        done = await self._connection.execute(
            sa.update(tables.loads)
            .where(columns.id == load_id, columns.announced_at.is_(None))
            .values(announced_at=now)
        )
        return bool(done.rowcount)

    async def announced(self, load_id: str) -> bool:
        """Tell whether the end of a load was told, and keep that from changing until this transaction ends."""
        query = sa.select(tables.loads.c.announced_at).where(tables.loads.c.id == load_id).with_for_update()
        return (await self._connection.execute(query)).scalar() is not None

    async def add_deliveries(self, records: Sequence[DeliveryRecord]) -> None:
        """Write messages into the outbox."""
        if records:
            await self._connection.execute(
                sa.insert(webhook_deliveries), [{name: getattr(one, name) for name in _DELIVERY} for one in records]
            )

    async def add_new_deliveries(self, records: Sequence[DeliveryRecord]) -> int:
        """Write those messages into the outbox whose ids it does not have yet; return how many."""
        columns, known = webhook_deliveries.c, set[str]()
        ids = [one.id for one in records]
        for start in range(0, len(ids), _CHUNK):
            query = sa.select(columns.id).where(columns.id.in_(ids[start : start + _CHUNK]))
            known |= set((await self._connection.execute(query)).scalars())
        fresh = [one for one in records if one.id not in known]
        await self.add_deliveries(fresh)
        return len(fresh)

    async def delivery(self, delivery_id: str) -> DeliveryRecord | None:
        """Return a message, or None when there is none."""
        found = await self._connection.execute(
            sa.select(webhook_deliveries).where(webhook_deliveries.c.id == delivery_id)
        )
        row = found.mappings().first()
        return _delivery(row) if row is not None else None

    async def deliveries(
        self, *, owner: str | None, state: DeliveryState | None, subscription_id: str | None, limit: int
    ) -> list[DeliveryRecord]:
        """Return messages, newest first; of one owner's subscriptions, or of all for None."""
        columns = webhook_deliveries.c
        query = sa.select(webhook_deliveries).order_by(columns.created_at.desc(), columns.id.desc()).limit(limit)
        if owner is not None:
            query = query.join(webhook_subscriptions, webhook_subscriptions.c.id == columns.subscription_id).where(
                webhook_subscriptions.c.owner == owner
            )
        if state is not None:
            query = query.where(columns.state == state)
        if subscription_id is not None:
            query = query.where(columns.subscription_id == subscription_id)
        return [_delivery(row) for row in (await self._connection.execute(query)).mappings()]

    async def due(self, now: datetime, limit: int) -> list[DeliveryRecord]:
        """Return messages that are to be sent now and that no worker has in hand, the longest waiting first."""
        columns = webhook_deliveries.c
        query = (
            sa.select(webhook_deliveries)
            .where(
                columns.state == DeliveryState.PENDING,
                columns.next_at <= now,
                sa.or_(columns.claimed_until.is_(None), columns.claimed_until <= now),
            )
            .order_by(columns.next_at)
            .limit(limit)
        )
        return [_delivery(row) for row in (await self._connection.execute(query)).mappings()]

    async def claim(self, delivery: DeliveryRecord, now: datetime, until: datetime) -> bool:
        """Take a message in hand and count the attempt. False when another worker has it."""
        columns = webhook_deliveries.c
        done = await self._connection.execute(
            sa.update(webhook_deliveries)
            .where(
                columns.id == delivery.id,
                columns.state == DeliveryState.PENDING,
                columns.attempts == delivery.attempts,
                sa.or_(columns.claimed_until.is_(None), columns.claimed_until <= now),
            )
            .values(claimed_until=until, attempts=columns.attempts + 1)
        )
        return bool(done.rowcount)

    async def settle(self, delivery_id: str, **changes: Any) -> None:
        """Let go of a message and set columns of it, by their names in `DeliveryRecord`."""
        await self._connection.execute(
            sa.update(webhook_deliveries)
            .where(webhook_deliveries.c.id == delivery_id)
            .values(claimed_until=None, **changes)
        )

    async def forget_ended(self, before: datetime) -> int:
        """Delete messages that were delivered or given up so long ago; return how many."""
        columns = webhook_deliveries.c
        done = await self._connection.execute(
            sa.delete(webhook_deliveries).where(columns.ended_at.is_not(None), columns.ended_at < before)
        )
        return int(done.rowcount)

    def _subscription(self, row: sa.RowMapping) -> SubscriptionRecord:
        values = {name: row[name] for name in _SUBSCRIPTION}
        values["events"] = tuple(values["events"])
        values["secret"] = self._opened(row["secret"], row["id"])
        return SubscriptionRecord(**values)

    def _opened(self, secret: str, place: str) -> str:
        if not is_sealed(secret):
            return secret
        try:
            return self._sealer.open(secret, place) if self._sealer is not None else ""
        except SealBroken:
            return ""
