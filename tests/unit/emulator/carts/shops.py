"""A shop in process: the emulated org with the commerce seed, and buyers who are signed in."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from httpx2 import Response
from starlette.testclient import TestClient

from orgbridge.emulator.app import DEFAULT_USER, EmulatorConfig, EmulatorUser, build_app, write_template
from orgbridge.emulator.commerce.policy import CommercePolicy
from orgbridge.emulator.org.seed import Seed
from orgbridge.kit.clock import SystemClock

KIEL, BREMEN, OMAHA = "buyer.kiel@nordmuehle.example", "buyer.bremen@nordmuehle.example", "buyer.omaha@prairie.example"
APPROVER = "approver@nordmuehle.example"
ADMIN = DEFAULT_USER.username
_PASSWORD = "localpass"


class MovingClock(SystemClock):
    """The system's clock, moved forward by tests."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def now(self) -> datetime:
        """Return the moved instant."""
        return datetime.now(UTC) + self.ahead


@dataclass
class Shop:
    """The org, spoken to as one of its users."""

    http: TestClient
    clock: MovingClock
    tokens: dict[str, str]
    folder: Path

    def files(self) -> list[Path]:
        """Return the org's files."""
        return [file for file in self.folder.rglob("*") if file.is_file()]

    def token(self, username: str) -> str:
        """Return a session of a user."""
        if username not in self.tokens:
            form = {
                "grant_type": "password",
                "client_id": "local-client",
                "client_secret": "local-secret",
                "username": username,
                "password": _PASSWORD,
            }
            reply = self.http.post("/services/oauth2/token", data=form)
            assert reply.status_code == 200, reply.text
            self.tokens[username] = reply.json()["access_token"]
        return self.tokens[username]

    def call(self, method: str, path: str, *, user: str = KIEL, version: int = 62, **rest: Any) -> Response:
        """Send one request; `WS` where the path begins stands for the resources of the European store."""
        if path.startswith("WS"):  # Only there: a token in the query may have these letters too.
            path = f"/commerce/webstores/{self.store()}{path.removeprefix('WS')}"
        url = f"/services/data/v{version}.0{path}" if not path.startswith("/_") else path
        return self.http.request(method, url, headers={"Authorization": f"Bearer {self.token(user)}"}, **rest)

    def query(self, soql: str) -> list[dict[str, Any]]:
        """Return rows as the administrator sees them."""
        reply = self.http.get(
            "/services/data/v62.0/query", params={"q": soql}, headers={"Authorization": f"Bearer {self.token(ADMIN)}"}
        )
        assert reply.status_code == 200, reply.text
        return list(reply.json()["records"])

    def store(self, name: str = "Machine Parts EU") -> str:
        """Return the id of a store."""
        key = f"store:{name}"
        if key not in self.tokens:
            self.tokens[key] = self.query(f"SELECT Id FROM WebStore WHERE Name = '{name}'")[0]["Id"]
        return self.tokens[key]

    def product(self, number: int) -> str:
        """Return the id of product `MP-…`."""
        key = f"product:{number}"
        if key not in self.tokens:
            sku = f"MP-{number:04d}"
            self.tokens[key] = self.query(f"SELECT Id FROM Product2 WHERE StockKeepingUnit = '{sku}'")[0]["Id"]
        return self.tokens[key]

    def account(self, key: str) -> str:
        """Return the id of an account."""
        return str(self.query(f"SELECT Id FROM Account WHERE External_Id__c = '{key}'")[0]["Id"])

    def change(self, sobject: str, record_id: str, **fields: Any) -> None:
        """Change a row as the administrator."""
        reply = self.call("PATCH", f"/sobjects/{sobject}/{record_id}", user=ADMIN, json=fields)
        assert reply.status_code == 204, reply.text

    def fast_add(self, on: bool = True) -> None:
        """Let the store answer before prices are known, or no longer."""
        self.change("WebStore", self.store(), OptionsCartAsyncProcessingEnabled=on)

    def add(self, number: int, quantity: object = 1, cart: str = "active", **rest: Any) -> dict[str, Any]:
        """Add a product to a cart and return the line."""
        body = {"productId": self.product(number), "quantity": quantity, "type": "Product"}
        reply = self.call("POST", f"WS/carts/{cart}/cart-items", json=body, **rest)
        assert reply.status_code == 201, reply.text
        return dict(reply.json())

    def cart(self, cart: str = "active", **rest: Any) -> dict[str, Any]:
        """Return the summary of a cart once it is settled."""
        for _ in range(5):
            reply = self.call("GET", f"WS/carts/{cart}", **rest)
            if reply.status_code != 202:
                break
        assert reply.status_code == 200, reply.text
        return dict(reply.json())

    def fault(self, **order: Any) -> None:
        """Order trouble."""
        reply = self.http.post("/_emulator/faults", json=order)
        assert reply.status_code == 200, reply.text


