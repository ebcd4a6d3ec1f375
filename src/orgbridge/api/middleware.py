"""The outermost layers of a request, pure ASGI: id, log line, figures, the last error edge, and the body limit.

Nothing here derives from Starlette's BaseHTTPMiddleware, which halves throughput (facts/http.md).
"""

from __future__ import annotations

import re
from collections.abc import Container

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orgbridge.api.directory import Directory
from orgbridge.api.errors import problem
from orgbridge.api.hardening import SecurityHeaders
from orgbridge.api.traffic import CALLER
from orgbridge.kit import traces
from orgbridge.kit.clock import Clock
from orgbridge.kit.identifiers import instant_of, new_identifier
from orgbridge.kit.logs import get_logger
from orgbridge.services.scopes import Caller
from orgbridge.services.telemetry import Telemetry

REQUEST_ID = b"x-request-id"
_TRACEPARENT = traces.TRACEPARENT.encode()
_USABLE_ID = re.compile(rb"[A-Za-z0-9._-]{1,128}\Z")
#: Route of requests that matched none: the path itself would make endless series of figures.
_NO_ROUTE = "(none)"
#: Methods that become labels of figures; any other word is one label.
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
log = get_logger("orgbridge.access")


class Edge:
    """Gives every request an id, logs and counts it, and turns a fault of our own into a 500 without its text."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        telemetry: Telemetry,
        clock: Clock,
        prefix: str,
        headers: SecurityHeaders,
        directory: Directory,
    ) -> None:
        self._app = app
        self._directory = directory
        self._headers = headers
        self._prefix = prefix
        self._telemetry = telemetry
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id, trace = self._told(scope)
        scope["orgbridge_request_id"] = request_id
        # Each request has a task of its own or sets this anew: of one connection they come one after another.
        traces.carry(trace)
        started = self._clock.monotonic()
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = message.setdefault("headers", [])
                headers.append((REQUEST_ID, request_id.encode()))
                self._headers.add(scope["path"], headers)
            await send(message)

        bound = {"request_id": request_id}
        if (trace_id := traces.trace_id()) is not None:
            bound["trace_id"] = trace_id
        structlog.contextvars.bind_contextvars(**bound)
        with self._telemetry.began() as salesforce:
            try:
                await self._app(scope, receive, send_with_id)
            except Exception:
                self._telemetry.crashed()
                log.exception("request_crashed", method=scope["method"], route=self._route(scope))
                if status == 0:
                    reply = problem(
                        request_id,
                        scope["path"],
                        status=500,
                        code="internal",
                        detail="The service met a fault of its own; its log has the details under this request_id.",
                    )
                    await reply(scope, receive, send_with_id)
                # A reply that has begun is left unfinished, so that the server cuts the connection and nobody takes
                # half a stream for a whole one.
            finally:
                seconds = self._clock.monotonic() - started
                method = scope["method"] if scope["method"] in _METHODS else "OTHER"
                route = self._route(scope)
                self._telemetry.ended(method, route, status, seconds)
                who = _who(scope)
                traces.tell(f"{method} {route}", {"http.route": route, "orgbridge.request_id": request_id, **who})
                log.info(
                    "request",
                    method=method,
                    route=route,
                    status=status,
                    milliseconds=round(seconds * 1000, 2),
                    salesforce_calls=salesforce.calls,
                    salesforce_milliseconds=round(salesforce.seconds * 1000, 2),
                    **who,
                )
                structlog.contextvars.unbind_contextvars(*bound)

    def _route(self, scope: Scope) -> str:
        self._directory.name(scope)
        path = str(getattr(scope.get("route"), "path_format", _NO_ROUTE))
        # FastAPI leaves the prefix out of a route that came with a router.
        return self._prefix + path if path.startswith("/") and scope["path"].startswith(f"{self._prefix}/") else path

    def _told(self, scope: Scope) -> tuple[str, str | None]:
        """Return the id and the trace that the caller gave; a fresh id, and no trace, where they cannot be used."""
        request_id: str | None = None
        found: list[bytes] = []
        for name, value in scope["headers"]:
            if name == REQUEST_ID and request_id is None and _USABLE_ID.match(value):
                request_id = value.decode()
            elif name == _TRACEPARENT:
                found.append(value)
        # Two are as good as none: nobody knows which is meant.
        trace = traces.parse_traceparent(found[0].decode("latin-1")) if len(found) == 1 else None
        return request_id or new_identifier("req", self._clock.now()), trace


def _who(scope: Scope) -> dict[str, str]:
    """Return who called and for which organization, as ids of ours; nothing for nobody known."""
    caller: Caller | None = scope.get(CALLER)
    if caller is None:
        return {}
    told = {"user": caller.user_id}
    asked = scope.get("path_params", {}).get("organization_id")
    granted = caller.organizations
    # A path's parameter may be anything; an identifier of ours is no value of anybody's.
    if isinstance(asked, str) and instant_of(asked) is not None:
        told["organization"] = asked
    elif isinstance(granted, frozenset) and len(granted) == 1:
        told["organization"] = next(iter(granted))
    return told


class BodyLimit:
    """Refuses bodies above a size, except on the routes that stream what they get."""

    def __init__(self, app: ASGIApp, *, max_bytes: int, unlimited: Container[str]) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._unlimited = unlimited

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"] in self._unlimited:
            await self._app(scope, receive, send)
            return
        if _declared_bytes(scope) > self._max_bytes:
            await self._refuse(scope, receive, send)
            return
        seen = 0
        over = False

        async def counted() -> Message:
            nonlocal seen, over
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._max_bytes:
                over = True
                # Nothing more is read; the application takes it for a caller who left.
                return {"type": "http.disconnect"}
            return message

        async def replaced(message: Message) -> None:
            if not over:
                await send(message)

        try:
            await self._app(scope, counted, replaced)
        finally:
            if over:
                await self._refuse(scope, receive, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        reply = problem(
            str(scope.get("orgbridge_request_id", "")),
            scope["path"],
            status=413,
            code="request.too_large",
            detail=f"A JSON body may have {self._max_bytes} bytes; send larger inputs to /bulk/dml-file-upload.",
            headers={"Connection": "close"},
        )
        await reply(scope, receive, send)


def _declared_bytes(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() else 0
    return 0
