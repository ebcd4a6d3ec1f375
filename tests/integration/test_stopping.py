"""Processes that are told to end: not ready at once, every request under way answered, gone in a second when idle."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx2
import pytest

from orgbridge.cli.demo.processes import clean_environment
from tests.support.emulator_server import free_port
from tests.support.local_house import start_house, stop_house
from tests.support.processes import salesforce_settings

#: What the promise is, and what a machine that runs eight test suites at once may add.
_IDLE_SECONDS, _SLACK_SECONDS = 1.0, 4.0
_Process = subprocess.Popen[bytes]
_BODY = b"grant_type=password&username=nobody&password=wrong"


@contextmanager
def started(folder: Path, command: str, *arguments: str, words: bytes, count: int = 1) -> Iterator[_Process]:
    """Give a command as a process once it has said some words so often."""
    log = folder / "serve.log"
    # `up` has an org of its own.
    settings = salesforce_settings("http://127.0.0.1:9", folder) if command != "up" else {}
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "orgbridge.cli", command, *arguments],
            env=clean_environment(settings),
            cwd=folder,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    try:
        until(lambda: log.read_bytes().count(words) == count, log)
        yield process
    finally:
        # With its children, which would go on listening.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextmanager
def served(folder: Path, workers: int) -> Iterator[tuple[_Process, int]]:
    """Give a service of some processes, and its port, once it answers."""
    port = free_port()
    arguments = ("serve", "--port", str(port), "--workers", str(workers))
    # Every process says so for itself.
    with started(folder, *arguments, words=b"Application startup complete", count=workers) as process:
        yield process, port


def ends(process: _Process, command: str) -> None:
    """Tell an idle process to end; make sure that it does so in order and in time, and print in what time."""
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == 0
    took = time.monotonic() - began
    sys.stdout.write(f"{command} ended {took:.2f} s after SIGTERM\n")
    assert took < _IDLE_SECONDS + _SLACK_SECONDS


def until(condition: Callable[[], bool], log: Path) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + 90
    while not condition():
        assert time.monotonic() < deadline, log.read_text()[-3000:]
        time.sleep(0.02)


class Slow:
    """A request whose body is sent in two halves: it is under way until the test says otherwise."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        head = (
            f"POST /token HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: {len(_BODY)}\r\n"
            "Content-Type: application/x-www-form-urlencoded\r\nExpect: 100-continue\r\n\r\n"
        )
        self._socket.sendall(head.encode())
        # The service asks for the body when a route reads it: from here on the request is under way.
        assert self._socket.recv(100).startswith(b"HTTP/1.1 100")
        self._socket.sendall(_BODY[:10])

    def finish(self) -> bytes:
        """Send the rest and return the whole reply."""
        self._socket.sendall(_BODY[10:])
        pieces = []
        with self._socket:
            while piece := self._socket.recv(65_536):
                pieces.append(piece)
        return b"".join(pieces)


def get(port: int, path: str) -> httpx2.Response:
    """Make a request over a connection of its own."""
    return httpx2.get(f"http://127.0.0.1:{port}{path}", timeout=10)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_busy_service_drains(tmp_path: Path, workers: int) -> None:
    """From SIGTERM on readiness is 503 while the process listens; the request under way gets its whole reply."""
    with served(tmp_path, workers) as (process, port):
        assert get(port, "/health/live").status_code == 200
        assert get(port, "/health/startup").json()["status"] == "ok"
        slow = Slow(port)
        process.send_signal(signal.SIGTERM)
        log = tmp_path / "serve.log"
        # Each of several processes drains for itself; those that have nothing to do are gone at once. The word without
        # its quotes stands in the test's own folder too.
        until(lambda: log.read_bytes().count(b'"service_drains"') == workers, log)
        ready = get(port, "/health/ready")
        assert ready.status_code == 503
        assert "being stopped" in ready.json()["checks"]["service"]["cause"]
        assert ready.headers["connection"] == "close"
        assert get(port, "/health/live").status_code == 200
        reply = slow.finish()
        began = time.monotonic()
        assert reply.startswith(b"HTTP/1.1 401"), reply
        assert json.loads(reply.partition(b"\r\n\r\n")[2])["status"] == 401
        assert process.wait(timeout=20) == 0
        assert time.monotonic() - began < _IDLE_SECONDS + _SLACK_SECONDS


