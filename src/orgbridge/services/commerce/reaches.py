"""Which machines of an organization a caller may see: what the grants of organizations, plants and machines come to.

Laws:
1. A machine of Salesforce (an Asset) is the organization's whose account it is on; grants open nothing else.
2. Whoever is granted the organization sees all of its machines. Whoever is granted plants or machines of it sees the
   machines that stand there in this service's books, told by Asset id, or by serial number where no id is known.
3. `*` for plants or machines spans what is granted above it: it opens no organization.
4. Grants only add: taking one away never shows more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orgbridge.services.commerce.accounts import AccountService
from orgbridge.services.commerce.conditions import among, both, either, equal
from orgbridge.services.commerce.errors import MachineMissing, MachinesTooMany, NotGranted, NotMapped
from orgbridge.services.commerce.trees import AccountTrees
from orgbridge.services.scopes import Caller, Everything, Grant
from orgbridge.soql import tree
from orgbridge.store.database import Database
from orgbridge.store.identity_records import MachineRecord, OrganizationRecord

#: Machines that one query names at most: with the accounts they fit the 100,000 characters of a query.
MOST_NAMED = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """The machines of one organization that a caller may see."""

    #: The organization.
    organization: OrganizationRecord
    #: Its accounts, never empty.
    account_ids: tuple[str, ...]
    #: True when the caller is granted the organization itself.
    is_whole: bool
    #: The condition on an Asset; None when there is no machine at all.
    assets: tree.Condition | None

    def rows(self, field: str = "AccountId") -> tree.Condition:
        """Return the condition that a row about a machine is no other organization's: of its accounts, or of none."""
        return either([equal(field, None), among(field, self.account_ids)])


class Reaches:
    """Tells what callers may see."""

    def __init__(self, database: Database, accounts: AccountService, trees: AccountTrees) -> None:
        self._database = database
        self._accounts = accounts
        self._trees = trees

    async def of(self, caller: Caller, organization_id: str, *, plant_id: str | None = None) -> Reach:
        """Return what a caller may see of an organization.

        Args:
            caller: Who asks.
            organization_id: Which organization.
            plant_id: Only what stands in this plant of it.

        Raises:
            OrganizationUnknown: There is no such organization.
            NotGranted: The caller is granted nothing of it.
            MachineMissing: It has no such plant, or none that the caller may see.
            NotMapped: It has no account in Salesforce.
            AccountGone: Its account was deleted or merged.
            MachinesTooMany: More single machines are granted than a query can name.
            ClientError: Salesforce could not be asked.
        """
        place = await self._accounts.known(caller, organization_id)
        organization = place.organization
        is_whole = organization.id in caller.organizations
        named = await self._named(caller, organization.id, plant_id, is_whole=is_whole)
        if place.mapping is None:
            raise NotMapped(f"Organization {organization.id} is mapped to no Salesforce account.")
        # Says what became of an account that is gone.
        await self._trees.lineage(place.mapping.account_id)
        account_ids = tuple(account.node.id for account in await self._accounts.accounts([place]))
        own = among("AccountId", account_ids)
        if named is not None:
            single = _named(named)
            assets = None if single is None else both(own, single)
        else:
            assets = own
        return Reach(organization=organization, account_ids=account_ids, is_whole=is_whole, assets=assets)

    async def stands(
        self, organization_id: str, asset_ids: Sequence[str], serials: Sequence[str]
    ) -> list[MachineRecord]:
        """Return what this service's books say of some machines of an organization."""
        async with self._database.unit(write=False) as unit:
            return await unit.accounts.machines_like(organization_id, asset_ids=asset_ids, serials=serials)

    async def _named(
        self, caller: Caller, organization_id: str, plant_id: str | None, *, is_whole: bool
    ) -> list[MachineRecord] | None:
        """Return the machines that the caller's view is limited to; None for all of the organization."""
        plants, machines = _ids(caller.plants), _ids(caller.machines)
        async with self._database.unit(write=False) as unit:
            if not is_whole and not await unit.accounts.has_places(
                organization_id, machine_ids=machines, plant_ids=plants
            ):
                raise NotGranted
            if plant_id is None:
                if is_whole:
                    return None
                found = await unit.accounts.granted_machines(
                    organization_id, machine_ids=machines, plant_ids=plants, limit=MOST_NAMED + 1
                )
            else:
                plant = await unit.plants.get(plant_id, owner=organization_id)
                found = await unit.accounts.granted_machines(
                    organization_id, machine_ids=(), plant_ids=[plant_id], limit=MOST_NAMED + 1
                )
                if not is_whole and plant_id not in plants:
                    found = [machine for machine in found if machine.id in machines]
                    plant = plant if found else None
                if plant is None:
                    raise MachineMissing("There is no such plant, or none that you may see.")
        if len(found) > MOST_NAMED:
            raise MachinesTooMany
        return found


def _ids(grant: Grant) -> tuple[str, ...]:
    return () if isinstance(grant, Everything) else tuple(sorted(grant))


def _named(machines: Sequence[MachineRecord]) -> tree.Condition | None:
    ids = [machine.asset_id for machine in machines if machine.asset_id]
    serials = [machine.serial_number for machine in machines if machine.serial_number and not machine.asset_id]
    ways = [among(field, values) for field, values in (("Id", ids), ("SerialNumber", serials)) if values]
    return either(ways) if ways else None
