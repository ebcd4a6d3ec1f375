"""Approved purchase orders become orders at Salesforce: of a cart and of lines, once, at the approved prices only."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from orgbridge.wiring.hosting import OrgHost
from tests.integration.test_api_contract import check_problem
from tests.support.commerce_world import commerce_host
from tests.support.placement_shop import PlacementShop, placement_shop

__all__ = ["commerce_host"]
pytestmark = pytest.mark.asyncio(loop_scope="module")
_ROOT = "/salesforce_purchase_orders"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def whole_shop(commerce_host: OrgHost, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[PlacementShop]:
    """Give a shop behind a port, with a worker, and an approver of the Nordmühle."""
    async with placement_shop(commerce_host, tmp_path_factory.mktemp("placing"), over_socket=True) as shop:
        await _name_approvers(shop)
        yield shop


@pytest_asyncio.fixture(loop_scope="module")
async def shop(whole_shop: PlacementShop) -> AsyncIterator[PlacementShop]:
    """Give the shop with an empty cart, without orders of other tests and without faults."""
    whole_shop.world.org.control.clear_faults()
    await whole_shop.world.ask("kiel", "DELETE", "/carts/me")
    await whole_shop.remember_seed()
    yield whole_shop
    whole_shop.world.org.control.clear_faults()


async def _name_approvers(shop: PlacementShop) -> None:
    path = f"{_ROOT}/rules/{shop.world.organizations['Nordmühle']}"
    rules = {"approvers": ["approver", "bremen"]}
    reply = await shop.world.ask("admin", "PUT", path, json=rules, headers={"If-Match": "*"})
    assert reply.status_code == 200, reply.text


async def _approved(shop: PlacementShop, **body: Any) -> dict[str, Any]:
    """Make a purchase order of the cart, or of lines, and have it approved."""
    world = shop.world
    made = await world.ask("kiel", "POST", _ROOT, json=body)
    assert made.status_code == 201, made.text
    path = f"{_ROOT}/{made.json()['id']}"
    assert (await world.ask("kiel", "POST", f"{path}/submit")).status_code == 200
    done = await world.ask("approver", "POST", f"{path}/approve")
    assert done.json()["status"] == "approved", done.text
    return dict(done.json())


async def _order(shop: PlacementShop, made: dict[str, Any], name: str = "kiel") -> Any:
    return await shop.world.ask(name, "POST", f"{_ROOT}/{made['id']}/order")


async def _status(shop: PlacementShop, made: dict[str, Any]) -> str:
    return str((await shop.world.ask("kiel", "GET", f"{_ROOT}/{made['id']}")).json()["status"])


async def _price(shop: PlacementShop, sku: str) -> str:
    """Return what a product costs the buyer."""
    await shop.fill(skus=(sku,))
    lines = (await shop.world.ask("kiel", "GET", "/carts/me/products")).json()["cartItems"]
    assert (await shop.world.ask("kiel", "DELETE", "/carts/me")).status_code == 204
    return str(lines[0]["cartItem"]["salesPrice"])


async def test_a_cart_that_was_approved_is_ordered_once(shop: PlacementShop) -> None:
    """The cart's lines and prices are approved; its order names number and purchase order; asked again: the same."""
    cart = await shop.fill()
    made = await _approved(shop, po_number="C-1", urgent=True)
    assert (made["cart_id"], len(made["lines"]), made["currency"]) == (cart, 2, "EUR")
    assert made["account_id"] == shop.world.accounts["ACC-110"], "the buyer's own account, not the group's"
    replies = [await _order(shop, made) for _ in range(2)]
    assert [reply.status_code for reply in replies] == [200, 200], replies[0].text
    (order,) = await shop.orders()
    assert [reply.json()["order_ids"] for reply in replies] == [[order["Id"]]] * 2
    assert (order["PoNumber"], order["OrderReferenceNumber"]) == ("C-1", made["order_quote_id"])
    rows = await asyncio.to_thread(
        shop.world.soql,
        f"SELECT Purchase_Order__r.UUID__c, Urgent__c FROM Order WHERE Id = '{order['Id']}'",
    )
    assert rows[0]["Purchase_Order__r"]["UUID__c"] == made["order_quote_id"]
    assert rows[0]["Urgent__c"] is True
    approved = {line["product_id"]: Decimal(line["unit_price"]) for line in made["lines"]}
    assert {one["Product2Id"]: Decimal(str(one["UnitPrice"])) for one in order["OrderItems"]["records"]} == approved
    assert await shop.cart_status(cart) == "Closed"
    listed = (await shop.world.ask("kiel", "GET", f"{_ROOT}/me", params={"po_number": "C-1"})).json()
    assert [(one["status"], one["order_ids"]) for one in listed] == [("ordered", [order["Id"]])]


