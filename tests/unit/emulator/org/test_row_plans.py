"""One record by its plan, and the same record among others by the rules: nobody can tell which way it was saved."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orgbridge.emulator.org.org import Org
from orgbridge.emulator.org.outcomes import SaveOutcome
from orgbridge.emulator.schema.model import Field
from orgbridge.emulator.storage.database import Connection
from orgbridge.wire.fieldtypes import FieldType

#: A row of each object; values that name another row stand for its id.
_FIRST: dict[str, dict[str, Any]] = {
    "Account": {"Name": "A", "External_Id__c": "here"},
    "Account gone": {"Name": "Z"},
    "Contact": {"LastName": "B", "FirstName": "C", "AccountId": "Account"},
    "Lead": {"LastName": "D", "Company": "E"},
    "Opportunity": {"Name": "F", "StageName": "Prospecting", "CloseDate": "2025-03-04", "Amount": 5},
    "Case": {"Subject": "G"},
    "Task": {"Subject": "H"},
    "Event": {"Subject": "I", "StartDateTime": "2025-03-04T05:06:07Z", "DurationInMinutes": 30},
    "Order": {"AccountId": "Account", "EffectiveDate": "2025-03-04", "Status": "Draft"},
    "Contract": {"AccountId": "Account", "StartDate": "2025-03-04", "ContractTerm": 3},
    "Machine__c": {"Name": "J"},
}
_USER = {
    "Username": "gone@local.org",
    "LastName": "Gone",
    "Email": "gone@local.org",
    "Alias": "gone",
    "TimeZoneSidKey": "GMT",
    "LocaleSidKey": "en_US",
    "EmailEncodingKey": "UTF-8",
    "LanguageLocaleKey": "en_US",
    "IsActive": False,
}
_OBJECTS = tuple(name for name in _FIRST if " " not in name)
#: A record of which nothing can be saved, so that the one before it is not alone.
_OTHER = {"No_Such_Field__c": 1}
_TEXTS = st.sampled_from(["", " ", " x ", "Straße", "x" * 300, "\ud800", "true", "Closed", "Working - Contacted"])
_DAYS = st.sampled_from(["2025-03-04", "2025-02-30", "2025-03-04T05:06:07Z", "5:06", "05:06:07.000Z"])
_NUMBERS = st.one_of(st.integers(-5, 5), st.floats(-1e3, 1e3), st.sampled_from([10**20, 1e300]))


class _Undo(Exception):
    """Takes back what a test wrote."""


def _values(field: Field, ids: Mapping[str, str]) -> st.SearchStrategy[Any]:
    fitting: st.SearchStrategy[Any] = st.text(max_size=5)
    match field.type:
        case FieldType.BOOLEAN:
            fitting = st.booleans()
        case FieldType.REFERENCE:
            fitting = st.sampled_from(sorted(ids.values()))
        case FieldType.PICKLIST | FieldType.MULTIPICKLIST if field.picklist:
            fitting = st.sampled_from([value.value for value in field.picklist])
        case FieldType.DATE | FieldType.DATETIME | FieldType.TIME:
            fitting = _DAYS
        case FieldType.INT | FieldType.DOUBLE | FieldType.CURRENCY | FieldType.PERCENT:
            fitting = _NUMBERS
        case FieldType.EMAIL:
            fitting = st.sampled_from(["a@example.com", "a@", "A@EXAMPLE.com"])
    odd = st.one_of(st.none(), st.booleans(), _TEXTS, _DAYS, _NUMBERS, st.just({"a": 1}), st.just([]))
    return st.one_of(fitting, fitting, fitting, odd)


def _rows(org: Org, name: str, ids: Mapping[str, str], *, creating: bool) -> st.SearchStrategy[dict[str, Any]]:
    """Return records that are mostly sound: what an insert needs is there, written in any case now and then."""
    sobject = org.sobject(name)
    fields = [f for f in sobject.fields if (f.createable if creating else f.updateable) or f.name in ("Id", "Name")]
    pointing = [f for f in fields if f.type is FieldType.REFERENCE] or fields
    needed = {f.name: _values(f, ids) for f in fields if f.required and creating}
    more = st.lists(st.one_of(st.sampled_from(pointing), st.sampled_from(fields)), max_size=5, unique=True).flatmap(
        lambda chosen: st.fixed_dictionaries({f.name: _values(f, ids) for f in chosen if f.name != "Id" or creating})
    )
    odd = st.sampled_from([{}, {}, {}, {"attributes": {"type": name}}, {"description": "low"}, {"Account": {"X": 1}}])
    return st.tuples(st.fixed_dictionaries(needed), more, odd).map(lambda parts: {**parts[0], **parts[1], **parts[2]})


def _undone(org: Org, name: str, work: Callable[[Connection], SaveOutcome], record_id: str | None) -> Any:
    """Return what became of a record and how its row reads, which is then taken back."""
    found: Any = None
    try:
        with org.storage.write() as connection:
            outcome = work(connection)
            cursor = connection.execute(f'SELECT * FROM "{name}" WHERE Id = ?', (outcome.id or record_id,))
            row = cursor.fetchone()
            names = [column[0] for column in cursor.description]
            found = outcome, row and dict(zip(names, row, strict=True))
            raise _Undo
    except _Undo:
        return found


def _insert(org: Org, name: str, *rows: Mapping[str, Any]) -> Callable[[Connection], SaveOutcome]:
    return lambda connection: org.insert_in(connection, name, rows, user_id=org.admin_id)[0]


def _update(org: Org, name: str, *rows: Mapping[str, Any]) -> Callable[[Connection], SaveOutcome]:
    return lambda connection: org.update_in(connection, name, rows, user_id=org.admin_id)[0]


@pytest.fixture
def ids(org: Org) -> dict[str, str]:
    """Save a row of each object, and return their ids with some that no record may point to."""
    saved: dict[str, str] = {}
    for name, row in _FIRST.items():
        values = {key: saved.get(value, value) for key, value in row.items()}
        outcome = org.insert(name.partition(" ")[0], [values], user_id=org.admin_id)[0]
        assert outcome.id, outcome
        saved[name] = outcome.id
    org.delete([saved["Account gone"]], user_id=org.admin_id)
    return {
        **saved,
        "User": org.admin_id,
        "unknown": "001Ob000000zzzzAAA",
        "no id": "nothing",
        "short": saved["Account"][:15],
    }


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), name=st.sampled_from(_OBJECTS))
def test_a_new_record_is_the_same_alone_and_among_others(org, ids, data, name):
    """A record is inserted, or refused with the same words, whether it comes alone or with another one."""
    row = data.draw(_rows(org, name, ids, creating=True))
    assert _undone(org, name, _insert(org, name, row), None) == _undone(
        org, name, _insert(org, name, row, _OTHER), None
    )


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), name=st.sampled_from(_OBJECTS))
def test_a_changed_record_is_the_same_alone_and_among_others(org, ids, data, name):
    """A record is updated, or refused with the same words, whether it comes alone or with another one."""
    row = {**data.draw(_rows(org, name, ids, creating=False)), "Id": ids[name]}
    alone = _undone(org, name, _update(org, name, row), ids[name])
    assert alone == _undone(org, name, _update(org, name, row, _OTHER), ids[name])


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), key=st.sampled_from(["here", " HERE ", "new", "", None, 5]))
def test_an_upserted_record_is_the_same_alone_and_among_others(org, ids, data, key):
    """A record is found by its external id, inserted or refused alike, whether it comes alone or with another one."""
    row = {**data.draw(_rows(org, "Account", ids, creating=True)), "External_Id__c": key}

    def upsert(*rows: Mapping[str, Any]) -> Callable[[Connection], SaveOutcome]:
        return lambda connection: org.upsert_in(connection, "Account", "external_id__c", rows, user_id=org.admin_id)[0]

    alone = _undone(org, "Account", upsert(row), None)
    assert alone == _undone(org, "Account", upsert(row, {**_OTHER, "External_Id__c": "other"}), None)


_UNSOUND: tuple[tuple[str, dict[str, Any]], ...] = (
    ("Contact", {"LastName": "X", "AccountId": "Account gone"}),
    ("Contact", {"LastName": "X", "AccountId": "unknown"}),
    ("Contact", {"LastName": "X", "AccountId": "Contact"}),
    ("Contact", {"LastName": "X", "OwnerId": "inactive"}),
    ("Contact", {"LastName": "X", "Email": "a@"}),
    ("Contact", {"LastName": "X", "lastname": "Y"}),
    ("Contact", {"LastName": "x" * 81}),
    ("Contact", {"FirstName": "X", "LastName": None}),
    ("Contact", {"LastName": "X", "CreatedDate": "2025-03-04T05:06:07Z"}),
    ("Contact", {"LastName": "X", "Name": "X"}),
    ("Account", {"Name": "X", "External_Id__c": "Taken"}),
    ("Order", {"AccountId": "Account", "EffectiveDate": "2025-03-04", "Status": "No such status"}),
)


@pytest.mark.parametrize(("name", "row"), _UNSOUND)
def test_an_unsound_record_is_refused_alone_as_among_others(org, ids, name, row):
    """What is wrong with one record of a call is told when it is the only one, new or changed."""
    profile = org.find_by_key("Profile", "Name", "System Administrator")[0]
    ids["inactive"] = org.insert("User", [{**_USER, "ProfileId": profile}], user_id=org.admin_id)[0].id
    org.insert("Account", [{"Name": "Other", "External_Id__c": "taken"}], user_id=org.admin_id)
    row = {key: ids.get(value, value) if key.endswith("Id") else value for key, value in row.items()}
    changed = {**row, "Id": ids[name]}
    for alone, others in (
        (_undone(org, name, _insert(org, name, row), None), _undone(org, name, _insert(org, name, row, _OTHER), None)),
        (
            _undone(org, name, _update(org, name, changed), ids[name]),
            _undone(org, name, _update(org, name, changed, _OTHER), ids[name]),
        ),
    ):
        assert alone == others
        assert not alone[0].success


def test_a_sound_record_has_a_plan_and_one_that_needs_more_has_none(org: Org):
    """A plan updates what is surely sound; a fault, a rule about other rows, or a deleted row is left to the rules."""
    account = org.insert("Account", [{"Name": "Acme"}], user_id=org.admin_id)[0].id
    contact = org.insert("Contact", [{"LastName": "Doe"}], user_id=org.admin_id)[0].id

    def planned(record_id: str | None, row: Mapping[str, Any]) -> bool:
        return org.update_by_plan("Contact", record_id or "", row, user_id=org.admin_id) is not None

    assert planned(contact, {"Title": "Chief", "AccountId": account})
    assert not planned(contact, {"LastName": " "}), "required"
    assert not planned(contact, {"ReportsToId": contact}), "a loop"
    assert not planned(account, {"Title": "Chief"}), "no contact"
    assert org.delete_leaf("Account", account or "", user_id=org.admin_id) is None, "a contact points to it"
    assert org.get("Contact", contact or "")["Title"] == "Chief"
    assert org.delete_leaf("Contact", contact or "", user_id=org.admin_id) == SaveOutcome(contact, False, True)
    assert not planned(contact, {"Title": "Chief"}), "deleted"
    assert org.delete_leaf("Contact", contact or "", user_id=org.admin_id) is None, "deleted already"
    assert org.delete_leaf("Account", account or "", user_id=org.admin_id) is None, "a deleted contact points to it"
    assert org.undelete([contact or ""], user_id=org.admin_id)[0].success
