"""The console as a browser without script uses it: forms from its own pages, a cookie jar, no redirect followed."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2

from tests.support.local_house import LocalHouse, LoneService

PASSWORD = "correct horse battery"
COOKIE = "orgbridge_console"


def own(client: httpx2.AsyncClient | httpx2.Client) -> dict[str, str]:
    """Return the headers by which a browser says that a form is of the page's own origin."""
    return {"Origin": str(client.base_url).rstrip("/")}


async def make_user(service: LoneService, *scopes: str, admin: bool = False) -> str:
    """Make a user of these scopes with the password of the tests, and return the name."""
    app: Any = service.client._transport.app  # type: ignore[attr-defined] # the transport that the service was given
    name = f"user-{os.urandom(4).hex()}"
    await app.state.services.identity.create_user(name, PASSWORD, scopes=list(scopes), is_admin=admin)
    return name


async def sign_in(service: LoneService, name: str, password: str = PASSWORD, **fields: str) -> httpx2.Response:
    """Send the form of the sign-in page; the client keeps the cookie."""
    form = {"username": name, "password": password, **fields}
    return await service.client.post("/console/sign-in", data=form, headers=own(service.client))


async def signed_in(service: LoneService, *scopes: str, admin: bool = False) -> str:
    """Sign a new user of these scopes in, and return the name."""
    name = await make_user(service, *scopes, admin=admin)
    reply = await sign_in(service, name)
    assert reply.status_code == 303, reply.text
    return name


def text_of(page: str) -> str:
    """Return a page's text, roughly as it is read: tags out, spaces as one."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page))


@contextmanager
def at_console(house: LocalHouse, *scopes: str, admin: bool = False) -> Iterator[httpx2.Client]:
    """Give a client of a running house that is signed in at the console as a new user; forms are its own."""
    name = f"user-{os.urandom(4).hex()}"
    with house.client() as api:
        body = {"username": name, "password": PASSWORD, "scopes": list(scopes), "is_admin": admin}
        assert api.post("/users", json=body).status_code == 201
    with httpx2.Client(base_url=house.url, timeout=30) as client:
        client.headers.update(own(client))
        reply = client.post("/console/sign-in", data={"username": name, "password": PASSWORD})
        assert reply.status_code == 303, reply.text
        yield client


def form_of(**fields: str) -> dict[str, Any]:
    """Return the fields of the page New load as a browser sends them, those left alone included."""
    untouched = ("external_id_field", "delimiter", "null_policy", "part_rows", "canary", "row_retry", "mapping")
    return {"object_name": "Account", "operation_type": "insert", **dict.fromkeys(untouched, ""), **fields}
