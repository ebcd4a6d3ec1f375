"""No secret comes out anywhere: a broad scenario over a real service, and a search of everything it said."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import httpx2
import pytest

from orgbridge.wiring.service import build_app
from orgbridge.wiring.startup import start_logs
from tests.support.databases import migrate
from tests.support.local_house import QUICK_HASH, lone_settings

_PASSWORD, _WRONG, _NEW = "c0rrect-horse-battery", "wr0ng-horse-battery", "n3w-horse-battery"


async def test_no_secret_is_in_anything_that_was_said(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Logs of all levels, standard output, problems and the audit: none holds a password, secret, key or token."""
    said: list[str] = []
    settings = lone_settings(
        tmp_path,
        log_level="DEBUG",
        log_filename=tmp_path / "service.log",
        orgbridge_admin_username="root",
        orgbridge_admin_password=_PASSWORD,
        orgbridge_audit_values=True,
        orgbridge_audit_reads=True,
    )
    root = logging.getLogger()
    before = (list(root.handlers), root.level)
    try:
        start_logs(settings)
        await asyncio.to_thread(migrate, settings.database_url)
        app = build_app(settings, QUICK_HASH)
        async with app.router.lifespan_context(app):
            transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
            async with httpx2.AsyncClient(transport=transport, base_url="http://service") as client:
                secrets = await _scenario(client, said)
    finally:
        for handler in list(root.handlers):
            if handler not in before[0]:
                root.removeHandler(handler)
                handler.close()
        for handler in before[0]:
            if handler not in root.handlers:
                root.addHandler(handler)
        root.setLevel(before[1])
    captured = capfd.readouterr()
    said += [captured.out, captured.err, (tmp_path / "service.log").read_text()]
    secrets |= {secret for secret in settings.secrets() if secret}
    secrets.add(next((tmp_path / "keys").glob("*.pem")).read_text().splitlines()[1])
    text = "\n".join(said)
    assert len(secrets) > 10
    assert "sign_in_refused" in text
    leaked = [f"{secret[:3]}… ({len(secret)})" for secret in secrets if secret in text]
    assert leaked == []


async def _scenario(client: httpx2.AsyncClient, said: list[str]) -> set[str]:
    secrets = {_PASSWORD, _WRONG, _NEW}

    async def ask(method: str, path: str, *, silent: bool = False, **more: Any) -> httpx2.Response:
        reply = await client.request(method, path, **more)
        if not silent:
            # What hands a secret out once, on purpose, is not searched.
            said.append(f"{reply.status_code} {dict(reply.headers)} {reply.text}")
        return reply

    form = {"username": "root", "password": _PASSWORD}
    signed = (await ask("POST", "/token", silent=True, data=form)).json()
    await ask("POST", "/token", data={"username": "root", "password": _WRONG})
    await ask("POST", "/token", data={"username": _PASSWORD, "password": "x" * 5000})
    again = (
        await ask(
            "POST",
            "/token",
            silent=True,
            data={"grant_type": "refresh_token", "refresh_token": signed["refresh_token"]},
        )
    ).json()
    secrets |= {signed["access_token"], signed["refresh_token"], again["access_token"], again["refresh_token"]}
    auth = {"Authorization": f"Bearer {again['access_token']}"}
    account = {"name": "robot", "scopes": ["records:read"]}
    made = await ask("POST", "/api/v1/service-accounts", silent=True, json=account, headers=auth)
    assert made.status_code == 201, made.text
    robot = made.json()
    path = f"/api/v1/service-accounts/{robot['id']}/secrets"
    more = (await ask("POST", path, silent=True, json={}, headers=auth)).json()
    await ask("GET", path, headers=auth)
    secrets |= {robot["client_secret"], more["client_secret"]}
    grant = {"grant_type": "client_credentials"}
    pair = (robot["id"], more["client_secret"])
    secrets.add((await ask("POST", "/token", silent=True, data=grant, auth=pair)).json()["access_token"])
    await ask("POST", "/token", data=grant, auth=(robot["id"], _WRONG))
    await ask("POST", "/api/v1/users", json={"username": "eve", "password": _NEW}, headers=auth)
    await ask("POST", "/api/v1/users", json={"username": "eve", "password": _NEW, "oops": 1}, headers=auth)
    await ask("POST", "/api/v1/users", content=f'{{"username": "eve", "password": "{_NEW}"'.encode(), headers=auth)
    await ask("PUT", "/api/v1/users/me/password", json={"current_password": _WRONG, "new_password": _NEW}, headers=auth)
    await ask(
        "POST",
        "/api/v1/records/create",
        json={"object_name": "Account", "data": {"Name": "x", "password": _NEW}},
        headers={**auth, "Idempotency-Key": "k"},
    )
    for path in ("/api/v1/limits", "/health/ready", "/metrics", "/api/v1/sobjects", "/openapi.json"):
        await ask("GET", path, headers=auth)
    for token in (again["access_token"][:-3], f"{again['access_token']}x", "a.b.c"):
        await ask("GET", "/api/v1/users/me", headers={"Authorization": f"Bearer {token}"})
    await ask("GET", f"/api/v1/users/me?token={again['access_token']}", headers=auth)
    await ask("GET", "/api/v1/audit?limit=200", headers=auth)
    await ask("POST", "/token/revoke", data={"token": again["refresh_token"]})
    return secrets
