"""SOQL answered the slow way: plain loops over plain rows, written from the documented rules and from nothing else.

It knows no SQL and none of the emulator's modules but the tree of the parser. Rows are mappings from field names to
Python values (text, numbers, booleans, dates, aware datetimes, None); the number of a row in its list is its age.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import combinations
from typing import Any

from orgbridge.soql import tree
from orgbridge.soql.tree import Operator

Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What the reference must know of an object."""

    #: Field names by their type: text, picklist, multi, int, decimal, date, datetime, boolean, id.
    types: dict[str, str]
    #: Relationship to parent: the field and the parent's object.
    parents: dict[str, tuple[str, str]] = field(default_factory=dict)
    #: Relationship to children: the child's object and its field.
    children: dict[str, tuple[str, str]] = field(default_factory=dict)
    #: Values of picklists in order.
    choices: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """All objects and rows, and the day it is."""

    shapes: dict[str, Shape]
    rows: dict[str, list[Row]]
    today: date

    def answer(self, query: tree.Query) -> list[dict[str, Any]] | int:
        """Return the records of a query without attributes, or the number of `SELECT COUNT()`."""
        name = query.sources[0].path[0]
        return _Query(self, name, query).answer(self._living(name))

    def _living(self, name: str) -> list[Row]:
        return [row for row in self.rows[name] if not row["IsDeleted"]]

    def children(self, name: str, relationship: str, row: Row) -> tuple[str, list[Row]]:
        """Return object and rows below a row."""
        child, reference = self.shapes[name].children[relationship]
        return child, [one for one in self._living(child) if one[reference] == row["Id"]]

    def ids(self, query: tree.Query) -> set[Any]:
        """Return what the query inside IN finds."""
        name = query.sources[0].path[0]
        item = query.select[0]
        assert isinstance(item, tree.SelectExpression)
        inner = _Query(self, name, query)
        rows = [row for row in self._living(name) if query.where is None or inner.holds(query.where, row)]
        return {inner.value(item.expression, row) for row in rows} - {None}


