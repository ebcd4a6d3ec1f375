"""A million accounts into an emulated org and out again: through the service, and with simple-salesforce's bulk2.

Each gets an org of its own, on the same machine, one after the other. The service's time is that of a caller: from
handing the file in until every row's outcome is stored and the receipt is written; simple-salesforce's is its
`bulk2.insert` with the library's defaults, which ends without fetching any result. Run it alone with another number of
rows as `python -m benchmarks.against_simple_salesforce 100000`.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import Figure
from benchmarks.houses import FIELDS, MEBIBYTE, open_house, write_accounts
from orgbridge.cli.loading import LoadRequest, ResultKind, fetch_receipt, save_results, submit
from orgbridge.cli.terminal import Terminal
from orgbridge.cli.watching import watch
from orgbridge.kit.clock import SystemClock
from orgbridge.wire.bulk import IngestOperation

ROWS = 1_000_000
_TIMEOUT_SECONDS = 900


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """What one of the two took."""

    load_seconds: float
    export_seconds: float
    load_memory: float
    export_memory: float


def figures(rows: int = ROWS) -> list[Figure]:
    """Measure both."""
    ours, peer = asyncio.run(_ours(rows)), asyncio.run(_peer(rows))
    name = f"{rows:,} rows"
    return [
        Figure(name=f"load of {name} through the service", value=ours.load_seconds, unit="s"),
        Figure(name=f"load of {name} with simple-salesforce", value=peer.load_seconds, unit="s"),
        Figure(name="load, ratio", value=ours.load_seconds / peer.load_seconds, unit="x", target=0.5),
        Figure(name="load, service and worker above idle", value=ours.load_memory, unit="MiB", target=100),
        Figure(name="load, simple-salesforce above idle", value=peer.load_memory, unit="MiB"),
        Figure(name=f"export of {name} through the service", value=ours.export_seconds, unit="s"),
        Figure(name=f"export of {name} with simple-salesforce", value=peer.export_seconds, unit="s"),
        Figure(name="export, ratio", value=ours.export_seconds / peer.export_seconds, unit="x", target=0.5),
        Figure(name="export, service and worker above idle", value=ours.export_memory, unit="MiB", target=100),
        Figure(name="export, simple-salesforce above idle", value=peer.export_memory, unit="MiB"),
    ]


async def _ours(rows: int) -> _Run:
    clock = SystemClock()
    async with open_house() as opened:
        path = opened.folder / "accounts.csv"
        write_accounts(path, rows)
        service, house = opened.service, opened.house

        def above_idle() -> float:
            return (house.service_memory.above_idle + house.worker_memory.above_idle) / MEBIBYTE

        request = LoadRequest(path=path, object_name="Account", operation=IngestOperation.INSERT)
        began = time.monotonic()
        job_id = await submit(service, request, Terminal(as_json=True))
        status = await watch(service, job_id, clock, lambda _: None)
        load_seconds = time.monotonic() - began
        receipt = await fetch_receipt(service, job_id)
        if status.state != "JobComplete" or receipt["rows"]["succeeded"] != rows:
            raise RuntimeError(f"the load ended as {status.state}: {status.error_message}")
        load_memory = above_idle()

        began = time.monotonic()
        job_id = str((await service.query_submit("Account", f"SELECT {', '.join(FIELDS)} FROM Account"))["job_id"])
        status = await watch(service, job_id, clock, lambda _: None, is_query=True)
        await save_results(service, job_id, ResultKind.ALL, opened.folder / "export.csv")
        export_seconds = time.monotonic() - began
        if status.state != "JobComplete" or status.processed != rows:
            raise RuntimeError(f"the export ended as {status.state} with {status.processed} rows")
        return _Run(
            load_seconds=load_seconds,
            export_seconds=export_seconds,
            load_memory=load_memory,
            export_memory=above_idle(),
        )


async def _peer(rows: int) -> _Run:
    async with open_house() as opened:
        path = opened.folder / "accounts.csv"
        write_accounts(path, rows)
        load = await asyncio.to_thread(_run, "load", opened.house.org_url, path)
        export = await asyncio.to_thread(_run, "export", opened.house.org_url, opened.folder / "export.csv")
    if load["rows"] != rows or export["rows"] != rows:
        raise RuntimeError(f"simple-salesforce loaded {load['rows']} rows and exported {export['rows']}")
    return _Run(
        load_seconds=load["seconds"],
        export_seconds=export["seconds"],
        load_memory=load["bytes_above_idle"] / MEBIBYTE,
        export_memory=export["bytes_above_idle"] / MEBIBYTE,
    )


def _run(action: str, url: str, file: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.peers", action, url, str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS, check=False)
    if done.returncode:
        raise RuntimeError(f"simple-salesforce failed:\n{done.stderr[-2000:]}")
    told: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return told


if __name__ == "__main__":
    for figure in figures(*map(int, sys.argv[1:])):
        print(f"{figure.name:<50}{figure.value:>12.2f} {figure.unit}")
