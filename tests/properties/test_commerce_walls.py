"""Over random grants and ids: nothing of an organization that a caller is not granted ever comes out of commerce.

Each organization has carts, orders, purchase orders, machines, documents and a price of its own. Whatever ids a caller
names, granted or not, as whichever Salesforce user: an answer holds no word of another organization's, and nothing that
names another's cart, line, order or purchase order is done.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orgbridge.client import StoreContext
from orgbridge.client.commerce.cart_values import NewLine
from orgbridge.kit.errors import OrgbridgeError
from orgbridge.services.commerce.cart_desks import Whose
from orgbridge.services.commerce.documents import DocumentWish
from orgbridge.services.commerce.machines import MachineFilter
from orgbridge.services.commerce.mappings import Named
from orgbridge.services.commerce.orders import OrderFilter
from orgbridge.services.commerce.placements import PlacementConfig, Wish
from orgbridge.services.commerce.purchase_orders import PurchaseDraft, PurchaseView
from orgbridge.services.commerce.purchasing import Step
from orgbridge.services.scopes import SCOPES, Caller
from orgbridge.wiring.hosting import OrgHost
from orgbridge.wiring.house import build_house
from tests.support.commerce_world import PEOPLE, CommerceWorld, commerce_host, commerce_world

__all__ = ["commerce_host"]
pytestmark = pytest.mark.asyncio(loop_scope="module")
#: Accounts of each organization, the buyer of it, and the store that the buyer buys in.
_ROOTS = {
    "Nordmühle": (("ACC-100", "ACC-110", "ACC-120", "ACC-130"), "kiel", "ACC-110", "Machine Parts EU"),
    "Castell": (("ACC-200", "ACC-210", "ACC-220"), "lyon", "ACC-210", "Machine Parts EU"),
    "Prairie": (("ACC-300", "ACC-310", "ACC-320"), "omaha", "ACC-310", "Machine Parts US"),
}
_SECRETS = {"Nordmühle": "7001.11", "Castell": "7002.22", "Prairie": "7003.33"}
_SKU = "MP-1200"


@dataclass(frozen=True)
class Things:
    """What belongs to whom, worked out by hand: by kind and organization, ids."""

    world: CommerceWorld
    #: Kind, organization, ids.
    ids: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    #: Words that only answers about an organization may hold.
    words: dict[str, set[str]] = field(default_factory=dict)

    def note(self, kind: str, name: str, *found: str) -> None:
        """Remember things of an organization."""
        self.ids.setdefault(kind, {}).setdefault(name, []).extend(found)
        self.words.setdefault(name, set()).update(found)

    def all(self, kind: str) -> list[str]:
        """Return the ids of a kind, of all organizations."""
        return [one for found in self.ids[kind].values() for one in found]

    def owner(self, identifier: str) -> str:
        """Return whose an id is."""
        return next(name for name, words in self.words.items() if identifier in words)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def things(commerce_host: OrgHost, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Things]:
    """Give three organizations that each have something of everything."""
    async with commerce_world(commerce_host, tmp_path_factory.mktemp("walls"), orgbridge_cart_seconds=2.0) as world:
        services, admin = world.services, await world.caller("admin")
        services.placements._config = PlacementConfig(wait_seconds=0.0)
        await services.mappings.map(admin, world.organizations["Prairie"], Named(external_id="ACC-300"), expected=None)
        made = Things(world)
        house = build_house(world.settings)
        try:
            for name in _ROOTS:
                await _furnish(made, house, name)
        finally:
            await house.close()
        yield made


async def _furnish(made: Things, house: Any, name: str) -> None:
    world = made.world
    keys, person, account, store_name = _ROOTS[name]
    made.note("organization", name, world.organizations[name])
    accounts = [world.accounts[key] for key in keys]
    made.note("account", name, *accounts)
    listed = ", ".join(f"'{one}'" for one in accounts)

    def read() -> tuple[list[str], list[str], str, str]:
        assets = world.soql(f"SELECT Id FROM Asset WHERE AccountId IN ({listed}) ORDER BY Id LIMIT 12")
        orders = world.soql(f"SELECT Id FROM Order WHERE AccountId IN ({listed}) ORDER BY Id LIMIT 12")
        (store,) = world.soql(f"SELECT Id FROM WebStore WHERE Name = '{store_name}'")
        (product,) = world.soql(f"SELECT Id FROM Product2 WHERE StockKeepingUnit = '{_SKU}'")
        books = world.soql(
            "SELECT Pricebook2Id FROM BuyerGroupPricebook WHERE BuyerGroupId IN "
            f"(SELECT BuyerGroupId FROM BuyerGroupMember WHERE BuyerId = '{world.accounts[account]}')"
        )
        own = {row["Pricebook2Id"] for row in books}
        for entry in world.soql(
            f"SELECT Id, Pricebook2Id, UnitPrice FROM PricebookEntry WHERE Product2Id = '{product['Id']}'"
        ):
            # The least price counts: those of stores are raised out of the way.
            price = _SECRETS[name] if entry["Pricebook2Id"] in own else "99999"
            if entry["Pricebook2Id"] in own or str(entry["UnitPrice"]) not in _SECRETS.values():
                world.change("PATCH", f"/sobjects/PricebookEntry/{entry['Id']}", {"UnitPrice": float(price)})
        return [row["Id"] for row in assets], [row["Id"] for row in orders], store["Id"], product["Id"]

    assets, orders, store_id, product = await asyncio.to_thread(read)
    made.note("machine", name, *assets)
    made.note("order", name, *orders)
    made.words[name].add(_SECRETS[name])
    caller = await world.caller(person)
    salesforce = await house.orgs.buyer(caller.sf_username)
    store = salesforce.commerce.store(StoreContext(webstore_id=store_id, account_id=world.accounts[account]))
    cart = await store.carts.ensure()
    await store.carts.add(cart.cart_id, NewLine(product_id=product, quantity=Decimal(1)))
    told = await world.services.carts.lines(caller, Whose(account_id=world.accounts[account]))
    assert _SECRETS[name] in repr(told), "the price of one's own is seen"
    lines: Any = told["cartItems"]
    made.note("cart", name, cart.cart_id)
    made.note("line", name, *(str(one["cartItem"]["cartItemId"]) for one in lines))
    draft = PurchaseDraft(
        lines=[{"sku": _SKU, "quantity": 1, "unit_price": "1"}], currency="EUR", note=f"note of {name}"
    )
    purchase = await world.services.purchasing.orders.create(caller, draft)
    made.note("purchase", name, purchase.id, purchase.uuid, purchase.number)
    made.words[name].add(f"note of {name}")
    wish = DocumentWish(kind="note", body={"text": f"body of {name}"})
    organization = world.organizations[name]
    for asset in assets[:3]:
        document = await world.services.documents.add(caller, organization, asset, wish)
        made.note("document", name, document.id)
    made.words[name].add(f"body of {name}")


#: What is asked: the service's call, and the kinds of ids that it acts upon, which must all be the caller's.
_Ask = Callable[[Things, Caller, dict[str, Any]], Awaitable[Any]]


def _own_filter(ids: dict[str, Any]) -> OrderFilter:
    return OrderFilter(organization_id=ids["organization"], account_id=ids["account"], colleagues=ids["flag"])


def _whose(ids: dict[str, Any]) -> Whose:
    return Whose(organization_id=ids["organization"], account_id=ids["account"])


def _wish(ids: dict[str, Any]) -> Wish:
    return Wish(organization_id=ids["organization"], account_id=ids["account"], cart_id=ids["cart"])


_ASKS: dict[str, tuple[_Ask, tuple[str, ...]]] = {
    "resolve": (
        lambda t, c, i: t.world.services.accounts.resolve(c, i["organization"], i["account"]),
        ("organization", "account"),
    ),
    "switch": (lambda t, c, i: t.world.services.hierarchies.switch(c, cursor=None, limit=50), ()),
    "hierarchy": (
        lambda t, c, i: t.world.services.hierarchies.of(c, i["organization"] or "Castell"),
        ("organization",),
    ),
    "machines": (
        lambda t, c, i: t.world.services.machines.page(c, i["place"], MachineFilter(), limit=30),
        ("place",),
    ),
    "machine": (lambda t, c, i: t.world.services.machines.machine(c, i["place"], i["machine"]), ("place", "machine")),
    "parts": (
        lambda t, c, i: t.world.services.parts.page(c, i["place"], i["machine"], account_id=i["account"], limit=5),
        ("place", "machine", "account"),
    ),
    "documents": (
        lambda t, c, i: t.world.services.documents.page(c, i["place"], i["machine"], limit=10),
        ("place", "machine"),
    ),
    "document": (
        lambda t, c, i: t.world.services.documents.get(c, i["place"], i["machine"], i["document"]),
        ("place", "machine", "document"),
    ),
    "cart": (lambda t, c, i: t.world.services.carts.cart(c, _whose(i)), ("organization", "account")),
    "lines": (lambda t, c, i: t.world.services.carts.lines(c, _whose(i)), ("organization", "account")),
    "change": (
        lambda t, c, i: t.world.services.carts.change(c, _whose(i), i["line"], Decimal(2)),
        ("organization", "account", "line"),
    ),
    "orders": (
        lambda t, c, i: t.world.services.orders.page(c, _own_filter(i), cursor=None, limit=20),
        ("organization", "account"),
    ),
    "order": (
        lambda t, c, i: t.world.services.orders.one(c, i["order"], _own_filter(i)),
        ("organization", "account", "order"),
    ),
    "purchases": (
        lambda t, c, i: t.world.services.purchasing.orders.page(c, PurchaseView.ORGANIZATION, org_id=i["organization"]),
        ("organization",),
    ),
    "purchase": (lambda t, c, i: t.world.services.purchasing.orders.detail(c, i["purchase"]), ("purchase",)),
    "comment": (lambda t, c, i: t.world.services.purchasing.orders.comment(c, i["purchase"], "hm"), ("purchase",)),
    "approve": (
        lambda t, c, i: t.world.services.purchasing.decisions.decide(c, i["purchase"], Step.APPROVE),
        ("purchase",),
    ),
    "ordering": (lambda t, c, i: t.world.services.purchasing.ordering.order(c, i["purchase"]), ("purchase",)),
    "place": (
        lambda t, c, i: t.world.services.placements.place_order(c, _wish(i), []),
        ("organization", "account", "cart"),
    ),
}


@given(data=st.data())
@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
async def test_nothing_of_another_organization_ever_comes_out(things: Things, data: st.DataObject) -> None:
    """Nineteen calls of every room with random grants, users and ids: no foreign word, and nothing foreign is done."""
    granted = data.draw(st.frozensets(st.sampled_from(sorted(_ROOTS)), max_size=2), label="granted")
    usernames = [one.sf_username for one in PEOPLE.values()]
    caller = Caller(
        user_id="user_random",
        username="random",
        scopes=frozenset(SCOPES) - {"admin"},
        organizations=frozenset(things.world.organizations[name] for name in granted),
        plants=frozenset(),
        machines=frozenset(),
        sf_username=data.draw(st.sampled_from(usernames), label="acts as"),
    )
    ids: dict[str, Any] = {kind: data.draw(st.sampled_from(things.all(kind)), label=kind) for kind in things.ids}
    ids["place"] = ids["organization"]
    for kind in ("organization", "account"):
        ids[kind] = data.draw(st.sampled_from([ids[kind], None]), label=f"{kind} named")
    ids["flag"] = data.draw(st.booleans(), label="colleagues")
    foreign = {word for name, words in things.words.items() if name not in granted for word in words}
    for name in data.draw(st.lists(st.sampled_from(sorted(_ASKS)), min_size=3, max_size=3, unique=True), label="asks"):
        ask, needed = _ASKS[name]
        named = [ids[kind] for kind in needed if ids[kind] is not None]
        try:
            told = await ask(things, caller, ids)
        except OrgbridgeError as error:
            said = {word for word in foreign if word in repr((error.message, getattr(error, "details", None)))}
            assert said <= {one for one in ids.values() if isinstance(one, str)}, name
            continue
        assert not [one for one in named if things.owner(one) not in granted], f"{name} was done"
        assert not [word for word in foreign if word in repr(told)], name
