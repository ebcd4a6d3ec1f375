"""What REST and Bulk show of a result: attributes, pages, CSV values, and what a query job refuses."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orgbridge.emulator.query import csvrows, results
from orgbridge.emulator.query.bulk import check_bulk
from orgbridge.emulator.query.execution import run_query
from orgbridge.emulator.query.planner import plan_query
from orgbridge.emulator.query.plans import QueryPlan
from orgbridge.emulator.schema.errors import SFError
from orgbridge.emulator.schema.loading import standard_catalogue
from orgbridge.emulator.schema.model import Catalogue, ChildRelationship, Field, SObject
from orgbridge.emulator.storage.database import Connection, Storage
from orgbridge.emulator.storage.numerals import decimal_text
from orgbridge.kit.json import dumps
from orgbridge.wire.fieldtypes import FieldType
from orgbridge.wire.ids import make_id


@pytest.fixture
def plan(catalogue: Catalogue, now: datetime) -> Any:
    """Plan a query of the tiny org."""

    def planned(soql: str, **options: Any) -> QueryPlan:
        return plan_query(catalogue, soql, now=now, **options)

    return planned


def test_records_carry_type_and_url_first(plan: Any, org: Connection) -> None:
    """Attributes come first in each record and parent; a polymorphic parent's type is Name, its URL the real one."""
    reply = results.query_json(plan("SELECT Who.Name, Subject FROM Task LIMIT 1"), org, version="v62.0")
    assert dumps(reply).decode() == (
        '{"totalSize":1,"done":true,"records":[{"attributes":{"type":"Task",'
        '"url":"/services/data/v62.0/sobjects/Task/00TOb0000000001MAA"},"Who":{"attributes":{"type":"Name",'
        '"url":"/services/data/v62.0/sobjects/Contact/003Ob0000000001IAA"},"Name":"Cy"},"Subject":"Call"}]}'
    )


def test_groups_have_no_url(plan: Any, org: Connection) -> None:
    """A record of an aggregate query has a type and nothing to follow."""
    reply = results.query_json(plan("SELECT COUNT(Id) n FROM Account"), org, version="v62.0")
    assert reply == {
        "totalSize": 1,
        "done": True,
        "records": [{"attributes": {"type": "AggregateResult"}, "n": 4}],
    }


def test_query_all_sees_the_recycle_bin(plan: Any, org: Connection) -> None:
    """Deleted rows are counted and shown only when they are asked for."""
    soql = "SELECT Name FROM Account WHERE Name = 'gone'"
    assert results.total(plan(soql), org) == 0
    records = list(results.records(plan(soql, include_deleted=True), org, version="v62.0"))
    assert [record["Name"] for record in records] == ["Gone"]


@pytest.mark.parametrize("order", ["", " ORDER BY Account.Owner.Name DESC"], ids=["unordered", "ordered"])
def test_pages_show_every_record_once(plan: Any, org: Connection, order: str) -> None:
    """Going from page to page, by count or by the last row, meets the records of one whole read."""
    query = plan(f"SELECT Id FROM Contact{order} LIMIT 4")
    whole = [record["Id"] for record in results.records(query, org, version="v62.0")]
    found: list[str] = []
    last: int | None = None
    while True:
        page = results.page(query, org, version="v62.0", start=len(found), size=3, after_rowid=last)
        found += [record["Id"] for record in page.records]
        last = page.last_rowid
        assert page.total == 4
        if page.done:
            break
    assert (found, query.can_seek) == (whole, not order)


def test_the_reply_names_the_next_page(plan: Any, org: Connection) -> None:
    """`nextRecordsUrl` stands in a reply exactly when records are left."""
    query = plan("SELECT Id FROM Contact")
    first = results.query_json(query, org, version="v62.0", size=3, next_url=lambda end: f"/query/x-{end}")
    rest = results.query_json(query, org, version="v62.0", start=3, size=3, next_url=lambda end: f"/query/x-{end}")
    assert (list(first), first["nextRecordsUrl"]) == (["totalSize", "done", "nextRecordsUrl", "records"], "/query/x-3")
    assert (list(rest), rest["done"], rest["totalSize"]) == (["totalSize", "done", "records"], True, 5)


