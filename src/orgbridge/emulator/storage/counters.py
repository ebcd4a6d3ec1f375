"""Small durable facts: settings by key, and counters that never give a number twice."""

from __future__ import annotations

import sqlite3


def get_meta(connection: sqlite3.Connection, key: str) -> str | None:
    """Return what was stored under a key, or None."""
    row = connection.execute("SELECT value FROM ob_meta WHERE key = ?", (key,)).fetchone()
    return None if row is None else str(row[0])


def set_meta(connection: sqlite3.Connection, key: str, value: str) -> None:
    """Store a text under a key, over what was there."""
    connection.execute(
        "INSERT INTO ob_meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", (key, value)
    )


def allocate(connection: sqlite3.Connection, key: str, count: int = 1, *, first: int = 1) -> int:
    """Take `count` numbers in a row and return the lowest; no later call gets any of them.

    Args:
        connection: The open write transaction; the numbers are taken when it commits.
        key: What is counted: a key prefix for record ids, `Object.Field` for auto-numbers.
        count: How many.
        first: Where the counting starts when the key is new.
    """
    row = connection.execute(
        "INSERT INTO ob_counters VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET next = next + ? RETURNING next",
        (key, first + count, count),
    ).fetchone()
    return int(row[0]) - count
