"""Which machine a caller means, and whether the caller may see what is kept of it.

Laws:
1. A grant of the organization shows all of its machines; a grant of a plant or of a machine shows that one's.
2. `*` in the grants of plants and machines reaches no further than the organizations that are granted.
3. A machine has up to two names: our own id, and its Asset's. Both lead to the same documents.
"""

from __future__ import annotations

from typing import ClassVar, Protocol

from orgbridge.kit.errors import ErrorKind
from orgbridge.services.errors import NotOurs, ServiceError
from orgbridge.services.scopes import Caller, Everything, Grant
from orgbridge.store.database import Database
from orgbridge.wire.ids import to_18

#: Key prefix of Asset. Source: facts/commerce/sobjects.md.
_ASSET = "02i"


class MachineNotGranted(ServiceError):
    """You are not granted this machine, nor its plant or organization: an administrator grants them."""

    code: ClassVar[str] = "machine.not_granted"
    kind: ClassVar[ErrorKind] = ErrorKind.FORBIDDEN


class AssetOwners(Protocol):
    """Tells whose Assets are, for machines that are kept in Salesforce only."""

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
            NotOurs: There is no such organization, or no such machine of it.
            MachineNotGranted: The caller is not granted it.
        """
        asset = to_18(machine_id) if machine_id.startswith(_ASSET) else None
        name = asset or machine_id
        plants, machines = _listed(caller.plants), _listed(caller.machines)
        async with self._database.unit(write=False) as unit:
            if not await unit.machine_names.has_organization(organization_id):
                raise NotOurs(f"There is no organization {organization_id}.")
            place = await unit.machine_names.find(organization_id, name)
            whole = organization_id in caller.organizations
            if place is not None:
                if not whole and place.plant_id not in plants and place.machine_id not in machines:
                    raise MachineNotGranted
                return tuple(dict.fromkeys(one for one in (place.asset_id, place.machine_id) if one is not None))
            # Somebody without a grant in the organization is not told which machines it has.
            if not whole and not await unit.machine_names.granted_in(organization_id, plants, machines):
                raise MachineNotGranted
        owners = self._owners if whole and asset is not None else None
        if owners is not None and asset is not None and await owners.owns(caller, organization_id, asset):
            return (asset,)
        raise NotOurs(f"There is no machine {machine_id} of organization {organization_id}.")


def _listed(grant: Grant) -> list[str]:
    return [] if isinstance(grant, Everything) else sorted(grant)
