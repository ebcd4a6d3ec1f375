"""The flaws of the public service that had this job before, as far as they are about signing in and safety.

Numbers are those of section 5 of the list. Covered here: 3 (as far as grants go), 4, 11, 13, 14, 15, 16, 19, 20.
Covered elsewhere: the repeated call of 7 in `test_idempotency`, 10 in `test_api_house` (the loop is not blocked), 12
and 23 in `test_buyers` and `test_client_emulator` (one host per session, flows without a password). The rest is about
carts and orders and waits for commerce: 1, 2, 5, 6, 7 (one transaction), 8, 9, 17, 18, 21, 22, 24, 25.
"""

from __future__ import annotations

import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jwt
import pytest

from orgbridge.services.key_rotation import SigningKeys
from orgbridge.soql import quote
from tests.integration.test_api_contract import check_problem
from tests.support.local_house import LoneService, lone_service

_PASSWORD = "correct horse battery"


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[LoneService]:
    """Give a service over a fresh folder."""
    async with lone_service(tmp_path) as running:
        yield running


def _app(service: LoneService) -> Any:
    return service.client._transport.app  # type: ignore[attr-defined] # the transport we made


async def test_flaw_03_grants_are_read_from_the_store_and_not_from_the_token(service: LoneService) -> None:
    """The token names no organization, plant or machine: nobody keeps what was taken away."""
    claims = jwt.decode(await service.token("records:read"), options={"verify_signature": False})
    assert not {"organizations", "plants", "machines"} & set(claims)


@pytest.mark.parametrize("text", ["x' OR Name != '", "\\' OR Id != null --", "a\nb", "%_"])
def test_flaw_04_text_cannot_leave_its_quotes(text: str) -> None:
    """What a caller says becomes one literal of a query, whatever is in it."""
    literal = quote(text)
    inner = literal[1:-1].replace("\\\\", "").replace("\\'", "")
    assert literal[0] == literal[-1] == "'"
    assert "'" not in inner
    assert "\n" not in literal


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "e30.e30.", "null", "Bearer", "é" * 40, "." * 5000])
async def test_flaw_11_a_broken_token_is_a_401_and_never_a_500(service: LoneService, token: str) -> None:
    """Nothing that stands where a token should makes the service stumble."""
    headers = {"Authorization": f"Bearer {token}".encode()}
    reply = await service.client.get("/api/v1/users/me", headers=headers)  # type: ignore[arg-type] # bytes are fine
    check_problem(reply, 401, "identity.not_signed_in")


async def test_flaw_11_a_user_who_is_gone_is_a_401(service: LoneService) -> None:
    """A good token of nobody is refused as any other."""
    identity = _app(service).state.services.identity
    user = await identity.create_user("ann", _PASSWORD, scopes=["records:read"])
    token = (await identity.sign_in("ann", _PASSWORD)).token
    async with identity._database.unit() as unit:
        await unit.users.update(user.id, disabled=True)
    identity.principals.forget()
    headers = {"Authorization": f"Bearer {token}"}
    check_problem(await service.client.get("/api/v1/users/me", headers=headers), 401, "identity.not_signed_in")


async def test_flaw_13_a_made_key_is_its_owners_alone_and_made_once(service: LoneService) -> None:
    """Mode 0600 in a folder of 0700, PEM read by a parser; no key stands in the source."""
    keys: SigningKeys = _app(service).state.services.identity.keys
    path = keys._config.path
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    root = Path(__file__).parents[2] / "src"
    hits = [file for file in root.rglob("*.py") if "-----BEGIN PRIVATE KEY-----\n" in file.read_text()]
    assert hits == []


async def test_flaw_14_what_salesforce_refuses_to_us_is_not_the_callers_401(service: LoneService) -> None:
    """Our sign-in fails: the caller, who is signed in well, gets a 503 that says so."""
    headers = {"Authorization": f"Bearer {await service.token('records:read')}"}
    reply = await service.client.get("/api/v1/limits", headers=headers)
    check_problem(reply, 503, "salesforce.sign_in_unavailable")


async def test_flaw_15_a_refused_sign_in_is_not_kept_as_an_answer(service: LoneService) -> None:
    """A failure is an error each time and never becomes an empty value."""
    headers = {"Authorization": f"Bearer {await service.token('records:read')}"}
    for _ in range(2):
        assert (await service.client.get("/api/v1/sobjects", headers=headers)).status_code == 503


async def test_flaw_16_a_204_has_no_body(service: LoneService) -> None:
    """Nor a length, nor a media type."""
    identity = _app(service).state.services.identity
    await identity.create_user("ann", _PASSWORD, scopes=["records:read"])
    headers = {"Authorization": f"Bearer {(await identity.sign_in('ann', _PASSWORD)).token}", "Idempotency-Key": "k"}
    reply = await service.client.delete("/api/v1/users/me/sessions", headers=headers)
    assert (reply.status_code, reply.content) == (204, b"")
    assert "content-type" not in reply.headers


def test_flaw_19_importing_needs_nothing_alive() -> None:
    """No module opens a database, a vault or a socket when it is imported."""
    program = (
        "import socket, sys\n"
        "def refuse(event, arguments):\n"
        "    if event in ('socket.connect', 'sqlite3.connect'): raise SystemExit(event)\n"
        "sys.addaudithook(refuse)\n"
        "import orgbridge.wiring.service, orgbridge.wiring.vault, orgbridge.wiring.worker, orgbridge.cli.main\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": ":".join(path for path in sys.path if path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


async def test_flaw_20_every_scope_of_a_route_is_needed(service: LoneService) -> None:
    """Having some other scope is not enough, and a scope that was taken away is gone although the token has it."""
    identity = _app(service).state.services.identity
    user = await identity.create_user("ann", _PASSWORD, scopes=["records:read", "bulk:read"])
    headers = {"Authorization": f"Bearer {(await identity.sign_in('ann', _PASSWORD)).token}"}
    body = {"object_name": "Account", "data": {"Name": "x"}}
    reply = await service.client.post("/api/v1/records/create", json=body, headers=headers)
    check_problem(reply, 403, "identity.scope_missing")
    assert (await service.client.get("/api/v1/bulk/jobs", headers=headers)).status_code == 200
    async with identity._database.unit() as unit:
        await unit.users.update(user.id, scopes=["records:read"])
    identity.principals.forget()
    check_problem(await service.client.get("/api/v1/bulk/jobs", headers=headers), 403, "identity.scope_missing")


async def test_flaw_refresh_an_access_token_is_no_refresh_token(service: LoneService) -> None:
    """Section 3 of the list: there, any access token could be refreshed, by disabled users too."""
    form = {"grant_type": "refresh_token", "refresh_token": await service.token("records:read")}
    check_problem(await service.client.post("/token", data=form), 400, "identity.refresh_token_invalid")