def test_groups_that_need_pages_are_refused(plan: Any, org: Connection) -> None:
    """An aggregate result larger than a page is EXCEEDED_ID_LIMIT, not a cut result."""
    query = plan("SELECT Name FROM Account GROUP BY Name")
    with pytest.raises(SFError) as caught:
        results.page(query, org, version="v62.0", size=3)
    assert caught.value.code == "EXCEEDED_ID_LIMIT"


def test_offset_and_limit_count_in_the_total(plan: Any, org: Connection) -> None:
    """The total is what the query gives, not what matches its WHERE."""
    totals = [
        results.total(plan(f"SELECT Id FROM Contact {tail}"), org)
        for tail in ("", "LIMIT 3", "LIMIT 3 OFFSET 4", "OFFSET 9", "LIMIT 0")
    ]
    assert totals == [5, 3, 1, 0, 0]


def test_csv_headers_are_as_written_and_values_in_bulk_form(plan: Any, org: Connection) -> None:
    """Headers keep the query's spelling and order, null is empty, instants end in Z, decimals have a point."""
    query = plan(
        "SELECT id, account.NAME, Account.AnnualRevenue, CreatedDate, Account.Active, c.Score FROM Contact c LIMIT 3"
    )
    header, rows = csvrows.query_csv(query, org)
    assert header == ["id", "account.NAME", "Account.AnnualRevenue", "CreatedDate", "Account.Active", "Score"]
    assert list(rows) == [
        ("003Ob0000000001IAA", "Acme", "1000000.0", "2025-05-01T10:00:00.000Z", "true", "0.3333333333333333"),
        ("003Ob0000000002IAA", "Acme", "1000000.0", "2025-05-02T10:00:00.000Z", "true", ""),
        ("003Ob0000000003IAA", "acme two", "0.1", "2025-05-03T10:00:00.000Z", "false", "2.0"),
    ]


def test_csv_of_nothing_has_a_header(plan: Any, org: Connection) -> None:
    """A result without rows still says which columns it has."""
    header, rows = csvrows.query_csv(plan("SELECT Id, Name FROM Account WHERE Name = 'nobody'"), org)
    assert (header, list(rows)) == (["Id", "Name"], [])


def test_fields_standard_leaves_out_of_a_csv_what_has_no_cell(plan: Any) -> None:
    """FIELDS(STANDARD) may be used in a query job; compound and base64 fields do not come with it."""
    query = plan("SELECT FIELDS(STANDARD) FROM Account")
    check_bulk(query)
    assert ("BillingAddress" in csvrows.header(query), "BillingCity" in csvrows.header(query)) == (False, True)


@pytest.mark.parametrize(
    ("soql", "message"),
    [
        ("SELECT Id, (SELECT Id FROM Contacts) FROM Account", "Aggregate Relationships not supported in Bulk Query"),
        ("SELECT BillingAddress FROM Account", "Selecting compound data not supported in Bulk Query"),
        ("SELECT Name FROM Account GROUP BY Name", "Group By Not Supported in Bulk Query"),
        ("SELECT COUNT() FROM Account", "Aggregate Functions Not Supported in Bulk Query"),
        ("SELECT MAX(Name) FROM Account", "Aggregate Functions Not Supported in Bulk Query"),
        ("SELECT Id FROM Account OFFSET 5", "Offset Not Supported in Bulk Query"),
        ("SELECT TYPEOF Who WHEN User THEN Name END FROM Task", "TypeOf Not Supported in Bulk Query"),
        ("SELECT Body FROM Task", "Selecting binary data not supported in Bulk Query"),
        ("SELECT FIELDS(ALL) FROM Account LIMIT 5", "Only FIELDS(STANDARD) is supported in Bulk Query"),
    ],
)
def test_a_query_job_refuses_what_it_cannot_do(plan: Any, soql: str, message: str) -> None:
    """Each construct that Bulk does not take is refused by name."""
    with pytest.raises(SFError) as caught:
        check_bulk(plan(soql))
    assert caught.value.message == message


