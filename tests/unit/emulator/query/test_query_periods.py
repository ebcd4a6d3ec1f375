"""Relative dates, day by day."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orgbridge.emulator.query.periods import Period, period_of
from orgbridge.soql.dateliterals import COUNTED_LITERALS, PLAIN_LITERALS
from orgbridge.soql.tree import DateLiteral

#: A Wednesday.
TODAY = date(2025, 5, 14)


@pytest.mark.parametrize(
    ("name", "count", "start", "end"),
    [
        ("YESTERDAY", None, "2025-05-13", "2025-05-14"),
        ("TODAY", None, "2025-05-14", "2025-05-15"),
        ("TOMORROW", None, "2025-05-15", "2025-05-16"),
        ("LAST_WEEK", None, "2025-05-04", "2025-05-11"),
        ("THIS_WEEK", None, "2025-05-11", "2025-05-18"),
        ("NEXT_WEEK", None, "2025-05-18", "2025-05-25"),
        ("LAST_MONTH", None, "2025-04-01", "2025-05-01"),
        ("THIS_MONTH", None, "2025-05-01", "2025-06-01"),
        ("NEXT_MONTH", None, "2025-06-01", "2025-07-01"),
        ("LAST_90_DAYS", None, "2025-02-13", "2025-05-15"),
        ("NEXT_90_DAYS", None, "2025-05-15", "2025-08-13"),
        ("LAST_N_DAYS", 1, "2025-05-13", "2025-05-15"),
        ("LAST_N_DAYS", 0, "2025-05-14", "2025-05-15"),
        ("NEXT_N_DAYS", 2, "2025-05-15", "2025-05-17"),
        ("N_DAYS_AGO", 14, "2025-04-30", "2025-05-01"),
        ("LAST_N_WEEKS", 2, "2025-04-27", "2025-05-11"),
        ("NEXT_N_WEEKS", 1, "2025-05-18", "2025-05-25"),
        ("N_WEEKS_AGO", 1, "2025-05-04", "2025-05-11"),
        ("LAST_N_MONTHS", 5, "2024-12-01", "2025-05-01"),
        ("NEXT_N_MONTHS", 8, "2025-06-01", "2026-02-01"),
        ("N_MONTHS_AGO", 5, "2024-12-01", "2025-01-01"),
        ("THIS_QUARTER", None, "2025-04-01", "2025-07-01"),
        ("LAST_QUARTER", None, "2025-01-01", "2025-04-01"),
        ("NEXT_QUARTER", None, "2025-07-01", "2025-10-01"),
        ("LAST_N_QUARTERS", 2, "2024-10-01", "2025-04-01"),
        ("NEXT_N_QUARTERS", 3, "2025-07-01", "2026-04-01"),
        ("N_QUARTERS_AGO", 2, "2024-10-01", "2025-01-01"),
        ("THIS_YEAR", None, "2025-01-01", "2026-01-01"),
        ("LAST_YEAR", None, "2024-01-01", "2025-01-01"),
        ("NEXT_YEAR", None, "2026-01-01", "2027-01-01"),
        ("LAST_N_YEARS", 2, "2023-01-01", "2025-01-01"),
        ("NEXT_N_YEARS", 2, "2026-01-01", "2028-01-01"),
        ("N_YEARS_AGO", 2, "2023-01-01", "2024-01-01"),
        ("THIS_FISCAL_QUARTER", None, "2025-04-01", "2025-07-01"),
        ("LAST_FISCAL_YEAR", None, "2024-01-01", "2025-01-01"),
        ("LAST_N_FISCAL_QUARTERS", 1, "2025-01-01", "2025-04-01"),
        ("N_FISCAL_YEARS_AGO", 1, "2024-01-01", "2025-01-01"),
        ("NEXT_N_FISCAL_YEARS", 1, "2026-01-01", "2027-01-01"),
    ],
)
def test_a_literal_means_these_days(name: str, count: int | None, start: str, end: str) -> None:
    """On Wednesday, 14 May 2025, the literal spans from the first day up to, not including, the last."""
    expected = Period(date.fromisoformat(start), date.fromisoformat(end))
    assert period_of(DateLiteral(name=name, count=count), TODAY) == expected


@pytest.mark.parametrize("name", sorted(PLAIN_LITERALS | COUNTED_LITERALS))
def test_every_literal_of_the_language_means_something(name: str) -> None:
    """No literal that the parser takes is unknown here."""
    period = period_of(DateLiteral(name=name, count=3 if name in COUNTED_LITERALS else None), TODAY)
    assert period.start < period.end


@given(st.dates(date(1900, 1, 1), date(2999, 12, 31)))
def test_weeks_begin_on_sunday_and_hold_the_day(day: date) -> None:
    """THIS_WEEK is seven days from a Sunday, with the day among them."""
    period = period_of(DateLiteral(name="THIS_WEEK"), day)
    assert (period.start.isoweekday(), period.end - period.start) == (7, timedelta(days=7))
    assert period.start <= day < period.end


def test_a_day_beyond_the_calendar_overflows() -> None:
    """A count that leaves the calendar is an error that the filter turns into a refusal."""
    for name in ("LAST_N_DAYS", "NEXT_N_WEEKS", "LAST_N_YEARS", "NEXT_N_MONTHS"):
        with pytest.raises(OverflowError):
            period_of(DateLiteral(name=name, count=10**12), TODAY)
