"""How values stand on pages, and that a template cannot misspell a name."""

from __future__ import annotations

from typing import Any

import pytest
from jinja2 import UndefinedError

from orgbridge.console.rendering import Renderer, amount, instant, number, plain, seconds, size
from orgbridge.console.statics import read_statics


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (number(1234567), "1,234,567"),
        (number(None), "–"),
        (size(512), "512 bytes"),
        (size(1536), "1.5 KiB"),
        (size(5 * 1024**4), "5,120.0 GiB"),
        (size(None), "–"),
        (seconds(1.08), "1.1 s"),
        (seconds(61.4), "1 min 1 s"),
        (seconds(3_725), "1 h 2 min"),
        (seconds(None), "–"),
        (instant("2026-11-22T22:31:03.816985+00:00"), "2026-11-22 22:31:03 UTC"),
        (instant(None), "–"),
        (amount(235.92000000000002), "235.92"),
        (amount(1234), "1,234.00"),
        (amount("12.50"), "12.50"),
        (plain(2.0), "2"),
        (plain(0.1 + 0.2), "0.3"),
        (plain(True), "yes"),
        (plain(None), "–"),
    ],
)
def test_values_are_written_for_people(shown: str, text: str) -> None:
    """Counts have separators, sizes and durations their units, and what is not there is a dash."""
    assert shown == text


def _renderer() -> Renderer:
    return Renderer(read_statics(), name="Test", version="1")


def test_a_misspelt_name_is_an_error() -> None:
    """A page that would show nothing in the place of something is not shown."""
    scope: dict[str, Any] = {"path": "/console"}
    with pytest.raises(UndefinedError):
        _renderer().page(scope, "problem.html", title="x")


def test_text_stays_text() -> None:
    """What a page is given is escaped, in elements and in attributes."""
    scope: dict[str, Any] = {"path": "/console/sign-in"}
    facts = {"following": "/console", "ticket": None, "username": '"><b>', "fault": "<i>"}
    page = bytes(_renderer().page(scope, "sign_in.html", **facts).body).decode()
    assert "<b>" not in page
    assert "<i>" not in page
    assert 'value="&#34;&gt;&lt;b&gt;"' in page
