"""The SELECT list as CSV columns, cells, lines, and what is refused before it is sent."""

from __future__ import annotations

import pytest

from orgbridge.services.errors import InvalidRequest
from orgbridge.services.queries import check_queried, check_soql
from orgbridge.services.rows import cell, csv_writer, ndjson_lines, selected_columns


@pytest.mark.parametrize(
    ("soql", "columns"),
    [
        ("SELECT Id FROM Account", ["Id"]),
        ("select Id,\n Owner.Name\tfrom Account", ["Id", "Owner.Name"]),
        ("SELECT Id, FromX__c FROM Account", ["Id", "FromX__c"]),
    ],
)
def test_plain_fields_are_columns_as_written(soql: str, columns: list[str]) -> None:
    """Names keep their writing and order."""
    assert selected_columns(soql) == columns


@pytest.mark.parametrize(
    "soql",
    [
        "SELECT COUNT() FROM Account",
        "SELECT Name, COUNT(Id) n FROM Account GROUP BY Name",
        "SELECT Id, (SELECT Id FROM Contacts) FROM Account",
        "SELECT FIELDS(ALL) FROM Account",
        "not soql",
    ],
)
def test_lists_that_would_be_a_guess_are_refused(soql: str) -> None:
    """Aggregates, aliases, subqueries and FIELDS() have no columns of their own."""
    with pytest.raises(InvalidRequest):
        selected_columns(soql)


@pytest.mark.parametrize(
    ("path", "expected"),
    [("name", "A"), ("owner.name", "B"), ("active", "true"), ("none", ""), ("owner.none.deep", ""), ("n", 1.5)],
)
def test_cells_are_found_in_any_case(path: str, expected: object) -> None:
    """A path walks parents whatever the case; what is missing is empty."""
    record = {"Name": "A", "Owner": {"Name": "B"}, "Active": True, "N": 1.5, "None": None}
    assert cell(record, path.split(".")) == expected


@pytest.mark.parametrize("soql", ["", "DELETE FROM Account", "FIND {x}", "SELECT " + "x" * 100_001])
def test_what_is_no_select_is_refused_here(soql: str) -> None:
    """Nothing of it reaches Salesforce."""
    with pytest.raises(InvalidRequest):
        check_soql(soql)


@pytest.mark.parametrize(
    "soql",
    [
        "SELECT Id FROM account",
        "SELECT Id, (SELECT Id FROM Contacts) FROM Account a WHERE a.Name = ' FROM Lead '",
        "SELECT",
    ],
)
def test_a_query_of_the_object_named_passes(soql: str) -> None:
    """In any letter case; what does not parse is Salesforce's to judge."""
    check_queried("Account", soql)


def test_a_query_of_another_object_is_refused() -> None:
    """The request contradicts itself, and nobody guesses which half is meant."""
    with pytest.raises(InvalidRequest, match="object_name is Account, but the query reads Contact"):
        check_queried("Account", "SELECT Id FROM Contact")


def test_lines_leave_attributes_out_at_every_depth() -> None:
    """Neither NDJSON nor a cell with children shows what Salesforce adds for its own clients."""
    child = {"attributes": {"type": "Contact"}, "LastName": "B"}
    record = {"attributes": {"type": "Account"}, "Name": "A", "Contacts": {"records": [child]}}
    assert ndjson_lines([record]) == b'{"Name":"A","Contacts":{"records":[{"LastName":"B"}]}}\n'
    assert csv_writer(["Name", "contacts"])([record]) == b'A,"{""records"":[{""LastName"":""B""}]}"\n'