def test_a_query_job_takes_paths_order_and_limit(plan: Any) -> None:
    """Parents, ORDER BY and LIMIT are allowed in Bulk."""
    check_bulk(plan("SELECT Id, Account.Name FROM Contact WHERE Account.Name != null ORDER BY Name LIMIT 5"))


def test_run_query_answers_in_one_call(catalogue: Catalogue, org: Connection, now: datetime) -> None:
    """One call gives plan, total, records and rows."""
    result = run_query(catalogue, org, "SELECT Name FROM User ORDER BY Name DESC LIMIT 1", now=now)
    assert (result.total, result.plan.sobject.name) == (1, "User")
    assert [record["Name"] for record in result.records("v62.0")] == ["Bob"]
    assert list(result.rows()) == [("Bob",)]


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_decimal_text_is_the_same_number_with_a_point(number: float) -> None:
    """No digit is lost and there always is a point."""
    text = decimal_text(number)
    assert (float(text), "." in text) == (number, True)


@pytest.mark.parametrize(
    ("number", "text"), [(23, "23.0"), (0, "0.0"), (-1.5, "-1.5"), (1e10, "1.0E10"), (-12345678.5, "-1.23456785E7")]
)
def test_decimal_texts_look_like_the_platforms(number: float, text: str) -> None:
    """Small numbers are plain, large ones have an exponent."""
    assert decimal_text(number) == text


@pytest.mark.parametrize(
    ("where", "index"),
    [
        ("Name = 'Row 5'", "Account.Name"),
        ("Name IN ('Row 5', 'Row 6')", "Account.Name"),
        ("Name LIKE 'Row 5%'", "Account.Name"),
        ("Key__c = 'k5'", "Account.Key__c"),
        ("Exact__c = 'k5'", "Account.Exact__c"),
        ("ParentId = '001Ob0000000001'", "Account.ParentId"),
        ("CreatedDate = LAST_N_DAYS:5", "Account.CreatedDate"),
        ("Id = '001Ob0000000001'", "sqlite_autoindex_Account_1"),
        ("Id IN (SELECT AccountId FROM Contact WHERE Name = 'x')", "sqlite_autoindex_Account_1"),
        ("Owner.Name = 'x'", "Account.OwnerId"),
        ("Name = 'Row 5' OR Key__c = 'k5'", "Account.Key__c"),
    ],
)
def test_an_index_serves_what_is_indexed(plan: Any, accounts: Storage, where: str, index: str) -> None:
    """Equality, IN, prefixes and ranges on indexed fields search the index and scan no table."""
    query = plan(f"SELECT Id, Name FROM Account WHERE {where}")
    with accounts.read() as connection:
        steps = [str(row[3]) for row in connection.execute("EXPLAIN QUERY PLAN " + query.sql, query.parameters)]
    assert any(f"{index} " in step for step in steps), steps
    assert not any(step.startswith("SCAN") for step in steps), steps


def test_a_range_that_matches_little_is_searched(plan: Any, accounts: Storage) -> None:
    """What changed since yesterday is found by index when it is little, and in order by a scan when it is much."""
    query = plan("SELECT Id FROM Account WHERE CreatedDate > 2030-01-01T00:00:00Z AND Active = TRUE")
    assert query.is_ranged
    steps = []
    with accounts.read() as connection:
        for is_small in (True, False):
            statement = query.page(is_small=is_small)
            found = connection.execute("EXPLAIN QUERY PLAN " + statement.text, statement.parameters).fetchone()
            steps.append(str(found[3]))
    assert ("USING INDEX Account.CreatedDate" in steps[0], steps[1]) == (True, "SCAN t0")


def test_the_longest_conditions_do_not_break_sqlite(plan: Any, org: Connection) -> None:
    """A WHERE as long as a statement may be runs: neither depth nor parameters overflow."""
    terms = " OR ".join(f"Name='{number}'" for number in range(5_000))
    values = ",".join(f"'{number}'" for number in range(12_000))
    assert results.total(plan(f"SELECT Id FROM Account WHERE {terms}"), org) == 0
    assert results.total(plan(f"SELECT Id FROM Account WHERE Name NOT IN ({values})"), org) == 4


