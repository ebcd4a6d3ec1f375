"""Whole queries, generated, over random rows: the one SQL statement must answer what the naive reference answers."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.soql_files import bare
from tests.support.soql_reference import Row, Shape, World

from orgbridge.emulator.query import results
from orgbridge.emulator.query.planner import plan_query
from orgbridge.emulator.schema.model import Catalogue
from orgbridge.emulator.storage.database import Storage
from orgbridge.kit.json import dumps
from orgbridge.soql import parse
from orgbridge.wire.dates import bulk_datetime
from orgbridge.wire.ids import make_id

NOW = datetime(2025, 5, 14, 12, tzinfo=UTC)
_TEXTS = [None, "a", "A", "ab", "AB", "b", "ä", "Ä", "a%b", "a_b", "x\ny", "*"]
_DAYS = [date(2025, 5, 14) + timedelta(days=n) for n in (-400, -135, -134, -14, -4, -3, -1, 0, 1, 3, 18, 300)]
_INSTANTS = [datetime(d.year, d.month, d.day, h, 0, 0, 0, UTC) for d in _DAYS for h in (0, 23)]
_USERS = [make_id("005", n) for n in range(2)]
_ACCOUNTS = [make_id("001", n) for n in range(6)]
_CHOICES = ["Tech", "Banking", "Apparel"]

_SHAPES = {
    "User": Shape(types={"Id": "id", "Name": "text", "IsActive": "boolean", "IsDeleted": "boolean"}),
    "Account": Shape(
        types={
            "Id": "id", "IsDeleted": "boolean", "Name": "text", "Industry": "picklist", "BillingCity": "text",
            "Employees": "int", "AnnualRevenue": "decimal", "Since": "date", "CreatedDate": "datetime",
            "Active": "boolean", "Tags__c": "multi", "ParentId": "reference", "OwnerId": "reference",
        },
        parents={"Parent": ("ParentId", "Account"), "Owner": ("OwnerId", "User")},
        children={"Contacts": ("Contact", "AccountId"), "ChildAccounts": ("Account", "ParentId")},
        choices={"Industry": _CHOICES},
    ),
    "Contact": Shape(
        types={"Id": "id", "IsDeleted": "boolean", "Name": "text", "Email": "text", "Score": "decimal",
               "CreatedDate": "datetime", "AccountId": "reference"},
        parents={"Account": ("AccountId", "Account")},
    ),
}  # fmt: skip
_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "text": st.sampled_from(_TEXTS),
    "picklist": st.sampled_from([None, *_CHOICES, "tech", "other"]),
    "multi": st.sampled_from([None, "a", "b", "a;b", "b;c", "ab"]),
    "int": st.sampled_from([None, -1, 0, 1, 2]),
    "decimal": st.sampled_from([None, -0.5, 0.0, 0.25, 1.0, 1e12]),
    "date": st.sampled_from([None, *_DAYS]),
    "datetime": st.sampled_from(_INSTANTS),
    "boolean": st.booleans(),
}
#: SOQL literals by type.
_LITERALS: dict[str, list[str]] = {
    "text": ["'a'", "'AB'", "'Ä'", "''", "'a%b'", "null"],
    "picklist": ["'tech'", "'Banking'", "'x'", "null"],
    "multi": ["'a;b'", "'a'", "null"],
    "int": ["-1", "0", "1.5", "2", "null"],
    "decimal": ["-0.5", "0", "0.25", "1e12", "null"],
    "boolean": ["TRUE", "FALSE", "null"],
    "id": [f"'{identity}'" for identity in _ACCOUNTS[:2]] + [f"'{_ACCOUNTS[2][:15]}'"],
    "reference": [f"'{_ACCOUNTS[0]}'", f"'{_USERS[0][:15]}'", "null"],
}
_RELATIVE = ["TODAY", "YESTERDAY", "TOMORROW", "THIS_WEEK", "LAST_WEEK", "LAST_N_DAYS:4", "NEXT_N_DAYS:3",
             "N_DAYS_AGO:3", "THIS_MONTH", "LAST_N_MONTHS:5", "N_MONTHS_AGO:1", "THIS_YEAR",
             "LAST_N_FISCAL_YEARS:1"]  # fmt: skip
_LITERALS["date"] = [d.isoformat() for d in _DAYS[::3]] + _RELATIVE + ["null"]
_LITERALS["datetime"] = [bulk_datetime(i) for i in _INSTANTS[::5]] + _RELATIVE + ["null"]
_RANGED = ("text", "picklist", "int", "decimal", "date", "datetime")
_PATHS = {
    "Account": [*_SHAPES["Account"].types, "Owner.Name", "Owner.IsActive", "Parent.Name", "Parent.Employees",
                "Parent.Owner.Name"],
    "Contact": [*_SHAPES["Contact"].types, "Account.Name", "Account.Industry", "Account.Active",
                "Account.AnnualRevenue", "Account.Parent.Name", "Account.Owner.Name"],
}  # fmt: skip
_FUNCTIONS = ["CALENDAR_YEAR", "CALENDAR_MONTH", "FISCAL_QUARTER", "DAY_IN_WEEK", "DAY_IN_YEAR", "HOUR_IN_DAY"]
_SEMI = {
    "Account": ["Id {} (SELECT AccountId FROM Contact WHERE {})", "OwnerId {} (SELECT Id FROM User WHERE {})"],
    "Contact": ["AccountId {} (SELECT Id FROM Account WHERE {})"],
}


def _kind(sobject: str, path: str) -> str:
    *relationships, name = path.split(".")
    for relationship in relationships:
        sobject = _SHAPES[sobject].parents[relationship][1]
    return _SHAPES[sobject].types[name]


@st.composite
def _simple(draw: st.DrawFn, sobject: str) -> str:
    if draw(st.integers(0, 9)) == 0:
        function = draw(st.sampled_from(_FUNCTIONS))
        sign = draw(st.sampled_from(["=", "!=", "<", ">="]))
        return f"{function}(CreatedDate) {sign} {draw(st.sampled_from([1, 2, 4, 5, 23, 2025]))}"
    path = draw(st.sampled_from(_PATHS[sobject]))
    kind = _kind(sobject, path)
    shapes = ["equal", "in"] + ["range"] * (kind in _RANGED) + ["like"] * (kind in ("text", "picklist"))
    match draw(st.sampled_from(["includes"] if kind == "multi" and draw(st.booleans()) else shapes)):
        case "range":
            literals = [literal for literal in _LITERALS[kind] if literal not in ("null", "''")]
            return f"{path} {draw(st.sampled_from(['<', '<=', '>', '>=']))} {draw(st.sampled_from(literals))}"
        case "like":
            pattern = draw(st.sampled_from(["a%", "%B", "_", "%a\\_b%", "a\\%%", "%\\n%", "Ä", "%"]))
            return f"{path} LIKE '{pattern}'"
        case "includes":
            word = draw(st.sampled_from(["INCLUDES", "EXCLUDES"]))
            chosen = draw(st.sampled_from(["'a'", "'a;b'", "'c', 'a'", "'b;c', 'ab'"]))
            return f"{path} {word} ({chosen})"
        case "in":
            values = draw(st.lists(st.sampled_from(_LITERALS[kind]), min_size=1, max_size=3))
            return f"{path} {draw(st.sampled_from(['IN', 'NOT IN']))} ({', '.join(values)})"
        case _:
            return f"{path} {draw(st.sampled_from(['=', '!=', '<>']))} {draw(st.sampled_from(_LITERALS[kind]))}"


def _conditions(sobject: str) -> st.SearchStrategy[str]:
    return st.recursive(
        _simple(sobject),
        lambda inner: st.one_of(
            st.lists(inner, min_size=2, max_size=3).map(lambda items: "(" + " AND ".join(items) + ")"),
            st.lists(inner, min_size=2, max_size=3).map(lambda items: "(" + " OR ".join(items) + ")"),
            inner.map(lambda item: f"(NOT {item})"),
        ),
        max_leaves=4,
    )


@st.composite
def _where(draw: st.DrawFn, sobject: str, *, semi: bool = True) -> str:
    conditions = [draw(_conditions(sobject))] if draw(st.booleans()) else []
    if semi and sobject in _SEMI and draw(st.integers(0, 3)) == 0:
        pattern = draw(st.sampled_from(_SEMI[sobject]))
        inner = pattern.split("FROM ")[1].split(" ")[0]
        condition = (
            draw(_conditions(inner)) if inner in _PATHS else f"IsActive = {draw(st.sampled_from(_LITERALS['boolean']))}"
        )
        conditions.append(pattern.format(draw(st.sampled_from(["IN", "NOT IN"])), condition))
    return f" WHERE {' AND '.join(conditions)}" if conditions else ""


@st.composite
def _order(draw: st.DrawFn, keys: list[str], *, least: int = 0) -> str:
    chosen = draw(st.lists(st.sampled_from(keys), min_size=least, max_size=2, unique=True))
    ways = st.sampled_from(["", " ASC", " DESC", " NULLS LAST", " DESC NULLS LAST", " DESC NULLS FIRST"])
    return " ORDER BY " + ", ".join(key + draw(ways) for key in chosen) if chosen else ""


@st.composite
def _bounds(draw: st.DrawFn, *, offset: bool = True) -> str:
    limit = draw(st.sampled_from(["", "", " LIMIT 0", " LIMIT 2", " LIMIT 5"]))
    return limit + (draw(st.sampled_from(["", "", " OFFSET 1", " OFFSET 4"])) if offset else "")


def _sortable(sobject: str) -> list[str]:
    return [path for path in _PATHS[sobject] if _kind(sobject, path) != "multi"]


@st.composite
def _record_query(draw: st.DrawFn) -> str:
    sobject = draw(st.sampled_from(["Account", "Contact"]))
    items: list[str] = draw(st.lists(st.sampled_from(_PATHS[sobject]), min_size=1, max_size=5, unique=True))
    for relationship, (child, _) in _SHAPES[sobject].children.items():
        if draw(st.integers(0, 2)) == 0:
            inner = ", ".join(draw(st.lists(st.sampled_from(_PATHS[child]), min_size=1, max_size=3, unique=True)))
            tail = draw(_where(child)) + draw(_order(_sortable(child))) + draw(_bounds(offset=False))
            items.append(f"(SELECT {inner} FROM {relationship}{tail})")
    tail = draw(_where(sobject)) + draw(_order(_sortable(sobject))) + draw(_bounds())
    return f"SELECT {', '.join(items)} FROM {sobject}{tail}"


def _aggregates(sobject: str) -> list[str]:
    found = ["COUNT(Id)"]
    for path in _PATHS[sobject]:
        kind = _kind(sobject, path)
        if kind in ("int", "decimal"):
            found += [f"SUM({path})", f"AVG({path})"]
        if kind not in ("boolean", "multi"):
            found += [f"COUNT({path})", f"COUNT_DISTINCT({path})", f"MIN({path})", f"MAX({path})"]
    return found


@st.composite
def _group_query(draw: st.DrawFn) -> str:
    sobject = draw(st.sampled_from(["Account", "Contact"]))
    groupable = [path for path in _sortable(sobject) if _kind(sobject, path) != "datetime" and path != "Id"]
    groups = draw(st.lists(st.sampled_from(groupable), max_size=2, unique_by=lambda path: path.split(".")[-1]))
    if draw(st.booleans()):
        groups.append(f"{draw(st.sampled_from([*_FUNCTIONS, 'DAY_ONLY']))}(CreatedDate)")
    word = draw(st.sampled_from(["{}", "{}", "ROLLUP({})", "CUBE({})"]))
    aggregates = draw(st.lists(st.sampled_from(_aggregates(sobject)), min_size=1, max_size=3, unique=True))
    named = [item + (f" n{i}" if draw(st.booleans()) else "") for i, item in enumerate(aggregates)]
    if word != "{}" and groups:
        named.append(f"GROUPING({groups[0]}) g")
    query = f"SELECT {', '.join([*groups, *named])} FROM {sobject}{draw(_where(sobject))}"
    if not groups:
        return query
    query += " GROUP BY " + word.format(", ".join(groups))
    if draw(st.booleans()):
        query += f" HAVING COUNT(Id) {draw(st.sampled_from(['>', '=', '!=', '<=']))} {draw(st.integers(0, 3))}"
        if draw(st.booleans()) and "(" not in groups[0]:
            literal = draw(st.sampled_from(_LITERALS[_kind(sobject, groups[0])]))
            query += f" OR {groups[0]} != {literal}"
    if not draw(st.booleans()):
        return query
    # Groups that tie have no order of their own, so all of them are sorted by, and what tells totals from nulls too.
    first = draw(st.sampled_from(["", aggregates[0] + " DESC NULLS LAST, "]))
    ties = [f"GROUPING({group})" for group in groups] if word != "{}" else []
    return f"{query} ORDER BY {first}{', '.join([*groups, *ties])}{draw(_bounds())}"


_count_query = st.sampled_from(["Account", "Contact"]).flatmap(
    lambda sobject: st.builds(
        lambda where, tail: f"SELECT COUNT() FROM {sobject}{where}{tail}", _where(sobject), _bounds()
    )
)


def _rows(sobject: str, ids: list[str], links: dict[str, list[str]]) -> st.SearchStrategy[list[Row]]:
    types = _SHAPES[sobject].types
    fields = {name: _VALUES[kind] for name, kind in types.items() if kind in _VALUES and name != "IsDeleted"}
    references = {name: st.sampled_from([None, *links[name]]) for name in links}
    row = st.fixed_dictionaries({**fields, **references, "IsDeleted": st.sampled_from([False, False, False, True])})
    return st.lists(row, min_size=1, max_size=len(ids)).map(
        lambda rows: [{"Id": ids[number], **values} for number, values in enumerate(rows)]
    )


_worlds = st.fixed_dictionaries(
    {
        "User": _rows("User", _USERS, {}),
        "Account": _rows("Account", _ACCOUNTS, {"ParentId": _ACCOUNTS, "OwnerId": _USERS}),
        "Contact": _rows("Contact", [make_id("003", n) for n in range(8)], {"AccountId": _ACCOUNTS}),
    }
).map(lambda rows: World(shapes=_SHAPES, rows=rows, today=NOW.date()))


def _stored(value: Any) -> Any:
    if isinstance(value, datetime):
        return bulk_datetime(value)
    return value.isoformat() if isinstance(value, date) else int(value) if isinstance(value, bool) else value


def _fill(storage: Storage, catalogue: Catalogue, world: World) -> None:
    with storage.write() as connection:
        for name, rows in world.rows.items():
            sobject = catalogue.sobject(name)
            assert sobject is not None
            connection.execute(f'DELETE FROM "{name}"')
            for row in rows:
                values = {key: _stored(value) for key, value in row.items()}
                keys = [f for f in sobject.fields if f.has_key and values.get(f.name) is not None]
                values |= {f.key_column: f.key_of(values[f.name]) for f in keys}
                names = ", ".join(f'"{key}"' for key in values)
                marks = ", ".join("?" * len(values))
                connection.execute(f'INSERT INTO "{name}" ({names}) VALUES ({marks})', tuple(values.values()))


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    world=_worlds,
    queries=st.lists(_record_query() | _record_query() | _group_query() | _count_query, min_size=2, max_size=6),
)
def test_sql_answers_as_the_reference_does(
    world: World, queries: list[str], catalogue: Catalogue, accounts: Storage
) -> None:
    """For any rows and any query of the generated language both answers are the same, order included."""
    _fill(accounts, catalogue, world)
    with accounts.read() as connection:
        for soql in queries:
            tree = parse(soql)
            plan = plan_query(catalogue, soql, now=NOW)
            reply = results.query_json(plan, connection, version="v62.0")
            expected = world.answer(tree)
            if isinstance(expected, int):
                assert reply["totalSize"] == expected, soql
                continue
            found = bare(reply["records"])
            if tree.group_by is not None and not tree.order_by:
                found, expected = sorted(found, key=dumps), sorted(expected, key=dumps)
            assert found == expected, soql
