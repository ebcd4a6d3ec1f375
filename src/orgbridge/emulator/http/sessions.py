"""Sessions: tokens of Salesforce's shape, kept as hashes in the storage so that a restart keeps them valid.

Use of a session is noted in memory and saved now and then: a lost note only makes a session end a little early.
"""

from __future__ import annotations

import secrets
import string
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from orgbridge.emulator.storage.counters import get_meta
from orgbridge.emulator.storage.database import Storage
from orgbridge.emulator.storage.sessions import (
    COLUMNS,
    Session,
    drop_children,
    drop_session,
    find_hashed,
    find_session,
    put_session,
    token_hash,
    touch_session,
)
from orgbridge.kit.clock import Clock
from orgbridge.wire.dates import bulk_datetime

_CHARS = string.ascii_letters + string.digits + "._"
_ACCESS, _REFRESH, _REVOKED, _ROTATED = "access", "refresh", "revoked", "rotated"
#: Refresh tokens that a user may have for one client. Source: Salesforce help, "Application Access Request": each
#: connected app allows five approvals per user, and the sixth revokes the oldest.
_APPROVALS = 5
#: Where an older emulator noted the one refresh token that was revoked.
_OLD_REVOKED = "revoked_refresh_token"
#: How long a session counts as one of an active user without a look at the user.
_TRUST = timedelta(seconds=1)


@dataclass(slots=True, kw_only=True)
class _Known:
    """A session in memory; changed under the lock only."""

    session: Session
    #: Last use.
    used_at: datetime
    #: When the user was last seen to be active.
    checked_at: datetime


