"""Orders whose outcome could not be told, decided later; orders in the audit; orders forgotten when they are old."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from orgbridge.services.audit import AuditTrail
from orgbridge.services.commerce.placement_audit import PlacementAudit
from orgbridge.store.order_records import PlacementRecord
from orgbridge.wiring.hosting import OrgHost
from tests.support.commerce_world import commerce_host
from tests.support.placement_shop import PlacementShop, placement_shop

__all__ = ["commerce_host"]
_WAYS = {"/carts/me/checkout": "/orders$", "/salesforce_orders/": "/commerce/sale/order$"}


@pytest.fixture
async def shop(commerce_host: OrgHost, tmp_path: Path) -> AsyncIterator[PlacementShop]:
    """Give a shop with a worker that gives up looking soon."""
    async with placement_shop(commerce_host, tmp_path, working=False) as shop:
        shop.start_worker(order_find_seconds=0.0)
        yield shop


async def _row(shop: PlacementShop, placement_id: str) -> PlacementRecord:
    async with shop.house.database.unit(write=False) as unit:
        record = await unit.placements.get(placement_id)
    assert record is not None
    return record


async def _lost(shop: PlacementShop, path: str = "/carts/me/checkout", *, effect: bool) -> tuple[str, str]:
    """Lose an order: its reply does not come, and nothing can be searched for any more. Return cart and checkout."""
    control, cart = shop.world.org.control, await shop.fill()
    fate: dict[str, Any] = {"status": 503, "effect": True} if effect else {"status": 500}
    control.fault(method="POST", path=_WAYS[path], times=1, **fate, delay_ms=200)
    asked = asyncio.create_task(shop.ask(path, json={"cart_id": cart, "po_number": "PO-1", "wait_seconds": 30}))
    placement_id = await shop.until_state("placing")
    for where in ("/query", "/carts/"):
        control.fault(method="GET", path=where, times=10_000, status=403, errorCode="INSUFFICIENT_ACCESS")
    reply = await asked
    assert (reply.status_code, reply.json()["code"]) == (409, "order.outcome_unknown"), reply.text
    return cart, placement_id


async def _ask(shop: PlacementShop, name: str, placement_id: str, what: str, **more: Any) -> Any:
    return await shop.world.ask(name, "POST", f"/carts/me/checkouts/{placement_id}/{what}", **more)


@pytest.mark.parametrize("path", list(_WAYS))
async def test_a_later_look_finds_the_order(shop: PlacementShop, path: str) -> None:
    """While Salesforce lets nothing be asked a look changes nothing; then it finds the order, and nothing is sent."""
    cart, placement_id = await _lost(shop, path, effect=True)
    still = (await _ask(shop, "kiel", placement_id, "look")).json()
    assert (still["status"], still["looks"]) == ("unknown", 1)
    assert still["next_look_at"] > still["updated_at"]
    shop.world.org.control.clear_faults()
    told = (await _ask(shop, "kiel", placement_id, "look")).json()
    (made,) = await shop.orders()
    assert (told["status"], told["order_id"], told["error"]) == ("placed", made["Id"], None)
    assert await shop.cart_status(cart) in ("Closed", "PendingClosed")
    assert (await _ask(shop, "lyon", placement_id, "look")).status_code == 404


@pytest.mark.parametrize("path", list(_WAYS))
async def test_a_later_look_that_finds_none_frees_the_cart(shop: PlacementShop, path: str) -> None:
    """The worker looks again by itself; certain that there is no order it ends the placement, and the cart is free."""
    cart, placement_id = await _lost(shop, path, effect=False)
    shop.world.org.control.clear_faults()
    shop.start_worker()
    async with shop.house.database.unit() as unit:
        await unit.placements.ask_to_look(placement_id, shop.house.clock.now())
    await shop.until_state("failed")
    record = await _row(shop, placement_id)
    assert (record.claim, record.look_at, record.order_id) == (None, None, None)
    assert await shop.orders() == []
    again = await shop.ask(path, json={"cart_id": cart, "po_number": "PO-1", "wait_seconds": 30})
    assert again.status_code == 201, again.text
    assert len(await shop.orders()) == 1


async def test_an_operator_settles_what_cannot_be_told(shop: PlacementShop) -> None:
    """Only an administrator, only while it is undecided; not placed frees the cart, and the audit says who said so."""
    cart, placement_id = await _lost(shop, effect=False)
    body = {"outcome": "not_placed"}
    refused = await _ask(shop, "kiel", placement_id, "settle", json=body)
    assert (refused.status_code, refused.json()["code"]) == (403, "identity.scope_missing")
    odd = await _ask(shop, "admin", placement_id, "settle", json={**body, "order_id": "801Ob000000000A"})
    assert odd.status_code == 400
    told = await _ask(shop, "admin", placement_id, "settle", json=body)
    assert (told.status_code, told.json()["status"]) == (200, "failed"), told.text
    late = await _ask(shop, "admin", placement_id, "settle", json={"outcome": "placed"})
    assert (late.status_code, late.json()["code"]) == (409, "order.not_undecided")
    shop.world.org.control.clear_faults()
    entries = (await shop.world.ask("admin", "GET", "/audit", params={"action": "checkouts.settle"})).json()
    said = next(one for one in entries["entries"] if one["outcome"] == "succeeded")
    assert (said["actor"]["name"], said["details"]["settled_as"]) == ("admin", "not_placed")
    assert {placement_id, cart} <= set(said["ids"])
    again = await shop.ask(json={"cart_id": cart, "po_number": "PO-1", "wait_seconds": 30})
    assert again.status_code == 201, again.text


async def test_settled_as_placed_names_the_order(shop: PlacementShop) -> None:
    """The order that the operator found is the placement's; the cart stays claimed, and the key finds this order."""
    cart, placement_id = await _lost(shop, effect=False)
    body = {"outcome": "placed", "order_id": "801Ob000000000A"}
    told = (await _ask(shop, "admin", placement_id, "settle", json=body)).json()
    assert (told["status"], told["order_id"][:15], told["error"]) == ("placed", "801Ob000000000A", None)
    shop.world.org.control.clear_faults()
    again = await shop.ask(json={"cart_id": cart, "po_number": "PO-1"})
    assert (again.status_code, again.json()["code"]) == (409, "order.cart_claimed")


async def test_the_audit_holds_each_end_in_the_callers_name(shop: PlacementShop) -> None:
    """The entry has who asked, the request's id, the order, and each step with its time; it is written once."""
    await shop.fill()
    headers = {"X-Request-ID": "order-0815"}
    reply = await shop.world.ask(
        "kiel",
        "POST",
        "/carts/me/checkout",
        headers={"Idempotency-Key": "audited", **headers},
        params={"account_id": shop.world.accounts["ACC-110"]},
        json={"po_number": "PO-1", "wait_seconds": 30},
    )
    assert reply.status_code == 201, reply.text
    database, clock = shop.house.database, shop.house.clock
    audit = PlacementAudit(database, clock, AuditTrail(database, clock))
    assert [await audit.write_due(), await audit.write_due()] == [1, 0]
    found = (await shop.world.ask("admin", "GET", "/audit", params={"action": "orders.place"})).json()["entries"]
    (entry,) = [one for one in found if one["object"] == "Order"]
    assert (entry["actor"]["name"], entry["request_id"]) == ("kiel", reply.headers["X-Request-ID"])
    assert (entry["outcome"], entry["ids"]) == ("succeeded", [reply.json()["id"], reply.json()["order_id"]])
    assert [one["event"] for one in entry["details"]["steps"]][-2:] == ["sending", "orders_made"]
