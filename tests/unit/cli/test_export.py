"""`orgbridge export` on its caller's side: what it asks for, and a file that is proven or not there."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from orgbridge.cli.addresses import Address
from orgbridge.cli.commands.export import queried_object
from orgbridge.cli.errors import UsageError
from orgbridge.cli.loading import FileDiffers, ResultKind, save_results
from orgbridge.cli.service import Service

_RESULTS = b'"Id"\n"001"\n'


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    """Give the client of a service that has results for one job."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=_RESULTS, content_type="text/csv")

    app = web.Application()
    app.router.add_get("/api/v1/bulk/job/load_1/results/all", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    try:
        async with Service(Address(url=f"http://{host}:{port}", token="t")) as client:
            yield client
    finally:
        await runner.cleanup()


def test_the_object_of_a_query_is_the_one_it_reads() -> None:
    """Written any way; what is no SOQL is bad usage."""
    assert queried_object("select Id from Account a where a.Name = 'from Contact'") == "Account"
    with pytest.raises(UsageError, match="no SOQL"):
        queried_object("SELECT FROM")


async def test_a_file_is_what_its_receipt_says(service: Service, tmp_path: Path) -> None:
    """Bytes with the hash that was promised become the file."""
    path = tmp_path / "x.csv"
    await save_results(service, "load_1", ResultKind.ALL, path, sha256=hashlib.sha256(_RESULTS).hexdigest())
    assert path.read_bytes() == _RESULTS


async def test_a_file_that_differs_from_its_receipt_is_not_written(service: Service, tmp_path: Path) -> None:
    """Whoever reads the file later must not take it for the export; one that was there before stays."""
    path = tmp_path / "x.csv"
    path.write_bytes(b"before")
    with pytest.raises(FileDiffers):
        await save_results(service, "load_1", ResultKind.ALL, path, sha256="00")
    assert [(found.name, found.read_bytes()) for found in tmp_path.iterdir()] == [("x.csv", b"before")]
