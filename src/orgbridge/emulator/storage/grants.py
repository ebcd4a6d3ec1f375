"""Small durable facts that end: authorization codes, device requests, approvals, browser sign-ins, failed passwords.

Keys are kept as hashes, since most of them are secrets.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from orgbridge.kit.json import JSON, dumps, loads
from orgbridge.wire.dates import bulk_datetime, parse_datetime

GRANTS_TABLE = (
    "CREATE TABLE IF NOT EXISTS ob_grants (kind TEXT NOT NULL, key_hash TEXT NOT NULL, body TEXT NOT NULL,"
    " expires_at TEXT NOT NULL, PRIMARY KEY (kind, key_hash)) WITHOUT ROWID"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What is kept under a key."""

    #: Its values.
    body: dict[str, JSON]
    #: When it ends.
    expires_at: datetime


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def put_grant(connection: sqlite3.Connection, kind: str, key: str, body: Mapping[str, JSON], ends: datetime) -> None:
    """Keep values under a key until an instant; over what was there."""
    values = (kind, _hash(key), dumps(dict(body)).decode(), bulk_datetime(ends))
    connection.execute("INSERT OR REPLACE INTO ob_grants VALUES (?, ?, ?, ?)", values)


def find_grant(connection: sqlite3.Connection, kind: str, key: str) -> Grant | None:
    """Return what is kept under a key, even past its end, or None."""
    sql = "SELECT body, expires_at FROM ob_grants WHERE kind = ? AND key_hash = ?"
    row = connection.execute(sql, (kind, _hash(key))).fetchone()
    ends = parse_datetime(row[1]) if row else None
    return None if ends is None else Grant(body=dict(loads(row[0])), expires_at=ends)


def drop_grant(connection: sqlite3.Connection, kind: str, key: str) -> bool:
    """Forget what is kept under a key; True when there was something."""
    sql = "DELETE FROM ob_grants WHERE kind = ? AND key_hash = ?"
    return connection.execute(sql, (kind, _hash(key))).rowcount > 0


def sweep_grants(connection: sqlite3.Connection, ended_before: datetime) -> None:
    """Forget what ended before an instant."""
    connection.execute("DELETE FROM ob_grants WHERE expires_at < ?", (bulk_datetime(ended_before),))
