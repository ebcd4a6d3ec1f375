"""What a load costs on our side: 128 MB of a stored input cut, checked, hashed and uploaded part by part to a sink.

It is the engine's own cutting and uploading, without database and without durable steps. The sink throws the bytes
away. Against it: `curl -T` of the same file to the same sink, which does none of the rest.
"""

from __future__ import annotations

import asyncio
import subprocess
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import uvloop

from benchmarks.doubles import serving
from benchmarks.figures import Figure
from benchmarks.houses import write_accounts
from orgbridge.client import PasswordCredentials, Salesforce, Secret, TokenConfig
from orgbridge.engine.config import WorkerConfig
from orgbridge.engine.cutting import Cutter
from orgbridge.engine.facts import InputFacts, part_of
from orgbridge.engine.places import LoadTraces
from orgbridge.engine.preparation import open_load
from orgbridge.engine.ranges import upload_blocks
from orgbridge.engine.resources import Resources
from orgbridge.engine.streams import in_threads
from orgbridge.kit.clock import SystemClock
from orgbridge.kit.logs import LogConfig, configure_logs
from orgbridge.loads.plan import MAX_PART_ROWS
from orgbridge.loads.positions import Position
from orgbridge.loads.states import LoadState
from orgbridge.orgs.connections import Orgs
from orgbridge.store.database import Database
from orgbridge.store.files import FileStore, LocalFiles
from orgbridge.store.records import LoadKind, LoadRecord, PartRecord
from orgbridge.wire.limits import INGEST_JOB_BYTES

_LOAD = "load_bench"
_INPUT = f"loads/{_LOAD}/input"
_JOB = "750000000000001AAA"
_ROWS = 1_000_000
_ROUNDS = 3


def figures() -> list[Figure]:
    """Measure both in turn and compare the best rounds."""
    configure_logs(LogConfig(level="WARNING", json=False))
    with tempfile.TemporaryDirectory(prefix="orgbridge-bench-") as name, serving("sink") as sink:
        path = Path(name) / _INPUT
        path.parent.mkdir(parents=True)
        size = write_accounts(path, _ROWS)
        ours, curl = [], []
        for _ in range(_ROUNDS):
            ours.append(_timed(partial(_run, Path(name), size, sink)))
            curl.append(_timed(partial(_curl, path, sink)))
    rate = size / 1e6
    return [
        Figure(name="cut, hash and upload to a sink", value=rate / min(ours), unit="MB/s", more_is_better=True),
        Figure(name="curl -T to the same sink", value=rate / min(curl), unit="MB/s", more_is_better=True),
        Figure(name="client-side cost, ratio of wall time", value=min(ours) / min(curl), unit="x", target=1.5),
    ]


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _curl(path: Path, sink: str) -> None:
    command = ["curl", "-sS", "--fail", "-H", "Content-Type: text/csv", "-T", str(path), f"{sink}/upload"]
    subprocess.run(command, check=True, timeout=120)


def _run(folder: Path, size: int, sink: str) -> None:
    # The loop that a worker has.
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_load(folder, size, sink))


async def _load(folder: Path, size: int, sink: str) -> None:
    """Cut in a thread; upload each part as soon as it is cut."""
    credentials = PasswordCredentials(
        client_id="bench", client_secret=Secret("bench"), username="bench", password=Secret("bench")
    )
    sign_in = TokenConfig(credentials=credentials, token_url=f"{sink}/services/oauth2/token")
    with ThreadPoolExecutor(1) as splitter:
        resources = _resources(folder, splitter)
        load = LoadRecord(
            id=_LOAD,
            kind=LoadKind.INGEST,
            object_name="Account",
            operation="insert",
            state=LoadState.IN_PROGRESS,
            created_by="bench",
            created_at=resources.clock.now(),
            options={"original_name": "accounts.csv"},
            input_key=_INPUT,
            input_bytes=size,
        )
        source = open_load(resources, load)
        facts = InputFacts.of_source(source)
        plan = {"max_rows": MAX_PART_ROWS, "max_bytes": INGEST_JOB_BYTES, "whole": False}
        cutter = Cutter(resources, load, source, facts, plan, Position.first(source.first_line))
        async with Salesforce(sign_in) as salesforce, asyncio.TaskGroup() as uploads:
            more = True
            while more:
                piece = await resources.split(cutter.cut)
                more = piece.end is not None
                for part in piece.parts:
                    uploads.create_task(_upload(salesforce, resources.files, facts, part))


async def _upload(salesforce: Salesforce, files: FileStore, facts: InputFacts, part: PartRecord) -> None:
    body = partial(upload_blocks, files, facts, part)
    await salesforce.bulk.ingest.upload(_JOB, lambda: in_threads(body), length=part_of(part).upload_bytes)


def _resources(folder: Path, threads: ThreadPoolExecutor) -> Resources:
    clock = SystemClock()
    database = Database(f"sqlite:///{folder}/unused.sqlite")
    return Resources(
        config=WorkerConfig(),
        database=database,
        files=LocalFiles(folder),
        orgs=Orgs([], clock),
        clock=clock,
        matchers=threads,
        splitters=threads,
        traces=LoadTraces(database),
    )


if __name__ == "__main__":
    for figure in figures():
        print(f"{figure.name:<50}{figure.value:>12.2f} {figure.unit}")
