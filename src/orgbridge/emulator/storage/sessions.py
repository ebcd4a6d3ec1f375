"""Access and refresh tokens that outlive a restart. Only their hashes are stored."""

from __future__ import annotations

import hashlib
import sqlite3
from dataclasses import dataclass
from datetime import datetime

from orgbridge.wire.dates import bulk_datetime, parse_datetime

#: Columns that files of an older emulator lack, with their definitions.
LATER_COLUMNS = {"scope": "TEXT NOT NULL DEFAULT ''", "flow": "TEXT NOT NULL DEFAULT ''", "parent_hash": "TEXT"}
#: Columns beside the hash, in order.
COLUMNS = "kind, user_id, client_id, issued_at, used_at, scope, flow, parent_hash"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One token that was given out."""

    #: `access` or `refresh`; `revoked` for a refresh token that must not come back.
    kind: str
    #: Whose it is.
    user_id: str
    #: The app it was given to; None when unknown.
    client_id: str | None
    #: When it was given out.
    issued_at: datetime
    #: When it was last used.
    used_at: datetime
    #: What it is good for: words of OAuth, parted by blanks.
    scope: str = ""
    #: The way of signing in, e.g. `password`; empty when unknown.
    flow: str = ""
    #: Hash of the refresh token that it came from or came with; None without one.
    parent_hash: str | None = None


def token_hash(token: str) -> str:
    """Return what stands for a token in the storage."""
    return hashlib.sha256(token.encode()).hexdigest()


def put_session(connection: sqlite3.Connection, token: str, session: Session) -> None:
    """Remember a token; over what was known of it."""
    connection.execute(
        f"INSERT OR REPLACE INTO ob_sessions (token_hash, {COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 fixed names
        (
            token_hash(token),
            session.kind,
            session.user_id,
            session.client_id,
            bulk_datetime(session.issued_at),
            bulk_datetime(session.used_at),
            session.scope,
            session.flow,
            session.parent_hash,
        ),
    )


def find_session(connection: sqlite3.Connection, token: str) -> Session | None:
    """Return what is known of a token, or None."""
    return find_hashed(connection, token_hash(token))


def find_hashed(connection: sqlite3.Connection, hashed: str) -> Session | None:
    """Return what is known of a token of that hash, or None."""
    row = connection.execute(
        f"SELECT {COLUMNS} FROM ob_sessions WHERE token_hash = ?",  # noqa: S608 fixed names
        (hashed,),
    ).fetchone()
    if row is None:
        return None
    issued, used = parse_datetime(row[3]), parse_datetime(row[4])
    if issued is None or used is None:
        return None
    return Session(
        kind=row[0],
        user_id=row[1],
        client_id=row[2],
        issued_at=issued,
        used_at=used,
        scope=row[5],
        flow=row[6],
        parent_hash=row[7],
    )


def touch_session(connection: sqlite3.Connection, token: str, now: datetime) -> None:
    """Note that a token was used."""
    values = (bulk_datetime(now), token_hash(token))
    connection.execute("UPDATE ob_sessions SET used_at = ? WHERE token_hash = ?", values)


def drop_session(connection: sqlite3.Connection, token: str) -> bool:
    """Forget a token; True when it was known."""
    return connection.execute("DELETE FROM ob_sessions WHERE token_hash = ?", (token_hash(token),)).rowcount > 0


def drop_children(connection: sqlite3.Connection, parent_hash: str) -> int:
    """Forget the access tokens that came from a refresh token; return how many there were."""
    sql = "DELETE FROM ob_sessions WHERE kind = 'access' AND parent_hash = ?"
    return connection.execute(sql, (parent_hash,)).rowcount
