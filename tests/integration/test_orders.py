"""Orders made from a cart's lines by the Place Order API, the history of orders, and orders again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from orgbridge.wiring.hosting import OrgHost
from tests.support.commerce_world import commerce_host
from tests.support.placement_shop import ACCOUNT, PlacementShop, placement_shop

__all__ = ["commerce_host"]
_PLACE = "/salesforce_orders/"


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


async def _list(shop: PlacementShop, name: str = "kiel", **params: Any) -> dict[str, Any]:
    params = {"account_id": shop.world.accounts[ACCOUNT], **params}
    reply = await shop.world.ask(name, "GET", "/salesforce_orders/me", params=params)
    assert reply.status_code == 200, reply.text
    return dict(reply.json())


async def _second_book(shop: PlacementShop) -> str:
    """Leave one product to the negotiated price book and one to the store's own, and return that book."""
    world = shop.world

    def withdraw(sku: str, books: list[str]) -> None:
        (product,) = world.soql(f"SELECT Id FROM Product2 WHERE StockKeepingUnit = '{sku}'")
        named = ", ".join(f"'{book}'" for book in books)
        for entry in world.soql(
            f"SELECT Id FROM PricebookEntry WHERE Product2Id = '{product['Id']}' AND Pricebook2Id IN ({named})"
        ):
            world.change("PATCH", f"/sobjects/PricebookEntry/{entry['Id']}", {"IsActive": False})

    def change() -> str:
        groups = world.soql(
            "SELECT Pricebook2Id FROM BuyerGroupPricebook WHERE BuyerGroupId IN "
            f"(SELECT BuyerGroupId FROM BuyerGroupMember WHERE BuyerId = '{world.accounts[ACCOUNT]}')"
        )
        (own,) = world.soql(f"SELECT Pricebook2Id FROM WebStorePricebook WHERE WebStoreId = '{shop.webstore_id}'")
        withdraw("MP-0002", [row["Pricebook2Id"] for row in groups])
        withdraw("MP-0001", [own["Pricebook2Id"]])
        return str(own["Pricebook2Id"])

    return await asyncio.to_thread(change)


async def test_a_cart_becomes_an_order_from_its_lines(shop: PlacementShop) -> None:
    """One order with the cart's lines at the cart's prices, marked as ours; the cart is closed; the shape is kept."""
    cart = await shop.fill()
    store = await shop.store()
    lines = (await store.carts.lines(cart)).value
    assert lines is not None
    reply = await shop.ask(_PLACE, json={"po_number": "PO-9", "delivery_address": {"street": "A 1", "city": "Kiel"}})
    assert reply.status_code == 201, reply.text
    told = reply.json()
    (made,) = await shop.orders()
    assert told["results"][0]["records"][0]["Id"] == made["Id"] == told["checkout"]["order_id"]
    assert (made["PoNumber"], made["StatusCode"]) == ("PO-9", "Draft")
    assert made["OrderReferenceNumber"] == told["results"][0]["marker"]
    bought = {item["Product2Id"]: item["Quantity"] for item in made["OrderItems"]["records"]}
    assert bought == {line.product_id: float(line.quantity) for line in lines.lines if line.is_product}
    assert await shop.cart_status(cart) == "Closed"


async def test_the_old_path_orders_once_without_a_key(shop: PlacementShop) -> None:
    """Flaw 7: POST /salesforce_order has no key: the cart is, so that a retry is answered with the first order."""
    cart = await shop.fill()
    params = {"account_id": shop.world.accounts[ACCOUNT], "cart_id": cart}
    replies = await asyncio.gather(*(shop.ask("/salesforce_order", key=None, params=params) for _ in range(4)))
    assert {reply.status_code for reply in replies} <= {200, 201}, [reply.text for reply in replies]
    assert len({reply.json()["results"][0]["id"] for reply in replies}) == 1
    later = await shop.ask("/salesforce_order", key=None, params=params)
    assert (later.status_code, later.headers["Idempotency-Replayed"]) == (200, "true")
    assert len(await shop.orders()) == 1


