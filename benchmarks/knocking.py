"""A load generator that costs little: kept-alive connections that send the same request again and again."""

from __future__ import annotations

import asyncio
import re
import time
from typing import cast

import uvloop

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class _Knocker(asyncio.Protocol):
    """One connection: sends a request, waits for the whole reply, sends the next."""

    def __init__(self, request: bytes, until: float) -> None:
        self._request = request
        self._until = until
        self._got = b""
        self.done = 0
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclass of asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._got += data
        head, separator, body = self._got.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not separator or len(body) < (int(length.group(1)) if length else 0):
            return
        if not head.startswith(b"HTTP/1.1 2"):
            self._end(RuntimeError(self._got[:300].decode(errors="replace")))
            return
        self._got = b""
        self.done += 1
        if time.perf_counter() < self._until:
            self._transport.write(self._request)
        else:
            self._end(None)

    def connection_lost(self, error: Exception | None) -> None:
        self._end(error or RuntimeError("the server closed the connection"))

    def _end(self, error: Exception | None) -> None:
        if not self.ended.done():
            if error is None:
                self.ended.set_result(None)
            else:
                self.ended.set_exception(error)
            self._transport.close()


def calls_per_second(port: int, request: bytes, connections: int, seconds: float) -> float:
    """Send a request over so many connections for so long; return how many replies came in a second.

    Raises:
        RuntimeError: A reply was none of 2xx.
    """

    async def knock() -> float:
        loop, began = asyncio.get_running_loop(), time.perf_counter()
        knockers = []
        for _ in range(connections):
            _, knocker = await loop.create_connection(lambda: _Knocker(request, began + seconds), "127.0.0.1", port)
            knockers.append(knocker)
        await asyncio.gather(*(knocker.ended for knocker in knockers))
        return sum(knocker.done for knocker in knockers) / (time.perf_counter() - began)

    return uvloop.run(knock())


def request_bytes(method: str, path: str, headers: dict[str, str], body: bytes = b"") -> bytes:
    """Return a whole HTTP/1.1 request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join((*lines, "", "")).encode() + body
