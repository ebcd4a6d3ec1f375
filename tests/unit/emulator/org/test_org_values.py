"""Each rule for a single value: its code, its text, its field, in JSON and in CSV."""

from __future__ import annotations

import pytest

from orgbridge.emulator.org.outcomes import ValueMode
from orgbridge.emulator.schema.errors import Fault

OPP = {"Name": "n", "StageName": "Prospecting", "CloseDate": "2025-01-31"}
MACHINE: dict[str, object] = {"Name": "m"}
ACCOUNT = {"Name": "a"}
CONTACT = {"LastName": "l"}
ORDER = {"EffectiveDate": "2025-01-01", "Status": "Draft"}
LONG = "x" * 256


def wrong_type(label: str, text: str, field: str) -> Fault:
    """Return what a value of the wrong type is told."""
    return Fault("INVALID_TYPE_ON_FIELD_IN_RECORD", f"{label}: value not of required type: {text}", (field,))


def too_long(label: str, text: str, field: str, length: int) -> Fault:
    """Return what a text that is too long is told."""
    shown = text if len(text) <= 255 else text[:255] + "..."
    return Fault("STRING_TOO_LONG", f"{label}: data value too large: {shown} (max length={length})", (field,))


BAD_CELLS = [
    ("Account", ACCOUNT, "Name", LONG, too_long("Account Name", LONG, "Name", 255)),
    ("Account", ACCOUNT, "BillingCity", "c" * 41, too_long("Billing City", "c" * 41, "BillingCity", 40)),
    ("Account", ACCOUNT, "AnnualRevenue", "12,5", wrong_type("Annual Revenue", "12,5", "AnnualRevenue")),
    ("Account", ACCOUNT, "AnnualRevenue", "NaN", wrong_type("Annual Revenue", "NaN", "AnnualRevenue")),
    ("Account", ACCOUNT, "NumberOfEmployees", "1.5", wrong_type("Employees", "1.5", "NumberOfEmployees")),
    (
        "Account",
        ACCOUNT,
        "NumberOfEmployees",
        "3000000000",
        Fault(
            "NUMBER_OUTSIDE_VALID_RANGE",
            "Employees: value outside of valid range on numeric field: 3.0E9",
            ("NumberOfEmployees",),
        ),
    ),
    (
        "Opportunity",
        OPP,
        "Amount",
        "1e20",
        Fault(
            "NUMBER_OUTSIDE_VALID_RANGE", "Amount: value outside of valid range on numeric field: 1.0E20", ("Amount",)
        ),
    ),
    ("Opportunity", OPP, "CloseDate", "31.01.2025", wrong_type("Close Date", "31.01.2025", "CloseDate")),
    ("Opportunity", OPP, "CloseDate", "2025-02-30", wrong_type("Close Date", "2025-02-30", "CloseDate")),
    ("Machine__c", MACHINE, "Last_Contact__c", "yesterday", wrong_type("Last Contact", "yesterday", "Last_Contact__c")),
    ("Machine__c", MACHINE, "Shift_Start__c", "25:00", wrong_type("Shift Start", "25:00", "Shift_Start__c")),
    ("Machine__c", MACHINE, "Under_Warranty__c", "maybe", wrong_type("Under Warranty", "maybe", "Under_Warranty__c")),
    (
        "Order",
        ORDER,
        "Status",
        "Foo",
        Fault(
            "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
            "Status: bad value for restricted picklist field: Foo",
            ("Status",),
        ),
    ),
    (
        "Machine__c",
        MACHINE,
        "Features__c",
        "Camera;Wings",
        Fault(
            "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
            "Features: bad value for restricted picklist field: Wings",
            ("Features__c",),
        ),
    ),
    (
        "Contact",
        CONTACT,
        "Email",
        "Not a real email address",
        Fault("INVALID_EMAIL_ADDRESS", "Email: invalid email address: Not a real email address", ("Email",)),
    ),
    (
        "Contact",
        CONTACT,
        "AccountId",
        "001-not-an-id",
        Fault("MALFORMED_ID", "Account ID: id value of incorrect type: 001-not-an-id", ("AccountId",)),
    ),
]


