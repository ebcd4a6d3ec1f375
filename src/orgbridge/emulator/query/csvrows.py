"""Rows to what a Bulk API 2.0 query job shows: a header and rows of texts, streamed from the cursor.

SQLite itself makes the texts (`celltexts`), as a million rows pass by here. Quoting, delimiter and line ending are the
job's; here are values only.

Source: facts/salesforce/bulk2.md section 9, ids-and-types.md section 2.
"""

from __future__ import annotations

from collections.abc import Iterator

from orgbridge.emulator.query.fragments import Fragment
from orgbridge.emulator.query.plans import QueryPlan
from orgbridge.emulator.query.results import FETCH_ROWS, is_small
from orgbridge.emulator.storage.database import Connection


def header(plan: QueryPlan) -> list[str]:
    """Return the header: SELECT's order, names as written in the query, parents as `Account.Name`."""
    return [column.header for column in plan.columns]


def rows(
    plan: QueryPlan,
    connection: Connection,
    *,
    start: int = 0,
    size: int | None = None,
    after_rowid: int | None = None,
) -> Iterator[tuple[str, ...]]:
    """Yield rows of texts, as many as the header has names; null is the empty text.

    Args:
        plan: A plan that `check_bulk` lets pass.
        connection: Read from while the rows are taken; a thousand rows are in memory at a time.
        start: Matches left out before.
        size: Most rows; None for all.
        after_rowid: See `QueryPlan.page`.
    """
    statement = plan.page(start, size, after_rowid, is_small=is_small(plan, connection), as_texts=True)
    for found in _blocks(connection, statement, FETCH_ROWS):
        yield from found


def _blocks(connection: Connection, statement: Fragment, rows_at_once: int) -> Iterator[list[tuple[str, ...]]]:
    cursor = connection.execute(statement.text, statement.parameters)
    while found := cursor.fetchmany(rows_at_once):
        yield found


def query_csv(plan: QueryPlan, connection: Connection) -> tuple[list[str], Iterator[tuple[str, ...]]]:
    """Return header and rows of a whole result."""
    return header(plan), rows(plan, connection)


def query_blocks(
    plan: QueryPlan, connection: Connection, rows_at_once: int
) -> tuple[list[str], Iterator[list[tuple[str, ...]]]]:
    """Return the header of a whole result and its rows, so many at a time."""
    statement = plan.page(is_small=is_small(plan, connection), as_texts=True)
    return header(plan), _blocks(connection, statement, rows_at_once)
