"""Parts that fit a machine, over the emulated org's commerce seed: entitled, priced for this buyer, or not told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio

from orgbridge.wiring.hosting import OrgHost
from tests.integration.test_api_contract import check_problem
from tests.support.commerce_world import CommerceWorld, Person, commerce_world

pytestmark = pytest.mark.asyncio(loop_scope="module")
#: First and last number of the products that the buyer groups may see; see the seed's names.
_NORDMUEHLE, _CASTELL = (1, 1500), (1001, 2000)
_INACTIVE = "MP-0011"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(commerce_host: OrgHost, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[CommerceWorld]:
    """Give a world."""
    async with commerce_world(commerce_host, tmp_path_factory.mktemp("commerce")) as world:
        yield world


def _path(world: CommerceWorld, serial: str, organization: str = "Nordmühle") -> str:
    return f"/salesforce_machines/{world.organizations[organization]}/{serial}/parts"


async def _all(world: CommerceWorld, who: str, path: str, **params: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        reply = await world.ask(who, "GET", path, params=params)
        assert reply.status_code == 200, reply.text
        found += reply.json()["parts"]
        if reply.json()["next_cursor"] is None:
            return found
        params["cursor"] = reply.json()["next_cursor"]


def _related(world: CommerceWorld, serial: str) -> dict[str, str]:
    """Return the SKUs of all active products that are related to a machine's product, by id."""
    (asset,) = world.soql(f"SELECT Product2Id FROM Asset WHERE SerialNumber = '{serial}'")
    soql = f"SELECT ChildProductId FROM ProductRelatedComponent WHERE ParentProductId = '{asset['Product2Id']}'"
    ids = [row["ChildProductId"] for row in world.soql(soql)]
    listed = ", ".join(f"'{one}'" for one in ids)
    rows = world.soql(f"SELECT Id, StockKeepingUnit FROM Product2 WHERE IsActive = TRUE AND Id IN ({listed})")
    return {row["Id"]: row["StockKeepingUnit"] for row in rows}


def _within(sku: str, numbers: tuple[int, int]) -> bool:
    return numbers[0] <= int(sku.removeprefix("MP-")) <= numbers[1]


@pytest.mark.parametrize(
    ("who", "organization", "serial", "numbers", "group"),
    [
        ("kiel", "Nordmühle", "SN-110-001", _NORDMUEHLE, "Nordmühle Buyers"),
        ("lyon", "Castell", "SN-210-001", _CASTELL, "Castell Buyers"),
    ],
)
async def test_parts_are_those_the_buyer_may_buy_at_the_buyers_price(
    world: CommerceWorld, who: str, organization: str, serial: str, numbers: tuple[int, int], group: str
) -> None:
    """Exactly the entitled ones come, each at the price of the buyer's own group, page by page."""
    related = _related(world, serial)
    wanted = {identifier: sku for identifier, sku in related.items() if _within(sku, numbers)}
    assert 0 < len(wanted) < len(related)
    found = await _all(world, who, _path(world, serial, organization), limit=9)
    assert {part["product_id"]: part["sku"] for part in found} == wanted
    listed = ", ".join(f"'{one}'" for one in wanted)
    rows = world.soql(
        f"SELECT Product2Id, UnitPrice FROM PricebookEntry WHERE Pricebook2.Name = '{group} Prices' "
        f"AND Product2Id IN ({listed})"
    )
    prices = {row["Product2Id"]: Decimal(str(row["UnitPrice"])) for row in rows}
    for part in found:
        assert part["price_state"] == "priced"
        assert Decimal(part["price"]["unit_price"]) == prices[part["product_id"]]
        assert part["price"]["currency"] == "EUR"
        assert part["relation"] == "Spare Part"
        assert part["quantity"] >= 1


async def test_without_a_buyer_there_is_no_price(world: CommerceWorld) -> None:
    """Somebody who acts as no Salesforce user is told the relation and no price, and why; no price book is read."""
    world.org.control.clear_requests()
    reply = await world.ask("both", "GET", _path(world, "SN-110-001"), params={"limit": 100})
    assert (reply.json()["prices"], reply.json()["account_id"]) == ("no_buyer", None)
    assert {part["product_id"]: part["sku"] for part in reply.json()["parts"]} == _related(world, "SN-110-001")
    assert all((part["price"], part["price_state"]) == (None, "no_buyer") for part in reply.json()["parts"])
    asked = [one["path"] for one in world.org.control.requests()]
    assert not any("commerce" in path or "Pricebook" in path for path in asked)


