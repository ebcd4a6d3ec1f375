"""Access and refresh tokens that outlive a restart. Only their hashes are stored."""

from __future__ import annotations

import hashlib
import sqlite3
from dataclasses import dataclass
from datetime import datetime

from orgbridge.wire.dates import bulk_datetime, parse_datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One token that was given out."""

    #: `access` or `refresh`.
    kind: str
    #: Whose it is.
    user_id: str
    #: The app it was given to; None when unknown.
    client_id: str | None
    #: When it was given out.
    issued_at: datetime
    #: When it was last used.
    used_at: datetime


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def put_session(connection: sqlite3.Connection, token: str, session: Session) -> None:
    """Remember a token; over what was known of it."""
    connection.execute(
        "INSERT OR REPLACE INTO ob_sessions VALUES (?, ?, ?, ?, ?, ?)",
        (
            _hash(token),
            session.kind,
            session.user_id,
            session.client_id,
            bulk_datetime(session.issued_at),
            bulk_datetime(session.used_at),
        ),
    )


def find_session(connection: sqlite3.Connection, token: str) -> Session | None:
    """Return what is known of a token, or None."""
    row = connection.execute(
        "SELECT kind, user_id, client_id, issued_at, used_at FROM ob_sessions WHERE token_hash = ?", (_hash(token),)
    ).fetchone()
    if row is None:
        return None
    issued, used = parse_datetime(row[3]), parse_datetime(row[4])
    if issued is None or used is None:
        return None
    return Session(kind=row[0], user_id=row[1], client_id=row[2], issued_at=issued, used_at=used)


def touch_session(connection: sqlite3.Connection, token: str, now: datetime) -> None:
    """Note that a token was used."""
    connection.execute("UPDATE ob_sessions SET used_at = ? WHERE token_hash = ?", (bulk_datetime(now), _hash(token)))


def drop_session(connection: sqlite3.Connection, token: str) -> bool:
    """Forget a token; True when it was known."""
    return connection.execute("DELETE FROM ob_sessions WHERE token_hash = ?", (_hash(token),)).rowcount > 0
