"""Machines of organizations over the emulated org's commerce seed: who sees which, warranties, history."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import date
from typing import Any

import pytest
import pytest_asyncio

from orgbridge.services.scopes import Caller
from orgbridge.wiring.hosting import OrgHost
from tests.integration.test_api_contract import check_problem
from tests.support.commerce_world import CommerceWorld, Person, commerce_world

pytestmark = pytest.mark.asyncio(loop_scope="module")
_ON = "2026-06-01"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(commerce_host: OrgHost, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[CommerceWorld]:
    """Give a world that the tests of this module change only in what each of them made."""
    async with commerce_world(commerce_host, tmp_path_factory.mktemp("commerce")) as world:
        yield world


def _path(world: CommerceWorld, *steps: str, organization: str = "Nordmühle") -> str:
    return "/".join(["/salesforce_machines", world.organizations[organization], *steps])


def _set(world: CommerceWorld, sobject: str, record_id: str, **values: str) -> None:
    """Give fields values that no call of the API sets, because Salesforce sets them itself."""
    columns = ", ".join(f'"{name}" = ?' for name in values)
    with closing(sqlite3.connect(world.org.path)) as connection, connection:
        connection.execute(f'UPDATE "{sobject}" SET {columns} WHERE "Id" = ?', (*values.values(), record_id))


async def _all(world: CommerceWorld, who: str, path: str, **params: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        reply = await world.ask(who, "GET", path, params=params)
        assert reply.status_code == 200, reply.text
        found += reply.json()["machines"]
        if reply.json()["next_cursor"] is None:
            return found
        assert 'rel="next"' in reply.headers["Link"]
        params["cursor"] = reply.json()["next_cursor"]


async def test_flaw_02_all_pages_of_machines_come(world: CommerceWorld) -> None:
    """Flaw 2: page by page every machine of the organization's accounts comes once, and none of another's."""
    wanted = world.soql("SELECT Id FROM Asset WHERE Account.External_Id__c LIKE 'ACC-1%'")
    found = await _all(world, "kiel", _path(world), limit=7)
    assert len(found) > 20
    assert [machine["machine_id"] for machine in found] == sorted(row["Id"] for row in wanted)
    first = found[0]
    assert first["product"]["product_id"] == first["product_id"]
    assert first["warranty"]["state"] in ("active", "expired")


async def test_a_page_costs_two_calls(world: CommerceWorld) -> None:
    """However many machines there are, Salesforce is asked twice: machines, and what belongs to them."""
    await world.ask("kiel", "GET", _path(world))
    world.org.control.clear_requests()
    await world.ask("kiel", "GET", _path(world), params={"limit": 200})
    asked = [
        one for one in world.org.control.requests() if "describe" not in one["path"] and "oauth" not in one["path"]
    ]
    assert len(asked) <= 2
    world.org.control.clear_requests()
    await world.ask("kiel", "GET", _path(world, "SN-110-001"))
    asked = [
        one for one in world.org.control.requests() if "describe" not in one["path"] and "oauth" not in one["path"]
    ]
    assert len(asked) <= 3


@pytest.mark.parametrize(
    ("params", "serials"),
    [
        ({"serial": "sn-110-002"}, {"SN-110-002"}),
        ({"text": "n-110-00"}, None),
        ({"serial": "SN-210-001"}, set()),
        ({"serial": "%"}, set()),
        ({"text": "SN_110"}, set()),
        ({"text": "' OR Name LIKE '"}, set()),
        ({"status": "Nothing"}, set()),
        ({"product": "no-such-product"}, set()),
    ],
    ids=["serial", "text", "foreign", "percent", "underscore", "soql", "status", "product"],
)
async def test_flaw_04_filters_are_values(
    world: CommerceWorld, params: dict[str, str], serials: set[str] | None
) -> None:
    """Flaw 4: what is filtered by stands for itself, whatever it looks like, and opens nothing."""
    found = {machine["serial_number"] for machine in await _all(world, "kiel", _path(world), **params)}
    if serials is None:
        assert len(found) > 1
        assert all(serial.startswith("SN-110-00") for serial in found)
    else:
        assert found == serials


async def test_machines_are_chosen_by_product(world: CommerceWorld) -> None:
    """By id or by code of the product the same machines come."""
    (first, *_) = await _all(world, "kiel", _path(world), serial="SN-110-001")
    by_id = await _all(world, "kiel", _path(world), product=first["product_id"])
    assert {machine["product_id"] for machine in by_id} == {first["product_id"]}
    assert len(by_id) > 1
    code = first["product"].get("product_code")
    if code:
        assert await _all(world, "kiel", _path(world), product=code) == by_id


async def test_the_warranty_filter_agrees_with_what_is_shown(world: CommerceWorld) -> None:
    """For every state and several days exactly the machines are found that show that state."""
    accounts = world.accounts
    made = world.change(
        "POST", "/sobjects/Asset", {"Name": "Bare", "AccountId": accounts["ACC-130"], "SerialNumber": "SN-130-BARE"}
    )["id"]
    late = world.change(
        "POST", "/sobjects/Asset", {"Name": "Late", "AccountId": accounts["ACC-130"], "SerialNumber": "SN-130-LATE"}
    )["id"]
    for start, end in (("2020-01-01", "2021-01-01"), ("2030-01-01", None)):
        world.change("POST", "/sobjects/AssetWarranty", {"AssetId": late, "StartDate": start, "EndDate": end})
    for day in ("2020-06-01", "2024-01-01", _ON, "2040-01-01"):
        shown = {item["machine_id"]: item["warranty"] for item in await _all(world, "kiel", _path(world), at=day)}
        assert shown[made]["state"] == "none"
        for state in ("active", "future", "expired", "none"):
            found = await _all(world, "kiel", _path(world), at=day, warranty=state)
            assert {item["machine_id"] for item in found} == {
                identifier for identifier, warranty in shown.items() if warranty["state"] == state
            }
    assert shown[late] == {"state": "active", "until": None, "at": "2040-01-01"}
    for identifier in (made, late):
        world.change("DELETE", f"/sobjects/Asset/{identifier}")


async def test_a_machine_is_found_by_serial_or_id_and_told_in_full(world: CommerceWorld) -> None:
    """Product, warranties on a day, entitlements, contracts, history newest first, parts of the machine."""
    by_serial = (await world.ask("kiel", "GET", _path(world, "SN-110-001"), params={"at": _ON})).json()
    identifier = by_serial["machine_id"]
    for key in (identifier, identifier[:15], "sn-110-001"):
        assert (await world.ask("kiel", "GET", _path(world, key), params={"at": _ON})).json() | {"history": None} == (
            by_serial | {"history": None}
        )
    assert by_serial["coverage"]["at"] == _ON
    assert [one["state"] for one in by_serial["coverage"]["warranties"]] == [by_serial["warranty"]["state"]]
    assert by_serial["coverage"]["entitlements"] == []
    entries = by_serial["history"]["entries"]
    assert {entry["kind"] for entry in entries} == {"case", "work_order"}
    assert [entry["created_at"] for entry in entries] == sorted(
        (entry["created_at"] for entry in entries), reverse=True
    )
    assert (by_serial["parent"], by_serial["components"]) == (None, [])


async def test_entitlements_and_contracts_are_told_on_a_day(world: CommerceWorld) -> None:
    """Those of the machine with their state on the day; those of another account are not."""
    kiel, lyon = world.accounts["ACC-110"], world.accounts["ACC-210"]
    machine = (await world.ask("kiel", "GET", _path(world, "SN-110-003"))).json()["machine_id"]
    days = {"StartDate": "2026-01-01", "EndDate": "2026-12-31"}
    entry = world.soql("SELECT Id FROM PricebookEntry LIMIT 1")[0]["Id"]
    for account, name in ((kiel, "Own"), (lyon, "Foreign")):
        made = world.change("POST", "/sobjects/Entitlement", {"Name": name, "AccountId": account, **days})["id"]
        _set(world, "Entitlement", made, AssetId=machine)
        contract = world.change("POST", "/sobjects/ServiceContract", {"Name": f"{name} contract"})["id"]
        _set(world, "ServiceContract", contract, AccountId=account, **days)
        line = {"ServiceContractId": contract, "AssetId": machine, "Quantity": 1, "UnitPrice": 10}
        world.change("POST", "/sobjects/ContractLineItem", line | {"PricebookEntryId": entry})
    told = (await world.ask("kiel", "GET", _path(world, machine), params={"at": _ON})).json()
    assert [(one["name"], one["state"]) for one in told["coverage"]["entitlements"]] == [("Own", "active")]
    assert [(one["name"], one["state"]) for one in told["coverage"]["contracts"]] == [("Own contract", "active")]
    later = (await world.ask("kiel", "GET", _path(world, machine), params={"at": "2027-01-01"})).json()
    assert [one["state"] for one in later["coverage"]["entitlements"]] == ["expired"]


async def test_a_history_comes_whole_and_newest_first(world: CommerceWorld) -> None:
    """Page by page each case and work order comes once; those of an owner before do not come."""
    kiel = world.accounts["ACC-110"]
    machine = world.change(
        "POST", "/sobjects/Asset", {"Name": "Busy", "AccountId": kiel, "SerialNumber": "SN-110-BUSY"}
    )["id"]
    made = []
    for number in range(5):
        for sobject in ("Case", "WorkOrder"):
            body = {"Subject": f"{sobject} {number}", "AccountId": kiel, "AssetId": machine}
            made.append(world.change("POST", f"/sobjects/{sobject}", body)["id"])
    made.append(world.change("POST", "/sobjects/Case", {"Subject": "Nobody's", "AssetId": machine})["id"])
    foreign = {"Subject": "Owner before", "AccountId": world.accounts["ACC-210"], "AssetId": machine}
    world.change("POST", "/sobjects/Case", foreign)
    found: list[dict[str, Any]] = []
    params: dict[str, Any] = {"limit": 3}
    while True:
        page = (await world.ask("kiel", "GET", _path(world, "SN-110-BUSY", "history"), params=params)).json()
        found += page["entries"]
        if page["next_cursor"] is None:
            break
        params["cursor"] = page["next_cursor"]
    assert sorted(entry["id"] for entry in found) == sorted(made)
    keys = [(entry["created_at"], entry["id"]) for entry in found]
    assert keys == sorted(keys, reverse=True)
    told = (await world.ask("kiel", "GET", _path(world, machine), params={"history": 4})).json()["history"]
    assert told["entries"] == found[:4]
    rest = await world.ask(
        "kiel", "GET", _path(world, machine, "history"), params={"cursor": told["next_cursor"], "limit": 100}
    )
    assert rest.json()["entries"] == found[4:]


async def test_two_machines_of_one_serial_are_told_apart_by_id(world: CommerceWorld) -> None:
    """An ambiguous serial number is an error with the candidates; one in exactly this spelling is meant."""
    own = world.accounts["ACC-120"]
    ids = [
        world.change("POST", "/sobjects/Asset", {"Name": f"Twin {n}", "AccountId": own, "SerialNumber": "TWIN-1"})["id"]
        for n in range(2)
    ]
    reply = await world.ask("kiel", "GET", _path(world, "twin-1"))
    check_problem(reply, 409, "machine.ambiguous")
    assert {item["machine_id"] for item in reply.json()["errors"]} == set(ids)
    world.change("PATCH", f"/sobjects/Asset/{ids[1]}", {"SerialNumber": "Twin-1"})
    assert (await world.ask("kiel", "GET", _path(world, "TWIN-1"))).json()["machine_id"] == ids[0]


async def test_a_machine_shows_its_own_parts_and_what_it_is_a_part_of(world: CommerceWorld) -> None:
    """Only machines of the organization are told: a component that stands on another's account is not."""
    own, foreign = world.accounts["ACC-120"], world.accounts["ACC-210"]
    whole = world.change("POST", "/sobjects/Asset", {"Name": "Line", "AccountId": own})["id"]
    part = world.change("POST", "/sobjects/Asset", {"Name": "Head", "AccountId": own, "ParentId": whole})["id"]
    lent = world.change("POST", "/sobjects/Asset", {"Name": "Lent", "AccountId": foreign, "ParentId": whole})["id"]
    told = (await world.ask("kiel", "GET", _path(world, whole))).json()
    assert [one["machine_id"] for one in told["components"]] == [part]
    below = (await world.ask("kiel", "GET", _path(world, part))).json()
    assert below["parent"]["machine_id"] == whole
    theirs = await world.ask("lyon", "GET", _path(world, lent, organization="Castell"))
    assert theirs.json()["parent"] is None
    assert whole not in theirs.text