async def test_lines_are_ordered_beside_the_cart_also_by_an_approver(shop: PlacementShop) -> None:
    """Lines become an order of a cart of their own, as whoever orders; the requester's cart stays as it is."""
    price = await _price(shop, "MP-0001")
    cart = await shop.fill(skus=("MP-0003",))
    lines = [{"sku": "MP-0001", "quantity": "2", "unit_price": price}] * 2
    made = await _approved(shop, lines=lines, currency="EUR")
    reply = await _order(shop, made, "bremen")
    # Bremen's own Salesforce user does not buy for Kiel: told so, and nothing is ordered.
    assert (reply.status_code, reply.json()["code"]) == (403, "commerce.not_entitled"), reply.text
    assert await _status(shop, made) == "approved"
    done = await _order(shop, made, "approver")
    assert done.status_code == 200, done.text
    (order,) = await shop.orders()
    assert sum(one["Quantity"] for one in order["OrderItems"]["records"]) == 4
    assert order["AccountId"] == shop.world.accounts["ACC-110"]
    assert await shop.cart_status(cart) == "Active"
    assert (await _order(shop, made)).json()["order_ids"] == [order["Id"]]


async def test_of_many_who_order_at_once_one_does(shop: PlacementShop) -> None:
    """Five calls at one moment, of both who may: one order, and whoever is told to wait may ask again."""
    made = await _approved(
        shop, lines=[{"sku": "MP-0002", "quantity": 1, "unit_price": await _price(shop, "MP-0002")}], currency="EUR"
    )
    replies = await asyncio.gather(*(_order(shop, made, name) for name in ("kiel", "approver", "kiel", "kiel", "kiel")))
    for reply in replies:
        assert reply.status_code in (200, 409), reply.text
        if reply.status_code == 409:
            assert reply.json()["code"] in ("purchase_orders.ordering", "purchase_orders.conflict")
    assert (await _order(shop, made)).status_code == 200
    assert len(await shop.orders()) == 1


async def test_another_price_is_told_and_nothing_is_ordered(shop: PlacementShop) -> None:
    """One line at another price, one product that is none: the findings name the lines, and the approval stands."""
    price = Decimal(await _price(shop, "MP-0001"))
    lines = [{"sku": "MP-0001", "quantity": "1", "unit_price": str(price + 1)}]
    made = await _approved(shop, lines=lines, currency="EUR")
    for _ in range(2):
        problem = check_problem(await _order(shop, made), 409, "purchase_orders.order_changed")
        finding = problem["errors"][0]
        assert (finding["line"], finding["sku"], finding["code"]) == (0, "MP-0001", "price_changed")
        assert (Decimal(finding["approved"]), Decimal(finding["now"])) == (price + 1, price)
    none = await _approved(shop, lines=[{"sku": "NO-SUCH", "quantity": 1, "unit_price": "1"}], currency="EUR")
    problem = check_problem(await _order(shop, none), 409, "purchase_orders.order_changed")
    assert [(one["line"], one["code"]) for one in problem["errors"]] == [(0, "unknown")]
    dollars = await _approved(shop, lines=[{**lines[0], "unit_price": str(price)}], currency="USD")
    problem = check_problem(await _order(shop, dollars), 409, "purchase_orders.order_changed")
    assert problem["errors"][0]["code"] == "currency_changed"
    assert [await _status(shop, one) for one in (made, none, dollars)] == ["approved"] * 3
    assert await shop.orders() == []
    left = await asyncio.to_thread(
        shop.world.soql, "SELECT Id FROM WebCart WHERE Name LIKE 'Purchase order %' AND Status = 'Active'"
    )
    assert left == []


