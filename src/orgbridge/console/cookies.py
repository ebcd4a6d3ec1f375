"""The cookie that holds a sign-in: an access token of this service, bound to a session that signing out ends."""

from __future__ import annotations

from datetime import timedelta

from starlette.requests import Request, cookie_parser
from starlette.responses import Response
from starlette.types import Scope

#: Where all pages are, and the only place that the cookie is sent to.
PREFIX = "/console"
COOKIE = "orgbridge_console"
#: A working day; then one signs in again.
SIGNED_IN = timedelta(hours=8)


def token_of(scope: Scope) -> str:
    """Return the token in a request's cookie, empty for none."""
    for name, value in scope["headers"]:
        if name == b"cookie":
            found = cookie_parser(value.decode("latin-1")).get(COOKIE, "")
            if found:
                return found
    return ""


def set_cookie(request: Request, response: Response, token: str, seconds: int) -> None:
    """Put a token into the browser's cookie.

    `Lax` and not `Strict`, so that a link to a load in a ticket or a chat opens it: no GET here changes anything, and
    every POST is checked by itself (`origins`).
    """
    response.set_cookie(
        COOKIE,
        token,
        max_age=seconds,
        path=PREFIX,
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="lax",
    )


def drop_cookie(request: Request, response: Response) -> None:
    """Take the cookie out of the browser."""
    response.delete_cookie(COOKIE, path=PREFIX, secure=request.url.scheme == "https", httponly=True, samesite="lax")
