"""Access tokens of an external OpenID Connect issuer, served by a double over loopback."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from orgbridge.kit.json import dumps, loads
from orgbridge.services.errors import KeysUnreachable, ScopeMissing, TokenRefused
from orgbridge.services.scopes import ALL
from orgbridge.services.users import NewUser
from orgbridge.store.database import Database
from orgbridge.wiring.identity import People, build_people
from tests.support.clocks import HandClock
from tests.support.databases import migrate
from tests.support.local_house import QUICK_HASH, lone_settings


class Issuer:
    """An issuer with one RSA key at a time, its discovery document and its key set."""

    def __init__(self) -> None:
        self.url = ""
        self.asked = 0
        self.up = True
        self.renew("k1")

    def renew(self, kid: str) -> None:
        """Sign with a new key; the old one is gone from the key set."""
        self.kid = kid
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def document(self, path: str) -> dict[str, Any] | None:
        """Return what is at a path."""
        if not self.up:
            return None
        if path == "/.well-known/openid-configuration":
            return {"issuer": self.url, "jwks_uri": f"{self.url}/keys"}
        self.asked += 1
        algorithm = jwt.get_algorithm_by_name("RS256")
        jwk = loads(algorithm.to_jwk(self.key.public_key()))
        return {"keys": [jwk | {"kid": self.kid, "alg": "RS256", "use": "sig"}, {"kty": "strange"}, 7]}

    def token(self, clock: HandClock, header: dict[str, Any] | None = None, **claims: Any) -> str:
        """Return an access token that is good for five minutes unless the claims say otherwise."""
        now = int(clock.now().timestamp())
        body = {"iss": self.url, "aud": ["orgbridge", "x"], "sub": "s-1", "iat": now, "exp": now + 300, **claims}
        return jwt.encode(body, self.key, algorithm="RS256", headers={"kid": self.kid, **(header or {})})


@contextmanager
def _serving(issuer: Issuer) -> Iterator[None]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = issuer.document(self.path)
            body = dumps(found)
            self.send_response(200 if found is not None else 503)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    issuer.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    """Give a running issuer."""
    made = Issuer()
    with _serving(made):
        yield made


@pytest.fixture
def clock() -> HandClock:
    """Give the clock of both."""
    return HandClock()


@pytest.fixture
async def people(issuer: Issuer, clock: HandClock, tmp_path: Path) -> AsyncIterator[People]:
    """Give a service that believes the issuer."""
    settings = lone_settings(
        tmp_path,
        orgbridge_oidc_issuer=issuer.url,
        orgbridge_oidc_audience="orgbridge",
        orgbridge_oidc_roles_claim="realm.roles",
        orgbridge_oidc_roles={"sf-admins": "admin", "sf-readers": "reader"},
    )
    await asyncio.to_thread(migrate, settings.database_url)
    database = Database(settings.database_url)
    yield build_people(settings, database, clock, QUICK_HASH)
    await database.close()


async def test_claims_become_scopes_and_roles(people: People, issuer: Issuer, clock: HandClock) -> None:
    """Scopes as they are named, roles by the mapping; the name is marked as the issuer's."""
    token = issuer.token(clock, scope="bulk:write openid", realm={"roles": ["sf-readers", "other"]})
    caller = await people.identity.caller(token, [])
    assert caller.scopes == {"bulk:write", "records:read", "bulk:read"}
    assert (caller.roles, caller.username, caller.user_id) == (("reader",), "oidc:s-1", "oidc:s-1")
    assert not caller.organizations
    named = await people.identity.caller(issuer.token(clock, preferred_username="root"), [])
    assert (named.username, named.scopes) == ("oidc:root", frozenset())


