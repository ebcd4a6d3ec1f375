"""Sums over all loads, for the metrics."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from orgbridge.loads.states import PartState
from orgbridge.store import tables
from orgbridge.store.database import Unit


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadTotals:
    """What all loads in the store add up to."""

    #: Number of loads by state; states without loads are absent.
    loads: dict[str, int]
    #: Rows by outcome: succeeded, failed, unprocessed, skipped.
    rows: dict[str, int]
    #: HTTP requests made to Salesforce for loads.
    api_calls: int
    #: Jobs of running loads that show no progress.
    stalled: int
    #: Parts of running loads that no Salesforce job holds yet.
    waiting: int


async def load_totals(unit: Unit) -> LoadTotals:
    """Return the sums over all loads, as of this transaction."""
    columns = tables.loads.c
    outcomes = ("succeeded", "failed", "unprocessed", "skipped")
    counted = (*(columns[f"rows_{name}"] for name in outcomes), columns.api_calls)
    query = sa.select(
        columns.state,
        sa.func.count().label("loads"),
        *(sa.func.coalesce(sa.func.sum(column), 0).label(column.name) for column in counted),
    ).group_by(columns.state)
    parts = tables.parts.c
    stalled = (
        sa.select(sa.func.count())
        .select_from(tables.parts.join(tables.loads))
        .where(parts.stalled_at.is_not(None), columns.finished_at.is_(None))
    )
    waiting = (
        sa.select(sa.func.count())
        .select_from(tables.parts.join(tables.loads))
        .where(parts.state == PartState.PLANNED.value, columns.finished_at.is_(None))
    )
    # Of one package with Unit: the transaction is read here so that Unit need not know every report.
    rows = (await unit._connection.execute(query)).mappings().all()
    return LoadTotals(
        loads={str(row["state"]): int(row["loads"]) for row in rows},
        rows={name: sum(int(row[f"rows_{name}"]) for row in rows) for name in outcomes},
        api_calls=sum(int(row["api_calls"]) for row in rows),
        stalled=int((await unit._connection.execute(stalled)).scalar() or 0),
        waiting=int((await unit._connection.execute(waiting)).scalar() or 0),
    )


async def loads_by_state(unit: Unit, created_by: str | None = None) -> dict[str, int]:
    """Return the number of loads by state; states without loads are absent.

    Args:
        unit: The transaction.
        created_by: Only those of this user; None for everybody's.
    """
    columns = tables.loads.c
    query = sa.select(columns.state, sa.func.count().label("loads")).group_by(columns.state)
    if created_by is not None:
        query = query.where(columns.created_by == created_by)
    rows = (await unit._connection.execute(query)).mappings().all()
    return {str(row["state"]): int(row["loads"]) for row in rows}
