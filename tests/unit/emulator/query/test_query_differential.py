"""Random conditions over random rows: SQL must find the rows that a naive reading of the documented rules finds."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orgbridge.emulator.query.planner import plan_query
from orgbridge.emulator.schema.model import Catalogue
from orgbridge.emulator.storage.database import Storage
from orgbridge.soql import print_query, tree
from orgbridge.soql.tree import Operator
from orgbridge.wire.dates import bulk_datetime
from orgbridge.wire.ids import make_id

NOW = datetime(2025, 5, 14, 12, tzinfo=UTC)
TODAY = NOW.date()
_TEXTS = ["", "a", "A", "ab", "AB", "b", "ä", "Ä", "ß", "SS", "a%b", "a_b", "100%", "x\ny", "*", "[a]", "?", "é😀"]
_DAYS = [date(2025, 5, 14) + timedelta(days=n) for n in (-400, -135, -134, -14, -8, -4, -3, -1, 0, 1, 3, 4, 18, 300)]
_INSTANTS = [datetime(d.year, d.month, d.day, h, 0, 0, 0, UTC) for d in _DAYS for h in (0, 23)]
_TEXT_FIELDS = ["Name", "Industry", "BillingCity", "Exact__c"]
_IDS = [make_id("001", number) for number in range(1, 4)]

_rows = st.lists(
    st.fixed_dictionaries(
        {
            "Name": st.sampled_from(_TEXTS),
            "Industry": st.sampled_from(_TEXTS),
            "BillingCity": st.sampled_from(_TEXTS),
            "Employees": st.sampled_from([None, -1, 0, 1, 2]),
            "AnnualRevenue": st.sampled_from([None, -0.5, 0.0, 0.1, 1.0, 1e12]),
            "Since": st.sampled_from([None, *_DAYS]),
            "CreatedDate": st.sampled_from([None, *_INSTANTS]),
            "Active": st.booleans(),
            "Tags__c": st.sampled_from([None, "a", "b", "a;b", "b;c", "ab"]),
            "ParentId": st.sampled_from([None, *_IDS]),
        }
    ),
    min_size=1,
    max_size=8,
)


def _path(name: str) -> tree.FieldPath:
    return tree.FieldPath(parts=(name,))


def _string(text: str) -> tree.Value:
    return tree.StringValue(value=text)


_literals = st.one_of(
    st.builds(
        tree.DateLiteral,
        name=st.sampled_from(["TODAY", "YESTERDAY", "THIS_WEEK", "LAST_WEEK", "THIS_MONTH", "THIS_YEAR"]),
    ),
    st.builds(tree.DateLiteral, name=st.sampled_from(["LAST_N_DAYS", "NEXT_N_DAYS"]), count=st.integers(0, 20)),
)
_by_field: dict[str, st.SearchStrategy[tree.Value]] = {
    **{name: st.sampled_from(_TEXTS).map(_string) for name in ("Name", "Industry", "BillingCity")},
    "Employees": st.sampled_from(["-1", "0", "1", "1.5", "2"]).map(lambda n: tree.NumberValue(text=n)),
    "AnnualRevenue": st.sampled_from(["-0.5", "0", "0.1", "1e12"]).map(lambda n: tree.NumberValue(text=n)),
    "Since": st.sampled_from(_DAYS).map(lambda d: tree.DateValue(value=d)) | _literals,
    "CreatedDate": st.sampled_from(_INSTANTS).map(lambda i: tree.DateTimeValue(value=i)) | _literals,
    "ParentId": st.sampled_from([*_IDS, *(i[:15] for i in _IDS)]).map(_string),
}
_null = st.just(tree.NullValue())


@st.composite
def _simple(draw: st.DrawFn) -> tree.Condition:
    kind = draw(st.sampled_from(["equal", "equal", "range", "like", "in", "includes", "boolean"]))
    if kind == "boolean":
        value = draw(st.sampled_from([tree.BooleanValue(value=True), tree.BooleanValue(value=False), tree.NullValue()]))
        signs = st.sampled_from([Operator.EQUAL, Operator.NOT_EQUAL])
        return tree.Comparison(left=_path("Active"), operator=draw(signs), right=value)
    if kind == "includes":
        texts = draw(st.lists(st.sampled_from(["a", "B", "a;b", "c;b"]), min_size=1, max_size=2))
        values = tuple(tree.StringValue(value=text) for text in texts)
        return tree.Includes(left=_path("Tags__c"), values=values, negated=draw(st.booleans()))
    if kind == "like":
        name = draw(st.sampled_from(["Name", "Industry", "BillingCity"]))
        parts = draw(st.lists(st.sampled_from([*tree.Wildcard, "a", "B", "%", "_", "ä", "*", "[", "x\ny"]), max_size=4))
        return tree.Like(left=_path(name), pattern=tree.LikePattern(parts=_merge(parts)))
    name = draw(st.sampled_from(sorted(_by_field)))
    if kind == "in":
        values = draw(st.lists(_by_field[name] | _null, min_size=1, max_size=3))
        return tree.InList(left=_path(name), values=tuple(values), negated=draw(st.booleans()))
    if kind == "range":
        sign = draw(
            st.sampled_from([Operator.LESS, Operator.LESS_OR_EQUAL, Operator.GREATER, Operator.GREATER_OR_EQUAL])
        )
        return tree.Comparison(left=_path(name), operator=sign, right=draw(_by_field[name]))
    sign = draw(st.sampled_from([Operator.EQUAL, Operator.NOT_EQUAL]))
    return tree.Comparison(left=_path(name), operator=sign, right=draw(_by_field[name] | _null))


def _merge(parts: list[str]) -> tuple[str | tree.Wildcard, ...]:
    out: list[str | tree.Wildcard] = []
    for part in parts:
        if out and not isinstance(part, tree.Wildcard) and not isinstance(out[-1], tree.Wildcard):
            out[-1] += part
        else:
            out.append(part)
    return tuple(out)


_conditions = st.recursive(
    _simple(),
    lambda inner: st.one_of(
        st.builds(tree.And, items=st.lists(inner, min_size=2, max_size=3).map(tuple)),
        st.builds(tree.Or, items=st.lists(inner, min_size=2, max_size=3).map(tuple)),
        st.builds(tree.Not, item=inner),
    ),
    max_leaves=6,
)


def _holds(condition: tree.Condition, row: dict[str, Any]) -> bool:
    """Tell whether a row meets a condition, by the rules as they are written in the docs."""
    match condition:
        case tree.And(items=items):
            return all(_holds(item, row) for item in items)
        case tree.Or(items=items):
            return any(_holds(item, row) for item in items)
        case tree.Not(item=item):
            return not _holds(item, row)
        case tree.Comparison(left=left, operator=sign, right=right):
            assert isinstance(left, tree.FieldPath)
            return _compares(row[left.text], sign, right)
        case tree.Like(left=left, pattern=pattern):
            assert isinstance(left, tree.FieldPath)
            assert isinstance(pattern, tree.LikePattern)
            return _matches(row[left.text], pattern)
        case tree.InList(left=left, values=values, negated=negated):
            assert isinstance(left, tree.FieldPath)
            assert isinstance(values, tuple)
            return any(_compares(row[left.text], Operator.EQUAL, value) for value in values) != negated
        case tree.Includes(values=values, negated=negated):
            chosen = set((row["Tags__c"] or "").split(";"))
            texts = [value.value for value in values if isinstance(value, tree.StringValue)]
            return any(set(text.lower().split(";")) <= chosen for text in texts) != negated
        case _:
            raise AssertionError(condition)


def _matches(value: str | None, pattern: tree.LikePattern) -> bool:
    if not pattern.parts:
        return not value
    wild = {tree.Wildcard.MANY: ".*", tree.Wildcard.ONE: "."}
    regex = "".join(wild[p] if isinstance(p, tree.Wildcard) else re.escape(p.casefold()) for p in pattern.parts)
    return bool(value) and re.fullmatch(regex, (value or "").casefold(), re.DOTALL) is not None


def _compares(value: Any, sign: Operator, right: tree.Value) -> bool:
    if sign is Operator.NOT_EQUAL:
        return not _compares(value, Operator.EQUAL, right)
    if isinstance(value, bool):
        return value == (isinstance(right, tree.BooleanValue) and right.value)
    missing = value is None or value == ""
    if isinstance(right, tree.NullValue) or (isinstance(right, tree.StringValue) and not right.value):
        # An empty text is null; nothing is less or greater than it but what is greater than every text.
        if sign is Operator.EQUAL:
            return missing
        return not missing and sign in (Operator.GREATER, Operator.GREATER_OR_EQUAL)
    if missing:
        return False
    if isinstance(right, tree.DateLiteral):
        day = value.date() if isinstance(value, datetime) else value
        first, last = _span(right)
        return {
            Operator.EQUAL: first <= day <= last,
            Operator.LESS: day < first,
            Operator.LESS_OR_EQUAL: day <= last,
            Operator.GREATER: day > last,
            Operator.GREATER_OR_EQUAL: day >= first,
        }[sign]
    compare: Callable[[Any, Any], bool] = {
        Operator.EQUAL: operator.eq,
        Operator.LESS: operator.lt,
        Operator.LESS_OR_EQUAL: operator.le,
        Operator.GREATER: operator.gt,
        Operator.GREATER_OR_EQUAL: operator.ge,
    }[sign]
    assert isinstance(right, tree.StringValue | tree.NumberValue | tree.DateValue | tree.DateTimeValue)
    wanted: Any = right.value
    if isinstance(wanted, str) and wanted[:15] in [identity[:15] for identity in _IDS]:
        return compare(value[:15], wanted[:15])
    return compare(value.casefold(), wanted.casefold()) if isinstance(wanted, str) else compare(value, wanted)


def _span(literal: tree.DateLiteral) -> tuple[date, date]:
    """Return first and last day of a literal, counted by hand for 14 May 2025."""
    count = literal.count or 0
    return {
        "TODAY": (TODAY, TODAY),
        "YESTERDAY": (date(2025, 5, 13), date(2025, 5, 13)),
        "THIS_WEEK": (date(2025, 5, 11), date(2025, 5, 17)),
        "LAST_WEEK": (date(2025, 5, 4), date(2025, 5, 10)),
        "THIS_MONTH": (date(2025, 5, 1), date(2025, 5, 31)),
        "THIS_YEAR": (date(2025, 1, 1), date(2025, 12, 31)),
        "LAST_N_DAYS": (TODAY - timedelta(days=count), TODAY),
        "NEXT_N_DAYS": (TODAY + timedelta(days=1), TODAY + timedelta(days=count)),
    }[literal.name]


def _stored(value: Any) -> Any:
    if isinstance(value, datetime):
        return bulk_datetime(value)
    return value.isoformat() if isinstance(value, date) else int(value) if isinstance(value, bool) else value


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=_rows, conditions=st.lists(_conditions, min_size=1, max_size=6))
def test_sql_finds_what_the_rules_say(
    rows: list[dict[str, Any]], conditions: list[tree.Condition], catalogue: Catalogue, accounts: Storage
) -> None:
    """For any rows and any conditions the statement finds exactly the rows that meet them."""
    account = catalogue.sobject("Account")
    assert account is not None
    with accounts.write() as connection:
        connection.execute('DELETE FROM "Account"')
        for number, row in enumerate(rows):
            values = {name: _stored(value) for name, value in row.items() if value not in (None, "")}
            if "Name" in values:
                values["Name$key"] = values["Name"].casefold()
            names = ", ".join(f'"{name}"' for name in ("Id", *values))
            marks = ", ".join("?" * (len(values) + 1))
            connection.execute(
                f'INSERT INTO "Account" ({names}) VALUES ({marks})', (make_id("001", number), *values.values())
            )
    with accounts.read() as connection:
        for condition in conditions:
            query = tree.Query(
                select=(tree.SelectExpression(expression=_path("Id")),),
                sources=(tree.FromItem(path=("Account",)),),
                where=condition,
            )
            plan = plan_query(catalogue, print_query(query), now=NOW)
            found = [row[0] for row in connection.execute(plan.sql, plan.parameters)]
            expected = [make_id("001", number) for number, row in enumerate(rows) if _holds(condition, row)]
            assert found == expected
