"""Carts ordered through the store's checkout, over the service and the emulated org: once, whatever gets lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

import pytest

from orgbridge.wiring.hosting import OrgHost
from tests.support.commerce_world import Person, commerce_host
from tests.support.placement_shop import ACCOUNT, PlacementShop, placement_shop

__all__ = ["commerce_host"]

#: Every request of a checkout, by method and path, and what may become of it.
_REQUESTS = (
    ("GET", "/carts/"),
    ("PUT", "/checkouts$"),
    ("GET", "/checkouts/"),
    ("PATCH", "/checkouts/"),
    ("POST", "/payments$"),
    ("POST", "/orders$"),
)
_FATES: tuple[dict[str, Any], ...] = (
    {"cut": "before"},
    {"cut": "after"},
    {"status": 503, "effect": True},
    {"status": 500},
)
#: What `make test` has time for; the long form does all of them.
_SHORT = (
    ("PUT", "/checkouts$", {"cut": "after"}),
    ("PATCH", "/checkouts/", {"cut": "after"}),
    ("POST", "/payments$", {"cut": "after"}),
    *(("POST", "/orders$", fate) for fate in _FATES),
)
_ADDRESS = {"name": "Karin Kieler", "street": "Werftstraße 1", "city": "Kiel", "postalCode": "24103", "country": "DE"}


@pytest.fixture
async def shop(commerce_host: OrgHost, tmp_path: Path) -> AsyncIterator[PlacementShop]:
    """Give a shop with a worker."""
    async with placement_shop(commerce_host, tmp_path) as shop:
        yield shop


@pytest.fixture
async def idle_shop(commerce_host: OrgHost, tmp_path: Path) -> AsyncIterator[PlacementShop]:
    """Give a shop whose workers the test starts."""
    async with placement_shop(commerce_host, tmp_path, working=False) as shop:
        yield shop


async def _ended(shop: PlacementShop, checkout_id: str, seconds: float = 20.0) -> dict[str, Any]:
    """Return a checkout once it has ended."""
    async with asyncio.timeout(seconds):
        while True:
            told = (await shop.world.ask("kiel", "GET", f"/carts/me/checkouts/{checkout_id}")).json()
            if told["status"] != "processing":
                return dict(told)
            await asyncio.sleep(0.02)


async def _until(shop: PlacementShop, checkout_id: str, state: str) -> None:
    async with asyncio.timeout(10):
        while (await shop.world.ask("kiel", "GET", f"/carts/me/checkouts/{checkout_id}")).json()["state"] != state:
            await asyncio.sleep(0.01)


async def test_a_cart_becomes_one_order_through_a_checkout(shop: PlacementShop) -> None:
    """One call takes the cart to a placed order with its items and purchase order's number; the cart is closed."""
    cart = await shop.fill()
    reply = await shop.ask(json={"po_number": "PO-77", "delivery_address": _ADDRESS, "delivery_method": "Express"})
    assert reply.status_code == 201, reply.text
    told = reply.json()
    (made,) = await shop.orders()
    assert (made["Id"], made["OrderReferenceNumber"]) == (told["order_id"], told["order_reference_number"])
    assert (made["PoNumber"], made["AccountId"]) == ("PO-77", shop.world.accounts[ACCOUNT])
    assert made["OrderItems"]["totalSize"] == 3, "two products and their delivery"
    assert (told["state"], told["cart_id"], told["can_cancel"]) == ("placed", cart, False)
    assert reply.headers["Location"] == f"/api/v1/carts/me/checkouts/{told['id']}"
    assert await shop.cart_status(cart) in ("PendingClosed", "Closed")
    listed = (await shop.world.ask("kiel", "GET", "/carts/me/checkouts")).json()["checkouts"]
    assert [one["id"] for one in listed] == [told["id"]]


