"""Carts when Salesforce is slow, refuses, or its reply is lost; and the mirror, which says what Salesforce says."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from orgbridge.services.commerce.cart_mirror import CartMirror, MirrorSweep
from orgbridge.wiring.hosting import OrgHost
from tests.integration.test_api_contract import check_problem
from tests.support.cart_buyers import BREMEN, KIEL, Buyer, kiel, world
from tests.support.commerce_world import CommerceWorld, commerce_world

__all__ = ["kiel", "world"]
pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_totals_settle_behind_one_call(kiel: Buyer) -> None:
    """While the cart is computed Salesforce answers 202 and 422; the caller is answered once, with prices."""
    kiel.world.org.control.fault("commerce", trouble="recalculating", times=2)
    line = (await kiel.add("MP-0003", 2)).json()
    assert (line["pricing_pending"], line["cartItemId"] is not None) == (False, True)
    assert float(line["totalPrice"]) > 0


async def test_prices_that_do_not_come_are_pending_and_never_zero(
    commerce_host: OrgHost, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A calculation without end is answered 202 with Retry-After, `pricing_pending` and null amounts."""
    folder = tmp_path_factory.mktemp("pending")
    async with commerce_world(commerce_host, folder, orgbridge_cart_seconds=0.3) as world:
        kiel = Buyer(world, "kiel", KIEL)
        world.org.control.fault("commerce", trouble="endless", times=100)
        added = await kiel.add("MP-0003", 2)
        assert (added.status_code, added.headers["Retry-After"]) == (202, "2"), added.text
        cart = await kiel.ask("GET")
        assert (cart.status_code, cart.json()["pricing_pending"]) == (202, True)
        told = {**added.json(), **cart.json()}
        amounts = [value for key, value in told.items() if "Amount" in key or "Price" in key or key == "totalTax"]
        assert len(amounts) > 8
        assert amounts == [None] * len(amounts)


@pytest.mark.parametrize("cut", ["before", "after"])
async def test_a_lost_reply_to_an_addition_adds_once(kiel: Buyer, cut: str) -> None:
    """Whether the call or only its reply was lost, the product is in the cart once, and the caller is told so."""
    await kiel.add("MP-0004", 1)
    kiel.world.org.control.fault(method="POST", path="/cart-items$", cut=cut)
    line = await kiel.add("MP-0004", 2)
    assert line.status_code == 200, line.text
    assert await kiel.quantities() == {"MP-0004": "3"}


@pytest.mark.parametrize("cut", ["before", "after"])
async def test_a_lost_reply_to_a_quick_order_adds_each_line_once(kiel: Buyer, cut: str) -> None:
    """The lines of a batch whose reply was lost are looked for before any is sent again."""
    kiel.world.org.control.fault(method="POST", path="/cart-items/batch$", cut=cut)
    done = await kiel.batch("MP-0004,2\nMP-0005,1\n")
    assert [one["outcome"] for one in done["results"]] == ["added", "added"], done
    assert await kiel.quantities() == {"MP-0004": "2", "MP-0005": "1"}


async def test_what_nobody_can_tell_is_told_as_that(kiel: Buyer) -> None:
    """When the reply is lost and the cart cannot be looked at, the caller learns that the outcome is unknown."""
    await kiel.add("MP-0004", 1)
    kiel.world.org.control.fault(method="POST", path="/cart-items$", cut="after")
    blind: dict[str, Any] = {
        "method": "GET",
        "path": "/carts/0a6[^/]*/cart-items",
        "status": 403,
        "errorCode": "INSUFFICIENT_ACCESS",
    }
    kiel.world.org.control.fault(**blind, times=50)
    check_problem(await kiel.add("MP-0004", 2), 502, "salesforce.outcome_unknown")


