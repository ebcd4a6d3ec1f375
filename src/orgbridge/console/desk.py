"""What every page has at hand, and what stands before every page: who is signed in, and where a form comes from."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from orgbridge.console.cookies import PREFIX, token_of
from orgbridge.console.errors import CrossSite
from orgbridge.console.origins import is_own
from orgbridge.console.rendering import SIGNED_IN_KEY, Renderer
from orgbridge.services.bundle import Services
from orgbridge.services.errors import NotSignedIn
from orgbridge.services.scopes import Caller, Scope
from orgbridge.services.sessions import Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What pages are made with."""

    #: What they call.
    services: Services
    #: What writes them.
    renderer: Renderer

    def page(self, request: Request, template: str, *, status: int = 200, **facts: Any) -> Response:
        """Return a page."""
        return self.renderer.page(request.scope, template, status=status, **facts)


#: Answers somebody who is signed in.
Handler = Callable[[Desk, Request, Caller], Awaitable[Response]]
#: Answers anybody.
OpenHandler = Callable[[Desk, Request], Awaitable[Response]]


class Page(Route):
    """A route of the console, as the log and the audit name it."""

    def __init__(self, path: str, endpoint: Callable[[Request], Awaitable[Response]], method: str, name: str) -> None:
        """Put it below the prefix; the audit calls it `console.` and its name."""
        super().__init__(f"{PREFIX}{path}", endpoint, methods=[method], name=name, include_in_schema=False)
        self.tags = ["console"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """Makes routes of one desk."""

    #: What their handlers get.
    desk: Desk

    def get(self, path: str, name: str, handler: Handler, needs: Scope | None) -> Page:
        """Return a page for whoever has a scope; None for whoever is signed in."""
        return self._guarded("GET", path, name, handler, [needs] if needs is not None else [])

    def post(self, path: str, name: str, handler: Handler, needs: Scope | None) -> Page:
        """Return what takes a form of one of our own pages, from whoever has a scope."""
        return self._guarded("POST", path, name, handler, [needs] if needs is not None else [])

    def open(self, method: str, path: str, name: str, handler: OpenHandler) -> Page:
        """Return a page for anybody."""
        desk = self.desk

        async def endpoint(request: Request) -> Response:
            if method == "POST" and not is_own(request):
                raise CrossSite
            return await handler(desk, request)

        return Page(path, endpoint, method, name)

    def _guarded(self, method: str, path: str, name: str, handler: Handler, needs: Sequence[Scope]) -> Page:
        desk = self.desk

        async def endpoint(request: Request) -> Response:
            if method == "POST" and not is_own(request):
                raise CrossSite
            caller = await signed_in(desk, request)
            for scope in needs:
                caller.need(scope)
            return await handler(desk, request, caller)

        return Page(path, endpoint, method, name)


async def signed_in(desk: Desk, request: Request) -> Caller:
    """Return who is signed in, and have the pages show it.

    Raises:
        NotSignedIn: Nobody is, or the sign-in has ended.
    """
    token = token_of(request.scope)
    if not token:
        raise NotSignedIn
    caller = await desk.services.identity.caller(token, [])
    request.scope[SIGNED_IN_KEY] = caller
    return caller


def origin_of(request: Request) -> Origin:
    """Return where a request comes from: the address as the server sees it, a trusted proxy's word included."""
    address = request.client.host if request.client is not None else ""
    return Origin(address=address, agent=request.headers.get("User-Agent", ""))


def see_other(path: str, done: str | None = None) -> Response:
    """Return the reply to a form that did what it was to do: look at another page, which may say what was done."""
    return RedirectResponse(f"{path}?done={quote(done)}" if done else path, status_code=303)
