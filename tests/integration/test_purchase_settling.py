"""Purchase orders left in `ordering`: ended by themselves once it can be told what came of them, and never twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from orgbridge.services.audit import AuditTrail
from orgbridge.services.commerce.purchase_errors import OrderUnderWay
from orgbridge.services.commerce.purchase_settling import PurchaseSettling
from orgbridge.store.purchase_order_records import PurchaseOrderRecord
from orgbridge.wiring.hosting import OrgHost
from tests.integration.test_api_contract import check_problem
from tests.support.commerce_world import commerce_host
from tests.support.placement_shop import PlacementShop, placement_shop

__all__ = ["commerce_host"]
_ROOT = "/salesforce_purchase_orders"


@pytest.fixture
async def shop(commerce_host: OrgHost, tmp_path: Path) -> AsyncIterator[PlacementShop]:
    """Give a shop behind a port, without a worker, whose approver is named."""
    async with placement_shop(commerce_host, tmp_path, working=False, over_socket=True) as shop:
        path = f"{_ROOT}/rules/{shop.world.organizations['Nordmühle']}"
        rules = {"approvers": ["approver"]}
        await shop.world.ask("admin", "PUT", path, json=rules, headers={"If-Match": "*"})
        yield shop


def _settling(shop: PlacementShop) -> PurchaseSettling:
    house, rules = shop.house, shop.world.services.purchasing.rules
    trail = AuditTrail(house.database, house.clock)
    return PurchaseSettling(house.database, house.clock, rules, trail, mail_configured=False)


async def _approved(shop: PlacementShop) -> str:
    """Have one made of the buyer's filled cart and approved; return its id."""
    await shop.fill()
    made = await shop.world.ask("kiel", "POST", _ROOT, json={})
    assert made.status_code == 201, made.text
    path = f"{_ROOT}/{made.json()['id']}"
    assert (await shop.world.ask("kiel", "POST", f"{path}/submit")).status_code == 200
    assert (await shop.world.ask("approver", "POST", f"{path}/approve")).status_code == 200
    return str(made.json()["id"])


async def _shown(shop: PlacementShop, key: str) -> dict[str, Any]:
    return dict((await shop.world.ask("kiel", "GET", f"{_ROOT}/{key}")).json())


async def _left(shop: PlacementShop, key: str, *, until: Callable[[], Awaitable[object]]) -> None:
    """Begin to order, and let the process die at a moment."""
    service = shop.world.services.purchasing.ordering
    task = asyncio.create_task(service.order(await shop.world.caller("kiel"), key))
    while not await until():
        await asyncio.wait({task}, timeout=0.01)
        assert not task.done(), task.result()
    task.cancel()
    await asyncio.wait({task})
    assert (await _shown(shop, key))["status"] == "ordering"


async def test_what_was_placed_is_ordered_without_another_call(shop: PlacementShop) -> None:
    """Its process is gone, the worker places the order: history, audit and order's id are there, and nobody asked."""
    key, settling = await _approved(shop), _settling(shop)
    await _left(shop, key, until=lambda: _begun(shop))
    assert await settling.settle() == 0, "the placement goes on"
    shown = await _shown(shop, key)
    assert (shown["ordering"]["state"], shown["ordering"]["caller"]) == ("accepted", "kiel")
    shop.start_worker()
    await shop.until_state("placed")
    assert [await settling.settle(), await settling.settle()] == [1, 0]
    (made,), shown = await shop.orders(), await _shown(shop, key)
    assert (shown["status"], shown["order_ids"], shown["ordering"]) == ("ordered", [made["Id"]], None)
    assert (shown["history"][-1]["step"], shown["history"][-1]["via"]) == ("place", "worker")
    entries = await shop.world.ask("admin", "GET", "/audit", params={"action": "purchase_orders.place"})
    assert key in entries.json()["entries"][0]["ids"]


async def _begun(shop: PlacementShop) -> bool:
    return bool(await shop.world.services.placements.listed(await shop.world.caller("kiel")))


