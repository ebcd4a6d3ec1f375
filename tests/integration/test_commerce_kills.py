"""Orders of the emulated org over a socket: killed, cut off, and never half there."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from tests.support.emulator_server import CLIENT_ID, CLIENT_SECRET, EmulatorServer

_BUYER, _PASSWORD = "buyer.kiel@nordmuehle.example", "localpass"
_ADDRESS = {"name": "K", "street": "S 1", "city": "Kiel", "country": "DE"}


class Buyer:
    """Buys over HTTP at a process that may be killed."""

    def __init__(self, server: EmulatorServer) -> None:
        self.server = server
        self.tokens: dict[str, str] = {}
        self.store = self.query("SELECT Id FROM WebStore WHERE Name = 'Machine Parts EU'")[0]["Id"]
        self.product = self.query("SELECT Id FROM Product2 WHERE StockKeepingUnit = 'MP-0001'")[0]["Id"]

    def token(self, username: str) -> str:
        """Return a session, which outlives the process."""
        if username not in self.tokens:
            form = {"grant_type": "password", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
            data = urlencode({**form, "username": username, "password": _PASSWORD}).encode()
            kind = "application/x-www-form-urlencoded"
            status, body = self.server.request("POST", "/services/oauth2/token", data, Content_Type=kind)
            assert status == 200, body
            self.tokens[username] = body["access_token"]
        return self.tokens[username]

    def call(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Send one request to the store as the buyer."""
        url = f"/services/data/v62.0/commerce/webstores/{self.store}{path}"
        return self.server.request(method, url, body, Authorization=f"Bearer {self.token(_BUYER)}")

    def query(self, soql: str) -> list[dict[str, Any]]:
        """Return rows as the administrator sees them."""
        token = self.token("admin@local.org")
        path = f"/services/data/v62.0/query?q={quote(soql)}"
        status, body = self.server.request("GET", path, None, Authorization=f"Bearer {token}")
        assert status == 200, body
        return list(body["records"])

    def settle(self, path: str) -> dict[str, Any]:
        """Return a body once it is computed."""
        for _ in range(5):
            status, body = self.call("GET", path)
            if status != 202:
                break
        assert status == 200, body
        return dict(body)

    def check_out(self, po: str) -> tuple[str, str]:
        """Bring a new cart to where its order can be placed; return ids of the cart and the checkout."""
        line = {"productId": self.product, "quantity": 3, "type": "Product"}
        _, body = self.call("POST", "/carts/active/cart-items", line)
        cart = body["cartId"]
        self.settle(f"/carts/{cart}")
        _, body = self.call("POST", "/checkouts", {"cartId": cart})
        path = f"/checkouts/{body['checkoutId']}"
        self.settle(path)
        self.call("PATCH", path, {"deliveryAddress": _ADDRESS})
        method = self.settle(path)["deliveryGroups"]["items"][0]["availableDeliveryMethods"][0]["id"]
        self.call("PATCH", path, {"deliveryMethodId": method})
        self.settle(path)
        status, body = self.call("POST", f"{path}/payments", {"requestType": "SimplePurchaseOrder", "paymentToken": po})
        assert (status, body["salesforceResultCode"]) == (201, "Success")
        return cart, path

    def order_of(self, cart: str, po: str) -> dict[str, Any] | None:
        """Return the order of a cart; None when nothing of it is there.

        Raises:
            AssertionError: It is there in part.
        """
        status = self.query(f"SELECT Status FROM WebCart WHERE Id = '{cart}'")[0]["Status"]
        orders = self.query(
            f"SELECT Id, OrderReferenceNumber, (SELECT Id FROM OrderItems) FROM Order WHERE PoNumber = '{po}'"
        )
        summaries = self.query(f"SELECT Id FROM OrderSummary WHERE PoNumber = '{po}'")
        if not orders:
            assert (status, summaries) == ("Checkout", [])
            return None
        (order,) = orders
        items = self.query(f"SELECT Id FROM OrderItemSummary WHERE OrderSummaryId = '{summaries[0]['Id']}'")
        assert (status, len(summaries), order["OrderItems"]["totalSize"], len(items)) == ("Closed", 1, 2, 2)
        return order


@pytest.fixture(scope="module")
def buyer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Buyer]:
    """A buyer at an org in a process of its own."""
    folder = tmp_path_factory.mktemp("orders")
    users = folder / "users.json"
    names = ["admin@local.org", _BUYER]
    users.write_text(json.dumps({"users": [{"username": name, "password": _PASSWORD} for name in names]}))
    with EmulatorServer(Path(folder / "org.db"), seed="commerce", users=users) as server:
        yield Buyer(server)


@pytest.mark.parametrize("spins", [0, 2_000, 40_000])
def test_a_killed_org_has_all_of_an_order_or_nothing(buyer: Buyer, spins: int) -> None:
    """SIGKILL while an order is placed; afterwards it is whole or not there, and a second try makes it exactly one."""
    po = f"PO-KILL-{spins}"
    cart, path = buyer.check_out(po)
    url = f"/services/data/v62.0/commerce/webstores/{buyer.store}{path}/orders"
    sent = threading.Event()

    def place() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", buyer.server.port, timeout=30)
        try:
            connection.request("POST", url, headers={"Authorization": f"Bearer {buyer.token(_BUYER)}"})
            sent.set()
            connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            sent.set()
        finally:
            connection.close()

    thread = threading.Thread(target=place)
    thread.start()
    assert sent.wait(30)
    for _ in range(spins):
        pass
    buyer.server.restart()
    thread.join(30)
    if buyer.order_of(cart, po) is None:
        assert buyer.call("POST", f"{path}/orders")[0] == 201
    else:
        assert buyer.call("POST", f"{path}/orders")[0] == 404
    assert buyer.order_of(cart, po) is not None


def test_a_lost_reply_leaves_an_order_that_can_be_found(buyer: Buyer) -> None:
    """The connection is cut after the order was placed: the number that the checkout told beforehand finds it."""
    cart, path = buyer.check_out("PO-LOST")
    number = buyer.settle(path)["orderReferenceNumber"]
    buyer.server.fault(kind="order_reply_lost")
    with pytest.raises((OSError, http.client.HTTPException)):
        buyer.call("POST", f"{path}/orders")
    order = buyer.order_of(cart, "PO-LOST")
    assert order is not None
    assert order["OrderReferenceNumber"] == number