async def test_a_cart_that_changed_since_is_not_ordered(shop: PlacementShop) -> None:
    """A line added after the approval is told; taken out again, the same purchase order is ordered."""
    await shop.fill()
    made = await _approved(shop)
    await shop.fill(skus=("MP-0005",))
    problem = check_problem(await _order(shop, made), 409, "purchase_orders.order_changed")
    assert [one["code"] for one in problem["errors"]] == ["line_added"]
    told = check_problem(await _order(shop, made, "approver"), 403, "purchase_orders.not_requester")
    assert "requester" in told["detail"]
    assert await shop.orders() == []
    items = (await shop.world.ask("kiel", "GET", "/carts/me/products")).json()["cartItems"]
    added = [one["cartItem"] for one in items if one["cartItem"]["productDetails"]["sku"] == "MP-0005"]
    await shop.world.ask("kiel", "DELETE", f"/carts/me/products/{added[0]['cartItemId']}")
    done = await _order(shop, made)
    assert (done.status_code, len(await shop.orders())) == (200, 1), done.text


async def test_a_cart_that_was_ordered_otherwise_is_not_ordered_again(shop: PlacementShop) -> None:
    """The cart went through a checkout after the approval: its purchase order is refused, and there is one order."""
    await shop.fill()
    made = await _approved(shop)
    assert (await shop.ask("/salesforce_orders/", json={})).status_code == 201
    check_problem(await _order(shop, made), 409, "order.cart_claimed")
    assert (await _status(shop, made), len(await shop.orders())) == ("approved", 1)


async def test_a_process_that_dies_while_ordering_leaves_one_order(shop: PlacementShop) -> None:
    """Stopped while it waits, before the worker or after: the next call finds the placement by the marker."""
    services = shop.world.services
    await shop.stop_workers()
    await shop.fill()
    made = await _approved(shop)
    task = asyncio.create_task(services.purchasing.ordering.order(await shop.world.caller("kiel"), made["id"]))
    while not [
        one
        for one in await services.placements.listed(await shop.world.caller("kiel"))
        if one["status"] == "processing"
    ]:
        await asyncio.wait({task}, timeout=0.02)
        assert not task.done()
    task.cancel()
    await asyncio.wait({task})
    assert await _status(shop, made) == "ordering"
    check_problem(await shop.world.ask("kiel", "POST", f"{_ROOT}/{made['id']}/cancel"), 409, "purchase_orders.conflict")
    shop.start_worker()
    done = await _order(shop, made)
    assert (done.status_code, done.json()["status"]) == (200, "ordered"), done.text
    (order,) = await shop.orders()
    assert done.json()["order_ids"] == [order["Id"]]


@pytest.mark.parametrize("cut", ["before", "after"])
async def test_a_lost_reply_of_salesforce_leaves_one_order(shop: PlacementShop, cut: str) -> None:
    """The request that makes the order is cut before or after its effect: one order comes of it."""
    await shop.fill()
    made = await _approved(shop)
    shop.world.org.control.fault(method="POST", path="/commerce/sale/order", cut=cut, times=1)
    reply = await _order(shop, made)
    assert reply.status_code == 200, reply.text
    assert len(await shop.orders()) == 1


async def test_an_empty_or_missing_cart_makes_no_purchase_order(shop: PlacementShop) -> None:
    """Nothing to approve is said as that."""
    check_problem(await shop.world.ask("kiel", "POST", _ROOT, json={}), 404, "cart.none")
    check_problem(await shop.world.ask("both", "POST", _ROOT, json={}), 409, "account.choice_needed")


async def test_an_org_without_the_object_is_told_so(commerce_host: OrgHost, tmp_path: Path) -> None:
    """Without `Purchase_Order__c` nothing is ordered, the remedy is named, and the approval stands."""
    async with placement_shop(commerce_host, tmp_path) as shop:
        await _name_approvers(shop)
        await asyncio.to_thread(shop.world.org.control.drop, "Order", "Purchase_Order__c")
        await asyncio.to_thread(shop.world.org.control.drop, "Purchase_Order__c")
        await shop.fill()
        made = await _approved(shop)
        problem = check_problem(await _order(shop, made), 409, "purchase_orders.not_in_org")
        assert "deploy it" in problem["detail"]
        assert (await _status(shop, made), await shop.orders()) == ("approved", [])
