"""Signing in and out: the very service behind `POST /token`, with its waits, its words and its entries in the audit."""

from __future__ import annotations

import math
from collections.abc import Iterator

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from orgbridge.console.cookies import PREFIX, SIGNED_IN, drop_cookie, set_cookie, token_of
from orgbridge.console.desk import Desk, Shelf, origin_of, signed_in
from orgbridge.console.forms import asked, read_form, told
from orgbridge.kit.notes import note
from orgbridge.services.errors import NotSignedIn, SignInThrottled, WrongCredentials
from orgbridge.services.sign_in_links import SignInLinkUsed
from orgbridge.services.tokens import AccessToken

SIGN_IN, SIGN_OUT = f"{PREFIX}/sign-in", f"{PREFIX}/sign-out"
_LONGEST_NEXT = 2_000
_AGAIN = "You were signed out meanwhile; nothing was done. Sign in and send the form again."


def sign_in_routes(shelf: Shelf) -> Iterator[BaseRoute]:
    """Yield the routes of signing in and out."""
    yield shelf.open("GET", "/sign-in", "sign_in_form", _form)
    yield shelf.open("POST", "/sign-in", "sign_in", _sign_in)
    yield shelf.open("POST", "/sign-out", "sign_out", _sign_out)


async def _form(desk: Desk, request: Request) -> Response:
    following = _following(asked(request, "next", _LONGEST_NEXT))
    ticket = asked(request, "ticket", 200)
    if ticket is None and token_of(request.scope):
        try:
            await signed_in(desk, request)
        except NotSignedIn:
            pass
        else:
            return RedirectResponse(following, status_code=303)
    fault = _AGAIN if asked(request, "again") else None
    return desk.page(request, "sign_in.html", following=following, ticket=ticket, username="", fault=fault)


async def _sign_in(desk: Desk, request: Request) -> Response:
    form = await read_form(request)
    following, username = _following(form.get("next")), form.get("username", "").strip()
    identity = desk.services.identity
    status, headers = 401, {}
    try:
        if ticket := form.get("ticket"):
            note(grant="link")
            user_id = desk.services.links.redeem(ticket)
            made = await identity.begin(user_id, origin_of(request), SIGNED_IN)
        else:
            made = await identity.sign_in(
                username, form.get("password", ""), origin=origin_of(request), lifetime=SIGNED_IN
            )
    except (WrongCredentials, SignInLinkUsed) as error:
        fault = told(error).detail
    except SignInThrottled as error:
        wait = max(1, math.ceil(error.retry_after_seconds or 1))
        status, headers = 429, {"Retry-After": str(wait)}
        fault = f"{told(error).detail} {wait} {'second' if wait == 1 else 'seconds'} are left."
    else:
        return _begun(request, made, following)
    return desk.renderer.page(
        request.scope,
        "sign_in.html",
        status=status,
        headers=headers,
        following=following,
        ticket=None,
        username=username,
        fault=fault,
    )


async def _sign_out(desk: Desk, request: Request) -> Response:
    try:
        caller = await signed_in(desk, request)
    except NotSignedIn:
        pass
    else:
        note(name=caller.username)
        if caller.session_id is not None:
            await desk.services.identity.sign_out(caller, caller.session_id)
    reply = RedirectResponse(SIGN_IN, status_code=303)
    drop_cookie(request, reply)
    return reply


def _begun(request: Request, made: AccessToken, following: str) -> Response:
    reply = RedirectResponse(following, status_code=303)
    set_cookie(request, reply, made.token, made.expires_in_seconds)
    return reply


def _following(path: str | None) -> str:
    """Return the page to go on to: one of ours, whatever the address says."""
    if path is None or len(path) > _LONGEST_NEXT or "\\" in path or "/." in path or not path.isprintable():
        return PREFIX
    place = path.partition("?")[0]
    if place == PREFIX or (place.startswith(f"{PREFIX}/") and place not in (SIGN_IN, SIGN_OUT)):
        return path
    return PREFIX
