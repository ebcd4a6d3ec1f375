"""Values to literals: against the documented escapes, and against the parser."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orgbridge.soql import UnboundName, UnquotableValue, bind, parse, quote, quote_like, tree
from orgbridge.soql.quoting import Scalar


@pytest.mark.parametrize(
    ("value", "literal"),
    [
        (None, "NULL"),
        (True, "TRUE"),
        (False, "FALSE"),
        (7, "7"),
        (-1.5, "-1.5"),
        (Decimal("10.20"), "10.20"),
        ("", "''"),
        ("O'Neill", r"'O\'Neill'"),
        ("a\\b", r"'a\\b'"),
        ("a\nb\rc\td\be\ff", r"'a\nb\rc\td\be\ff'"),
        ('say "x"', r"'say \"x\"'"),
        ("50%_", "'50%_'"),
        ("Zürich 😀", "'Zürich 😀'"),
        (date(2020, 2, 29), "2020-02-29"),
        (datetime(2020, 1, 2, 3, 4, 5, 678900, UTC), "2020-01-02T03:04:05.678Z"),
        (time(9, 30, 0, 1999), "09:30:00.001Z"),
    ],
)
def test_each_value_has_its_documented_literal(value: Scalar, literal: str) -> None:
    """Escapes and forms are those of the SOQL guide."""
    assert quote(value) == literal


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        datetime(2020, 1, 1),
        time(1, tzinfo=UTC),
        date(1600, 1, 1),
        "a\ud800",
        b"x",
        object(),
    ],
)
def test_what_has_no_literal_is_refused(value: object) -> None:
    """Nothing is guessed for a value SOQL cannot say."""
    with pytest.raises(UnquotableValue):
        quote(value)  # type: ignore[arg-type]


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_quoted_text_is_read_back_as_it_was(text: str) -> None:
    """No text can leave its quotes."""
    query = parse(f"SELECT Id FROM A WHERE a = {quote(text)} AND b = 1")
    assert isinstance(query.where, tree.And)
    assert query.where.items[0] == tree.Comparison(
        left=tree.FieldPath(parts=("a",)), operator=tree.Operator.EQUAL, right=tree.StringValue(value=text)
    )


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_a_quoted_pattern_is_only_text_between_its_wildcards(text: str) -> None:
    """`quote_like` leaves no wildcard but those asked for."""
    query = parse(f"SELECT Id FROM A WHERE a LIKE {quote_like(text, after='%')}")
    assert isinstance(query.where, tree.Like)
    assert query.where.pattern == tree.LikePattern(parts=(text, tree.Wildcard.MANY))


def test_binds_are_replaced_outside_quotes_only() -> None:
    """Names in quotes stay, lists become lists, counts of date literals keep their colon."""
    soql = "SELECT Id FROM A WHERE a = :x AND b = ':x' AND c IN :many AND d = LAST_N_DAYS:n AND e = LAST_N_DAYS:4"
    assert bind(soql, {"x": "'", "many": ["p", None], "n": 3}) == (
        r"SELECT Id FROM A WHERE a = '\'' AND b = ':x' AND c IN ('p', NULL) AND d = LAST_N_DAYS:3 AND e = LAST_N_DAYS:4"
    )


@pytest.mark.parametrize("values", [{}, {"x": 1, "y": 2}, {"x": []}])
def test_names_and_values_must_match(values: dict[str, list[Scalar]]) -> None:
    """A missing value, a value too many and an empty list are refused."""
    with pytest.raises(UnboundName):
        bind("SELECT Id FROM A WHERE a IN :x", values)
