"""A whole Orgbridge for tests: `up` as one process over a folder of its own; and a service without Salesforce."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from orgbridge.services.passwords import HashCost
from orgbridge.wiring.service import build_app
from orgbridge.wiring.settings import Settings, load_settings
from tests.support.databases import migrate
from tests.support.forks import Fork

_UP = """
import sys, pathlib
from orgbridge.wiring.local import up
up(
    data=pathlib.Path(sys.argv[1]),
    port=0,
    emulator_port=0,
    seed=sys.argv[2],
    announce=lambda addresses: print("ready", addresses.console_url, flush=True),
)
"""


#: Of a password in a test that is not about hashing.
QUICK_HASH = HashCost(time_cost=1, memory_kib=64)


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalHouse:
    """A running `up`."""

    #: The service's root.
    url: str
    #: The administrator's token.
    token: str
    #: Where the console signs the administrator in, once.
    console_url: str
    #: Its data folder.
    folder: Path
    #: Its process.
    process: Fork

    def client(self, token: str | None = None) -> httpx2.Client:
        """Return a client of version 1, signed in as the administrator or with another token."""
        return httpx2.Client(
            base_url=f"{self.url}/api/v1",
            headers={"Authorization": f"Bearer {token or self.token}"},
            timeout=30,
        )

    def wait(self, job_id: str, seconds: float = 60.0) -> dict[str, Any]:
        """Return a job's status once it has ended."""
        deadline = time.monotonic() + seconds
        with self.client() as client:
            while True:
                status: dict[str, Any] = client.get(f"/bulk/job/{job_id}/status").json()
                if status["ended"]:
                    return status
                assert time.monotonic() < deadline, f"the job did not end: {status}"
                time.sleep(0.05)


def start_house(folder: Path, settings: Mapping[str, str] | None = None, seed: str = "empty") -> LocalHouse:
    """Start `up` over a folder, with further settings and a seed of the org, and wait until everything answers."""
    environment = {
        "PATH": os.defpath,
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "ORGBRIDGE_POLL_SECONDS": "0.2",
        **(settings or {}),
    }
    with (folder / "up.log").open("wb") as log:
        process = Fork(
            ["-c", _UP, str(folder / "data"), seed],
            stdout=subprocess.PIPE,
            stderr=log,
            environment=environment,
            folder=folder,
        )
    assert process.stdout is not None
    line = process.stdout.readline()
    said, _, console_url = line.decode().strip().partition(" ")
    assert said == "ready", (folder / "up.log").read_text()[-3000:]
    document = json.loads((folder / "data" / "cli.json").read_text())
    return LocalHouse(
        url=document["url"],
        token=document["token"],
        console_url=console_url,
        folder=folder / "data",
        process=process,
    )


def stop_house(house: LocalHouse) -> int:
    """Tell it to stop and return its exit status."""
    if house.process.poll() is None:
        house.process.send_signal(signal.SIGTERM)
    status = house.process.wait(timeout=30)
    assert house.process.stdout is not None
    house.process.stdout.close()
    return status


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalHouse]:
    """Give a running house to all tests of a module."""
    running = start_house(tmp_path_factory.mktemp("house"))
    yield running
    stop_house(running)


def lone_settings(folder: Path, **overrides: Any) -> Settings:
    """Return settings of a service whose Salesforce does not answer: port 9 of loopback takes no connection."""
    return load_settings(
        env_file=None,
        **{
            "orgbridge_data": folder,
            "data_path_input": folder / "input",
            "salesforce_client_id": "lone-client",
            "salesforce_client_secret": "lone-client-s3cret",
            "salesforce_username": "nobody@example.com",
            "salesforce_password": "lone-p4ssword",
            "salesforce_token_url": "http://127.0.0.1:9/services/oauth2/token",
            "backend_cors_origins": "https://console.example.com",
            **overrides,
        },
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LoneService:
    """A service in this process, without worker and without Salesforce."""

    #: A client at its root.
    client: httpx2.AsyncClient
    #: Its settings.
    settings: Settings

    async def token(self, *scopes: str, admin: bool = False) -> str:
        """Return a token of a new user with these scopes and no others."""
        app: Any = self.client._transport.app  # type: ignore[attr-defined] # the transport we made
        identity = app.state.services.identity
        name = f"user-{os.urandom(4).hex()}"
        await identity.create_user(name, "correct horse battery", scopes=list(scopes), is_admin=admin)
        made = await identity.sign_in(name, "correct horse battery")
        return str(made.token)


@asynccontextmanager
async def lone_service(folder: Path, **overrides: Any) -> AsyncIterator[LoneService]:
    """Run a service in this process over a real SQLite file."""
    settings = lone_settings(folder, **overrides)
    (folder / "input").mkdir(exist_ok=True)
    await asyncio.to_thread(migrate, settings.database_url)
    app = build_app(settings, QUICK_HASH)
    async with app.router.lifespan_context(app):
        transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url="http://service") as client:
            yield LoneService(client=client, settings=settings)
