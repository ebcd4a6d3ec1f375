"""The dirty demo while all goes wrong at once: locks, lost replies, cut connections, ended sessions, SIGKILLs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from orgbridge.cli.demo.run import Demo, DemoOptions, Story
from orgbridge.cli.terminal import Terminal
from orgbridge.kit.clock import SystemClock
from tests.support.object_servers import s3_server
from tests.support.postgres import running_postgres

pytestmark = [pytest.mark.chaos, pytest.mark.system]

#: So many processes die in a run of the short form; the long one has one more for every so many rows.
_KILLS = 3
_ROWS_PER_KILL = 100_000


async def _play(options: DemoOptions) -> Story:
    terminal = Terminal(as_json=True)
    story = await Demo(options, terminal, SystemClock()).run()
    # What `make chaos` shows.
    terminal.note(
        f"{story.seconds:.0f} s, {story.receipt.get('api_calls')} API calls, rows {story.receipt.get('rows')}"
    )
    for check in story.checks:
        terminal.note(f"{check.claim}: {check.detail}")
    return story


def _options(folder: Path, rows: int) -> DemoOptions:
    return DemoOptions(
        rows=rows, seed=2026, crash=True, faults=True, kills=_KILLS + rows // _ROWS_PER_KILL, folder=folder
    )


def _broken(story: Story) -> list[str]:
    return [f"{check.claim}: {check.detail}" for check in story.checks if not check.holds]


@pytest.mark.timeout(3600)
async def test_every_row_is_accounted_for_on_sqlite(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """On SQLite the receipt balances, results agree with the input, and the org holds each succeeded row once."""
    story = await _play(_options(tmp_path, request.config.getoption("--rows")))
    assert _broken(story) == []
    assert story.holds


@pytest.mark.timeout(3600)
async def test_every_row_is_accounted_for_on_postgresql_and_s3(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """On PostgreSQL with three workers and files in S3 the same holds, and no machine keeps a file of the load."""
    options = _options(tmp_path, request.config.getoption("--rows"))
    objects = tmp_path / "s3"
    objects.mkdir()
    with s3_server(objects) as s3, running_postgres() as postgres:
        settings = {
            "PSQL_CONNECTION_STRING": postgres.create_migrated(),
            # A worker that died gives its work back soon.
            "ORGBRIDGE_LEASE_SECONDS": "6",
            **s3.settings(s3.url()),
        }
        story = await _play(replace(options, workers=3, settings=settings))
    assert _broken(story) == []
    assert {kill.name for kill in story.kills} > {"org", "service"}
    assert not [path for path in tmp_path.glob("*/files/**/*") if path.is_file()]
