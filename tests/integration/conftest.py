"""Real databases: one throw-away PostgreSQL for the run, one SQLite file for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.commerce_world import commerce_host
from tests.support.databases import migrate
from tests.support.postgres import Server, running_postgres

#: Fixtures that are made elsewhere; one host for all modules, so that the seed is made once.
__all__ = ["commerce_host"]


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """Give a PostgreSQL server."""
    with running_postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give the address of a database with all tables and no rows, on each backend in turn."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'orgbridge.sqlite'}"
        migrate(url)
        return url
    server: Server = request.getfixturevalue("postgres")
    return server.create_migrated()


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give the address of an empty database, on each backend in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'orgbridge.sqlite'}"
    server: Server = request.getfixturevalue("postgres")
    return server.create_database()
