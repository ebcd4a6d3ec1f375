"""Every route of the API document against every kind of bad token. Real SQLite, no Salesforce."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from orgbridge.services.scopes import SCOPES
from orgbridge.services.users import Grants
from tests.integration.test_api_contract import OPEN, check_problem
from tests.support.local_house import LoneService, lone_service


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """A service with a user who may do everything, and a token of that user."""

    service: LoneService
    identity: Any
    user: Any
    token: str

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Return the claims of the good token with some of them changed; None takes one out."""
        claims = jwt.decode(self.token, options={"verify_signature": False}) | changes
        return {name: value for name, value in claims.items() if value is not None}

    def signed(self, claims: dict[str, Any], **header: Any) -> str:
        """Return claims signed with the service's own key."""
        key = self.identity.keys.ring.signing
        return jwt.encode(
            claims, key.private, algorithm=key.algorithm, headers={"kid": key.kid, "typ": "at+jwt", **header}
        )


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """Give a service over a fresh folder."""
    async with lone_service(tmp_path) as service:
        app: Any = service.client._transport.app  # type: ignore[attr-defined] # the transport we made
        identity = app.state.services.identity
        user = await identity.create_user("root", "correct horse battery", is_admin=True)
        made = await identity.sign_in("root", "correct horse battery")
        yield House(service=service, identity=identity, user=user, token=made.token)


async def _guarded(service: LoneService) -> list[tuple[str, str, list[str]]]:
    document = (await service.client.get("/openapi.json")).json()
    found = []
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if (method, path) not in OPEN:
                ((_, scopes),) = operation["security"][0].items()
                found.append((method.upper(), re.sub(r"{\w+}", "x1", path), scopes))
    assert len(found) > 60
    return found


def _pem_of_public_key(house: House) -> bytes:
    public = house.identity.keys.ring.signing.private.public_key()
    return bytes(public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo))


def _hmac_with_public_key(house: House) -> str:
    # The library refuses to sign with a public key; an attacker's does not.

    def part(data: bytes) -> bytes:
        return base64.urlsafe_b64encode(data).rstrip(b"=")

    header = {"alg": "HS256", "typ": "at+jwt", "kid": house.identity.keys.kid}
    signed = part(json.dumps(header).encode()) + b"." + part(json.dumps(house.claims()).encode())
    signature = hmac.new(_pem_of_public_key(house), signed, hashlib.sha256).digest()
    return (signed + b"." + part(signature)).decode()


def _bad_tokens(house: House) -> dict[str, str]:
    now = int(time.time())
    head, body, signature = house.token.split(".")
    other = ed25519.Ed25519PrivateKey.generate()
    kid = house.identity.keys.kid
    return {
        "expired": house.signed(house.claims(exp=now - 1)),
        "not yet": house.signed(house.claims(nbf=now + 3600)),
        "wrong audience": house.signed(house.claims(aud="another")),
        "wrong issuer": house.signed(house.claims(iss="https://evil.example.com")),
        "no expiry": house.signed(house.claims(exp=None)),
        "no subject": house.signed(house.claims(sub=None)),
        "nobody": house.signed(house.claims(sub="user_none")),
        "not an access token": house.signed(house.claims(), typ="JWT"),
        "hs256 with the public key": _hmac_with_public_key(house),
        "none": jwt.encode(house.claims(), None, algorithm="none", headers={"kid": kid, "typ": "at+jwt"}),
        "another key": jwt.encode(house.claims(), other, algorithm="EdDSA", headers={"kid": kid, "typ": "at+jwt"}),
        "unknown key": jwt.encode(house.claims(), other, algorithm="EdDSA", headers={"kid": "k", "typ": "at+jwt"}),
        "tampered": f"{head}.{body[:-2]}{'AA' if body[-2:] != 'AA' else 'BB'}.{signature}",
        "cut": house.token[:-6],
        "garbage": "a.b.c",
        "empty parts": "..",
        "very long": "x" * 20_000,
    }


async def test_no_bad_token_opens_any_route(house: House) -> None:
    """Each is 401 problem JSON with a challenge that names the token as the fault, on every guarded route."""
    bad = _bad_tokens(house)
    for method, path, _ in await _guarded(house.service):
        reply = await house.service.client.request(method, path)
        check_problem(reply, 401, "identity.not_signed_in")
        assert reply.headers["www-authenticate"] == "Bearer", (method, path)
        for name, token in bad.items():
            reply = await house.service.client.request(method, path, headers={"Authorization": f"Bearer {token}"})
            assert reply.status_code == 401, (method, path, name, reply.text)
            check_problem(reply, 401, "identity.not_signed_in")
            assert reply.headers["www-authenticate"] == 'Bearer error="invalid_token"', (method, path, name)


