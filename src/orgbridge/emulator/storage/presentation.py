"""Values as a person in the locale en_US reads them, as an SQL function for FORMAT().

Assumed: the forms; that FORMAT follows the user's locale is documented. Every user of this org reads en_US, UTC and US
dollars.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

from orgbridge.wire.fieldtypes import FieldType

#: What FORMAT takes.
FORMATTED_TYPES = frozenset(
    {
        FieldType.INT,
        FieldType.DOUBLE,
        FieldType.CURRENCY,
        FieldType.PERCENT,
        FieldType.DATE,
        FieldType.DATETIME,
        FieldType.TIME,
    }
)


def formatted(value: str | float | None, kind: str, scale: int) -> str | None:
    """Serve as `SF_FORMAT(value, kind, scale)`: a stored value of a field type as people read it; NULL for NULL.

    Args:
        value: As stored.
        kind: The `FieldType`.
        scale: Digits after the point.
    """
    if value is None:
        return None
    match FieldType(kind):
        case FieldType.DATE:
            return _day(str(value))
        case FieldType.DATETIME:
            return f"{_day(str(value))}, {_clock(str(value)[11:19])}"
        case FieldType.TIME:
            return _clock(str(value)[:8])
        case FieldType.CURRENCY:
            number = _number(float(value), scale)
            return f"-${number[1:]}" if number.startswith("-") else f"${number}"
        case FieldType.PERCENT:
            return f"{_number(float(value), scale)}%"
        case _:
            return _number(float(value), scale)


def _number(value: float, scale: int) -> str:
    exact = Decimal(repr(value))
    return f"{exact.quantize(Decimal(1).scaleb(-scale), ROUND_HALF_UP) if abs(exact) < 10**20 else exact:,f}"


def _day(text: str) -> str:
    return f"{int(text[5:7])}/{int(text[8:10])}/{text[:4]}"


def _clock(text: str) -> str:
    hour = int(text[:2])
    return f"{hour % 12 or 12}:{text[3:5]} {'AM' if hour < 12 else 'PM'}"
