"""Accounts of organizations over the emulated org's commerce seed: whom callers act for, hierarchies, mappings."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio

from orgbridge.services.commerce.errors import AccountGone, ChoiceNeeded, NotGranted, NotMapped, OrganizationUnknown
from orgbridge.services.errors import InvalidRequest
from orgbridge.wire.ids import make_id
from orgbridge.wiring.hosting import OrgHost
from tests.integration.test_api_contract import check_problem
from tests.support.commerce_world import CommerceWorld, Person, commerce_world

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(commerce_host: OrgHost, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[CommerceWorld]:
    """Give a world that the tests of this module change only in what each of them made."""
    async with commerce_world(commerce_host, tmp_path_factory.mktemp("commerce")) as world:
        yield world


def _names(accounts: list[dict[str, Any]]) -> list[str]:
    return [account["name"] for account in accounts]


# Who acts for whom


async def test_a_buyer_acts_for_the_own_account_unless_another_is_named(world: CommerceWorld) -> None:
    """One organization is told by itself; its account by the buyer's contact; another below it by its id."""
    caller = await world.caller("kiel")
    found = await world.services.accounts.resolve(caller)
    assert (found.organization_name, found.account_id) == ("Nordmühle", world.accounts["ACC-110"])
    assert found.mapped_account_id == world.accounts["ACC-100"]
    group = await world.services.accounts.resolve(await world.caller("approver"))
    assert group.account_id == world.accounts["ACC-100"]
    for stranger in ("buyer.lyon@castell.example", "admin@local.org", "nobody@nowhere.example", None):
        # Somebody whose own account is not the organization's, or who has none, acts for the mapped one.
        other = await world.services.accounts.resolve(replace(caller, sf_username=stranger))
        assert other.account_id == world.accounts["ACC-100"], stranger
    assert found.sf_username == "buyer.kiel@nordmuehle.example"
    rostock = world.accounts["ACC-130"]
    for text in (rostock, rostock[:15]):
        below = await world.services.accounts.resolve(caller, account_id=text)
        assert (below.account_id, below.mapped_account_id) == (rostock, world.accounts["ACC-100"])
        assert below.organization_id == world.organizations["Nordmühle"]


async def test_flaw_03_an_account_of_another_organization_is_refused(world: CommerceWorld) -> None:
    """Flaw 3: neither a foreign account id nor a foreign organization is believed, whatever Salesforce would say."""
    caller, foreign = await world.caller("kiel"), world.accounts["ACC-210"]
    for chosen in (
        {"account_id": foreign},
        {"account_id": world.accounts["ACC-200"]},
        {"organization_id": world.organizations["Castell"]},
        {"organization_id": world.organizations["Nordmühle"], "account_id": foreign},
        {"account_id": make_id("001", 61**5)},
    ):
        with pytest.raises(NotGranted):
            await world.services.accounts.resolve(caller, **chosen)


async def test_nothing_is_chosen_for_somebody_with_several(world: CommerceWorld) -> None:
    """Whoever acts for two organizations and names none is told both, with the accounts to name."""
    caller = await world.caller("both")
    with pytest.raises(ChoiceNeeded) as caught:
        await world.services.accounts.resolve(caller)
    assert {item["account_id"] for item in caught.value.details} == {
        world.accounts["ACC-100"],
        world.accounts["ACC-200"],
    }
    chosen = await world.services.accounts.resolve(caller, account_id=world.accounts["ACC-220"])
    assert chosen.organization_id == world.organizations["Castell"]


async def test_whoever_has_no_account_is_told_why(world: CommerceWorld) -> None:
    """No grant, no mapping, no such organization and no id at all are four different answers."""
    accounts = world.services.accounts
    with pytest.raises(NotGranted, match="granted no organization"):
        await accounts.resolve(await world.caller("nobody"))
    with pytest.raises(NotMapped):
        await accounts.resolve(await world.caller("omaha"))
    with pytest.raises(OrganizationUnknown):
        await accounts.resolve(await world.caller("kiel"), "org_that_is_not")
    with pytest.raises(InvalidRequest):
        await accounts.resolve(await world.caller("kiel"), account_id="' OR Name != '")


# What is shown


