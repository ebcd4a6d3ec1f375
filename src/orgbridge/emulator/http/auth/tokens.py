"""The OAuth token endpoint and revoke.

Source: facts/salesforce/auth.md sections 1 to 4.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, unquote_plus, urlencode, urlsplit
from xml.sax.saxutils import escape

import jwt
from starlette.responses import Response

from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.http.directory import Client
from orgbridge.emulator.http.errors import OAuthFault
from orgbridge.emulator.http.replies import json_reply
from orgbridge.emulator.org.org import UserInfo

_JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_FORM = "application/x-www-form-urlencoded"
_LOGIN_HOSTS = frozenset({"login.salesforce.com", "test.salesforce.com"})
_SCOPE = "api refresh_token id"
_NO_STORE = {"Cache-Control": "no-cache, no-store", "Pragma": "no-cache"}
#: Above this, `exp` is read as milliseconds: the Salesforce CLI writes them. Source: auth.md section 2.
_MILLISECONDS = 100_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """Whom a token is given to."""

    #: The user.
    user: UserInfo
    #: The client that asked.
    client: Client
    #: Whether issued_at and signature are in the reply.
    signed: bool
    #: Whether `scope` is in the reply.
    scoped: bool


async def token(call: Call) -> Response:
    """Answer POST /services/oauth2/token."""
    form = await _form(call)
    grant = await _grant(call, form)
    if not grant.user.is_active:
        raise OAuthFault("invalid_grant", "inactive user")
    access_token = await call.thread(lambda: call.parts.sessions.issue(grant.user.id, grant.client.client_id))
    identity = f"{call.base_url}/id/{call.parts.directory.org_id}/{grant.user.id}"
    reply = {"access_token": access_token}
    if grant.scoped:
        reply["scope"] = _SCOPE
    reply |= {"instance_url": call.base_url, "id": identity, "token_type": "Bearer"}
    if grant.signed:
        issued_at = str(int(call.parts.clock.now().timestamp() * 1000))
        secret = grant.client.client_secret.encode()
        digest = hmac.new(secret, (identity + issued_at).encode(), hashlib.sha256).digest()
        reply |= {"issued_at": issued_at, "signature": base64.b64encode(digest).decode()}
    return _formatted(call, form, reply)


async def token_by_get(_call: Call) -> Response:
    """Answer GET on the token endpoint, which the emulated org refuses: secrets do not belong in addresses."""
    raise OAuthFault("invalid_request", "must use HTTP POST")


async def revoke(call: Call) -> Response:
    """Answer POST or GET /services/oauth2/revoke."""
    given = call.query("token")
    if given is None:
        given = dict(parse_qsl((await call.body()).decode("utf-8", "replace"))).get("token", "")
    if not await call.thread(lambda: call.parts.sessions.revoke(given)):
        raise OAuthFault("invalid_token", "expired access/refresh token")
    return Response(status_code=200)


async def _form(call: Call) -> dict[str, str]:
    content_type = (call.header("content-type") or "").partition(";")[0].strip().lower()
    if content_type != _FORM:
        raise OAuthFault("unsupported_grant_type", "grant type not supported")
    body = (await call.body()).decode("utf-8", "replace")
    return dict(parse_qsl(body, keep_blank_values=True))


async def _grant(call: Call, form: Mapping[str, str]) -> Grant:
    match form.get("grant_type"):
        case "password":
            client = _client(call, form)
            username, password = form.get("username", ""), form.get("password", "")
            user = await call.thread(lambda: call.parts.directory.check_password(username, password))
            if user is None:
                raise OAuthFault("invalid_grant", "authentication failure")
            return Grant(user=user, client=client, signed=True, scoped=False)
        case "client_credentials":
            if (call.header("host") or "").partition(":")[0].lower() in _LOGIN_HOSTS:
                raise OAuthFault("invalid_grant", "request not supported on this domain")
            client = _client(call, form)
            user = await call.thread(call.parts.directory.run_as)
            if user is None:
                raise OAuthFault("invalid_grant", "no client credentials user enabled")
            return Grant(user=user, client=client, signed=True, scoped=True)
        case "refresh_token":
            client = _client(call, form)
            given = form.get("refresh_token", "")
            user = await call.thread(lambda: _refreshed(call, given, client))
            if user is None:
                raise OAuthFault("invalid_grant", "expired access/refresh token")
            return Grant(user=user, client=client, signed=True, scoped=True)
        case grant if grant == _JWT_BEARER:
            return await _by_assertion(call, form.get("assertion", ""))
        case _:
            raise OAuthFault("unsupported_grant_type", "grant type not supported")


def _client(call: Call, form: Mapping[str, str]) -> Client:
    """Return the client that proved itself, in the body or by Basic.

    Raises:
        OAuthFault: It is unknown, or its secret is missing or wrong.
    """
    client_id, secret = form.get("client_id"), form.get("client_secret")
    basic = _basic(call)
    if basic is not None:
        client_id, secret = basic
    client = call.parts.directory.client(client_id or "")
    if client is None:
        raise OAuthFault("invalid_client_id", "client identifier invalid")
    if not secret:
        raise OAuthFault("invalid_client", "client secret required")
    if not hmac.compare_digest(secret.encode(), client.client_secret.encode()):
        raise OAuthFault("invalid_client", "invalid client credentials", 401 if basic else 400)
    return client


def _basic(call: Call) -> tuple[str, str] | None:
    scheme, _, value = (call.header("authorization") or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        text = base64.b64decode(value, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise OAuthFault("invalid_client", "invalid client credentials", 401) from error
    client_id, _, secret = text.partition(":")
    return unquote_plus(client_id), unquote_plus(secret)


async def _by_assertion(call: Call, assertion: str) -> Grant:
    try:
        claims = jwt.decode(assertion, options={"verify_signature": False})
    except jwt.PyJWTError as error:
        raise OAuthFault("invalid_grant", "invalid assertion") from error
    client = call.parts.directory.client(str(claims.get("iss", "")))
    if client is None:
        raise OAuthFault("invalid_client_id", "client identifier invalid")
    _check_signature(client, assertion)
    _check_times(call, claims)
    if not _good_audience(call, claims.get("aud")):
        raise OAuthFault("invalid_grant", "audience is invalid")
    name = str(claims.get("sub", claims.get("prn", "")))
    user = await call.thread(lambda: call.parts.directory.by_username(name))
    if user is None:
        raise OAuthFault("invalid_grant", "user hasn't approved this consumer")
    return Grant(user=user, client=client, signed=False, scoped=True)


def _refreshed(call: Call, refresh_token: str, client: Client) -> UserInfo | None:
    owner = call.parts.sessions.refresh_owner(refresh_token, client.client_id)
    return call.parts.directory.by_id(owner) if owner else None


def _check_signature(client: Client, assertion: str) -> None:
    if client.public_key is None:
        raise OAuthFault("invalid_grant", "user hasn't approved this consumer")
    unchecked = {"verify_exp": False, "verify_iat": False, "verify_nbf": False, "verify_aud": False}
    try:
        jwt.decode(assertion, client.public_key, algorithms=["RS256"], options=unchecked)  # type: ignore[arg-type]
    except jwt.PyJWTError as error:
        raise OAuthFault("invalid_grant", "invalid assertion") from error


def _check_times(call: Call, claims: Mapping[str, object]) -> None:
    """Refuse an assertion that has expired; its time may be text, and may be in milliseconds.

    No upper bound: the platform's documented three minutes are evidently not enforced (auth.md section 2).
    """
    try:
        expires = float(str(claims["exp"]))
    except (KeyError, ValueError) as error:
        raise OAuthFault("invalid_grant", "invalid assertion") from error
    if expires > _MILLISECONDS:
        expires /= 1000
    if expires <= call.parts.clock.now().timestamp():
        raise OAuthFault("invalid_grant", "expired authorization code")


def _good_audience(call: Call, audience: object) -> bool:
    """Tell whether an assertion was meant for this org: a Salesforce host, or the address it was sent to."""
    given = audience if isinstance(audience, list) else [audience]
    for text in given:
        if not isinstance(text, str):
            continue
        host = (urlsplit(text).hostname or "").lower()
        if host.endswith((".salesforce.com", ".my.site.com")) or text.rstrip("/").lower() == call.base_url.lower():
            return True
    return False


def _formatted(call: Call, form: Mapping[str, str], reply: Mapping[str, str]) -> Response:
    accept = (call.header("accept") or "").lower()
    wanted = form.get("format") or ("xml" if "application/xml" in accept and "json" not in accept else "json")
    match wanted:
        case "json":
            return json_reply(reply, headers=_NO_STORE)
        case "urlencoded":
            return Response(urlencode(reply, quote_via=quote), 200, _NO_STORE, media_type=f"{_FORM};charset=UTF-8")
        case "xml":
            body = "".join(f"<{key}>{escape(value)}</{key}>" for key, value in reply.items())
            text = f'<?xml version="1.0" encoding="UTF-8"?><OAuth>{body}</OAuth>'
            return Response(text, 200, _NO_STORE, media_type="application/xml;charset=UTF-8")
        case other:
            raise OAuthFault("invalid_request", f"unsupported format: {other}")