class _Query:
    def __init__(self, world: World, name: str, query: tree.Query) -> None:
        self.world, self.name, self.query = world, name, query

    # Values ------------------------------------------------------------------------------------------------------

    def climb(self, parts: Sequence[str], row: Row | None) -> tuple[str, Row | None]:
        """Return object and row that a path of relationships ends at."""
        name = self.name
        for part in parts:
            reference, parent = self.world.shapes[name].parents[part]
            wanted = row[reference] if row is not None else None
            row = next((one for one in self.world.rows[parent] if one["Id"] == wanted), None) if wanted else None
            name = parent
        return name, row

    def kind(self, expression: tree.Expression) -> str:
        """Return the type of a field or function."""
        if isinstance(expression, tree.FieldPath):
            name, _ = self.climb(expression.parts[:-1], None)
            return self.world.shapes[name].types[expression.parts[-1]]
        function = expression.name.upper()
        if function in ("MIN", "MAX", "SUM"):
            inner = expression.arguments[0]
            assert isinstance(inner, tree.FieldPath)
            return self.kind(inner)
        return {"DAY_ONLY": "date", "AVG": "decimal"}.get(function, "int")

    def value(self, expression: tree.Expression, row: Row) -> Any:
        """Return the value of a field or date function in a row."""
        if isinstance(expression, tree.FieldPath):
            _, found = self.climb(expression.parts[:-1], row)
            return found[expression.parts[-1]] if found is not None else None
        inner = expression.arguments[0]
        assert isinstance(inner, tree.FieldPath)
        moment = self.value(inner, row)
        return None if moment is None else _DATE_PARTS[expression.name.upper()](moment)

    # Conditions --------------------------------------------------------------------------------------------------

    def holds(self, condition: tree.Condition, row: Row) -> bool:
        """Tell whether a row meets a condition of WHERE."""
        return self._holds(condition, lambda expression: self.value(expression, row))

    def _holds(self, condition: tree.Condition, value: Callable[[tree.Expression], Any]) -> bool:
        match condition:
            case tree.And(items=items):
                return all(self._holds(item, value) for item in items)
            case tree.Or(items=items):
                return any(self._holds(item, value) for item in items)
            case tree.Not(item=item):
                return not self._holds(item, value)
            case tree.Comparison(left=left, operator=sign, right=right):
                return self._compares(self.kind(left), value(left), sign, right)
            case tree.Like(left=left, pattern=pattern):
                assert isinstance(pattern, tree.LikePattern)
                return _is_like(value(left), pattern)
            case tree.InList(left=left, values=values, negated=negated):
                assert isinstance(values, tuple)
                kind, own = self.kind(left), value(left)
                return any(self._compares(kind, own, Operator.EQUAL, one) for one in values) != negated
            case tree.InQuery(left=left, query=query, negated=negated):
                return (value(left) in self.world.ids(query)) != negated
            case tree.Includes(left=left, values=values, negated=negated):
                chosen = set(filter(None, (value(left) or "").split(";")))
                wanted = [set(one.value.split(";")) for one in values if isinstance(one, tree.StringValue)]
                return any(group <= chosen for group in wanted) != negated

    def _compares(self, kind: str, own: Any, sign: Operator, right: tree.Value) -> bool:
        if sign is Operator.NOT_EQUAL:
            return not self._compares(kind, own, Operator.EQUAL, right)
        if kind == "boolean":
            return bool(own) == (isinstance(right, tree.BooleanValue) and right.value)
        if isinstance(right, tree.NullValue) or (isinstance(right, tree.StringValue) and right.value == ""):
            return own is None if sign is Operator.EQUAL else own is not None and sign.value.startswith(">")
        if own is None:
            return False
        if isinstance(right, tree.DateLiteral):
            day = own.date() if isinstance(own, datetime) else own
            first, last = _span(right, self.world.today)
            return {
                "=": first <= day <= last,
                "<": day < first,
                "<=": day <= last,
                ">": day > last,
                ">=": day >= first,
            }[sign.value]
        assert isinstance(right, tree.StringValue | tree.NumberValue | tree.DateValue | tree.DateTimeValue)
        wanted: Any = right.value
        if kind in ("id", "reference"):
            own, wanted = own[:15], str(wanted)[:15]
        elif isinstance(wanted, str):
            own, wanted = own.casefold(), wanted.casefold()
        return {"=": own == wanted, "<": own < wanted, "<=": own <= wanted, ">": own > wanted, ">=": own >= wanted}[
            sign.value
        ]

    # Records -----------------------------------------------------------------------------------------------------

    def answer(self, rows: Iterable[Row]) -> list[dict[str, Any]] | int:
        """Return records, groups or the count."""
        query = self.query
        found = [row for row in rows if query.where is None or self.holds(query.where, row)]
        first = query.select[0]
        call = first.expression if isinstance(first, tree.SelectExpression) else None
        if isinstance(call, tree.FunctionCall) and call.name.upper() == "COUNT" and not call.arguments:
            return len(_cut(found, query))
        if query.group_by is not None or any(_is_aggregate(item) for item in query.select):
            return self._groups(found)
        return [self._record(row) for row in _cut(self._ordered(found, self.value), query)]

    def _ordered(self, items: list[Any], value: Callable[[tree.Expression, Any], Any]) -> list[Any]:
        for order in reversed(self.query.order_by):
            kind = self.kind(order.expression)
            nulls = [item for item in items if value(order.expression, item) is None]
            rest = [item for item in items if value(order.expression, item) is not None]

            def key(item: Any, expression: tree.Expression = order.expression) -> Any:
                own = value(expression, item)
                return own.casefold() if isinstance(own, str) else own

            rest.sort(key=key, reverse=order.direction is tree.Direction.DESC)
            is_last = order.nulls is tree.Nulls.LAST and kind != "reference"
            items = rest + nulls if is_last else nulls + rest
        return items

    def _record(self, row: Row) -> dict[str, Any]:
        record: dict[str, Any] = {}
        for item in self.query.select:
            match item:
                case tree.SelectExpression(expression=tree.FieldPath(parts=parts)):
                    self._put(record, parts, row)
                case tree.SelectQuery(query=query):
                    relationship = query.sources[0].path[-1]
                    name, below = self.world.children(self.name, relationship, row)
                    children = _Query(self.world, name, query).answer(below)
                    assert isinstance(children, list)
                    whole = {"totalSize": len(children), "done": True, "records": children}
                    record[relationship] = whole if children else None
                case _:
                    raise AssertionError(item)
        return record

    def _put(self, record: dict[str, Any], parts: tuple[str, ...], row: Row) -> None:
        for depth in range(1, len(parts)):
            _, parent = self.climb(parts[:depth], row)
            if parent is None:
                record[parts[depth - 1]] = None
                return
            record = record.setdefault(parts[depth - 1], {})
        record[parts[-1]] = _shown(self.value(tree.FieldPath(parts=parts), row), self.kind(tree.FieldPath(parts=parts)))

    # Groups ------------------------------------------------------------------------------------------------------

    def _groups(self, rows: list[Row]) -> list[dict[str, Any]]:
        group_by = self.query.group_by
        items = list(group_by.items) if group_by else []
        groups: list[_Group] = []
        for active in _grouping_sets(items, group_by.grouping if group_by else tree.Grouping.PLAIN):
            gathered: dict[tuple[Any, ...], list[Row]] = {}
            for row in rows:
                gathered.setdefault(tuple(_folded(self.value(item, row)) for item in active), []).append(row)
            if group_by is None and not gathered:
                gathered[()] = []
            groups += [_Group(self, items, active, members) for members in gathered.values()]
        having = self.query.having
        if having is not None:
            groups = [group for group in groups if self._holds(having, group.value)]
        ordered = self._ordered(groups, lambda expression, group: group.value(expression))
        return [group.record(self.query) for group in _cut(ordered, self.query)]