async def test_the_buyer_switch_lists_what_one_may_act_for(world: CommerceWorld) -> None:
    """The accounts of the organizations granted, the mapped one first, and no others."""
    reply = await world.ask("kiel", "GET", "/salesforce_account/")
    assert reply.status_code == 200
    assert _names(reply.json()["accounts"])[0] == "Nordmühle Group"
    assert sorted(_names(reply.json()["accounts"])) == [
        "Nordmühle Group",
        "Nordmühle Werk Bremen",
        "Nordmühle Werk Kiel",
        "Nordmühle Werk Rostock",
    ]
    everything = (await world.ask("admin", "GET", "/salesforce_account/", params={"limit": 1})).json()
    assert everything["next_cursor"] is not None
    assert (await world.ask("nobody", "GET", "/salesforce_account/")).json()["accounts"] == []


async def test_pages_of_the_switch_follow_each_other(world: CommerceWorld) -> None:
    """Page by page the same accounts come as at once."""
    at_once = (await world.ask("both", "GET", "/salesforce_account/")).json()["accounts"]
    one_by_one: list[dict[str, Any]] = []
    params: dict[str, Any] = {"limit": 1}
    while True:
        page = (await world.ask("both", "GET", "/salesforce_account/", params=params)).json()
        one_by_one += page["accounts"]
        if page["next_cursor"] is None:
            break
        params["cursor"] = page["next_cursor"]
    assert one_by_one == at_once
    assert len(at_once) == 7


async def test_an_organization_is_found_by_name_or_id_and_shown_as_a_tree(world: CommerceWorld) -> None:
    """Rostock stands below Bremen, Bremen below the group."""
    for text in ("Nordmühle", world.organizations["Nordmühle"]):
        reply = await world.ask("bremen", "GET", f"/salesforce_account/{text}")
        assert (reply.status_code, len(reply.json()["accounts"])) == (200, 4)
        assert reply.json()["account_id"] == world.accounts["ACC-100"]
        assert reply.json()["accounts"][0]["external_ids"]["External_Id__c"] == "ACC-100"
    (top,) = (await world.ask("bremen", "GET", "/salesforce_account/Nordmühle/hierarchy")).json()["hierarchy"]
    below = {item["name"]: item for item in top["children"]}
    assert sorted(below) == ["Nordmühle Werk Bremen", "Nordmühle Werk Kiel"]
    assert _names(below["Nordmühle Werk Bremen"]["children"]) == ["Nordmühle Werk Rostock"]


async def test_flaw_04_a_name_is_never_read_as_soql(world: CommerceWorld) -> None:
    """Flaw 4: what looks like a condition is the name of nothing, for organizations and for accounts."""
    text = "x' OR Name != '"
    check_problem(await world.ask("both", "GET", f"/salesforce_account/{text}"), 404, "account.organization_not_found")
    path = f"/salesforce_account/mappings/{world.organizations['Nordmühle']}"
    reply = await world.ask("both", "PUT", path, json={"name": text}, headers={"If-Match": "*"})
    check_problem(reply, 404, "account.not_found")
    assert reply.json()["errors"] == []


@pytest.mark.parametrize(
    ("who", "organization", "status", "code"),
    [
        ("kiel", "Castell", 403, "account.not_granted"),
        ("kiel", "Nobody Ltd", 404, "account.organization_not_found"),
        ("nobody", "Nordmühle", 403, "account.not_granted"),
        ("omaha", "Prairie", 404, "account.not_mapped"),
    ],
)
async def test_what_one_may_not_see_is_refused(
    world: CommerceWorld, who: str, organization: str, status: int, code: str
) -> None:
    """403 for an organization without a grant, 404 for one that is not there or has no account."""
    for path in (f"/salesforce_account/{organization}", f"/salesforce_account/{organization}/hierarchy"):
        reply = await world.ask(who, "GET", path)
        check_problem(reply, status, code)
        assert world.accounts["ACC-200"] not in reply.text


async def test_what_a_policy_hides_vanishes(world: CommerceWorld) -> None:
    """Hidden fields are absent, masked ones masked, hidden rows are not there; no query is refused for it."""
    policy = {
        "objects": {
            "Account": {
                "operations": ["query"],
                "hidden": ["BillingCity", "External_Id__c", "ParentId"],
                "masked": {"Name": "full"},
                "where": "BillingCountry = 'Germany' AND AccountNumber != 'ACC-120'",
            }
        }
    }
    await world.services.roles.create("veiled", description="", scopes=["accounts:read"], policy=policy)
    await world.make_person("veiled", Person(sf_username=None, organizations=("Nordmühle",)), roles=("veiled",))
    accounts = (await world.ask("veiled", "GET", "/salesforce_account/")).json()["accounts"]
    assert {account["account_number"] for account in accounts} == {"ACC-100", "ACC-110", "ACC-130"}
    assert {account["name"] for account in accounts} == {"********"}
    for account in accounts:
        assert not {"city", "parent_id"} & account.keys()
        assert account.get("external_ids", {}) == {}
    mappings = await world.ask("veiled", "GET", "/salesforce_account/mappings")
    assert "Nordmühle Group" not in mappings.text


