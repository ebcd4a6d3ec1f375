"""What comes into a cart at once: quick orders, coupons, the cart of a guest, another cart, an order."""

from __future__ import annotations

import asyncio

import pytest

from tests.integration.test_api_contract import check_problem
from tests.support.cart_buyers import KIEL, LYON, Buyer, kiel, world
from tests.support.commerce_world import CommerceWorld

__all__ = ["kiel", "world"]
pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_every_line_of_a_quick_order_is_accounted_for(kiel: Buyer) -> None:
    """Good, merged, unknown, foreign, off-rule and senseless lines are each told; the good ones are in the cart."""
    text = "SKU;Qty;Note\nMP-0001;2;shelf\nMP-0001;3;\nMP-9999;1;\nMP-1900;1;\nMP-0010;7;\nMP-0002;x;\n"
    done = await kiel.batch(text)
    outcomes = [one["outcome"] for one in done["results"]]
    assert outcomes[:3] == ["added", "merged", "unknown"]
    assert outcomes[3] in ("unknown", "not_entitled")
    assert outcomes[4:] == ["below_minimum", "invalid"]
    assert (done["lines"], done["succeeded"], done["failed"]) == (6, 2, 4)
    assert done["results"][1]["merged_into"] == 1
    assert await kiel.quantities() == {"MP-0001": "5"}
    lines = (await kiel.ask("GET", "/products")).json()["cartItems"]
    assert lines[0]["cartItem"]["note"] == "shelf"


async def test_json_lines_may_name_products_by_id(kiel: Buyer) -> None:
    """By id or SKU, number or text, lines are the same; one that names no product is told, and the others go in."""
    product = kiel.world.soql("SELECT Id FROM Product2 WHERE StockKeepingUnit = 'MP-0007'")[0]["Id"]
    lines = [{"productId": product[:15], "quantity": 3}, {"sku": "MP-0008", "quantity": "2.0"}, {"quantity": 1}]
    reply = await kiel.ask("POST", "/products/batch", json={"lines": lines})
    assert reply.status_code == 200, reply.text
    results = reply.json()["results"]
    assert [one["outcome"] for one in results] == ["added", "added", "invalid"], results
    check_problem(await kiel.ask("POST", "/products/batch", json={"lines": []}), 422, "request.invalid")
    check_problem(await kiel.ask("POST", "/products/batch", content=b"\xff\xfe"), 422, "request.invalid")


async def test_a_dry_run_sends_nothing(kiel: Buyer) -> None:
    """Checked and told, and no cart is begun for it."""
    done = await kiel.batch("MP-0001,2\nMP-0010,7\n", dry_run="true")
    assert [one["outcome"] for one in done["results"]] == ["added", "below_minimum"]
    assert done["cart"]["cartId"] is None
    assert (await kiel.ask("GET")).json()["cartId"] is None


async def test_a_refusal_in_the_middle_of_a_quick_order_does_not_hide_what_got_in(kiel: Buyer) -> None:
    """The first hundred are in the cart, the others are told as refused or not sent."""
    kiel.world.org.control.fault(
        method="POST", path="/cart-items/batch$", status=400, errorCode="MAX_LIMIT_EXCEEDED", skip=1, times=1
    )
    done = await kiel.batch("".join(f"MP-{number:04d},1\n" for number in range(300, 420)))
    assert (done["succeeded"], done["failed"]) == (100, 20)
    assert {one["outcome"] for one in done["results"][100:]} == {"refused"}
    assert done["results"][100]["upstream_code"] == "MAX_LIMIT_EXCEEDED"
    assert len(await kiel.quantities()) == 100


async def test_a_line_is_for_a_machine_of_the_account(world: CommerceWorld, kiel: Buyer) -> None:
    """An Asset of the account stays with its line; one of another account is not there, and one line is for one."""
    asset = "SELECT Id FROM Asset WHERE Account.External_Id__c = '{}' LIMIT 1"
    mine, theirs = (world.soql(asset.format(key))[0]["Id"] for key in (KIEL, LYON))
    line = (await kiel.add("MP-0001", 1, machine_id=mine, note="left drum")).json()
    assert (line["machine_id"], line["note"]) == (mine, "left drum")
    listed = (await kiel.ask("GET", "/products")).json()["cartItems"][0]["cartItem"]
    assert (listed["machine_id"], listed["note"]) == (mine, "left drum")
    check_problem(await kiel.add("MP-0002", 1, machine_id=theirs), 404, "cart.machine_unknown")
    check_problem(await kiel.add("MP-0001", 1), 409, "cart.other_machine")