@dataclass(frozen=True, slots=True)
class _Group:
    asked: _Query
    items: list[tree.Expression]
    active: list[tree.Expression]
    members: list[Row]

    def value(self, expression: tree.Expression) -> Any:
        """Return the value of a grouped expression or an aggregate."""
        if not isinstance(expression, tree.FunctionCall) or expression.name.upper() not in _AGGREGATES:
            if expression not in self.active:
                return None
            shown = [self.asked.value(expression, row) for row in self.members]
            return None if shown[0] is None else min(shown)
        inner = expression.arguments[0]
        assert isinstance(inner, tree.FieldPath | tree.FunctionCall)
        name = expression.name.upper()
        if name == "GROUPING":
            return int(inner not in self.active)
        values = [own for row in self.members if (own := self.asked.value(inner, row)) is not None]
        if name == "COUNT":
            return len(values)
        if name == "COUNT_DISTINCT":
            return len({_folded(own) for own in values})
        if not values:
            return None
        if name == "SUM":
            return sum(values)
        if name == "AVG":
            return sum(values) / len(values)
        return (min if name == "MIN" else max)(values, key=lambda own: self._rank(inner, own))

    def _rank(self, path: tree.Expression, own: Any) -> Any:
        if not isinstance(path, tree.FieldPath):
            return own
        name, _ = self.asked.climb(path.parts[:-1], None)
        choices = self.asked.world.shapes[name].choices.get(path.parts[-1])
        if choices is not None:
            return choices.index(own) if own in choices else len(choices), own
        return (own.casefold(), own) if isinstance(own, str) else own

    def record(self, query: tree.Query) -> dict[str, Any]:
        """Return the group as a record."""
        record: dict[str, Any] = {}
        unnamed = 0
        for item in query.select:
            assert isinstance(item, tree.SelectExpression)
            key = item.alias
            if key is None and isinstance(item.expression, tree.FieldPath):
                key = item.expression.parts[-1]
            if key is None:
                key, unnamed = f"expr{unnamed}", unnamed + 1
            record[key] = _shown(self.value(item.expression), self.asked.kind(item.expression))
        return record