@pytest.mark.documented
@pytest.mark.parametrize(
    ("sobject", "base", "field", "text", "fault"), BAD_CELLS, ids=lambda v: v if isinstance(v, str) else ""
)
def test_a_bad_cell_gets_the_platforms_code_and_text(org, sobject, base, field, text, fault):
    """A value that a field cannot take fails its row with the code, text and field that the platform gives."""
    (outcome,) = org.insert(sobject, [{**base, field: text}], user_id=org.admin_id, mode=ValueMode.CSV)
    assert (outcome.success, outcome.id, outcome.errors) == (False, None, (fault,))


@pytest.mark.documented
@pytest.mark.parametrize(
    ("field", "value", "kind", "token", "shown"),
    [
        ("CloseDate", "abc", "date", "VALUE_STRING", "abc"),
        ("CloseDate", 20250131, "date", "VALUE_NUMBER_INT", "20250131"),
        ("Amount", "abc", "currency", "VALUE_STRING", "abc"),
        ("Amount", True, "currency", "VALUE_TRUE", "true"),
        ("IsPrivate", "yes", "boolean", "VALUE_STRING", "yes"),
        ("Name", ["a"], "string", "START_ARRAY", "["),
    ],
)
def test_a_json_value_of_the_wrong_type_is_a_parser_error(org, field, value, kind, token, shown):
    """In JSON a value that does not fit the field's type gets JSON_PARSER_ERROR, without field names."""
    (outcome,) = org.insert("Opportunity", [{**OPP, field: value}], user_id=org.admin_id)
    message = (
        f"Cannot deserialize instance of {kind} from {token} value {shown} or request may be missing a required field"
        " at [line:1, column:1]"
    )
    assert outcome.errors == (Fault("JSON_PARSER_ERROR", message),)


@pytest.mark.documented
@pytest.mark.parametrize(
    ("sobject", "base", "field", "value", "shown"),
    [
        ("Account", ACCOUNT, "NumberOfEmployees", "10000", 10000),
        ("Account", ACCOUNT, "NumberOfEmployees", 10000, 10000),
        ("Account", ACCOUNT, "AnnualRevenue", "1.5E3", 1500.0),
        ("Account", ACCOUNT, "AnnualRevenue", 7, 7.0),
        ("Account", ACCOUNT, "Phone", 12345, "12345"),
        ("Account", ACCOUNT, "Site", "", None),
        ("Account", ACCOUNT, "Site", "  both ends  ", "both ends"),
        ("Account", ACCOUNT, "Industry", "Not on the list", "Not on the list"),
        ("Opportunity", OPP, "IsPrivate", "true", True),
        ("Machine__c", MACHINE, "Last_Contact__c", "2015-06-26T21:46:33+02:00", "2015-06-26T19:46:33.000+0000"),
        ("Machine__c", MACHINE, "Shift_Start__c", "10:15", "10:15:00.000Z"),
        ("Machine__c", MACHINE, "Features__c", "Camera;Cooling", "Camera;Cooling"),
    ],
)
def test_a_good_json_value_reads_back_in_rests_form(org, sobject, base, field, value, shown):
    """A value that the field takes is read back in the form of REST."""
    (outcome,) = org.insert(sobject, [{**base, field: value}], user_id=org.admin_id)
    assert org.get(sobject, outcome.id, [field])[field] == shown


@pytest.mark.documented
@pytest.mark.parametrize("text", ["true", "TRUE", "yes", "Y", "1"])
def test_csv_takes_six_words_for_a_boolean(org, text):
    """Bulk CSV takes true, yes, y and 1 in any case."""
    (outcome,) = org.insert("Machine__c", [{"Under_Warranty__c": text}], user_id=org.admin_id, mode=ValueMode.CSV)
    assert org.get("Machine__c", outcome.id)["Under_Warranty__c"] is True


def test_all_bad_values_of_a_record_are_told_together(org):
    """A record with two bad values gets both faults, in the order of its fields."""
    (outcome,) = org.insert(
        "Contact", [{"LastName": "x" * 81, "Email": "nobody"}], user_id=org.admin_id, mode=ValueMode.CSV
    )
    assert [fault.code for fault in outcome.errors] == ["STRING_TOO_LONG", "INVALID_EMAIL_ADDRESS"]
