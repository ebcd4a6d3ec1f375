"""What warranties come to on a day."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orgbridge.services.commerce.conditions import both, select
from orgbridge.services.commerce.warranties import (
    Cover,
    condition,
    cover_of,
    cover_of_all,
    covers_portrait,
    warranty_portrait,
)
from orgbridge.soql import parse, print_query

_DAY = date(2026, 6, 1)
_DAYS = st.integers(-400, 400).map(lambda days: _DAY + timedelta(days=days))


@pytest.mark.parametrize(
    ("start", "end", "cover"),
    [
        (_DAY, _DAY, Cover.ACTIVE),
        (None, None, Cover.ACTIVE),
        (date(2020, 1, 1), None, Cover.ACTIVE),
        (date(2026, 6, 2), None, Cover.FUTURE),
        (date(2020, 1, 1), date(2026, 5, 31), Cover.EXPIRED),
        (None, date(2026, 5, 31), Cover.EXPIRED),
    ],
)
def test_both_ends_of_a_warranty_count(start: date | None, end: date | None, cover: Cover) -> None:
    """The first and the last day are covered; without an end it lasts."""
    assert cover_of(start, end, _DAY) is cover


@given(st.lists(st.tuples(st.one_of(st.none(), _DAYS), st.one_of(st.none(), _DAYS)), max_size=4))
def test_one_active_warranty_is_enough(days: list[tuple[date | None, date | None]]) -> None:
    """Active goes before future, future before expired; `until` is the last day of those that count, none when open."""
    rows = [
        {"Id": f"{n}", "StartDate": start and start.isoformat(), "EndDate": end and end.isoformat()}
        for n, (start, end) in enumerate(days)
    ]
    told = warranty_portrait(rows, _DAY)
    covers = [cover_of(start, end, _DAY) for start, end in days]
    assert told["state"] == cover_of_all(covers).value
    ends = [end for (_, end), cover in zip(days, covers, strict=True) if cover.value == told["state"]]
    assert told["until"] == (None if not ends or None in ends else max(end for end in ends if end).isoformat())
    assert sorted(str(one["state"]) for one in covers_portrait(rows, _DAY)) == sorted(cover.value for cover in covers)


def test_hidden_days_are_not_guessed() -> None:
    """Where a policy hides a day the state is unknown, and a warranty's own is null."""
    rows = [{"Id": "1", "StartDate": "2020-01-01"}]
    assert warranty_portrait(rows, _DAY)["state"] == "unknown"
    assert covers_portrait(rows, _DAY)[0]["state"] is None
    assert warranty_portrait([], _DAY) == {"state": "none", "until": None, "at": "2026-06-01"}


@pytest.mark.parametrize("cover", list(Cover))
def test_conditions_have_at_most_two_semi_joins(cover: Cover) -> None:
    """What is asked can be read again, and keeps to what a query may have."""
    query = select("Asset", ["Id"], where=both(*condition(cover, _DAY)))
    text = print_query(query)
    assert text.count("SELECT AssetId FROM AssetWarranty") <= 2
    assert print_query(parse(text)) == text