# Who sees what


@pytest.mark.parametrize("steps", [(), ("SN-210-001",), ("SN-210-001", "history")])
async def test_flaw_03_machines_of_another_organization_are_refused(
    world: CommerceWorld, steps: tuple[str, ...]
) -> None:
    """Flaw 3: neither the organization in the path nor a serial number in it is believed."""
    check_problem(
        await world.ask("kiel", "GET", _path(world, *steps, organization="Castell")), 403, "account.not_granted"
    )
    if steps:
        check_problem(await world.ask("kiel", "GET", _path(world, *steps)), 404, "machine.not_found")
    unknown = "/".join(["/salesforce_machines/org_nobody", *steps])
    check_problem(await world.ask("kiel", "GET", unknown), 404, "account.organization_not_found")


async def test_the_scope_is_needed(world: CommerceWorld) -> None:
    """Without machines:read nothing is shown."""
    await world.services.roles.create("no-machines", scopes=["accounts:read"])
    await world.make_person("walker", Person(sf_username=None, organizations=("Nordmühle",)), roles=("no-machines",))
    check_problem(await world.ask("walker", "GET", _path(world)), 403, "identity.scope_missing")


async def test_plants_and_machines_that_are_granted_are_all_that_is_seen(world: CommerceWorld) -> None:
    """Without the organization: the machines of the plants, and single ones, by Asset id or by serial number."""
    organizations, organization = world.services.organizations, world.organizations["Nordmühle"]
    plant = await organizations.add_plant(organization, {"name": "Granted"})
    other = await organizations.add_plant(organization, {"name": "Other"})
    (asset,) = [row["Id"] for row in world.soql("SELECT Id FROM Asset WHERE SerialNumber = 'SN-120-001'")]
    (foreign,) = [row["Id"] for row in world.soql("SELECT Id FROM Asset WHERE SerialNumber = 'SN-210-002'")]
    await organizations.add_machine(organization, plant.id, {"name": "by id", "asset_id": asset})
    await organizations.add_machine(organization, plant.id, {"name": "by serial", "serial_number": "SN-120-002"})
    # In our books, yet on another's account in Salesforce: never shown.
    await organizations.add_machine(organization, plant.id, {"name": "foreign", "asset_id": foreign})
    single = await organizations.add_machine(organization, other.id, {"name": "one", "serial_number": "SN-120-003"})
    await organizations.add_machine(organization, other.id, {"name": "two", "serial_number": "SN-120-004"})
    person = await world.make_person("fitter", Person(sf_username=None, organizations=()))
    check_problem(await world.ask("fitter", "GET", _path(world)), 403, "account.not_granted")
    await world.grant(person, plants=(plant.id,), machines=(single.id,))
    seen = await _all(world, "fitter", _path(world))
    assert [machine["serial_number"] for machine in seen] == ["SN-120-001", "SN-120-002", "SN-120-003"]
    assert [machine["plant_id"] for machine in seen] == [plant.id, plant.id, other.id]
    filtered = await _all(world, "fitter", _path(world), plant=other.id)
    assert [machine["serial_number"] for machine in filtered] == ["SN-120-003"]
    check_problem(await world.ask("fitter", "GET", _path(world, "SN-120-004")), 404, "machine.not_found")
    check_problem(await world.ask("fitter", "GET", _path(world, foreign)), 404, "machine.not_found")
    await world.grant(person, machines=(single.id,))
    check_problem(await world.ask("fitter", "GET", _path(world), params={"plant": plant.id}), 404, "machine.not_found")
    whole = await _all(world, "kiel", _path(world), plant=other.id)
    assert [machine["serial_number"] for machine in whole] == ["SN-120-003", "SN-120-004"]


