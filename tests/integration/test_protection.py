"""Limits, headers, hosts and proxies of the web edge. Real SQLite, real uvicorn, no Salesforce."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from orgbridge.wiring.service import build_app, server_config
from tests.integration.test_api_contract import check_problem
from tests.support.databases import migrate
from tests.support.local_house import LoneService, lone_service, lone_settings


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[LoneService]:
    """Give a service over a fresh folder."""
    async with lone_service(tmp_path) as running:
        yield running


async def test_a_caller_has_so_many_calls_and_no_more(tmp_path: Path) -> None:
    """Each reply says what is left; the call after the last is a 429 with when to come back; others are not hurt."""
    async with lone_service(tmp_path, orgbridge_rate_limit_read="3/hour") as service:
        ann = {"Authorization": f"Bearer {await service.token('records:read')}"}
        bob = {"Authorization": f"Bearer {await service.token('records:read')}"}
        left = []
        for _ in range(3):
            reply = await service.client.get("/api/v1/users/me", headers=ann)
            assert reply.headers["ratelimit-policy"] == '"read";q=3;w=3600'
            left.append(reply.headers["ratelimit"].split(";")[1])
        assert left == ["r=2", "r=1", "r=0"]
        refused = await service.client.get("/api/v1/users/me", headers=ann)
        assert check_problem(refused, 429, "limit.rate_exceeded")["retryable"] is True
        assert int(refused.headers["retry-after"]) >= 1
        assert refused.headers["ratelimit"].startswith('"read";r=0;t=')
        assert (await service.client.get("/api/v1/users/me", headers=bob)).status_code == 200
        # Another kind of call has its own count.
        reply = await service.client.post("/api/v1/roles", json={}, headers=ann)
        assert reply.status_code != 429


async def test_calls_without_a_token_are_counted_by_address(tmp_path: Path) -> None:
    """Who tries tokens or passwords meets the limit too."""
    async with lone_service(
        tmp_path, orgbridge_rate_limit_read="2/hour", orgbridge_rate_limit_token="2/hour"
    ) as service:
        codes = [(await service.client.get("/api/v1/users/me")).status_code for _ in range(3)]
        assert codes == [401, 401, 429]
        form = {"username": "ann", "password": "wrong"}
        codes = [(await service.client.post("/token", data=form)).status_code for _ in range(3)]
        assert codes == [401, 401, 429]


async def test_limits_can_be_taken_off(tmp_path: Path) -> None:
    """`off` counts nothing and says nothing."""
    async with lone_service(tmp_path, orgbridge_rate_limit_read="off") as service:
        reply = await service.client.get("/api/v1/users/me")
        assert "ratelimit" not in reply.headers


async def test_every_reply_is_hardened(service: LoneService) -> None:
    """Answers, errors and pages: no sniffing, no framing, no referrer, no caching of what is private."""
    token = await service.token("records:read")
    for path in ("/health", "/nowhere", "/api/v1/users/me", "/docs", "/openapi.json"):
        reply = await service.client.get(path, headers={"Authorization": f"Bearer {token}"})
        told = reply.headers
        assert told["x-content-type-options"] == "nosniff"
        assert told["x-frame-options"] == "DENY"
        assert told["referrer-policy"] == "no-referrer"
        assert "frame-ancestors 'none'" in told["content-security-policy"]
        assert told["cache-control"] == "no-store", path
        assert "strict-transport-security" not in told
    assert "script-src" not in (await service.client.get("/health")).headers["content-security-policy"]
    keys = await service.client.get("/.well-known/jwks.json")
    assert keys.headers["cache-control"] == "public, max-age=300"


async def test_https_only_is_said_when_the_setting_asks(tmp_path: Path) -> None:
    """ORGBRIDGE_HSTS_SECONDS."""
    async with lone_service(tmp_path, orgbridge_hsts_seconds=600) as service:
        told = (await service.client.get("/health")).headers["strict-transport-security"]
        assert told == "max-age=600; includeSubDomains"


async def test_another_host_is_refused_when_the_setting_names_ours(tmp_path: Path) -> None:
    """A name that is not listed gets a 421; probes come by address and pass."""
    async with lone_service(tmp_path, orgbridge_allowed_hosts="api.example.com,*.acme.test") as service:
        get = service.client.get
        for host in ("api.example.com", "API.example.com:8443", "eu.acme.test"):
            assert (await get("/openapi.json", headers={"Host": host})).status_code == 200, host
        for host in ("evil.example.com", "acme.test", "api.example.com.evil.test", "[::1]:8000", ""):
            check_problem(await get("/openapi.json", headers={"Host": host}), 421, "request.host_refused")
        assert (await get("/health/live", headers={"Host": "10.0.0.7:8000"})).status_code == 200


@pytest.mark.parametrize("origin", ["https://evil.example.com", "null", "https://console.example.com.evil.test"])
async def test_cors_is_for_the_named_origins_only(service: LoneService, origin: str) -> None:
    """BACKEND_CORS_ORIGINS: others get no permission, not even for a look."""
    reply = await service.client.get("/health", headers={"Origin": origin})
    assert "access-control-allow-origin" not in reply.headers
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    reply = await service.client.options("/api/v1/records/create", headers=asked)
    assert reply.status_code == 400
    assert "access-control-allow-origin" not in reply.headers
    good = await service.client.get("/health", headers={"Origin": "https://console.example.com"})
    assert good.headers["access-control-allow-origin"] == "https://console.example.com"
    assert good.headers["vary"] == "Origin"


# A real server on loopback


@asynccontextmanager
async def _served(app: Any, **config: Any) -> AsyncIterator[int]:
    sock = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(server_config(app, **config))
    task = asyncio.create_task(server._serve([sock]))
    while not server.started:
        assert not task.done()
        await asyncio.wait({task}, timeout=0.01)
    try:
        yield sock.getsockname()[1]
    finally:
        server.should_exit = True
        await task


async def _raw(port: int, data: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    await writer.drain()
    writer.write_eof()
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    return answer


_POST = b"POST /token HTTP/1.1\r\nHost: a\r\n"


@pytest.mark.parametrize(
    "request_bytes",
    [
        _POST
        + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /health HTTP/1.1\r\nHost: a\r\n\r\n",
        _POST + b"Content-Length: 0\r\nContent-Length: 27\r\n\r\nGET /health HTTP/1.1\r\n\r\n",
        _POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        _POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost : a\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: a\r\n folded: b\r\nX-A b\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nhello",
    ],
    ids=["cl-te", "cl-cl", "te-odd", "te-te", "host-host", "space", "nul", "fold", "cl-sign"],
)
async def test_what_two_servers_could_read_differently_is_refused(tmp_path: Path, request_bytes: bytes) -> None:
    """At most one answer, and it is a refusal: nothing is smuggled behind."""
    settings = lone_settings(tmp_path)
    await asyncio.to_thread(migrate, settings.database_url)
    async with _served(build_app(settings)) as port:
        answer = await _raw(port, request_bytes)
    assert answer.count(b"HTTP/1.1 ") <= 1
    assert answer == b"" or answer.startswith(b"HTTP/1.1 4"), answer[:200]


@pytest.mark.parametrize(("proxies", "seen"), [((), "127.0.0.1"), (("127.0.0.1",), "203.0.113.7")])
async def test_a_forwarded_address_is_believed_from_named_proxies_only(proxies: tuple[str, ...], seen: str) -> None:
    """Without ORGBRIDGE_TRUSTED_PROXIES nobody can choose the address that limits and audit see."""
    found: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            for kind in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{kind}.complete"})
            return
        found.append(scope["client"][0])
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async with _served(app, proxies=proxies) as port:
        await _raw(port, b"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 203.0.113.7\r\nConnection: close\r\n\r\n")
    assert found == [seen]