async def test_the_same_key_adds_once(kiel: Buyer) -> None:
    """A call repeated under its Idempotency-Key is answered from what is kept."""
    key = {"Idempotency-Key": "add-one-seal-kit-0001"}
    first = await kiel.add("MP-0006", 2, headers=key)
    again = await kiel.add("MP-0006", 2, headers=key)
    assert (first.status_code, again.status_code, again.json()) == (200, 200, first.json())
    assert await kiel.quantities() == {"MP-0006": "2"}


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ({"status": 403, "errorCode": "INSUFFICIENT_ACCESS"}, 403, "commerce.not_entitled"),
        ({"status": 404, "errorCode": "WEBSTORE_NOT_FOUND"}, 404, "commerce.not_found"),
        ({"status": 409, "errorCode": "CHECKOUT_CONFLICT"}, 409, "commerce.checkout_conflict"),
        ({"status": 400, "errorCode": "MAX_LIMIT_EXCEEDED"}, 422, "commerce.cart_limit"),
        ({"status": 400, "errorCode": "INVALID_API_INPUT"}, 400, "commerce.refused"),
        ({"status": 403, "errorCode": "REQUEST_LIMIT_EXCEEDED"}, 503, "commerce.upstream_busy"),
        ({"status": 503, "errorCode": "SERVER_UNAVAILABLE", "retry_after": "60"}, 503, "commerce.upstream_busy"),
        ({"status": 401, "errorCode": "INVALID_SESSION_ID"}, 502, "commerce.upstream_auth"),
    ],
)
async def test_flaw_14_salesforces_refusals_are_told_by_the_contract(
    kiel: Buyer, fault: dict[str, Any], status: int, code: str
) -> None:
    """Each refusal has our status and code, Salesforce's words beside it, and never passes for the caller's own 401."""
    await kiel.add("MP-0001")
    kiel.world.org.control.fault(path="/cart-items", method="GET", times=50, message="as a test wants it", **fault)
    reply = await kiel.ask("GET")
    problem = check_problem(reply, status, code)
    assert problem["upstream"][0]["errorCode"] == fault["errorCode"]
    assert problem["request_id"]
    assert ("Retry-After" in reply.headers) == (status == 503)


async def test_a_conflict_is_read_and_repeated(kiel: Buyer) -> None:
    """A change that met another one is made again after looking, and succeeds."""
    line = (await kiel.add("MP-0001")).json()
    kiel.world.org.control.fault(method="PATCH", path="/cart-items/", status=409, errorCode="CHECKOUT_CONFLICT")
    kiel.world.org.control.clear_requests()
    assert (await kiel.ask("PUT", f"/products/{line['cartItemId']}", json={"quantity": 2})).status_code == 204
    made = [one["method"] for one in kiel.world.org.control.requests(path="/carts/")]
    assert made.index("PATCH") < len(made) - 1 - made[::-1].index("PATCH")
    assert await kiel.quantities() == {"MP-0001": "2"}


async def test_flaw_09_the_mirror_says_what_salesforce_says(world: CommerceWorld, kiel: Buyer) -> None:
    """Added twice, the mirror has Salesforce's own quantity under the line's id, and forgets a deleted cart."""
    await kiel.add("MP-0001", 2)
    cart_id = (await kiel.add("MP-0001", 3)).json()["cartId"]
    mirror = _mirror(world)
    known = await mirror.known(cart_id)
    assert known is not None
    assert [(line.sku, str(line.quantity.normalize())) for line in known.lines] == [("MP-0001", "5")]
    assert known.lines[0].item_id.startswith("0a9")
    await kiel.ask("DELETE")
    assert await mirror.known(cart_id) is None


async def test_the_sweep_mends_what_changed_behind_our_back(world: CommerceWorld, kiel: Buyer) -> None:
    """A quantity changed at Salesforce, and a cart deleted there, are found by the sweep."""
    line = (await kiel.add("MP-0001", 2)).json()
    bremen = Buyer(world, "bremen", BREMEN)
    gone = (await bremen.add("MP-0002", 1)).json()["cartId"]
    await asyncio.to_thread(world.change, "PATCH", f"/sobjects/CartItem/{line['cartItemId']}", {"Quantity": 9})
    await asyncio.to_thread(world.change, "DELETE", f"/sobjects/WebCart/{gone}")
    service = world.services.carts
    sweep = MirrorSweep(
        _database(world), service._orgs, world.services.carts._desks._clock, older_than=timedelta(seconds=-5)
    )
    assert await sweep.run() >= 2
    mirror = _mirror(world)
    known = await mirror.known(line["cartId"])
    assert known is not None
    assert [int(one.quantity) for one in known.lines] == [9]
    assert await mirror.known(gone) is None


async def test_what_is_kept_of_a_user_is_forgotten(world: CommerceWorld, kiel: Buyer) -> None:
    """The mirror of a user's carts goes when it is asked to, and Salesforce's cart stays."""
    cart_id = (await kiel.add("MP-0001", 2)).json()["cartId"]
    caller = await world.caller("kiel")
    assert await _mirror(world).forget(caller.user_id) >= 1
    assert await _mirror(world).known(cart_id) is None
    assert await kiel.quantities() == {"MP-0001": "2"}


def _mirror(world: CommerceWorld) -> CartMirror:
    return world.services.carts._desks.mirror


def _database(world: CommerceWorld) -> Any:
    return _mirror(world)._database
