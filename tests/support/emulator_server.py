"""A real emulator process on a free loopback port: started, killed with SIGKILL, started again on the same data."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from tests.support.forks import Fork

_READY_SECONDS = 30
_STOP_SECONDS = 20
USERNAME, PASSWORD, SECURITY_TOKEN = "admin@local.org", "localpass", "LOCALTOKEN"
CLIENT_ID, CLIENT_SECRET = "local-client", "local-secret"


def free_port() -> int:
    """Return a loopback port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class EmulatorServer:
    """An emulated org in a process of its own.

    Args:
        path: SQLite file of the org; made when it is not there, kept by `kill` and `restart`.
        options: Options of `python -m orgbridge.wiring.emulator`, e.g. `batch_rows=100`, `keep_order=True`.
    """

    def __init__(self, path: Path | str, *, port: int | None = None, **options: object) -> None:
        self.path = Path(path)
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._options = options
        self._process: Fork | None = None

    @property
    def pid(self) -> int:
        """Process id of the running emulator."""
        assert self._process is not None, "the emulator is not running"
        return self._process.pid

    def command(self) -> list[str]:
        """Return the command line."""
        command = [sys.executable, "-m", "orgbridge.wiring.emulator"]
        command += ["--port", str(self.port), "--data", str(self.path)]
        for name, value in self._options.items():
            flag = f"--{name.replace('_', '-')}"
            if value is True:
                command.append(flag)
            elif value is not None and value is not False:
                command += [flag, str(value)]
        return command

    def start(self) -> EmulatorServer:
        """Start the process and return once it answers."""
        assert self._process is None, "the emulator is running"
        log = self.path.with_suffix(".log").open("ab")
        with log:
            self._process = Fork(
                self.command()[1:],
                folder=Path.cwd(),
                environment=os.environ,  # noqa: TID251 - handed on, not read
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + _READY_SECONDS
        while not self._answers():
            code = self._process.poll()
            if code is not None or time.monotonic() > deadline:
                self.kill()
                text = self.path.with_suffix(".log").read_text(errors="replace")
                raise RuntimeError(f"the emulator did not start (exit {code}):\n{text[-4000:]}")
            time.sleep(0.05)
        return self

    def kill(self) -> None:
        """End the process with SIGKILL: nothing is closed, nothing is flushed."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """End the process with SIGTERM and return its exit status."""
        return self._end(signal.SIGTERM)

    def restart(self) -> EmulatorServer:
        """Kill the process if it runs, and start it again on the same data and port."""
        self.kill()
        return self.start()

    def request(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, Any]:
        """Send one request and return status and JSON (or bytes) of the reply."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        with contextlib.closing(connection):
            data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
            sent = {"Content-Type": "application/json", **{k.replace("_", "-"): v for k, v in headers.items()}}
            connection.request(method, path, data, sent)
            reply = connection.getresponse()
            content = reply.read()
        if "json" in (reply.getheader("Content-Type") or ""):
            return reply.status, json.loads(content)
        return reply.status, content

    def fault(self, **order: object) -> None:
        """Program trouble; see `orgbridge.emulator.faults.Faults.program`."""
        status, body = self.request("POST", "/_emulator/faults", order)
        assert status == 200, body

    def stats(self) -> dict[str, Any]:
        """Return what the emulator counted."""
        status, body = self.request("GET", "/_emulator/stats")
        assert status == 200, body
        return dict(body)

    def _answers(self) -> bool:
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.request("GET", "/_emulator/health")[0] == 200
        return False

    def _end(self, number: signal.Signals) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        if process.poll() is None:
            process.send_signal(number)
        try:
            return process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()

    def __enter__(self) -> EmulatorServer:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def host_of(url: str) -> str:
    """Return host and port of an address."""
    return urlsplit(url).netloc