class Sessions:
    """Issues, finds and ends sessions. Methods touch the storage unless their docstring says otherwise.

    Args:
        storage: Where they are kept.
        clock: The time.
        org_id: 18-character id of the org.
        idle: How long a session lives without use.
        is_active: Tells whether a user may still act; asked at most once a second per session.
    """

    def __init__(
        self, storage: Storage, clock: Clock, org_id: str, idle: timedelta, is_active: Callable[[str], bool]
    ) -> None:
        self._storage = storage
        self._clock = clock
        self._org_id = org_id
        self.idle = idle
        self._is_active = is_active
        self._lock = threading.Lock()
        self._known: dict[str, _Known] = {}
        self._dirty: set[str] = set()

    def issue(
        self, user_id: str, client_id: str | None, *, flow: str = "", scope: str = "", parent: str | None = None
    ) -> str:
        """Open a session and return its token: `{15 characters of the org}!{96 characters}`.

        Args:
            user_id: Whose it is.
            client_id: The app it is given to.
            flow: The way of signing in.
            scope: What it is good for.
            parent: The refresh token whose revocation ends it too.
        """
        token = f"{self._org_id[:15]}!AQ" + "".join(secrets.choice(_CHARS) for _ in range(94))
        session = self._session(_ACCESS, user_id, client_id, flow, scope, token_hash(parent) if parent else None)
        with self._storage.write() as connection:
            put_session(connection, token, session)
        return token

    def issue_refresh(self, user_id: str, client_id: str, *, flow: str, scope: str) -> str:
        """Return a new refresh token; a user may have five for one client, and a sixth revokes the oldest."""
        token = "5Aep861" + "".join(secrets.choice(_CHARS) for _ in range(80))
        with self._storage.write() as connection:
            put_session(connection, token, self._session(_REFRESH, user_id, client_id, flow, scope, None))
            older = "SELECT token_hash FROM ob_sessions WHERE kind = ? AND user_id = ? AND client_id = ?"
            values = (_REFRESH, user_id, client_id, token_hash(token), _APPROVALS - 1)
            ended = [
                str(row[0])
                for row in connection.execute(
                    f"{older} AND token_hash != ? ORDER BY issued_at DESC, token_hash LIMIT -1 OFFSET ?", values
                )
            ]
            for hashed in ended:
                connection.execute("UPDATE ob_sessions SET kind = ? WHERE token_hash = ?", (_REVOKED, hashed))
                drop_children(connection, hashed)
        self._forget_children(ended)
        return token

    def rotate_refresh(self, token: str) -> str | None:
        """Use a refresh token up and return the one that takes its place; None when it was no live one."""
        session = self.peek(token)
        if session is None or session.kind != _REFRESH or session.client_id is None:
            return None
        following = "5Aep861" + "".join(secrets.choice(_CHARS) for _ in range(80))
        new = self._session(_REFRESH, session.user_id, session.client_id, session.flow, session.scope, None)
        used = self._session(
            _ROTATED, session.user_id, session.client_id, session.flow, session.scope, token_hash(following)
        )
        with self._storage.write() as connection:
            put_session(connection, following, new)
            put_session(connection, token, used)
        return following

    def punish_reuse(self, token: str, client_id: str) -> None:
        """Revoke what came of a refresh token that was used up, because it is presented again.

        Source: Salesforce help 005316711: the reuse of an invalidated refresh token revokes the present one and all
        access tokens with it.
        """
        session = self.peek(token)
        hashed = token_hash(token)
        ended: list[str] = []
        with self._storage.write() as connection:
            while session is not None and session.kind == _ROTATED and session.client_id == client_id:
                drop_children(connection, hashed)
                ended.append(hashed)
                hashed = session.parent_hash or ""
                session = find_hashed(connection, hashed)
            if ended and session is not None and session.kind == _REFRESH:
                connection.execute("UPDATE ob_sessions SET kind = ? WHERE token_hash = ?", (_REVOKED, hashed))
                drop_children(connection, hashed)
                ended.append(hashed)
        self._forget_children(ended)

    def _forget_children(self, hashes: list[str]) -> None:
        gone = set(hashes)
        with self._lock:
            for token in [text for text, entry in self._known.items() if entry.session.parent_hash in gone]:
                del self._known[token]
                self._dirty.discard(token)

    def keep_refresh_token(self, token: str, user_id: str, client_id: str) -> None:
        """Make a refresh token good for a user and a client; one that was revoked stays revoked."""
        with self._storage.write() as connection:
            known = find_session(connection, token)
            if known is None and get_meta(connection, _OLD_REVOKED) != token_hash(token):
                put_session(connection, token, self._session(_REFRESH, user_id, client_id, "", "", None))

    def refresh_session(self, token: str, client_id: str) -> Session | None:
        """Return what is known of a refresh token that was given to this client, or None."""
        session = self.peek(token)
        return session if session and session.kind == _REFRESH and session.client_id == client_id else None

    def known(self, token: str) -> Session | None:
        """Return the live session of a token seen before, and note its use. Does no I/O: fit for the event loop."""
        now = self._clock.now()
        with self._lock:
            entry = self._known.get(token)
            if entry is None or now - entry.used_at > self.idle or now - entry.checked_at > _TRUST:
                return None
            entry.used_at = now
            self._dirty.add(token)
            return entry.session

    def find(self, token: str) -> Session | None:
        """Return the live session of a token, and note its use; None when its user is not active any more."""
        if (session := self.known(token)) is not None:
            return session
        stored = self.holder(token)
        if stored is None or not self._is_active(stored.user_id):
            return None
        now = self._clock.now()
        with self._lock:
            self._known[token] = _Known(session=stored, used_at=now, checked_at=now)
            self._dirty.add(token)
        return stored

    def holder(self, token: str) -> Session | None:
        """Return the live session of a token whatever became of its user; its use is not noted."""
        stored = self.peek(token)
        if stored is None or stored.kind != _ACCESS:
            return None
        return stored if self._clock.now() - self.used_at(token, stored) <= self.idle else None

    def peek(self, token: str) -> Session | None:
        """Return what is stored of a token, live or not."""
        with self._storage.read() as connection:
            return find_session(connection, token)

    def used_at(self, token: str, session: Session) -> datetime:
        """Return when a session was last used. Does no I/O."""
        with self._lock:
            noted = self._known.get(token)
        return max(session.used_at, noted.used_at) if noted else session.used_at

    def revoke(self, token: str) -> bool:
        """End the session or refresh token; tell whether there was one.

        Assumed: the access tokens that came from a refresh token end with it.
        """
        hashed = token_hash(token)
        with self._storage.write() as connection:
            session = find_session(connection, token)
            if session is None or session.kind == _REVOKED:
                return False
            if session.kind == _REFRESH:
                # Kept as revoked, so that a configured refresh token does not come back at the next start.
                kept = self._session(_REVOKED, session.user_id, session.client_id, "", "", None)
                put_session(connection, token, kept)
                drop_children(connection, hashed)
            else:
                drop_session(connection, token)
        with self._lock:
            ended = {text for text, entry in self._known.items() if entry.session.parent_hash == hashed} | {token}
            for text in ended:
                self._known.pop(text, None)
            self._dirty -= ended
        return True

    def expire_all(self) -> int:
        """End every session, refresh tokens apart; return how many there were."""
        with self._lock:
            self._known.clear()
            self._dirty.clear()
        with self._storage.write() as connection:
            return connection.execute("DELETE FROM ob_sessions WHERE kind = ?", (_ACCESS,)).rowcount

    def expire_user(self, user_id: str) -> int:
        """End every session of one user, refresh tokens apart; return how many there were."""
        with self._storage.write() as connection:
            sql = "DELETE FROM ob_sessions WHERE kind = ? AND user_id = ?"
            count = connection.execute(sql, (_ACCESS, user_id)).rowcount
        with self._lock:
            for token in [text for text, entry in self._known.items() if entry.session.user_id == user_id]:
                del self._known[token]
                self._dirty.discard(token)
        return count

    def save(self) -> None:
        """Save the noted uses."""
        with self._lock:
            notes = [(token, self._known[token].used_at) for token in sorted(self._dirty) if token in self._known]
            self._dirty.clear()
        if notes:
            with self._storage.write() as connection:
                for token, used_at in notes:
                    touch_session(connection, token, used_at)

    def rows(self) -> list[tuple[str, ...]]:
        """Return all sessions as they are kept, for `adopt`."""
        self.save()
        with self._storage.read() as connection:
            sql = f"SELECT token_hash, {COLUMNS} FROM ob_sessions"  # noqa: S608 fixed names
            return connection.execute(sql).fetchall()

    def adopt(self, rows: list[tuple[str, ...]]) -> None:
        """Add sessions of another state of the org, as far as their users are there; forget what memory holds."""
        with self._lock:
            self._known.clear()
            self._dirty.clear()
        with self._storage.write() as connection:
            users = {row[0] for row in connection.execute('SELECT Id FROM "User"')}
            kept = [row for row in rows if row[2] in users]
            sql = f"INSERT OR IGNORE INTO ob_sessions (token_hash, {COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
            connection.executemany(sql, kept)

    def sweep(self) -> None:
        """Remove sessions that ended long ago."""
        limit = bulk_datetime(self._clock.now() - 2 * self.idle)
        with self._storage.write() as connection:
            connection.execute("DELETE FROM ob_sessions WHERE kind = ? AND used_at < ?", (_ACCESS, limit))

    def _session(
        self, kind: str, user_id: str, client_id: str | None, flow: str, scope: str, parent_hash: str | None
    ) -> Session:
        now = self._clock.now()
        return Session(
            kind=kind,
            user_id=user_id,
            client_id=client_id,
            issued_at=now,
            used_at=now,
            scope=scope,
            flow=flow,
            parent_hash=parent_hash,
        )
