"""Texts of a file as Salesforce reads them: dates, instants, numbers, truth values. What cannot be told is refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any, Final
from zoneinfo import ZoneInfo

from orgbridge.loads.errors import BadMapping
from orgbridge.wire.dates import EARLIEST, LATEST, bulk_datetime
from orgbridge.wire.fieldtypes import DECIMAL_TYPES, FieldType

_TRUE: Final = frozenset({"true", "t", "yes", "y", "1", "on"})
_FALSE: Final = frozenset({"false", "f", "no", "n", "0", "off"})
_PLAIN_NUMBER: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?")
_ISO_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_ISO_INSTANT: Final = re.compile(
    r"(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}(?::\d{2})?)(?:[.,](\d{1,9}))?\s*(Z|[+-]\d{2}(?::?\d{2})?)?", re.IGNORECASE
)
_CLOCK: Final = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?\s*Z?", re.IGNORECASE)
#: Letters of the patterns that Data Loader and spreadsheets use, and what they are in Python's.
_LETTERS: Final = (
    ("yyyy", "%Y"),
    ("yy", "%y"),
    ("MMM", "%b"),
    ("MM", "%m"),
    ("M", "%m"),
    ("dd", "%d"),
    ("d", "%d"),
    ("HH", "%H"),
    ("H", "%H"),
    ("hh", "%I"),
    ("h", "%I"),
    ("mm", "%M"),
    ("ss", "%S"),
    ("SSS", "%f"),
    ("a", "%p"),
)
_TOKEN: Final = re.compile("|".join([r"'[^']*'", *(letters for letters, _ in _LETTERS), "[A-Za-z]+"]))


class CellRefused(ValueError):
    """A cell cannot become a value of its field.

    Attributes:
        code: Stable code, as in `sf__Error`.
        message: One sentence; it ends without the field's name.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True, kw_only=True)
class Formats:
    """How the file writes its values, in the caller's words."""

    #: IANA name of the zone of instants that name none, e.g. `Europe/Berlin`; None: such instants are refused.
    time_zone: str | None = None
    #: Pattern of dates besides ISO 8601: `dd.MM.yyyy` or `%d.%m.%Y`.
    date_format: str | None = None
    #: Pattern of instants besides ISO 8601.
    datetime_format: str | None = None
    #: `.` or `,`; the other one then separates thousands. None: a point, and no separators.
    decimal_mark: str | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be read.

        Raises:
            BadMapping: The zone is not known, a pattern has letters without a meaning, or the mark is neither.
        """
        if self.time_zone is not None:
            try:
                ZoneInfo(self.time_zone)
            except (KeyError, ValueError, OSError):
                raise BadMapping(
                    f"There is no time zone {self.time_zone!r}; name one like Europe/Berlin or UTC."
                ) from None
        if self.decimal_mark not in (None, ".", ","):
            raise BadMapping("decimal_mark must be . or ,.")
        for pattern in (self.date_format, self.datetime_format):
            if pattern is not None:
                strptime_pattern(pattern)

    def to_json(self) -> dict[str, Any]:
        """Return the form that the store keeps."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def strptime_pattern(pattern: str) -> str:
    """Return a pattern in Python's letters.

    Args:
        pattern: In Python's letters, or in those of Data Loader: `dd.MM.yyyy HH:mm`.

    Raises:
        BadMapping: A letter has no meaning.
    """
    if "%" in pattern:
        try:
            datetime(2024, 11, 22, 23, 59, tzinfo=UTC).strftime(pattern)
            datetime.strptime("", pattern)
        except ValueError as error:
            if "does not match" not in str(error):
                raise BadMapping(f"The pattern {pattern!r} cannot be read: {error}.") from None
        return pattern
    known = dict(_LETTERS)

    def letters(found: re.Match[str]) -> str:
        text = found[0]
        if text.startswith("'"):
            return text[1:-1]
        if text == "T":
            return "T"
        if text not in known:
            raise BadMapping(f"The pattern {pattern!r} has {text!r}, which means nothing; write dates like dd.MM.yyyy.")
        return known[text]

    return _TOKEN.sub(letters, pattern)


Converter = Callable[[str], str]


def converter(kind: FieldType | None, formats: Formats) -> Converter | None:
    """Return what makes a cell that is not blank a value of a field's type; None where cells stay as they are.

    The converter raises `CellRefused`.
    """
    match kind:
        case FieldType.BOOLEAN:
            return _boolean
        case FieldType.INT:
            return lambda text: _integer(text, formats.decimal_mark)
        case FieldType.DATE:
            return _Dates(formats).day
        case FieldType.DATETIME:
            return _Dates(formats).instant
        case FieldType.TIME:
            return _time
        case _ if kind in DECIMAL_TYPES:
            percent = kind is FieldType.PERCENT
            return lambda text: _decimal(text, formats.decimal_mark, percent=percent)
        case _:
            return None


def _boolean(text: str) -> str:
    word = text.strip().lower()
    if word in _TRUE:
        return "true"
    if word in _FALSE:
        return "false"
    raise CellRefused("BAD_BOOLEAN", f"{text[:40]!r} is neither true nor false.")


def _number(text: str, mark: str | None, *, percent: bool = False) -> Decimal:
    plain = text.strip().replace("\N{NO-BREAK SPACE}", "").replace("\N{NARROW NO-BREAK SPACE}", "")
    if percent:
        plain = plain.removesuffix("%").rstrip()
    if mark == ",":
        plain = _without_thousands(plain, ".", ",", text).replace(",", ".")
    elif mark == ".":
        plain = _without_thousands(plain, ",", ".", text)
    if not _PLAIN_NUMBER.fullmatch(plain):
        raise CellRefused("BAD_NUMBER", f"{text[:40]!r} is no number.")
    try:
        return Decimal(plain)
    except InvalidOperation:
        raise CellRefused("BAD_NUMBER", f"{text[:40]!r} is no number.") from None


