"""Figures of what waits, who works and what is to be sent: read from the tables, the same for every process.

Every count is over an index or over a table that retention keeps small; nothing reads rows of loads.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from orgbridge.loads.states import PartState
from orgbridge.store import tables
from orgbridge.store.cart_tables import cart_mirrors
from orgbridge.store.database import Unit
from orgbridge.store.mail_records import MailState
from orgbridge.store.purchase_order_tables import mails, purchase_orders
from orgbridge.store.webhook_records import DeliveryState
from orgbridge.store.webhook_tables import webhook_deliveries


@dataclass(frozen=True, slots=True, kw_only=True)
class Leases:
    """Workers by their leases, by the database's clock."""

    #: Workers whose lease holds.
    living: int
    #: Workers that went without giving their lease up, within the last day.
    lost: int
    #: Seconds until the lease that is nearest its end runs out; None without living workers.
    nearest_end: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFigures:
    """What the tables tell at one moment."""

    #: Loads that nobody has begun.
    queued: int
    #: When the longest waiting of them came in.
    oldest_queued: datetime | None
    #: When the running load that was begun first was begun.
    oldest_running: datetime | None
    #: When a running load last got on with a part: the load for which that is longest ago.
    longest_still: datetime | None
    #: Parts of running loads by state.
    parts: dict[str, int]
    #: None where the database keeps no leases (SQLite: the one worker holds a lock on the file).
    leases: Leases | None
    #: Messages to receivers of webhooks, by state.
    webhooks: dict[str, int]
    #: When the longest overdue of them was due.
    oldest_webhook: datetime | None
    #: Mails, by state.
    mails: dict[str, int]
    #: When the longest overdue of them was due.
    oldest_mail: datetime | None
    #: Carts in the mirror, by Salesforce's status.
    carts: dict[str, int]
    #: Purchase orders, by state.
    purchase_orders: dict[str, int]


async def store_figures(unit: Unit, *, leased: bool) -> StoreFigures:
    """Return the figures, as of this transaction.

    Args:
        unit: A transaction.
        leased: Whether workers of this database take leases.
    """
    # Of one package with Unit, as in `totals`.
    ask = unit._connection.execute
    loads, parts = tables.loads.c, tables.parts.c
    waiting = (await ask(_waiting(loads.started_at.is_(None), loads.created_at))).one()
    running = (await ask(_waiting(loads.started_at.is_not(None), loads.started_at))).one()
    by_part = (
        sa.select(parts.state, sa.func.count())
        .select_from(tables.parts.join(tables.loads))
        .where(loads.finished_at.is_(None))
        .group_by(parts.state)
    )
    moved = (
        sa.select(sa.func.max(sa.func.coalesce(parts.updated_at, loads.started_at)).label("moved"))
        .select_from(tables.parts.join(tables.loads))
        .where(loads.finished_at.is_(None), loads.started_at.is_not(None))
        .group_by(loads.id)
        .subquery()
    )
    return StoreFigures(
        queued=int(waiting[0]),
        oldest_queued=waiting[1],
        oldest_running=running[1],
        longest_still=(await ask(sa.select(sa.func.min(moved.c.moved)))).scalar(),
        parts=_known([state.value for state in PartState], (await ask(by_part)).all()),
        leases=await _leases(unit) if leased else None,
        webhooks=await _by(unit, webhook_deliveries.c.state, [state.value for state in DeliveryState]),
        oldest_webhook=await _overdue(unit, webhook_deliveries, DeliveryState.PENDING.value),
        mails=await _by(unit, mails.c.state, [state.value for state in MailState]),
        oldest_mail=await _overdue(unit, mails, MailState.PENDING.value),
        carts=await _by(unit, cart_mirrors.c.status, []),
        purchase_orders=await _by(unit, purchase_orders.c.state, []),
    )


def _waiting(condition: sa.ColumnElement[bool], since: sa.ColumnElement[datetime]) -> sa.Select[int, datetime]:
    return sa.select(sa.func.count(), sa.func.min(since)).where(tables.loads.c.finished_at.is_(None), condition)


async def _by(unit: Unit, column: sa.Column[str], known: list[str]) -> dict[str, int]:
    found = await unit._connection.execute(sa.select(column, sa.func.count()).group_by(column))
    return _known(known, found.all())


def _known(known: list[str], found: Any) -> dict[str, int]:
    # A state that nobody is in is told as 0: a series that comes and goes breaks rates and alerts.
    return {**dict.fromkeys(known, 0), **{str(state): int(count) for state, count in found}}


async def _overdue(unit: Unit, table: sa.Table, pending: str) -> datetime | None:
    query = sa.select(sa.func.min(table.c.next_at)).where(table.c.state == pending)
    found: datetime | None = (await unit._connection.execute(query)).scalar()
    return found


async def _leases(unit: Unit) -> Leases:
    ends = tables.executor_leases.c.expires_at
    now = sa.func.clock_timestamp()
    left = sa.func.min(sa.extract("epoch", ends - now)).filter(ends > now)
    query = sa.select(sa.func.count().filter(ends > now), sa.func.count().filter(ends <= now), left)
    living, lost, nearest = (await unit._connection.execute(query.select_from(tables.executor_leases))).one()
    return Leases(living=int(living), lost=int(lost), nearest_end=float(nearest) if nearest is not None else None)