async def test_every_route_needs_its_scopes(house: House) -> None:
    """A token with every other scope is 403, and the challenge names what is missing."""
    for method, path, needed in await _guarded(house.service):
        if not needed:
            continue
        scopes = " ".join(scope for scope in SCOPES if scope not in needed)
        headers = {"Authorization": f"Bearer {house.signed(house.claims(scope=scopes))}"}
        reply = await house.service.client.request(method, path, headers=headers)
        check_problem(reply, 403, "identity.scope_missing")
        wanted = f'Bearer error="insufficient_scope", scope="{" ".join(needed)}"'
        assert reply.headers["www-authenticate"] == wanted, (method, path)


async def test_a_disabled_user_is_out_of_every_route(house: House) -> None:
    """A token that worked a moment ago is 401 everywhere once its user is disabled."""
    headers = {"Authorization": f"Bearer {house.token}"}
    assert (await house.service.client.get("/api/v1/users/me", headers=headers)).status_code == 200
    async with house.identity._database.unit() as unit:
        await unit.users.update(house.user.id, disabled=True)
    house.identity.principals.forget()
    for method, path, _ in await _guarded(house.service):
        reply = await house.service.client.request(method, path, headers=headers)
        check_problem(reply, 401, "identity.not_signed_in")


#: Why a route of another organization does not open, whichever room says it.
_CLOSED = {"scope_missing", "not_granted"}


async def test_a_foreign_organization_is_closed_to_a_user_of_another(house: House) -> None:
    """Whoever is granted one organization, with every right short of administration, gets no route of another's."""
    app: Any = house.service.client._transport.app  # type: ignore[attr-defined] # the transport we made
    services = app.state.services
    own = await services.organizations.add_organization({"name": "Own"})
    foreign = await services.organizations.add_organization({"name": "Foreign"})
    rights = [scope for scope in SCOPES if scope != "admin"]
    user = await house.identity.create_user("buyer", "correct horse battery", scopes=rights)
    await services.users.grant(user.id, Grants(organizations=(own.id,), plants=(), machines=()), expected=None)
    token = (await house.identity.sign_in("buyer", "correct horse battery")).token
    headers = {"Authorization": f"Bearer {token}"}
    caller = await house.identity.caller(token, [])
    assert own.id in caller.organizations
    assert foreign.id not in caller.organizations
    paths = (await house.service.client.get("/openapi.json")).json()["paths"]
    asked = 0
    for path, methods in paths.items():
        if not re.search(r"{org(anization)?_id}", path):
            continue
        address = re.sub(r"{\w+}", "x1", re.sub(r"{org(anization)?_id}", foreign.id, path))
        for method in methods:
            reply = await house.service.client.request(method.upper(), address, headers=headers)
            # A missing body or condition may be told before anything is looked up.
            if reply.status_code not in (422, 428):
                assert reply.status_code == 403, f"{method} {address}: {reply.text}"
                assert reply.json()["code"].rpartition(".")[2] in _CLOSED, reply.text
            assert "Foreign" not in reply.text
            asked += 1
    assert asked >= 10
    told = await house.service.client.get("/api/v1/users/me", headers=headers)
    assert foreign.id not in told.text


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic cm9vdDpyb290", "Token abc", "bearer"])
async def test_other_ways_to_say_who_one_is_are_no_token(house: House, header: str) -> None:
    """Without a bearer token the answer is 401 with the plain challenge."""
    reply = await house.service.client.get("/api/v1/users/me", headers={"Authorization": header})
    check_problem(reply, 401, "identity.not_signed_in")
    assert reply.headers["www-authenticate"] == "Bearer"


async def test_a_refresh_token_is_no_access_token_and_the_other_way_round(house: House) -> None:
    """The public implementation takes any access token as a refresh token; here neither passes for the other."""
    made = await house.identity.sign_in("root", "correct horse battery")
    reply = await house.service.client.get(
        "/api/v1/users/me", headers={"Authorization": f"Bearer {made.refresh_token}"}
    )
    check_problem(reply, 401, "identity.not_signed_in")
    form = {"grant_type": "refresh_token", "refresh_token": made.token}
    body = check_problem(await house.service.client.post("/token", data=form), 400, "identity.refresh_token_invalid")
    assert body["error"] == "invalid_grant"
