"""A buyer's shop for tests of ordering: the commerce world, and a worker of placements without its durable engine.

The worker is a task that carries placements on as a real one does, act by act; a test may stop it anywhere and start
another one. What survives a real kill is proven with processes, in `tests/chaos/test_orders.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

from orgbridge.client import Store, StoreContext
from orgbridge.client.commerce.cart_values import NewLine
from orgbridge.engine.config import WorkerConfig
from orgbridge.engine.orders.late_looks import LateLooks
from orgbridge.engine.orders.progress import Progress
from orgbridge.engine.places import LoadTraces
from orgbridge.engine.resources import Resources
from orgbridge.wiring.hosting import OrgHost
from orgbridge.wiring.house import House, build_house
from orgbridge.wiring.worker import worker_config
from tests.support.commerce_world import CommerceWorld, commerce_world

#: Who buys, for which account, in which store.
BUYER, ACCOUNT, STORE = "kiel", "ACC-110", "Machine Parts EU"


@dataclass(kw_only=True)
class PlacementShop:
    """A running shop."""

    world: CommerceWorld
    house: House
    config: WorkerConfig
    #: Id of the store.
    webstore_id: str
    _workers: list[asyncio.Task[None]] = field(default_factory=list)
    _seeded: set[str] = field(default_factory=set)
    _carried: list[asyncio.Task[None]] = field(default_factory=list)

    async def store(self, name: str = BUYER, account: str = ACCOUNT) -> Store:
        """Return the store as a buyer."""
        caller = await self.world.caller(name)
        salesforce = await self.house.orgs.buyer(caller.sf_username)
        return salesforce.commerce.store(
            StoreContext(webstore_id=self.webstore_id, account_id=self.world.accounts[account])
        )

    async def fill(
        self, name: str = BUYER, account: str = ACCOUNT, skus: tuple[str, ...] = ("MP-0001", "MP-0002")
    ) -> str:
        """Put products into a buyer's cart and return its id."""
        names = ", ".join(f"'{sku}'" for sku in skus)
        rows = await asyncio.to_thread(
            self.world.soql, f"SELECT Id FROM Product2 WHERE StockKeepingUnit IN ({names}) ORDER BY StockKeepingUnit"
        )
        store = await self.store(name, account)
        cart = await store.carts.ensure()
        lines = [NewLine(product_id=row["Id"], quantity=Decimal(2 + place)) for place, row in enumerate(rows)]
        for outcome in await store.carts.add_many(cart.cart_id, lines):
            assert outcome.succeeded, outcome
        return cart.cart_id

    async def ask(
        self, path: str = "/carts/me/checkout", *, name: str = BUYER, key: str | None = "", **more: Any
    ) -> Any:
        """Ask for an order as a buyer; a fresh key unless one is given, none for None."""
        headers = {} if key is None else {"Idempotency-Key": key or str(uuid4())}
        more.setdefault("params", {"account_id": self.world.accounts[ACCOUNT]})
        if "json" not in more and path != "/salesforce_order":
            more["json"] = {"po_number": "PO-1"}
        return await self.world.ask(name, "POST", path, headers=headers, **more)

    async def orders(self) -> list[dict[str, Any]]:
        """Return all orders of the org that the seed did not make, the oldest first."""
        soql = (
            "SELECT Id, Status, StatusCode, AccountId, PoNumber, OrderReferenceNumber, Pricebook2Id, TotalAmount, "
            "(SELECT Id, Quantity, UnitPrice, Product2Id FROM OrderItems) FROM Order "
            f"WHERE SalesStoreId = '{self.webstore_id}' AND OrderReferenceNumber != null ORDER BY CreatedDate"
        )
        rows = await asyncio.to_thread(self.world.soql, soql)
        return [row for row in rows if row["Id"] not in self._seeded]

    async def remember_seed(self) -> None:
        """Leave the orders that are there now out of `orders`."""
        self._seeded |= {row["Id"] for row in await self.orders()}

    async def cart_status(self, cart_id: str) -> str:
        """Return a cart's status as the org's administrator sees it."""
        rows = await asyncio.to_thread(self.world.soql, f"SELECT Status FROM WebCart WHERE Id = '{cart_id}'")
        return str(rows[0]["Status"])

    def start_worker(self, **changes: Any) -> asyncio.Task[None]:
        """Start a worker of placements, configured otherwise in some points."""
        task = asyncio.create_task(self._work(replace(self.config, **changes)))
        self._workers.append(task)
        return task

    async def stop_worker(self, task: asyncio.Task[None]) -> None:
        """Stop a worker wherever it is."""
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    async def stop_workers(self) -> None:
        """Stop all workers."""
        for task in self._workers:
            await self.stop_worker(task)

    async def until_state(self, state: str, name: str = BUYER) -> str:
        """Wait until a buyer's newest checkout is in a state, and return its id."""
        async with asyncio.timeout(20):
            while True:
                listed = (await self.world.ask(name, "GET", "/carts/me/checkouts")).json()["checkouts"]
                if listed and listed[0]["state"] == state:
                    return str(listed[0]["id"])
                await asyncio.sleep(0.01)

    async def until_all_is_carried(self) -> None:
        """Wait until every worker has seen every placement end."""
        async with asyncio.timeout(20):
            await asyncio.gather(*self._carried)

    async def _work(self, config: WorkerConfig) -> None:
        house = self.house
        with ThreadPoolExecutor(1) as pool:
            resources = Resources(
                config=config,
                database=house.database,
                files=house.files,
                orgs=house.orgs,
                clock=house.clock,
                matchers=pool,
                splitters=pool,
                traces=LoadTraces(house.database),
            )
            progress, known = Progress(resources), dict[str, asyncio.Task[None]]()
            late_looks = LateLooks(resources)
            try:
                while True:
                    async with house.database.unit(write=False) as unit:
                        found = [one for one in await unit.placements.undispatched(50) if not one.state.ended]
                    for one in found:
                        if one.id not in known:
                            known[one.id] = asyncio.create_task(_carry(progress, one.id))
                            self._carried.append(known[one.id])
                    for task in known.values():
                        if task.done():
                            task.result()
                    await late_looks.look_at_due()
                    await asyncio.sleep(0.02)
            finally:
                for task in known.values():
                    task.cancel()
                await asyncio.gather(*known.values(), return_exceptions=True)


async def _carry(progress: Progress, placement_id: str) -> None:
    while not (await progress.advance(placement_id)).ended:
        continue


@asynccontextmanager
async def placement_shop(
    host: OrgHost, folder: Path, *, working: bool = True, **settings: Any
) -> AsyncIterator[PlacementShop]:
    """Run a shop over a fresh org with the commerce seed.

    Args:
        host: Where the org runs.
        folder: For the service's data.
        working: Whether a worker runs from the start.
        **settings: Further settings of the service.
    """
    async with commerce_world(host, folder, **settings) as world:
        rows = await asyncio.to_thread(world.soql, f"SELECT Id FROM WebStore WHERE Name = '{STORE}'")
        house = build_house(world.settings)
        config = replace(
            worker_config(world.settings),
            checkout_poll_seconds=0.01,
            longest_checkout_poll_seconds=0.1,
            checkout_retry_seconds=0.02,
            order_settle_seconds=0.8,
            order_find_seconds=0.8,
        )
        shop = PlacementShop(world=world, house=house, config=config, webstore_id=rows[0]["Id"])
        try:
            await shop.remember_seed()
            if working:
                shop.start_worker()
            yield shop
        finally:
            await shop.stop_workers()
            await house.close()
