"""Rows to what a Bulk API 2.0 query job shows: a header and rows of texts, streamed from the cursor.

Quoting, delimiter and line ending are the job's; here are values only.

Source: facts/salesforce/bulk2.md section 9, ids-and-types.md section 2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Any

from orgbridge.emulator.query.fragments import Fragment
from orgbridge.emulator.query.plans import QueryPlan
from orgbridge.emulator.query.results import FETCH_ROWS, is_small
from orgbridge.emulator.storage.database import Connection
from orgbridge.wire.fieldtypes import DECIMAL_TYPES, FieldType


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
    statement = plan.page(start, size, after_rowid, is_small=is_small(plan, connection))
    for columns in _blocks(plan, connection, statement, FETCH_ROWS):
        yield from zip(*columns, strict=True)


def _blocks(
    plan: QueryPlan, connection: Connection, statement: Fragment, rows_at_once: int
) -> Iterator[list[Sequence[str]]]:
    """Yield some rows at a time, by column, as most columns need one and the same conversion or none."""
    cursor = connection.execute(statement.text, statement.parameters)
    places = [(column.index, _texts_of(column.type)) for column in plan.columns]
    while found := cursor.fetchmany(rows_at_once):
        columns: list[Sequence[Any]] = list(zip(*found, strict=True))
        yield [texts(columns[index]) for index, texts in places]


def query_csv(plan: QueryPlan, connection: Connection) -> tuple[list[str], Iterator[tuple[str, ...]]]:
    """Return header and rows of a whole result."""
    return header(plan), rows(plan, connection)


def query_blocks(
    plan: QueryPlan, connection: Connection, rows_at_once: int
) -> tuple[list[str], Iterator[list[Sequence[str]]]]:
    """Return the header of a whole result and its rows, so many at a time, by column."""
    statement = plan.page(is_small=is_small(plan, connection))
    return header(plan), _blocks(plan, connection, statement, rows_at_once)


def _texts_of(kind: FieldType) -> Callable[[Sequence[Any]], Sequence[str]]:
    if kind is FieldType.BOOLEAN:
        return lambda values: ["" if v is None else "true" if v else "false" for v in values]
    if kind in DECIMAL_TYPES:
        return lambda values: ["" if v is None else decimal_text(v) for v in values]
    if kind is FieldType.INT:
        return lambda values: ["" if v is None else str(v) for v in values]
    return lambda values: ["" if v is None else v for v in values] if None in values else values


def decimal_text(value: float) -> str:
    """Return a decimal as the platform writes it: `23.0`, from ten million on (or below a thousandth) `1.0E7`."""
    number = float(value)
    if number == 0 or 1e-3 <= abs(number) < 1e7:
        return repr(number)
    sign, digits, exponent = Decimal(repr(number)).normalize().as_tuple()
    rest = "".join(map(str, digits[1:])) or "0"
    return f"{'-' if sign else ''}{digits[0]}.{rest}E{int(exponent) + len(digits) - 1}"
