"""The real commands as processes: one-shot runs, and a whole town of org, service and workers that may be killed."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from subprocess import DEVNULL, CompletedProcess, TimeoutExpired

import aiohttp

from orgbridge.cli.addresses import Address
from orgbridge.cli.demo.processes import Child, clean_environment, free_port
from orgbridge.cli.service import Service, sign_in
from orgbridge.kit import json
from orgbridge.kit.clock import SystemClock
from tests.support.forks import Fork, run

_PROBE = aiohttp.ClientTimeout(total=3)


def orgbridge(
    *arguments: str, folder: Path, settings: Mapping[str, str] | None = None, timeout_seconds: float = 60
) -> CompletedProcess[str]:
    """Run one `orgbridge` command to its end, with these settings and no others."""
    return subprocess.run(
        [sys.executable, "-m", "orgbridge.cli", *arguments],
        cwd=folder,
        env=clean_environment(settings or {}),
        stdin=DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout_seconds,
        check=False,
    )


def forked(
    *arguments: str, folder: Path, settings: Mapping[str, str] | None = None, timeout_seconds: float = 60
) -> CompletedProcess[str]:
    """Run one `orgbridge` command as `orgbridge` here does, in a fork: for tests that are not about its start."""
    words, environment = ["-m", "orgbridge.cli", *arguments], clean_environment(settings or {})
    return run(words, folder=folder, environment=environment, timeout=timeout_seconds)


def salesforce_settings(org_url: str, folder: Path) -> dict[str, str]:
    """Return the settings of a service that signs in to an emulated org."""
    return {
        "SALESFORCE_CLIENT_ID": "local-client",
        "SALESFORCE_CLIENT_SECRET": "local-secret",
        "SALESFORCE_USERNAME": "admin@local.org",
        "SALESFORCE_PASSWORD": "localpass",
        "SALESFORCE_TOKEN_URL": f"{org_url}/services/oauth2/token",
        "ORGBRIDGE_DATA": str(folder / "data"),
        "DATA_PATH_INPUT": str(folder / "input"),
        "DATA_PATH_OUTPUT": str(folder / "output"),
        "DATA_PATH_FAILED": str(folder / "failed"),
        "ORGBRIDGE_POLL_SECONDS": "0.2",
        "ORGBRIDGE_LEASE_SECONDS": "6",
    }


async def answers(url: str) -> bool:
    """Return whether something sensible answers at an address."""
    try:
        async with aiohttp.ClientSession(timeout=_PROBE) as session, session.get(url) as response:
            return response.status < 500
    except (aiohttp.ClientError, TimeoutError):
        return False


class ForkedChild(Child):
    """A child of the demo's kind that starts as a fork: for towns whose processes are killed and started many times."""

    _fork: Fork | None = None

    @property
    def pid(self) -> int:
        """The process id of the present process."""
        assert self._fork is not None, "started first"
        return self._fork.pid

    @property
    def running(self) -> bool:
        """True until the process has ended."""
        return self._fork is not None and self._fork.poll() is None

    @property
    def status(self) -> int | None:
        """The exit status of the last process, negative for a signal; None while it runs and before the first."""
        return None if self._fork is None else self._fork.poll()

    async def start(self) -> None:
        """Start the process; its output is appended to the log."""
        with self.log.open("ab") as log:
            self._fork = await asyncio.to_thread(
                Fork,
                ["-m", "orgbridge.cli", *self._arguments],
                folder=self._folder,
                environment=self._environment,
                stdout=log,
                stderr=log,
                session=True,
            )

    async def kill(self) -> None:
        """End the process as a power cut would: SIGKILL."""
        if self._fork is not None:
            self._fork.kill()
            await asyncio.to_thread(self._fork.wait)

    async def stop(self) -> None:
        """Ask the process to end; kill it when it does not within ten seconds."""
        if self._fork is None:
            return
        self._fork.terminate()
        try:
            await asyncio.to_thread(self._fork.wait, 10.0)
        except TimeoutExpired:
            await self.kill()


async def forked_to_end(arguments: Sequence[str], environment: Mapping[str, str], folder: Path) -> bytes:
    """Run one short `orgbridge` command in a fork and return its standard output."""
    done = await asyncio.to_thread(run, ["-m", "orgbridge.cli", *arguments], folder=folder, environment=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.encode()


class Town:
    """An emulated org, a service and some workers, each a process that can be killed and started again.

    Args:
        folder: Everything lies here.
        workers: How many.
        settings: On top of the usual ones, e.g. PSQL_CONNECTION_STRING.
    """

    def __init__(self, folder: Path, *, workers: int = 1, settings: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.clock = SystemClock()
        org_port, service_port = free_port(), free_port()
        self.org_url = f"http://127.0.0.1:{org_port}"
        self.service_url = f"http://127.0.0.1:{service_port}"
        self.settings = {**salesforce_settings(self.org_url, folder), **(settings or {})}
        (folder / "input").mkdir(exist_ok=True)
        org_arguments = ("emulator", "serve", "--port", str(org_port), "--data", str(folder / "org.sqlite"))
        self.org = ForkedChild("org", org_arguments, {}, folder)
        self.service = ForkedChild("service", ("serve", "--port", str(service_port)), self.settings, folder)
        self.workers = [ForkedChild(f"worker{number}", ("worker",), self.settings, folder) for number in range(workers)]
        self.address = Address(url=self.service_url, token="")

    @property
    def children(self) -> Sequence[Child]:
        """Every process of the town."""
        return (self.org, self.service, *self.workers)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Service]:
        """Start everything, sign in, and end every process on the way out."""
        try:
            await forked_to_end(("db", "upgrade"), clean_environment(self.settings), self.folder)
            made = await forked_to_end(
                ("users", "create", "tester", "--admin", "--json"), clean_environment(self.settings), self.folder
            )
            for child in self.children:
                await child.start()
            await self.org.wait_until(lambda: answers(f"{self.org_url}/services/data"), self.clock)
            await self.wait_for_service()
            token = await sign_in(self.service_url, "tester", str(json.loads(made)["password"]))
            self.address = Address(url=self.service_url, token=token)
            async with Service(self.address) as service:
                yield service
        finally:
            for child in self.children:
                await child.kill()

    async def wait_for_service(self) -> None:
        """Wait until the service answers."""
        await self.service.wait_until(lambda: answers(f"{self.service_url}/health/live"), self.clock)

    def last_words(self) -> str:
        """Return the ends of all logs, for a failed test's report."""
        return "\n".join(f"--- {child.name}\n{child.tail()}" for child in self.children)
