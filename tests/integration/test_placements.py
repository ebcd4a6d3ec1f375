"""Carts ordered through the service against the emulated org: both ways, their refusals, their repetitions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from orgbridge.wiring.hosting import OrgHost
from tests.support.commerce_world import commerce_host
from tests.support.placement_shop import PlacementShop, placement_shop

__all__ = ["commerce_host"]


@pytest.fixture
async def shop(commerce_host: OrgHost, tmp_path: Path) -> AsyncIterator[PlacementShop]:
    """Give a shop with a worker."""
    async with placement_shop(commerce_host, tmp_path) as shop:
        yield shop


async def test_a_cart_becomes_one_order_through_a_checkout(shop: PlacementShop) -> None:
    """One call takes the cart to a placed order, with its items, its purchase order's number, and the cart closed."""
    cart = await shop.fill()
    before = await shop.orders()
    reply = await shop.ask(json={"po_number": "PO-77"})
    assert reply.status_code == 201, reply.text
    told = reply.json()
    made = [one for one in await shop.orders() if one not in before]
    assert [one["Id"] for one in made] == [told["order_id"]]
    assert told["order_reference_number"] == made[0]["OrderReferenceNumber"]
    assert made[0]["PoNumber"] == "PO-77"
    assert made[0]["OrderItems"]["totalSize"] >= 2
    assert (told["state"], told["cart_id"]) == ("placed", cart)
    assert reply.headers["Location"].endswith(told["id"])
    assert await shop.cart_status(cart) in ("PendingClosed", "Closed")
