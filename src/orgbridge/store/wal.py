"""Write-ahead logging for a SQLite file that another library will open."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa


def set_wal(file: Path) -> None:
    """Make a SQLite file, new or not, keep a write-ahead log. The mode stays with the file. Blocking."""
    engine = sa.create_engine(sa.URL.create("sqlite+pysqlite", database=str(file)), poolclass=sa.NullPool)
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA busy_timeout=30000")
            connection.exec_driver_sql("PRAGMA journal_mode=WAL")
    finally:
        engine.dispose()
