"""A header is held against the object before anything is sent."""

from __future__ import annotations

from typing import Any

import pytest

from orgbridge.loads.header import check_header
from orgbridge.wire.bulk import IngestOperation


def _field(name: str, relationship: str | None = None, *, create: bool = True, update: bool = True) -> dict[str, Any]:
    return {"name": name, "createable": create, "updateable": update, "relationshipName": relationship}


_DESCRIBE = {
    "name": "Contact",
    "fields": [
        _field("Id", create=False, update=False),
        _field("LastName"),
        _field("Email"),
        _field("AccountId", "Account"),
        _field("OwnerId", "Owner"),
        _field("CreatedDate", create=False, update=False),
        _field("Origin__c", update=False),
        _field("Key__c"),
    ],
}


def _faults(header: list[str], operation: IngestOperation, key: str | None = None) -> list[tuple[str, str]]:
    found = check_header(header, operation=operation, external_id_field=key, describe=_DESCRIBE)
    assert all(fault["line"] == 1 for fault in found)
    return [(fault["field"], fault["code"]) for fault in found]


@pytest.mark.parametrize(
    ("header", "operation", "key"),
    [
        (["LastName", "EMAIL", "Account.Key__c", "User:Owner.Username"], IngestOperation.INSERT, None),
        (["id", "LastName"], IngestOperation.UPDATE, None),
        (["Key__c", "LastName", "Origin__c"], IngestOperation.UPSERT, "key__C"),
        (["Id", "LastName"], IngestOperation.UPSERT, None),
        (["ID"], IngestOperation.DELETE, None),
        (["Id"], IngestOperation.HARD_DELETE, None),
    ],
)
def test_a_header_that_fits_has_no_faults(header: list[str], operation: IngestOperation, key: str | None) -> None:
    """Names count in any case; relationship columns count by their relationship."""
    assert _faults(header, operation, key) == []


@pytest.mark.parametrize(
    ("header", "operation", "key", "wanted"),
    [
        (["LastNme"], IngestOperation.INSERT, None, [("LastNme", "load.unknown_column")]),
        (
            ["X1", "LastName", "X2"],
            IngestOperation.INSERT,
            None,
            [("X1", "load.unknown_column"), ("X2", "load.unknown_column")],
        ),
        (["Id", "LastName"], IngestOperation.INSERT, None, [("Id", "load.unwritable_column")]),
        (["Id", "Origin__c"], IngestOperation.UPDATE, None, [("Origin__c", "load.unwritable_column")]),
        (["CreatedDate", "Key__c"], IngestOperation.UPSERT, "Key__c", [("CreatedDate", "load.unwritable_column")]),
        (["Acount.Key__c"], IngestOperation.INSERT, None, [("Acount.Key__c", "load.unknown_column")]),
        (["LastName"], IngestOperation.UPDATE, None, [("Id", "load.key_column_missing")]),
        (["LastName"], IngestOperation.UPSERT, "Key__c", [("Key__c", "load.key_column_missing")]),
        (["Id", "LastName"], IngestOperation.DELETE, None, [("Id, LastName", "load.header_delete")]),
        (["LastName"], IngestOperation.HARD_DELETE, None, [("LastName", "load.header_delete")]),
    ],
)
def test_each_fault_names_its_column(
    header: list[str], operation: IngestOperation, key: str | None, wanted: list[tuple[str, str]]
) -> None:
    """Every column at fault is named, in the order of the header."""
    assert _faults(header, operation, key) == wanted


def test_near_names_are_offered() -> None:
    """A slip of the pen is told what it was probably meant to be; a stranger is not."""
    [slip, stranger] = check_header(
        ["LastNmae", "Zzzzzz"], operation=IngestOperation.INSERT, external_id_field=None, describe=_DESCRIBE
    )
    assert "Did you mean LastName?" in slip["message"]
    assert "Did you mean" not in stranger["message"]


@pytest.mark.parametrize("delimiter", [":", "~", " ", " - ", "#", "//"])
@pytest.mark.parametrize("operation", [IngestOperation.INSERT, IngestOperation.UPDATE, IngestOperation.DELETE])
def test_one_column_that_may_be_many_gets_a_hint(delimiter: str, operation: IngestOperation) -> None:
    """Whoever saved the file with a delimiter of their own learns which ones there are."""
    header = [delimiter.join(["LastName", "Email", "Key__c"])]
    (fault,) = check_header(header, operation=operation, external_id_field=None, describe=_DESCRIBE)
    assert "semicolon" in fault["message"]


@pytest.mark.parametrize("header", [["Lastname2"], ["Accout.Key__c"], ["Last:Name", "Email"]])
def test_a_plain_mistake_gets_no_hint_of_delimiters(header: list[str]) -> None:
    """The hint is for a header that is one column and looks like more."""
    found = check_header(header, operation=IngestOperation.INSERT, external_id_field=None, describe=_DESCRIBE)
    assert found
    assert not any("semicolon" in fault["message"] for fault in found)