async def test_flaw_7_lost_replies_and_failures_of_an_order_leave_one(shop: PlacementShop) -> None:
    """Flaw 7: the order's request is cut before and after its effect, or failed inside: one order each time."""
    wrong = []
    for fate in ({"cut": "before"}, {"cut": "after"}, {"status": 503, "effect": True}, {"status": 500}):
        await shop.fill()
        before = len(await shop.orders())
        shop.world.org.control.fault(method="POST", path="/commerce/sale/order$", times=1, **fate)
        reply = await shop.ask(_PLACE, json={"wait_seconds": 30})
        made = len(await shop.orders()) - before
        if (reply.status_code, made) != (201, 1):
            wrong.append((fate, reply.status_code, reply.text, made))
        shop.world.org.control.clear_faults()
    assert wrong == []


@pytest.mark.parametrize("settle_seconds", [60.0, 0.8])
async def test_a_sending_that_comes_too_late_is_withheld(idle_shop: PlacementShop, settle_seconds: float) -> None:
    """A worker kept from sending for longer than the settling time sends nothing: another one has gone on by then."""
    shop = idle_shop
    await shop.fill()
    # An ended session is answered late; then the client signs in again and would send the same order once more.
    shop.world.org.control.fault(
        method="POST",
        path="/commerce/sale/order$",
        times=1,
        status=401,
        errorCode="INVALID_SESSION_ID",
        delay_ms=1_600,
    )
    shop.start_worker(order_settle_seconds=settle_seconds)
    asked = asyncio.create_task(shop.ask(_PLACE, json={"wait_seconds": 30}))
    await shop.until_state("placing")
    shop.start_worker()
    assert (await asked).status_code == 201, (await asked).text
    await shop.until_all_is_carried()
    assert len(await shop.orders()) == 1


async def test_several_price_books_are_several_orders_all_or_none(shop: PlacementShop) -> None:
    """Flaw 7: when the second order is refused the first is taken back and the cart stays; then both are made."""
    cart = await shop.fill()
    own = await _second_book(shop)
    shop.world.org.control.fault(
        method="POST", path="/commerce/sale/order$", status=400, skip=1, times=1, errorCode="FIELD_INTEGRITY_EXCEPTION"
    )
    refused = await shop.ask(_PLACE, json={"wait_seconds": 30})
    assert (refused.status_code, refused.json()["code"]) == (422, "order.refused"), refused.text
    assert await shop.orders() == []
    assert await shop.cart_status(cart) == "Active"
    shop.world.org.control.clear_faults()
    reply = await shop.ask(_PLACE, json={"wait_seconds": 30})
    assert reply.status_code == 201, reply.text
    made = await shop.orders()
    assert len(made) == 2
    assert own in {one["Pricebook2Id"] for one in made}
    marker = made[0]["OrderReferenceNumber"][:-2]
    assert {one["OrderReferenceNumber"] for one in made} == {f"{marker}-1", f"{marker}-2"}
    assert len(reply.json()["results"]) == 2


async def test_history_shows_own_orders_and_with_leave_those_of_colleagues(shop: PlacementShop) -> None:
    """Flaw 21: a buyer sees one's own with items and, asked for, the account's; another organization sees none."""
    await shop.fill()
    mine = (await shop.ask(_PLACE, json={"po_number": "MINE"})).json()["results"][0]["id"]
    own = await _list(shop)
    assert mine in [one["Id"] for one in own["records"]]
    first = next(one for one in own["records"] if one["Id"] == mine)
    assert first["OrderItems"]["records"][0]["Product2"]["Name"]
    theirs = await _list(shop, "approver")
    assert mine not in [one["Id"] for one in theirs["records"]]
    shared = await _list(shop, "approver", colleagues=True)
    assert mine in [one["Id"] for one in shared["records"]]
    account = {"account_id": shop.world.accounts[ACCOUNT]}
    foreign = await shop.world.ask("lyon", "GET", "/salesforce_orders/me", params=account)
    assert (foreign.status_code, foreign.json()["code"]) == (403, "account.not_granted")
    one = await shop.world.ask("kiel", "GET", f"/salesforce_orders/me/{mine}", params=account)
    assert (one.status_code, one.json()["PoNumber"]) == (200, "MINE")
    hidden = await shop.world.ask(
        "lyon",
        "GET",
        f"/salesforce_orders/me/{mine}",
        params={"account_id": shop.world.accounts["ACC-210"], "colleagues": True},
    )
    assert (hidden.status_code, hidden.json()["code"]) == (404, "order.not_found")


