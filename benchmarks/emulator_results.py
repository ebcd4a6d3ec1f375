"""Half a gigabyte of results read from the emulated org over loopback: of an ingest job, and of a query job.

120,000 rows with long texts make results of that size. Memory is the server's peak above what it needed before.
"""

from __future__ import annotations

import http.client
import tempfile
import time
from pathlib import Path

from tests.support.emulator_server import EmulatorServer

from benchmarks.figures import Figure
from benchmarks.houses import MEBIBYTE, sign_in_to_emulator

_ROWS = 120_000
_JOB_ROWS = 20_000
_TEXT = "words of a long description " * 150
_BASE = "/services/data/v60.0"
_PATIENCE_SECONDS = 300.0


def figures() -> list[Figure]:
    """Measure one org in a file."""
    with tempfile.TemporaryDirectory(prefix="orgbridge-bench-") as name:
        server = EmulatorServer(Path(name) / "org.sqlite").start()
        try:
            org = _Org(server)
            jobs = [org.insert(start) for start in range(0, _ROWS, _JOB_ROWS)]
            before = org.peak()
            ingest = org.rate([f"{_BASE}/jobs/ingest/{job}/successfulResults" for job in jobs])
            soql = "SELECT Id, Name, Description FROM Account"
            query = org.ended("query", org.json("POST", "query", {"operation": "query", "query": soql})["id"])
            asked = org.rate([f"{_BASE}/jobs/query/{query}/results?maxRecords={_ROWS}"])
            return [
                Figure(name="emulator, ingest results", value=ingest, unit="MB/s", target=200, more_is_better=True),
                Figure(name="emulator, query results", value=asked, unit="MB/s", target=200, more_is_better=True),
                Figure(
                    name="emulator, both and the query job above the load",
                    value=org.peak() - before,
                    unit="MiB",
                    target=100,
                ),
            ]
        finally:
            server.kill()


class _Org:
    """A running emulated org, asked over one connection."""

    def __init__(self, server: EmulatorServer) -> None:
        self._server = server
        self._headers = {"Authorization": f"Bearer {sign_in_to_emulator(server)}"}

    def json(self, method: str, path: str, body: object = None) -> dict[str, str]:
        status, reply = self._server.request(method, f"{_BASE}/jobs/{path}", body, **self._headers)
        if status >= 300:
            raise RuntimeError(f"{method} {path}: {status} {reply!r:.300}")
        return dict(reply) if reply else {}

    def insert(self, start: int) -> str:
        """Insert some accounts; return the job once it is complete."""
        job = self.json("POST", "ingest", {"object": "Account", "operation": "insert"})["id"]
        rows = "".join(f"Acme Holdings {row},{_TEXT}\n" for row in range(start, start + _JOB_ROWS))
        headers = {**self._headers, "Content-Type": "text/csv"}
        body = f"Name,Description\n{rows}".encode()
        status, reply = self._server.request("PUT", f"{_BASE}/jobs/ingest/{job}/batches", body, **headers)
        if status != 201:
            raise RuntimeError(f"upload: {status} {reply!r:.300}")
        self.json("PATCH", f"ingest/{job}", {"state": "UploadComplete"})
        return self.ended("ingest", job)

    def ended(self, kind: str, job: str) -> str:
        """Return the job once it is complete."""
        began = time.perf_counter()
        while (state := self.json("GET", f"{kind}/{job}")["state"]) != "JobComplete":
            if state in ("Failed", "Aborted") or time.perf_counter() - began > _PATIENCE_SECONDS:
                raise RuntimeError(f"the job is {state}")
            time.sleep(0.05)
        return job

    def rate(self, paths: list[str]) -> float:
        """Read these results; return how many megabytes a second."""
        connection = http.client.HTTPConnection("127.0.0.1", self._server.port, timeout=120)
        size, began = 0, time.perf_counter()
        for path in paths:
            connection.request("GET", path, headers=self._headers)
            reply = connection.getresponse()
            if reply.status != 200:
                raise RuntimeError(f"{path}: {reply.status} {reply.read(300)!r}")
            while block := reply.read1(MEBIBYTE):
                size += len(block)
        elapsed = time.perf_counter() - began
        connection.close()
        return size / 1e6 / elapsed

    def peak(self) -> float:
        """Return the most memory that the server ever had, in MiB."""
        for line in Path(f"/proc/{self._server.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
        raise RuntimeError("the system does not tell")


if __name__ == "__main__":
    for figure in figures():
        print(f"{figure.name:<60}{figure.value:>12.2f} {figure.unit}")
