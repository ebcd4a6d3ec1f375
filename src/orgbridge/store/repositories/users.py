"""Users of this service in the database. Nothing here commits."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import fields
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from orgbridge.store import identity_tables, tables
from orgbridge.store.constraints import checked
from orgbridge.store.errors import NameTaken, RecordMissing, RevisionStale, UsernameTaken
from orgbridge.store.identity_records import Page
from orgbridge.store.pages import decode_cursor, encode_cursor
from orgbridge.store.records import UserKind, UserRecord

_FIELDS = tuple(field.name for field in fields(UserRecord))


def _record(row: sa.RowMapping) -> UserRecord:
    values = {name: row[name] for name in _FIELDS}
    values["scopes"] = tuple(values["scopes"])
    values["kind"] = UserKind(values["kind"])
    return UserRecord(**values)


class UserRepository:
    """Reads and writes users within the unit's transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, record: UserRecord) -> None:
        """Write a new user.

        Raises:
            UsernameTaken: A user of that name exists; nothing was written.
            NameTaken: A user of that external subject exists; nothing was written.
        """
        values = {name: getattr(record, name) for name in _FIELDS} | {"scopes": list(record.scopes)}
        taken = UsernameTaken(f"A user named {record.username!r} already exists.")
        if record.external_subject is not None and await self.get_by_subject(record.external_subject) is not None:
            raise NameTaken("A user of this external subject already exists.")
        async with checked(self._connection, taken=taken):
            await self._connection.execute(sa.insert(tables.users).values(values))

    async def get(self, user_id: str) -> UserRecord | None:
        """Return the user, or None when there is none."""
        return await self._first(tables.users.c.id == user_id)

    async def get_by_username(self, username: str) -> UserRecord | None:
        """Return the user of this sign-in name, or None when there is none."""
        return await self._first(tables.users.c.username == username)

    async def get_by_subject(self, subject: str) -> UserRecord | None:
        """Return the user of this subject of the external issuer, or None when there is none."""
        return await self._first(tables.users.c.external_subject == subject)

    async def list(self) -> list[UserRecord]:
        """Return all users, by name."""
        query = sa.select(tables.users).order_by(tables.users.c.username)
        return [_record(row) for row in (await self._connection.execute(query)).mappings()]

    async def page(
        self,
        *,
        kind: UserKind,
        cursor: str | None = None,
        limit: int = 50,
        role: str | None = None,
        disabled: bool | None = None,
    ) -> Page[UserRecord]:
        """Return one page of users, by name.

        Args:
            kind: People or service accounts.
            cursor: `next_cursor` of the page before, or None for the first page.
            limit: Most items on the page, 1 or more.
            role: Only those with this role.
            disabled: Only those that are, or are not, disabled.

        Raises:
            CursorInvalid: The cursor is not one of ours.
        """
        columns = tables.users.c
        query = sa.select(tables.users).where(columns.kind == kind).order_by(columns.username).limit(limit + 1)
        if cursor is not None:
            query = query.where(columns.username > decode_cursor(kind, cursor, 1)[0])
        if disabled is not None:
            query = query.where(columns.disabled == disabled)
        if role is not None:
            having = sa.select(identity_tables.user_roles.c.user_id).where(identity_tables.user_roles.c.role == role)
            query = query.where(columns.id.in_(having))
        found = [_record(row) for row in (await self._connection.execute(query)).mappings()]
        items = found[:limit]
        more = len(found) > limit
        return Page(items=items, next_cursor=encode_cursor(kind, items[-1].username) if more else None)

    async def update(self, user_id: str, *, expected: str | None = None, **changes: Any) -> None:
        """Set columns of a user, by their names in `UserRecord`.

        Args:
            user_id: Which user.
            expected: The revision that the user must still have; None for any.
            changes: The new values; a new `revision` among them when others are to notice.

        Raises:
            RecordMissing: There is no such user; nothing was changed.
            RevisionStale: The user has another revision; nothing was changed.
            UsernameTaken: The new name belongs to another user; nothing was changed.
        """
        if "scopes" in changes:
            changes["scopes"] = list(changes["scopes"])
        columns = tables.users.c
        where = [columns.id == user_id] + ([columns.revision == expected] if expected is not None else [])
        taken = UsernameTaken("Another user has this name or this external subject.")
        async with checked(self._connection, taken=taken):
            done = await self._connection.execute(sa.update(tables.users).where(*where).values(**changes))
        if done.rowcount == 0:
            if await self.get(user_id) is None:
                raise RecordMissing(f"There is no user {user_id}.")
            raise RevisionStale

    async def delete(self, user_id: str, *, expected: str | None = None) -> None:
        """Delete a user with roles, grants, sessions and secrets.

        Raises:
            RecordMissing: There is no such user.
            RevisionStale: The user has another revision; nothing was changed.
        """
        columns = tables.users.c
        where = [columns.id == user_id] + ([columns.revision == expected] if expected is not None else [])
        done = await self._connection.execute(sa.delete(tables.users).where(*where))
        if done.rowcount == 0:
            if await self.get(user_id) is None:
                raise RecordMissing(f"There is no user {user_id}.")
            raise RevisionStale

    async def admins(self, admin_roles: Collection[str]) -> int:
        """Return how many enabled people may administrate: by the flag, by an own scope, or by a role.

        Whoever will act on the answer holds a lock until the unit ends, so that two who act at once take turns.

        Args:
            admin_roles: Names of the roles with the scope `admin`.
        """
        role = identity_tables.roles
        await self._connection.execute(sa.select(role.c.name).where(role.c.name == "admin").with_for_update())
        columns = tables.users.c
        having = sa.select(identity_tables.user_roles.c.user_id).where(
            identity_tables.user_roles.c.role.in_(admin_roles)
        )
        own = sa.cast(columns.scopes, sa.Text).like('%"admin"%')
        query = (
            sa.select(sa.func.count())
            .select_from(tables.users)
            .where(columns.disabled.is_(False), columns.kind == UserKind.USER)
            .where(sa.or_(columns.is_admin.is_(True), own, columns.id.in_(having)))
        )
        return int((await self._connection.execute(query)).scalar_one())

    async def _first(self, condition: sa.ColumnElement[bool]) -> UserRecord | None:
        found = await self._connection.execute(sa.select(tables.users).where(condition))
        row = found.mappings().first()
        return _record(row) if row is not None else None
