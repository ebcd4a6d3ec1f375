"""Organizations own plants, plants own machines; users are granted any of them."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from orgbridge.kit.clock import Clock
from orgbridge.kit.identifiers import new_identifier
from orgbridge.services.errors import InvalidRequest, NotOurs
from orgbridge.services.principals import Principals
from orgbridge.services.revisions import new_revision
from orgbridge.store.database import Database, Unit
from orgbridge.store.identity_records import MachineRecord, OrganizationRecord, Page, PlantRecord
from orgbridge.wire.ids import to_18

_MAX_CHARS = 200


class OrganizationService:
    """Makes, changes and deletes organizations and what they own."""

    def __init__(self, database: Database, principals: Principals, clock: Clock) -> None:
        self._database = database
        self._principals = principals
        self._clock = clock

    # Organizations

    async def organizations(self, *, cursor: str | None, limit: int) -> Page[OrganizationRecord]:
        """Return one page of organizations, by name.

        Raises:
            CursorInvalid: The cursor is not one of this list.
        """
        async with self._database.unit(write=False) as unit:
            return await unit.organizations.page(cursor=cursor, limit=limit)

    async def organization(self, organization_id: str) -> OrganizationRecord:
        """Return an organization.

        Raises:
            NotOurs: There is none of this id.
        """
        async with self._database.unit(write=False) as unit:
            return await _organization(unit, organization_id)

    async def add_organization(self, values: dict[str, Any]) -> OrganizationRecord:
        """Make an organization of `name` and `external_id`.

        Raises:
            InvalidRequest: A value is not acceptable; nothing was written.
            NameTaken: Name or key is taken; nothing was written.
        """
        record = OrganizationRecord(id=self._id("org"), **self._new(_checked(values), OrganizationRecord))
        async with self._database.unit() as unit:
            await unit.organizations.add(record)
        return record

    async def change_organization(
        self, organization_id: str, changes: dict[str, Any], *, expected: str | None
    ) -> OrganizationRecord:
        """Change an organization.

        Raises:
            NotOurs: There is none of this id.
            InvalidRequest: A value is not acceptable; nothing was changed.
            NameTaken: Name or key is taken; nothing was changed.
            RevisionStale: It was changed since; nothing was changed.
        """
        given = self._revised(_checked(changes))
        async with self._database.unit() as unit:
            await _organization(unit, organization_id)
            await unit.organizations.update(organization_id, expected=expected, **given)
            return await _organization(unit, organization_id)

    async def delete_organization(self, organization_id: str, *, expected: str | None) -> None:
        """Delete an organization without plants, and the grants of it.

        Raises:
            NotOurs: There is none of this id.
            StillInUse: It has plants; nothing was changed.
            RevisionStale: It was changed since; nothing was changed.
        """
        async with self._database.unit() as unit:
            await _organization(unit, organization_id)
            await unit.organizations.delete(organization_id, expected=expected)
        self._principals.forget()

    # Plants

    async def plants(self, organization_id: str, *, cursor: str | None, limit: int) -> Page[PlantRecord]:
        """Return one page of an organization's plants, by name.

        Raises:
            NotOurs: There is no such organization.
            CursorInvalid: The cursor is not one of this list.
        """
        async with self._database.unit(write=False) as unit:
            await _organization(unit, organization_id)
            return await unit.plants.page(owner=organization_id, cursor=cursor, limit=limit)

    async def plant(self, organization_id: str, plant_id: str) -> PlantRecord:
        """Return a plant of an organization.

        Raises:
            NotOurs: There is none of this id there.
        """
        async with self._database.unit(write=False) as unit:
            return await _plant(unit, organization_id, plant_id)

    async def add_plant(self, organization_id: str, values: dict[str, Any]) -> PlantRecord:
        """Make a plant of `name` and `external_id`.

        Raises:
            NotOurs: There is no such organization.
            InvalidRequest: A value is not acceptable; nothing was written.
            NameTaken: Name or key is taken; nothing was written.
        """
        given = self._new(_checked(values), PlantRecord)
        record = PlantRecord(id=self._id("plant"), organization_id=organization_id, **given)
        async with self._database.unit() as unit:
            await _organization(unit, organization_id)
            await unit.plants.add(record)
        return record

    async def change_plant(
        self, organization_id: str, plant_id: str, changes: dict[str, Any], *, expected: str | None
    ) -> PlantRecord:
        """Change a plant.

        Raises:
            NotOurs: There is none of this id there.
            InvalidRequest: A value is not acceptable; nothing was changed.
            NameTaken: Name or key is taken; nothing was changed.
            RevisionStale: It was changed since; nothing was changed.
        """
        given = self._revised(_checked(changes))
        async with self._database.unit() as unit:
            await _plant(unit, organization_id, plant_id)
            await unit.plants.update(plant_id, expected=expected, **given)
            return await _plant(unit, organization_id, plant_id)

    async def delete_plant(self, organization_id: str, plant_id: str, *, expected: str | None) -> None:
        """Delete a plant without machines, and the grants of it.

        Raises:
            NotOurs: There is none of this id there.
            StillInUse: It has machines; nothing was changed.
            RevisionStale: It was changed since; nothing was changed.
        """
        async with self._database.unit() as unit:
            await _plant(unit, organization_id, plant_id)
            await unit.plants.delete(plant_id, expected=expected)
        self._principals.forget()

    # Machines

    async def machines(
        self, organization_id: str, plant_id: str, *, cursor: str | None, limit: int
    ) -> Page[MachineRecord]:
        """Return one page of a plant's machines, by name.

        Raises:
            NotOurs: There is no such plant there.
            CursorInvalid: The cursor is not one of this list.
        """
        async with self._database.unit(write=False) as unit:
            await _plant(unit, organization_id, plant_id)
            return await unit.machines.page(owner=plant_id, cursor=cursor, limit=limit)

    async def machine(self, organization_id: str, plant_id: str, machine_id: str) -> MachineRecord:
        """Return a machine of a plant.

        Raises:
            NotOurs: There is none of this id there.
        """
        async with self._database.unit(write=False) as unit:
            return await _machine(unit, organization_id, plant_id, machine_id)

    async def add_machine(self, organization_id: str, plant_id: str, values: dict[str, Any]) -> MachineRecord:
        """Make a machine of `name`, `external_id`, `serial_number` and `asset_id`.

        Raises:
            NotOurs: There is no such plant there.
            InvalidRequest: A value is not acceptable; nothing was written.
            NameTaken: Name or a key is taken; nothing was written.
        """
        given = self._new(_checked(values), MachineRecord)
        record = MachineRecord(id=self._id("machine"), plant_id=plant_id, **given)
        async with self._database.unit() as unit:
            await _plant(unit, organization_id, plant_id)
            await unit.machines.add(record)
        return record

    async def change_machine(
        self, organization_id: str, plant_id: str, machine_id: str, changes: dict[str, Any], *, expected: str | None
    ) -> MachineRecord:
        """Change a machine.

        Raises:
            NotOurs: There is none of this id there.
            InvalidRequest: A value is not acceptable; nothing was changed.
            NameTaken: Name or a key is taken; nothing was changed.
            RevisionStale: It was changed since; nothing was changed.
        """
        given = self._revised(_checked(changes))
        async with self._database.unit() as unit:
            await _machine(unit, organization_id, plant_id, machine_id)
            await unit.machines.update(machine_id, expected=expected, **given)
            return await _machine(unit, organization_id, plant_id, machine_id)

    async def delete_machine(
        self, organization_id: str, plant_id: str, machine_id: str, *, expected: str | None
    ) -> None:
        """Delete a machine, and the grants of it.

        Raises:
            NotOurs: There is none of this id there.
            RevisionStale: It was changed since; nothing was changed.
        """
        async with self._database.unit() as unit:
            await _machine(unit, organization_id, plant_id, machine_id)
            await unit.machines.delete(machine_id, expected=expected)
        self._principals.forget()

    def _id(self, prefix: str) -> str:
        return new_identifier(prefix, self._clock.now())

    def _new(self, values: dict[str, Any], kind: type[Any]) -> dict[str, Any]:
        now = self._clock.now()
        given = {"created_at": now, "updated_at": now, "revision": new_revision(), **values}
        owners = {"id", "organization_id", "plant_id"}
        return {field.name: given.get(field.name) for field in fields(kind) if field.name not in owners}

    def _revised(self, changes: dict[str, Any]) -> dict[str, Any]:
        return {**changes, "updated_at": self._clock.now(), "revision": new_revision()}


def _checked(values: dict[str, Any]) -> dict[str, Any]:
    checked = dict(values)
    for name in ("name", "external_id", "serial_number"):
        value = checked.get(name)
        if name in checked and (value is not None or name == "name"):
            text = str(value or "")
            if not text or text != text.strip() or len(text) > _MAX_CHARS or not text.isprintable():
                raise InvalidRequest(f"{name} has 1 to {_MAX_CHARS} printable characters and no spaces at its ends.")
    if checked.get("asset_id") is not None:
        asset = to_18(str(checked["asset_id"]))
        if asset is None or not asset.startswith("02i"):
            raise InvalidRequest("asset_id is no Salesforce id of an Asset: they have 15 or 18 characters from 02i on.")
        checked["asset_id"] = asset
    return checked


async def _organization(unit: Unit, organization_id: str) -> OrganizationRecord:
    found = await unit.organizations.get(organization_id)
    if found is None:
        raise NotOurs(f"There is no organization {organization_id}.")
    return found


async def _plant(unit: Unit, organization_id: str, plant_id: str) -> PlantRecord:
    found = await unit.plants.get(plant_id, owner=organization_id)
    if found is None:
        raise NotOurs(f"There is no plant {plant_id} of organization {organization_id}.")
    return found


async def _machine(unit: Unit, organization_id: str, plant_id: str, machine_id: str) -> MachineRecord:
    await _plant(unit, organization_id, plant_id)
    found = await unit.machines.get(machine_id, owner=plant_id)
    if found is None:
        raise NotOurs(f"There is no machine {machine_id} of plant {plant_id}.")
    return found
