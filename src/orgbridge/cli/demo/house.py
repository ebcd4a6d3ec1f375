"""A whole Orgbridge in child processes: emulated org, service and workers on free loopback ports."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import aiohttp

from orgbridge.cli.addresses import Address
from orgbridge.cli.demo.memory import Gauge
from orgbridge.cli.demo.processes import Child, clean_environment, free_port, run_to_end
from orgbridge.cli.errors import DemoFailed
from orgbridge.cli.service import Service, sign_in
from orgbridge.kit import json
from orgbridge.kit.clock import Clock

_SAMPLE_SECONDS = 0.1
#: What a worker logs once it takes work: nobody listens on a port there.
_WORKER_READY = "worker_ready"
_PROBE = aiohttp.ClientTimeout(total=3)


class House:
    """The processes, and how much memory service and workers take.

    Args:
        folder: Data, logs and databases go here.
        clock: For waiting.
        workers: How many; more than one only with a shared database, and then each has a data folder of its own.
        settings: On top of the usual ones, e.g. PSQL_CONNECTION_STRING.
    """

    def __init__(
        self, folder: Path, clock: Clock, *, workers: int = 1, settings: Mapping[str, str] | None = None
    ) -> None:
        self.folder = folder
        self._clock = clock
        org_port, service_port = free_port(), free_port()
        self.org_url = f"http://127.0.0.1:{org_port}"
        self.service_url = f"http://127.0.0.1:{service_port}"
        settings = {
            "SALESFORCE_CLIENT_ID": "local-client",
            "SALESFORCE_CLIENT_SECRET": "local-secret",
            "SALESFORCE_USERNAME": "admin@local.org",
            "SALESFORCE_PASSWORD": "localpass",
            "SALESFORCE_TOKEN_URL": f"{self.org_url}/services/oauth2/token",
            "ORGBRIDGE_DATA": str(folder / "data"),
            "ORGBRIDGE_POLL_SECONDS": "1",
            "DATA_PATH_INPUT": str(folder),
            "DATA_PATH_OUTPUT": str(folder / "output"),
            "DATA_PATH_FAILED": str(folder / "failed"),
            **(settings or {}),
        }
        self._settings = settings
        org_arguments = ("emulator", "serve", "--port", str(org_port), "--data", str(folder / "org.sqlite"))
        self.org = Child("org", org_arguments, {}, folder)
        self.service = Child("service", ("serve", "--port", str(service_port)), settings, folder)
        self.workers = [self._new_worker(number, alone=workers == 1) for number in range(workers)]
        self.service_memory, self.worker_memory = Gauge(), Gauge()
        self._token = ""

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Start all three, wait until they work, and end every process on the way out.

        Raises:
            DemoFailed: One of them did not start; its last words are in the message.
        """
        sampler = asyncio.create_task(self._sample())
        try:
            if "PSQL_CONNECTION_STRING" in self._settings:
                # Of a shared database nobody makes the tables unasked.
                await run_to_end(("db", "upgrade"), clean_environment(self._settings), self.folder)
            # None waits for another to start: each is a Python that has the house to import, and whichever comes first
            # makes the tables while the others take turns.
            await self.start(self.org)
            await self.start(self.service)
            for worker in self.workers:
                await self.start(worker)
            await asyncio.gather(
                self._make_user(),
                self.settle(),
                *(worker.wait_until(partial(worker.says, _WORKER_READY), self._clock) for worker in self.workers),
            )
            self._token = await sign_in(self.service_url, "demo", self._password)
            await self.service.wait_until(self._ready, self._clock)
            self.service_memory.mark_idle()
            self.worker_memory.mark_idle()
            yield
        finally:
            sampler.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await sampler
            await asyncio.gather(*(child.stop() for child in reversed(self.children)))

    @property
    def address(self) -> Address:
        """The service, signed in."""
        return Address(url=self.service_url, token=self._token)

    @property
    def children(self) -> tuple[Child, ...]:
        """Every process."""
        return (self.org, self.service, *self.workers)

    @property
    def worker(self) -> Child:
        """The first worker."""
        return self.workers[0]

    async def settle(self) -> None:
        """Wait until org and service answer.

        Raises:
            DemoFailed: One of them ended, or did not answer in time.
        """
        await self.org.wait_until(lambda: _answers(f"{self.org_url}/services/data"), self._clock)
        await self.service.wait_until(lambda: _answers(f"{self.service_url}/health/live"), self._clock)

    async def start(self, child: Child) -> None:
        """Start a process, or another one after a kill."""
        await child.start()
        if (gauge := self._gauge(child)) is not None:
            gauge.watch(child.pid)

    async def kill(self, child: Child) -> int:
        """Kill a process with SIGKILL and return its process id."""
        if (gauge := self._gauge(child)) is not None:
            gauge.sample()
        pid = child.pid
        await child.kill()
        return pid

    def fallen(self) -> Child | None:
        """Return a process that ended by itself, None when all run."""
        return next((child for child in self.children if not child.running), None)

    def _new_worker(self, number: int, *, alone: bool) -> Child:
        if alone:
            return Child("worker", ("worker",), self._settings, self.folder)
        name = f"worker-{number}"
        settings = {**self._settings, "ORGBRIDGE_DATA": str(self.folder / name)}
        return Child(name, ("worker",), settings, self.folder)

    def _gauge(self, child: Child) -> Gauge | None:
        if child is self.service:
            return self.service_memory
        return None if child is self.org else self.worker_memory

    async def _make_user(self) -> None:
        environment = clean_environment(self._settings)
        output = await run_to_end(("users", "create", "demo", "--admin", "--json"), environment, self.folder)
        try:
            self._password = str(json.loads(output)["password"])
        except (json.JSONDecodeError, KeyError) as error:
            raise DemoFailed("`orgbridge users create` did not answer with the new user.") from error

    async def _ready(self) -> bool:
        async with Service(self.address) as service:
            ready, _ = await service.ready()
            return ready

    async def _sample(self) -> None:
        while True:
            self.service_memory.sample()
            self.worker_memory.sample()
            await self._clock.sleep(_SAMPLE_SECONDS)


async def _answers(url: str) -> bool:
    try:
        async with aiohttp.ClientSession(timeout=_PROBE) as session, session.get(url) as response:
            return response.status < 500
    except (aiohttp.ClientError, TimeoutError):
        return False
