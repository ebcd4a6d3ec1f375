"""Two services and two workers on one PostgreSQL and one bucket, each in a folder of its own, as on four machines."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from orgbridge.cli.addresses import Address
from orgbridge.cli.demo.processes import clean_environment, free_port
from orgbridge.cli.loading import ResultKind, save_results
from orgbridge.cli.service import Service, sign_in
from orgbridge.cli.watching import Status, watch
from orgbridge.kit import json
from orgbridge.kit.clock import SystemClock
from tests.support.object_servers import ObjectServer, s3_server
from tests.support.postgres import Server, running_postgres
from tests.support.processes import ForkedChild, answers, forked_to_end, salesforce_settings

pytestmark = pytest.mark.system
_PARTS_AT_ONCE = 2
_ROWS = 4_000
_UNDER_WAY = ("job_created", "uploaded", "committed", "finished", "fetched")


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectServer]:
    """Give an S3 server."""
    with s3_server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture(scope="module")
def postgres() -> Iterator[Server]:
    """Give a PostgreSQL server."""
    with running_postgres() as server:
        yield server


class Fleet:
    """An org, two services, two workers."""

    def __init__(self, folder: Path, postgres: Server, s3: ObjectServer) -> None:
        self.folder = folder
        self.clock = SystemClock()
        self.org_url = f"http://127.0.0.1:{free_port()}"
        self.shared = {
            "PSQL_CONNECTION_STRING": postgres.create_migrated(),
            "JWT_PRIVATE_KEY_PATH": str(folder / "jwt.pem"),
            "ORGBRIDGE_PARTS_IN_PARALLEL": str(_PARTS_AT_ONCE),
            **s3.settings(s3.url()),
        }
        port = self.org_url.rsplit(":", 1)[1]
        self.org = ForkedChild("org", ("emulator", "serve", "--port", port), {}, folder)
        self.services: list[ForkedChild] = []
        self.urls: list[str] = []
        self.workers: list[ForkedChild] = []
        self.addresses: list[Address] = []

    def settings(self, machine: str) -> dict[str, str]:
        """Return a machine's settings: its own folder, and what all share."""
        folder = self.folder / machine
        folder.mkdir(exist_ok=True)
        return {**salesforce_settings(self.org_url, folder), **self.shared}

    async def open(self, stack: AsyncExitStack) -> None:
        """Start all of it."""
        first = self.settings("service-0")
        _make_key(self.folder / "jwt.pem")
        await forked_to_end(("db", "upgrade"), clean_environment(first), self.folder)
        made = await forked_to_end(
            ("users", "create", "fleet", "--admin", "--json"), clean_environment(first), self.folder
        )
        user = json.loads(made)
        assert isinstance(user, dict)
        stack.push_async_callback(self.org.stop)
        await self.org.start()
        for number in range(2):
            port = free_port()
            name = f"service-{number}"
            child = ForkedChild(name, ("serve", "--port", str(port)), self.settings(name), self.folder)
            stack.push_async_callback(child.stop)
            await child.start()
            self.services.append(child)
            self.urls.append(f"http://127.0.0.1:{port}")
        for number in range(2):
            child = ForkedChild(f"worker-{number}", ("worker",), self.settings(f"worker-{number}"), self.folder)
            stack.push_async_callback(child.stop)
            await child.start()
            self.workers.append(child)
        await self.org.wait_until(lambda: answers(f"{self.org_url}/services/data"), self.clock)
        for worker in self.workers:
            await worker.wait_until(partial(worker.says, "worker_ready"), self.clock)
        for child, url in zip(self.services, self.urls, strict=True):
            await child.wait_until(partial(answers, f"{url}/health/live"), self.clock)
            self.addresses.append(Address(url=url, token=await sign_in(url, "fleet", str(user["password"]))))


def _make_key(path: Path) -> None:
    plain = serialization.NoEncryption()
    pem = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain
    )
    path.write_bytes(pem)


@pytest.fixture
async def fleet(tmp_path: Path, postgres: Server, s3: ObjectServer) -> AsyncIterator[Fleet]:
    """Give a running fleet."""
    made = Fleet(tmp_path, postgres, s3)
    async with AsyncExitStack() as stack:
        await made.open(stack)
        yield made


async def test_a_load_outlives_its_machine_without_a_shared_disk(fleet: Fleet) -> None:
    """Taken in by one service, begun by two workers, one killed: the other ends it, and the other service has all."""
    text = "External_Id__c,Name\r\n" + "".join(f"F{n:05d},Fleet {n}\r\n" for n in range(_ROWS))
    seen: list[int] = []

    async def chunks() -> AsyncIterator[bytes]:
        yield text.encode()

    def look(status: Status) -> None:
        states = (status.raw.get("progress") or {}).get("parts_by_state") or {}
        seen.append(sum(int(states.get(state, 0)) for state in _UNDER_WAY))

    async with Service(fleet.addresses[0]) as first, Service(fleet.addresses[1]) as second:
        params: dict[str, Any] = {"object_name": "Account", "operation_type": "insert", "part_rows": 250}
        job_id = str((await first.upload(name="fleet.csv", chunks=chunks(), params=params))["job_id"])
        watching = asyncio.create_task(watch(second, job_id, fleet.clock, look))
        while True:
            states = (await second.job(job_id))["progress"]["parts_by_state"]
            if states.get("matched", 0) >= 2:
                break
            await fleet.clock.sleep(0.02)
        before_kill = max(seen)
        await fleet.workers[0].kill()
        status = await watching
        assert status.state == "JobComplete", fleet.workers[1].tail()
        receipt = await second.receipt(job_id)
        results = fleet.folder / "results.csv"
        await save_results(second, job_id, ResultKind.ALL, results)
        exported = fleet.folder / "export.csv"
        query = await second.query_submit("Account", "SELECT External_Id__c, Name FROM Account")
        status = await watch(first, str(query["job_id"]), fleet.clock, lambda _: None)
        assert status.state == "JobComplete", status.error_message
        await save_results(first, str(query["job_id"]), ResultKind.ALL, exported)
    assert receipt["balanced"]
    assert receipt["rows"]["succeeded"] == _ROWS
    rows = list(csv.reader(io.StringIO(results.read_text(), newline="")))
    assert [row[-2] for row in rows[1:]] == [f"F{n:05d}" for n in range(_ROWS)]
    org = list(csv.reader(io.StringIO(exported.read_text(), newline="")))
    # Every row once: the killed worker's parts were not sent twice.
    assert sorted(row[0] for row in org[1:]) == [f"F{n:05d}" for n in range(_ROWS)]
    assert 0 < before_kill <= _PARTS_AT_ONCE
    assert max(seen) <= _PARTS_AT_ONCE
    # No machine holds a file of the load.
    assert not [path for path in fleet.folder.glob("*/data/files/**/*") if path.is_file()]
