"""Pure ASGI around the dispatcher: trouble on demand outermost, then compression both ways."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any, Protocol

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orgbridge.emulator.faults import Cut, Faults
from orgbridge.emulator.http.replies import json_reply
from orgbridge.kit.clock import Clock

#: Key in `scope["extensions"]` of a function that drops the connection; the server in `wiring` puts it there.
CUT_EXTENSION = "orgbridge.cut"
_ADMIN = "/__emulator"
_OUT = 1 << 20


class FaultMiddleware:
    """Carries out the orders for requests: delays, replaced replies, cut connections."""

    def __init__(self, app: ASGIApp, faults: Faults, clock: Clock) -> None:
        self._app = app
        self._faults = faults
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, harmed as ordered."""
        if scope["type"] != "http" or scope["path"].startswith(_ADMIN):
            await self._app(scope, receive, send)
            return
        fault = self._faults.take(scope["method"], scope["path"])
        if fault is None:
            await self._app(scope, receive, send)
            return
        if fault.delay_seconds:
            await self._clock.sleep(fault.delay_seconds)
        if fault.cut is Cut.BEFORE:
            _cut(scope)
            return
        if fault.cut is Cut.AFTER or (fault.status is not None and fault.effect):
            await self._app(scope, receive, _swallow)
        if fault.cut is Cut.AFTER:
            _cut(scope)
        elif fault.status is not None:
            reply: Response = json_reply([{"message": fault.message, "errorCode": fault.error_code}], fault.status)
            if not fault.effect:
                await _drain(receive)
            await reply(scope, receive, send)
        else:
            await self._app(scope, receive, send)


async def _swallow(_message: Message) -> None:
    return None


async def _drain(receive: Receive) -> None:
    """Read what is left of the body, so that the reply reaches a client that is still sending."""
    while True:
        message = await receive()
        if message["type"] != "http.request" or not message.get("more_body", False):
            return


def _cut(scope: Scope) -> None:
    cut: Callable[[], None] | None = scope.get("extensions", {}).get(CUT_EXTENSION)
    if cut is None:
        raise ConnectionResetError("the connection was cut on demand")
    cut()


class _Inflater(Protocol):
    @property
    def unconsumed_tail(self) -> bytes: ...

    @property
    def unused_data(self) -> bytes: ...

    @property
    def eof(self) -> bool: ...

    def decompress(self, data: bytes, max_length: int = 0, /) -> bytes: ...


class InflateMiddleware:
    """Unpacks request bodies sent with `Content-Encoding: gzip` or `deflate`, piece by piece.

    A damaged body counts as a connection that broke: the call sees a disconnect and keeps nothing.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with its body unpacked."""
        encoding = Headers(scope=scope).get("content-encoding", "identity") if scope["type"] == "http" else "identity"
        match encoding.strip().lower():
            case "identity" | "":
                await self._app(scope, receive, send)
            case "gzip" | "x-gzip":
                await self._app(_without_length(scope), _Inflated(receive, zlib.decompressobj(31)), send)
            case "deflate":
                await self._app(_without_length(scope), _Inflated(receive, zlib.decompressobj()), send)
            case other:
                text = f"Content-Encoding {other!r} is not supported"
                reply = json_reply([{"message": text, "errorCode": "UNSUPPORTED_MEDIA_TYPE"}], 415)
                await reply(scope, receive, send)


def _without_length(scope: Scope) -> Scope:
    dropped = (b"content-encoding", b"content-length")
    return {**scope, "headers": [pair for pair in scope["headers"] if pair[0].lower() not in dropped]}


class _Inflated:
    """A `receive` that gives the unpacked body, at most a mebibyte at a time."""

    def __init__(self, receive: Receive, inflater: _Inflater) -> None:
        self._receive = receive
        self._inflater = inflater
        self._packed = b""
        self._more = True

    async def __call__(self) -> dict[str, Any]:
        if not self._packed:
            if not self._more:
                return dict(await self._receive())
            message = await self._receive()
            if message["type"] != "http.request":
                return dict(message)
            self._packed, self._more = message.get("body", b""), message.get("more_body", False)
        try:
            body = self._inflater.decompress(self._packed, _OUT)
        except zlib.error:
            return {"type": "http.disconnect"}
        self._packed = self._inflater.unconsumed_tail
        pending = bool(self._packed) or self._more
        if self._inflater.unused_data or (not pending and not self._inflater.eof):
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": body, "more_body": pending}