async def test_flaw_7_the_same_key_is_the_same_order(shop: PlacementShop) -> None:
    """Flaw 7: a repeated call is answered with the first one's order, also when it is asked in another way."""
    cart, key = await shop.fill(), str(uuid4())
    first = await shop.ask(key=key)
    again = await shop.ask(key=key)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.json() == first.json()
    other = await shop.ask(key=key, json={"po_number": "another"})
    assert (other.status_code, other.json()["code"]) == (422, "idempotency.key_reused")
    claimed = await shop.ask(json={"po_number": "PO-1", "cart_id": cart})
    assert (claimed.status_code, claimed.json()["code"]) == (409, "order.cart_claimed")
    assert claimed.json()["errors"][0]["checkout_id"] == first.json()["id"]
    gone = await shop.ask()
    assert (gone.status_code, gone.json()["code"]) == (404, "order.cart_not_found")
    assert len(await shop.orders()) == 1


async def test_of_many_calls_at_one_moment_one_orders(shop: PlacementShop) -> None:
    """Two workers, the same key many times and other keys beside it: one order, and everybody else is told so."""
    shop.start_worker()
    cart, key = await shop.fill(), str(uuid4())
    body = {"po_number": "PO-1", "cart_id": cart}
    calls = [shop.ask(key=key if number % 2 else str(uuid4()), json=body) for number in range(10)]
    replies = await asyncio.gather(*calls)
    assert sorted({reply.status_code for reply in replies}) in ([200, 201, 409], [201, 409], [200, 409])
    assert {reply.json()["code"] for reply in replies if reply.status_code == 409} == {"order.cart_claimed"}
    assert len(await shop.orders()) == 1


async def test_a_request_lost_at_any_step_orders_once(shop: PlacementShop, request: pytest.FixtureRequest) -> None:
    """Each request of a checkout cut off before and after its effect, or failed inside: one order each time."""
    wrong = []
    is_long = request.config.getoption("--kills") > 5
    every = [(method, path, fate) for method, path in _REQUESTS for fate in _FATES]
    for method, path, fate in every if is_long else _SHORT:
        await shop.fill()
        before = len(await shop.orders())
        shop.world.org.control.fault(method=method, path=path, times=1, **fate)
        reply = await shop.ask(json={"po_number": "PO-1", "delivery_address": _ADDRESS, "wait_seconds": 30})
        made = len(await shop.orders()) - before
        if (reply.status_code, made) != (201, 1):
            wrong.append((method, path, fate, reply.status_code, reply.json().get("detail"), made))
        shop.world.org.control.clear_faults()
    assert wrong == []


async def test_conflicts_and_failing_integrations_are_overcome(shop: PlacementShop) -> None:
    """A 409 is read and repeated, a failed computation is started again; both are bounded and order once."""
    for trouble, times in (("conflict", 2), ("integration", 2)):
        await shop.fill()
        before = len(await shop.orders())
        shop.world.org.control.fault("commerce", trouble=trouble, times=times)
        reply = await shop.ask(json={"po_number": "PO-1", "delivery_address": _ADDRESS, "wait_seconds": 30})
        assert reply.status_code == 201, (trouble, reply.text)
        assert len(await shop.orders()) - before == 1
        shop.world.org.control.clear_faults()


async def test_what_never_stops_failing_is_told_and_the_cart_given_back(shop: PlacementShop) -> None:
    """Integrations that fail for ever end in words, without an order, with the cart free to be ordered."""
    cart = await shop.fill()
    shop.world.org.control.fault("commerce", trouble="integration", times=1000)
    reply = await shop.ask(json={"po_number": "PO-1", "wait_seconds": 30})
    assert (reply.status_code, reply.json()["code"]) == (502, "order.integration_failed")
    shop.world.org.control.clear_faults()
    assert await shop.orders() == []
    assert await shop.cart_status(cart) in ("Active", "Processing")
    assert (await shop.ask()).status_code == 201


async def test_a_declined_payment_orders_nothing(shop: PlacementShop) -> None:
    """The refusal is told, the cart is free again, and the next try orders once."""
    await shop.fill()
    shop.world.org.control.fault("commerce", trouble="decline", times=1)
    body = {"payment_token": "gateway-ref-1"}
    reply = await shop.ask(json=body)
    assert (reply.status_code, reply.json()["code"]) == (422, "order.payment_refused")
    assert await shop.orders() == []
    assert (await shop.ask(json=body)).status_code == 201
    assert len(await shop.orders()) == 1