_AGGREGATES = ("COUNT", "COUNT_DISTINCT", "SUM", "AVG", "MIN", "MAX", "GROUPING")


def _is_aggregate(item: tree.SelectItem) -> bool:
    call = item.expression if isinstance(item, tree.SelectExpression) else None
    return isinstance(call, tree.FunctionCall) and call.name.upper() in _AGGREGATES


def _grouping_sets(items: list[tree.Expression], grouping: tree.Grouping) -> list[list[tree.Expression]]:
    if grouping is tree.Grouping.PLAIN:
        return [items]
    if grouping is tree.Grouping.ROLLUP:
        return [items[:count] for count in range(len(items), -1, -1)]
    return [list(chosen) for count in range(len(items), -1, -1) for chosen in combinations(items, count)]


def _cut(items: list[Any], query: tree.Query) -> list[Any]:
    start = query.offset if isinstance(query.offset, int) else 0
    return items[start:][: query.limit] if isinstance(query.limit, int) else items[start:]


def _folded(value: Any) -> Any:
    return value.casefold() if isinstance(value, str) else value


def _shown(value: Any, kind: str) -> Any:
    if value is None:
        return None
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S.000+0000")
    if isinstance(value, date):
        return value.isoformat()
    return float(value) if kind == "decimal" else value


def _is_like(own: str | None, pattern: tree.LikePattern) -> bool:
    if not pattern.parts:
        return own is None
    wild = {tree.Wildcard.MANY: ".*", tree.Wildcard.ONE: "."}
    regex = "".join(wild[p] if isinstance(p, tree.Wildcard) else re.escape(p.casefold()) for p in pattern.parts)
    return own is not None and re.fullmatch(regex, own.casefold(), re.DOTALL) is not None


def _months(day: date, months: int) -> date:
    number = day.year * 12 + day.month - 1 + months
    return date(number // 12, number % 12 + 1, 1)


def _span(literal: tree.DateLiteral, today: date) -> tuple[date, date]:
    """Return first and last day of a literal."""
    n, month, year = literal.count or 0, today.replace(day=1), today.replace(month=1, day=1)
    sunday = today - timedelta(days=today.isoweekday() % 7)
    one = timedelta(days=1)
    spans = {
        "TODAY": (today, today),
        "YESTERDAY": (today - one, today - one),
        "TOMORROW": (today + one, today + one),
        "THIS_WEEK": (sunday, sunday + 6 * one),
        "LAST_WEEK": (sunday - 7 * one, sunday - one),
        "LAST_N_DAYS": (today - n * one, today),
        "NEXT_N_DAYS": (today + one, today + n * one),
        "N_DAYS_AGO": (today - n * one, today - n * one),
        "THIS_MONTH": (month, _months(month, 1) - one),
        "LAST_N_MONTHS": (_months(month, -n), month - one),
        "N_MONTHS_AGO": (_months(month, -n), _months(month, 1 - n) - one),
        "THIS_YEAR": (year, _months(year, 12) - one),
        "LAST_N_FISCAL_YEARS": (_months(year, -12 * n), year - one),
    }
    return spans[literal.name]


_DATE_PARTS: dict[str, Callable[[Any], Any]] = {
    "CALENDAR_YEAR": lambda moment: moment.year,
    "CALENDAR_MONTH": lambda moment: moment.month,
    "FISCAL_QUARTER": lambda moment: (moment.month - 1) // 3 + 1,
    "DAY_IN_WEEK": lambda moment: moment.isoweekday() % 7 + 1,
    "DAY_IN_YEAR": lambda moment: moment.timetuple().tm_yday,
    "HOUR_IN_DAY": lambda moment: moment.hour,
    "DAY_ONLY": lambda moment: moment.date(),
}