async def test_coupons_come_and_go(kiel: Buyer) -> None:
    """A coupon lowers the total, cannot be put on twice, and is taken off by its code."""
    await kiel.add("MP-0001", 10)
    whole = float((await kiel.ask("GET")).json()["grandTotalAmount"])
    put = await kiel.ask("POST", "/coupons", json={"couponCode": "SAVE10"})
    assert put.status_code == 200, put.text
    assert [one["couponCode"] for one in put.json()["cartCoupons"]] == ["SAVE10"]
    assert float((await kiel.ask("GET")).json()["grandTotalAmount"]) < whole
    assert (await kiel.ask("POST", "/coupons", json={"couponCode": "SAVE10"})).status_code in (400, 409)
    assert (await kiel.ask("POST", "/coupons", json={"couponCode": "NOSUCH"})).status_code in (400, 404)
    assert (await kiel.ask("DELETE", "/coupons/save10")).status_code == 204
    assert float((await kiel.ask("GET")).json()["grandTotalAmount"]) == whole
    check_problem(await kiel.ask("DELETE", "/coupons/SAVE10"), 404, "cart.line_not_found")


@pytest.mark.parametrize(("merging", "expected"), [("add", "5"), ("larger", "3"), ("keep", "2")])
async def test_a_guests_cart_is_merged(kiel: Buyer, merging: str, expected: str) -> None:
    """What was in the cart before signing in is added up, or the larger counts, or what is there stays."""
    line = (await kiel.add("MP-0001", 2)).json()
    lines = [{"sku": "MP-0001", "quantity": 3}, {"sku": "MP-0002", "quantity": 1}]
    merged = await kiel.ask("POST", "/merge", json={"lines": lines, "merging": merging})
    assert merged.status_code == 200, merged.text
    assert merged.json()["cart"]["cartId"] == line["cartId"]
    assert await kiel.quantities() == {"MP-0001": expected, "MP-0002": "1"}


async def test_a_cart_is_copied(kiel: Buyer) -> None:
    """The copy is a further cart with the same lines; the first one stays the current one."""
    first = (await kiel.add("MP-0001", 2)).json()["cartId"]
    await kiel.add("MP-0002", 1)
    copied = await kiel.ask("POST", "/clone", json={"name": "Every month"})
    assert copied.status_code == 200, copied.text
    body = copied.json()
    assert [one["outcome"] for one in body["results"]] == ["added", "added"]
    assert body["cart"]["cartId"] != first
    assert (body["cart"]["isSecondary"], body["cart"]["name"]) == (True, "Every month")
    assert (await kiel.ask("GET")).json()["cartId"] == first


async def test_an_order_is_ordered_again(world: CommerceWorld, kiel: Buyer) -> None:
    """The products of an order of the account come into the cart; another account's order is not there."""
    find = "SELECT Id FROM Order WHERE Account.External_Id__c = '{}' LIMIT 1"
    mine, theirs = (world.soql(find.format(key))[0]["Id"] for key in (KIEL, LYON))
    again = await kiel.ask("POST", "/reorder", json={"order_id": mine})
    assert again.status_code == 200, again.text
    body = again.json()
    assert body["lines"] == body["succeeded"] + body["failed"] > 0
    assert len(await kiel.quantities()) >= 1
    check_problem(await kiel.ask("POST", "/reorder", json={"order_id": theirs}), 404, "cart.order_not_found")


async def _guest_cart(kiel: Buyer, **quantities: float) -> str:
    """Make a cart of the store that is nobody's, as one is that somebody filled without signing in."""
    for sku, quantity in quantities.items():
        assert (await kiel.add(sku.replace("_", "-"), quantity)).status_code == 200
    cart_id = str((await kiel.ask("GET")).json()["cartId"])
    await asyncio.to_thread(kiel.world.change, "PATCH", f"/sobjects/WebCart/{cart_id}", {"AccountId": None})
    return cart_id