async def test_what_takes_long_is_202_and_can_be_called_off(shop: PlacementShop) -> None:
    """While Salesforce computes for ever the status resource says so; called off, the cart is given back."""
    cart = await shop.fill()
    shop.world.org.control.fault("commerce", trouble="endless", times=1)
    reply = await shop.ask(json={"po_number": "PO-1", "wait_seconds": 0.3})
    assert reply.status_code == 202
    assert reply.headers["Retry-After"] == "1"
    place = reply.headers["Location"].removeprefix("/api/v1")
    told = await shop.world.ask("kiel", "GET", place)
    assert (told.json()["status"], told.headers["Retry-After"]) == ("processing", "1")
    asked = await shop.world.ask("kiel", "POST", f"{place}/cancel")
    assert (asked.status_code, asked.json()["cancel_requested"]) == (202, True)
    ended = await _ended(shop, reply.json()["id"])
    assert ended["status"] == "cancelled"
    assert await shop.orders() == []
    late = await shop.world.ask("kiel", "POST", f"{place}/cancel")
    assert late.status_code == 202, "to call off what was called off changes nothing"
    # An endless computation takes no change of the checkout either: that the cart could not be given back is told.
    assert await shop.cart_status(cart) == "Checkout"
    assert [warning for warning in ended["warnings"] if "could not be given back" in warning]


async def test_a_placed_order_cannot_be_called_off(shop: PlacementShop) -> None:
    """Too late is 409, and says where it stands."""
    await shop.fill()
    told = (await shop.ask()).json()
    reply = await shop.world.ask("kiel", "POST", f"/carts/me/checkouts/{told['id']}/cancel")
    assert (reply.status_code, reply.json()["code"]) == (409, "order.too_late")


async def test_a_worker_that_stops_anywhere_orders_once(idle_shop: PlacementShop) -> None:
    """Workers are stopped again and again at random moments of several orders: each cart is ordered exactly once."""
    shop, dice = idle_shop, Random(20261122)
    for _ in range(3):
        await shop.fill()
        before = len(await shop.orders())
        asked = asyncio.create_task(shop.ask(json={"po_number": "PO-1", "wait_seconds": 30}))
        while not asked.done():
            worker = shop.start_worker()
            await asyncio.wait({asked}, timeout=dice.uniform(0.02, 0.5))
            await shop.stop_worker(worker)
        assert (await asked).status_code == 201, (await asked).text
        assert len(await shop.orders()) - before == 1


async def test_what_cannot_be_told_is_said_and_never_sent_again(shop: PlacementShop) -> None:
    """The request fails inside, and somebody else closes the cart: nobody can tell, so the cart stays claimed."""
    cart = await shop.fill()
    shop.world.org.control.fault(method="POST", path="/orders$", status=500, times=1, delay_ms=300)
    asked = asyncio.create_task(shop.ask(json={"po_number": "PO-1", "wait_seconds": 30}))
    async with asyncio.timeout(10):
        while True:
            listed = (await shop.world.ask("kiel", "GET", "/carts/me/checkouts")).json()["checkouts"]
            if listed and listed[0]["state"] == "placing":
                break
            await asyncio.sleep(0.01)
    await asyncio.to_thread(shop.world.change, "PATCH", f"/sobjects/WebCart/{cart}", {"Status": "Closed"})
    reply = await asked
    assert (reply.status_code, reply.json()["code"]) == (409, "order.outcome_unknown")
    assert "look for the order" in reply.json()["detail"]
    assert await shop.orders() == []
    again = await shop.ask(json={"po_number": "PO-1", "cart_id": cart})
    assert (again.status_code, again.json()["code"]) == (409, "order.cart_claimed")


