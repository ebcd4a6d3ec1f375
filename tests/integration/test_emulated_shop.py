"""The emulated org as a process of its own, with the seed of commerce: a buyer's way over a socket, and SIGKILL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.support.commerce_org import KIEL, NOBODY, certificate, new_org, token_form
from tests.support.emulator_server import EmulatorServer

_FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmulatorServer]:
    """Give a running org."""
    pem = tmp_path / "users.pem"
    pem.write_text(certificate())
    with EmulatorServer(new_org(tmp_path), seed="commerce", jwt_certificate=pem) as running:
        yield running


def _token(server: EmulatorServer, username: str) -> str:
    form = urlencode(token_form(username, f"{server.url}/parts-eu")).encode()
    status, body = server.request("POST", "/parts-eu/services/oauth2/token", form, Content_Type=_FORM)
    assert status == 200, body
    return str(body["access_token"])


def _get(server: EmulatorServer, token: str, path: str, method: str = "GET", body: Any = None) -> tuple[int, Any]:
    return server.request(method, f"/parts-eu/services/data/v62.0{path}", body, Authorization=f"Bearer {token}")


def test_a_buyer_finds_prices_and_keeps_a_product(server: EmulatorServer) -> None:
    """Signs in at the site, finds a part, sees its price, puts it on a list; the list outlives SIGKILL."""
    token = _token(server, KIEL)
    stores = _get(server, token, "/query?q=SELECT+Id+FROM+WebStore+WHERE+Name='Machine+Parts+EU'")[1]["records"]
    store = f"/commerce/webstores/{stores[0]['Id']}"
    found = _get(server, token, f"{store}/search/product-search", "POST", {"searchTerm": "MP-0042"})[1]
    (product,) = found["productsPage"]["products"]
    priced = _get(server, token, f"{store}/pricing/products/{product['id']}")[1]
    assert priced["unitPrice"] == product["prices"]["unitPrice"]
    body = {"name": "Later", "products": [{"productId": product["id"]}]}
    status, made = _get(server, token, f"{store}/wishlists", "POST", body)
    assert status == 201
    server.restart()
    again = _get(server, token, f"{store}/wishlists/{made['summary']['id']}")
    assert again[0] == 200
    assert again[1]["page"]["items"][0]["productSummary"]["sku"] == "MP-0042"
    status, refusal = _get(server, _token(server, NOBODY), f"{store}/wishlists")
    assert (status, refusal[0]["errorCode"]) == (403, "INSUFFICIENT_ACCESS")