@pytest.mark.parametrize(("merging", "expected"), [("add", "5"), ("larger", "3"), ("keep", "2")])
async def test_a_guests_cart_of_the_store_is_taken_over(kiel: Buyer, merging: str, expected: str) -> None:
    """Salesforce makes a new cart of it; what lay in the buyer's is there too, with its coupon; old ids are gone."""
    guest = await _guest_cart(kiel, MP_0001=3, MP_0003=1)
    own = (await kiel.add("MP-0001", 2)).json()["cartId"]
    await kiel.add("MP-0002", 4)
    assert (await kiel.ask("POST", "/coupons", json={"couponCode": "SAVE10"})).status_code == 200
    merged = await kiel.ask("POST", "/merge", json={"guest_cart_id": guest, "merging": merging})
    assert merged.status_code == 200, merged.text
    told = merged.json()
    assert told["cart"]["cartId"] not in (guest, own)
    assert (told["failed"], told["coupons_not_taken"]) == (0, [])
    assert await kiel.quantities() == {"MP-0001": expected, "MP-0002": "4", "MP-0003": "1"}
    seen = (await kiel.ask("GET", "/products")).json()
    assert [one["couponCode"] for one in seen["cartCoupons"]] == ["SAVE10"]
    assert float(told["cart"]["totalPromotionalAdjustmentAmount"]) < 0
    left = await asyncio.to_thread(kiel.world.soql, f"SELECT Id FROM WebCart WHERE Id IN ('{guest}', '{own}')")
    assert left == []
    again = await kiel.ask("POST", "/merge", json={"guest_cart_id": guest})
    check_problem(again, 404, "cart.guest_not_found")
    assert await kiel.quantities() == {"MP-0001": expected, "MP-0002": "4", "MP-0003": "1"}


async def test_a_line_that_does_not_get_in_keeps_the_old_cart(kiel: Buyer) -> None:
    """The product is sold no longer: it is told, the rest is in the new cart, and the old one stays with that line."""
    guest = await _guest_cart(kiel, MP_0001=1)
    own = (await kiel.add("MP-0004", 2)).json()["cartId"]
    (product,) = await asyncio.to_thread(kiel.world.soql, "SELECT Id FROM Product2 WHERE StockKeepingUnit = 'MP-0004'")
    path = f"/sobjects/Product2/{product['Id']}"
    await asyncio.to_thread(kiel.world.change, "PATCH", path, {"IsActive": False})
    try:
        told = (await kiel.ask("POST", "/merge", json={"guest_cart_id": guest})).json()
    finally:
        await asyncio.to_thread(kiel.world.change, "PATCH", path, {"IsActive": True})
    assert (told["failed"], told["results"][0]["success"]) == (1, False)
    assert await kiel.quantities() == {"MP-0001": "1"}
    (left,) = await asyncio.to_thread(kiel.world.soql, f"SELECT IsSecondary FROM WebCart WHERE Id = '{own}'")
    assert left["IsSecondary"] is True


@pytest.mark.parametrize("cut", ["before", "after"])
async def test_a_lost_reply_takes_a_guests_cart_over_once(kiel: Buyer, cut: str) -> None:
    """The call is cut before or after its effect: one new cart comes of it, with the lines of both."""
    guest = await _guest_cart(kiel, MP_0001=3)
    await kiel.add("MP-0002", 1)
    kiel.world.org.control.fault(method="POST", path="/actions/preserve", cut=cut, times=1)
    merged = await kiel.ask("POST", "/merge", json={"guest_cart_id": guest})
    assert merged.status_code == 200, merged.text
    assert await kiel.quantities() == {"MP-0001": "3", "MP-0002": "1"}


async def test_another_buyers_cart_is_no_guests(world: CommerceWorld, kiel: Buyer) -> None:
    """A cart that belongs to an account cannot be taken over by its id."""
    bremen = Buyer(world, "bremen", "ACC-120")
    theirs = (await bremen.add("MP-0001", 1)).json()["cartId"]
    check_problem(await kiel.ask("POST", "/merge", json={"guest_cart_id": theirs}), 404, "cart.guest_not_found")
    assert await bremen.quantities() == {"MP-0001": "1"}
    assert (await bremen.ask("DELETE")).status_code == 204
