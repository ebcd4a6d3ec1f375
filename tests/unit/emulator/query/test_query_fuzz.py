"""Queries put together at random: whatever they are, they give rows or Salesforce's refusal, and nothing else."""

from __future__ import annotations

from datetime import datetime

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orgbridge.emulator.query import csvrows, results
from orgbridge.emulator.query.bulk import check_bulk
from orgbridge.emulator.query.planner import plan_query
from orgbridge.emulator.schema.errors import SFError
from orgbridge.emulator.schema.model import Catalogue
from orgbridge.emulator.storage.database import Connection
from orgbridge.kit.json import dumps

_PATHS = [
    "Id", "Name", "Industry", "AnnualRevenue", "Employees", "Since", "Active", "Opens", "Notes", "Key__c", "Exact__c",
    "Tags__c", "BillingCity", "BillingAddress", "ParentId", "Owner.Name", "Parent.Owner.IsActive", "Account.Name",
    "Who.Name", "Who.Type", "Subject", "Body", "Email", "Score", "CreatedDate", "Parent.CreatedDate", "Bogus", "a.Name",
    "Location__c", "Opens__c", "Rent__c", "Seats__c", "Account__r.Name", "LastViewedDate",
]  # fmt: skip
_FUNCTIONS = [
    "COUNT", "COUNT_DISTINCT", "SUM", "AVG", "MIN", "MAX", "GROUPING", "CALENDAR_YEAR", "DAY_ONLY", "HOUR_IN_DAY",
    "WEEK_IN_YEAR", "toLabel", "FORMAT", "DISTANCE", "FIELDS", "convertCurrency",
]  # fmt: skip
_VALUES = [
    "'x'", "''", "'001Ob0000000001'", "5", "-1.5", "1e400", "99999999999999999999", "TRUE", "null", "TODAY",
    "LAST_N_DAYS:3", "NEXT_N_YEARS:99999999999", "2025-05-14", "2025-05-14T01:00:00Z", "USD5", r"'%\_*?[]^-'",
    r"'\u0000'", "08:30:00Z", "EUR7", "9" * 300, "1" + "0" * 30,
]  # fmt: skip
_paths = st.sampled_from(_PATHS)
_distances = st.builds(
    lambda path, place: f"DISTANCE({path}, GEOLOCATION({place}), 'km')",
    _paths,
    st.sampled_from(["1, 2", "90.0, -180", "91, 0", "1", "'a', 2", "1e400, 1"]),
)
_calls = st.builds(lambda name, path: f"{name}({path})", st.sampled_from(_FUNCTIONS), _paths) | _distances
_expressions = st.one_of(_paths, _paths, _calls)
_values = st.sampled_from(_VALUES)
_lists = st.lists(_values, min_size=1, max_size=3).map(", ".join)
_objects = st.sampled_from(["Account", "Contact", "Task", "User", "Account a", "Bogus", "Site__c"])
_semi = st.builds(lambda path, source: f"SELECT {path} FROM {source}", _paths, _objects)
_simple = st.one_of(
    st.builds(
        lambda left, sign, right: f"{left} {sign} {right}",
        _expressions,
        st.sampled_from(["=", "!=", "<", "<=", ">", ">=", "LIKE"]),
        _values,
    ),
    st.builds(
        lambda left, word, right: f"{left} {word} ({right})",
        _expressions,
        st.sampled_from(["IN", "NOT IN", "INCLUDES", "EXCLUDES"]),
        st.one_of(_lists, _lists, _semi),
    ),
)
_conditions = st.recursive(
    _simple,
    lambda inner: st.one_of(
        st.builds(lambda a, b: f"({a}) AND ({b})", inner, inner),
        st.builds(lambda a, b: f"({a}) OR ({b})", inner, inner),
        st.builds(lambda a: f"NOT ({a})", inner),
    ),
    max_leaves=4,
)


def _clause(word: str, inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.just("") | inner.map(lambda text: f" {word} {text}")


_orders = st.builds(
    lambda path, way: path + way, _expressions, st.sampled_from(["", " ASC", " DESC NULLS LAST", " NULLS FIRST"])
)
_groups = st.one_of(
    st.lists(_expressions, min_size=1, max_size=2).map(", ".join),
    st.builds(lambda word, path: f"{word}({path})", st.sampled_from(["ROLLUP", "CUBE"]), _expressions),
)


def _queries(items: st.SearchStrategy[str], sources: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds(
        lambda *parts: "".join(parts),
        st.lists(items, min_size=1, max_size=3, unique=True).map(lambda found: "SELECT " + ", ".join(found)),
        sources.map(lambda name: f" FROM {name}"),
        _clause("WHERE", _conditions),
        st.builds(
            lambda group, having: group + having if group else "",
            _clause("GROUP BY", _groups),
            _clause("HAVING", _conditions),
        ),
        _clause("ORDER BY", _orders),
        _clause("LIMIT", st.sampled_from(["0", "1", "200", "999999999999999999"])),
        _clause("OFFSET", st.sampled_from(["0", "1", "2001"])),
        st.sampled_from(["", "", " FOR VIEW", " FOR REFERENCE"]),
    )


_children = _queries(_paths, st.sampled_from(["Contacts", "ChildAccounts", "Tasks", "Bogus"])).map(lambda q: f"({q})")
_items = st.one_of(
    _expressions,
    _expressions,
    st.builds(lambda expression, alias: f"{expression} {alias}", _calls, st.sampled_from(["x", "y"])),
    st.sampled_from(["COUNT()", "FIELDS(ALL)", "FIELDS(STANDARD)", "TYPEOF Who WHEN User THEN Name ELSE Id END"]),
    _children,
)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(soql=_queries(_items, _objects))
def test_any_query_is_answered_or_refused(soql: str, catalogue: Catalogue, org: Connection, now: datetime) -> None:
    """SQLite never stumbles over a plan, and every answer can be written as JSON and, if Bulk takes it, as CSV."""
    try:
        plan = plan_query(catalogue, soql, now=now)
    except SFError as error:
        assert error.code.isupper()  # noqa: PT017 a refusal is one of two right outcomes
        return
    reply = results.query_json(plan, org, version="v62.0")
    assert dumps(reply)
    assert plan.is_count or reply["totalSize"] == results.total(plan, org) == len(reply["records"])
    try:
        check_bulk(plan)
    except SFError:
        return
    header, rows = csvrows.query_csv(plan, org)
    assert all(len(row) == len(header) for row in rows)
