"""The page of complaints and the tests named after them tell the same."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
_PAGE = _ROOT / "docs" / "reference" / "complaints.md"
_COMPLAINTS = 40
_ROW = re.compile(r"^\| (\d+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
_DEFINITION = re.compile(r"^ *(?:async )?def (test_pain_(\d+(?:_and_\d+)*)_\w+)\(", re.MULTILINE)


def _tests() -> dict[int, set[str]]:
    """Return the names of the tests by the complaint that they are named after."""
    found = defaultdict(set)
    for path in (_ROOT / "tests").rglob("test_*.py"):
        for name, numbers in _DEFINITION.findall(path.read_text(encoding="utf-8")):
            for number in numbers.split("_and_"):
                found[int(number)].add(name)
    return dict(found)


def test_every_complaint_has_its_row_in_order() -> None:
    """All forty are on the page, each once."""
    rows = _ROW.findall(_PAGE.read_text(encoding="utf-8"))
    assert [int(number) for number, *_ in rows] == list(range(1, _COMPLAINTS + 1))


def test_page_and_tests_agree() -> None:
    """A row names all tests of its complaint and no others; one without tests says why it needs none."""
    tests = _tests()
    for number, _, answer, named in _ROW.findall(_PAGE.read_text(encoding="utf-8")):
        expected = tests.pop(int(number), set())
        assert set(re.findall(r"`(test_\w+)`", named)) == expected, f"complaint {number}"
        assert bool(expected) != answer.startswith("Not of this service: "), f"complaint {number}"
    assert tests == {}, "tests named after complaints that nobody made"
