"""The references in `docs/reference` miss nothing, and the invariants name tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from orgbridge.wiring.service import build_app
from tests.support import references
from tests.support.local_house import lone_settings

_WRITE = "run python -m tests.support.references"


def _missing(path: Path, wanted: str) -> list[str]:
    listed = set(path.read_text().splitlines())
    return [line for line in wanted.splitlines() if line not in listed]


def test_every_route_is_listed(tmp_path: Path) -> None:
    """With its scope and what it does."""
    wanted = references.routes(build_app(lone_settings(tmp_path)))
    assert _missing(references.ROUTES, wanted) == [], _WRITE
    assert "| POST | `/api/v1/bulk/dml-file-upload` | `bulk:write` | Load an uploaded file |" in wanted


def test_every_command_is_listed() -> None:
    """With its arguments and options."""
    wanted = references.commands()
    assert _missing(references.COMMANDS, wanted) == [], _WRITE
    assert "## `orgbridge load FILE`" in wanted


def test_every_error_code_is_listed() -> None:
    """Those of classes, of the framework and of faults kept as values."""
    wanted = references.errors()
    assert _missing(references.ERRORS, wanted) == [], _WRITE
    for code in ("load.not_finished", "route.not_found", "input.ragged_rows", "load.unbalanced", "load.unknown_column"):
        assert f"| `{code}` |" in wanted


_NAMED = sorted(set(re.findall(r"`(tests/[^`]+)`", (references.ROOT / "INVARIANTS.md").read_text())))


@pytest.mark.parametrize("path", _NAMED)
def test_the_invariants_name_tests_that_exist(path: str) -> None:
    """A promise whose enforcer was moved or deleted has none."""
    assert (references.ROOT / path).exists()
