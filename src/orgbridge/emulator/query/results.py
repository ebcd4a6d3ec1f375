"""Rows to what REST shows: records with attributes, parents inside, values in REST's forms; totals and pages.

Source: facts/salesforce/soql.md section 1, ids-and-types.md section 2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, TypeAlias

from orgbridge.emulator.query.fragments import Fragment
from orgbridge.emulator.query.plans import (
    AggregateShape,
    BlobItem,
    ChildItem,
    CompoundItem,
    Item,
    ParentItem,
    QueryPlan,
    RecordShape,
    TypeOfItem,
    ValueItem,
)
from orgbridge.emulator.schema.errors import SFError
from orgbridge.emulator.storage.database import Connection
from orgbridge.kit.json import JSON, loads
from orgbridge.wire.fieldtypes import DECIMAL_TYPES, FieldType
from orgbridge.wire.limits import QUERY_PAGE_DEFAULT

#: One row of the statement.
Row: TypeAlias = Sequence[Any]
#: Makes one value or record of a row.
Builder: TypeAlias = Callable[[Row], JSON]
#: Rows read from SQLite at a time.
FETCH_ROWS = 1_000
#: Matches of a range up to which sorting them costs less than a scan of a large table.
SMALL_ROWS = 20_000
_COUNT_OF = ("SELECT COUNT(*) FROM (", ")")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some records of a query's result."""

    #: Matches in all, after LIMIT and OFFSET.
    total: int
    #: The records in order.
    records: list[dict[str, JSON]]
    #: Matches up to the end of this page: where the next one starts.
    end: int
    #: True when nothing follows.
    done: bool
    #: Where a next page may seek from, when the plan can seek and the page is not empty.
    last_rowid: int | None


def total(plan: QueryPlan, connection: Connection) -> int:
    """Return how many rows match, after LIMIT and OFFSET."""
    found = connection.execute(plan.counting.text, plan.counting.parameters).fetchone()
    left = max(0, int(found[0]) - plan.offset)
    return left if plan.limit is None else min(left, plan.limit)


def is_small(plan: QueryPlan, connection: Connection) -> bool:
    """Tell whether a range of instants matches so few rows that searching and sorting them beats a scan.

    Counts no further than that; a plan without such a range is not asked about.
    """
    if not plan.is_ranged:
        return False
    counting = plan.counting.text.replace("COUNT(*)", "1", 1)
    probe = Fragment(f"{counting} LIMIT ?", (*plan.counting.parameters, SMALL_ROWS + 1)).wrap(*_COUNT_OF)
    return int(connection.execute(probe.text, probe.parameters).fetchone()[0]) <= SMALL_ROWS


def page(
    plan: QueryPlan,
    connection: Connection,
    *,
    version: str,
    start: int = 0,
    size: int = QUERY_PAGE_DEFAULT,
    matches: int | None = None,
    after_rowid: int | None = None,
) -> Page:
    """Return one page of records.

    Args:
        plan: The query.
        connection: Read from; nothing is written.
        version: As in the address of the request, e.g. `v62.0`; record URLs repeat it.
        start: Matches before the page.
        size: Most records of the page.
        matches: The total, when it is known from an earlier page; counted when not.
        after_rowid: `last_rowid` of the page before, to begin there without reading what is before it.

    Raises:
        SFError: EXCEEDED_ID_LIMIT, groups do not fit into one page.
    """
    if plan.shape is None:
        return Page(total=total(plan, connection), records=[], end=0, done=True, last_rowid=None)
    statement = plan.page(start, size, after_rowid, is_small=is_small(plan, connection))
    rows = connection.execute(statement.text, statement.parameters).fetchall()
    if matches is None:
        is_whole = start == 0 and len(rows) < size
        matches = len(rows) if is_whole else total(plan, connection)
    if plan.is_aggregate and matches > size:
        # Assumed: the text, from memory; that groups cannot be paged is documented.
        text = "Aggregate query does not support queryMore(), use LIMIT to restrict the results to a single batch"
        raise SFError("EXCEEDED_ID_LIMIT", text)
    build = record_builder(plan, version)
    end = start + len(rows)
    return Page(
        total=matches,
        records=[build(row) for row in rows],
        end=end,
        done=end >= matches or not rows,
        last_rowid=rows[-1][-1] if rows and plan.can_seek else None,
    )


