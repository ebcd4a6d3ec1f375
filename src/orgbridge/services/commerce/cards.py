"""Numbers of payment cards, so that they are refused before anything keeps, logs or sends them. Pure.

This service never needs one: a purchase order's number or a payment gateway's own reference pays.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from orgbridge.kit.json import JSON

#: Names under which programs send card data, whatever their spelling.
_NAMES = frozenset({"cardnumber", "pan", "cvv", "cvc", "cvv2", "cvc2", "securitycode", "cardverificationvalue"})
#: 13 to 19 digits, perhaps in groups, that begin as cards of the large schemes do.
_NUMBER = re.compile(r"(?<![0-9A-Za-z])([2-6](?:[ -]?[0-9]){12,18})(?![0-9A-Za-z])")


def card_place(value: JSON, path: str = "") -> str | None:
    """Return where a value holds a card's number or security code; None when it holds none.

    A number counts when it has the length, the first digit and the check digit of a card's.

    Args:
        value: JSON.
        path: Where it stands itself.
    """
    match value:
        case Mapping():
            for name, inside in value.items():
                place = f"{path}.{name}" if path else str(name)
                if re.sub(r"[^a-z0-9]", "", str(name).lower()) in _NAMES and inside not in (None, ""):
                    return place
                if (found := card_place(inside, place)) is not None:
                    return found
        case list():
            for number, inside in enumerate(value):
                if (found := card_place(inside, f"{path}[{number}]")) is not None:
                    return found
        case str():
            if any(_checks(re.sub(r"[ -]", "", hit)) for hit in _NUMBER.findall(value)):
                return path
        case int() if not isinstance(value, bool):
            return card_place(str(value), path)
        case _:
            return None
    return None


def _checks(digits: str) -> bool:
    """Tell whether the last digit is the check digit of the others (ISO/IEC 7812-1, Luhn's formula)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        number = int(digit) * (2 if place % 2 else 1)
        total += number - 9 if number > 9 else number
    return total % 10 == 0
