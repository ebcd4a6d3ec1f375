"""docs/emulator/coverage.md says what the code and the tests say."""

from __future__ import annotations

from tests.support.coverage_page import PAGE, page


def test_the_coverage_page_is_current() -> None:
    """The page on disk is the page that is generated; `python -m tests.support.coverage_page` writes it anew."""
    assert PAGE.read_text() == page()


def test_the_coverage_page_lists_all_three_kinds() -> None:
    """Endpoints, constructs and error codes are there, each row with a mark."""
    text = page()
    assert all(piece in text for piece in ("`/services/data/{version}/query` | GET", "`FOR VIEW`", "`MALFORMED_QUERY`"))
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    assert all(line.split("|")[-2].strip() in ("recorded", "documented", "assumed", "own") for line in rows)