async def test_what_was_never_begun_is_approved_again(shop: PlacementShop) -> None:
    """Its process stands still before it begins: approved again after the lease, and what wakes up orders nothing."""
    key, settling, world = await _approved(shop), _settling(shop), shop.world
    ordering, caller = world.services.purchasing.ordering, await world.caller("kiel")
    stale = await ordering._begin(caller, await _record(shop, key), None)
    assert await settling.settle() == 0, "its lease is not over"
    async with shop.house.database.unit() as unit:
        await unit.purchase_orders.let_go(stale.id, stale.version, shop.house.clock.now())
    assert await settling.settle() == 1
    shown = await _shown(shop, key)
    assert (shown["status"], shown["history"][-1]["step"]) == ("approved", "release")
    assert "before it began" in shown["history"][-1]["comment"]
    assert ordering._placer is not None
    with pytest.raises(OrderUnderWay):
        await ordering._placer.place(caller, stale)
    assert not await _begun(shop)
    shop.start_worker()
    done = await world.ask("kiel", "POST", f"{_ROOT}/{key}/order")
    assert (done.status_code, len(await shop.orders())) == (200, 1), done.text


@pytest.mark.parametrize("outcome", ["placed", "not_placed"])
async def test_an_operators_word_leads_out(shop: PlacementShop, outcome: str) -> None:
    """Nobody can tell what came of it: it says where to look; settled, it is ordered, or approved and ordered anew."""
    key, settling, control = await _approved(shop), _settling(shop), shop.world.org.control
    worker = shop.start_worker(order_find_seconds=0.0)
    control.fault(method="POST", path="/commerce/sale/order", times=1, status=500, delay_ms=200)
    asked = asyncio.create_task(shop.world.ask("kiel", "POST", f"{_ROOT}/{key}/order"))
    checkout = await shop.until_state("placing")
    control.fault(method="GET", path="/query", times=10_000, status=403, errorCode="INSUFFICIENT_ACCESS")
    problem = check_problem(await asked, 409, "order.outcome_unknown")
    assert problem["errors"][0]["checkout_id"] == checkout
    control.clear_faults()
    await shop.stop_worker(worker)
    assert await settling.settle() == 0, "nobody guesses"
    shown = await _shown(shop, key)
    assert (shown["status"], shown["ordering"]["checkout_id"]) == ("ordering", checkout)
    assert (shown["ordering"]["state"], shown["ordering"]["error"]["code"]) == ("unknown", "order.outcome_unknown")
    path, body = f"/carts/me/checkouts/{checkout}/settle", {"outcome": outcome}
    if outcome == "placed":
        body["order_id"] = "801Ob000000000A"
    assert (await shop.world.ask("admin", "POST", path, json=body)).status_code == 200
    assert await settling.settle() == 1
    shown = await _shown(shop, key)
    if outcome == "placed":
        assert (shown["status"], shown["order_ids"][0][:15]) == ("ordered", "801Ob000000000A")
        return
    assert (shown["status"], shown["history"][-1]["comment"]) == (
        "approved",
        "An operator has looked: no order came of it.",
    )
    shop.start_worker()
    done = await shop.world.ask("kiel", "POST", f"{_ROOT}/{key}/order")
    assert (done.status_code, len(await shop.orders())) == (200, 1), done.text


async def test_a_late_look_leads_out_by_itself(shop: PlacementShop) -> None:
    """The order is there though its reply was lost and nothing could be asked: found later, told by nobody's call."""
    key, settling, control = await _approved(shop), _settling(shop), shop.world.org.control
    shop.start_worker(order_find_seconds=0.0)
    control.fault(method="POST", path="/commerce/sale/order", times=1, status=503, effect=True, delay_ms=200)
    asked = asyncio.create_task(shop.world.ask("kiel", "POST", f"{_ROOT}/{key}/order"))
    checkout = await shop.until_state("placing")
    control.fault(method="GET", path="/query", times=10_000, status=403, errorCode="INSUFFICIENT_ACCESS")
    check_problem(await asked, 409, "order.outcome_unknown")
    control.clear_faults()
    looked = await shop.world.ask("kiel", "POST", f"/carts/me/checkouts/{checkout}/look")
    assert looked.json()["status"] == "placed", looked.text
    assert await settling.settle() == 1
    (made,), shown = await shop.orders(), await _shown(shop, key)
    assert (shown["status"], shown["order_ids"]) == ("ordered", [made["Id"]])


async def _record(shop: PlacementShop, key: str) -> PurchaseOrderRecord:
    async with shop.house.database.unit(write=False) as unit:
        record = await unit.purchase_orders.get(key)
    assert record is not None
    return record
