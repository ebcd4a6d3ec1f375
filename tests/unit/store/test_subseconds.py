"""Time to the millisecond on every SQLite that a Python may be linked with."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from orgbridge.store.subseconds import teach_subseconds

_TABLE = "CREATE TABLE moments (id INTEGER PRIMARY KEY, at INTEGER NOT NULL DEFAULT (unixepoch('subsec') * 1000))"


def test_a_default_of_milliseconds_is_filled_in(tmp_path: Path) -> None:
    """As the durable engine's tables need it; without this their first row is refused on SQLite before 3.42."""
    teach_subseconds()
    teach_subseconds()
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'engine.sqlite'}")
    before = int(time.time() * 1000)
    with engine.begin() as connection:
        connection.exec_driver_sql(_TABLE)
        connection.exec_driver_sql("INSERT INTO moments (id) VALUES (1)")
        (at,) = connection.exec_driver_sql("SELECT at FROM moments").one()
        now = connection.execute(sa.select(sa.cast(sa.func.unixepoch("subsec") * 1000, sa.BigInteger))).scalar_one()
    engine.dispose()
    assert before <= at <= now <= int(time.time() * 1000)


def test_a_time_that_is_not_known_is_no_wrong_time(tmp_path: Path) -> None:
    """A library that was taught answers this one question only; a newer one knows the rest itself."""
    teach_subseconds()
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'engine.sqlite'}")
    with engine.connect() as connection:
        (version,) = connection.exec_driver_sql("SELECT sqlite_version()").one()
        if tuple(map(int, version.split("."))) < (3, 42):
            with pytest.raises(sa.exc.OperationalError):
                connection.exec_driver_sql("SELECT unixepoch('now')").one()
        else:
            assert connection.exec_driver_sql("SELECT unixepoch('now')").scalar_one() > 0
    engine.dispose()
