"""Mappings between organizations and Salesforce accounts. Nothing here commits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from orgbridge.store.account_records import AccountMappingRecord, FoundBy, MappedOrganization
from orgbridge.store.account_tables import account_mappings
from orgbridge.store.constraints import checked
from orgbridge.store.errors import NameTaken, RevisionStale
from orgbridge.store.identity_records import MachineRecord, OrganizationRecord, Page
from orgbridge.store.identity_tables import machines, organizations, plants
from orgbridge.store.pages import decode_cursor, encode_cursor

_KIND = "mapping"
_FIELDS = tuple(field.name for field in fields(AccountMappingRecord))
_PLACE = tuple(field.name for field in fields(OrganizationRecord))
#: Values of one IN list; SQLite takes 32,766 parameters, PostgreSQL's driver 65,535.
_CHUNK = 10_000


class AccountRepository:
    """Reads and writes mappings within the unit's transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def get(self, organization_id: str) -> AccountMappingRecord | None:
        """Return the mapping of an organization, None when it has none."""
        query = sa.select(account_mappings).where(account_mappings.c.organization_id == organization_id)
        row = (await self._connection.execute(query)).mappings().first()
        return _mapping(row) if row is not None else None

    async def of_accounts(self, account_ids: Sequence[str]) -> list[AccountMappingRecord]:
        """Return the mappings to these accounts.

        Args:
            account_ids: At most some thousands, of 18 characters.
        """
        found: list[AccountMappingRecord] = []
        for start in range(0, len(account_ids), _CHUNK):
            chunk = list(account_ids[start : start + _CHUNK])
            query = sa.select(account_mappings).where(account_mappings.c.account_id.in_(chunk))
            found += [_mapping(row) for row in (await self._connection.execute(query)).mappings()]
        return found

    async def organization(self, text: str) -> list[MappedOrganization]:
        """Return the organizations whose id, key in another system or name is a text: at most three, most often one."""
        columns = organizations.c
        named = sa.or_(columns.id == text, columns.external_id == text, columns.name == text)
        return await self._read(self._joined().where(named).order_by(columns.name, columns.id).limit(3))

    async def page(
        self, *, granted: frozenset[str] | None, mapped_only: bool, cursor: str | None, limit: int
    ) -> Page[MappedOrganization]:
        """Return one page of organizations with their mappings, by name.

        Args:
            granted: Only these organizations; None for all.
            mapped_only: Leave out organizations without a mapping.
            cursor: `next_cursor` of the page before, or None for the first page.
            limit: Most items on the page, 1 or more.

        Raises:
            CursorInvalid: The cursor is not one of this list.
        """
        columns = organizations.c
        query = self._joined(inner=mapped_only).order_by(columns.name, columns.id).limit(limit + 1)
        if granted is not None:
            # A grant list has at most 10,000 ids, which both databases take as parameters.
            query = query.where(columns.id.in_(sorted(granted)))
        if cursor is not None:
            name, identifier = decode_cursor(_KIND, cursor, 2)
            query = query.where(sa.or_(columns.name > name, sa.and_(columns.name == name, columns.id > identifier)))
        found = await self._read(query)
        items, more = found[:limit], len(found) > limit
        last = items[-1].organization if items else None
        return Page(items=items, next_cursor=encode_cursor(_KIND, last.name, last.id) if more and last else None)

    async def add(self, record: AccountMappingRecord) -> None:
        """Write the first mapping of an organization.

        Raises:
            NameTaken: The organization has one by now, or the account is another's; nothing was written.
            ReferenceMissing: There is no such organization; nothing was written.
        """
        values = {name: getattr(record, name) for name in _FIELDS}
        async with checked(self._connection, taken=_taken()):
            await self._connection.execute(sa.insert(account_mappings).values(values))

    async def change(self, organization_id: str, *, expected: str | None, **changes: Any) -> None:
        """Set columns of a mapping.

        Raises:
            RevisionStale: It has another revision or is gone; nothing was changed.
            NameTaken: The account is another organization's; nothing was changed.
        """
        async with checked(self._connection, taken=_taken()):
            done = await self._connection.execute(
                sa.update(account_mappings).where(*_where(organization_id, expected)).values(**changes)
            )
        if done.rowcount == 0:
            raise RevisionStale

    async def delete(self, organization_id: str, *, expected: str | None) -> None:
        """Delete a mapping.

        Raises:
            RevisionStale: It has another revision or is gone; nothing was deleted.
        """
        done = await self._connection.execute(sa.delete(account_mappings).where(*_where(organization_id, expected)))
        if done.rowcount == 0:
            raise RevisionStale

    # Places, as commerce asks for them

    async def granted_machines(
        self, organization_id: str, *, machine_ids: Sequence[str], plant_ids: Sequence[str], limit: int
    ) -> list[MachineRecord]:
        """Return an organization's machines that are among some machines or stand in some plants, by id.

        Args:
            organization_id: Whose.
            machine_ids: Machines.
            plant_ids: Plants; their machines are meant.
            limit: Most machines that are read.
        """
        found: dict[str, MachineRecord] = {}
        for column, ids in ((machines.c.id, machine_ids), (machines.c.plant_id, plant_ids)):
            for start in range(0, len(ids), _CHUNK):
                query = (
                    sa.select(machines)
                    .join(plants, plants.c.id == machines.c.plant_id)
                    .where(plants.c.organization_id == organization_id, column.in_(ids[start : start + _CHUNK]))
                    .order_by(machines.c.id)
                    .limit(limit)
                )
                for row in (await self._connection.execute(query)).mappings():
                    found[str(row["id"])] = MachineRecord(**dict(row))
        return [found[identifier] for identifier in sorted(found)][:limit]

    async def has_places(self, organization_id: str, *, machine_ids: Sequence[str], plant_ids: Sequence[str]) -> bool:
        """Tell whether one of some machines or plants belongs to an organization."""
        for start in range(0, len(plant_ids), _CHUNK):
            query = sa.select(plants.c.id).where(
                plants.c.organization_id == organization_id, plants.c.id.in_(plant_ids[start : start + _CHUNK])
            )
            if (await self._connection.execute(query.limit(1))).first() is not None:
                return True
        return bool(await self.granted_machines(organization_id, machine_ids=machine_ids, plant_ids=(), limit=1))

    def _joined(self, *, inner: bool = False) -> sa.Select[Any]:
        columns = [organizations.c[name].label(f"organization_{name}") for name in _PLACE]
        mapping = [account_mappings.c[name] for name in _FIELDS]
        at = account_mappings.c.organization_id == organizations.c.id
        return sa.select(*columns, *mapping).select_from(organizations.join(account_mappings, at, isouter=not inner))

    async def _read(self, query: sa.Select[Any]) -> list[MappedOrganization]:
        found = []
        # By place and not by name: `organization_id` would be there twice.
        for row in await self._connection.execute(query):
            place = OrganizationRecord(**dict(zip(_PLACE, row[: len(_PLACE)], strict=True)))
            values = dict(zip(_FIELDS, row[len(_PLACE) :], strict=True))
            found.append(
                MappedOrganization(
                    organization=place, mapping=_mapping(values) if values["organization_id"] is not None else None
                )
            )
        return found


def _mapping(row: Any) -> AccountMappingRecord:
    values = dict(row)
    return AccountMappingRecord(**{**values, "found_by": FoundBy(values["found_by"])})


def _where(organization_id: str, expected: str | None) -> list[sa.ColumnElement[bool]]:
    columns = account_mappings.c
    at = columns.organization_id == organization_id
    return [at] + ([columns.revision == expected] if expected is not None else [])


def _taken() -> NameTaken:
    return NameTaken("The account is mapped to another organization, or the organization was mapped just now.")
