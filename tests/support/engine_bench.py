"""A bench for the engine: a store, a folder, the bulk double, and worker processes to start and to kill."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import hashlib
import io
import json
import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from orgbridge.kit.clock import SystemClock
from orgbridge.kit.identifiers import new_identifier
from orgbridge.loads.states import LOAD_ENDS, LoadState
from orgbridge.store.database import Database
from orgbridge.store.files import LocalFiles
from orgbridge.store.records import LoadKind, LoadRecord
from tests.support.databases import migrate
from tests.support.forks import Fork

_ROOT = Path(__file__).parents[2]


def free_port() -> int:
    """Return a port of loopback on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def account_rows(count: int, *, bad_every: int = 10, tag: str = "k") -> bytes:
    """Return a CSV of accounts with CRLF, quotes, newlines in cells and non-ASCII text; every n-th row is wrong."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(["Name", "Key__c", "Note__c"])
    for number in range(count):
        name = f"BAD {number}" if number % bad_every == bad_every - 1 else f'Größe "{number}", Ltd'
        writer.writerow([name, f"{tag}{number}", f"first\r\nsecond {number}" if number % 7 == 0 else ""])
    return text.getvalue().encode()


class Bench:
    """What one test works with. Close it: it ends every process that it started."""

    def __init__(self, url: str, folder: Path, *, salesforce: str | None = None) -> None:
        self.url = url
        self.folder = folder
        self.files = LocalFiles(folder / "files")
        self.database = Database(url)
        self.clock = SystemClock()
        self._port = free_port()
        self._external = salesforce
        self._processes: list[Fork] = []
        self._logs = 0
        self._log_of: dict[int, Path] = {}
        migrate(url)

    @property
    def salesforce(self) -> str:
        """Where Salesforce's stand-in listens."""
        return self._external or f"http://127.0.0.1:{self._port}"

    def start_double(self, seconds: float = 0.3) -> Fork:
        """Start the stand-in, with the state that it had before."""
        process = self._start(
            "tests.support.bulk_double", str(self._port), str(self.folder / "double.db"), str(seconds)
        )
        wait_for(lambda: self._answers(), "the double does not answer")
        return process

    def start_worker(self, *, wait: bool = True, **options: Any) -> Fork:
        """Start a worker and wait until it takes work."""
        arguments = [f"{name}={value}" for name, value in options.items()]
        process = self._start(
            "tests.support.worker_process", self.url, str(self.folder / "files"), self.salesforce, *arguments
        )
        if wait:
            log = self._log_of[process.pid]
            wait_for(lambda: b"ready" in log.read_bytes() or process.poll() is not None, "the worker does not start")
        return process

    def _start(self, module: str, *arguments: str) -> Fork:
        self._logs += 1
        log = self.folder / f"{self._logs:02d}-{module.rsplit('.', 1)[-1]}.log"
        environment = {
            **os.environ,  # noqa: TID251 - handed on, not read
            "PYTHONPATH": f"{_ROOT / 'src'}:{_ROOT}",
        }
        with log.open("wb") as output:
            process = Fork(
                ["-m", module, *arguments],
                stdout=output,
                stderr=subprocess.STDOUT,
                folder=_ROOT,
                environment=environment,
            )
        self._processes.append(process)
        self._log_of[process.pid] = log
        return process

    def _answers(self) -> bool:
        with contextlib.suppress(OSError):
            self.call("/report")
            return True
        return False

    def call(self, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Speak to the stand-in."""
        data = json.dumps(body).encode() if body is not None else None
        with urllib.request.urlopen(f"{self.salesforce}{path}", data=data, timeout=10) as reply:
            answer: dict[str, Any] = json.loads(reply.read())
            return answer

    async def submit(self, content: bytes, **changes: Any) -> str:
        """Write down a load as a service would; return its id."""
        load_id = new_identifier("load", self.clock.now())
        key = f"loads/{load_id}/input"
        stored = await asyncio.to_thread(self.files.write_blocks, key, [content])
        record: dict[str, Any] = {
            "id": load_id,
            "kind": LoadKind.INGEST,
            "object_name": "Account",
            "operation": "insert",
            "state": LoadState.QUEUED,
            "created_by": "tester",
            "created_at": self.clock.now(),
            "input_key": key,
            "input_bytes": stored.bytes,
            "input_sha256": stored.sha256,
            "options": {"original_name": "accounts.csv", "part_rows": 20},
        }
        async with self.database.unit() as unit:
            await unit.loads.add(LoadRecord(**{**record, **changes}))
        return load_id

    async def load(self, load_id: str) -> LoadRecord:
        """Return the load as it stands."""
        async with self.database.unit(write=False) as unit:
            found = await unit.loads.get(load_id)
        assert found is not None
        return found

    async def begun(self, load_id: str, seconds: float = 60.0) -> None:
        """Wait until the load's first part is there."""
        deadline = time.monotonic() + seconds
        while (await self.load(load_id)).parts == 0:
            assert time.monotonic() < deadline, f"{load_id} does not begin\n{self.logs()}"
            await self.clock.sleep(0.02)

    async def ended(self, load_id: str, seconds: float = 60.0) -> LoadRecord:
        """Wait until the load has ended and return it."""
        deadline = time.monotonic() + seconds
        while (load := await self.load(load_id)).state not in LOAD_ENDS:
            assert time.monotonic() < deadline, f"{load_id} is still {load.state}\n{self.logs()}"
            await self.clock.sleep(0.05)
        return load

    def check_rows(self, load: LoadRecord, content: bytes) -> Counter[str]:
        """Make sure that the results file accounts for every row of the input, in order; return statuses."""
        assert load.results_key is not None, load
        given = list(csv.reader(io.StringIO(content.decode(), newline="")))[1:]
        text = self.files.path(load.results_key).read_bytes()
        results = list(csv.reader(io.StringIO(text.decode(), newline="")))
        assert [row[9:] for row in results[1:]] == given
        assert load.receipt is not None
        assert load.receipt["balanced"], load.receipt["mismatches"]
        assert load.receipt["results"]["sha256"] == hashlib.sha256(text).hexdigest()
        counts = Counter(row[1] for row in results[1:])
        assert counts["succeeded"] == load.rows_succeeded
        assert counts["failed"] == load.rows_failed
        assert counts["unprocessed"] == load.rows_unprocessed
        return counts

    def check_org(self, *contents: bytes) -> None:
        """Make sure that the stand-in holds each good row of these inputs once, and nothing else."""
        good = [
            row["Key__c"]
            for content in contents
            for row in csv.DictReader(io.StringIO(content.decode(), newline=""))
            if not row["Name"].startswith("BAD")
        ]
        assert Counter(self.call("/report")["keys"]) == Counter(good)

    def logs(self) -> str:
        """Return the ends of all processes' logs."""
        return "\n".join(f"== {log.name}\n{log.read_text()[-3000:]}" for log in sorted(self.folder.glob("*.log")))

    def told(self, event: str) -> int:
        """Return how often the processes' logs, from their beginning, name an event."""
        return sum(log.read_text().count(event) for log in self.folder.glob("*.log"))

    async def close(self) -> None:
        """End every process and connection."""
        for process in self._processes:
            if process.poll() is None:
                # A stopped one takes no other signal to heart.
                process.send_signal(signal.SIGKILL)
            process.wait(timeout=10)
        await self.database.close()


def wait_for(condition: Callable[[], object], message: str, seconds: float = 30.0) -> None:
    """Wait until a condition holds; blocking."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, message
        time.sleep(0.05)


@contextlib.contextmanager
def stopped(process: Fork) -> Iterator[None]:
    """Freeze a process for the length of the block."""
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)
