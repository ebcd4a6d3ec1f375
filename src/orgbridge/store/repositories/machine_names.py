"""Machines of an organization by any of their names. Nothing here commits."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from orgbridge.store.identity_tables import machines, organizations, plants


@dataclass(frozen=True, slots=True, kw_only=True)
class MachinePlace:
    """Where a machine stands."""

    #: Our own id.
    machine_id: str
    #: Its plant's.
    plant_id: str
    #: Its Asset in Salesforce, 18 characters, when that is known.
    asset_id: str | None
    #: Its serial number, when that is known.
    serial_number: str | None


class MachineNameRepository:
    """Reads which machines are meant."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def has_organization(self, organization_id: str) -> bool:
        """Tell whether there is such an organization."""
        query = sa.select(organizations.c.id).where(organizations.c.id == organization_id)
        return (await self._connection.execute(query)).first() is not None

    async def find(self, organization_id: str, name: str) -> MachinePlace | None:
        """Return the machine of an organization that has this id, or this Asset; None when there is none."""
        query = (
            sa.select(machines.c.id, machines.c.plant_id, machines.c.asset_id, machines.c.serial_number)
            .join(plants, plants.c.id == machines.c.plant_id)
            .where(plants.c.organization_id == organization_id)
            .where(sa.or_(machines.c.id == name, machines.c.asset_id == name))
        )
        row = (await self._connection.execute(query)).first()
        if row is None:
            return None
        return MachinePlace(machine_id=row[0], plant_id=row[1], asset_id=row[2], serial_number=row[3])

    async def granted_in(self, organization_id: str, plant_ids: list[str], machine_ids: list[str]) -> bool:
        """Tell whether one of these plants or machines is the organization's."""
        query = (
            sa.select(plants.c.id)
            .outerjoin(machines, machines.c.plant_id == plants.c.id)
            .where(plants.c.organization_id == organization_id)
            .where(sa.or_(plants.c.id.in_(plant_ids), machines.c.id.in_(machine_ids)))
            .limit(1)
        )
        return (await self._connection.execute(query)).first() is not None
