"""Fixtures of engine tests: an emulated org that saves 50 rows at a time, empty for each test, and a bench over it.

A test module imports them by name and lists them in its `__all__`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.support.emulator_server import EmulatorServer
from tests.support.engine_bench import Bench
from tests.support.org_calls import OrgCalls


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorServer]:
    """Give one emulated org to all tests of the module."""
    with EmulatorServer(tmp_path_factory.mktemp("org") / "org.sqlite", batch_rows=50) as server:
        yield server


@pytest.fixture
def org(server: EmulatorServer) -> OrgCalls:
    """Give the org, empty and without faults."""
    server.request("POST", "/_emulator/reset")
    return OrgCalls(server.url)


@pytest.fixture
async def bench(tmp_path: Path, server: EmulatorServer, org: OrgCalls) -> AsyncIterator[Bench]:
    """Give a bench on SQLite over the emulated org."""
    bench = Bench(f"sqlite:///{tmp_path / 'orgbridge.sqlite'}", tmp_path, salesforce=server.url)
    yield bench
    await bench.close()
