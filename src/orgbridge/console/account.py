"""Oneself: what one may do, one's password, and where one is signed in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from orgbridge.console.cookies import PREFIX, drop_cookie
from orgbridge.console.desk import Desk, Shelf, origin_of, see_other
from orgbridge.console.forms import read_form, told
from orgbridge.console.sign_in import SIGN_IN
from orgbridge.services.errors import InvalidRequest, SignInThrottled, WrongPassword
from orgbridge.services.portraits import session_portrait
from orgbridge.services.scopes import SCOPES, Caller

ACCOUNT = f"{PREFIX}/account"
_SESSIONS = 100
_DONE = {
    "password": "Your password is changed, and all your other sign-ins have ended.",
    "ended": "The sign-in has ended.",
}


def account_routes(shelf: Shelf) -> Iterator[BaseRoute]:
    """Yield the routes of one's own account."""
    yield shelf.get("/account", "account", _show, None)
    yield shelf.post("/account/password", "change_password", _change, None)
    yield shelf.post("/account/sign-ins/end", "end_sign_in", _end, None)


async def _show(desk: Desk, request: Request, caller: Caller) -> Response:
    return await _page(desk, request, caller, done=_DONE.get(request.query_params.get("done", "")))


async def _change(desk: Desk, request: Request, caller: Caller) -> Response:
    form = await read_form(request)
    following = form.get("following", "")
    faults: dict[str, str] = {}
    if following != form.get("again", ""):
        faults["again"] = "The two are not the same."
    else:
        try:
            await desk.services.identity.change_password(caller, form.get("present", ""), following, origin_of(request))
        except (WrongPassword, SignInThrottled) as error:
            faults["present"] = told(error).detail
        except InvalidRequest as error:
            faults["following"] = told(error).detail
    if faults:
        return await _page(desk, request, caller, faults=faults, status=422)
    return see_other(ACCOUNT, "password")


async def _end(desk: Desk, request: Request, caller: Caller) -> Response:
    session_id = (await read_form(request)).get("session_id", "")
    if not session_id:
        raise InvalidRequest("The form must say which sign-in is meant.")
    await desk.services.identity.sign_out(caller, session_id)
    if session_id != caller.session_id:
        return see_other(ACCOUNT, "ended")
    reply = RedirectResponse(SIGN_IN, status_code=303)
    drop_cookie(request, reply)
    return reply


async def _page(
    desk: Desk,
    request: Request,
    caller: Caller,
    *,
    faults: Mapping[str, str] | None = None,
    done: str | None = None,
    status: int = 200,
) -> Response:
    identity = desk.services.identity
    user = await identity.known(caller)
    sessions = await identity.sessions.page(caller.user_id, cursor=None, limit=_SESSIONS)
    return desk.page(
        request,
        "account.html",
        status=status,
        has_password=user is not None and user.password_hash.startswith("$"),
        roles=caller.roles,
        rights=[(name, SCOPES[name]) for name in SCOPES if name in caller.scopes],
        sessions=[session_portrait(session, caller.session_id) for session in sessions.items],
        faults=dict(faults or {}),
        done=done,
    )
