"""The chain from a user to its cart over the emulated org: each link broken in turn is the one that is named."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio

from orgbridge.kit.clock import SystemClock
from orgbridge.orgs.connections import Orgs
from orgbridge.services.commerce.accounts import AccountService
from orgbridge.services.commerce.diagnosis import DiagnosisService, Patient
from orgbridge.services.commerce.diagnosis_links import REMEDIES, LinkName, LinkState
from orgbridge.services.commerce.trees import AccountTrees
from orgbridge.services.errors import InvalidRequest, ScopeMissing
from orgbridge.store.database import Database
from orgbridge.wiring.hosting import OrgHost
from orgbridge.wiring.startup import org_config
from tests.support.commerce_world import CommerceWorld, Person, commerce_world

pytestmark = pytest.mark.asyncio(loop_scope="module")

_KIEL = Patient(username="kiel", sku="MP-0001")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(commerce_host: OrgHost, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[CommerceWorld]:
    """Give a world in which every test mends what it broke."""
    async with commerce_world(commerce_host, tmp_path_factory.mktemp("diagnosis")) as world:
        # A user who is refused is refused for minutes: signed in before, no test depends on another one's order.
        await world.ask("kiel", "GET", "/carts/me", params={"account_id": world.accounts["ACC-110"]})
        yield world


async def _look(world: CommerceWorld, patient: Patient = _KIEL) -> Any:
    return await world.services.diagnosis.diagnose(await world.caller("admin"), patient)


async def _headline(world: CommerceWorld, patient: Patient = _KIEL) -> str | None:
    found = (await _look(world, patient)).headline
    return found.name.value if found is not None else None


def _one(world: CommerceWorld, soql: str) -> dict[str, Any]:
    (row,) = world.soql(soql)
    return row


async def test_a_whole_chain_is_whole(world: CommerceWorld) -> None:
    """A buyer of the seed: every link is ok, the contact's own account is bought for, and no cart was made."""
    before = await asyncio.to_thread(world.soql, "SELECT Id FROM WebCart")
    found = await _look(world)
    assert [one for one in found.links if one.state is not LinkState.OK] == []
    assert [one.name for one in found.links] == [*LinkName]
    assert (found.account_id, found.organization_id) == (world.accounts["ACC-110"], world.organizations["Nordmühle"])
    assert await asyncio.to_thread(world.soql, "SELECT Id FROM WebCart") == before


async def test_the_seeds_broken_buyer_has_no_buyer_account(world: CommerceWorld) -> None:
    """`nobody@unbuyer.example` signs in and is in a site, but its company is no buyer account."""
    made = await world.services.organizations.add_organization({"name": "Unbuyer"})
    world.organizations["Unbuyer"] = made.id
    account = _one(world, "SELECT Id FROM Account WHERE External_Id__c = 'ACC-900'")["Id"]
    from_text = {"account": account}
    reply = await world.ask("admin", "PUT", f"/salesforce_account/mappings/{made.id}", json=from_text)
    assert reply.status_code == 201, reply.text
    person = Person(sf_username="nobody@unbuyer.example", organizations=("Unbuyer",))
    await world.make_person("unbuyer", person)
    reply = await world.ask("unbuyer", "GET", "/salesforce_account/diagnosis", params={"sku": "MP-0001"})
    assert reply.status_code == 200, reply.text
    found = reply.json()
    assert found["headline"]["link"] == "buyer_account"
    assert "not enabled as a buyer account" in found["headline"]["detail"]
    assert "Enable As Buyer" in found["headline"]["remedy"]
    states = {one["link"]: one["state"] for one in found["links"]}
    assert states["sign_in"] == states["contact"] == states["account_access"] == "ok"
    assert states["product_entitled"] == "unknown"


async def test_links_of_this_service(world: CommerceWorld) -> None:
    """No such user, no scope, no grant, no mapping, no Salesforce user, disabled: each is named by itself."""
    assert await _headline(world, replace(_KIEL, username="ghost")) == "user"
    buyer = Person(sf_username="buyer.kiel@nordmuehle.example", organizations=("Nordmühle",))
    await world.make_person("scopeless", buyer, roles=("reader",))
    assert await _headline(world, replace(_KIEL, username="scopeless")) == "scopes"
    assert await _headline(world, replace(_KIEL, organization="Castell")) == "grant"
    assert await _headline(world, replace(_KIEL, username="nobody")) == "grant"
    assert await _headline(world, replace(_KIEL, username="omaha")) == "mapping"
    await world.make_person("plain", Person(sf_username=None, organizations=("Nordmühle",)))
    assert await _headline(world, replace(_KIEL, username="plain")) == "sf_username"
    typo = Person(sf_username="buyer.keil@nordmuehle.example", organizations=("Nordmühle",))
    await world.make_person("typo", typo)
    assert await _headline(world, replace(_KIEL, username="typo")) == "salesforce_user"
    internal = Person(sf_username=world.org.username, organizations=("Nordmühle",))
    await world.make_person("internal", internal)
    assert await _headline(world, replace(_KIEL, username="internal")) == "licence"
    both = await _look(world, replace(_KIEL, username="both"))
    assert next(one for one in both.links if one.name is LinkName.GRANT).state is LinkState.UNKNOWN


