"""Money and quantities: exact inside, text in Connect bodies, REAL in the org's tables.

Source: facts/commerce/carts.md section 1. Assumed: two digits of money, and at least one after a quantity's point.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

_CENT = Decimal("0.01")


def exact(value: float | int | str | None) -> Decimal | None:
    """Return a stored number as the decimal that was meant by it."""
    return None if value is None else Decimal(str(value))


def cents(value: Decimal) -> Decimal:
    """Return an amount rounded to the smallest coin, half up."""
    return value.quantize(_CENT, ROUND_HALF_UP)


def money_text(value: Decimal | None) -> str | None:
    """Return an amount as Connect bodies write it: `"110.00"`."""
    return None if value is None else f"{cents(value):f}"


def quantity_text(value: Decimal | None) -> str | None:
    """Return a quantity as Connect bodies write it: `"5.0"`."""
    if value is None:
        return None
    text = f"{value:f}"
    if "." not in text:
        return f"{text}.0"
    text = text.rstrip("0")
    return f"{text}0" if text.endswith(".") else text
