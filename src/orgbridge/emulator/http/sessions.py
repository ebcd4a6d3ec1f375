"""Sessions: tokens of Salesforce's shape, kept as hashes in the storage so that a restart keeps them valid.

Use of a session is noted in memory and saved now and then: a lost note only makes a session end a little early.
"""

from __future__ import annotations

import hashlib
import secrets
import string
import threading
from datetime import datetime, timedelta

from orgbridge.emulator.storage.counters import get_meta, set_meta
from orgbridge.emulator.storage.database import Storage
from orgbridge.emulator.storage.sessions import Session, drop_session, find_session, put_session, touch_session
from orgbridge.kit.clock import Clock
from orgbridge.wire.dates import bulk_datetime

_CHARS = string.ascii_letters + string.digits + "._"
_ACCESS, _REFRESH = "access", "refresh"
_REVOKED = "revoked_refresh_token"


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
        with self._storage.write() as connection:
            put_session(connection, token, self._session(_ACCESS, user_id, client_id))
        return token

    def keep_refresh_token(self, token: str, user_id: str, client_id: str) -> None:
        """Make a refresh token good for a user and a client; one that was revoked stays revoked."""
        with self._storage.write() as connection:
            known = find_session(connection, token)
            if known is None and get_meta(connection, _REVOKED) != _hash(token):
                put_session(connection, token, self._session(_REFRESH, user_id, client_id))

    def refresh_owner(self, token: str, client_id: str) -> str | None:
        """Return the user of a refresh token that was given to this client, or None."""
        with self._storage.read() as connection:
            session = find_session(connection, token)
        if session is None or session.kind != _REFRESH or session.client_id != client_id:
            return None
        return session.user_id

    def known(self, token: str) -> Session | None:
        """Return the live session of a token seen before, and note its use. Does no I/O: fit for the event loop."""
        now = self._clock.now()
        with self._lock:
            entry = self._known.get(token)
            if entry is None or now - entry[1] > self._idle:
                return None
            self._known[token] = (entry[0], now)
            self._dirty.add(token)
            return entry[0]

    def find(self, token: str) -> Session | None:
        """Return the live session of a token, and note its use."""
        if (session := self.known(token)) is not None:
            return session
        with self._storage.read() as connection:
            stored = find_session(connection, token)
        if stored is None or stored.kind != _ACCESS:
            return None
        now = self._clock.now()
        with self._lock:
            noted = self._known.get(token)
            if now - max(stored.used_at, noted[1] if noted else stored.used_at) > self._idle:
                return None
            self._known[token] = (stored, now)
            self._dirty.add(token)
        return stored

    def revoke(self, token: str) -> bool:
        """End the session or refresh token; tell whether there was one."""
        with self._lock:
            self._known.pop(token, None)
            self._dirty.discard(token)
        with self._storage.write() as connection:
            session = find_session(connection, token)
            if session is not None and session.kind == _REFRESH:
                # So that a configured refresh token does not come back at the next start.
                set_meta(connection, _REVOKED, _hash(token))
            return drop_session(connection, token)

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
            notes = [(token, self._known[token][1]) for token in sorted(self._dirty) if token in self._known]
            self._dirty.clear()
        if notes:
            with self._storage.write() as connection:
                for token, used_at in notes:
                    touch_session(connection, token, used_at)

    def rows(self) -> list[tuple[str, ...]]:
        """Return all sessions as they are kept, for `adopt`."""
        self.save()
        with self._storage.read() as connection:
            return connection.execute("SELECT * FROM ob_sessions").fetchall()

    def adopt(self, rows: list[tuple[str, ...]]) -> None:
        """Add sessions of another state of the org, as far as their users are there; forget what memory holds."""
        with self._lock:
            self._known.clear()
            self._dirty.clear()
        with self._storage.write() as connection:
            users = {row[0] for row in connection.execute('SELECT Id FROM "User"')}
            kept = [row for row in rows if row[2] in users]
            connection.executemany("INSERT OR IGNORE INTO ob_sessions VALUES (?, ?, ?, ?, ?, ?)", kept)

    def sweep(self) -> None:
        """Remove sessions that ended long ago."""
        limit = bulk_datetime(self._clock.now() - 2 * self._idle)
        with self._storage.write() as connection:
            connection.execute("DELETE FROM ob_sessions WHERE kind = ? AND used_at < ?", (_ACCESS, limit))

    def _session(self, kind: str, user_id: str, client_id: str | None) -> Session:
        now = self._clock.now()
        return Session(kind=kind, user_id=user_id, client_id=client_id, issued_at=now, used_at=now)
