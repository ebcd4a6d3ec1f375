"""Organizations, their plants and these plants' machines. Nothing here commits."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, ClassVar, Generic, TypeVar

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from orgbridge.store.constraints import checked, in_use
from orgbridge.store.errors import NameTaken, RecordMissing, RevisionStale
from orgbridge.store.identity_records import MachineRecord, OrganizationRecord, Page, PlantRecord
from orgbridge.store.identity_tables import machines, organizations, plants
from orgbridge.store.pages import decode_cursor, encode_cursor

Record = TypeVar("Record", OrganizationRecord, PlantRecord, MachineRecord)


class _Places(Generic[Record]):
    """Reads and writes one of the three tables within the unit's transaction."""

    _table: ClassVar[sa.Table]
    _kind: ClassVar[str]
    #: Column that names the owner; None at the top.
    _owner: ClassVar[str | None] = None
    #: What may hang below.
    _below: ClassVar[str] = ""
    _type: type[Record]

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, record: Record) -> None:
        """Write a new one.

        Raises:
            NameTaken: Another one has its name or a key of it; nothing was written.
            ReferenceMissing: What it belongs to is not there; nothing was written.
        """
        async with checked(self._connection, taken=self._taken()):
            await self._connection.execute(sa.insert(self._table).values(self._values(record)))

    async def get(self, identifier: str, *, owner: str | None = None) -> Record | None:
        """Return one, or None when there is none of this id, or it belongs to another owner."""
        query = sa.select(self._table).where(self._table.c.id == identifier)
        if owner is not None and self._owner is not None:
            query = query.where(self._table.c[self._owner] == owner)
        row = (await self._connection.execute(query)).mappings().first()
        return self._record(row) if row is not None else None

    async def page(self, *, owner: str | None = None, cursor: str | None, limit: int) -> Page[Record]:
        """Return one page, by name.

        Args:
            owner: Only those of this owner.
            cursor: `next_cursor` of the page before, or None for the first page.
            limit: Most items on the page, 1 or more.

        Raises:
            CursorInvalid: The cursor is not one of this list.
        """
        columns = self._table.c
        query = sa.select(self._table).order_by(columns.name, columns.id).limit(limit + 1)
        if owner is not None and self._owner is not None:
            query = query.where(columns[self._owner] == owner)
        if cursor is not None:
            name, identifier = decode_cursor(self._kind, cursor, 2)
            query = query.where(sa.or_(columns.name > name, sa.and_(columns.name == name, columns.id > identifier)))
        found = [self._record(row) for row in (await self._connection.execute(query)).mappings()]
        items, more = found[:limit], len(found) > limit
        last = items[-1] if items else None
        return Page(items=items, next_cursor=encode_cursor(self._kind, last.name, last.id) if more and last else None)

    async def update(self, identifier: str, *, expected: str | None, **changes: Any) -> None:
        """Set columns by their names in the record.

        Raises:
            RecordMissing: There is none of this id.
            RevisionStale: It has another revision; nothing was changed.
            NameTaken: Another one has the name or key; nothing was changed.
        """
        async with checked(self._connection, taken=self._taken()):
            done = await self._connection.execute(
                sa.update(self._table).where(*self._where(identifier, expected)).values(**changes)
            )
        await self._seen(done.rowcount, identifier)

    async def delete(self, identifier: str, *, expected: str | None) -> None:
        """Delete one, with the grants of it.

        Raises:
            RecordMissing: There is none of this id.
            RevisionStale: It has another revision; nothing was changed.
            StillInUse: Something hangs below it; nothing was changed.
        """
        async with checked(self._connection, in_use=in_use(self._below)):
            done = await self._connection.execute(sa.delete(self._table).where(*self._where(identifier, expected)))
        await self._seen(done.rowcount, identifier)

    def _where(self, identifier: str, expected: str | None) -> list[sa.ColumnElement[bool]]:
        columns = self._table.c
        return [columns.id == identifier] + ([columns.revision == expected] if expected is not None else [])

    async def _seen(self, count: int, identifier: str) -> None:
        if count == 0:
            if await self.get(identifier) is None:
                raise RecordMissing(f"There is no {self._kind} {identifier}.")
            raise RevisionStale

    def _taken(self) -> NameTaken:
        return NameTaken(f"Another {self._kind} has this name or one of these keys.")

    def _values(self, record: Record) -> dict[str, Any]:
        return {field.name: getattr(record, field.name) for field in fields(record)}

    def _record(self, row: sa.RowMapping) -> Record:
        return self._type(**dict(row))


class OrganizationRepository(_Places[OrganizationRecord]):
    """Organizations."""

    _table = organizations
    _kind = "organization"
    _below = "plants or purchase orders"
    _type = OrganizationRecord


class PlantRepository(_Places[PlantRecord]):
    """Plants of organizations."""

    _table = plants
    _kind = "plant"
    _owner = "organization_id"
    _below = "machines"
    _type = PlantRecord


class MachineRepository(_Places[MachineRecord]):
    """Machines of plants."""

    _table = machines
    _kind = "machine"
    _owner = "plant_id"
    _below = "references"
    _type = MachineRecord
