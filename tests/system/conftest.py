"""One running town for all tests of a worker process: starting three processes costs more than most of these tests."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.support.processes import Town


@pytest.fixture(scope="session")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """An emulated org, a service and a worker, running on a loop in a thread of their own."""
    folder: Path = tmp_path_factory.mktemp("town")
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    stack = AsyncExitStack()
    town = Town(folder)

    def in_loop(work: object) -> object:
        return asyncio.run_coroutine_threadsafe(work, loop).result(90)  # type: ignore[arg-type]

    in_loop(stack.enter_async_context(town.open()))
    try:
        yield town
    finally:
        in_loop(stack.aclose())
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


@pytest.fixture
def shell(town: Town) -> dict[str, str]:
    """Settings of a shell that is signed in to the town."""
    return {"ORGBRIDGE_URL": town.address.url, "ORGBRIDGE_TOKEN": town.address.token}