def error_of(reply: Response) -> tuple[int, str]:
    """Return status and code of a refusal."""
    return reply.status_code, reply.json()[0]["errorCode"]


def money(text: object) -> Decimal:
    """Return the amount that a body tells."""
    return Decimal(str(text))


def template(folder: Path) -> Path:
    """Make the file of a new shop and return it."""
    path = folder / "shop.db"
    write_template(_config(str(path), CommercePolicy()), path)
    return path


def _config(path: str, policy: CommercePolicy) -> EmulatorConfig:
    buyers = tuple(EmulatorUser(username=name, password=_PASSWORD) for name in (KIEL, BREMEN, OMAHA, APPROVER))
    return EmulatorConfig(path=path, seed=Seed.COMMERCE, users=(DEFAULT_USER, *buyers), commerce=policy)


@contextmanager
def open_shop(template_file: Path, folder: Path, policy: CommercePolicy) -> Iterator[Shop]:
    """Open a shop of one test's own."""
    path, clock = folder / "org.db", MovingClock()
    shutil.copyfile(template_file, path)
    with ExitStack() as stack:
        client = stack.enter_context(TestClient(build_app(_config(str(path), policy), clock=clock)))
        yield Shop(client, clock, {}, folder)


def check_out(shop: Shop, *, version: int = 62, po: str = "PO-7", cart: str | None = None) -> str:
    """Bring a cart to where its order can be placed; return the checkout's id."""
    cart_id = cart or shop.cart(version=version)["cartId"]
    body: dict[str, Any] = {"cartId": cart_id}
    started = shop.call("POST", "WS/checkouts", json=body, version=version)
    assert started.status_code == 202, started.text
    checkout = str(started.json()["checkoutId"])
    settled(shop, checkout, version=version)
    address = {"name": "Karin Kieler", "street": "Werkstraße 1", "city": "Kiel", "postalCode": "24103", "country": "DE"}
    reply = shop.call("PATCH", f"WS/checkouts/{checkout}", json={"deliveryAddress": address}, version=version)
    assert reply.status_code == 202, reply.text
    method = settled(shop, checkout, version=version)["deliveryGroups"]["items"][0]["availableDeliveryMethods"][0]["id"]
    reply = shop.call("PATCH", f"WS/checkouts/{checkout}", json={"deliveryMethodId": method}, version=version)
    assert reply.status_code == 202, reply.text
    settled(shop, checkout, version=version)
    payment = {"requestType": "SimplePurchaseOrder", "paymentToken": po, "billingAddress": address}
    reply = shop.call("POST", f"WS/checkouts/{checkout}/payments", json=payment, version=version)
    assert (reply.status_code, reply.json()["salesforceResultCode"]) == (201, "Success")
    return checkout


def settled(shop: Shop, checkout: str, **rest: Any) -> dict[str, Any]:
    """Return a checkout once it is computed."""
    for _ in range(5):
        reply = shop.call("GET", f"WS/checkouts/{checkout}", **rest)
        if reply.status_code != 202:
            break
    assert reply.status_code == 200, reply.text
    return dict(reply.json())


def place(shop: Shop, checkout: str, **rest: Any) -> str:
    """Place the order of a checkout and return its order reference number."""
    reply = shop.call("POST", f"WS/checkouts/{checkout}/orders", **rest)
    assert reply.status_code == 201, reply.text
    assert reply.json()["errors"] == []
    return str(reply.json()["orderReferenceNumber"])
