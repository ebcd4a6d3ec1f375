"""The emulated org by itself, asked as a client asks it: single records, a million rows in bulk, then SOQL by an index.

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
from tests.support.emulator_server import CLIENT_ID, CLIENT_SECRET, PASSWORD, USERNAME, EmulatorServer

from benchmarks.figures import Figure
from benchmarks.houses import write_accounts

ROWS = 1_000_000
_JOB_ROWS = 100_000
_CONNECTIONS = 16
_SINGLE_SECONDS = 4.0
_QUERIES = 50


def figures(rows: int = ROWS) -> list[Figure]:
    """Measure one org in a file."""
    with tempfile.TemporaryDirectory(prefix="orgbridge-bench-") as name:
        server = EmulatorServer(Path(name) / "org.sqlite").start()
        try:
            return asyncio.run(_figures(server.url, Path(name), rows))
        finally:
            server.kill()


async def _figures(url: str, folder: Path, rows: int) -> list[Figure]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=600)) as session:
        form = {
            "grant_type": "password",
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "username": USERNAME,
            "password": PASSWORD,
        }
        async with session.post(f"{url}/services/oauth2/token", data=form) as answer:
            token = (await answer.json())["access_token"]
    connector = aiohttp.TCPConnector(limit=_CONNECTIONS)
    timeout = aiohttp.ClientTimeout(total=600)
    headers = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession(connector=connector, timeout=timeout, headers=headers) as session:
        org = _Org(session, f"{url}/services/data/v60.0")
        creates = await org.single_calls()
        reads = await org.single_reads()
        insert = await org.insert(folder / "accounts.csv", rows)
        indexed = [await org.indexed_query(number * rows // _QUERIES) for number in range(_QUERIES)]
    return [
        Figure(name="emulator, single reads", value=reads, unit="calls/s", target=2000, more_is_better=True),
        Figure(name="emulator, single creates", value=creates, unit="calls/s", more_is_better=True),
        Figure(
            name=f"emulator, Bulk 2 insert of {rows:,} rows",
            value=insert,
            unit="s",
            target=60 if rows == ROWS else None,
        ),
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
        self._created: list[str] = []

    async def _json(self, method: str, path: str, **options: Any) -> Any:
        async with self._session.request(method, self._base + path, **options) as answer:
            body = await answer.read()
            if answer.status >= 400:
                raise RuntimeError(f"{method} {path}: {answer.status} {body[:300]!r}")
            return await answer.json(content_type=None) if body else None

    async def single_calls(self) -> float:
        """Create single records on all connections; return how many a second."""

        async def create(number: int) -> None:
            made = await self._json("POST", "/sobjects/Contact", json={"LastName": f"Single {number}"})
            self._created.append(made["id"])

        return await self._rate(create)

    async def single_reads(self) -> float:
        """Read single records on all connections; return how many a second."""

        async def read(number: int) -> None:
            record_id = self._created[number % len(self._created)]
            await self._json("GET", f"/sobjects/Contact/{record_id}")

        return await self._rate(read)

    async def _rate(self, call: Any) -> float:
        done = 0
        began = time.perf_counter()

        async def repeat() -> None:
            nonlocal done
            while time.perf_counter() - began < _SINGLE_SECONDS:
                done += 1
                await call(done)

        await asyncio.gather(*(repeat() for _ in range(_CONNECTIONS)))
        return done / (time.perf_counter() - began)

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
