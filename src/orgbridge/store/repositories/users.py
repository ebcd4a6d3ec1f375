"""Users of this service in the database. Nothing here commits."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from orgbridge.store import tables
from orgbridge.store.errors import RecordMissing, UsernameTaken
from orgbridge.store.records import UserRecord


def _record(row: sa.RowMapping) -> UserRecord:
    values = dict(row)
    values["scopes"] = tuple(values["scopes"])
    return UserRecord(**values)


class UserRepository:
    """Reads and writes users within the unit's transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, record: UserRecord) -> None:
        """Write a new user.

        Raises:
            UsernameTaken: A user of that name exists; nothing was written.
        """
        try:
            async with self._connection.begin_nested():
                await self._connection.execute(
                    sa.insert(tables.users).values(
                        id=record.id,
                        username=record.username,
                        password_hash=record.password_hash,
                        scopes=list(record.scopes),
                        is_admin=record.is_admin,
                        disabled=record.disabled,
                        created_at=record.created_at,
                    )
                )
        except IntegrityError as error:
            raise UsernameTaken(f"A user named {record.username!r} already exists.") from error

    async def get(self, user_id: str) -> UserRecord | None:
        """Return the user, or None when there is none."""
        return await self._first(tables.users.c.id == user_id)

    async def get_by_username(self, username: str) -> UserRecord | None:
        """Return the user of this sign-in name, or None when there is none."""
        return await self._first(tables.users.c.username == username)

    async def list(self) -> list[UserRecord]:
        """Return all users, by name."""
        query = sa.select(tables.users).order_by(tables.users.c.username)
        return [_record(row) for row in (await self._connection.execute(query)).mappings()]

    async def update(self, user_id: str, **changes: Any) -> None:
        """Set columns of a user, by their names in `UserRecord`.

        Raises:
            RecordMissing: There is no such user; nothing was changed.
        """
        if "scopes" in changes:
            changes["scopes"] = list(changes["scopes"])
        done = await self._connection.execute(
            sa.update(tables.users).where(tables.users.c.id == user_id).values(**changes)
        )
        if done.rowcount == 0:
            raise RecordMissing(f"There is no user {user_id}.")

    async def _first(self, condition: sa.ColumnElement[bool]) -> UserRecord | None:
        found = await self._connection.execute(sa.select(tables.users).where(condition))
        row = found.mappings().first()
        return _record(row) if row is not None else None
