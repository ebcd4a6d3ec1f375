"""SIGKILL of service, worker and emulated org at random moments: nothing lost, nothing doubled, nothing stuck."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.harness import Killer, verify
from tests.support.postgres import running_postgres
from tests.support.processes import Town

pytestmark = [pytest.mark.chaos, pytest.mark.system]

_LOAD_ROWS = 3_000
_PART_ROWS = "500"


@pytest.fixture(params=["sqlite", "postgresql"])
def backend(request: pytest.FixtureRequest) -> Iterator[tuple[dict[str, str], int]]:
    """Settings of the database, and how many workers it carries."""
    if request.param == "sqlite":
        yield {}, 1
        return
    with running_postgres() as server:
        yield {"PSQL_CONNECTION_STRING": server.create_migrated()}, 3


@pytest.mark.timeout(1800)
async def test_no_row_is_lost_or_doubled_when_processes_die(
    backend: tuple[dict[str, str], int], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Every load ends complete, with a balanced receipt and each succeeded row in the org exactly once."""
    settings, workers = backend
    town = Town(tmp_path, workers=workers, settings={"ORGBRIDGE_PART_ROWS": _PART_ROWS, **settings})
    async with town.open() as service:
        killer = Killer(
            town,
            service,
            kills=request.config.getoption("--kills"),
            load_rows=_LOAD_ROWS,
            seed=request.config.getoption("--chaos-seed"),
        )
        try:
            await killer.run()
            faults = [fault for load in killer.loads for fault in await verify(service, load)]
        except Exception as error:
            raise AssertionError(f"{error!r} after {dict(killer.killed)}\n{town.last_words()}") from error
    assert faults == [], f"after {dict(killer.killed)}\n{town.last_words()}"
