"""Card numbers are recognised wherever they stand, and other numbers are not taken for them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orgbridge.kit.json import JSON
from orgbridge.services.commerce.cards import card_place


def _with_check_digit(digits: str) -> str:
    for check in "0123456789":
        total = 0
        for place, digit in enumerate(reversed(digits + check)):
            number = int(digit) * (1 + place % 2)
            total += number // 10 + number % 10
        if total % 10 == 0:
            return digits + check
    raise AssertionError("one of ten digits checks")


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ({"payment": {"token": "4111 1111 1111 1111"}}, "payment.token"),
        ({"po_number": "5555-5555-5555-4444"}, "po_number"),
        ({"data": ["x", "378282246310005"]}, "data[1]"),
        ({"data": {"cvv": "123"}}, "data.cvv"),
        ({"data": {"Card-Number": "x"}}, "data.Card-Number"),
        ({"token": 4111111111111111}, "token"),
    ],
)
def test_card_data_is_found(value: JSON, place: str) -> None:
    """By its check digit, or by its name."""
    assert card_place(value) == place


@pytest.mark.parametrize(
    "value",
    [
        {"po_number": "PO-2026-0042"},
        {"po_number": "4111111111111112"},
        {"token": "pi_3NqT4111111111111111xyz"},
        {"street": "Kieler Straße 12", "postalCode": "24103"},
        {"phoneNumber": "+49 431 1234567"},
        {"cvv": None},
    ],
)
def test_other_values_are_let_through(value: JSON) -> None:
    """A number that does not check, one inside of a longer word, addresses, telephone numbers."""
    assert card_place(value) is None


@given(st.from_regex(r"[2-6][0-9]{11,17}", fullmatch=True), st.sampled_from(["", " ", "-"]))
def test_every_number_that_checks_is_found(digits: str, gap: str) -> None:
    """Whatever its length and its grouping."""
    number = _with_check_digit(digits)
    grouped = gap.join(number[start : start + 4] for start in range(0, len(number), 4))
    assert card_place({"note": f"pay with {grouped} please"}) == "note"
