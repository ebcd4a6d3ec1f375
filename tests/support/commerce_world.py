"""A whole service over an emulated org with the commerce seed: organizations mapped, people who buy as themselves.

In this process, or on a loopback port of its own. One organization is left unmapped, and one person acts for two.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import httpx2
import pytest
import uvicorn
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from orgbridge.emulator.app import EmulatorConfig
from orgbridge.emulator.org.seed import Seed
from orgbridge.services.bundle import Services
from orgbridge.services.commerce.mappings import Named
from orgbridge.services.scopes import SCOPES, Caller
from orgbridge.services.users import Grants, NewUser
from orgbridge.wiring.hosting import HostedOrg, OrgHost
from orgbridge.wiring.service import build_app
from orgbridge.wiring.settings import Settings
from tests.support.databases import migrate
from tests.support.local_house import QUICK_HASH, lone_settings

PASSWORD = "correct horse battery"
#: Organizations of this service by name, with the key of their account; None for the one that is not mapped.
ORGANIZATIONS = {"Nordmühle": "ACC-100", "Castell": "ACC-200", "Prairie": None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A user of this service."""

    #: The user's name in Salesforce; None for somebody who is nobody there.
    sf_username: str | None
    #: Names of the organizations granted.
    organizations: tuple[str, ...]
    #: Rights besides those of the role `buyer`.
    scopes: tuple[str, ...] = ()


