"""What SOQL's relative dates mean on a given day: half-open spans of days.

Weeks begin on Sunday, the fiscal year is the calendar year, and days are UTC days.
Assumed: an org set up otherwise would say so in its own settings, which this org does not have.

Source: facts/salesforce/soql.md, "Date literals".
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from orgbridge.soql.tree import DateLiteral


@dataclass(frozen=True, slots=True)
class Period:
    """The days from `start` up to, not including, `end`."""

    start: date
    end: date


def period_of(literal: DateLiteral, today: date) -> Period:
    """Return the days that a literal means.

    Raises:
        OverflowError: They lie outside the years 1 to 9999.
    """
    name, count = literal.name.replace("FISCAL_", ""), literal.count or 0
    match name.split("_"):
        case ["YESTERDAY"]:
            return _units(today, "DAY", -1, 0)
        case ["TODAY"]:
            return _units(today, "DAY", 0, 1)
        case ["TOMORROW"]:
            return _units(today, "DAY", 1, 2)
        case ["LAST", "90", "DAYS"]:
            return _units(today, "DAY", -90, 1)
        case ["NEXT", "90", "DAYS"]:
            return _units(today, "DAY", 1, 91)
        case ["LAST", "N", "DAYS"]:
            return _units(today, "DAY", -count, 1)
        case ["LAST", "N", units]:
            return _units(today, units.removesuffix("S"), -count, 0)
        case ["NEXT", "N", units]:
            return _units(today, units.removesuffix("S"), 1, count + 1)
        case ["N", units, "AGO"]:
            return _units(today, units.removesuffix("S"), -count, 1 - count)
        case [which, unit]:
            offset = {"LAST": -1, "THIS": 0, "NEXT": 1}[which]
            return _units(today, unit, offset, offset + 1)
        case _:
            raise ValueError(f"{literal.name} is no date literal")


def _units(today: date, unit: str, first: int, end: int) -> Period:
    """Return the span from the `first`-th unit after the present one up to the `end`-th."""
    return Period(_start_of(today, unit, first), _start_of(today, unit, end))


def _start_of(today: date, unit: str, offset: int) -> date:
    if unit == "DAY":
        return today + timedelta(days=offset)
    if unit == "WEEK":
        return today - timedelta(days=(today.weekday() + 1) % 7) + timedelta(weeks=offset)
    months = {"MONTH": 1, "QUARTER": 3, "YEAR": 12}[unit]
    number = (today.year * 12 + today.month - 1) // months * months + offset * months
    year, month = divmod(number, 12)
    if not 1 <= year <= 9999:
        raise OverflowError(f"year {year} does not exist")
    return date(year, month + 1, 1)