def query_json(
    plan: QueryPlan,
    connection: Connection,
    *,
    version: str,
    start: int = 0,
    size: int = QUERY_PAGE_DEFAULT,
    next_url: Callable[[int], str] | None = None,
) -> dict[str, JSON]:
    """Return the reply to a query: `totalSize`, `done`, `nextRecordsUrl` when more follows, `records`.

    Args:
        plan: The query.
        connection: Read from.
        version: E.g. `v62.0`.
        start: Matches before the page.
        size: Most records of the page.
        next_url: Gives the address of the page that starts after so many matches.

    Raises:
        SFError: EXCEEDED_ID_LIMIT, groups do not fit into one page.
    """
    found = page(plan, connection, version=version, start=start, size=size)
    reply: dict[str, JSON] = {"totalSize": found.total, "done": found.done}
    if not found.done and next_url is not None:
        reply["nextRecordsUrl"] = next_url(found.end)
    reply["records"] = found.records
    return reply


def records(plan: QueryPlan, connection: Connection, *, version: str) -> Iterator[dict[str, JSON]]:
    """Yield every record of the result, a few rows in memory at a time."""
    if plan.shape is None:
        return
    build = record_builder(plan, version)
    statement = plan.page(is_small=is_small(plan, connection))
    cursor = connection.execute(statement.text, statement.parameters)
    while rows := cursor.fetchmany(FETCH_ROWS):
        for row in rows:
            yield build(row)


def record_builder(plan: QueryPlan, version: str) -> Callable[[Row], dict[str, JSON]]:
    """Return what makes a record of each row of a plan that has records."""
    if isinstance(plan.shape, AggregateShape):
        return _aggregate_builder(plan.shape)
    if plan.shape is None:
        raise ValueError("SELECT COUNT() has no records")
    return _record_builder(plan.shape, f"/services/data/{version}/sobjects")


def _aggregate_builder(shape: AggregateShape) -> Callable[[Row], dict[str, JSON]]:
    items = [(item.key, _value_builder(item)) for item in shape.items]

    def build(row: Row) -> dict[str, JSON]:
        record: dict[str, JSON] = {"attributes": {"type": "AggregateResult"}}
        for key, value in items:
            record[key] = value(row)
        return record

    return build


def _record_builder(shape: RecordShape, base: str) -> Callable[[Row], dict[str, JSON]]:
    items = [(item.key, _builder(item, shape, base)) for item in shape.items]
    id_index, type_index = shape.id_index, shape.type_index

    def build(row: Row) -> dict[str, JSON]:
        real = shape.type if type_index is None else row[type_index]
        attributes = {"type": shape.type, "url": f"{base}/{real}/{row[id_index]}"}
        record: dict[str, JSON] = {"attributes": attributes}
        for key, value in items:
            record[key] = value(row)
        return record

    return build


def _builder(item: Item, shape: RecordShape, base: str) -> Builder:
    match item:
        case ValueItem():
            return _value_builder(item)
        case BlobItem():
            return _blob_builder(item, shape, base)
        case CompoundItem():
            return _compound_builder(item)
        case ParentItem():
            return _optional_builder((item.shape,), base)
        case ChildItem():
            return _child_builder(item, base)
        case TypeOfItem():
            return _optional_builder(item.branches, base)


def _value_builder(item: ValueItem) -> Builder:
    index, kind = item.index, item.type
    if kind is FieldType.BOOLEAN:
        return lambda row: None if row[index] is None else bool(row[index])
    if kind is FieldType.DATETIME:
        return lambda row: None if row[index] is None else row[index][:-1] + "+0000"
    if kind in DECIMAL_TYPES:
        return lambda row: None if row[index] is None else float(row[index])
    return lambda row: row[index]


def _blob_builder(item: BlobItem, shape: RecordShape, base: str) -> Builder:
    index, id_index, key = item.index, shape.id_index, item.key
    return lambda row: f"{base}/{shape.type}/{row[id_index]}/{key}" if row[index] else None


def _compound_builder(item: CompoundItem) -> Builder:
    parts = [(key, _value_builder(part) if part else None) for key, part in item.parts]

    def build(row: Row) -> JSON:
        values = {key: value(row) if value else None for key, value in parts}
        return None if all(value is None for value in values.values()) else values

    return build


def _optional_builder(shapes: tuple[RecordShape, ...], base: str) -> Builder:
    """Build the first record of several that is there, or null."""
    builders = [(shape.id_index, _record_builder(shape, base)) for shape in shapes]

    def build(row: Row) -> JSON:
        for id_index, builder in builders:
            if row[id_index] is not None:
                return builder(row)
        return None

    return build


def _child_builder(item: ChildItem, base: str) -> Builder:
    builder, index = _record_builder(item.shape, base), item.index

    def build(row: Row) -> JSON:
        rows = loads(row[index])
        if not rows:
            return None
        return {
            "totalSize": len(rows),
            "done": True,
            "records": [builder(list(chain.from_iterable(child))) for child in rows],
        }

    return build
