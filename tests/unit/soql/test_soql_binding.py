"""Binds in a parsed query: a value comes back as the value that was given, whatever characters it has."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orgbridge.soql import UnboundName, UnquotableValue, bind_names, bind_query, date_literal, parse, print_query, tree

_TEXT = st.text(st.characters(exclude_categories=["Cs"]))


def _bound(soql: str, **values: Any) -> tree.Query:
    """Return what the printed query says, read anew: what Salesforce will read."""
    return parse(print_query(bind_query(parse(soql, allow_binds=True), values, soql=soql)))


@given(_TEXT)
def test_any_text_comes_back_as_an_equal_filter(text: str) -> None:
    """No text, whatever quotes, backslashes or words of SOQL it has, becomes anything but the value of its filter."""
    query = _bound("SELECT Id FROM Account WHERE Name = :name LIMIT 1", name=text)
    assert isinstance(query.where, tree.Comparison)
    assert query.where.right == tree.StringValue(value=text)
    assert (query.limit, len(query.select)) == (1, 1)


@given(st.lists(_TEXT, min_size=1, max_size=20))
def test_a_list_of_any_texts_comes_back_in_order(texts: list[str]) -> None:
    """IN holds exactly the texts given, in the order given."""
    query = _bound("SELECT Id FROM Account WHERE Name IN :names", names=texts)
    assert isinstance(query.where, tree.InList)
    assert query.where.values == tuple(tree.StringValue(value=text) for text in texts)


@given(st.integers(-(10**18), 10**18) | st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_comes_back_equal(number: float) -> None:
    """Digits and sign survive; so does a float's exact value."""
    query = _bound("SELECT Id FROM Account WHERE AnnualRevenue > :n", n=number)
    assert isinstance(query.where, tree.Comparison)
    assert isinstance(query.where.right, tree.NumberValue)
    assert query.where.right.value == number


@given(st.text(st.sampled_from("a%_\\'"), max_size=8))
def test_a_pattern_means_the_same_after_printing(text: str) -> None:
    """Wildcards stay wildcards, escaped ones stay letters, and nothing leaves the quotes."""
    once = bind_query(parse("SELECT Id FROM Account WHERE Name LIKE :p", allow_binds=True), {"p": text})
    assert isinstance(once.where, tree.Like)
    again = parse(print_query(once))
    assert again == once
    assert sum(text.replace("\\\\", "").replace("\\%", "").replace("\\_", "").count(c) for c in "%_") == sum(
        isinstance(part, tree.Wildcard)
        for part in once.where.pattern.parts  # type: ignore[union-attr]
    )


@pytest.mark.parametrize(
    ("value", "literal"),
    [
        (None, "NULL"),
        (True, "TRUE"),
        (7, "7"),
        (Decimal("12.50"), "12.50"),
        (date(2026, 1, 31), "2026-01-31"),
        (datetime(2026, 1, 31, 10, 0, 0, 123456, tzinfo=UTC), "2026-01-31T10:00:00.123Z"),
        (time(9, 30), "09:30:00.000Z"),
        (date_literal("last_n_days:30"), "LAST_N_DAYS:30"),
        ("TODAY", "'TODAY'"),
    ],
    ids=str,
)
def test_each_type_has_its_own_literal(value: Any, literal: str) -> None:
    """Dates and numbers stand without quotes, texts with them."""
    tree_ = bind_query(parse("SELECT Id FROM Account WHERE A__c = :v", allow_binds=True), {"v": value})
    assert print_query(tree_) == f"SELECT Id FROM Account WHERE A__c = {literal}"


def test_binds_stand_in_every_place_of_a_value() -> None:
    """Lists, choices, arguments, subqueries, HAVING, LIMIT and OFFSET take them."""
    soql = (
        "SELECT Name, (SELECT Id FROM Contacts WHERE LastName = :x LIMIT :n) FROM Account "
        "WHERE Id IN (SELECT AccountId FROM Contact WHERE Email IN (:x, :many)) AND M__c INCLUDES (:many) "
        "AND DISTANCE(L__c, GEOLOCATION(:lat, 2), 'mi') < 5 LIMIT :n OFFSET :n"
    )
    query = parse(soql, allow_binds=True)
    assert bind_names(query) == ("x", "n", "many", "lat")
    text = print_query(bind_query(query, {"x": "X", "many": ["a", "b"], "n": 3, "lat": 1.5}))
    assert text == (
        "SELECT Name, (SELECT Id FROM Contacts WHERE LastName = 'X' LIMIT 3) FROM Account "
        "WHERE Id IN (SELECT AccountId FROM Contact WHERE Email IN ('X', 'a', 'b')) AND M__c INCLUDES ('a', 'b') "
        "AND DISTANCE(L__c, GEOLOCATION(1.5, 2), 'mi') < 5 LIMIT 3 OFFSET 3"
    )


@pytest.mark.parametrize(
    ("soql", "values", "says", "column"),
    [
        ("SELECT Id FROM A WHERE B = :x", {}, "No value was given for :x", 28),
        ("SELECT Id FROM A WHERE B = :x", {"x": 1, "y": 2}, "The query has no :y; its binds are: :x", None),
        ("SELECT Id FROM A WHERE B = :x", {"x": ["a"]}, "Lists go with IN", 28),
        ("SELECT Id FROM A WHERE B IN :x", {"x": []}, "SOQL has no empty list", 29),
        ("SELECT Id FROM A WHERE B LIKE :x", {"x": 1}, "LIKE takes a text", 31),
        ("SELECT Id FROM A WHERE B INCLUDES (:x)", {"x": 1}, "take texts", 36),
        ("SELECT Id FROM A LIMIT :x", {"x": -1}, "whole number from 0", 24),
        ("SELECT Id FROM A LIMIT :x", {"x": True}, "whole number from 0", 24),
        ("SELECT Id FROM A WHERE B = :x", {"x": "\ud800"}, "lone surrogate", 28),
        ("SELECT Id FROM A WHERE B = :x", {"x": float("nan")}, "finite", 28),
        ("SELECT Id FROM A WHERE B = :x", {"x": datetime(2026, 1, 1)}, "time zone", 28),
    ],
    ids=lambda value: value if isinstance(value, str) and " " in value else "",
)
def test_what_does_not_fit_is_told_with_its_place(
    soql: str, values: dict[str, Any], says: str, column: int | None
) -> None:
    """The message names the bind, and points at it where there is a place."""
    with pytest.raises((UnboundName, UnquotableValue)) as told:
        bind_query(parse(soql, allow_binds=True), values, soql=soql)
    assert says in told.value.message
    assert (told.value.position + 1 if told.value.position is not None else None) == column


@pytest.mark.parametrize("text", ["", "TODAY:3", "LAST_N_DAYS", "LAST_N_DAYS:x", "'x'", "TODAY) OR (Id != NULL"])
def test_a_relative_date_is_one_of_the_known_words(text: str) -> None:
    """Anything else is refused: it would be grammar."""
    with pytest.raises(UnquotableValue):
        date_literal(text)
