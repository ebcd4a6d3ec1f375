"""Programs of ours as processes that start within milliseconds: forks of a server that has imported everything.

A fork is used as a `subprocess.Popen` is: it has a process id, takes signals, is killed, and tells its exit status.
What a command does between `exec` and its first line is not shown by one; tests of starting use real commands.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import IO, Any

_ROOT = Path(__file__).parents[2]
_NUMBER_BYTES = 4
#: Also on a machine that does a lot else.
_START_SECONDS = 110


class ForkServer:
    """A fork server, which is not ready yet; `close` ends it and all its forks."""

    def __init__(self) -> None:
        # A socket's path may be no longer than a hundred letters, and a test's folder is.
        self._short = tempfile.TemporaryDirectory(prefix="ob")
        #: Where it listens, once it does.
        self.address = f"{self._short.name}/s"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.fork_server", self.address],
            cwd=_ROOT,
            env={
                "PATH": os.defpath,
                "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
                "LC_ALL": "C.UTF-8",
            },
            stdin=subprocess.PIPE,
            start_new_session=True,
        )

    def close(self) -> None:
        """End it and its forks."""
        self._process.communicate()
        self._short.cleanup()


class _Shared:
    """The one server that this process uses."""

    address: str | None = None


def use_fork_server(address: str) -> None:
    """Take a server that another process has started, and will close."""
    _Shared.address = address


@cache
def fork_server() -> str:
    """Return where the fork server listens: the given one, or one that is started now and goes with this process."""
    if _Shared.address is None:
        server = ForkServer()
        atexit.register(server.close)
        _Shared.address = server.address
    deadline = time.monotonic() + _START_SECONDS
    while True:
        with contextlib.suppress(FileNotFoundError, ConnectionRefusedError), socket.socket(socket.AF_UNIX) as probe:
            probe.connect(_Shared.address)
            return _Shared.address
        assert time.monotonic() < deadline, "the fork server does not start"
        time.sleep(0.05)


class Fork:
    """A program that runs in a process of its own.

    Args:
        words: What follows `python`: `-m`, a module and its arguments, or `-c`, a program and its arguments.
        folder: Where it works.
        environment: All that it knows.
        stdin, stdout, stderr: Files, `subprocess.DEVNULL`, `PIPE` and `STDOUT`, as for `subprocess.Popen`; a pipe only
            for `stdout` and `stderr`.
        session: Whether it leads a session, so that signals for a terminal's group pass it by.
    """

    def __init__(
        self,
        words: Sequence[str],
        *,
        folder: Path | str,
        environment: Mapping[str, str],
        stdout: IO[Any] | int | None = None,
        stderr: IO[Any] | int | None = None,
        session: bool = False,
    ) -> None:
        request = {
            "words": [str(word) for word in words],
            "folder": str(folder),
            "environment": dict(environment),
            "session": session,
        }
        message = json.dumps(request).encode()
        self.stdout, out = _stream(stdout, 1)
        self.stderr, err = (None, out) if stderr == subprocess.STDOUT else _stream(stderr, 2)
        nothing = os.open(os.devnull, os.O_RDONLY)
        self._line = socket.socket(socket.AF_UNIX)
        #: As `subprocess.Popen` has it: None while the process runs.
        self.returncode: int | None = None
        try:
            self._line.connect(fork_server())
            socket.send_fds(self._line, [len(message).to_bytes(_NUMBER_BYTES, "big")], [nothing, out, err])
            self._line.sendall(message)
            #: Its process id.
            self.pid = self._read()
        finally:
            for given, number in ((stdout, out), (stderr, err), (subprocess.DEVNULL, nothing)):
                if given in (subprocess.PIPE, subprocess.DEVNULL):
                    os.close(number)

    def _read(self) -> int:
        number = self._line.recv(_NUMBER_BYTES, socket.MSG_WAITALL)
        assert len(number) == _NUMBER_BYTES, "the fork server has ended"
        return int.from_bytes(number, "big", signed=True)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end and return its exit status, negative for the signal that ended it.

        Raises:
            subprocess.TimeoutExpired: It still runs.
        """
        if self.returncode is None:
            if not select.select([self._line], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(f"fork {self.pid}", timeout or 0)
            self.returncode = self._read()
            self._line.close()
        return self.returncode

    def poll(self) -> int | None:
        """Return its exit status, or None while it runs."""
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it with SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)


def _stream(wanted: IO[Any] | int | None, usual: int) -> tuple[IO[bytes] | None, int]:
    """Return our end of a pipe, if it is to be one, and the stream to hand over."""
    if wanted is None:
        return None, usual
    if wanted == subprocess.PIPE:
        ours, theirs = os.pipe()
        return os.fdopen(ours, "rb"), theirs
    if wanted == subprocess.DEVNULL:
        return None, os.open(os.devnull, os.O_WRONLY)
    return None, wanted if isinstance(wanted, int) else wanted.fileno()


def run(
    words: Sequence[str], *, folder: Path | str, environment: Mapping[str, str], timeout: float = 60.0
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end and return what it wrote.

    Raises:
        subprocess.TimeoutExpired: It was killed since it ran longer.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = Fork(words, folder=folder, environment=environment, stdout=out, stderr=err)
        try:
            status = process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode())
    return subprocess.CompletedProcess(list(words), status, *texts)