async def test_whoever_sees_a_machine_only_is_told_no_price(world: CommerceWorld) -> None:
    """A grant of a machine shows its parts and lets nobody act for the account."""
    organization = world.organizations["Nordmühle"]
    plant = await world.services.organizations.add_plant(organization, {"name": "Hall"})
    machine = await world.services.organizations.add_machine(
        organization, plant.id, {"name": "one", "serial_number": "SN-120-002"}
    )
    person = await world.make_person("fitter", Person(sf_username="buyer.bremen@nordmuehle.example", organizations=()))
    await world.grant(person, machines=(machine.id,))
    reply = await world.ask("fitter", "GET", _path(world, "SN-120-002"))
    assert reply.json()["prices"] == "not_granted"
    assert all(part["price"] is None for part in reply.json()["parts"])
    check_problem(await world.ask("fitter", "GET", _path(world, "SN-120-001")), 404, "machine.not_found")
    own = {"account_id": world.accounts["ACC-120"]}
    check_problem(await world.ask("fitter", "GET", _path(world, "SN-120-002"), params=own), 403, "account.not_granted")


async def test_prices_of_another_account_need_the_right_there(world: CommerceWorld) -> None:
    """The account may be named; one of another organization is refused here, one the user may not buy for there."""
    approver = await world.ask("approver", "GET", _path(world, "SN-120-001"), params={"limit": 5})
    assert approver.json()["account_id"] == world.accounts["ACC-120"]
    foreign = {"account_id": world.accounts["ACC-210"]}
    check_problem(
        await world.ask("kiel", "GET", _path(world, "SN-110-001"), params=foreign), 403, "account.not_granted"
    )
    # Kiel's buyer may not buy for Bremen at Salesforce: that is said, and no other price is taken.
    refused = await world.ask("kiel", "GET", _path(world, "SN-120-001"))
    assert refused.status_code in (403, 404), refused.text
    assert refused.json()["code"] in ("commerce.not_entitled", "commerce.not_found")
    own = await world.ask("kiel", "GET", _path(world, "SN-120-001"), params={"account_id": world.accounts["ACC-110"]})
    assert own.json()["account_id"] == world.accounts["ACC-110"]
    assert own.json()["parts"]


async def test_flaw_11_a_buyer_whom_salesforce_refuses_is_told_so(world: CommerceWorld) -> None:
    """Flaw 11: a user whom Salesforce does not sign in is a clear error, and nobody else's price is taken."""
    await world.make_person("ghost", Person(sf_username="ghost@nordmuehle.example", organizations=("Nordmühle",)))
    reply = await world.ask("ghost", "GET", _path(world, "SN-110-001"))
    check_problem(reply, 502, "commerce.upstream_auth")


async def test_what_a_policy_hides_is_no_part(world: CommerceWorld) -> None:
    """Products whose rows are hidden are left out; without the relation there are no parts."""
    where = "StockKeepingUnit > 'MP-0500'"
    rules = {
        "Asset": {"operations": ["query"]},
        "ProductRelatedComponent": {"operations": ["query"]},
        "Product2": {"operations": ["query"], "where": where, "hidden": ["Description"]},
    }
    await world.services.roles.create("some", scopes=["machines:read"], policy={"objects": rules})
    await world.make_person("some", Person(sf_username=None, organizations=("Nordmühle",)), roles=("some",))
    found = await _all(world, "some", _path(world, "SN-110-001"))
    assert {part["sku"] for part in found} == {sku for sku in _related(world, "SN-110-001").values() if sku > "MP-0500"}
    assert all("description" not in part and part["relation"] is None for part in found)
    del rules["ProductRelatedComponent"]
    await world.services.roles.create("none", scopes=["machines:read"], policy={"objects": rules})
    await world.make_person("none", Person(sf_username=None, organizations=("Nordmühle",)), roles=("none",))
    assert await _all(world, "none", _path(world, "SN-110-001")) == []
