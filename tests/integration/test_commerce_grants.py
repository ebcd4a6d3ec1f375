"""Over random grants: exactly the granted machines and accounts are seen, never another organization's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orgbridge.services.commerce.errors import CommerceError, NotGranted
from orgbridge.services.commerce.machines import MachineFilter
from orgbridge.services.commerce.mappings import Named
from orgbridge.services.scopes import ALL, SCOPES, Caller, Grant
from orgbridge.store.identity_records import MachineRecord
from orgbridge.wiring.hosting import OrgHost
from tests.support.commerce_world import CommerceWorld, commerce_world

pytestmark = pytest.mark.asyncio(loop_scope="module")
#: Key of the account of each organization; Kiel is a part of the Nordmühle's hierarchy and its own organization.
_ROOTS = {
    "Nordmühle": ("ACC-100", "ACC-120", "ACC-130"),
    "Kiel": ("ACC-110",),
    "Castell": ("ACC-200", "ACC-210", "ACC-220"),
}
_PLANTS, _MACHINES_EACH = 2, 3


@dataclass(frozen=True)
class Books:
    """What this service and Salesforce know, worked out once."""

    world: CommerceWorld
    #: Organization of each asset, by asset id; those of nobody are absent.
    owners: dict[str, str]
    #: Organization of each account.
    accounts: dict[str, str]
    #: Organization of each plant, and its machines.
    plants: dict[str, str]
    machines: dict[str, MachineRecord]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def books(commerce_host: OrgHost, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Books]:
    """Give three organizations, one inside of another's hierarchy, with plants whose machines are partly foreign."""
    async with commerce_world(commerce_host, tmp_path_factory.mktemp("commerce")) as world:
        places, admin = world.services.organizations, await world.caller("admin")
        kiel = await places.add_organization({"name": "Kiel"})
        world.organizations["Kiel"] = kiel.id
        await world.services.mappings.map(admin, kiel.id, Named(external_id="ACC-110"), expected=None)
        keys = {world.accounts[key]: name for name, own in _ROOTS.items() for key in own}
        rows = world.soql("SELECT Id, AccountId, SerialNumber FROM Asset ORDER BY Id")
        owners = {row["Id"]: keys[row["AccountId"]] for row in rows if row["AccountId"] in keys}
        plants: dict[str, str] = {}
        machines: dict[str, MachineRecord] = {}
        some = iter(rows[1::3])
        for name in _ROOTS:
            for number in range(_PLANTS):
                plant = await places.add_plant(world.organizations[name], {"name": f"{name} {number}"})
                plants[plant.id] = name
                for place in range(_MACHINES_EACH):
                    # Of whichever account comes next: our books may be wrong, and must not open anything.
                    row = next(some)
                    key = {"asset_id": row["Id"]} if place else {"serial_number": row["SerialNumber"]}
                    made = await places.add_machine(plants_of(world, name), plant.id, {"name": f"m{place}", **key})
                    machines[made.id] = made
        yield Books(world=world, owners=owners, accounts=keys, plants=plants, machines=machines)


def plants_of(world: CommerceWorld, name: str) -> str:
    """Return the organization's id."""
    return world.organizations[name]


def _grant(items: list[str]) -> st.SearchStrategy[Grant]:
    return st.one_of(st.just(ALL), st.frozensets(st.sampled_from(items), max_size=4))


def _caller(organizations: Grant, plants: Grant, machines: Grant, sf_username: str | None = None) -> Caller:
    return Caller(
        user_id="user_random",
        username="random",
        scopes=frozenset(SCOPES) - {"admin"},
        organizations=organizations,
        plants=plants,
        machines=machines,
        sf_username=sf_username,
    )


def _expected(books: Books, serials: dict[str, str], caller: Caller, name: str) -> set[str] | None:
    """Return the assets that a caller sees of an organization, worked out by hand; None for one who sees nothing."""
    own = {asset for asset, owner in books.owners.items() if owner == name}
    if books.world.organizations[name] in caller.organizations:
        return own
    plants = set() if caller.plants is ALL else {item for item in caller.plants if books.plants[item] == name}
    named = set() if caller.machines is ALL else set(caller.machines)  # type: ignore[arg-type] # a set, as was tested
    machines = [one for one in books.machines.values() if books.plants[one.plant_id] == name]
    granted = [one for one in machines if one.plant_id in plants or one.id in named]
    if not plants and not granted:
        return None
    seen = {one.asset_id or serials[str(one.serial_number)] for one in granted}
    return seen & own


async def _pages(books: Books, caller: Caller, name: str) -> set[str]:
    found: set[str] = set()
    cursor = None
    while True:
        page = await books.world.services.machines.page(
            caller, books.world.organizations[name], MachineFilter(), cursor=cursor, limit=25
        )
        ids = {str(machine["machine_id"]) for machine in page.machines}
        assert not ids & found
        found |= ids
        cursor = page.next_cursor
        if cursor is None:
            return found


@given(data=st.data())
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
async def test_nobody_ever_sees_another_organizations_machine(books: Books, data: st.DataObject) -> None:
    """Lists, single machines and histories agree with the grants worked out by hand, for all organizations."""
    world = books.world
    serials = {row["SerialNumber"]: row["Id"] for row in world.soql("SELECT Id, SerialNumber FROM Asset")}
    caller = _caller(
        data.draw(_grant(sorted(world.organizations.values())), label="organizations"),
        data.draw(_grant(sorted(books.plants)), label="plants"),
        data.draw(_grant(sorted(books.machines)), label="machines"),
    )
    for name in _ROOTS:
        expected = _expected(books, serials, caller, name)
        if expected is None:
            with pytest.raises(NotGranted):
                await _pages(books, caller, name)
        else:
            assert await _pages(books, caller, name) == expected
    name, asset = data.draw(st.sampled_from(sorted(_ROOTS))), data.draw(st.sampled_from(sorted(books.owners)))
    seen = asset in (_expected(books, serials, caller, name) or ())
    for ask in (world.services.machines.machine, world.services.machines.history):
        try:
            told: Any = await ask(caller, world.organizations[name], asset)
        except CommerceError:
            assert not seen
        else:
            assert seen
            assert told is not None


@given(data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
async def test_nobody_ever_acts_for_another_organizations_account(books: Books, data: st.DataObject) -> None:
    """`resolve` gives exactly the accounts of the organizations granted, and the switch lists the same."""
    world = books.world
    granted = data.draw(_grant([world.organizations[name] for name in _ROOTS]), label="organizations")
    caller = _caller(granted, ALL, ALL)
    own = {account for account, name in books.accounts.items() if world.organizations[name] in granted}
    page = await world.services.hierarchies.switch(caller, cursor=None, limit=50)
    assert {account["account_id"] for account in page.accounts} == own
    account = data.draw(st.sampled_from(sorted(world.accounts.values())), label="account")
    organization = data.draw(
        st.one_of(st.none(), st.sampled_from(sorted(world.organizations.values()))), label="organization"
    )
    fits = account in own and organization in (None, world.organizations[books.accounts[account]])
    try:
        found = await world.services.accounts.resolve(caller, organization, account)
    except CommerceError:
        assert not fits
    else:
        assert fits
        assert found.account_id == account
        assert found.organization_id == world.organizations[books.accounts[account]]
