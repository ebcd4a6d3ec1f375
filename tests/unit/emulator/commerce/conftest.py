"""The whole emulated org in process with the seed of commerce, and callers who are signed in as its users."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from orgbridge.emulator.app import EmulatorConfig, build_app
from orgbridge.emulator.org.seed import Seed
from tests.support.commerce_org import ADMIN, certificate, new_org, token_form

EU, US = "Machine Parts EU", "Machine Parts US"


@dataclass
class Shop:
    """Speaks HTTP to the org as any of its users."""

    http: TestClient
    #: Of the API, for paths that name none.
    version: int = 66
    #: The org's file.
    file: Path | None = None
    _tokens: dict[str, str] = field(default_factory=dict)
    _ids: dict[str, str] = field(default_factory=dict)

    def token(self, username: str) -> str:
        """Return a user's token, by JWT bearer."""
        if username not in self._tokens:
            reply = self.http.post("/services/oauth2/token", data=token_form(username))
            assert reply.status_code == 200, reply.text
            self._tokens[username] = reply.json()["access_token"]
        return self._tokens[username]

    def call(self, user: str, method: str, path: str, *, version: int | None = None, **rest: Any) -> Response:
        """Send one request as a user; the path lies below the API version."""
        url = f"/services/data/v{version or self.version}.0{path}"
        return self.http.request(method, url, headers={"Authorization": f"Bearer {self.token(user)}"}, **rest)

    def store(self, user: str, method: str, path: str, *, name: str = EU, **rest: Any) -> Response:
        """Send one request to a resource of a web store."""
        return self.call(user, method, f"/commerce/webstores/{self.id('WebStore', 'Name', name)}{path}", **rest)

    def id(self, sobject: str, key: str, value: str) -> str:
        """Return the id of the one row whose field has a value."""
        soql = f"SELECT Id FROM {sobject} WHERE {key} = '{value}'"
        if soql not in self._ids:
            reply = self.call(ADMIN, "GET", "/query", params={"q": soql})
            assert reply.json()["totalSize"] == 1, (soql, reply.text)
            self._ids[soql] = reply.json()["records"][0]["Id"]
        return self._ids[soql]

    def write(self, sql: str, *values: str) -> None:
        """Change the org's file behind its back: what only the platform may write."""
        assert self.file is not None
        with closing(sqlite3.connect(self.file)) as connection, connection:
            connection.execute(sql, values)

    def account(self, key: str) -> str:
        """Return the id of a company by its external id."""
        return self.id("Account", "External_Id__c", key)

    def product(self, number: int) -> str:
        """Return the id of a product by its number."""
        return self.id("Product2", "StockKeepingUnit", f"MP-{number:04d}")


def open_shop(folder: Path) -> TestClient:
    """Return the org on a folder."""
    config = EmulatorConfig(path=str(new_org(folder)), seed=Seed.COMMERCE, jwt_certificate=certificate())
    return TestClient(build_app(config))


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """Give an org of its own to a test that writes."""
    with open_shop(tmp_path) as http:
        yield Shop(http, file=tmp_path / "commerce.sqlite")


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Give one org to all tests of a module that only read."""
    with open_shop(tmp_path_factory.mktemp("shop")) as http:
        yield Shop(http)


def code_of(reply: Response) -> tuple[int, str]:
    """Return status and code of a refusal."""
    body = reply.json()
    assert isinstance(body, list), body
    assert len(body) == 1, body
    return reply.status_code, body[0]["errorCode"]
