"""Refusals explained: which field, what it takes, what it got; and silence where the describe does not tell."""

from __future__ import annotations

from typing import Any

import pytest

from orgbridge.client import SalesforceFault
from orgbridge.services.typehelp import help_for


def _field(name: str, kind: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "label": name.replace("_", " "), "type": kind, "createable": True, "updateable": True, **more}


_DESCRIBE = {
    "name": "Deal__c",
    "fields": [
        _field("Amount", "currency", precision=18, scale=2),
        _field("Close_Date", "date"),
        _field("Open_Date", "date"),
        _field("Stage", "picklist", restrictedPicklist=True, picklistValues=[{"value": "Won"}, {"value": "Lost"}]),
        _field("Name", "string", length=5, label="Deal Name"),
        _field("AccountId", "reference", referenceTo=["Account", "Contact"]),
        _field("Sum__c", "double", createable=False, updateable=False, calculated=True),
        _field("Count", "int", digits=8),
    ],
}
_NOT_A_DATE = (
    "Cannot deserialize instance of date from VALUE_STRING value soon or request may be missing a required field "
    "at [line:1, column:16]"
)


@pytest.mark.parametrize(
    ("code", "message", "fields", "data", "said"),
    [
        (
            "INVALID_TYPE_ON_FIELD_IN_RECORD",
            "Amount: value not of required type: abc",
            ("Amount",),
            {"amount": "abc"},
            ["`Amount` is a currency (a number); got 'abc'."],
        ),
        (
            "JSON_PARSER_ERROR",
            _NOT_A_DATE,
            (),
            {"Close_Date": "soon", "Open_Date": "2026-01-01"},
            ["`Close_Date` is a date (yyyy-MM-dd); got 'soon'."],
        ),
        (
            "JSON_PARSER_ERROR",
            _NOT_A_DATE,
            (),
            {"Close_Date": "soon", "Open_Date": "soon"},
            [
                "`Close_Date` is a date (yyyy-MM-dd); got 'soon'.",
                "`Open_Date` is a date (yyyy-MM-dd); got 'soon'.",
            ],
        ),
        ("JSON_PARSER_ERROR", "Unexpected character", (), {"Close_Date": "soon"}, []),
        (
            "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
            "Stage: bad value for restricted picklist field: won",
            ("Stage",),
            {"Stage": "won"},
            ["`Stage` takes only: Won, Lost; got 'won'. Did you mean Won?"],
        ),
        (
            "STRING_TOO_LONG",
            "Deal Name: data value too large: abcdefg (max length=5)",
            (),
            {"Name": "abcdefg"},
            ["`Name` takes 5 characters; got 7."],
        ),
        (
            "INVALID_FIELD",
            "No such column 'Amuont' on sobject of type Deal__c",
            (),
            {"Amuont": 1},
            ["Deal__c has no field `Amuont`. Did you mean `Amount`?"],
        ),
        (
            "INVALID_FIELD_FOR_INSERT_UPDATE",
            "Unable to create/update fields: Sum__c.",
            ("Sum__c",),
            {"Sum__c": 1},
            ["`Sum__c` cannot be set at creation or updated because it is a formula."],
        ),
        (
            "MALFORMED_ID",
            "Account ID: id value of incorrect type: x",
            ("AccountId",),
            {"AccountId": "x"},
            ["`AccountId` is the id of Account or Contact; got 'x'."],
        ),
        (
            "REQUIRED_FIELD_MISSING",
            "Required fields are missing: [Name, Count]",
            (),
            {},
            [
                "`Name` (Deal Name) must have a value; it is of type string.",
                "`Count` (Count) must have a value; it is a whole number.",
            ],
        ),
        (
            "NUMBER_OUTSIDE_VALID_RANGE",
            "Amount: value outside of valid range",
            ("Amount",),
            {"Amount": 1e20},
            ["`Amount` is a currency (a number) of at most 16 digits before the point; got 1e+20."],
        ),
        ("FIELD_CUSTOM_VALIDATION_EXCEPTION", "A rule's own text", ("Name",), {"Name": "x"}, []),
    ],
    ids=lambda value: value if isinstance(value, str) and value.isupper() else "",
)
def test_what_the_describe_can_tell_is_told(
    code: str, message: str, fields: tuple[str, ...], data: dict[str, Any], said: list[str]
) -> None:
    """Each refusal names field, type and value; one that the describe cannot explain stays as it is."""
    fault = SalesforceFault(error_code=code, message=message, fields=fields)
    assert [item.message for item in help_for([fault], _DESCRIBE, data)] == said


def test_a_long_value_is_not_repeated_in_full() -> None:
    """A message stays a message: of 10,000 characters 60 are shown."""
    fault = SalesforceFault(error_code="INVALID_TYPE_ON_FIELD_IN_RECORD", message="", fields=("Count",))
    (item,) = help_for([fault], _DESCRIBE, {"Count": "9" * 10_000})
    assert len(item.message) < 120
    assert item.to_json()["field"] == "Count"
