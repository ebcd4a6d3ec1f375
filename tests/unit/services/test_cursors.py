"""Cursors: open for whom they were made, closed to everybody else and to every change."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orgbridge.services.cursors import Cursors
from orgbridge.services.errors import InvalidRequest

_CURSORS = Cursors(b"0123456789abcdef")
_URL = "/services/data/v67.0/query/01gOb0000000001IAA-2000"


@given(st.text(), st.dictionaries(st.text(max_size=5), st.text() | st.integers(-(2**53), 2**53), max_size=4))
def test_a_cursor_gives_back_what_was_sealed(caller: str, content: dict[str, str | int]) -> None:
    """For its own caller the content is the same, and the text is fit for a URL's path."""
    if any("\ud800" <= c <= "\udfff" for c in caller + "".join(map(str, [*content, *content.values()]))):
        return
    cursor = _CURSORS.seal(caller, content)
    assert _CURSORS.open(caller, cursor) == content
    assert cursor.replace("-", "").replace("_", "").isalnum()


@given(st.integers(0, 10_000), st.sampled_from(["AB", "ab", "Cc", "01", "9-", "_z"]))
def test_a_changed_cursor_is_refused(somewhere: int, letters: str) -> None:
    """Any other letter at any place, any cut and any addition closes it."""
    # Sealed anew with a number of its own each time: nothing that is drawn may depend on it.
    cursor = _CURSORS.seal("ada", {"u": _URL})
    place = somewhere % (len(cursor) - 1)
    letter = letters[0] if cursor[place] != letters[0] else letters[1]
    for changed in (cursor[:place] + letter + cursor[place + 1 :], cursor[:place], cursor + "AAAA"):
        with pytest.raises(InvalidRequest, match="not one that this service gave to you"):
            _CURSORS.open("ada", changed)


@given(st.text(max_size=300))
def test_no_text_that_was_made_up_opens(text: str) -> None:
    """Whatever a caller sends, it is a refusal and nothing else."""
    with pytest.raises(InvalidRequest):
        _CURSORS.open("ada", text)


def test_a_cursor_is_of_no_use_to_another_caller_or_another_secret() -> None:
    """Who got hold of somebody's cursor gets no page with it."""
    cursor = _CURSORS.seal("ada", {"u": _URL})
    with pytest.raises(InvalidRequest):
        _CURSORS.open("grace", cursor)
    with pytest.raises(InvalidRequest):
        Cursors(b"another secret of ours").open("ada", cursor)


def test_a_cursor_tells_nothing_of_its_page() -> None:
    """Two cursors of one page differ, and those of near pages are equally long."""
    one, two = _CURSORS.seal("ada", {"u": _URL}), _CURSORS.seal("ada", {"u": _URL})
    assert one != two
    assert len(one) == len(_CURSORS.seal("ada", {"u": _URL.replace("-2000", "-200000")}))


def test_a_weak_secret_is_refused() -> None:
    """Nobody seals with an empty setting."""
    with pytest.raises(ValueError, match="16 bytes"):
        Cursors(b"short")
