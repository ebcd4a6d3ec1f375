"""Pages for people who sign in: plain HTML forms without scripts, made on the server.

Source: none; a real org's pages look otherwise. Assumed: the names `username`, `pw` and `startURL`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from starlette.responses import Response

_STYLE = (
    "body{font-family:system-ui,sans-serif;max-width:24rem;margin:4rem auto;padding:0 1rem;color:#181818}"
    "label{display:block;margin:.75rem 0 .25rem}input{width:100%;box-sizing:border-box;padding:.5rem;font:inherit}"
    "button{margin:1rem .5rem 0 0;padding:.5rem 1.25rem;font:inherit}[role=alert]{color:#a1260d}"
)
_HEADERS = {
    "Cache-Control": "no-cache, no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
}


def page(title: str, body: str, status: int = 200) -> Response:
    """Return a page; `body` is HTML already."""
    text = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body><main><h1>{escape(title)}</h1>{body}</main></body></html>"
    )
    return Response(text, status, _HEADERS, media_type="text/html; charset=UTF-8")


def _alert(text: str) -> str:
    return f'<p role="alert">{escape(text)}</p>' if text else ""


def _hidden(values: Mapping[str, str]) -> str:
    return "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">' for name, value in values.items()
    )


def login_page(start: str, *, username: str = "", alert: str = "") -> Response:
    """Return the page that asks for user name and password."""
    return page(
        "Log in to the emulated org",
        f'{_alert(alert)}<form method="post" action="/login">{_hidden({"startURL": start})}'
        '<label for="username">Username</label>'
        f'<input id="username" name="username" autocomplete="username" value="{escape(username)}" required>'
        '<label for="password">Password</label>'
        '<input id="password" name="pw" type="password" autocomplete="current-password" required>'
        '<button name="Login" value="Log In">Log In</button></form>',
    )


def approval_page(app: str, username: str, scopes: Sequence[str], action: str, values: Mapping[str, str]) -> Response:
    """Return the page that asks whether an app may act for the user."""
    items = "".join(f"<li>{escape(scope)}</li>" for scope in scopes)
    return page(
        "Allow access?",
        f"<p><strong>{escape(app)}</strong> asks to act for {escape(username)} in this org:</p><ul>{items}</ul>"
        f'<form method="post" action="{escape(action)}">{_hidden(values)}'
        '<button name="decision" value="allow">Allow</button><button name="decision" value="deny">Deny</button></form>'
        '<p><a href="/secur/logout.jsp">Not you?</a></p>',
    )


def device_page(*, code: str = "", alert: str = "") -> Response:
    """Return the page that asks for the code a device shows."""
    return page(
        "Connect a device",
        f'{_alert(alert)}<form method="get" action="/setup/connect"><label for="user_code">Code</label>'
        f'<input id="user_code" name="user_code" value="{escape(code)}" autocomplete="off" required>'
        "<button>Connect</button></form>",
    )


def message_page(title: str, text: str, status: int = 200) -> Response:
    """Return a page that only says something."""
    return page(title, f"<p>{escape(text)}</p>", status)
