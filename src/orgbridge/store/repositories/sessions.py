"""Sign-in sessions, refresh tokens, revoked access tokens and client secrets. Nothing here commits."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from orgbridge.store.constraints import checked
from orgbridge.store.errors import NameTaken
from orgbridge.store.identity_records import ClientSecretRecord, Page, Revoked, SessionRecord
from orgbridge.store.identity_tables import client_secrets, refresh_tokens, revoked_tokens, sessions
from orgbridge.store.pages import decode_cursor, encode_cursor

_FIELDS = tuple(field.name for field in fields(SessionRecord))
_SECRET_FIELDS = tuple(field.name for field in fields(ClientSecretRecord))


def _record(row: sa.RowMapping) -> SessionRecord:
    values = {name: row[name] for name in _FIELDS}
    values["scopes"] = tuple(values["scopes"]) if values["scopes"] is not None else None
    return SessionRecord(**values)


class SessionRepository:
    """Reads and writes sessions within the unit's transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def open(self, record: SessionRecord, token_hash: str) -> None:
        """Write a new session with its first refresh token."""
        values = {name: getattr(record, name) for name in _FIELDS}
        values["scopes"] = list(record.scopes) if record.scopes is not None else None
        await self._connection.execute(sa.insert(sessions).values(values))
        await self.add_token(record.id, token_hash, record.created_at)

    async def add_token(self, session_id: str, token_hash: str, now: datetime) -> None:
        """Write a further refresh token of a session."""
        await self._connection.execute(
            sa.insert(refresh_tokens).values(token_hash=token_hash, session_id=session_id, created_at=now)
        )

    async def take(self, token_hash: str, now: datetime) -> tuple[SessionRecord, bool] | None:
        """Use a refresh token up.

        Returns:
            The session, and whether it was this call that used the token: of many at once exactly one gets True. None
            when there is no such token.
        """
        done = await self._connection.execute(
            sa.update(refresh_tokens)
            .where(refresh_tokens.c.token_hash == token_hash, refresh_tokens.c.used_at.is_(None))
            .values(used_at=now)
        )
        query = (
            sa.select(sessions)
            .join(refresh_tokens, refresh_tokens.c.session_id == sessions.c.id)
            .where(refresh_tokens.c.token_hash == token_hash)
        )
        row = (await self._connection.execute(query)).mappings().first()
        return (_record(row), done.rowcount == 1) if row is not None else None

    async def find_by_token(self, token_hash: str) -> SessionRecord | None:
        """Return the session of a refresh token, used or not."""
        query = (
            sa.select(sessions)
            .join(refresh_tokens, refresh_tokens.c.session_id == sessions.c.id)
            .where(refresh_tokens.c.token_hash == token_hash)
        )
        row = (await self._connection.execute(query)).mappings().first()
        return _record(row) if row is not None else None

    async def get(self, session_id: str) -> SessionRecord | None:
        """Return the session, or None when there is none."""
        row = (await self._connection.execute(sa.select(sessions).where(sessions.c.id == session_id))).mappings()
        found = row.first()
        return _record(found) if found is not None else None

    async def prolong(self, session_id: str, *, now: datetime, idle_until: datetime) -> None:
        """Say that a session was used."""
        await self._connection.execute(
            sa.update(sessions).where(sessions.c.id == session_id).values(used_at=now, idle_until=idle_until)
        )

    async def revoke(self, session_id: str, now: datetime, reason: Revoked) -> None:
        """End a session. The first reason stays."""
        await self._revoke(sessions.c.id == session_id, now, reason)

    async def revoke_all(self, user_id: str, now: datetime, reason: Revoked, *, but: str | None = None) -> None:
        """End all sessions of a user, save perhaps one."""
        condition = sessions.c.user_id == user_id
        if but is not None:
            condition = sa.and_(condition, sessions.c.id != but)
        await self._revoke(condition, now, reason)

    async def _revoke(self, condition: sa.ColumnElement[bool], now: datetime, reason: Revoked) -> None:
        await self._connection.execute(
            sa.update(sessions)
            .where(condition, sessions.c.revoked_at.is_(None))
            .values(revoked_at=now, revoked_for=reason.value)
        )

    async def page(self, user_id: str, now: datetime, *, cursor: str | None, limit: int) -> Page[SessionRecord]:
        """Return one page of the live sessions of a user, newest first.

        Raises:
            CursorInvalid: The cursor is not one of ours.
        """
        columns = sessions.c
        query = (
            sa.select(sessions)
            .where(columns.user_id == user_id, columns.revoked_at.is_(None))
            .where(columns.idle_until > now, columns.expires_at > now)
            .order_by(columns.id.desc())
            .limit(limit + 1)
        )
        if cursor is not None:
            query = query.where(columns.id < decode_cursor("sessions", cursor, 1)[0])
        found = [_record(row) for row in (await self._connection.execute(query)).mappings()]
        items, more = found[:limit], len(found) > limit
        return Page(items=items, next_cursor=encode_cursor("sessions", items[-1].id) if more else None)

    async def revoke_token(self, token_id: str, expires_at: datetime) -> None:
        """Refuse one access token from now on; safe to repeat."""
        try:
            async with checked(self._connection):
                await self._connection.execute(
                    sa.insert(revoked_tokens).values(token_id=token_id, expires_at=expires_at)
                )
        except NameTaken:
            return

    async def is_revoked(self, token_id: str) -> bool:
        """Return whether an access token was revoked."""
        query = sa.select(revoked_tokens.c.token_id).where(revoked_tokens.c.token_id == token_id)
        return (await self._connection.execute(query)).first() is not None

    async def purge(self, now: datetime, sessions_before: datetime) -> None:
        """Delete what can no longer count: expired revocations, and sessions that ended before an instant."""
        await self._connection.execute(sa.delete(revoked_tokens).where(revoked_tokens.c.expires_at < now))
        await self._connection.execute(sa.delete(sessions).where(sessions.c.expires_at < sessions_before))

    # Client secrets

    async def add_secret(self, record: ClientSecretRecord) -> None:
        """Write a new secret of a service account."""
        values: dict[str, Any] = {name: getattr(record, name) for name in _SECRET_FIELDS}
        await self._connection.execute(sa.insert(client_secrets).values(values))

    async def secrets(self, user_id: str) -> list[ClientSecretRecord]:
        """Return the secrets of a service account, oldest first, with those that have expired."""
        query = sa.select(client_secrets).where(client_secrets.c.user_id == user_id).order_by(client_secrets.c.id)
        return [
            ClientSecretRecord(**{name: row[name] for name in _SECRET_FIELDS})
            for row in (await self._connection.execute(query)).mappings()
        ]

    async def delete_secret(self, user_id: str, secret_id: str) -> bool:
        """Delete a secret of a service account and return whether it was there."""
        done = await self._connection.execute(
            sa.delete(client_secrets).where(client_secrets.c.id == secret_id, client_secrets.c.user_id == user_id)
        )
        return done.rowcount == 1
