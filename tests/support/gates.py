"""The only way of a process to its org, which may be held shut before any request leaves and before any reply comes.

A kill at an exact moment needs no failpoint in the program: whoever waits at the gate has just sent, or is about to be
answered, and is killed there.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

#: Requests that belong to no order: signing in, and what workers look after in the background.
_OTHERS = ("/services/oauth2/", "/jobs/", "/limits", "/_emulator")
_ID = re.compile(r"(?<=/)[0-9a-zA-Z]{2}[0-9a-zA-Z]{13}(?:[0-9A-Z]{3})?(?=/|$)")
_VERSION = re.compile(r"^/services/data/v[0-9.]+")
_FROM = re.compile(r"\bFROM\s+(\w+)")


@dataclass(frozen=True, slots=True)
class Passage:
    """One request at the gate."""

    #: Method, path without ids, and of a query the object.
    key: str
    #: How often this key has come, the same one several times in a row counted once.
    ordinal: int


#: Told of a passage; False drops it, and its connection.
Watch = Callable[[Passage], Awaitable[bool]]


async def _let_pass(_: Passage) -> bool:
    return True


async def _let_go_on(_: str) -> None:
    return None


class Gate:
    """Passes HTTP requests on to the org, one connection each.

    Attributes:
        on_request: Asked before a request of an order is passed on.
        on_reply: Asked when its reply is there, before it is given.
        on_other: Told of the path of a request that belongs to no order, a sign-in for example, before it is passed on.
        in_flight: Requests that wait for their reply now.
        passed: How many requests have come.
    """

    def __init__(self, org_port: int, port: int) -> None:
        self._org_port = org_port
        self.url = f"http://127.0.0.1:{port}"
        self._port = port
        self._server: asyncio.Server | None = None
        self.on_request: Watch = _let_pass
        self.on_reply: Watch = _let_pass
        self.on_other: Callable[[str], Awaitable[None]] = _let_go_on
        self.in_flight = self.passed = 0
        self._counts: dict[str, int] = {}
        self._last = ""

    def reset(self) -> None:
        """Count from the beginning and let everything pass."""
        self.on_request = self.on_reply = _let_pass
        self.on_other = _let_go_on
        self._counts, self._last = {}, ""

    async def open(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port, limit=1 << 24)

    def shut(self) -> None:
        """Refuse connections, as a machine does on which nothing listens."""
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            body = await _body(reader, head)
            self.passed += 1
            self.in_flight += 1
            try:
                reply = await self._carry(head, body)
            finally:
                self.in_flight -= 1
                self.passed += 1
            if reply is not None:
                writer.write(reply)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _carry(self, head: bytes, body: bytes) -> bytes | None:
        line, _, rest = head.partition(b"\r\n")
        passage = self._passage(line.decode())
        if passage is None:
            await self.on_other(line.decode().split(" ")[1])
        elif not await self.on_request(passage):
            return None
        upstream, out = await asyncio.open_connection("127.0.0.1", self._org_port)
        try:
            kept = [one for one in rest.split(b"\r\n") if one and not one.lower().startswith(b"connection:")]
            out.write(b"\r\n".join([line, *kept, b"Connection: close", b"", b""]) + body)
            await out.drain()
            reply = await upstream.read()
        finally:
            out.close()
        if not reply or (passage is not None and not await self.on_reply(passage)):
            return None
        return reply

    def _passage(self, line: str) -> Passage | None:
        method, target, _ = line.split(" ")
        parts = urlsplit(target)
        if any(part in parts.path for part in _OTHERS):
            return None
        path = _ID.sub("*", _VERSION.sub("", parts.path))
        asked = parse_qs(parts.query).get("q")
        if path.rstrip("/").endswith("/query") and asked:
            found = _FROM.findall(asked[0])
            path = f"query {found[-1 if 'SELECT' not in asked[0][7:] else 0]}"
        key = f"{method} {path}"
        if key != self._last:
            self._counts[key] = self._counts.get(key, 0) + 1
            self._last = key
        return Passage(key, self._counts[key])


async def _body(reader: asyncio.StreamReader, head: bytes) -> bytes:
    fields = dict(one.lower().split(b":", 1) for one in head.split(b"\r\n")[1:] if b":" in one)
    if b"chunked" in fields.get(b"transfer-encoding", b""):
        chunks = []
        while True:
            size = await reader.readuntil(b"\r\n")
            chunks.append(size + await reader.readexactly(int(size, 16) + 2))
            if int(size, 16) == 0:
                return b"".join(chunks)
    return await reader.readexactly(int(fields.get(b"content-length", b"0")))
