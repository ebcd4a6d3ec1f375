"""Buyers with carts of their own, for tests of carts: the service on a port over an org with the commerce seed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from orgbridge.wiring.hosting import OrgHost
from tests.support.commerce_world import CommerceWorld, commerce_world

KIEL, BREMEN, LYON = "ACC-110", "ACC-120", "ACC-210"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(commerce_host: OrgHost, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[CommerceWorld]:
    """Give a world whose carts each test begins anew."""
    async with commerce_world(
        commerce_host, tmp_path_factory.mktemp("carts"), over_socket=True, orgbridge_cart_seconds=4.0
    ) as world:
        yield world


class Buyer:
    """One person with the cart of one account."""

    def __init__(self, world: CommerceWorld, name: str, account: str) -> None:
        self.world = world
        self.name = name
        self.account_id = world.accounts[account]

    async def ask(self, method: str, path: str = "", **more: Any) -> httpx2.Response:
        """Make a call below `/carts/me`."""
        params = {"account_id": self.account_id, **more.pop("params", {})}
        return await self.world.ask(self.name, method, f"/carts/me{path}", params=params, **more)

    async def add(self, sku: str, quantity: float | str = 1, **more: Any) -> httpx2.Response:
        """Put a product into the cart."""
        product = self.world.soql(f"SELECT Id FROM Product2 WHERE StockKeepingUnit = '{sku}'")[0]["Id"]
        headers = more.pop("headers", {})
        return await self.ask(
            "POST", "/products", json={"productId": product, "quantity": quantity, **more}, headers=headers
        )

    async def batch(self, text: str, **params: Any) -> dict[str, Any]:
        """Send a CSV and return the reply."""
        reply = await self.ask(
            "POST", "/products/batch", content=text.encode(), headers={"Content-Type": "text/csv"}, params=params
        )
        assert reply.status_code == 200, reply.text
        return dict(reply.json())

    async def quantities(self) -> dict[str, str]:
        """Return what the cart holds, by SKU."""
        reply = await self.ask("GET", "/products")
        assert reply.status_code == 200, reply.text
        lines = [one["cartItem"] for one in reply.json()["cartItems"]]
        return {line["productDetails"]["sku"]: line["quantity"] for line in lines if line["type"] == "Product"}


@pytest_asyncio.fixture(loop_scope="module")
async def kiel(world: CommerceWorld) -> AsyncIterator[Buyer]:
    """Give the buyer of the works in Kiel, without a cart and without trouble in the org."""
    world.org.control.clear_faults()
    buyer = Buyer(world, "kiel", KIEL)
    assert (await buyer.ask("DELETE")).status_code in (204, 404)
    world.org.control.clear_requests()
    yield buyer
    world.org.control.clear_faults()
