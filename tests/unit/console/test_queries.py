"""Where a query is wrong, and records as a table."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orgbridge.console.queries import Marked, place_in, table_of
from orgbridge.kit.json import dumps
from orgbridge.services.queries import QueryResult


@pytest.mark.parametrize(
    ("soql", "said", "place"),
    [
        ("SELECT Id\nFROM A WHERE\nName IN", [], (3, 8, " ")),
        ("SELECT Id FROM", ["unexpected token: '<EOF>'"], None),
        ("SELECT Id\nFROM A\nWHERE = 1", [], (3, 7, "=")),
        ("SELECT Id FROM A", ["ERROR at Row:1:Column:8 no such column"], (1, 8, "I")),
        ("SELECT Id FROM A", ["line 1:7 no viable alternative"], (1, 8, "I")),
        ("SELECT Id FROM A", ["nothing about a place"], None),
        ("SELECT Id FROM A", ["ERROR at Row:7:Column:8 of another text"], None),
    ],
)
def test_the_place_is_found(soql: str, said: list[str], place: tuple[int, int, str] | None) -> None:
    """Our own reader says it, or Salesforce in either of its ways; a place that is not there is none."""
    found = place_in(soql, said)
    assert (None if found is None else (found.row, found.column, found.at)) == place


@given(st.text(max_size=60), st.text(max_size=60))
def test_a_place_is_part_of_its_line(soql: str, said: str) -> None:
    """Whatever was typed and said, the marked line is a line of the text."""
    found = place_in(soql, [said])
    if isinstance(found, Marked):
        line = soql.split("\n")[found.row - 1]
        assert (found.before + found.at + found.behind).rstrip() == line.rstrip()


def test_records_without_a_plain_list_keep_all_they_have() -> None:
    """Parents are paths with dots, children JSON without attributes, and what one record lacks is blank."""
    children = {"totalSize": 1, "done": True, "records": [{"attributes": {}, "LastName": "Ada"}]}
    records = [
        {
            "attributes": {"type": "Account"},
            "Name": "A",
            "Owner": {"attributes": {}, "Name": "B"},
            "Contacts": children,
        },
        {"attributes": {"type": "Account"}, "Name": None, "IsDeleted": True},
    ]
    soql = "SELECT Name, Owner.Name, (SELECT LastName FROM Contacts) FROM Account"
    table = table_of(soql, QueryResult(total_size=2, cursor=None, records=dumps(records)), 0)
    assert table.columns == ["Name", "Owner.Name", "Contacts", "IsDeleted"]
    assert table.rows == [["A", "B", '[{"LastName":"Ada"}]', ""], ["", "", "", "true"]]