async def test_a_user_of_salesforce_only_is_walked_too(world: CommerceWorld) -> None:
    """A Salesforce user name that no user here bears: the user is the headline, its own chain is seen all the same."""
    found = await _look(world, Patient(username="buyer.kiel@nordmuehle.example"))
    assert found.headline is not None
    assert found.headline.name is LinkName.USER
    states = {one.name: one.state for one in found.links}
    assert states[LinkName.SIGN_IN] is states[LinkName.CONTACT] is LinkState.OK


_USER = "SELECT Id FROM User WHERE Username = 'buyer.kiel@nordmuehle.example'"
_PRODUCT = "(SELECT Id FROM Product2 WHERE StockKeepingUnit = 'MP-0001')"
_BOOK = "(SELECT Pricebook2Id FROM BuyerGroupPricebook WHERE BuyerGroup.Name = 'Nordmühle Buyers')"
#: Link, the record that is broken, and how it is changed; None deletes it.
_BREAKS: list[tuple[str, str, str, dict[str, Any] | None]] = [
    ("user_active", "User", _USER, {"IsActive": False}),
    ("buyer_account", "BuyerAccount", "SELECT Id FROM BuyerAccount WHERE BuyerId = ':kiel'", {"IsActive": False}),
    (
        "buyer_account",
        "BuyerAccount",
        "SELECT Id FROM BuyerAccount WHERE BuyerId = ':kiel'",
        {"BuyerStatus": "Pending"},
    ),
    ("buyer_group", "BuyerGroupMember", "SELECT Id FROM BuyerGroupMember WHERE BuyerId = ':kiel'", None),
    (
        "entitlement_policy",
        "CommerceEntitlementPolicy",
        "SELECT Id FROM CommerceEntitlementPolicy WHERE Name = 'Nordmühle Buyers Policy'",
        {"IsActive": False},
    ),
    ("product", "Product2", "SELECT Id FROM Product2 WHERE StockKeepingUnit = 'MP-0001'", {"IsActive": False}),
    (
        "product_entitled",
        "CommerceEntitlementProduct",
        f"SELECT Id FROM CommerceEntitlementProduct WHERE ProductId IN {_PRODUCT}",
        None,
    ),
    (
        "price",
        "CommerceEntitlementPolicy",
        "SELECT Id FROM CommerceEntitlementPolicy WHERE Name = 'Nordmühle Buyers Policy'",
        {"CanViewPrice": False},
    ),
    (
        "web_store",
        "Network",
        "SELECT Id FROM Network WHERE Name = 'Machine Parts EU'",
        {"Status": "DownForMaintenance"},
    ),
    (
        "web_store",
        "WebStoreBuyerGroup",
        "SELECT Id FROM WebStoreBuyerGroup WHERE BuyerGroup.Name = 'Nordmühle Buyers'",
        None,
    ),
    (
        "permission_set",
        "PermissionSetAssignment",
        f"SELECT Id FROM PermissionSetAssignment WHERE AssigneeId IN ({_USER}) AND PermissionSet.Name = 'B2BBuyer'",
        None,
    ),
]


@pytest.mark.parametrize(("link", "sobject", "soql", "change"), _BREAKS, ids=[f"{one[0]}-{one[1]}" for one in _BREAKS])
async def test_a_broken_link_is_the_one_that_is_named(
    world: CommerceWorld, link: str, sobject: str, soql: str, change: dict[str, Any] | None
) -> None:
    """One record of Salesforce changed or deleted: exactly its link is the headline, with what to do in Setup."""
    soql = soql.replace(":kiel", world.accounts["ACC-110"])
    fields = [*(change or {}), *({"BuyerGroupMember": ["BuyerGroupId", "BuyerId"]}.get(sobject, []))]
    row = _one(world, soql.replace("SELECT Id", f"SELECT {', '.join(['Id', *fields])}", 1))
    path = f"/sobjects/{sobject}/{row['Id']}"
    kept: dict[str, Any] = {}
    if change is None:
        whole = world.change("GET", path)
        told = world.change("GET", f"/sobjects/{sobject}/describe")["fields"]
        kept = {one["name"]: whole[one["name"]] for one in told if one["createable"] and whole.get(one["name"])}
        world.change("DELETE", path)
    else:
        world.change("PATCH", path, change)
    try:
        found = await _look(world)
        assert found.headline is not None
        assert (found.headline.name.value, found.headline.remedy) == (link, REMEDIES[LinkName(link)])
    finally:
        if change is None:
            world.change("POST", f"/sobjects/{sobject}", kept)
        else:
            world.change("PATCH", path, {name: row[name] for name in change})
    assert await _headline(world) is None


async def test_what_was_mended_is_seen_at_once(world: CommerceWorld) -> None:
    """A user whom Salesforce refused to sign in is not held to be refused once the cause is gone."""
    path = f"/sobjects/User/{_one(world, _USER)['Id']}"
    world.change("PATCH", path, {"IsActive": False})
    try:
        world.end_sessions("buyer.kiel@nordmuehle.example")
        # At the first look the cart finds out that the session is gone, at the second nobody can sign in.
        assert await _headline(world) == "user_active"
        assert {one.name: one.state for one in (await _look(world)).links}[LinkName.SIGN_IN] is LinkState.BROKEN
    finally:
        world.change("PATCH", path, {"IsActive": True})
    assert await _headline(world) is None


