"""Roles, who has them, and what users are granted. Nothing here commits."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import fields
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from orgbridge.store.constraints import checked, in_use
from orgbridge.store.errors import NameTaken, RecordMissing, ReferenceMissing, RevisionStale
from orgbridge.store.identity_records import Page, Place, RoleRecord
from orgbridge.store.identity_tables import roles, user_machines, user_organizations, user_plants, user_roles
from orgbridge.store.pages import decode_cursor, encode_cursor

_FIELDS = tuple(field.name for field in fields(RoleRecord))
_GRANTS: dict[Place, tuple[sa.Table, str]] = {
    Place.ORGANIZATION: (user_organizations, "organization_id"),
    Place.PLANT: (user_plants, "plant_id"),
    Place.MACHINE: (user_machines, "machine_id"),
}


def _record(row: sa.RowMapping) -> RoleRecord:
    values = {name: row[name] for name in _FIELDS}
    values["scopes"] = tuple(values["scopes"])
    return RoleRecord(**values)


class RoleRepository:
    """Reads and writes roles and grants within the unit's transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, record: RoleRecord) -> None:
        """Write a new role.

        Raises:
            NameTaken: A role of that name exists; nothing was written.
        """
        values = {name: getattr(record, name) for name in _FIELDS} | {"scopes": list(record.scopes)}
        async with checked(self._connection, taken=NameTaken(f"A role named {record.name!r} already exists.")):
            await self._connection.execute(sa.insert(roles).values(values))

    async def get(self, name: str) -> RoleRecord | None:
        """Return the role, or None when there is none."""
        row = (await self._connection.execute(sa.select(roles).where(roles.c.name == name))).mappings().first()
        return _record(row) if row is not None else None

    async def all(self) -> list[RoleRecord]:
        """Return every role, by name."""
        return [
            _record(row) for row in (await self._connection.execute(sa.select(roles).order_by(roles.c.name))).mappings()
        ]

    async def page(self, *, cursor: str | None, limit: int) -> Page[RoleRecord]:
        """Return one page of roles, by name.

        Raises:
            CursorInvalid: The cursor is not one of ours.
        """
        query = sa.select(roles).order_by(roles.c.name).limit(limit + 1)
        if cursor is not None:
            query = query.where(roles.c.name > decode_cursor("roles", cursor, 1)[0])
        found = [_record(row) for row in (await self._connection.execute(query)).mappings()]
        items, more = found[:limit], len(found) > limit
        return Page(items=items, next_cursor=encode_cursor("roles", items[-1].name) if more else None)

    async def update(self, name: str, *, expected: str | None, **changes: Any) -> None:
        """Set columns of a role, by their names in `RoleRecord`.

        Raises:
            RecordMissing: There is no such role.
            RevisionStale: The role has another revision; nothing was changed.
        """
        if "scopes" in changes:
            changes["scopes"] = list(changes["scopes"])
        where = [roles.c.name == name] + ([roles.c.revision == expected] if expected is not None else [])
        done = await self._connection.execute(sa.update(roles).where(*where).values(**changes))
        await self._seen(done.rowcount, name)

    async def delete(self, name: str, *, expected: str | None) -> None:
        """Delete a role that nobody has.

        Raises:
            RecordMissing: There is no such role.
            RevisionStale: The role has another revision; nothing was changed.
            StillInUse: Somebody has it; nothing was changed.
        """
        where = [roles.c.name == name] + ([roles.c.revision == expected] if expected is not None else [])
        async with checked(self._connection, in_use=in_use("users or service accounts")):
            done = await self._connection.execute(sa.delete(roles).where(*where))
        await self._seen(done.rowcount, name)

    async def _seen(self, count: int, name: str) -> None:
        if count == 0:
            if await self.get(name) is None:
                raise RecordMissing(f"There is no role {name}.")
            raise RevisionStale

    async def of_user(self, user_id: str) -> list[RoleRecord]:
        """Return the roles of a user, by name."""
        query = (
            sa.select(roles)
            .join(user_roles, user_roles.c.role == roles.c.name)
            .where(user_roles.c.user_id == user_id)
            .order_by(roles.c.name)
        )
        return [_record(row) for row in (await self._connection.execute(query)).mappings()]

    async def names_of(self, user_ids: Collection[str]) -> dict[str, tuple[str, ...]]:
        """Return the names of the roles of each of these users; users without one are absent."""
        if not user_ids:
            return {}
        query = (
            sa.select(user_roles.c.user_id, user_roles.c.role)
            .where(user_roles.c.user_id.in_(user_ids))
            .order_by(user_roles.c.role)
        )
        found: dict[str, tuple[str, ...]] = {}
        for user_id, role in await self._connection.execute(query):
            found[user_id] = (*found.get(user_id, ()), role)
        return found

    async def assign(self, user_id: str, names: Sequence[str]) -> None:
        """Let a user have these roles and no others.

        Raises:
            ReferenceMissing: One of them does not exist; nothing was changed.
        """
        wanted = sorted(set(names))
        async with checked(
            self._connection, missing=ReferenceMissing(f"One of these roles does not exist: {', '.join(wanted)}.")
        ):
            await self._connection.execute(sa.delete(user_roles).where(user_roles.c.user_id == user_id))
            if wanted:
                await self._connection.execute(
                    sa.insert(user_roles), [{"user_id": user_id, "role": name} for name in wanted]
                )

    async def grants(self, user_id: str) -> dict[Place, tuple[str, ...]]:
        """Return the ids of the organizations, plants and machines that a user is granted one by one, sorted."""
        found: dict[Place, tuple[str, ...]] = {}
        for place, (table, column) in _GRANTS.items():
            query = sa.select(table.c[column]).where(table.c.user_id == user_id).order_by(table.c[column])
            found[place] = tuple((await self._connection.execute(query)).scalars())
        return found

    async def grant(self, user_id: str, place: Place, ids: Collection[str]) -> None:
        """Grant a user these organizations, plants or machines and no others.

        Raises:
            ReferenceMissing: One of them does not exist; nothing was changed.
        """
        table, column = _GRANTS[place]
        wanted = sorted(set(ids))
        missing = ReferenceMissing(f"One of these does not exist as {place.value}: {', '.join(wanted[:20])}.")
        async with checked(self._connection, missing=missing):
            await self._connection.execute(sa.delete(table).where(table.c.user_id == user_id))
            if wanted:
                await self._connection.execute(
                    sa.insert(table), [{"user_id": user_id, column: identifier} for identifier in wanted]
                )