async def test_what_a_policy_hides_vanishes_from_machines(world: CommerceWorld) -> None:
    """Hidden fields, rows and objects are absent; what is hidden cannot be filtered by."""
    policy = {
        "objects": {
            "Asset": {
                "operations": ["query"],
                "hidden": ["Status", "AccountId", "InstallDate"],
                "masked": {"SerialNumber": "last4"},
                "where": "Name LIKE '% no. %' AND SerialNumber != 'SN-110-001'",
            },
            "AssetWarranty": {"operations": ["query"], "hidden": ["EndDate"]},
            "Case": {"operations": ["query"], "hidden": ["Subject"]},
        }
    }
    await world.services.roles.create("shy", scopes=["machines:read"], policy=policy)
    await world.make_person("shy", Person(sf_username=None, organizations=("Nordmühle",)), roles=("shy",))
    found = await _all(world, "shy", _path(world))
    wanted = world.soql("SELECT Id FROM Asset WHERE SerialNumber LIKE 'SN-1__-0%' AND SerialNumber != 'SN-110-001'")
    assert {machine["machine_id"] for machine in found} == {row["Id"] for row in wanted}
    for machine in found:
        assert not {"status", "account_id", "install_date"} & machine.keys()
        assert machine["serial_number"].startswith("********")
        assert machine["product"] is None
        assert machine["warranty"]["state"] == "unknown"
    for params in ({"status": "Installed"}, {"serial": "SN-110-002"}, {"warranty": "active"}, {"product": "SL"}):
        check_problem(await world.ask("shy", "GET", _path(world), params=params), 400, "machine.not_kept")
    one = (await world.ask("shy", "GET", _path(world, found[0]["machine_id"]))).json()
    assert one["history"]["missing"] == ["work_order"]
    assert all("subject" not in entry for entry in one["history"]["entries"])
    assert one["coverage"]["entitlements"] is None
    check_problem(await world.ask("shy", "GET", _path(world, "SN-110-002")), 404, "machine.not_found")


async def test_a_cursor_is_its_callers_and_its_lists(world: CommerceWorld) -> None:
    """A cursor of another caller, list or filter, or one made up, is refused."""
    cursor = (await world.ask("kiel", "GET", _path(world), params={"limit": 1})).json()["next_cursor"]
    for who, path, params in (
        ("bremen", _path(world), {"limit": 1}),
        ("kiel", _path(world), {"limit": 1, "text": "x"}),
        ("kiel", _path(world, "SN-110-001", "history"), {}),
    ):
        reply = await world.ask(who, "GET", path, params={**params, "cursor": cursor})
        check_problem(reply, 400, "request.invalid")
    check_problem(await world.ask("kiel", "GET", _path(world), params={"cursor": "AAAA"}), 400, "request.invalid")


async def test_days_are_todays_by_default(world: CommerceWorld) -> None:
    """Without `at` warranties are told for today."""
    reply = (await world.ask("kiel", "GET", _path(world), params={"limit": 1})).json()
    assert abs((date.fromisoformat(reply["at"]) - date.today()).days) <= 1
    caller: Caller = await world.caller("kiel")
    assert caller.username == "kiel"
