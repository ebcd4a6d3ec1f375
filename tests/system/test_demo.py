"""The demo as people run it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.processes import orgbridge

pytestmark = pytest.mark.system


@pytest.mark.parametrize("crash", ["--crash", "--no-crash"])
def test_demo_proves_every_row(crash: str, tmp_path: Path) -> None:
    """The demo ends with 0 only after every check held, also when the worker was killed on the way."""
    done = orgbridge("demo", "--rows", "2000", crash, "--json", "--keep", "demo", folder=tmp_path, timeout_seconds=110)
    assert done.returncode == 0, done.stdout + done.stderr
    story = json.loads(done.stdout)
    assert story["holds"] is True
    assert story["receipt"]["rows"] == {
        "read": 2000,
        "sent": 2000,
        "succeeded": 1980,
        "failed": 20,
        "unprocessed": 0,
        "ambiguous": 0,
    }
    assert (story["killed_at_rows"] is not None) == (crash == "--crash")
    assert Path(story["results"]).stat().st_size > 0


def test_demo_leaves_strange_folders_alone(tmp_path: Path) -> None:
    """A folder that no demo made is refused and keeps its content."""
    treasure = tmp_path / "mine" / "letter.txt"
    treasure.parent.mkdir()
    treasure.write_text("dear")
    done = orgbridge("demo", "--rows", "10", "--keep", "mine", folder=tmp_path)
    assert done.returncode == 2
    assert "not empty" in done.stderr
    assert treasure.read_text() == "dear"
