"""The emulated org by itself, asked as a client asks it: a million rows in bulk, out again by a query job, and SOQL by
an index. Single records are in `emulator_calls`, downloads in `emulator_results`, the start in `emulator_start`.

Ten ingest jobs of 100,000 rows are uploaded one after the other and committed at once, as a load does; the time is from
the first job's creation to the last job's end. Run with another number of rows as `python -m benchmarks.emulator_speed
100000`.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
from tests.support.emulator_server import EmulatorServer

from benchmarks.figures import Figure
from benchmarks.houses import FIELDS, sign_in_to_emulator, write_accounts

ROWS = 1_000_000
_JOB_ROWS = 100_000
_CONNECTIONS = 4
_QUERIES = 50


def figures(rows: int = ROWS) -> list[Figure]:
    """Measure one org in a file."""
    with tempfile.TemporaryDirectory(prefix="orgbridge-bench-") as name:
        server = EmulatorServer(Path(name) / "org.sqlite").start()
        try:
            return asyncio.run(_figures(server.url, sign_in_to_emulator(server), Path(name), rows))
        finally:
            server.kill()


async def _figures(url: str, token: str, folder: Path, rows: int) -> list[Figure]:
    connector = aiohttp.TCPConnector(limit=_CONNECTIONS)
    timeout = aiohttp.ClientTimeout(total=600)
    headers = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession(connector=connector, timeout=timeout, headers=headers) as session:
        org = _Org(session, f"{url}/services/data/v60.0")
        insert = await org.insert(folder / "accounts.csv", rows)
        query = await org.query_job(rows)
        indexed = [await org.indexed_query(number * rows // _QUERIES) for number in range(_QUERIES)]
    return [
        Figure(
            name=f"emulator, Bulk 2 insert of {rows:,} rows",
            value=insert,
            unit="s",
            target=60 if rows == ROWS else None,
        ),
        Figure(name=f"emulator, Bulk 2 query of {rows:,} rows, until its results are there", value=query, unit="s"),
        Figure(
            name=f"emulator, SOQL by external id on {rows:,} rows, median",
            value=statistics.median(indexed) * 1000,
            unit="ms",
            target=20,
        ),
    ]


class _Org:
    """An emulated org at one address."""

    def __init__(self, session: aiohttp.ClientSession, base: str) -> None:
        self._session = session
        self._base = base

    async def _json(self, method: str, path: str, **options: Any) -> Any:
        async with self._session.request(method, self._base + path, **options) as answer:
            body = await answer.read()
            if answer.status >= 400:
                raise RuntimeError(f"{method} {path}: {answer.status} {body[:300]!r}")
            return await answer.json(content_type=None) if body else None

    async def insert(self, path: Path, rows: int) -> float:
        """Insert a file of accounts by ingest jobs; return the seconds until the last has ended."""
        write_accounts(path, rows)
        began = time.perf_counter()
        jobs = []
        for body in _bodies(path):
            job = (await self._json("POST", "/jobs/ingest", json={"object": "Account", "operation": "insert"}))["id"]
            await self._json("PUT", f"/jobs/ingest/{job}/batches", data=body, headers={"Content-Type": "text/csv"})
            await self._json("PATCH", f"/jobs/ingest/{job}", json={"state": "UploadComplete"})
            jobs.append(job)
        written = 0
        for job in jobs:
            while (info := await self._json("GET", f"/jobs/ingest/{job}"))["state"] != "JobComplete":
                await asyncio.sleep(0.25)
            written += info["numberRecordsProcessed"] - info["numberRecordsFailed"]
        if written != rows:
            raise RuntimeError(f"{written} of {rows} rows were written")
        return time.perf_counter() - began

    async def query_job(self, rows: int) -> float:
        """Ask for all accounts and columns by a query job; return the seconds until it has ended."""
        began = time.perf_counter()
        soql = f"SELECT Id, {', '.join(FIELDS)} FROM Account"
        job = (await self._json("POST", "/jobs/query", json={"operation": "query", "query": soql}))["id"]
        while (info := await self._json("GET", f"/jobs/query/{job}"))["state"] != "JobComplete":
            await asyncio.sleep(0.1)
        if info["numberRecordsProcessed"] != rows:
            raise RuntimeError(f"{info['numberRecordsProcessed']} of {rows} rows were read")
        return time.perf_counter() - began

    async def indexed_query(self, row: int) -> float:
        """Ask for one account by its external id; return the seconds that it took."""
        began = time.perf_counter()
        soql = f"SELECT Id, Name FROM Account WHERE External_Id__c = 'BENCH-{row:08d}'"
        answer = await self._json("GET", "/query", params={"q": soql})
        if answer["totalSize"] != 1:
            raise RuntimeError(f"{answer['totalSize']} records have that external id")
        return time.perf_counter() - began


def _bodies(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        header = file.readline()
        while lines := [line for _, line in zip(range(_JOB_ROWS), file, strict=False)]:
            yield header + b"".join(lines)


if __name__ == "__main__":
    for figure in figures(*map(int, sys.argv[1:])):
        print(f"{figure.name:<60}{figure.value:>12.2f} {figure.unit}")
