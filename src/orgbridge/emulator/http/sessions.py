"""Sessions: tokens of Salesforce's shape, kept as hashes in the storage so that a restart keeps them valid.

Use of a session is noted in memory and saved now and then: a lost note only makes a session end a little early.
"""

from __future__ import annotations

import hashlib
import secrets
import string
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta

from orgbridge.emulator.storage.database import Storage
from orgbridge.kit.clock import Clock
from orgbridge.wire.dates import bulk_datetime, parse_datetime

_CHARS = string.ascii_letters + string.digits + "._"
_ACCESS, _REFRESH = "access", "refresh"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Who speaks."""

    #: Hash of the token.
    token_hash: str
    #: 18-character id of the user.
    user_id: str
    #: Consumer key that the token was given to; None for SOAP login.
    client_id: str | None


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


class Sessions:
    """Issues, finds and ends sessions. Methods touch the storage unless their docstring says otherwise.

    Args:
        storage: Where they are kept.
        clock: The time.
        org_id: 18-character id of the org.
        idle: How long a session lives without use.
    """

    def __init__(self, storage: Storage, clock: Clock, org_id: str, idle: timedelta) -> None:
        self._storage = storage
        self._clock = clock
        self._org_id = org_id
        self._idle = idle
        self._lock = threading.Lock()
        self._known: dict[str, tuple[Session, datetime]] = {}
        self._dirty: set[str] = set()

    def issue(self, user_id: str, client_id: str | None) -> str:
        """Open a session and return its token: `{15 characters of the org}!{96 characters}`."""
        token = f"{self._org_id[:15]}!AQ" + "".join(secrets.choice(_CHARS) for _ in range(94))
        self._store(token, _ACCESS, user_id, client_id)
        return token

    def keep_refresh_token(self, token: str, user_id: str, client_id: str) -> None:
        """Make a refresh token good for a user and a client; one that was revoked stays revoked."""
        with self._storage.write() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO ob_sessions (token_hash, kind, user_id, client_id, issued_at, used_at) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                (_hash(token), _REFRESH, user_id, client_id, self._stamp(), self._stamp()),
            )

    def refresh_owner(self, token: str, client_id: str) -> str | None:
        """Return the user of a refresh token that was given to this client, or None."""
        with self._storage.read() as connection:
            row = connection.execute(
                "SELECT user_id FROM ob_sessions WHERE token_hash = ? AND kind = ? AND client_id = ?",
                (_hash(token), _REFRESH, client_id),
            ).fetchone()
        return None if row is None else str(row[0])

    def known(self, token: str) -> Session | None:
        """Return the live session of a token seen before, and note its use. Does no I/O: fit for the event loop."""
        key, now = _hash(token), self._clock.now()
        with self._lock:
            entry = self._known.get(key)
            if entry is None or now - entry[1] > self._idle:
                return None
            self._known[key] = (entry[0], now)
            self._dirty.add(key)
            return entry[0]

    def find(self, token: str) -> Session | None:
        """Return the live session of a token, and note its use."""
        if (session := self.known(token)) is not None:
            return session
        key = _hash(token)
        with self._storage.read() as connection:
            row = connection.execute(
                "SELECT user_id, client_id, used_at FROM ob_sessions WHERE token_hash = ? AND kind = ?", (key, _ACCESS)
            ).fetchone()
        if row is None:
            return None
        used, now = parse_datetime(str(row[2])), self._clock.now()
        with self._lock:
            noted = self._known.get(key)
            if used is None or now - max(used, noted[1] if noted else used) > self._idle:
                return None
            session = Session(token_hash=key, user_id=str(row[0]), client_id=row[1])
            self._known[key] = (session, now)
            self._dirty.add(key)
        return session

    def revoke(self, token: str) -> bool:
        """End the session or refresh token; tell whether there was one."""
        key = _hash(token)
        with self._lock:
            self._known.pop(key, None)
        with self._storage.write() as connection:
            # A revoked refresh token leaves a mark, so that a configured one does not come back at the next start.
            cursor = connection.execute(
                "UPDATE ob_sessions SET kind = 'revoked' WHERE token_hash = ? AND kind <> 'revoked'", (key,)
            )
            return cursor.rowcount > 0

    def expire_all(self) -> int:
        """End every session, refresh tokens apart; return how many there were."""
        with self._lock:
            self._known.clear()
            self._dirty.clear()
        with self._storage.write() as connection:
            return connection.execute("DELETE FROM ob_sessions WHERE kind = ?", (_ACCESS,)).rowcount

    def save(self) -> None:
        """Save the noted uses."""
        with self._lock:
            notes = [(bulk_datetime(self._known[key][1]), key) for key in sorted(self._dirty) if key in self._known]
            self._dirty.clear()
        if notes:
            with self._storage.write() as connection:
                connection.executemany("UPDATE ob_sessions SET used_at = ? WHERE token_hash = ?", notes)

    def sweep(self) -> None:
        """Remove sessions that ended long ago."""
        limit = bulk_datetime(self._clock.now() - 2 * self._idle)
        with self._storage.write() as connection:
            connection.execute("DELETE FROM ob_sessions WHERE kind = ? AND used_at < ?", (_ACCESS, limit))

    def _stamp(self) -> str:
        return bulk_datetime(self._clock.now())

    def _store(self, token: str, kind: str, user_id: str, client_id: str | None) -> None:
        stamp = self._stamp()
        with self._storage.write() as connection:
            connection.execute(
                "INSERT INTO ob_sessions (token_hash, kind, user_id, client_id, issued_at, used_at) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                (_hash(token), kind, user_id, client_id, stamp, stamp),
            )
