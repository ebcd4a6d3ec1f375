"""Rows of an export in the shape of REST: every value as JSON, nothing rounded, nothing guessed."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orgbridge.loads.columns import Column, ColumnKind, column_of, ndjson_rows


def _csv(header: list[str], rows: list[list[str]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode()


def _rows(columns: list[Column], rows: list[list[str]]) -> list[str]:
    data = _csv([column.name for column in columns], rows)
    return b"".join(ndjson_rows([data], columns)).decode().splitlines()


_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


@given(st.lists(st.tuples(_TEXT, st.decimals(allow_nan=False, allow_infinity=False), st.booleans())), st.booleans())
def test_what_goes_in_comes_out(rows: list[tuple[str, Decimal, bool]], nested: bool) -> None:
    """Texts with anything in them, numbers with all their digits, booleans; flat and in a parent."""
    path = ("Parent", "Name") if nested else ("Na%me",)
    columns = [
        Column(name="Name", path=path),
        Column(name="Amount", path=("Amount",), kind=ColumnKind.DECIMAL),
        Column(name="IsWon", path=("IsWon",), kind=ColumnKind.BOOLEAN),
    ]
    cells = [[text, f"{number:f}", str(flag).lower()] for text, number, flag in rows]
    data = b"".join(ndjson_rows([_csv(["Name", "Amount", "IsWon"], cells)], columns))
    lines = [json.loads(line, parse_float=Decimal, parse_int=Decimal) for line in data.split(b"\n") if line]
    assert len(lines) == len(rows)
    for (text, number, flag), line in zip(rows, lines, strict=True):
        found = line["Parent"]["Name"] if nested and text else line["Parent"] if nested else line["Na%me"]
        assert found == (text or None)
        assert line["Amount"] == number
        assert line["IsWon"] is flag


def test_null_and_odd_values_keep_what_they_are() -> None:
    """Empty is null of every kind; what is no value of its kind stays the text it is; digits stay as they came."""
    kinds = [ColumnKind.INTEGER, ColumnKind.DECIMAL, ColumnKind.BOOLEAN, ColumnKind.DATETIME, ColumnKind.DATE]
    columns = [Column(name=kind, path=(kind,), kind=kind) for kind in kinds]
    lines = _rows(
        columns,
        [
            ["", "", "", "", ""],
            ["7", "1.0E7", "true", "2024-01-01T00:00:00.000Z", "2024-01-01"],
            ["007", "USD 5", "yes", "soon", "x"],
        ],
    )
    assert lines[0] == '{"integer":null,"decimal":null,"boolean":null,"datetime":null,"date":null}'
    assert lines[1] == (
        '{"integer":7,"decimal":1.0E7,"boolean":true,"datetime":"2024-01-01T00:00:00.000+0000","date":"2024-01-01"}'
    )
    assert json.loads(lines[2]) == {
        "integer": "007",
        "decimal": "USD 5",
        "boolean": "yes",
        "datetime": "soon",
        "date": "x",
    }


def test_parents_of_parents_are_objects_or_null() -> None:
    """A parent of which nothing is known is null, however deep."""
    columns = [
        Column(name="Id", path=("Id",)),
        Column(name="Account.Name", path=("Account", "Name")),
        Column(name="Account.Owner.Name", path=("Account", "Owner", "Name")),
    ]
    lines = _rows(columns, [["1", "", ""], ["2", "A", ""], ["3", "", "O"]])
    assert [json.loads(line) for line in lines] == [
        {"Id": "1", "Account": None},
        {"Id": "2", "Account": {"Name": "A", "Owner": None}},
        {"Id": "3", "Account": {"Name": None, "Owner": {"Name": "O"}}},
    ]


@pytest.mark.parametrize(
    ("field", "kind"),
    [
        (None, ColumnKind.TEXT),
        ({"type": "boolean"}, ColumnKind.BOOLEAN),
        ({"type": "int"}, ColumnKind.INTEGER),
        ({"type": "date"}, ColumnKind.DATE),
        ({"type": "datetime"}, ColumnKind.DATETIME),
        ({"type": "time"}, ColumnKind.TIME),
        ({"type": "currency", "precision": 18, "scale": 2}, ColumnKind.DECIMAL),
        ({"type": "picklist"}, ColumnKind.TEXT),
        ({"type": "something new"}, ColumnKind.TEXT),
    ],
)
def test_kinds_are_those_of_describe(field: dict[str, object] | None, kind: ColumnKind) -> None:
    """A field that is not told, or of a type that nobody knows, is text; a column survives the store."""
    column = column_of("X", ["X"], field)
    assert column.kind is kind
    assert Column.from_json(column.to_json()) == column
