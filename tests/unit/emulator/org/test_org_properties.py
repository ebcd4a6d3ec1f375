"""Properties: ids in blocks, and every CSV value that is taken reads back equal."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orgbridge.emulator.org.ids import make_ids
from orgbridge.emulator.schema.rendering import csv_value, java_double
from orgbridge.wire.bulk import IngestOperation
from orgbridge.wire.dates import bulk_datetime
from orgbridge.wire.ids import make_id, to_18

TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20).filter(lambda t: t.strip() and t != "#N/A")


@given(st.integers(0, 62**6), st.integers(1, 200))
def test_ids_in_blocks_are_the_ids_one_by_one(first, count):
    """A block of ids equals the single ones, sorts as it counts and round-trips through 15 characters."""
    ids = make_ids("001", first, count)
    assert ids == [make_id("001", number) for number in range(first, first + count)]
    assert ids == sorted(ids)
    assert [to_18(record_id[:15]) for record_id in ids] == ids


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_print_as_javas_and_read_back(number):
    """The printed form of any number has a point and reads back as the same number."""
    text = java_double(number)
    assert float(text) == number
    assert "." in text
    assert "e" not in text


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(
        st.tuples(
            TEXT,
            TEXT,
            st.floats(-9e8, 9e8).map(lambda f: java_double(f + 0.0)),
            st.dates(datetime(1700, 1, 1).date(), datetime(4000, 12, 31).date()).map(str),
            st.datetimes(datetime(1700, 1, 2), datetime(4000, 12, 30)).map(
                lambda d: bulk_datetime(d.replace(microsecond=0, tzinfo=UTC))
            ),
            st.sampled_from(["true", "false"]),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_a_stored_csv_value_reads_back_equal(org, cells, rows):
    """Whatever text, number, date, instant or boolean an insert takes, its cell reads back as it was sent."""
    names = ["Name", "Notes__c", "Operating_Hours__c", "Installed_On__c", "Last_Contact__c", "Under_Warranty__c"]
    outcomes = cells(IngestOperation.INSERT, "Machine__c", ",".join(names), *rows)
    machine = org.sobject("Machine__c")
    with org.storage.read() as connection:
        columns = ", ".join(f'"{name}"' for name in names)
        for outcome, row in zip(outcomes, rows, strict=True):
            assert outcome.errors == ()
            stored = connection.execute(f'SELECT {columns} FROM "Machine__c" WHERE Id = ?', (outcome.id,)).fetchone()
            assert tuple(csv_value(machine.field(n), v) for n, v in zip(names, stored, strict=True)) == row
