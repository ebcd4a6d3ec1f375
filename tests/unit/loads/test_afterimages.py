"""Whether a record still holds what a load wrote: value by value, as Salesforce changes their form."""

from __future__ import annotations

from typing import Any

import pytest

from orgbridge.loads.afterimages import comparable_fields, still_holds


@pytest.mark.parametrize(
    ("cell", "value", "field", "same"),
    [
        ("", "anything", {"type": "string"}, True),
        ("#N/A", None, {"type": "string"}, True),
        ("#N/A", False, {"type": "boolean"}, True),
        ("#N/A", "x", {"type": "string"}, False),
        (" a\r\nb ", "a\nb", {"type": "textarea"}, True),
        ("a", "A", {"type": "string"}, False),
        ("x", None, {"type": "string"}, False),
        ("1", True, {"type": "boolean"}, True),
        ("false", True, {"type": "boolean"}, False),
        ("2000.50", 2000.5, {"type": "currency", "scale": 2}, True),
        ("1.005", 1.01, {"type": "double", "scale": 2}, True),
        ("1.02", 1.01, {"type": "double", "scale": 2}, False),
        ("one", 1, {"type": "int"}, False),
        ("001000000000001", "001000000000001AAA", {"type": "reference"}, True),
        ("2026-01-01T01:00:00+01:00", "2026-01-01T00:00:00.000+0000", {"type": "datetime"}, True),
        ("2026-01-01T00:00:01Z", "2026-01-01T00:00:00.000+0000", {"type": "datetime"}, False),
        ("soon", "2026-01-01T00:00:00.000+0000", {"type": "datetime"}, False),
        ("2026-01-01", "2026-01-01", {"type": "date"}, True),
        ("10:00:00", "10:00:00.000Z", {"type": "time"}, True),
        ("b;a", "a;b", {"type": "multipicklist"}, True),
    ],
)
def test_a_value_is_the_one_written_or_it_is_not(cell: str, value: Any, field: dict[str, Any], same: bool) -> None:
    """The form in which Salesforce gives a value back makes no difference; another value does."""
    assert still_holds(cell, value, field) is same


def test_columns_whose_value_the_load_did_not_know_are_not_compared() -> None:
    """The record's id, columns that the object has not, and parents by their keys are left out."""
    describe = {"fields": [{"name": "Id"}, {"name": "Name"}, {"name": "OwnerId"}]}
    assert list(comparable_fields(["Id", "NAME", "Owner.Key__c", "Other"], describe)) == [1]