# Mappings


async def _organization(world: CommerceWorld, name: str) -> tuple[str, str]:
    made = await world.services.organizations.add_organization({"name": name})
    return made.id, f"/salesforce_account/mappings/{made.id}"


async def test_a_mapping_is_made_changed_and_taken_away_under_its_etag(world: CommerceWorld) -> None:
    """The first needs no If-Match, every change the present one; a stale one changes nothing."""
    _, path = await _organization(world, "Etag Ltd")
    made = await world.ask("admin", "PUT", path, json={"external_id": "ACC-310"})
    assert (made.status_code, made.json()["account_name"], made.json()["found_by"]) == (
        201,
        "Prairie Omaha",
        "external_id",
    )
    first = made.headers["ETag"]
    check_problem(
        await world.ask("admin", "PUT", path, json={"external_id": "ACC-320"}), 428, "request.condition_missing"
    )
    changed = await world.ask("admin", "PUT", path, json={"name": "Prairie Tulsa"}, headers={"If-Match": first})
    assert (changed.status_code, changed.json()["found_by"]) == (200, "name")
    stale = await world.ask("admin", "PUT", path, json={"external_id": "ACC-310"}, headers={"If-Match": first})
    check_problem(stale, 412, "request.stale")
    seen = await world.ask("admin", "GET", path)
    assert seen.json() == changed.json()
    assert seen.headers["ETag"] == changed.headers["ETag"]
    check_problem(await world.ask("admin", "DELETE", path), 428, "request.condition_missing")
    check_problem(await world.ask("admin", "DELETE", path, headers={"If-Match": first}), 412, "request.stale")
    gone = await world.ask("admin", "DELETE", path, headers={"If-Match": changed.headers["ETag"]})
    assert (gone.status_code, gone.content) == (204, b"")
    check_problem(await world.ask("admin", "GET", path), 404, "account.not_mapped")
    late = await world.ask("admin", "PUT", path, json={"external_id": "ACC-310"}, headers={"If-Match": first})
    check_problem(late, 412, "request.stale")


async def test_several_accounts_of_one_name_are_listed_and_none_is_taken(world: CommerceWorld) -> None:
    """Ambiguity is an error with the candidates; by id each of them can be had."""
    twins = [world.change("POST", "/sobjects/Account", {"Name": "Twin Mills"})["id"] for _ in range(2)]
    world.change("POST", "/sobjects/Account", {"Name": "TWIN MILLS"})
    _, path = await _organization(world, "Twins")
    reply = await world.ask("admin", "PUT", path, json={"account": "Twin Mills"})
    check_problem(reply, 409, "account.ambiguous")
    assert {item["account_id"] for item in reply.json()["errors"]} == set(twins)
    check_problem(await world.ask("admin", "GET", path), 404, "account.not_mapped")
    near = await world.ask("admin", "PUT", path, json={"name": "twin mills"})
    check_problem(near, 404, "account.not_found")
    assert len(near.json()["errors"]) == 3
    made = await world.ask("admin", "PUT", path, json={"account": twins[1][:15]})
    assert (made.status_code, made.json()["account_id"], made.json()["found_by"]) == (201, twins[1], "id")


async def test_an_account_is_one_organizations_only(world: CommerceWorld) -> None:
    """Nobody maps to an account that is mapped; a part of another's hierarchy goes only with both grants."""
    identifier, path = await _organization(world, "Taker")
    reply = await world.ask("admin", "PUT", path, json={"external_id": "ACC-100"})
    check_problem(reply, 409, "account.taken")
    await world.make_person("taker", Person(sf_username=None, organizations=(), scopes=("accounts:write",)))
    taker = await world.services.users.find("taker")
    world.organizations["Taker"] = identifier
    await world.grant(taker.user.id, organizations=("Taker",))
    check_problem(await world.ask("taker", "PUT", path, json={"external_id": "ACC-220"}), 409, "account.taken")
    await world.grant(taker.user.id, organizations=("Taker", "Castell"))
    assert (await world.ask("taker", "PUT", path, json={"external_id": "ACC-220"})).status_code == 201
    # What is mapped to another organization is no longer its parent's.
    with pytest.raises(NotGranted):
        await world.services.accounts.resolve(await world.caller("lyon"), account_id=world.accounts["ACC-220"])
    assert "Castell Nantes" not in (await world.ask("lyon", "GET", "/salesforce_account/")).text
    assert (await world.ask("taker", "DELETE", path, headers={"If-Match": "*"})).status_code == 204
    assert "Castell Nantes" in (await world.ask("lyon", "GET", "/salesforce_account/")).text


