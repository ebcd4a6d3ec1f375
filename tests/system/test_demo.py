"""The demo as people run it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from orgbridge.cli.demo.processes import clean_environment
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
        "refused": 0,
        "skipped": 0,
        "not_sent": 0,
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


def test_faults_need_rows_to_strike(tmp_path: Path) -> None:
    """A file too short for all kinds of trouble is refused before anything is started."""
    done = orgbridge("demo", "--rows", "10", "--faults", folder=tmp_path)
    assert done.returncode == 2
    assert "10,000 rows" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["terminate", "interrupt"])
def test_ended_demo_leaves_no_process_behind(number: signal.Signals, tmp_path: Path) -> None:
    """Whoever ends the demo ends the org, the service and the worker with it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "orgbridge.cli", "demo", "--rows", "100000", "--no-crash"],
        cwd=tmp_path,
        env=clean_environment({}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        pids: list[int] = []
        for line in process.stderr:
            pids += [int(found) for found in re.findall(r"\(pid (\d+)\)", line)]
            if "taken by the service" in line:
                break
        assert len(pids) == 3
        process.send_signal(number)
        assert process.wait(60) != 0
        assert [pid for pid in pids if psutil.pid_exists(pid)] == []
    finally:
        process.kill()
        process.wait()
        process.stderr.close()