def _without_thousands(plain: str, separator: str, mark: str, text: str) -> str:
    if separator not in plain:
        return plain
    whole, _, _ = plain.partition(mark)
    head, *groups = whole.lstrip("+-").split(separator)
    if not head or len(head) > 3 or any(len(group) != 3 for group in groups) or separator in plain[len(whole) :]:
        raise CellRefused("BAD_NUMBER", f"{text[:40]!r} is no number with {separator!r} between thousands.")
    return plain.replace(separator, "")


def _decimal(text: str, mark: str | None, *, percent: bool) -> str:
    return format(_number(text, mark, percent=percent), "f")


def _integer(text: str, mark: str | None) -> str:
    number = _number(text, mark)
    if number != number.to_integral_value():
        raise CellRefused("BAD_NUMBER", f"{text[:40]!r} is no whole number.")
    return format(number.to_integral_value(), "f")


def _time(text: str) -> str:
    found = _CLOCK.fullmatch(text.strip())
    try:
        if found is not None:
            hour, minute, second, fraction = found.groups()
            value = time(int(hour), int(minute), int(second or 0), int((fraction or "0").ljust(3, "0")[:3]) * 1000)
            return value.isoformat(timespec="milliseconds") + "Z"
    except ValueError:
        pass
    raise CellRefused("BAD_TIME", f"{text[:40]!r} is no time of day like 17:30:00.")


class _Dates:
    """Reads dates and instants as one file writes them."""

    def __init__(self, formats: Formats) -> None:
        self._zone = ZoneInfo(formats.time_zone) if formats.time_zone else None
        self._date = strptime_pattern(formats.date_format) if formats.date_format else None
        self._instant = strptime_pattern(formats.datetime_format) if formats.datetime_format else None

    def day(self, text: str) -> str:
        """Return a date. An instant becomes the date that it has in the stated zone; without one, in its own."""
        plain = text.strip()
        try:
            if _ISO_DATE.fullmatch(plain):
                return self._checked(date.fromisoformat(plain), text).isoformat()
            if self._date is not None and (found := _parsed(plain, self._date)) is not None:
                return self._checked(found.date(), text).isoformat()
            moment = self._moment(plain)
            if moment is not None:
                if moment.tzinfo is not None and self._zone is not None:
                    moment = moment.astimezone(self._zone)
                return self._checked(moment.date(), text).isoformat()
        except (ValueError, OverflowError) as error:
            if isinstance(error, CellRefused):
                raise
        hint = "" if self._date else "; if the file writes dates otherwise, give date_format"
        raise CellRefused("BAD_DATE", f"{text[:40]!r} is no date like 2024-12-31{hint}.")

    def instant(self, text: str) -> str:
        """Return an instant in UTC; a date alone is its midnight in the stated zone."""
        plain = text.strip()
        try:
            moment = self._moment(plain)
            if moment is None and _ISO_DATE.fullmatch(plain):
                moment = datetime.fromisoformat(plain)
            if moment is None and self._date is not None:
                moment = _parsed(plain, self._date)
            if moment is not None:
                if moment.tzinfo is None:
                    if self._zone is None:
                        message = f"{text[:40]!r} names no time zone; give time_zone, e.g. Europe/Berlin or UTC."
                        raise CellRefused("NO_TIME_ZONE", message)
                    moment = self._placed(moment, text)
                moment = moment.astimezone(UTC)
                self._checked(moment.date(), text)
                return bulk_datetime(moment)
        except (ValueError, OverflowError) as error:
            if isinstance(error, CellRefused):
                raise
        hint = "" if self._instant else "; if the file writes instants otherwise, give datetime_format"
        raise CellRefused("BAD_DATE", f"{text[:40]!r} is no instant like 2024-12-31T23:59:00Z{hint}.")

    def _moment(self, plain: str) -> datetime | None:
        found = _ISO_INSTANT.fullmatch(plain)
        if found is not None:
            day, clock, fraction, offset = found.groups()
            text = f"{day}T{clock}{'' if clock.count(':') == 2 else ':00'}"
            value = datetime.fromisoformat(text).replace(microsecond=int((fraction or "0").ljust(3, "0")[:3]) * 1000)
            if offset is None:
                return value
            suffix = "+00:00" if offset.upper() == "Z" else offset if len(offset) != 3 else f"{offset}:00"
            return value.replace(tzinfo=datetime.strptime(suffix.replace(":", ""), "%z").tzinfo)
        return _parsed(plain, self._instant) if self._instant is not None else None

    def _placed(self, moment: datetime, text: str) -> datetime:
        """Return a wall time in the stated zone; one that the clocks leap over never was."""
        placed = moment.replace(tzinfo=self._zone)
        if placed.astimezone(UTC).astimezone(self._zone).replace(tzinfo=None) != moment:
            message = f"{text[:40]!r} never was in {self._zone}: the clocks were put forward over it."
            raise CellRefused("BAD_DATE", message)
        return placed

    @staticmethod
    def _checked(value: date, text: str) -> date:
        if not EARLIEST <= value <= LATEST:
            raise CellRefused("BAD_DATE", f"{text[:40]!r} is outside of the years 1700 to 4000 that Salesforce keeps.")
        return value


def _parsed(text: str, pattern: str) -> datetime | None:
    try:
        return datetime.strptime(text, pattern)
    except ValueError:
        return None
