"""Cells: what runs in them does not outlive them, whoever ends them, and the machine is as it was."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.support.containers.cell import CellRefusedError, open_cell, refusal
from tests.support.containers.engine import wait_until
from tests.support.containers.places import REQUIRED, missing_engine, running

_HOLD = """
import sys
from pathlib import Path
from tests.support.containers.cell import open_cell
with open_cell(Path(sys.argv[1]), outward=False) as cell:
    print(cell.pid, flush=True)
    sys.stdin.read()
"""
#: In the cell: a mount, a network device and a process that ignores what it is told and is nobody's child.
_LITTER = (
    "mount -t tmpfs litter /mnt; ip link add litter type dummy; trap '' TERM; (setsid sleep 600 &) ; exec sleep 600"
)


@pytest.fixture(autouse=True)
def _possible() -> None:
    """Skip where no cell can be had; where an engine of the machine is used instead, none is needed."""
    reason = refusal()
    if reason is not None and REQUIRED and running() is None:
        pytest.fail(reason)
    if reason is not None:
        pytest.skip(reason)


def mounts() -> list[str]:
    """Return what is mounted for this process."""
    return Path("/proc/self/mountinfo").read_text().splitlines()


def test_nothing_outlives_a_cell(tmp_path: Path) -> None:
    """Processes, mounts and devices made in a cell are gone when it closes, and were never the machine's."""
    before, devices = mounts(), set(os.listdir("/sys/class/net"))
    with open_cell(tmp_path, outward=False) as cell:
        litter = subprocess.Popen(cell.inside("sh", "-c", _LITTER), stdin=subprocess.DEVNULL)
        names = [*cell.inside("cat", "/proc/self/mountinfo")]
        wait_until(lambda: "litter" in subprocess.check_output(names, text=True), "the mount in the cell")
        wait_until(lambda: len(cell.processes()) >= 4, "the processes in the cell")
        inside = cell.processes()
        assert mounts() == before
        assert set(os.listdir("/sys/class/net")) == devices
    litter.wait(10)
    assert [pid for pid in inside if psutil.pid_exists(pid)] == []
    assert mounts() == before


def test_control_groups_go_with_the_cell(tmp_path: Path) -> None:
    """Groups that an engine makes for its containers are taken away, whatever ran in them."""
    tops = [path for path in (Path("/sys/fs/cgroup"), *Path("/sys/fs/cgroup").glob("*/")) if os.access(path, os.W_OK)]
    with open_cell(tmp_path, outward=False) as cell:
        made = [top / "libpod_parent" / f"test-{cell.pid}" for top in tops if (top / "cgroup.procs").exists()]
        for group in made:
            group.mkdir(parents=True, exist_ok=True)
    assert [group for group in made if group.exists()] == []


def test_a_cell_ends_with_a_holder_that_is_killed(tmp_path: Path) -> None:
    """SIGKILL of the process that holds a cell ends every process in it."""
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdin is not None
    first = psutil.Process(int(holder.stdout.readline()))
    held = [first, *first.children(recursive=True), *first.parents()[:1]]
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait(10)
    gone, alive = psutil.wait_procs(held, timeout=20)
    holder.stdin.close()
    holder.stdout.close()
    assert (len(gone), alive) == (len(held), [])


def test_a_cell_has_no_way_out_unless_it_is_given_one(tmp_path: Path) -> None:
    """A closed cell has the loopback device alone, one with a way out has a route as well."""
    if missing_engine() is not None or running() is not None:
        pytest.skip("slirp4netns is not needed here")
    for outward in (False, True):
        folder = tmp_path / str(outward)
        folder.mkdir()
        with open_cell(folder, outward=outward) as cell:
            routes = subprocess.check_output(cell.inside("ip", "route"), text=True)
            assert ("default via" in routes) is outward


def test_a_refusal_is_told_in_words(tmp_path: Path) -> None:
    """A cell that cannot be made tells what was said against it, and leaves no process."""
    before = set(psutil.Process().children())
    # Where the cell is to say that it is made, there is no file to be made.
    (tmp_path / "ready").symlink_to(tmp_path / "nowhere" / "ready")
    with pytest.raises(CellRefusedError, match="ready"), open_cell(tmp_path, outward=False):
        pass
    assert set(psutil.Process().children()) == before
