"""From the start of the emulated org's process to its first answer: the command a person types, and the bare server."""

from __future__ import annotations

import contextlib
import http.client
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.support.emulator_server import free_port

from benchmarks.figures import Figure

_TIMES = 7
_PATIENCE_SECONDS = 30.0
_COMMANDS = {
    "orgbridge emulator serve": ("-m", "orgbridge.cli", "emulator", "serve"),
    "the bare server": ("-m", "orgbridge.wiring.emulator"),
}


def figures() -> list[Figure]:
    """Start each several times on a new file; the median counts."""
    return [
        Figure(
            name=f"emulator, start, {name}, median of {_TIMES}",
            value=statistics.median(_start(command) for _ in range(_TIMES)),
            unit="s",
            target=1,
        )
        for name, command in _COMMANDS.items()
    ]


def _start(command: tuple[str, ...]) -> float:
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="orgbridge-bench-") as folder:
        line = [sys.executable, *command, "--port", str(port), "--data", str(Path(folder) / "org.sqlite")]
        began = time.perf_counter()
        process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            while not _answers(port):
                if process.poll() is not None or time.perf_counter() - began > _PATIENCE_SECONDS:
                    raise RuntimeError("the emulator did not start")
                time.sleep(0.002)
            return time.perf_counter() - began
        finally:
            process.kill()
            process.wait()


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
        connection.request("GET", "/services/data")
        return connection.getresponse().status == 200
    return False


if __name__ == "__main__":
    for figure in figures():
        print(f"{figure.name:<60}{figure.value:>12.2f} {figure.unit}")
