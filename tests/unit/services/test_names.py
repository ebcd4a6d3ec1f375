"""Words that end up in a path at Salesforce."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orgbridge.services.errors import InvalidRequest
from orgbridge.services.names import check_fields, check_id, check_object, check_operation, check_upsert_field
from orgbridge.wire.bulk import IngestOperation


@given(st.text())
def test_only_letters_digits_and_underscores_pass(text: str) -> None:
    """A name that passes has nothing in it that a path, a query or a header could read otherwise."""
    try:
        name = check_object(text)
    except InvalidRequest:
        return
    assert name.isascii()
    assert name.replace("_", "a").isalnum()


@pytest.mark.parametrize(
    ("word", "operation"),
    [
        ("create", IngestOperation.INSERT),
        ("INSERT", IngestOperation.INSERT),
        ("hard_delete".replace("_", ""), IngestOperation.HARD_DELETE),
        ("hardDelete", IngestOperation.HARD_DELETE),
        (" upsert ", IngestOperation.UPSERT),
    ],
)
def test_operations_are_known_in_any_case(word: str, operation: IngestOperation) -> None:
    """The documents' words and Salesforce's both work."""
    assert check_operation(word) is operation


def test_an_unknown_operation_names_the_nearest() -> None:
    """The refusal helps with a slip."""
    with pytest.raises(InvalidRequest, match="Did you mean upsert"):
        check_operation("upsret")


def test_an_upsert_needs_its_field_and_others_drop_it() -> None:
    """A missing key is refused; a key given to an insert has no meaning and is dropped."""
    with pytest.raises(InvalidRequest, match="external_id_field"):
        check_upsert_field(IngestOperation.UPSERT, None)
    assert check_upsert_field(IngestOperation.INSERT, "External_Id__c") is None


@pytest.mark.parametrize("text", ["", "001", "../../limits", "001Ob0000000001IA?", "001Ob0000000001IAZ"])
def test_ids_that_are_none_are_refused(text: str) -> None:
    """Wrong length, foreign characters and a wrong checksum."""
    with pytest.raises(InvalidRequest):
        check_id(text)


def test_fields_may_lead_to_parents_and_to_nothing_else() -> None:
    """Paths with dots pass, an ampersand does not, an empty list means all."""
    assert check_fields("Name, Owner.Name,") == ["Name", "Owner.Name"]
    assert check_fields(" ") is None
    with pytest.raises(InvalidRequest):
        check_fields("Name&x=1")
