"""Which machine a caller means, and whether the caller may see what is kept of it.

Laws:
1. A grant of the organization shows all of its machines; a grant of a plant or of a machine shows that one's.
2. `*` in the grants of plants and machines reaches no further than the organizations that are granted.
3. A machine has up to two names: our own id, and its Asset's. Both lead to the same documents.
4. Policies of roles count as for the machine itself: who may not see its Asset sees no documents of it, and who may see
   no Assets at all sees those of no machine.
5. Somebody who is granted nothing of the organization is told so; anybody else is told of a machine that is not theirs
   to see that there is none, as by the list of machines.
"""

from __future__ import annotations

from typing import Protocol

from orgbridge.services.commerce.errors import MachineMissing, NotGranted, OrganizationUnknown
from orgbridge.services.scopes import Caller, Everything, Grant
from orgbridge.store.database import Database
from orgbridge.store.repositories.machine_names import MachinePlace
from orgbridge.wire.ids import to_18

#: Key prefix of Asset. Source: facts/commerce/sobjects.md.
_ASSET = "02i"


class AssetOwners(Protocol):
    """Tells whose Assets are, for machines that are kept in Salesforce only and for callers with a policy."""

    def is_limited(self, caller: Caller) -> bool:
        """Tell whether policies limit what the caller sees of Assets."""
        ...

    async def shows(self, caller: Caller) -> bool:
        """Tell whether there are Assets for the caller at all."""
        ...

    async def owns(self, caller: Caller, organization_id: str, asset_id: str) -> bool:
        """Tell whether an Asset is of one of the organization's accounts, and the caller may see it."""
        ...


class GrantedMachines:
    """Finds machines that callers are granted."""

    def __init__(self, database: Database, owners: AssetOwners | None = None) -> None:
        """Prepare.

        Args:
            database: With organizations, plants and machines.
            owners: For Assets that none of our machines names; None leaves those unknown.
        """
        self._database = database
        self._owners = owners

    async def names(self, caller: Caller, organization_id: str, machine_id: str) -> tuple[str, ...]:
        """Return the names of a machine, the one that new documents are kept under first.

        Args:
            caller: Who asks.
            organization_id: Our organization.
            machine_id: Our machine's id, or an Asset's of 15 or 18 characters.

        Raises:
            OrganizationUnknown: There is no such organization.
            NotGranted: The caller is granted nothing of it.
            MachineMissing: There is no such machine of it, or none that the caller may see.
            ClientError: A policy has to be asked, and Salesforce refused or could not be reached.
        """
        asset = to_18(machine_id) if machine_id.startswith(_ASSET) else None
        name = asset or machine_id
        plants, machines = _listed(caller.plants), _listed(caller.machines)
        async with self._database.unit(write=False) as unit:
            if not await unit.machine_names.has_organization(organization_id):
                raise OrganizationUnknown
            place = await unit.machine_names.find(organization_id, name)
            whole = organization_id in caller.organizations
            if not whole and not await unit.machine_names.granted_in(organization_id, plants, machines):
                raise NotGranted
        if place is not None:
            if not whole and place.plant_id not in plants and place.machine_id not in machines:
                raise MachineMissing
            await self._check_policy(caller, organization_id, place)
            return tuple(dict.fromkeys(one for one in (place.asset_id, place.machine_id) if one is not None))
        owners = self._owners if whole and asset is not None else None
        if owners is not None and asset is not None and await owners.owns(caller, organization_id, asset):
            return (asset,)
        raise MachineMissing

    async def _check_policy(self, caller: Caller, organization_id: str, place: MachinePlace) -> None:
        owners = self._owners
        if owners is None or not owners.is_limited(caller):
            return
        key = place.asset_id or place.serial_number
        if not await (owners.owns(caller, organization_id, key) if key else owners.shows(caller)):
            raise MachineMissing


def _listed(grant: Grant) -> list[str]:
    return [] if isinstance(grant, Everything) else sorted(grant)
