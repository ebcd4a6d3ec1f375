"""From a request to a reply: version, session, limits, headers, route, handler, and the one exception handler.

Source: facts/salesforce/rest.md head and sections 4 and 5, auth.md sections 0 and 6, errors.md section 1.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from orgbridge.emulator.http.calls import Call, Parts
from orgbridge.emulator.http.control.access import may_control
from orgbridge.emulator.http.errors import not_found, render, session_invalid
from orgbridge.emulator.http.headers import check_headers
from orgbridge.emulator.http.requestlog import note_route
from orgbridge.emulator.http.routing import Access, Match, RouteTable, api_version, version_of
from orgbridge.emulator.http.sites import find_site, may_enter, split_site
from orgbridge.emulator.http.xmlreplies import as_xml, kinds_beside_json, wants_xml
from orgbridge.emulator.schema.errors import SFError
from orgbridge.emulator.storage.sessions import Session
from orgbridge.wire.limits import URI_BYTES


class Dispatcher:
    """The ASGI application behind the middleware.

    Args:
        parts: The org.
        routes: What it answers.
        control_from_anywhere: Whether other machines may use the controls.
    """

    def __init__(self, parts: Parts, routes: RouteTable, *, control_from_anywhere: bool = False) -> None:
        self._parts = parts
        self._routes = routes
        self._control_from_anywhere = control_from_anywhere

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        call = Call(request=request, parts=self._parts)
        path = scope.get("raw_path", b"").decode("latin-1").partition("?")[0] or scope["path"]
        match = self._routes.match(path)
        try:
            if match is None and (parts := split_site(path)) is not None:
                call.site = await call.thread(lambda: find_site(self._parts.storage, parts[0]))
                if call.site is not None:
                    path, match = parts[1], self._routes.match(parts[1])
            response = await self._answer(call, path, match)
        except Exception as error:  # noqa: BLE001 the emulator's edge: every error becomes Salesforce's
            response = render(error, pretty=call.pretty, bulk=match is not None and match.route.bulk)
        if call.version and wants_xml(call.header("accept")):
            response = as_xml(response)
        if call.version and (call.session is not None or response.status_code == 403):
            response.raw_headers.append((b"sforce-limit-info", self._parts.usage.header.encode()))
        await response(scope, receive, send)

    async def _answer(self, call: Call, path: str, match: Match | None) -> Response:
        request = call.request
        if len(path) + len(request.scope["query_string"]) > URI_BYTES:
            return PlainTextResponse("URI Too Long", 414)
        version = version_of(path)
        if version is not None:
            call.version = api_version(version)
            await self._sign_in(call)
        if match is None:
            raise not_found()
        method = self._method(call, match)
        handler = match.route.handlers.get(method)
        if match.route.access is Access.LOCAL and not may_control(request, from_anywhere=self._control_from_anywhere):
            raise not_found()
        note_route(request.scope, match.route.pattern, call.session.user_id if call.session else None)
        self._parts.usage.count_route(f"{method} {match.route.pattern}")
        if handler is None:
            allowed = ",".join(sorted({*match.route.handlers, *(["HEAD"] if "GET" in match.route.handlers else [])}))
            raise SFError("METHOD_NOT_ALLOWED", f"HTTP Method '{method}' not allowed. Allowed are {allowed}")
        if match.route.access is Access.API:
            check_headers(call.headers, kinds=kinds_beside_json(match.route.pattern, method))
        call.args = match.args
        return await handler(call)

    async def _sign_in(self, call: Call) -> None:
        call.session = await find_session(call)
        if call.session is None:
            raise session_invalid()
        site, user_id = call.site, call.session.user_id
        if site is not None and not await call.thread(lambda: may_enter(self._parts.storage, site, user_id)):
            raise session_invalid()
        refusal = self._parts.directory.api_refusal(call.session.user_id)
        if refusal is not None:
            raise refusal
        if not self._parts.usage.count():
            raise SFError("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")

    @staticmethod
    def _method(call: Call, match: Match) -> str:
        method = call.request.method
        asked = method == "POST" and call.request.scope["query_string"]
        override = call.request.query_params.get("_HttpMethod") if asked else None
        if override in ("PATCH", "PUT", "GET", "DELETE"):
            return override
        return "GET" if method == "HEAD" and "GET" in match.route.handlers else method


async def find_session(call: Call) -> Session | None:
    """Return the live session that the Authorization header names, or None.

    Raises:
        SFError: The header has another form.
    """
    header = call.header("authorization")
    if header is None:
        return None
    scheme, _, token = header.partition(" ")
    if scheme.lower() not in ("bearer", "oauth") or not token.strip():
        raise SFError("INVALID_AUTH_HEADER", "INVALID_HEADER_TYPE")
    sessions = call.parts.sessions
    known = sessions.known(token.strip())
    return known if known is not None else await call.thread(lambda: sessions.find(token.strip()))
