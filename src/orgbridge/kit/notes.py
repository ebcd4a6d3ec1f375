"""What the depths of the house know about the call at hand, left for whoever writes down what happened.

A face of the house opens a sheet; services, orgs and policies write on it without knowing who reads it. Outside of a
call a note goes nowhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from orgbridge.kit.json import JSON

_sheet: ContextVar[dict[str, JSON] | None] = ContextVar("orgbridge_notes", default=None)


def note(**facts: JSON) -> None:
    """Write facts about the call at hand: names, ids and counts, never a secret and never a field's value."""
    sheet = _sheet.get()
    if sheet is not None:
        sheet.update(facts)


def noted() -> dict[str, JSON]:
    """Return a copy of what was written about the call at hand, empty outside of one."""
    return dict(_sheet.get() or {})


@contextmanager
def notes() -> Iterator[dict[str, JSON]]:
    """Give the sheet that everything called within the block writes on."""
    sheet: dict[str, JSON] = {}
    token = _sheet.set(sheet)
    try:
        yield sheet
    finally:
        _sheet.reset(token)
