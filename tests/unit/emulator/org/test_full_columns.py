"""Columns of a load are converted, filled and written as a whole: the same as value by value and in small batches."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from orgbridge.emulator.org.cells import convert_cells
from orgbridge.emulator.org.fullcolumns import FullColumn
from orgbridge.emulator.org.org import Org
from orgbridge.emulator.org.outcomes import MISSING
from orgbridge.emulator.org.rules import compile_rules
from orgbridge.emulator.schema.errors import Fault
from orgbridge.emulator.schema.loading import standard_catalogue
from orgbridge.emulator.storage.database import Storage
from orgbridge.emulator.storage.inserts import MANY
from orgbridge.wire.bulk import IngestOperation
from orgbridge.wire.fieldtypes import FieldType

CATALOGUE = standard_catalogue()
FIELDS = [
    ("Account", "Name"),
    ("Account", "BillingPostalCode"),
    ("Account", "NumberOfEmployees"),
    ("Account", "AnnualRevenue"),
    ("Account", "BillingLatitude"),
    ("Account", "OwnerId"),
    ("Contact", "Email"),
    ("Opportunity", "CloseDate"),
    ("Opportunity", "StageName"),
    ("Machine__c", "Under_Warranty__c"),
]
CELL = st.one_of(
    st.integers(0, 10**10).map(str),
    st.decimals(0, 10**6, places=3).map(str),
    st.sampled_from(["", "#N/A", "0", "007", "1.", ".5", "-3", "+4", "1e3", "1\n2", "2\n", "\n2", "٣", "1_0", " 1"]),
    st.sampled_from(["999999999", "2147483647", "2147483648", "9" * 18, "x" * 300]),
    st.sampled_from(["a@b.example", "true", "No", "2025-01-31", "Closed Won"]),
)


def one_by_one(sobject: str, name: str, cells: list[str]) -> tuple[list[object], dict[int, list[Fault]]]:
    """Return stored values and faults as the words of `convert_cells` have it, each cell looked at by itself."""
    target = CATALOGUE.sobject(sobject)
    assert target is not None
    field, check = target.field(name), compile_rules(CATALOGUE, target).checks[name]
    values: list[object] = []
    faults: dict[int, list[Fault]] = {}
    for position, cell in enumerate(cells):
        if cell in ("", "#N/A"):
            cleared = 0 if field is not None and field.type is FieldType.BOOLEAN else None
            values.append(MISSING if cell == "" else cleared)
            continue
        value = check(cell)
        if isinstance(value, Fault):
            faults[position] = [value]
        values.append(value)
    return values, faults


@settings(max_examples=150, deadline=None)
@given(
    field=st.sampled_from(FIELDS),
    cells=st.one_of(
        st.lists(CELL, max_size=12),
        st.tuples(CELL, st.integers(1, 5)).map(lambda told: [told[0]] * told[1]),
        st.lists(st.integers(0, 10**9).map(str), min_size=1, max_size=12),
    ),
)
@example(field=("Account", "NumberOfEmployees"), cells=["1", "2\n"])
@example(field=("Account", "NumberOfEmployees"), cells=["1\n2", "3"])
@example(field=("Account", "AnnualRevenue"), cells=["1.50", "2"])
@example(field=("Account", "BillingLatitude"), cells=["1", "999999999"])
def test_a_column_is_its_cells_one_by_one(field, cells):
    """Values with their types, and faults, are those of each cell alone; a full column has no gap and says if alike."""
    sobject, name = field
    target = CATALOGUE.sobject(sobject)
    faults: dict[int, list[Fault]] = {}
    found = convert_cells(target.field(name), compile_rules(CATALOGUE, target).checks[name], cells, faults)
    values, expected = one_by_one(sobject, name, cells)
    assert faults == expected
    sound = [place for place in range(len(cells)) if place not in faults]
    assert [repr(found[place]) for place in sound] == [repr(values[place]) for place in sound]
    if isinstance(found, FullColumn):
        assert MISSING not in found
        assert None not in found
        assert not found.alike or len({repr(value) for value in found}) == 1


@pytest.mark.parametrize("header", ["Name,External_Id__c,NumberOfEmployees,Phone", "name,External_Id__c,OwnerId,Phone"])
def test_a_large_batch_writes_what_small_ones_do(clock, header):
    """Every column of every row is the same, however many rows go in at a time."""
    tables = []
    for size in (MANY + 103, 700):
        storage = Storage(":memory:")
        org = Org(storage, CATALOGUE, clock)
        third = [org.admin_id if "OwnerId" in header and row % 3 else "" for row in range(MANY + 103)]
        if "OwnerId" not in header:
            third = [str(row % 1500) for row in range(MANY + 103)]
        rows = [(f"ACME {row}", f"Ä-{row}", third[row], "+49 30") for row in range(MANY + 103)]
        with storage.write() as connection:
            for start in range(0, len(rows), size):
                part = rows[start : start + size]
                outcomes = org.dml_cells(
                    connection, "Account", IngestOperation.INSERT, header.split(","), part, user_id=org.admin_id
                )
                assert all(outcome.success for outcome in outcomes)
            tables.append(connection.execute('SELECT * FROM "Account" ORDER BY rowid').fetchall())
        storage.close()
    assert len(tables[0]) == MANY + 103
    assert list(map(repr, tables[0])) == list(map(repr, tables[1]))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(st.sampled_from(["", "#N/A", "a"]), st.sampled_from(["", "#N/A", "1"])), min_size=1))
def test_gaps_and_clearings_are_kept_apart(org, cells, rows):
    """An empty cell leaves a field of an existing row alone, `#N/A` clears it, a value sets it; alike or not."""
    made = cells(IngestOperation.INSERT, "Account", "Name,Site,NumberOfEmployees", *[("n", "old", "7")] * len(rows))
    ids = [outcome.id for outcome in made]
    changes = [(record_id, *row) for record_id, row in zip(ids, rows, strict=True)]
    assert all(o.success for o in cells(IngestOperation.UPDATE, "Account", "Id,Site,NumberOfEmployees", *changes))
    with org.storage.read() as connection:
        for record_id, site, number in changes:
            found = connection.execute('SELECT Site, NumberOfEmployees FROM "Account" WHERE Id = ?', (record_id,))
            texts = {"": "old", "#N/A": None, "a": "a"}[site]
            assert tuple(found.fetchone()) == (texts, {"": 7, "#N/A": None, "1": 1}[number])


def _changed(clock, header: str, rows: list[tuple[str, ...]], size: int) -> list[tuple[object, ...]]:
    """Return every column of the opportunities after these updates of them, so many records at a time."""
    storage = Storage(":memory:")
    org = Org(storage, CATALOGUE, clock)
    with storage.write() as connection:

        def save(operation: IngestOperation, names: str, part: list[tuple[str, ...]]) -> list[str]:
            done = org.dml_cells(connection, "Opportunity", operation, names.split(","), part, user_id=org.admin_id)
            return [str(outcome.id) for outcome in done]

        new = [(f"o{place}", "Prospecting", "2025-01-31", "12.5") for place in range(len(rows))]
        ids = save(IngestOperation.INSERT, "Name,StageName,CloseDate,Amount", new)
        changes = [(record_id, *row) for record_id, row in zip(ids, rows, strict=True)]
        for start in range(0, len(changes), size):
            save(IngestOperation.UPDATE, f"Id,{header}", changes[start : start + size])
        found = connection.execute('SELECT * FROM "Opportunity" ORDER BY rowid').fetchall()
    storage.close()
    return found


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(
        st.tuples(
            st.sampled_from(["Closed Won", "Prospecting", "Closed Won", ""]),
            st.sampled_from(["7", "100.25", "8", "-1", "#N/A", ""]),
            st.sampled_from(["2026-12-01", "2025-05-05", ""]),
            st.sampled_from(["40", "", "41"]),
        ),
        min_size=1,
        max_size=6,
    )
)
@example(rows=[("Closed Won", "7", "2026-12-01", "40")] * 2)
@example(rows=[("Closed Won", "7", "2026-12-01", ""), ("Closed Won", "8", "2026-12-02", "")])
def test_updates_together_are_updates_one_by_one(clock, rows):
    """What a stage or an amount brings along is the same, whether all records name a field, some or none."""
    header = "StageName,Amount,CloseDate,Probability"
    assert _changed(clock, header, rows, len(rows)) == _changed(clock, header, rows, 1)
