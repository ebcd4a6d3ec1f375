"""SIGKILL of service, worker and emulated org while carts are ordered: each cart becomes one order, both ways."""

from __future__ import annotations

import asyncio
from collections import Counter
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
from cryptography.hazmat.primitives import serialization

from orgbridge.cli.demo.processes import Child, clean_environment, free_port, run_to_end
from orgbridge.cli.service import sign_in
from orgbridge.client import ClientCredentials, JWTCredentials, Salesforce, Secret, StoreContext, TokenConfig
from orgbridge.client.commerce.cart_values import NewLine
from orgbridge.kit import json
from orgbridge.kit.clock import SystemClock
from tests.support.commerce_world import buyer_key
from tests.support.emulator_server import EmulatorServer
from tests.support.processes import answers, salesforce_settings

pytestmark = [pytest.mark.chaos, pytest.mark.system]

_BUYER, _ACCOUNT, _STORE = "buyer.kiel@nordmuehle.example", "ACC-110", "Machine Parts EU"
_TIMEOUT = aiohttp.ClientTimeout(total=6)
_PATHS = ("/carts/me/checkout", "/salesforce_orders/")


class _Market:
    """An org with the commerce seed, a service and a worker, each a process that dies and comes back."""

    def __init__(self, folder: Path) -> None:
        key = serialization.load_pem_private_key(buyer_key().encode(), None)
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        public, private = folder / "buyers.pem", folder / "buyers.key"
        public.write_bytes(key.public_key().public_bytes(serialization.Encoding.PEM, form))
        private.write_text(buyer_key())
        self.folder, self.clock = folder, SystemClock()
        self.org = EmulatorServer(folder / "org.sqlite", seed="commerce", jwt_certificate=public)
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.settings = {
            **salesforce_settings(self.org.url, folder),
            "ORGBRIDGE_SALESFORCE_JWT_KEY_PATH": str(private),
            "ORGBRIDGE_SALESFORCE_JWT_AUDIENCE": self.org.url,
            "ORGBRIDGE_ORDER_SETTLE_SECONDS": "1.5",
        }
        (folder / "input").mkdir(exist_ok=True)
        self.service = Child("service", ("serve", "--port", str(port)), self.settings, folder)
        self.worker = Child("worker", ("worker",), self.settings, folder)
        self.token = self.account = self.store = ""
        self.products: list[str] = []
        credentials = ClientCredentials(client_id="local-client", client_secret=Secret("local-secret"))
        self.admin = Salesforce(TokenConfig(credentials=credentials, token_url=self._token_url))
        buyer = JWTCredentials(
            client_id="local-client", username=_BUYER, private_key=Secret(buyer_key()), audience=self.org.url
        )
        self.buyer = Salesforce(TokenConfig(credentials=buyer, token_url=self._token_url))

    @property
    def _token_url(self) -> str:
        return f"{self.org.url}/services/oauth2/token"

    async def open(self, http: aiohttp.ClientSession) -> None:
        """Start everything; the tester is an administrator who buys as the buyer, for the account's organization."""
        environment = clean_environment(self.settings)
        await asyncio.to_thread(self.org.start)
        await run_to_end(("db", "upgrade"), environment, self.folder)
        created = ("users", "create", "tester", "--admin", "--json")
        made = json.loads(await run_to_end(created, environment, self.folder))
        await run_to_end(("users", "update", "tester", "--sf-username", _BUYER, "--json"), environment, self.folder)
        await run_to_end(("users", "grant", "tester", "--organization", "*", "--json"), environment, self.folder)
        await self.service.start()
        await self.worker.start()
        await self.service.wait_until(lambda: answers(f"{self.url}/health/live"), self.clock)
        self.token = await sign_in(self.url, "tester", str(made["password"]))
        rows = await self.rows(f"SELECT Id FROM Account WHERE External_Id__c = '{_ACCOUNT}'")
        self.account = rows[0]["Id"]
        self.store = (await self.rows(f"SELECT Id FROM WebStore WHERE Name = '{_STORE}'"))[0]["Id"]
        products = await self.rows("SELECT Id FROM Product2 WHERE StockKeepingUnit IN ('MP-0001', 'MP-0002')")
        self.products = [row["Id"] for row in products]
        headers = {"Authorization": f"Bearer {self.token}"}
        async with http.post(f"{self.url}/api/v1/organizations", json={"name": "Kiel"}, headers=headers) as reply:
            organization = (await reply.json())["id"]
        place = f"{self.url}/api/v1/salesforce_account/mappings/{organization}"
        async with http.put(place, json={"account_id": self.account}, headers=headers) as reply:
            assert reply.status < 300, await reply.text()

    async def close(self) -> None:
        """End every process."""
        await self.admin.close()
        await self.buyer.close()
        await self.service.kill()
        await self.worker.kill()
        await asyncio.to_thread(self.org.kill)

    async def rows(self, soql: str) -> list[dict[str, Any]]:
        """Return what the org's administrator finds."""
        return [row async for row in self.admin.query.records(soql)]

    async def fill(self) -> str:
        """Fill the buyer's cart and return its id."""
        store = self.buyer.commerce.store(StoreContext(webstore_id=self.store, account_id=self.account))
        cart = await store.carts.ensure()
        lines = [NewLine(product_id=product, quantity=Decimal(2)) for product in self.products]
        assert all(outcome.succeeded for outcome in await store.carts.add_many(cart.cart_id, lines))
        return cart.cart_id

    async def ask(self, http: aiohttp.ClientSession, path: str, cart: str) -> dict[str, Any]:
        """Send an order, the same call under the same key, until it is answered with its end."""
        headers = {"Authorization": f"Bearer {self.token}", "Idempotency-Key": str(uuid4())}
        body, last = {"po_number": "PO-1", "cart_id": cart, "wait_seconds": 4}, ""
        while True:
            try:
                async with http.post(
                    f"{self.url}/api/v1{path}", json=body, params={"account_id": self.account}, headers=headers
                ) as reply:
                    last = await reply.text()
                    if reply.status in (200, 201):
                        told = json.loads(last)
                        return dict(told.get("checkout", told))
                    assert reply.status in (202, 500, 502, 503), f"{reply.status}: {last}"
            except (aiohttp.ClientError, TimeoutError):
                pass
            await self.clock.sleep(0.05)

    async def kill(self, name: str, dice: Random) -> None:
        """Kill one of the three and start it again after a moment."""
        if name == "org":
            await asyncio.to_thread(self.org.kill)
            await self.clock.sleep(dice.uniform(0, 0.3))
            await asyncio.to_thread(self.org.start)
            return
        child = self.service if name == "service" else self.worker
        await child.kill()
        await self.clock.sleep(dice.uniform(0, 0.3))
        await child.start()


