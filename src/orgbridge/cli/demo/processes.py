"""The demo's child processes: emulated org, service and worker, started and ended by their process ids."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from subprocess import DEVNULL, PIPE

from orgbridge.cli.errors import DemoFailed
from orgbridge.kit.clock import Clock

_STOP_SECONDS = 10.0
_LOG_TAIL_LINES = 8
_COMMAND_SECONDS = 60.0


def free_port() -> int:
    """Return a loopback port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def clean_environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Return an environment that holds these settings and nothing of the caller's, so that no real org is touched."""
    return {
        "PATH": os.defpath,
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "PYTHONUNBUFFERED": "1",
        "LC_ALL": "C.UTF-8",
        **settings,
    }


class Child:
    """One `orgbridge` command as a process of its own.

    Args:
        name: How people are told of it.
        arguments: What follows `orgbridge`.
        settings: Its settings; nothing else is handed down.
        folder: Working folder; its output goes to `NAME.log` there.
    """

    def __init__(self, name: str, arguments: Sequence[str], settings: Mapping[str, str], folder: Path) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self._arguments = list(arguments)
        self._environment = clean_environment(settings)
        self._folder = folder
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        """The process id of the present process."""
        assert self._process is not None, "started first"
        return self._process.pid

    @property
    def running(self) -> bool:
        """True until the process has ended."""
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Start the process; its output is appended to the log."""
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "orgbridge.cli",
                *self._arguments,
                stdin=DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._folder,
                env=self._environment,
                start_new_session=True,
            )

    async def kill(self) -> None:
        """End the process as a power cut would: SIGKILL."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGKILL)
            await self._process.wait()

    async def stop(self) -> None:
        """Ask the process to end; kill it when it does not within ten seconds."""
        if self._process is None or self._process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), _STOP_SECONDS)
        except TimeoutError:
            await self.kill()

    async def says(self, text: str) -> bool:
        """Return whether its log holds a text."""
        return text in await asyncio.to_thread(self.log.read_text, errors="replace")

    def tail(self) -> str:
        """Return the last lines of its log."""
        try:
            lines = self.log.read_text(errors="replace").splitlines()
        except OSError:
            return ""
        return "\n".join(lines[-_LOG_TAIL_LINES:])

    async def wait_until(self, ready: Callable[[], Awaitable[bool]], clock: Clock, seconds: float = 60.0) -> None:
        """Wait until the process does its work.

        Raises:
            DemoFailed: It ended, or was not ready in time; the message holds the end of its log.
        """
        deadline = clock.monotonic() + seconds
        while not await ready():
            if not self.running:
                raise DemoFailed(f"The {self.name} ended before it was ready. Its last words:\n{self.tail()}")
            if clock.monotonic() > deadline:
                raise DemoFailed(f"The {self.name} was not ready in {seconds:.0f} s. Its last words:\n{self.tail()}")
            await clock.sleep(0.05)


async def run_to_end(arguments: Sequence[str], environment: Mapping[str, str], folder: Path) -> bytes:
    """Run one short `orgbridge` command and return its standard output.

    Raises:
        DemoFailed: It ended with another code than 0; the message holds what it said.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "orgbridge.cli",
        *arguments,
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=PIPE,
        cwd=folder,
        env=dict(environment),
    )
    try:
        output, errors = await asyncio.wait_for(process.communicate(), _COMMAND_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()
        raise DemoFailed(f"`orgbridge {' '.join(arguments)}` took more than {_COMMAND_SECONDS:.0f} s.") from None
    if process.returncode != 0:
        raise DemoFailed(f"`orgbridge {' '.join(arguments)}` failed: {errors.decode(errors='replace').strip()}")
    return output
