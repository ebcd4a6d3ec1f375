"""A scripted stand-in for Salesforce's HTTP side: a real server on loopback that plays what a test lays down for it.

It knows the token endpoint and the 401 of an expired session; everything else is scripted per method and path. It
records every request as it came in. It evaluates nothing: for an org that behaves, there is the emulator.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
from collections import defaultdict, deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

#: Bodies beyond this are counted and hashed, not kept.
_KEPT_BYTES = 1024 * 1024
SESSION_EXPIRED = [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]


@dataclass(frozen=True)
class Recorded:
    """One request as it came in."""

    method: str
    #: Path and query string exactly as sent.
    target: str
    headers: dict[str, str]
    body: bytes
    body_bytes: int
    body_sha256: str

    def same_but_token(self, other: Recorded) -> bool:
        """Tell whether the two requests differ in nothing but their token."""
        mine = {name: value for name, value in self.headers.items() if name.lower() != "authorization"}
        theirs = {name: value for name, value in other.headers.items() if name.lower() != "authorization"}
        return (self.method, self.target, mine, self.body_bytes, self.body_sha256) == (
            other.method,
            other.target,
            theirs,
            other.body_bytes,
            other.body_sha256,
        )


@dataclass(frozen=True)
class Answer:
    """A reply: JSON, text or bytes."""

    status: int = 200
    json: Any = None
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    #: Packs the body when the client accepts gzip.
    gzipped: bool = False


@dataclass(frozen=True)
class Drop:
    """Close the connection: after the request was read whole, and with the reply begun when `half` is true."""

    half: bool = False


@dataclass(frozen=True)
class Hang:
    """Never answer, until the double is closed."""


@dataclass(frozen=True)
class Flood:
    """A reply of so many bytes, made on the fly; CSV-like lines."""

    total_bytes: int
    headers: dict[str, str] = field(default_factory=dict)


Script = Answer | Drop | Hang | Flood


class SalesforceDouble:
    """The server. Use it as an asynchronous context.

    Attributes:
        url: Its address.
        requests: All requests but those for tokens.
        token_forms: What was posted to the token endpoint.
        token_replies: Replies of the token endpoint; when empty it gives out a token.
        valid: Access tokens that are accepted.
        rude: Refuse an expired session with headers only and close the connection.
        hasty: Refuse an expired session before the request's body was read, and without recording it.
    """

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[Recorded] = []
        self.token_forms: list[dict[str, str]] = []
        self.token_replies: deque[Script] = deque()
        self.valid: set[str] = set()
        self.hasty = False
        self.rude = False
        self._scripts: dict[tuple[str, str], deque[Script]] = defaultdict(deque)
        self._closing = asyncio.Event()
        self._runner: web.AppRunner | None = None

    @property
    def token_url(self) -> str:
        """Address of the token endpoint."""
        return f"{self.url}/services/oauth2/token"

    def script(self, method: str, path: str, *replies: Script) -> None:
        """Lay down replies for a method and a path without query string; the last one is played again and again."""
        self._scripts[(method, path)].extend(replies)

    def expire(self) -> None:
        """Make all tokens given out so far invalid."""
        self.valid.clear()

    def seen(self, method: str, path: str) -> list[Recorded]:
        """Return the requests for a method and a path."""
        return [r for r in self.requests if r.method == method and r.target.partition("?")[0] == path]

    async def __aenter__(self) -> SalesforceDouble:
        app = web.Application(client_max_size=2**40)
        app.router.add_post("/services/oauth2/token", self._token)
        app.router.add_route("*", "/{rest:.*}", self._call)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _token(self, request: web.Request) -> web.StreamResponse:
        form = dict(parse_qsl(await request.text()))
        self.token_forms.append(form)
        if self.token_replies:
            return await self._play(request, self.token_replies.popleft())
        token = f"00D000000000001!AQ.token{len(self.token_forms)}"
        self.valid.add(token)
        return web.json_response(
            {
                "access_token": token,
                "instance_url": self.url,
                "id": "https://login.salesforce.com/id/00D000000000001AAA/005000000000001AAA",
                "token_type": "Bearer",
                "issued_at": "1435269304714",
                "signature": "c2ln",
            }
        )

    async def _call(self, request: web.Request) -> web.StreamResponse:
        scripts = self._scripts.get((request.method, request.path))
        script: Script = (
            scripts[0] if scripts else Answer(status=404, json=[{"errorCode": "NOT_FOUND", "message": "?"}])
        )
        authorized = request.headers.get("Authorization", "").removeprefix("Bearer ") in self.valid
        if not authorized and self.hasty:
            return web.json_response(SESSION_EXPIRED, status=401)
        self.requests.append(await _record(request))
        if not authorized and self.rude:
            cut = web.StreamResponse(status=401, headers={"Content-Length": "100"})
            await cut.prepare(request)
            if request.transport is not None:
                request.transport.close()
            return cut
        if not authorized:
            return web.json_response(SESSION_EXPIRED, status=401)
        if scripts and len(scripts) > 1:
            scripts.popleft()
        return await self._play(request, script)

    async def _play(self, request: web.Request, script: Script) -> web.StreamResponse:
        match script:
            case Answer():
                body = json.dumps(script.json).encode() if script.json is not None else script.body or b""
                headers = dict(script.headers)
                if script.json is not None:
                    headers.setdefault("Content-Type", "application/json;charset=UTF-8")
                if script.gzipped and "gzip" in request.headers.get("Accept-Encoding", ""):
                    body, headers["Content-Encoding"] = gzip.compress(body), "gzip"
                return web.Response(status=script.status, body=body, headers=headers)
            case Drop():
                response = web.StreamResponse(headers={"Content-Length": "1000"})
                if script.half:
                    await response.prepare(request)
                    await response.write(b"half of it")
                if request.transport is not None:
                    request.transport.close()
                return response
            case Hang():
                await self._closing.wait()
                return web.Response(status=500)
            case Flood():
                response = web.StreamResponse(headers={"Content-Type": "text/csv", **script.headers})
                await response.prepare(request)
                async for block in blocks(script.total_bytes):
                    await response.write(block)
                return response


async def blocks(total_bytes: int, size: int = 256 * 1024) -> AsyncIterator[bytes]:
    """Give so many bytes of lines, in blocks, without ever holding more than one."""
    block = (b"x" * 63 + b"\n") * (size // 64)
    left = total_bytes
    while left > 0:
        yield block[:left]
        left -= size


async def _record(request: web.Request) -> Recorded:
    digest, size, kept = hashlib.sha256(), 0, bytearray()
    async for chunk in request.content.iter_any():
        digest.update(chunk)
        size += len(chunk)
        if len(kept) < _KEPT_BYTES:
            kept += chunk
    return Recorded(
        method=request.method,
        target=request.raw_path,
        headers=dict(request.headers),
        body=bytes(kept[:_KEPT_BYTES]),
        body_bytes=size,
        body_sha256=digest.hexdigest(),
    )
