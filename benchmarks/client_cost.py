"""What a load costs on our side: 128 MB split, checked, hashed, stored part by part and uploaded to a sink.

The sink throws the bytes away. Against it: `curl -T` of the same file to the same sink, which does none of the rest.
"""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from benchmarks.doubles import serving
from benchmarks.figures import Figure
from benchmarks.houses import write_accounts
from orgbridge.client import PasswordCredentials, Salesforce, Secret, TokenConfig
from orgbridge.engine.streams import in_threads
from orgbridge.kit.logs import LogConfig, configure_logs
from orgbridge.loads.inputs import CSVSource, open_input
from orgbridge.loads.plan import MAX_PART_ROWS
from orgbridge.loads.splitter import Part, PartStart, SplitEvent, split_records, upload_body
from orgbridge.store.files import LocalFiles
from orgbridge.wire.limits import INGEST_JOB_BYTES

_ROWS = 1_000_000
_ROUNDS = 3


def figures() -> list[Figure]:
    """Measure both in turn and compare the best rounds."""
    configure_logs(LogConfig(level="WARNING", json=False))
    with tempfile.TemporaryDirectory(prefix="orgbridge-bench-") as name, serving("sink") as sink:
        path = Path(name) / "accounts.csv"
        size = write_accounts(path, _ROWS)
        ours, curl = [], []
        for _ in range(_ROUNDS):
            ours.append(_timed(lambda: asyncio.run(_load(path, Path(name) / "files", sink))))
            shutil.rmtree(Path(name) / "files")
            curl.append(_timed(partial(_curl, path, sink)))
    rate = size / 1e6
    return [
        Figure(name="split, store and upload to a sink", value=rate / min(ours), unit="MB/s", more_is_better=True),
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


async def _load(path: Path, folder: Path, sink: str) -> None:
    """Split in a thread; upload each part as soon as it is stored."""
    files = LocalFiles(folder)
    credentials = PasswordCredentials(
        client_id="bench", client_secret=Secret("bench"), username="bench", password=Secret("bench")
    )
    source = open_input(lambda: _blocks(path), name=path.name)
    parts = _parts(source, files)
    loop = asyncio.get_running_loop()
    sign_in = TokenConfig(credentials=credentials, token_url=f"{sink}/services/oauth2/token")
    with ThreadPoolExecutor(1) as splitter:
        async with Salesforce(sign_in) as salesforce, asyncio.TaskGroup() as uploads:
            while (found := await loop.run_in_executor(splitter, next, parts, None)) is not None:
                uploads.create_task(_upload(salesforce, files, source, *found))


async def _upload(salesforce: Salesforce, files: LocalFiles, source: CSVSource, key: str, part: Part) -> None:
    def body() -> Iterator[bytes]:
        return upload_body(files.open_blocks(key), part, header_record=source.header_record)

    await salesforce.bulk.ingest.upload("750000000000001AAA", lambda: in_threads(body), length=part.upload_bytes)


def _parts(source: CSVSource, files: LocalFiles) -> Iterator[tuple[str, Part]]:
    events = split_records(
        source.records(),
        source.dialect,
        header_record=source.header_record,
        columns=len(source.header),
        max_rows=MAX_PART_ROWS,
        max_bytes=INGEST_JOB_BYTES,
    )
    ended: list[Part] = []

    def blocks() -> Iterator[bytes]:
        for event in events:
            if isinstance(event, Part):
                ended.append(event)
                return
            if isinstance(event, bytes):
                yield event

    event: SplitEvent
    for event in events:
        if isinstance(event, PartStart):
            key = f"parts/{event.number:05d}.csv"
            files.write_blocks(key, blocks())
            yield key, ended.pop()


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(1 << 18):
            yield block


if __name__ == "__main__":
    for figure in figures():
        print(f"{figure.name:<50}{figure.value:>12.2f} {figure.unit}")