async def test_mapping_needs_its_scope_and_the_organization(world: CommerceWorld) -> None:
    """A buyer may not map; somebody with the right maps the organizations granted and no others."""
    castell = f"/salesforce_account/mappings/{world.organizations['Castell']}"
    prairie = f"/salesforce_account/mappings/{world.organizations['Prairie']}"
    check_problem(await world.ask("kiel", "PUT", castell, json={"name": "x"}), 403, "identity.scope_missing")
    check_problem(await world.ask("both", "PUT", prairie, json={"name": "x"}), 403, "account.not_granted")
    check_problem(await world.ask("both", "DELETE", prairie, headers={"If-Match": "*"}), 403, "account.not_granted")
    listed = (await world.ask("both", "GET", "/salesforce_account/mappings")).json()["mappings"]
    assert [item["organization_name"] for item in listed] == ["Castell", "Nordmühle"]


async def test_a_mapping_is_audited(world: CommerceWorld) -> None:
    """Who mapped which organization to what is in the audit, and so is who took it away."""
    identifier, path = await _organization(world, "Audited")
    await world.ask("admin", "PUT", path, json={"external_id": "ACC-900"})
    await world.ask("admin", "DELETE", path, headers={"If-Match": "*"})
    entries = (await world.ask("admin", "GET", "/audit", params={"limit": 50})).json()["entries"]
    own = [entry for entry in entries if identifier in entry["ids"]]
    assert [entry["action"] for entry in own] == ["accounts.unmap", "accounts.map"]
    assert {entry["details"]["account_id"] for entry in own} == {world.accounts["ACC-900"]}


async def test_two_at_once_make_one_mapping(world: CommerceWorld) -> None:
    """Of two first mappings to one account one is made, and the other is told."""
    (_, first), (_, second) = await _organization(world, "Racer 1"), await _organization(world, "Racer 2")
    account = world.change("POST", "/sobjects/Account", {"Name": "Racing Mills"})["id"]
    replies = await asyncio.gather(
        *(world.ask("admin", "PUT", path, json={"account_id": account}) for path in (first, second, first, second))
    )
    statuses = sorted(reply.status_code for reply in replies)
    assert statuses.count(201) == 1
    assert set(statuses[1:]) <= {409, 428}


async def test_an_account_that_was_deleted_or_merged_is_told_as_such(world: CommerceWorld) -> None:
    """The error says what became of the account, and into which it was merged."""
    organization, path = await _organization(world, "Vanishing")
    account = world.change("POST", "/sobjects/Account", {"Name": "Vanishing Mills"})["id"]
    await world.ask("admin", "PUT", path, json={"account_id": account})
    world.change("DELETE", f"/sobjects/Account/{account}")
    caller = await world.caller("admin")
    with pytest.raises(AccountGone, match="deleted") as caught:
        await world.services.accounts.resolve(caller, organization)
    assert caught.value.merged_into is None
    check_problem(await world.ask("admin", "GET", "/salesforce_account/Vanishing"), 409, "account.gone")
    # The others are still listed.
    assert "Nordmühle Group" in (await world.ask("admin", "GET", "/salesforce_account/")).text
    assert (await world.ask("admin", "DELETE", path, headers={"If-Match": "*"})).status_code == 204


async def test_an_organization_that_goes_takes_its_mapping_along(world: CommerceWorld) -> None:
    """The account is free for another organization."""
    account = world.change("POST", "/sobjects/Account", {"Name": "Free Mills"})["id"]
    identifier, path = await _organization(world, "Going")
    await world.ask("admin", "PUT", path, json={"account_id": account})
    await world.services.organizations.delete_organization(identifier, expected=None)
    _, path = await _organization(world, "Coming")
    assert (await world.ask("admin", "PUT", path, json={"account_id": account})).status_code == 201


@pytest.mark.parametrize(
    "body",
    [{}, {"name": ""}, {"name": "a", "external_id": "b"}, {"account_id": "003Ob00000000aZIAQ"}, {"who": "x"}, []],
    ids=["none", "empty", "two", "a contact", "unknown", "no object"],
)
async def test_an_account_is_named_in_one_way(world: CommerceWorld, body: Any) -> None:
    """Anything else is refused with the place, before Salesforce is asked."""
    path = f"/salesforce_account/mappings/{world.organizations['Castell']}"
    check_problem(await world.ask("both", "PUT", path, json=body), 422, "request.invalid")
