"""Carts of buyers end to end: the service over the emulated org with the commerce seed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from orgbridge.wiring.hosting import OrgHost
from tests.support.commerce_world import CommerceWorld, commerce_world


@pytest.fixture(scope="module")
def commerce_host() -> Iterator[OrgHost]:
    """Give a host of orgs."""
    with OrgHost() as host:
        yield host


@pytest.fixture
async def world(commerce_host: OrgHost, tmp_path: Path) -> AsyncIterator[CommerceWorld]:
    """A service over a fresh org."""
    async with commerce_world(commerce_host, tmp_path) as world:
        yield world


async def test_a_cart_from_nothing_to_a_line_with_a_price(world: CommerceWorld) -> None:
    """A buyer without a cart sees an empty one, adds a product, and sees the line with the account's price."""
    account = world.accounts["ACC-110"]
    where = {"params": {"account_id": account}}
    empty = await world.ask("kiel", "GET", "/carts/me", **where)
    assert empty.status_code == 200, empty.text
    assert empty.json()["cartId"] is None
    product = world.soql("SELECT Id FROM Product2 WHERE StockKeepingUnit = 'MP-0001'")[0]["Id"]
    added = await world.ask("kiel", "POST", "/carts/me/products", json={"productId": product, "quantity": 2}, **where)
    assert added.status_code == 200, added.text
    line = added.json()
    print(line)
    lines = await world.ask("kiel", "GET", "/carts/me/products", **where)
    print(lines.text)
    assert lines.status_code == 200