async def test_only_a_mapped_role_administrates(people: People, issuer: Issuer, clock: HandClock) -> None:
    """A scope that happens to be named admin opens nothing; a role that is mapped to admin opens all."""
    with pytest.raises(ScopeMissing):
        await people.identity.caller(issuer.token(clock, scope="admin"), ["admin"])
    caller = await people.identity.caller(issuer.token(clock, realm={"roles": ["sf-admins"]}), ["admin"])
    assert caller.plants is ALL


async def test_a_linked_user_adds_grants_and_can_be_disabled(people: People, issuer: Issuer, clock: HandClock) -> None:
    """The user of ours with that subject lends name, roles and Salesforce user; disabled, the token is refused."""
    view = await people.users.create(
        NewUser(username="ada", external_subject="s-1", roles=["buyer"], sf_username="ada@acme.example")
    )
    token = issuer.token(clock)
    caller = await people.identity.caller(token, ["carts:read"])
    assert (caller.username, caller.user_id, caller.sf_username) == ("ada", view.user.id, "ada@acme.example")
    await people.users.update(view.user.id, {"disabled": True}, expected=None)
    with pytest.raises(TokenRefused):
        await people.identity.caller(token, [])


@pytest.mark.parametrize(
    "wrong",
    ["audience", "expired", "not_yet", "id_token", "hmac", "none", "another_key", "no_kid", "other_algorithm"],
)
async def test_bad_tokens_of_the_issuer_are_refused(
    people: People, issuer: Issuer, clock: HandClock, wrong: str
) -> None:
    """Each is 401, whatever it says of itself."""
    now = int(clock.now().timestamp())
    claims = jwt.decode(issuer.token(clock), options={"verify_signature": False})
    match wrong:
        case "audience":
            token = issuer.token(clock, aud="another")
        case "expired":
            token = issuer.token(clock, exp=now - 31)
        case "not_yet":
            token = issuer.token(clock, nbf=now + 60)
        case "id_token":
            token = issuer.token(clock, {"typ": "logout+jwt"})
        case "hmac":
            token = jwt.encode(claims, "k" * 32, algorithm="HS256", headers={"kid": "k1"})
        case "none":
            token = jwt.encode(claims, None, algorithm="none", headers={"kid": "k1"})
        case "another_key":
            other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
            token = jwt.encode(claims, other, algorithm="RS256", headers={"kid": "k1"})
        case "no_kid":
            token = jwt.encode(claims, issuer.key, algorithm="RS256")
        case _:
            token = jwt.encode(claims, issuer.key, algorithm="PS256", headers={"kid": "k1"})
    with pytest.raises(TokenRefused):
        await people.identity.caller(token, [])


async def test_a_new_key_of_the_issuer_is_fetched_but_not_for_every_stranger(
    people: People, issuer: Issuer, clock: HandClock
) -> None:
    """An unknown key makes the key set be fetched again, at most every half minute."""
    old = issuer.token(clock)
    await people.identity.caller(old, [])
    assert issuer.asked == 1
    issuer.renew("k2")
    for _ in range(5):
        with pytest.raises(TokenRefused):
            await people.identity.caller(issuer.token(clock), [])
    assert issuer.asked == 1
    clock.move(31)
    await people.identity.caller(issuer.token(clock), [])
    assert issuer.asked == 2
    # The old key is not in the set any more, so what it signed counts no more.
    with pytest.raises(TokenRefused):
        await people.identity.caller(old, [])


async def test_an_issuer_that_is_down_keeps_its_keys_for_a_day(
    people: People, issuer: Issuer, clock: HandClock
) -> None:
    """Known keys go on verifying; a service that never had them says 503 and not 401."""
    issuer.up = False
    with pytest.raises(KeysUnreachable):
        await people.identity.caller(issuer.token(clock), [])
    issuer.up = True
    clock.move(31)
    await people.identity.caller(issuer.token(clock), [])
    issuer.up = False
    clock.move(7_200)
    await people.identity.caller(issuer.token(clock), [])
    clock.move(86_400)
    with pytest.raises(KeysUnreachable):
        await people.identity.caller(issuer.token(clock), [])
