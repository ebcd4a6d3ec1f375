"""Pure ASGI around the dispatcher: trouble on demand outermost, then compression both ways."""

from __future__ import annotations

import zlib
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from starlette.datastructures import Headers
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orgbridge.emulator.faults import Cut, Faults, RequestFault
from orgbridge.emulator.http.faultreplies import fault_response
from orgbridge.emulator.http.heads import headers_of, with_headers
from orgbridge.emulator.http.replies import json_reply
from orgbridge.emulator.http.requestlog import CONTROL_PATH, note_fault
from orgbridge.kit.clock import Clock

#: Key in `scope["extensions"]` of a function that drops the connection; the server in `wiring` puts it there.
CUT_EXTENSION = "orgbridge.cut"
_OUT = 1 << 20


class Lanes:
    """Takes a request past the layers when none of them would do anything with it: no fault, nothing packed.

    Args:
        app: The application itself.
        layers: The application within its layers.
        faults: The orders for trouble.
    """

    def __init__(self, app: ASGIApp, layers: ASGIApp, faults: Faults) -> None:
        self._app = app
        self._layers = layers
        self._faults = faults

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Pass the request on."""
        plain = self._faults.quiet and scope["type"] == "http"
        if plain:
            headers = headers_of(scope)
            plain = "content-encoding" not in headers and "gzip" not in headers.get("accept-encoding", "")
        return (self._app if plain else self._layers)(scope, receive, send)


class FaultMiddleware:
    """Carries out the orders for requests: delays, replaced replies, cut connections."""

    def __init__(self, app: ASGIApp, faults: Faults, clock: Clock) -> None:
        self._app = app
        self._faults = faults
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, harmed as ordered."""
        if scope["type"] != "http" or scope["path"].startswith(CONTROL_PATH):
            await self._app(scope, receive, send)
            return
        fault = self._faults.take(scope["method"], scope["path"])
        if fault is None:
            await self._app(scope, receive, send)
            return
        note_fault(scope, fault)
        if fault.delay_seconds:
            await self._clock.sleep(fault.delay_seconds)
        match fault.cut:
            case Cut.BEFORE:
                _cut(scope)
            case Cut.AFTER:
                await self._app(scope, receive, _swallow)
                _cut(scope)
            case Cut.UPLOAD:
                upload = _CutUpload(receive, send, fault.after_bytes)
                await self._app(scope, upload.receive, upload.send)
                if upload.is_cut:
                    _cut(scope)
            case Cut.DOWNLOAD:
                await self._app(scope, receive, _CutDownload(scope, send, fault.after_bytes))
            case None:
                await self._replace(fault, scope, receive, send)

    async def _replace(self, fault: RequestFault, scope: Scope, receive: Receive, send: Send) -> None:
        if fault.status is None:
            await self._app(scope, receive, send)
            return
        if fault.effect:
            await self._app(scope, receive, _swallow)
        else:
            await _drain(receive)
        reply = fault_response(fault, fault.status, scope["path"], Headers(scope=scope))
        await reply(scope, receive, send)


class _CutUpload:
    """Both ends of a call that loses its caller once so many bytes of the body came in; its reply goes nowhere."""

    def __init__(self, receive: Receive, send: Send, after_bytes: int) -> None:
        self._receive = receive
        self._send = send
        self._left = after_bytes
        self.is_cut = False

    async def receive(self) -> Message:
        if self.is_cut:
            return {"type": "http.disconnect"}
        message = await self._receive()
        if message["type"] != "http.request":
            return message
        body: bytes = message.get("body", b"")
        if len(body) < self._left and message.get("more_body", False):
            self._left -= len(body)
            return message
        # A body shorter than the order says is cut at its end: it must not count as whole.
        self.is_cut = True
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if not self.is_cut:
            await self._send(message)


class _CutDownload:
    """A `send` that drops the connection once so many bytes of the reply's body went out."""

    def __init__(self, scope: Scope, send: Send, after_bytes: int) -> None:
        self._scope = scope
        self._send = send
        self._left = after_bytes
        self._gone = False

    async def __call__(self, message: Message) -> None:
        if self._gone:
            return
        body: bytes = message.get("body", b"") if message["type"] == "http.response.body" else b""
        ends = message["type"] == "http.response.body" and not message.get("more_body", False)
        if message["type"] != "http.response.body" or (len(body) < self._left and not ends):
            self._left -= len(body)
            await self._send(message)
            return
        self._gone = True
        # Of a reply shorter than the order says the last byte is withheld, so that nobody takes it for whole.
        part = body[: self._left] if len(body) > self._left else body[:-1]
        await self._send({"type": "http.response.body", "body": part, "more_body": True})
        _cut(self._scope)


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
        if scope["type"] != "http" or "content-encoding" not in headers_of(scope):
            await self._app(scope, receive, send)
            return
        match headers_of(scope)["content-encoding"].strip().lower():
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


class CompressionMiddleware:
    """Packs replies for callers that take gzip, and leaves those of all others alone."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._packing = GZipMiddleware(app, minimum_size=500, compresslevel=1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and pack its reply if the caller takes that."""
        packs = scope["type"] == "http" and "gzip" in headers_of(scope).get("accept-encoding", "")
        await (self._packing if packs else self._app)(scope, receive, send)


def _without_length(scope: Scope) -> Scope:
    dropped = (b"content-encoding", b"content-length")
    return with_headers(scope, [pair for pair in scope["headers"] if pair[0].lower() not in dropped])


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