#: By sign-in name.
PEOPLE = {
    "kiel": Person(sf_username="buyer.kiel@nordmuehle.example", organizations=("Nordmühle",)),
    "bremen": Person(sf_username="buyer.bremen@nordmuehle.example", organizations=("Nordmühle",)),
    "approver": Person(sf_username="approver@nordmuehle.example", organizations=("Nordmühle",)),
    "lyon": Person(sf_username="buyer.lyon@castell.example", organizations=("Castell",)),
    "omaha": Person(sf_username="buyer.omaha@prairie.example", organizations=("Prairie",)),
    "both": Person(sf_username=None, organizations=("Nordmühle", "Castell"), scopes=("accounts:write",)),
    "nobody": Person(sf_username=None, organizations=()),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CommerceWorld:
    """A running service over a running org."""

    #: The org.
    org: HostedOrg
    #: The service's.
    settings: Settings
    services: Services
    #: A client at the service's root, without a token.
    client: httpx2.AsyncClient
    #: Ids of the organizations by name.
    organizations: dict[str, str]
    #: Ids of the accounts by their key, `ACC-100` and so on.
    accounts: dict[str, str]
    _tokens: dict[str, str] = field(default_factory=dict)

    async def token(self, name: str) -> str:
        """Return the token of one of `PEOPLE`, or of `admin`."""
        if name not in self._tokens:
            self._tokens[name] = (await self.services.identity.sign_in(name, PASSWORD)).token
        return self._tokens[name]

    async def caller(self, name: str) -> Caller:
        """Return one of `PEOPLE`, or `admin`, as the services know them."""
        return await self.services.identity.caller(await self.token(name), [])

    async def ask(self, name: str, method: str, path: str, **more: Any) -> httpx2.Response:
        """Make a call of version 1 as one of `PEOPLE`, or as `admin`.

        Args:
            name: Who.
            method: HTTP method.
            path: Below `/api/v1`.
            **more: As the client takes it; `headers` are added to the token.
        """
        headers = {"Authorization": f"Bearer {await self.token(name)}", **more.pop("headers", {})}
        return await self.client.request(method, f"/api/v1{path}", headers=headers, **more)

    async def make_person(self, name: str, person: Person, *, roles: tuple[str, ...] = ("buyer",)) -> str:
        """Make a user and return its id."""
        made = await self.services.users.create(
            NewUser(
                username=name,
                password=PASSWORD,
                scopes=tuple(person.scopes),
                roles=roles,
                sf_username=person.sf_username,
            )
        )
        await self.grant(made.user.id, organizations=person.organizations)
        return made.user.id

    async def grant(
        self,
        user_id: str,
        *,
        organizations: tuple[str, ...] = (),
        plants: tuple[str, ...] = (),
        machines: tuple[str, ...] = (),
    ) -> None:
        """Let a user have organizations by name, plants and machines by id, and no others."""
        ids = tuple(self.organizations[one] for one in organizations)
        await self.services.users.grant(
            user_id, Grants(organizations=ids, plants=plants, machines=machines), expected=None
        )

    def soql(self, text: str) -> list[dict[str, Any]]:
        """Return the records that the org's administrator finds."""
        headers = {"Authorization": f"Bearer {self.org.access_token()}"}
        with httpx2.Client(base_url=self.org.url, headers=headers, timeout=30) as client:
            reply = client.get("/services/data/v62.0/query", params={"q": text})
            assert reply.status_code == 200, reply.text
            return list(reply.json()["records"])

    def end_sessions(self, sf_username: str) -> None:
        """End the sessions of a user of the org."""
        order = {"kind": "expire_sessions", "username": sf_username}
        assert httpx2.post(f"{self.org.url}/_emulator/faults", json=order, timeout=30).status_code == 200

    def change(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Make a call of the org's REST API as its administrator, below `/services/data/v62.0`."""
        headers = {"Authorization": f"Bearer {self.org.access_token()}"}
        with httpx2.Client(base_url=self.org.url, headers=headers, timeout=30) as client:
            reply = client.request(method, f"/services/data/v62.0{path}", json=body)
            assert reply.status_code < 300, reply.text
            return dict(reply.json()) if reply.content else {}


@cache
def _key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def buyer_key() -> str:
    """Return the key that buyers are signed in with, in PEM form."""
    return (
        _key()
        .private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        .decode()
    )


def commerce_org() -> EmulatorConfig:
    """Return the org: the commerce seed, and the certificate of `buyer_key`."""
    public = _key().public_key()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return EmulatorConfig(seed=Seed.COMMERCE, jwt_certificate=pem.decode())


@pytest.fixture(scope="session")
def commerce_host() -> Iterator[OrgHost]:
    """Give a host of orgs; the seed is made once for all orgs of the run."""
    with OrgHost() as host:
        yield host


@asynccontextmanager
async def commerce_world(
    host: OrgHost, folder: Path, *, over_socket: bool = False, **settings: Any
) -> AsyncIterator[CommerceWorld]:
    """Run a service over a fresh org with the commerce seed.

    Args:
        host: Where the org runs.
        folder: For the service's data.
        over_socket: Serve on a loopback port, as in production, instead of calling the application.
        **settings: Further settings.
    """
    with host.org(commerce_org()) as org:
        chosen = lone_settings(
            folder,
            salesforce_client_id=org.client_id,
            salesforce_client_secret=org.client_secret,
            salesforce_username=org.username,
            salesforce_password=org.password + org.security_token,
            salesforce_token_url=org.token_url,
            orgbridge_salesforce_jwt_key=buyer_key(),
            orgbridge_salesforce_jwt_audience=org.url,
            **settings,
        )
        (folder / "input").mkdir(exist_ok=True)
        await asyncio.to_thread(migrate, chosen.database_url)
        app = build_app(chosen, QUICK_HASH)
        async with app.router.lifespan_context(app):
            services: Services = app.state.services
            async with _client(app, over_socket) as client:
                world = CommerceWorld(
                    org=org, settings=chosen, services=services, client=client, organizations={}, accounts={}
                )
                await _settle(world)
                yield world


@asynccontextmanager
async def _client(app: Any, over_socket: bool) -> AsyncIterator[httpx2.AsyncClient]:
    if not over_socket:
        transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url="http://service", timeout=30) as client:
            yield client
        return
    config = uvicorn.Config(app, port=0, ws="none", lifespan="off", log_config=None, access_log=False)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server._serve())  # the signals stay the test run's
    try:
        while not server.started:
            assert not task.done(), "the server ended before it began"
            await asyncio.wait({task}, timeout=0.02)
        port = server.servers[0].sockets[0].getsockname()[1]
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            yield client
    finally:
        server.should_exit = True
        await task


async def _settle(world: CommerceWorld) -> None:
    services = world.services
    await services.identity.create_user("admin", PASSWORD, scopes=list(SCOPES), is_admin=True)
    rows = await asyncio.to_thread(
        world.soql, "SELECT Id, External_Id__c FROM Account WHERE External_Id__c LIKE 'ACC-%'"
    )
    world.accounts.update({row["External_Id__c"]: row["Id"] for row in rows})
    admin = await world.caller("admin")
    for name, key in ORGANIZATIONS.items():
        made = await services.organizations.add_organization({"name": name})
        world.organizations[name] = made.id
        if key is not None:
            await services.mappings.map(admin, made.id, Named(external_id=key), expected=None)
    for name, person in PEOPLE.items():
        await world.make_person(name, person)