async def test_history_is_filtered_and_goes_on_by_cursor(shop: PlacementShop) -> None:
    """Pages hold every order once, newest first; a cursor is its caller's and its list's own; filters narrow."""
    everything = await _list(shop, colleagues=True, limit=200)
    ids = [one["Id"] for one in everything["records"]]
    assert len(ids) > 2, "the seed has orders"
    found: list[str] = []
    cursor = None
    while True:
        page = await _list(shop, colleagues=True, limit=2, **({"cursor": cursor} if cursor else {}))
        found += [one["Id"] for one in page["records"]]
        cursor = page["next_cursor"]
        assert page["done"] is (cursor is None)
        if cursor is None:
            break
        kept = cursor
    assert found == ids
    account = {"account_id": shop.world.accounts[ACCOUNT]}
    for name, params in (("kiel", {"status": "Draft"}), ("approver", {})):
        query = {**account, "colleagues": True, "limit": 2, "cursor": kept, **params}
        reply = await shop.world.ask(name, "GET", "/salesforce_orders/me", params=query)
        assert (reply.status_code, reply.json()["code"]) == (400, "request.invalid")
    status = everything["records"][0]["Status"]
    same = await _list(shop, colleagues=True, limit=200, status=status)
    assert [one["Id"] for one in same["records"]] == [
        one["Id"] for one in everything["records"] if one["Status"] == status
    ]
    assert (await _list(shop, colleagues=True, since="2999-01-01"))["records"] == []
    assert (await _list(shop, colleagues=True, po_number="' OR Name != '"))["records"] == []


async def test_history_is_filtered_by_the_machine_of_a_line(shop: PlacementShop) -> None:
    """Where lines name machines, only orders with a line of this one come; what is no machine's id is refused."""
    world, account = shop.world, shop.world.accounts[ACCOUNT]

    def mark() -> tuple[str, str]:
        world.org.control.make_field("OrderItem", "Asset__c", type="reference", referenceTo="Asset")
        (asset,) = world.soql(f"SELECT Id FROM Asset WHERE AccountId = '{account}' LIMIT 1")
        line = world.soql(f"SELECT Id, OrderId FROM OrderItem WHERE Order.AccountId = '{account}' LIMIT 1")[0]
        world.change("PATCH", f"/sobjects/OrderItem/{line['Id']}", {"Asset__c": asset["Id"]})
        return asset["Id"], line["OrderId"]

    asset, marked = await asyncio.to_thread(mark)
    assert len((await _list(shop, colleagues=True))["records"]) > 1
    found = await _list(shop, colleagues=True, machine=asset)
    assert [one["Id"] for one in found["records"]] == [marked]
    params = {"account_id": account, "machine": account}
    odd = await world.ask("kiel", "GET", "/salesforce_orders/me", params=params)
    assert (odd.status_code, odd.json()["code"]) == (400, "request.invalid")


async def test_a_machine_is_no_filter_where_lines_name_none(shop: PlacementShop) -> None:
    """It is said instead of answering with nothing, or with everything."""
    params = {"account_id": shop.world.accounts[ACCOUNT], "machine": "02iOb000000000A"}
    reply = await shop.world.ask("kiel", "GET", "/salesforce_orders/me", params=params)
    assert (reply.status_code, reply.json()["code"]) == (400, "order.no_machine_field")


async def test_an_order_is_put_into_the_cart_again(shop: PlacementShop) -> None:
    """Through the store where it keeps a summary, line by line where it does not; what is not taken is named."""
    await shop.fill()
    checkout = (await shop.ask()).json()["order_id"]
    await shop.fill()
    sale = (await shop.ask(_PLACE)).json()["results"][0]["id"]
    account = {"account_id": shop.world.accounts[ACCOUNT]}
    for order in (checkout, sale):
        reply = await shop.world.ask("kiel", "POST", f"/salesforce_orders/{order}/reorder", params=account)
        assert reply.status_code == 200, reply.text
        told = reply.json()
        assert told["added"] == 2, told
        assert told["cart_id"].startswith("0a6")


async def test_a_reorder_of_anothers_order_is_no_order(shop: PlacementShop) -> None:
    """Flaw 3: the order must be one that the caller may see."""
    await shop.fill()
    order = (await shop.ask()).json()["order_id"]
    params = {"account_id": shop.world.accounts["ACC-210"]}
    reply = await shop.world.ask("lyon", "POST", f"/salesforce_orders/{order}/reorder", params=params)
    assert (reply.status_code, reply.json()["code"]) == (404, "order.not_found")
    assert str(uuid4()) not in reply.text
