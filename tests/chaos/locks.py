"""The service's tables seen and held from outside, on SQLite and on PostgreSQL: a held table is a write that waits."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import psycopg

_ROW = "SELECT id, revision, state, order_id, order_reference, dispatched_at FROM placements WHERE cart_id = "


class Tables:
    """The store's placements, and the durable engine's workflows.

    Args:
        folder: The service's data, for SQLite.
        postgres: Connection string; None on SQLite.
    """

    def __init__(self, folder: Path, postgres: str | None) -> None:
        self._postgres = postgres
        self._store, self._engine = folder / "orgbridge.sqlite", folder / "engine.sqlite"
        self._held: dict[str, Any] = {}

    def placement(self, cart: str) -> dict[str, Any] | None:
        """Return id, revision, state and order of a cart's newest placement."""
        if self._postgres is not None:
            with psycopg.connect(self._postgres, autocommit=True) as connection:
                found = connection.execute(f"{_ROW} %s ORDER BY created_at DESC LIMIT 1", (cart,)).fetchone()
        else:
            with sqlite3.connect(self._store, timeout=20) as file:
                found = file.execute(f"{_ROW} ? ORDER BY created_at DESC LIMIT 1", (cart,)).fetchone()
            file.close()
        names = ("id", "revision", "state", "order_id", "order_reference", "dispatched_at")
        return None if found is None else dict(zip(names, found, strict=True))

    def is_enqueued(self, placement_id: str) -> bool:
        """Tell whether the engine was handed a placement."""
        query = "SELECT 1 FROM {} WHERE workflow_uuid = "
        if self._postgres is not None:
            with psycopg.connect(self._postgres, autocommit=True) as connection:
                asked = f"{query.format('dbos.workflow_status')} %s"
                return connection.execute(asked, (placement_id,)).fetchone() is not None  # type: ignore[arg-type]
        with sqlite3.connect(self._engine, timeout=20) as file:
            found = file.execute(f"{query.format('workflow_status')} ?", (placement_id,)).fetchone() is not None
        file.close()
        return found

    def living_workers(self) -> int:
        """Count the workers whose lease holds. PostgreSQL only."""
        assert self._postgres is not None, "SQLite has no leases"
        with psycopg.connect(self._postgres, autocommit=True) as connection:
            found = connection.execute("SELECT count(*) FROM executor_leases WHERE expires_at > now()").fetchone()
        return 0 if found is None else int(found[0])

    def hold(self, which: str) -> None:
        """Let nobody write to the store's placements (`store`), or to the engine's steps (`engine`)."""
        if self._postgres is not None:
            connection = psycopg.connect(self._postgres)
            table = "placements" if which == "store" else "dbos.operation_outputs"
            connection.execute(f"LOCK TABLE {table} IN EXCLUSIVE MODE")  # type: ignore[arg-type]
            self._held[which] = connection
            return
        path = self._store if which == "store" else self._engine
        file = sqlite3.connect(path, timeout=20, isolation_level=None, check_same_thread=False)
        file.execute("BEGIN IMMEDIATE")
        self._held[which] = file

    def let_go(self, which: str | None = None) -> None:
        """Let everybody write again."""
        for name in [which] if which else list(self._held):
            held = self._held.pop(name, None)
            if held is not None:
                held.rollback()
                held.close()

    @property
    def somebody_waits(self) -> bool | None:
        """Whether a process waits for what is held; None where that cannot be seen."""
        if self._postgres is None:
            return None
        with psycopg.connect(self._postgres, autocommit=True) as connection:
            return connection.execute("SELECT 1 FROM pg_locks WHERE NOT granted LIMIT 1").fetchone() is not None