def test_deep_conditions_run_or_are_refused(plan: Any, org: Connection) -> None:
    """Whatever depth is planned, SQLite can parse it; what it could not is refused beforehand."""
    refused = 0
    for depth in range(1, 60, 4):
        for width in (1, 3, 7):
            where = "Name = 'x'"
            for level in range(depth):
                word = " AND " if level % 2 else " OR "
                where = word.join([*(f"Employees = {n}" for n in range(width)), f"({where})"])
            try:
                query = plan(f"SELECT Id FROM Account WHERE {where}")
            except SFError as error:
                refused += error.code == "QUERY_TOO_COMPLICATED"
                continue
            assert results.total(query, org) >= 0
    assert 0 < refused < 30


def test_ids_of_the_tiny_org_are_what_the_files_say() -> None:
    """The plan files write ids out; they must stay what `make_id` makes."""
    assert make_id("001", 1) == "001Ob0000000001IAA"


def test_every_object_of_the_standard_org_can_be_read(now: datetime) -> None:
    """All fields, every parent's Id and name and all children of every object in the data files are planned and run."""
    standard = standard_catalogue()
    storage = Storage(":memory:")
    storage.migrate(standard)
    with storage.read() as connection:
        for sobject in standard.sobjects():
            parents = [f"{f.relationship_name}.Id" for f in sobject.fields if f.relationship_name][:5]
            children = [f"(SELECT Id FROM {c.name})" for c in sobject.child_relationships if c.name][:20]
            for select in ("FIELDS(ALL)", ", ".join(["Id", *parents]), ", ".join(["Id", *children])):
                soql = f"SELECT {select} FROM {sobject.name} LIMIT 200"
                result = run_query(standard, connection, soql, now=now)
                assert list(result.records("v62.0")) == []
    storage.close()


def test_wide_records_are_read_and_too_wide_ones_refused(now: datetime) -> None:
    """Hundreds of fields fit into a child record; more columns than SQLite takes are refused beforehand."""
    fields = tuple(Field(name=f"F{n:03}", label="F", type=FieldType.DOUBLE) for n in range(500))
    identity = Field(name="Id", label="Id", type=FieldType.ID)
    parent = Field(name="BoxId", label="B", type=FieldType.REFERENCE, reference_to=("Box",), relationship_name="Box")
    children = (ChildRelationship(name="Boxes", child="Box", field="BoxId"),)
    box = SObject(
        name="Box", label="Box", label_plural="Boxes", key_prefix="a00", fields=(identity, parent, *fields),
        child_relationships=children,
    )  # fmt: skip
    wide = Catalogue([box])
    storage = Storage(":memory:")
    storage.migrate(wide)
    outer, inner = make_id("a00", 1), make_id("a00", 2)
    with storage.write() as connection:
        connection.execute('INSERT INTO "Box" ("Id", "F499") VALUES (?, 0.1)', (outer,))
        connection.execute('INSERT INTO "Box" ("Id", "BoxId", "F499") VALUES (?, ?, 0.3)', (inner, outer))
    with storage.read() as connection:
        soql = f"SELECT (SELECT FIELDS(STANDARD) FROM Boxes) FROM Box WHERE Id = '{outer}'"
        record = next(run_query(wide, connection, soql, now=now).records("v62.0"))
    storage.close()
    child = record["Boxes"]["records"][0]
    assert (child["Id"], child["F499"], child["F498"], len(child)) == (inner, 0.3, None, 503)
    paths = [f"{'Box.' * level}F{n:03}" for level in range(5) for n in range(500)]
    with pytest.raises(SFError) as caught:
        plan_query(wide, f"SELECT {', '.join(paths)} FROM Box", now=now)
    assert caught.value.code == "QUERY_TOO_COMPLICATED"


def test_too_many_terms_are_refused(plan: Any) -> None:
    """More aggregates than SQLite has columns for are QUERY_TOO_COMPLICATED, no server error."""
    for soql in (
        f"SELECT {', '.join(f'COUNT(Id) c{n}' for n in range(2100))} FROM Account",
        f"SELECT Id FROM Account ORDER BY {', '.join(['Name'] * 2100)}",
    ):
        with pytest.raises(SFError) as caught:
            plan(soql)
        assert caught.value.code == "QUERY_TOO_COMPLICATED"
