"""Errors as pages: what layers and services refuse comes out of the application as problem JSON, dressed here."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orgbridge.console.cookies import PREFIX
from orgbridge.console.rendering import Renderer
from orgbridge.kit.json import JSONDecodeError, loads
from orgbridge.services.errors import ScopeMissing
from orgbridge.services.scopes import SCOPES

_PROBLEM = b"application/problem+json"
#: A problem's document is a few kilobytes; what is longer is shown without its details.
_MOST_BYTES = 1024 * 1024
#: Headers of a problem that hold of the page as well.
_KEPT = frozenset({b"retry-after", b"allow", b"x-request-id", b"ratelimit", b"ratelimit-policy", b"connection"})
_KEPT_ALWAYS = frozenset({b"strict-transport-security", b"x-content-type-options", b"x-frame-options"})
_UNSEEN = frozenset({b"access-control-allow-origin", b"access-control-allow-credentials"})
#: What people are told besides the error's own words, by status.
_ADVICE = {
    403: "Ask an administrator of this service for the right, or sign in as somebody who has it.",
    404: "It may have been removed, or it belongs to somebody else.",
    413: "Send less at once. Files of any size are loaded on the page New load.",
    429: "Wait a moment, then load the page again.",
    500: "The service's log has the details under the request id below.",
    502: "Salesforce, or the way there, is at fault; the service itself works.",
    503: "Something that the service needs does not answer. Try again in a moment.",
}


class Dress:
    """The outermost layer: problems of the console's paths become pages, and nobody else's page reads ours."""

    def __init__(self, app: ASGIApp, *, renderer: Renderer, own: Callable[[str], bool]) -> None:
        self._app = app
        self._renderer = renderer
        self._own = own

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or not self._own(scope["path"]):
            await self._app(scope, receive, send)
            return
        start: Message | None = None
        body = bytearray()

        async def dressed(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                headers = [pair for pair in message.get("headers", []) if pair[0].lower() not in _UNSEEN]
                message = {**message, "headers": headers}
                if dict(headers).get(b"content-type", b"").startswith(_PROBLEM):
                    start = message
                    return
            if start is None:
                await send(message)
                return
            body.extend(message.get("body", b"")[: _MOST_BYTES - len(body)])
            if not message.get("more_body"):
                await self._page(scope, start, bytes(body))(scope, receive, send)

        await self._app(scope, receive, dressed)

    def _page(self, scope: Scope, start: Message, body: bytes) -> Response:
        status, problem = int(start["status"]), _document(body)
        if status == 401:
            return _to_sign_in(scope)
        kept = {
            name.decode("latin-1"): value.decode("latin-1")
            for name, value in start["headers"]
            if name.lower() in _KEPT | _KEPT_ALWAYS
        }
        return self._renderer.page(
            scope,
            "problem.html",
            status=status,
            headers=kept,
            title=_title(status, problem),
            status_code=status,
            problem=problem,
            advice=_ADVICE.get(status),
            rights=_rights(problem),
        )


def _to_sign_in(scope: Scope) -> Response:
    if scope["method"] not in ("GET", "HEAD"):
        return RedirectResponse(f"{PREFIX}/sign-in?again=1", status_code=303)
    asked = scope["path"] + (f"?{scope['query_string'].decode('latin-1')}" if scope["query_string"] else "")
    return RedirectResponse(f"{PREFIX}/sign-in?next={quote(asked, safe='')}", status_code=303)


def _title(status: int, problem: dict[str, Any]) -> str:
    return str(problem.get("title") or HTTPStatus(status).phrase)


def _rights(problem: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the scopes that were missing, each with what it lets do; empty when it was something else."""
    if problem["code"] != ScopeMissing.code:
        return []
    names = [str(place.get("scope", "")) for place in problem["errors"] if isinstance(place, dict)]
    return [(name, SCOPES.get(name, "")) for name in names]


def _document(body: bytes) -> dict[str, Any]:
    try:
        found = loads(body)
    except JSONDecodeError:
        found = None
    known: dict[str, Any] = {"title": "", "detail": "", "code": "", "errors": [], "upstream": [], "retryable": False}
    return {**known, **found} if isinstance(found, dict) else known