@pytest.mark.timeout(3600)
async def test_a_cart_is_ordered_once_when_processes_die(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Processes die at random moments of every order: each is answered as placed, and there is one order more."""
    kills, dice = request.config.getoption("--kills"), Random(request.config.getoption("--chaos-seed"))
    market, killed, faults = _Market(tmp_path), Counter[str](), list[str]()
    async with aiohttp.ClientSession(timeout=_TIMEOUT) as http:
        try:
            await market.open(http)
            count = f"SELECT Id FROM Order WHERE AccountId = '{market.account}'"
            for number in range(kills):
                cart, before = await market.fill(), {row["Id"] for row in await market.rows(count)}
                asked = asyncio.create_task(market.ask(http, _PATHS[number % 2], cart))
                await market.clock.sleep(dice.uniform(0.05, 1.2))
                name = ("worker", "org", "service")[number % 3]
                await market.kill(name, dice)
                killed[name] += 1
                async with asyncio.timeout(90):
                    told = await asked
                made = {row["Id"] for row in await market.rows(count)} - before
                if made != {told["order_id"]}:
                    faults.append(
                        f"order {number} ({_PATHS[number % 2]}, {name}): {told['order_id']} told, {made} made"
                    )
        except Exception as error:
            words = f"--- service\n{market.service.tail()}\n--- worker\n{market.worker.tail()}"
            raise AssertionError(f"{error!r} after {dict(killed)}\n{words}") from error
        finally:
            await market.close()
    assert faults == [], f"after {dict(killed)}"