@pytest.mark.parametrize("workers", [1, 2])
def test_an_idle_service_ends_in_a_second(tmp_path: Path, workers: int) -> None:
    """Without a request under way SIGTERM ends it with status 0, kept connections or not."""
    with served(tmp_path, workers) as (process, port), httpx2.Client() as kept:
        assert kept.get(f"http://127.0.0.1:{port}/health/live").status_code == 200
        ends(process, f"serve --workers {workers}")


@pytest.mark.parametrize(
    ("command", "words"),
    [(("worker",), b'"worker_ready"'), (("up", "--port", "0", "--emulator-port", "0"), b"Ctrl-C ends it")],
    ids=["worker", "up"],
)
def test_an_idle_worker_and_an_idle_house_end_in_a_second(
    tmp_path: Path, command: tuple[str, ...], words: bytes
) -> None:
    """A worker without a load, and everything in one process, are gone as promptly."""
    with started(tmp_path, *command, words=words) as process:
        ends(process, command[0])


def test_a_busy_house_answers_before_it_ends(tmp_path: Path) -> None:
    """`up` gives its whole reply to a request under way; who follows a load that waits does not hold it up."""
    # A load finds no request of the org left for it, and waits.
    house = start_house(tmp_path, {"ORGBRIDGE_API_RESERVE_PERCENT": "100"})
    port = int(house.url.rpartition(":")[2])
    try:
        with house.client() as client:
            body = {"object_name": "Account", "operation": "insert", "records": [{"Name": "Waits"}]}
            job_id = client.post("/bulk/dml-direct-payload", json=body).json()["job_id"]
            with client.stream("GET", f"/bulk/job/{job_id}/events") as events:
                lines = events.iter_lines()
                assert next(lines)
                slow = Slow(port)
                house.process.send_signal(signal.SIGTERM)
                log = house.folder / "up.log"
                until(lambda: b"engine.stopped" in log.read_bytes(), log)
                assert house.process.poll() is None
                assert slow.finish().startswith(b"HTTP/1.1 401")
                began = time.monotonic()
                assert "event: end" not in list(lines)
        assert stop_house(house) == 0
        took = time.monotonic() - began
        sys.stdout.write(f"up ended {took:.2f} s after its last request\n")
        assert took < _IDLE_SECONDS + _SLACK_SECONDS
    finally:
        house.process.kill()


def test_a_second_term_does_not_cut_the_first_short(tmp_path: Path) -> None:
    """Keepers that signal twice lose no request."""
    with served(tmp_path, 1) as (process, port):
        slow, log = Slow(port), tmp_path / "serve.log"
        process.send_signal(signal.SIGTERM)
        until(lambda: b'"service_drains"' in log.read_bytes(), log)
        process.send_signal(signal.SIGTERM)
        assert get(port, "/health/ready").status_code == 503
        assert slow.finish().startswith(b"HTTP/1.1 401")
        assert process.wait(timeout=20) == 0


_AS_FIRST = """
import os, signal, sys
from orgbridge.wiring import signals
signals._FIRST_PROCESS = os.getpid()

class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "orgbridge.cli.terminal":
            os.kill(os.getpid(), signal.SIGTERM)
sys.meta_path.insert(0, Watch())
import orgbridge.cli.main
sys.exit(3)
"""


def test_the_first_process_ends_while_it_imports() -> None:
    """As process 1 a command that is told to end while it still imports does so; the kernel would drop the signal."""
    environment = {"PATH": os.defpath, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run([sys.executable, "-c", _AS_FIRST], env=environment, timeout=60, check=False)
    assert done.returncode == 128 + signal.SIGTERM
