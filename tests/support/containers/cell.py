"""Namespaces of our own in which an engine runs: network, mounts and processes that end together, leaving nothing."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psutil

_SCRIPT = Path(__file__).parent / "cell.sh"
_NAMESPACES = ("--net", "--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child", "--mount-proc")
_CGROUPS = Path("/sys/fs/cgroup")
#: Under these names engines make control groups; what is left of ours is taken away again.
_PARENTS = ("docker", "libpod_parent", "machine.slice")
#: Where slirp4netns answers names, in every network that it makes.
_RESOLVER = "nameserver 10.0.2.3\n"
_SECONDS = 30.0
_SWEEP_SECONDS = 5.0
#: What an engine keeps lies in memory where so much of it is free: images are many small files, which some disks take
#: minutes to write and minutes more to delete, and memory is given back at once with the cell.
_ROOMY_BYTES = 8 * 2**30
_DATA_BYTES = 6 * 2**30


class CellRefusedError(RuntimeError):
    """The kernel or a policy of this machine gives us no namespaces; the text is what it said."""


def refusal() -> str | None:
    """Return why no cell can be made here, or None where one can; tries it with a process that does nothing."""
    if os.geteuid() != 0:
        return "namespaces with a network of their own need root"
    try:
        tried = subprocess.run(
            ["unshare", *_NAMESPACES, "--propagation", "private", "mount", "-t", "tmpfs", "cell", "/mnt"],
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except FileNotFoundError:
        return "there is no unshare (Debian: util-linux)"
    except subprocess.TimeoutExpired:
        return "unshare did not end"
    return None if tried.returncode == 0 else f"the kernel refuses namespaces: {tried.stderr.strip()}"


class Cell:
    """A running cell.

    Args:
        folder: Holds its few files; the caller's to remove.
        first: Its first process as `unshare` started it, held by its standard input.
    """

    def __init__(self, folder: Path, first: subprocess.Popen[bytes]) -> None:
        self.folder = folder
        #: For whatever goes away with the cell; nothing outside sees what is in it where it lies in memory.
        self.data = folder / "data"
        self._first = first
        (child,) = psutil.Process(first.pid).children()
        #: The first process of the cell, by its number outside.
        self.pid = child.pid

    def inside(self, *words: str) -> list[str]:
        """Return the command that runs a command in the cell."""
        return ["nsenter", "--target", str(self.pid), "--net", "--mount", "--pid", "--ipc", "--uts", *words]

    def processes(self) -> list[int]:
        """Return every process in the cell, by its number outside."""
        own = _space(self.pid)
        return [found for found in psutil.pids() if own is not None and _space(found) == own]

    def close(self) -> None:
        """End everything in the cell; returns when nothing of it runs any more."""
        assert self._first.stdin is not None
        self._first.stdin.close()
        try:
            self._first.wait(_SECONDS)
        except subprocess.TimeoutExpired:
            self._first.kill()
            self._first.wait(_SECONDS)


def _space(pid: int) -> str | None:
    with suppress(OSError):
        return os.readlink(f"/proc/{pid}/ns/pid")
    return None


@contextmanager
def open_cell(folder: Path, *, outward: bool) -> Iterator[Cell]:
    """Make a cell and end it again.

    Whatever happens to this process, SIGKILL too, the cell ends with it.

    Args:
        folder: An empty folder.
        outward: Whether the cell reaches other machines, by a network stack of its own in user space.

    Raises:
        CellRefusedError: No cell can be had. Nothing runs.
    """
    (folder / "resolv.conf").write_text(_RESOLVER)
    (folder / "data").mkdir()
    size = _DATA_BYTES if psutil.virtual_memory().available >= _ROOMY_BYTES else 0
    ready, log = folder / "ready", folder / "cell.log"
    before = set(_groups())
    with log.open("wb") as written:
        first = subprocess.Popen(
            ["unshare", *_NAMESPACES, "--propagation", "private", "sh", str(_SCRIPT), str(folder), str(size)],
            stdin=subprocess.PIPE,
            stdout=written,
            stderr=written,
        )
    try:
        _await(ready.exists, first, log)
        cell = Cell(folder, first)
        with ExitStack() as stack:
            if outward:
                stack.enter_context(_outward(cell))
            yield cell
        cell.close()
    finally:
        if first.poll() is None:
            first.kill()
            first.wait(_SECONDS)
        if first.stdin is not None:
            first.stdin.close()
        _sweep(before)


@contextmanager
def _outward(cell: Cell) -> Iterator[None]:
    log = cell.folder / "network.log"
    hold, held = os.pipe()
    told, tell = os.pipe()
    options = ("--configure", "--mtu=65520", "--disable-host-loopback", f"--ready-fd={tell}", f"--exit-fd={hold}")
    with log.open("wb") as written:
        stack = subprocess.Popen(
            ["slirp4netns", *options, str(cell.pid), "tap0"],
            stdin=subprocess.DEVNULL,
            stdout=written,
            stderr=written,
            pass_fds=(tell, hold),
        )
    os.close(tell)
    os.close(hold)
    try:
        if os.read(told, 1) != b"1":
            raise CellRefusedError(f"slirp4netns: {log.read_text(errors='replace')}")
        yield
    finally:
        os.close(told)
        # It ends when the other end of its pipe closes, which it does with this process too.
        os.close(held)
        try:
            stack.wait(_SECONDS)
        except subprocess.TimeoutExpired:
            stack.kill()
            stack.wait(_SECONDS)


def _await(holds: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _SECONDS
    while not holds():
        if process.poll() is not None or time.monotonic() > deadline:
            raise CellRefusedError(f"no cell: {log.read_text(errors='replace')}")
        time.sleep(0.02)


def _sweep(before: set[Path]) -> None:
    """Take empty control groups away that are new; the kernel keeps one for a moment after its last process."""
    deadline = time.monotonic() + _SWEEP_SECONDS
    while (left := set(_groups()) - before) and time.monotonic() < deadline:
        for group in sorted(left, key=lambda path: len(path.parts), reverse=True):
            # One that is somebody else's has processes and refuses.
            with suppress(OSError):
                group.rmdir()
        time.sleep(0.05)


def _groups() -> Sequence[Path]:
    found: list[Path] = []
    for controller in [_CGROUPS, *_CGROUPS.glob("*/")]:
        for parent in _PARENTS:
            # One that goes away meanwhile, with another's cell, is passed over.
            found += [Path(folder) for folder, _, _ in os.walk(controller / parent)]
    return found
