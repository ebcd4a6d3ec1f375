"""Dates and instants as Salesforce writes them. REST and Bulk differ; both forms are here.

Source: facts/salesforce/ids-and-types.md section 2, bulk2.md sections 4 and 9.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, timezone

_DATETIME = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?(Z|[+-]\d{2}:?\d{2})?\Z", re.IGNORECASE
)
_TIME = re.compile(r"(\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,9}))?Z\Z", re.IGNORECASE)
_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})\Z")
#: Dates outside of these are refused by the platform.
EARLIEST, LATEST = date(1700, 1, 1), date(4000, 12, 31)


def parse_date(text: str) -> date | None:
    """Return the date in `yyyy-MM-dd`, or None when it is not one or lies outside 1700 to 4000."""
    found = _DATE.match(text)
    if not found:
        return None
    try:
        value = date(*(int(part) for part in found.groups()))
    except ValueError:
        return None
    return value if EARLIEST <= value <= LATEST else None


def parse_datetime(text: str) -> datetime | None:
    """Return the instant in an ISO text with `Z` or an offset (with or without colon), aware, in UTC, to milliseconds.

    A text without an offset is read as UTC. None when it is no instant or lies outside 1700 to 4000.
    """
    found = _DATETIME.match(text)
    if not found:
        return None
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    offset = UTC
    if zone and zone.upper() != "Z":
        sign = -1 if zone[0] == "-" else 1
        minutes = int(zone[1:3]) * 60 + int(zone[-2:])
        if minutes >= 24 * 60:
            return None
        offset = timezone(sign * timedelta(minutes=minutes))
    micro = int((fraction or "0").ljust(3, "0")[:3]) * 1000
    try:
        value = datetime(
            int(year), int(month), int(day), int(hour), int(minute), int(second or 0), micro, offset
        ).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return value if EARLIEST <= value.date() <= LATEST else None


def parse_time(text: str) -> time | None:
    """Return the time of day in `hh:mm:ss[.SSS]Z`, to milliseconds, or None when it is none."""
    found = _TIME.match(text)
    if not found:
        return None
    hour, minute, second, fraction = found.groups()
    try:
        return time(int(hour), int(minute), int(second), int((fraction or "0").ljust(3, "0")[:3]) * 1000)
    except ValueError:
        return None


def rest_datetime(value: datetime) -> str:
    """Return the form of REST JSON: `2015-06-26T19:46:33.000+0000`, without a colon in the offset."""
    return f"{_to_milliseconds(value)}+0000"


def bulk_datetime(value: datetime) -> str:
    """Return the form of Bulk CSV: `2015-06-26T19:46:33.000Z`."""
    return f"{_to_milliseconds(value)}Z"


def _to_milliseconds(value: datetime) -> str:
    # isoformat writes what strftime would, in a tenth of the time; the offset of UTC is cut off.
    return value.astimezone(UTC).isoformat(timespec="milliseconds")[:-6]
