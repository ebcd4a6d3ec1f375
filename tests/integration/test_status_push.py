"""Changes in the emulated org, and steps of purchase orders, told by webhooks to whom they concern."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from orgbridge.kit.clock import SystemClock
from orgbridge.kit.receivers import WebhookPolicy
from orgbridge.orgs.connections import Orgs
from orgbridge.services.commerce.accounts import AccountService
from orgbridge.services.commerce.change_audiences import ChangeAudiences
from orgbridge.services.commerce.change_looks import ChangeLooks
from orgbridge.services.commerce.change_owners import ChangeOwners
from orgbridge.services.commerce.changes import ChangeConfig, ChangeFollower
from orgbridge.services.commerce.trees import AccountTrees
from orgbridge.services.errors import InvalidRequest
from orgbridge.services.webhooks import WebhookService
from orgbridge.store.database import Database
from orgbridge.store.webhook_records import DeliveryRecord
from orgbridge.wiring.hosting import OrgHost
from orgbridge.wiring.startup import org_config
from tests.support.commerce_world import CommerceWorld, Person, commerce_world

pytestmark = pytest.mark.asyncio(loop_scope="module")

_URL = "https://hooks.example.com/orgbridge"
_KINDS = ("created", "changed", "deleted")
EVENTS = [
    *(f"{name}.{kind}" for name in ("order", "order_summary", "cart") for kind in _KINDS),
    *("order.status_changed", "order_summary.status_changed", "cart.closed"),
]


class Push:
    """A follower over the world's store and org, with small pages."""

    def __init__(self, world: CommerceWorld, purges: timedelta = timedelta(minutes=10)) -> None:
        self.world = world
        self.database = Database(world.settings.database_url)
        self.clock = SystemClock()
        self.orgs = Orgs([org_config(world.settings)], self.clock)
        accounts = AccountService(self.database, AccountTrees(self.orgs, self.clock))
        self.follower = ChangeFollower(
            self.database,
            ChangeLooks(self.orgs, "default", rows=2),
            ChangeAudiences(self.database, self.orgs),
            ChangeOwners(self.database, accounts),
            self.clock,
            ChangeConfig(purges=purges),
        )

    async def told(self, webhook: str) -> list[DeliveryRecord]:
        """Return what a receiver is told, oldest first."""
        async with self.database.unit(write=False) as unit:
            found = await unit.webhooks.deliveries(owner=None, state=None, subscription_id=webhook, limit=500)
        return sorted(found, key=lambda one: (one.payload["timestamp"], one.event))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(commerce_host: OrgHost, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[CommerceWorld]:
    """Give a world of its own."""
    async with commerce_world(commerce_host, tmp_path_factory.mktemp("push")) as world:
        yield world


@pytest_asyncio.fixture(loop_scope="module")
async def push(world: CommerceWorld) -> AsyncIterator[Push]:
    """Give a follower."""
    made = Push(world)
    yield made
    # The task is let go, so that the next test's follower need not wait for its end.
    now = made.clock.now()
    async with made.database.unit() as unit:
        await unit.tasks.take("changes", made.follower._holder, now, now)
    await made.orgs.close()
    await made.database.close()


async def subscribe(world: CommerceWorld, name: str, events: list[str]) -> str:
    """Have somebody told of events, and return the webhook's id."""
    reply = await world.ask(name, "POST", "/webhooks", json={"url": _URL, "events": events})
    assert reply.status_code == 201, reply.text
    return str(reply.json()["id"])


def order(world: CommerceWorld, account: str) -> str:
    """Make a draft of an order in the org and return its id."""
    body = {"AccountId": world.accounts[account], "EffectiveDate": "2026-03-01", "Status": "Draft"}
    return str(world.change("POST", "/sobjects/Order", body)["id"])


async def forget_receivers(world: CommerceWorld) -> None:
    """Take away the receivers that other tests of the module left."""
    for one in (await world.ask("admin", "GET", "/webhooks")).json()["webhooks"]:
        assert (await world.ask("admin", "DELETE", f"/webhooks/{one['id']}")).status_code == 204


async def test_changes_are_told_to_the_organization_that_they_concern(world: CommerceWorld, push: Push) -> None:
    """Old orders are not told; new, changed and deleted ones and carts are, to whoever is granted the place."""
    await forget_receivers(world)
    kiel = await subscribe(world, "kiel", EVENTS)
    lyon = await subscribe(world, "lyon", EVENTS)
    everybody = await subscribe(world, "admin", EVENTS)
    assert await push.follower.look() == 0
    assert await push.told(everybody) == []

    def happen() -> tuple[str, str, str, str]:
        north, south, foreign = order(world, "ACC-110"), order(world, "ACC-210"), order(world, "ACC-310")
        store = world.soql("SELECT Id FROM WebStore WHERE Name = 'Machine Parts EU'")[0]["Id"]
        cart = {"AccountId": world.accounts["ACC-110"], "WebStoreId": store, "Name": "Secret name", "Status": "Active"}
        return north, south, foreign, str(world.change("POST", "/sobjects/WebCart", cart)["id"])

    north, south, foreign, cart = await asyncio.to_thread(happen)
    assert await push.follower.look() == 7
    told = {(one.event, one.payload["data"]["record_id"]) for one in await push.told(everybody)}
    assert told == {("order.created", one) for one in (north, south, foreign)} | {("cart.created", cart)}
    assert {one.payload["data"]["record_id"] for one in await push.told(kiel)} == {north, cart}
    assert {one.payload["data"]["record_id"] for one in await push.told(lyon)} == {south}
    assert "Secret" not in str([one.payload for one in await push.told(kiel)])

    await asyncio.to_thread(world.change, "PATCH", f"/sobjects/WebCart/{cart}", {"Status": "Closed"})
    await asyncio.to_thread(world.change, "DELETE", f"/sobjects/Order/{north}")
    await push.follower.look()
    assert await push.follower.look() == 0
    later = (await push.told(kiel))[2:]
    assert {(one.event, one.payload["data"]["record_id"]) for one in later} == {
        ("order.deleted", north),
        ("cart.changed", cart),
        ("cart.closed", cart),
    }
    closed = next(one for one in later if one.event == "cart.closed")
    assert (closed.payload["data"]["previous_status"], closed.payload["data"]["status"]) == ("Active", "Closed")
    assert closed.payload["data"]["organization_id"] == world.organizations["Nordmühle"]
    ids = [one.payload["id"] for one in await push.told(everybody)]
    assert len(set(ids)) == len(ids)


async def test_nobody_asks_nothing_is_asked(world: CommerceWorld, push: Push) -> None:
    """Without a receiver no call is made and what was known is forgotten; one call a look while nothing happens."""
    await forget_receivers(world)
    assert await push.follower.look() == 0
    async with push.database.unit(write=False) as unit:
        assert await unit.changes.feeds("default") == {}
    assert push.orgs.get().budget.limit is None


async def test_rights_are_looked_at_when_one_asks_and_when_it_is_told(world: CommerceWorld, push: Push) -> None:
    """No scope, no events; a grant taken back ends the telling; what is never told cannot be asked for."""
    reader = Person(sf_username=None, organizations=("Nordmühle",))
    await world.make_person("reader", reader, roles=("reader",))
    reply = await world.ask("reader", "POST", "/webhooks", json={"url": _URL, "events": ["order.created"]})
    assert reply.status_code == 403
    reply = await world.ask("kiel", "POST", "/webhooks", json={"url": _URL, "events": ["order.eaten"]})
    assert reply.status_code == 400
    off = WebhookService(push.database, WebhookPolicy.of(()), push.clock)
    with pytest.raises(InvalidRequest, match="ORGBRIDGE_CHANGES_SECONDS"):
        await off.subscribe(await world.caller("kiel"), _URL, events=["order.created"])

    user_id = await world.make_person("leaver", Person(sf_username=None, organizations=("Nordmühle",)))
    hook = await subscribe(world, "leaver", ["order.created", "purchase_order.created", "purchase_order.cancelled"])
    await push.follower.look()
    line: dict[str, Any] = {"sku": "MP-0001", "quantity": "1", "unit_price": "10"}
    body = {"org_id": world.organizations["Nordmühle"], "lines": [line], "currency": "EUR"}
    made = await world.ask("kiel", "POST", "/salesforce_purchase_orders", json=body)
    assert made.status_code == 201, made.text
    (told,) = await push.told(hook)
    assert (told.event, told.payload["data"]["status"]) == ("purchase_order.created", "draft")
    assert told.payload["data"]["organization_id"] == world.organizations["Nordmühle"]
    await world.grant(user_id, organizations=("Castell",))
    await asyncio.to_thread(order, world, "ACC-110")
    key = made.json()["id"]
    ended = await world.ask("kiel", "POST", f"/salesforce_purchase_orders/{key}/cancel", json={})
    assert ended.status_code == 200, ended.text
    await push.follower.look()
    assert len(await push.told(hook)) == 1
