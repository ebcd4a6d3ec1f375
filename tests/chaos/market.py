"""An org with the commerce seed, a service and a worker as processes, and a buyer who orders cart after cart."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
from cryptography.hazmat.primitives import serialization

from orgbridge.cli.demo.processes import clean_environment, free_port
from orgbridge.cli.service import sign_in
from orgbridge.client import ClientCredentials, JWTCredentials, Salesforce, Secret, StoreContext, TokenConfig
from orgbridge.client.commerce.cart_values import NewLine
from orgbridge.engine.worker import LEASE_LOST_EXIT
from orgbridge.kit import json
from orgbridge.kit.clock import SystemClock
from tests.chaos.locks import Tables
from tests.support.commerce_world import buyer_key
from tests.support.emulator_server import EmulatorServer
from tests.support.gates import Gate
from tests.support.processes import ForkedChild, answers, forked_to_end, salesforce_settings

_BUYER, _ACCOUNT, _STORE = "buyer.kiel@nordmuehle.example", "ACC-110", "Machine Parts EU"
#: How often the supervisor looks for workers that ended.
_LOOK_SECONDS = 0.2
_TIMEOUT = aiohttp.ClientTimeout(total=6)


class Market:
    """Three processes that die and come back. Service and workers reach the org through a gate of their own.

    Args:
        folder: Everything lies here.
        postgres: Connection string of an empty database; None for SQLite.
        workers: How many; SQLite carries one.
        settle_seconds: After how long what was sent and not answered is over.
        books: Price books that a cart is ordered from: one, or two.
        lease_seconds: How long a worker's lease lasts; None for as long as usual.
    """

    def __init__(
        self,
        folder: Path,
        *,
        postgres: str | None = None,
        workers: int = 1,
        settle_seconds: float = 1.5,
        books: int = 1,
        lease_seconds: float | None = None,
    ) -> None:
        key = serialization.load_pem_private_key(buyer_key().encode(), None)
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        public, private = folder / "buyers.pem", folder / "buyers.key"
        public.write_bytes(key.public_key().public_bytes(serialization.Encoding.PEM, form))
        private.write_text(buyer_key())
        self.folder, self.clock = folder, SystemClock()
        self.org = EmulatorServer(folder / "org.sqlite", seed="commerce", jwt_certificate=public)
        names = ["service", *(f"worker{number}" if number else "worker" for number in range(workers))]
        self.gates = {name: Gate(self.org.port, free_port()) for name in names}
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        (folder / "input").mkdir(exist_ok=True)
        self.children: dict[str, ForkedChild] = {}
        for name in names:
            self._settings = {
                **salesforce_settings(self.gates[name].url, folder),
                "ORGBRIDGE_SALESFORCE_JWT_KEY_PATH": str(private),
                "ORGBRIDGE_SALESFORCE_JWT_AUDIENCE": self.gates[name].url,
                "ORGBRIDGE_ORDER_SETTLE_SECONDS": str(settle_seconds),
                **({"PSQL_CONNECTION_STRING": postgres} if postgres else {}),
                **({"ORGBRIDGE_LEASE_SECONDS": str(lease_seconds)} if lease_seconds else {}),
            }
            arguments = ("serve", "--port", str(port)) if name == "service" else ("worker",)
            self.children[name] = ForkedChild(name, arguments, self._settings, folder)
        self.tables = Tables(folder / "data", postgres)
        self.account = self.store = self.organization = ""
        self.books = books
        self.products: list[str] = []
        self._token = ""
        #: Workers that gave their lease up and were started again, in turn.
        self.given_up: list[str] = []
        # Who was killed stays dead until it is revived, and is started by one of the two only.
        self._down: set[str] = set()
        self._hands = asyncio.Lock()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Market]:
        """Start everything; the tester is an administrator who buys as the buyer, for the account's organization."""
        token_url = f"{self.org.url}/services/oauth2/token"
        credentials = ClientCredentials(client_id="local-client", client_secret=Secret("local-secret"))
        buyer = JWTCredentials(
            client_id="local-client", username=_BUYER, private_key=Secret(buyer_key()), audience=self.org.url
        )
        self._admin = Salesforce(TokenConfig(credentials=credentials, token_url=token_url))
        self._buyer = Salesforce(TokenConfig(credentials=buyer, token_url=token_url))
        async with aiohttp.ClientSession(timeout=_TIMEOUT) as self._http:
            supervisor = asyncio.create_task(self._supervise())
            try:
                await self._start()
                yield self
            finally:
                supervisor.cancel()
                with suppress(asyncio.CancelledError):
                    await supervisor
                self.tables.let_go()
                await self._admin.close()
                await self._buyer.close()
                for child in self.children.values():
                    await child.kill()
                await asyncio.to_thread(self.org.kill)
                for gate in self.gates.values():
                    gate.shut()

    async def _supervise(self) -> None:
        """Start a worker again that gave its lease up, as whatever runs workers does: its exit status asks for it."""
        while True:
            await self.clock.sleep(_LOOK_SECONDS)
            for name, child in self.children.items():
                async with self._hands:
                    if name not in self._down and child.status == LEASE_LOST_EXIT:
                        self.given_up.append(name)
                        await child.start()

    async def _start(self) -> None:
        environment = clean_environment(self._settings)
        for gate in self.gates.values():
            await gate.open()
        starting = asyncio.create_task(asyncio.to_thread(self.org.start))
        await forked_to_end(("db", "upgrade"), environment, self.folder)
        created = ("users", "create", "tester", "--admin", "--json")
        made = json.loads(await forked_to_end(created, environment, self.folder))
        await starting
        for child in self.children.values():
            await child.start()
        for more in (("update", "tester", "--sf-username", _BUYER), ("grant", "tester", "--organization", "*")):
            await forked_to_end(("users", *more, "--json"), environment, self.folder)
        service = self.children["service"]
        await service.wait_until(lambda: answers(f"{self.url}/health/live"), self.clock)
        self._token = await sign_in(self.url, "tester", str(made["password"]))
        rows = await self.rows(f"SELECT Id FROM Account WHERE External_Id__c = '{_ACCOUNT}'")
        self.account = rows[0]["Id"]
        self.store = (await self.rows(f"SELECT Id FROM WebStore WHERE Name = '{_STORE}'"))[0]["Id"]
        products = await self.rows("SELECT Id FROM Product2 WHERE StockKeepingUnit IN ('MP-0001', 'MP-0002')")
        self.products = [row["Id"] for row in products]
        if self.books == 2:
            await self._part_books()
        headers = {"Authorization": f"Bearer {self._token}"}
        async with self._http.post(f"{self.url}/api/v1/organizations", json={"name": "Kiel"}, headers=headers) as reply:
            self.organization = (await reply.json())["id"]
        place = f"{self.url}/api/v1/salesforce_account/mappings/{self.organization}"
        async with self._http.put(place, json={"account_id": self.account}, headers=headers) as reply:
            assert reply.status < 300, await reply.text()

    async def _part_books(self) -> None:
        """Leave one product to the negotiated price book alone, and the other one to the store's own."""
        members = f"SELECT BuyerGroupId FROM BuyerGroupMember WHERE BuyerId = '{self.account}'"
        groups = await self.rows(f"SELECT Pricebook2Id FROM BuyerGroupPricebook WHERE BuyerGroupId IN ({members})")
        own = await self.rows(f"SELECT Pricebook2Id FROM WebStorePricebook WHERE WebStoreId = '{self.store}'")
        for product, books in zip(self.products, (own, groups), strict=True):
            named = ", ".join(f"'{book['Pricebook2Id']}'" for book in books)
            entries = f"SELECT Id FROM PricebookEntry WHERE Product2Id = '{product}' AND Pricebook2Id IN ({named})"
            for entry in await self.rows(entries):
                await self._admin.records.update("PricebookEntry", entry["Id"], {"IsActive": False})

    async def rows(self, soql: str) -> list[dict[str, Any]]:
        """Return what the org's administrator finds."""
        return [row async for row in self._admin.query.records(soql)]

    async def orders(self) -> set[str]:
        """Return the ids of the account's orders."""
        return {row["Id"] for row in await self.rows(f"SELECT Id FROM Order WHERE AccountId = '{self.account}'")}

    async def fill(self) -> str:
        """Fill the buyer's cart and return its id."""
        store = self._buyer.commerce.store(StoreContext(webstore_id=self.store, account_id=self.account))
        cart = await store.carts.ensure()
        lines = [NewLine(product_id=product, quantity=Decimal(2)) for product in self.products]
        assert all(outcome.succeeded for outcome in await store.carts.add_many(cart.cart_id, lines))
        return cart.cart_id

    async def ask(self, path: str, cart: str) -> dict[str, Any]:
        """Send an order, the same call under the same key, until it is answered with its end: also with a refusal."""
        headers = {"Authorization": f"Bearer {self._token}", "Idempotency-Key": str(uuid4())}
        body, last = {"po_number": "PO-1", "cart_id": cart, "wait_seconds": 4}, ""
        while True:
            try:
                async with self._http.post(
                    f"{self.url}/api/v1{path}", json=body, params={"account_id": self.account}, headers=headers
                ) as reply:
                    last = await reply.text()
                    if reply.status in (200, 201):
                        told = json.loads(last)
                        return dict(told.get("checkout", told))
                    if reply.status == 422:
                        return dict(json.loads(last))
                    assert reply.status in (202, 500, 502, 503), f"{reply.status}: {last}"
            except (aiohttp.ClientError, TimeoutError):
                pass
            await self.clock.sleep(0.05)

    async def call(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """Make any call of the service as the tester, again until the service answers it with success."""
        headers = {"Authorization": f"Bearer {self._token}", **({"If-Match": "*"} if method == "PUT" else {})}
        while True:
            try:
                async with self._http.request(method, f"{self.url}/api/v1{path}", json=body, headers=headers) as reply:
                    text = await reply.text()
                    if reply.status < 300:
                        return dict(json.loads(text))
                    assert reply.status in (502, 503), f"{reply.status}: {text}"
            except (aiohttp.ClientError, TimeoutError):
                pass
            await self.clock.sleep(0.05)

    async def discard(self, cart: str) -> None:
        """Delete a cart that was given back."""
        await self._buyer.commerce.store(StoreContext(webstore_id=self.store, account_id=self.account)).carts.delete(
            cart
        )

    async def clear_faults(self) -> None:
        """Let the org do as it should again."""
        await asyncio.to_thread(self.org.request, "DELETE", "/_emulator/faults")

    async def kill(self, name: str) -> None:
        """Kill one of the three."""
        if name != "org":
            async with self._hands:
                self._down.add(name)
                await self.children[name].kill()
            return
        for gate in self.gates.values():
            gate.shut()
        await asyncio.to_thread(self.org.kill)

    async def revive(self, name: str) -> None:
        """Start one of the three again."""
        if name != "org":
            async with self._hands:
                self._down.discard(name)
                await self.children[name].start()
            return
        await asyncio.to_thread(self.org.start)
        for gate in self.gates.values():
            await gate.open()

    def freeze(self, name: str) -> None:
        """Stop a process where it stands."""
        os.kill(self.children[name].pid, signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        """Let it go on."""
        if self.children[name].running:
            os.kill(self.children[name].pid, signal.SIGCONT)

    def last_words(self) -> str:
        """Return the ends of all logs, for a failed test's report."""
        return "\n".join(f"--- {child.name}\n{child.tail()}" for child in self.children.values())

    async def faults(self, cart: str, path: str, told: Mapping[str, Any], before: set[str]) -> list[str]:
        """Return what is wrong with an ordered cart: order, summary, cart and placement must agree."""
        made = await self.orders() - before
        if "orders" not in told:
            return [f"it was refused: {told}"]
        parts = self.books if path == "/salesforce_orders/" else 1
        if made != {one["order_id"] for one in told["orders"]} or len(made) != parts:
            return [f"{told['orders']} told, {sorted(made)} made"]
        wrong = []
        (order,) = await self.rows(f"SELECT Id, OrderReferenceNumber FROM Order WHERE Id = '{told['order_id']}'")
        row = self.tables.placement(cart)
        if row is None or (row["state"], row["order_id"]) != ("placed", order["Id"]):
            wrong.append(f"the placement is {row}")
        elif row["order_reference"] != order["OrderReferenceNumber"]:
            wrong.append(f"reference {row['order_reference']} kept, {order['OrderReferenceNumber']} made")
        if path == "/carts/me/checkout":
            summaries = await self.rows(f"SELECT Id FROM OrderSummary WHERE OriginalOrderId = '{order['Id']}'")
            if len(summaries) != 1:
                wrong.append(f"{len(summaries)} order summaries")
        (status,) = await self.rows(f"SELECT Status FROM WebCart WHERE Id = '{cart}'")
        if status["Status"] not in ("Closed", "PendingClosed"):
            wrong.append(f"the cart is {status['Status']}")
        return wrong
