"""Queries that are described instead of answered, as the Salesforce CLI asks before it prints a table."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.emulator.http.conftest import Caller


def described(call: Caller, soql: str, path: str = "/query") -> dict[str, Any]:
    """Return the reply to a query with `columns=true`."""
    reply = call("GET", path, params={"q": soql, "columns": "true"})
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    return found


@pytest.mark.assumed
def test_each_selected_field_is_a_column_in_its_order(call: Caller) -> None:
    """Name, kind of value, whether it may be written; and the object with its key prefix."""
    reply = described(call, "SELECT Id, Name, NumberOfEmployees, AnnualRevenue FROM Account")
    assert [column["columnName"] for column in reply["columnMetadata"]] == [
        *("Id", "Name", "NumberOfEmployees", "AnnualRevenue")
    ]
    assert [column["apexType"] for column in reply["columnMetadata"]] == ["Id", "String", "Integer", "Double"]
    assert [column["numberType"] for column in reply["columnMetadata"]] == [False, False, True, True]
    assert [column["textType"] for column in reply["columnMetadata"]] == [False, True, False, False]
    assert [column["insertable"] for column in reply["columnMetadata"]] == [False, True, True, True]
    assert {name: reply[name] for name in ("entityName", "groupBy", "idSelected", "keyPrefix")} == {
        **{"entityName": "Account", "groupBy": False, "idSelected": True, "keyPrefix": "001"}
    }


@pytest.mark.assumed
def test_fields_of_parents_and_children_are_joined_columns(call: Caller) -> None:
    """A parent's column holds its fields; a child subquery counts as an aggregate of its own."""
    soql = "SELECT Name, Owner.Name, Parent.Owner.Email, (SELECT LastName FROM Contacts) FROM Account"
    name, owner, parent, contacts = described(call, soql)["columnMetadata"]
    assert (name["joinColumns"], name["aggregate"]) == ([], False)
    assert (owner["columnName"], owner["foreignKeyName"]) == ("Owner", "OwnerId")
    assert [column["columnName"] for column in owner["joinColumns"]] == ["Name"]
    assert [column["columnName"] for column in parent["joinColumns"][0]["joinColumns"]] == ["Email"]
    assert (contacts["columnName"], contacts["aggregate"]) == ("Contacts", True)
    assert [column["columnName"] for column in contacts["joinColumns"]] == ["LastName"]


@pytest.mark.assumed
def test_groups_are_shown_by_their_functions(call: Caller) -> None:
    """An alias names and shows a function, one without is `expr0`, shown as it is written; COUNT() has no column."""
    soql = "SELECT Industry, COUNT(Id) many, MAX(AnnualRevenue) FROM Account GROUP BY Industry"
    reply = described(call, soql)
    assert reply["groupBy"] is True
    assert [
        (column["columnName"], column["displayName"], column["aggregate"]) for column in reply["columnMetadata"]
    ] == [
        ("Industry", "Industry", False),
        ("many", "many", True),
        ("expr0", "MAX(AnnualRevenue)", True),
    ]
    assert described(call, "SELECT COUNT() FROM Account")["columnMetadata"] == []


@pytest.mark.assumed
def test_definitions_have_columns_too_and_a_wrong_query_is_refused(call: Caller) -> None:
    """The Tooling API answers alike; what cannot be planned cannot be described."""
    reply = described(call, "SELECT QualifiedApiName FROM EntityDefinition", "/tooling/query")
    assert [column["columnName"] for column in reply["columnMetadata"]] == ["QualifiedApiName"]
    wrong = call("GET", "/query", params={"q": "SELECT Nope FROM Account", "columns": "true"})
    assert (wrong.status_code, wrong.json()[0]["errorCode"]) == (400, "INVALID_FIELD")
