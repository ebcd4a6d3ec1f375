"""What every reply says to browsers and caches, and which requests are none of ours.

Nothing here is a page's own business: a reply that sets one of these headers keeps its own.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from starlette.types import ASGIApp, Receive, Scope, Send

from orgbridge.api.errors import problem

#: JSON, CSV and problems run nothing and load nothing, wherever they are shown.
_API_POLICY = b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
#: The pages of the API documents load their program from where FastAPI's pages name it, and call this service only.
_DOCS_POLICY = (
    b"default-src 'none'; script-src 'self' 'unsafe-inline' https://cdn.jsdelivr.net; "
    b"style-src 'self' 'unsafe-inline' https://cdn.jsdelivr.net https://fonts.googleapis.com; "
    b"font-src https://fonts.gstatic.com; img-src 'self' data: https://fastapi.tiangolo.com https://cdn.redoc.ly; "
    b"connect-src 'self'; worker-src blob:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)
_DOCS = frozenset({"/docs", "/redoc", "/docs/oauth2-redirect"})
#: Probes come from the machine's own keeper, which names it by its address.
_PROBES = frozenset({"/health", "/health/live", "/health/ready", "/health/startup"})
_ALWAYS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityHeaders:
    """Headers of every reply."""

    #: Seconds for which browsers are to use https only; 0 says nothing.
    hsts_seconds: int = 0

    def add(self, path: str, headers: list[tuple[bytes, bytes]]) -> None:
        """Add what a reply does not say itself."""
        present = {name.lower() for name, _ in headers}
        headers.extend(pair for pair in _ALWAYS if pair[0] not in present)
        if b"content-security-policy" not in present:
            headers.append((b"content-security-policy", _DOCS_POLICY if path in _DOCS else _API_POLICY))
        if b"cache-control" not in present:
            # With an ETag it may be kept, and asked about each time.
            headers.append((b"cache-control", b"private, no-cache" if b"etag" in present else b"no-store"))
        if self.hsts_seconds and b"strict-transport-security" not in present:
            value = b"max-age=%d; includeSubDomains" % self.hsts_seconds
            headers.append((b"strict-transport-security", value))


class Doorkeeper:
    """Refuses requests that name another host, and those that two servers could read as two different ones."""

    def __init__(self, app: ASGIApp, *, hosts: Collection[str]) -> None:
        """Prepare to look.

        Args:
            app: What is behind the door.
            hosts: Names that this service is called by, without port; `*.example.com` takes all below; none: any.
        """
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts if not host.startswith("*."))
        self._suffixes = tuple(host[1:].lower() for host in hosts if host.startswith("*."))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        hosts = lengths = encodings = 0
        host = ""
        for name, value in scope["headers"]:
            if name == b"host":
                hosts, host = hosts + 1, value.decode("latin-1")
            elif name == b"content-length":
                lengths += 1
            elif name == b"transfer-encoding":
                encodings += 1 if value.strip().lower() == b"chunked" else 2
        if hosts > 1 or lengths > 1 or encodings > 1 or (lengths and encodings):
            await self._refuse(scope, receive, send, 400, "request.ambiguous", "The request's headers contradict.")
        elif (self._hosts or self._suffixes) and scope["path"] not in _PROBES and not self._is_ours(host):
            await self._refuse(scope, receive, send, 421, "request.host_refused", "This service has another name.")
        else:
            await self._app(scope, receive, send)

    def _is_ours(self, host: str) -> bool:
        name = host_name(host)
        return name in self._hosts or name.endswith(self._suffixes or ("\x00",))

    async def _refuse(self, scope: Scope, receive: Receive, send: Send, status: int, code: str, detail: str) -> None:
        reply = problem(
            str(scope.get("orgbridge_request_id", "")),
            scope["path"],
            status=status,
            code=code,
            detail=detail,
            headers={"Connection": "close"},
        )
        await reply(scope, receive, send)


def host_name(host: str) -> str:
    """Return the name of a Host header, in lower case and without port."""
    text = host.strip().lower()
    if text.startswith("["):
        return text.partition("]")[0][1:]
    return text.partition(":")[0]
