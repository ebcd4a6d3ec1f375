"""Replies of the token endpoint, in the form that the caller asks for.

Source: facts/salesforce/auth.md section 1.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode
from xml.sax.saxutils import escape

from starlette.responses import Response

from orgbridge.emulator.http.auth.clients import FORM
from orgbridge.emulator.http.auth.signing import id_token
from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.http.directory import Client
from orgbridge.emulator.http.errors import OAuthFault
from orgbridge.emulator.http.replies import json_reply
from orgbridge.emulator.http.sites import Site, site_of
from orgbridge.emulator.org.readable import UserInfo

_NO_STORE = {"Cache-Control": "no-cache, no-store", "Pragma": "no-cache"}
_FORMATS = ("json", "urlencoded", "xml")
_REFRESHING = frozenset({"refresh_token", "offline_access", "full"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """Whom a token is given to, and what comes with it."""

    #: The user.
    user: UserInfo
    #: The client that asked.
    client: Client
    #: The way of signing in.
    flow: str
    #: What the token is good for; empty leaves `scope` out of the reply.
    scope: str = ""
    #: Whether issued_at and signature are in the reply.
    signed: bool = True
    #: The refresh token that was presented.
    refresh_token: str | None = None
    #: Whether that one takes the place of the one that was presented.
    is_rotated: bool = False
    #: Whether a new refresh token comes along, if the scope is one for it.
    with_refresh: bool = False
    #: Repeated in the id token.
    nonce: str | None = None


def check_user(user: UserInfo, client: Client) -> None:
    """Refuse a user who may not sign in, or not with this client.

    Raises:
        OAuthFault: invalid_grant or invalid_app_access.
    """
    if not user.is_active:
        raise OAuthFault("invalid_grant", "inactive user")
    if not client.permits(user.username):
        raise OAuthFault("invalid_app_access", "user is not admin approved to access this app")


async def token_values(call: Call, granted: Granted) -> dict[str, str]:
    """Open a session and return the values of the reply that hands it over."""
    sessions, user_id, client_id = call.parts.sessions, granted.user.id, granted.client.client_id
    words, flow, scope = set(granted.scope.split()), granted.flow, granted.scope
    refresh = granted.refresh_token
    if granted.with_refresh and words & _REFRESHING:
        refresh = await call.thread(lambda: sessions.issue_refresh(user_id, client_id, flow=flow, scope=scope))
    token = await call.thread(lambda: sessions.issue(user_id, client_id, flow=flow, scope=scope, parent=refresh))
    identity = f"{call.base_url}/id/{call.parts.directory.org_id}/{user_id}"
    values = {"access_token": token}
    if refresh is not None and (granted.with_refresh or granted.is_rotated):
        values["refresh_token"] = refresh
    if scope:
        values["scope"] = scope
    if "openid" in words:
        nonce = granted.nonce
        values["id_token"] = await call.thread(lambda: id_token(call, identity, client_id, token, nonce))
    values |= {"instance_url": call.base_url, "id": identity, "token_type": "Bearer"}
    site = call.site or await call.thread(lambda: _site(call, user_id))
    if site is not None:
        # Source: facts/commerce/auth.md section 1: the org's host all the same, and where the site is.
        values |= {"sfdc_community_url": f"{call.base_url}/{site.prefix}", "sfdc_community_id": site.id}
    if granted.signed:
        issued_at = str(int(call.parts.clock.now().timestamp() * 1000))
        secret = granted.client.client_secret.encode()
        digest = hmac.new(secret, (identity + issued_at).encode(), hashlib.sha256).digest()
        values |= {"issued_at": issued_at, "signature": base64.b64encode(digest).decode()}
    return values


def _site(call: Call, user_id: str) -> Site | None:
    with call.parts.storage.read() as connection:
        return site_of(connection, user_id)


def check_format(form: Mapping[str, str]) -> None:
    """Refuse a form of reply that does not exist.

    Raises:
        OAuthFault: invalid_request.
    """
    if form.get("format") not in (None, *_FORMATS):
        raise OAuthFault("invalid_request", f"unsupported format: {form['format']}")


def formatted(call: Call, form: Mapping[str, str], values: Mapping[str, str | int], status: int = 200) -> Response:
    """Return the values as JSON, as a form or as XML: what `format` says, or else the Accept header."""
    wanted = form.get("format")
    if wanted not in _FORMATS:
        accept = (call.header("accept") or "").lower()
        named = {"application/xml": "xml", FORM: "urlencoded"}
        wanted = next((kind for text, kind in named.items() if text in accept and "json" not in accept), "json")
    match wanted:
        case "urlencoded":
            text = urlencode(values, quote_via=quote)
            return Response(text, status, _NO_STORE, media_type=f"{FORM};charset=UTF-8")
        case "xml":
            body = "".join(f"<{key}>{escape(str(value))}</{key}>" for key, value in values.items())
            text = f'<?xml version="1.0" encoding="UTF-8"?><OAuth>{body}</OAuth>'
            return Response(text, status, _NO_STORE, media_type="application/xml;charset=UTF-8")
        case _:
            return json_reply(values, status, headers=_NO_STORE)
