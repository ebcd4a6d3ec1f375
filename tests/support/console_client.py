"""The console as a browser without script uses it: forms from its own pages, a cookie jar, no redirect followed."""

from __future__ import annotations

import os
import re
from typing import Any

import httpx2

from tests.support.local_house import LoneService

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
