"""Opaque cursors."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orgbridge.store.errors import CursorInvalid
from orgbridge.store.pages import decode_cursor, encode_cursor

_TEXT = st.text(alphabet=st.characters(exclude_characters="\x00", exclude_categories=("Cs",)), max_size=50)


@given(_TEXT, st.lists(_TEXT, max_size=3))
def test_a_cursor_says_what_it_was_made_of(kind: str, values: list[str]) -> None:
    """For its own list it gives the keys back; for another list or another number of keys it is refused."""
    cursor = encode_cursor(kind, *values)
    assert decode_cursor(kind, cursor, len(values)) == values
    for other, count in ((kind + "x", len(values)), (kind, len(values) + 1)):
        with pytest.raises(CursorInvalid):
            decode_cursor(other, cursor, count)


@given(st.text(max_size=100))
def test_no_text_of_a_caller_is_taken_for_a_cursor_by_mistake(text: str) -> None:
    """It is refused or it is one; nothing else is raised."""
    try:
        (value,) = decode_cursor("users", text, 1)
    except CursorInvalid:
        return
    assert isinstance(value, str)