async def test_a_product_without_a_price_is_told_from_one_without_a_book(world: CommerceWorld) -> None:
    """All books of store and group switched off break the book; a product that none of them has breaks its price."""
    group = _one(world, "SELECT Id FROM BuyerGroupPricebook WHERE BuyerGroup.Name = 'Nordmühle Buyers'")["Id"]
    store = _one(world, "SELECT Id FROM WebStorePricebook WHERE WebStore.Name = 'Machine Parts EU'")["Id"]
    paths = [f"/sobjects/BuyerGroupPricebook/{group}", f"/sobjects/WebStorePricebook/{store}"]
    for path in paths:
        world.change("PATCH", path, {"IsActive": False})
    assert await _headline(world) == "price_book"
    for path in paths:
        world.change("PATCH", path, {"IsActive": True})
    entries = world.soql(f"SELECT Id FROM PricebookEntry WHERE Product2Id IN {_PRODUCT} AND IsActive = TRUE")
    for entry in entries:
        world.change("PATCH", f"/sobjects/PricebookEntry/{entry['Id']}", {"IsActive": False})
    assert await _headline(world) == "price"
    for entry in entries:
        world.change("PATCH", f"/sobjects/PricebookEntry/{entry['Id']}", {"IsActive": True})
    assert await _headline(world, replace(_KIEL, sku="MP-0011")) == "product"
    assert await _headline(world, replace(_KIEL, sku="MP-9999")) == "product"
    assert await _headline(world, replace(_KIEL, sku="MP-1900")) == "product_entitled"


async def test_another_account_needs_to_be_delegated(world: CommerceWorld) -> None:
    """A buyer for a sister company: refused without a delegation, whole for the approver, who has one."""
    sister = world.accounts["ACC-120"]
    assert await _headline(world, replace(_KIEL, account_id=sister)) == "account_access"
    assert await _headline(world, Patient(username="approver", account_id=sister, sku="MP-0001")) is None


async def test_only_the_user_itself_and_administrators_look(world: CommerceWorld) -> None:
    """Others are refused, and ids that are none are told as such."""
    caller = await world.caller("lyon")
    with pytest.raises(ScopeMissing):
        await world.services.diagnosis.diagnose(caller, _KIEL)
    assert (await world.services.diagnosis.diagnose(caller, Patient(username="lyon"))).headline is None
    with pytest.raises(InvalidRequest):
        await world.services.diagnosis.diagnose(caller, Patient(username="lyon", webstore_id="001000000000001AAA"))
    reply = await world.ask("lyon", "GET", "/salesforce_account/diagnosis", params={"user": "kiel"})
    assert reply.status_code == 403


async def test_links_that_no_record_of_the_seed_can_break(world: CommerceWorld) -> None:
    """A user without a site, an account that was deleted, a service without a key: each is named."""
    kiel = _one(
        world,
        "SELECT ProfileId, TimeZoneSidKey, LocaleSidKey, EmailEncodingKey, LanguageLocaleKey FROM User WHERE "
        "Username = 'buyer.kiel@nordmuehle.example'",
    )
    contact = {"LastName": "Neu", "AccountId": world.accounts["ACC-110"]}
    made = world.change("POST", "/sobjects/Contact", contact)["id"]
    user = {name: value for name, value in kiel.items() if name != "attributes"}
    name = "new.kiel@nordmuehle.example"
    user |= {"Username": name, "LastName": "Neu", "Email": name, "Alias": "neu", "ContactId": made}
    world.change("POST", "/sobjects/User", user)
    await world.make_person("newcomer", Person(sf_username=name, organizations=("Nordmühle",)))
    assert await _headline(world, replace(_KIEL, username="newcomer")) == "site_member"

    account = world.change("POST", "/sobjects/Account", {"Name": "Short-lived"})["id"]
    organization = (await world.services.organizations.add_organization({"name": "Short-lived"})).id
    world.organizations["Short-lived"] = organization
    path = f"/salesforce_account/mappings/{organization}"
    assert (await world.ask("admin", "PUT", path, json={"account": account})).status_code == 201
    world.change("DELETE", f"/sobjects/Account/{account}")
    person = Person(sf_username="buyer.kiel@nordmuehle.example", organizations=("Short-lived",))
    await world.make_person("orphan", person)
    assert await _headline(world, replace(_KIEL, username="orphan")) == "account"

    config = replace(org_config(world.settings), buyers=None)
    async with Orgs([config], SystemClock()) as orgs:
        database = Database(world.settings.database_url)
        trees = AccountTrees(orgs, SystemClock())
        service = DiagnosisService(database, orgs, AccountService(database, trees), trees)
        found = await service.diagnose(await world.caller("admin"), _KIEL)
        await database.close()
    assert found.headline is not None
    assert found.headline.name is LinkName.SIGN_IN