async def test_a_checkout_needs_a_key_and_one_payment(shop: PlacementShop) -> None:
    """Without a key, without a payment and with two nothing is written and nothing is sent."""
    await shop.fill()
    without = await shop.ask(key=None)
    assert (without.status_code, without.json()["code"]) == (400, "idempotency.key_needed")
    for body in ({}, {"po_number": "1", "payment_token": "2"}):
        reply = await shop.ask(json=body)
        assert (reply.status_code, reply.json()["code"]) == (400, "order.payment_missing")
    assert (await shop.world.ask("kiel", "GET", "/carts/me/checkouts")).json() == {"checkouts": []}


async def test_card_numbers_are_refused_unkept(shop: PlacementShop) -> None:
    """A card's number is refused wherever it stands; neither the store nor the audit holds it."""
    await shop.fill()
    for body in (
        {"payment_token": "4111 1111 1111 1111"},
        {"po_number": "1", "shipping_instructions": "4111111111111111"},
    ):
        reply = await shop.ask(json=body)
        assert (reply.status_code, reply.json()["code"]) == (422, "order.card_refused")
        assert "4111" not in reply.text
    assert (await shop.world.ask("kiel", "GET", "/carts/me/checkouts")).json() == {"checkouts": []}
    audit = await shop.world.ask("admin", "GET", "/audit")
    assert "4111" not in audit.text


async def test_flaw_3_nobody_orders_anothers_cart(shop: PlacementShop) -> None:
    """Flaw 3: cart and account of the caller are checked; another's checkout is as if it were not there."""
    cart = await shop.fill()
    lyon = {"account_id": shop.world.accounts["ACC-210"]}
    foreign = await shop.ask(
        name="lyon", params=lyon, json={"po_number": "1", "cart_id": cart, "webstore_id": shop.webstore_id}
    )
    assert (foreign.status_code, foreign.json()["code"]) == (404, "order.cart_not_found")
    stranger = await shop.ask(name="lyon", json={"po_number": "1", "cart_id": cart})
    assert (stranger.status_code, stranger.json()["code"]) == (403, "account.not_granted")
    told = (await shop.ask()).json()
    for name in ("lyon", "bremen"):
        for way in (("GET", ""), ("POST", "/cancel")):
            reply = await shop.world.ask(name, way[0], f"/carts/me/checkouts/{told['id']}{way[1]}")
            assert (reply.status_code, reply.json()["code"]) == (404, "order.placement_not_found")
    assert len(await shop.orders()) == 1


async def test_who_may_not_order_does_not(shop: PlacementShop) -> None:
    """A token without the scope, a user who is nobody in Salesforce, and a role whose policy makes no orders."""
    await shop.fill()
    world = shop.world
    reply = await world.ask(
        "both", "POST", "/carts/me/checkout", json={"po_number": "1"}, headers={"Idempotency-Key": "a"}
    )
    assert reply.status_code in (403, 409)
    made = await world.ask(
        "admin",
        "POST",
        "/roles",
        json={
            "name": "looker",
            "scopes": ["orders:read", "orders:write"],
            "policy": {"objects": {"Order": {"operations": ["read", "query"]}}},
        },
    )
    assert made.status_code == 201, made.text
    person = Person(sf_username="buyer.kiel@nordmuehle.example", organizations=("Nordmühle",))
    await world.make_person("looker", person, roles=("looker",))
    refused = await shop.ask(name="looker")
    assert refused.status_code == 403, refused.text
    assert await shop.orders() == []


async def test_a_payment_reference_is_not_kept_longer_than_needed(shop: PlacementShop) -> None:
    """After the end the store holds no reference of a payment, and no reply ever shows it."""
    await shop.fill()
    reply = await shop.ask(json={"payment_token": "gateway-ref-77"})
    assert reply.status_code == 201, reply.text
    assert "gateway-ref-77" not in reply.text
    async with shop.house.database.unit(write=False) as unit:
        record = await unit.placements.get(reply.json()["id"])
    assert record is not None
    assert "gateway-ref-77" not in str(record.request)
