"""Amounts and quantities of carts: from rows, to Connect bodies, from callers, and shared out to the cent."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_FLOOR, Decimal, InvalidOperation

from orgbridge.emulator.commerce import amounts
from orgbridge.emulator.commerce.amounts import cents

CENT = Decimal("0.01")
ZERO = Decimal("0.00")
#: Longer texts are no quantity of anything.
_TEXT = 40
#: What a quantity column holds.
_QUANTITY_LIMIT = Decimal(10) ** 15


def of_row(value: object) -> Decimal:
    """Return what a currency or number column holds as a decimal; nothing is zero."""
    return ZERO if value is None else Decimal(str(value))


def money_text(value: object) -> str | None:
    """Return the amount in a column as Connect writes it; None for nothing."""
    return None if value is None else amounts.money_text(Decimal(str(value)))


def quantity_text(value: object) -> str | None:
    """Return the quantity in a column as Connect writes it: `2.0`."""
    return None if value is None else amounts.quantity_text(Decimal(str(value)))


def read_quantity(given: object) -> Decimal | None:
    """Return the number that a caller wrote as text or number; None when it is none."""
    if isinstance(given, bool) or not isinstance(given, str | int | float) or len(str(given)) > _TEXT:
        return None
    try:
        number = Decimal(str(given).strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number) < _QUANTITY_LIMIT else None


def shared_out(total: Decimal, weights: Sequence[Decimal]) -> list[Decimal]:
    """Share an amount out by weight in whole cents; the shares add up to it exactly.

    The cents that rounding leaves go to the largest remainders, of equal ones to the first.
    """
    whole = sum(weights, Decimal(0))
    if not whole:
        return [ZERO for _ in weights]
    exact = [total * weight / whole for weight in weights]
    shares = [amount.quantize(CENT, ROUND_FLOOR) for amount in exact]
    left = int((cents(total) - sum(shares, ZERO)) / CENT)
    order = sorted(range(len(exact)), key=lambda place: (shares[place] - exact[place], place))
    for place in order[:left]:
        shares[place] += CENT
    return shares
