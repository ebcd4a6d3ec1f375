"""Who calls, known before the routes are, and whether this call is one too many. Pure ASGI."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orgbridge.api.errors import problem
from orgbridge.api.traffic import CALLER, Traffic
from orgbridge.kit.errors import OrgbridgeError
from orgbridge.services.identity import IdentityService
from orgbridge.services.quotas import Quotas, Verdict
from orgbridge.services.scopes import Caller
from orgbridge.services.throttling import network_of


class Gate:
    """Leaves the caller in the scope, counts the call, and says in every reply how many are left.

    The headers follow draft-ietf-httpapi-ratelimit-headers-10: `RateLimit-Policy: "read";q=600;w=60` and
    `RateLimit: "read";r=599;t=60`.
    """

    def __init__(self, app: ASGIApp, *, identity: IdentityService, quotas: Quotas, traffic: Traffic) -> None:
        self._app = app
        self._identity = identity
        self._quotas = quotas
        self._traffic = traffic

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        kind = self._traffic.kind(scope["method"], scope["path"]) if scope["type"] == "http" else None
        if kind is None or scope["method"] == "OPTIONS":
            await self._app(scope, receive, send)
            return
        caller = await self._caller(scope)
        scope[CALLER] = caller
        verdict = await self._quotas.count(kind, caller.user_id if caller is not None else _place(scope))
        if verdict is None:
            await self._app(scope, receive, send)
            return
        headers = _headers(verdict)
        if not verdict.allowed:
            refusal = problem(
                str(scope.get("orgbridge_request_id", "")),
                scope["path"],
                status=429,
                code="limit.rate_exceeded",
                detail=f"More than {verdict.quota} {kind.value} calls in {verdict.window_seconds} seconds: "
                f"wait {verdict.reset_seconds} seconds. Nothing was done.",
                retryable=True,
                headers={
                    "Retry-After": str(verdict.reset_seconds),
                    **{name.decode(): value.decode() for name, value in headers},
                },
            )
            await refusal(scope, receive, send)
            return

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                message.setdefault("headers", []).extend(headers)
            await send(message)

        await self._app(scope, receive, told)

    async def _caller(self, scope: Scope) -> Caller | None:
        pages = self._traffic.pages
        token = pages.token(scope) if pages is not None and pages.own(scope["path"]) else bearer_token(scope)
        if not token:
            return None
        try:
            return await self._identity.caller(token, [])
        except OrgbridgeError:
            # The route's own check says what is the matter, in the words and with the challenge that belong to it.
            return None


def bearer_token(scope: Scope) -> str:
    """Return the bearer token of a request, empty when it has none."""
    for name, value in scope["headers"]:
        if name == b"authorization":
            scheme, _, token = value.decode("latin-1").partition(" ")
            return token.strip() if scheme.lower() == "bearer" else ""
    return ""


def address_of(scope: Scope) -> str:
    """Return where a request comes from, as the server sees it."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def _place(scope: Scope) -> str:
    return f"address:{network_of(address_of(scope))}"


def _headers(verdict: Verdict) -> list[tuple[bytes, bytes]]:
    name = verdict.route_class.value
    policy = f'"{name}";q={verdict.quota};w={verdict.window_seconds}'
    left = f'"{name}";r={verdict.remaining};t={verdict.reset_seconds}'
    return [(b"ratelimit-policy", policy.encode()), (b"ratelimit", left.encode())]
