"""A person's browser: who is signed in in it, the login page, logging out, and links that sign it in.

Source: facts/salesforce/auth.md section 4 for singleaccess; Assumed: everything that a browser sees.
"""

from __future__ import annotations

import hashlib
import hmac
from urllib.parse import quote

from starlette.responses import RedirectResponse, Response

from orgbridge.emulator.http.auth.clients import read_form
from orgbridge.emulator.http.auth.pages import login_page, message_page
from orgbridge.emulator.http.auth.passwords import Refusal, check_password
from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.http.errors import TextFault
from orgbridge.emulator.http.replies import json_reply
from orgbridge.emulator.org.readable import UserInfo

COOKIE = "orgbridge_browser"
_NOT_YOU = "Please check your username and password. If you still can't log in, contact your Salesforce administrator."


def cookie_of(call: Call) -> str:
    """Return the cookie of the caller's browser, or the empty text."""
    return call.request.cookies.get(COOKIE, "")


def browser_user(call: Call) -> UserInfo | None:
    """Return the active user who is signed in in the caller's browser. Call it in a thread."""
    user_id = call.parts.grants.browser_user(cookie_of(call))
    user = call.parts.directory.by_id(user_id) if user_id else None
    return user if user and user.is_active else None


def seal(call: Call) -> str:
    """Return a text that only a page shown in this browser can send back."""
    return hmac.new(cookie_of(call).encode(), b"decision", hashlib.sha256).hexdigest()


def is_sealed(call: Call, given: str) -> bool:
    """Tell whether a form came from a page that was shown in this browser."""
    return bool(cookie_of(call)) and hmac.compare_digest(given.encode(), seal(call).encode())


def local_path(text: str) -> str:
    """Return a path of this org; anything that leads elsewhere becomes the login page."""
    safe = text.startswith("/") and not text.startswith("//") and "\\" not in text and text.isprintable()
    return text if safe else "/login"


def ask_to_log_in(start: str, username: str = "") -> Response:
    """Send the browser to the login page, from where it comes back to a path."""
    hint = f"&un={quote(username, safe='')}" if username else ""
    return RedirectResponse(f"/login?startURL={quote(start, safe='')}{hint}", 302)


async def show_login(call: Call) -> Response:
    """Answer GET /login: the page, or who is signed in."""
    start = call.query("startURL")
    user = await call.thread(lambda: browser_user(call))
    if start is None and user is not None:
        return message_page("Logged in", f"You are logged in as {user.username}.")
    return login_page(local_path(start or "/login"), username=call.query("un") or "")


async def log_in(call: Call) -> Response:
    """Answer POST /login."""
    form = await read_form(call)
    username, start = form.get("username", ""), local_path(form.get("startURL", "/login"))
    user = await call.thread(lambda: check_password(call, username, form.get("pw", ""), by_hand=True))
    if isinstance(user, Refusal) or not user.is_active or call.parts.directory.policy.org_locked:
        return login_page(start, username=username, alert=_NOT_YOU)
    return await _signed_in(call, user.id, start)


async def log_out(call: Call) -> Response:
    """Answer GET /secur/logout.jsp."""
    await call.thread(lambda: call.parts.grants.close_browser(cookie_of(call)))
    reply = RedirectResponse("/login", 302)
    reply.delete_cookie(COOKIE, path="/")
    return reply


async def front_door(call: Call) -> Response:
    """Answer /secur/frontdoor.jsp: sign the browser in by a session (`sid`) or a one-time word (`otp`)."""
    form = await read_form(call) if call.request.method == "POST" else {}
    token, link = call.query("sid") or form.get("sid"), call.query("otp") or form.get("otp")
    start = local_path(call.query("retURL") or form.get("retURL") or "/login")
    if token:
        session = await call.thread(lambda: call.parts.sessions.find(token))
        user_id = session.user_id if session else None
    else:
        user_id = await call.thread(lambda: call.parts.grants.redeem_link(link or ""))
    if user_id is None:
        return ask_to_log_in(start)
    return await _signed_in(call, user_id, start)


async def single_access(call: Call) -> Response:
    """Answer POST /services/oauth2/singleaccess: an address that signs one browser in, once."""
    form = await read_form(call)
    scheme, _, given = (call.header("authorization") or "").partition(" ")
    token = form.get("access_token") or (given.strip() if scheme.lower() in ("bearer", "oauth") else "")
    session = await call.thread(lambda: call.parts.sessions.find(token))
    if session is None:
        raise TextFault("Bad_OAuth_Token", 403)
    link = await call.thread(lambda: call.parts.grants.issue_link(session.user_id))
    path = form.get("redirect_uri")
    target = f"&retURL={quote(path, safe='')}" if path else ""
    return json_reply({"frontdoor_uri": f"{call.base_url}/secur/frontdoor.jsp?otp={link}{target}"})


async def _signed_in(call: Call, user_id: str, start: str) -> Response:
    life = call.parts.sessions.idle
    cookie = await call.thread(lambda: call.parts.grants.open_browser(user_id, life))
    reply = RedirectResponse(start, 302)
    reply.headers["Cache-Control"] = "no-cache, no-store"
    secure = call.request.url.scheme == "https"
    reply.set_cookie(COOKIE, cookie, path="/", httponly=True, samesite="lax", secure=secure)
    return reply
