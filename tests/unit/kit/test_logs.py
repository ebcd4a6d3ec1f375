"""What the libraries below us would say of values, and may not."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import aiosqlite
import pytest

from orgbridge.kit.logs import LogConfig, configure_logs


@pytest.fixture
def untouched_logging() -> Iterator[None]:
    """Give the process its handlers and levels back."""
    root, driver = logging.getLogger(), logging.getLogger("aiosqlite")
    handlers, level, quiet = list(root.handlers), root.level, driver.level
    driver.setLevel(logging.NOTSET)
    yield
    for handler in set(root.handlers) - set(handlers):
        handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)
    driver.setLevel(quiet)


@pytest.mark.usefixtures("untouched_logging")
async def test_no_value_bound_to_a_statement_is_logged_even_at_debug(tmp_path: Path) -> None:
    """At LOG_LEVEL=DEBUG the database driver tells every statement with its values; none of it reaches our log."""
    path = tmp_path / "service.txt"
    configure_logs(LogConfig(level="DEBUG", json=True, filename=path))
    async with aiosqlite.connect(":memory:") as connection:
        await connection.execute("SELECT ?", ("a password hash",))
    logging.getLogger("orgbridge.test").debug("still heard")
    said = path.read_text()
    assert "still heard" in said
    assert "a password hash" not in said
