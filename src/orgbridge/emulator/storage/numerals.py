"""Decimals as a Bulk API 2.0 query job writes them, as an SQL function too.

Source: facts/salesforce/ids-and-types.md section 2.
"""

from __future__ import annotations

from decimal import Decimal


def decimal_text(value: float) -> str:
    """Return a decimal as the platform writes it: `23.0`, from ten million on (or below a thousandth) `1.0E7`."""
    number = float(value)
    if number == 0 or 1e-3 <= abs(number) < 1e7:
        return repr(number)
    sign, digits, exponent = Decimal(repr(number)).normalize().as_tuple()
    rest = "".join(map(str, digits[1:])) or "0"
    return f"{'-' if sign else ''}{digits[0]}.{rest}E{int(exponent) + len(digits) - 1}"


def decimal_cell(value: float | None) -> str:
    """Serve as `SF_DECIMAL(value)`: its text; the empty text for NULL."""
    return "" if value is None else decimal_text(value)
