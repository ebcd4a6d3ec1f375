"""The OAuth token endpoint: every grant, revoke and introspect.

Source: facts/salesforce/auth.md sections 1 to 4.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import parse_qsl

from starlette.responses import Response

from orgbridge.emulator.http.auth.assertions import check_assertion
from orgbridge.emulator.http.auth.clients import find_client, read_form
from orgbridge.emulator.http.auth.passwords import Refusal, check_password
from orgbridge.emulator.http.auth.replies import Granted, check_format, check_user, formatted, token_values
from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.http.errors import OAuthFault
from orgbridge.emulator.http.grants import DEVICE_SECONDS, DeviceState, Redeemed
from orgbridge.emulator.http.replies import json_reply

_JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_LOGIN_HOSTS = frozenset({"login.salesforce.com", "test.salesforce.com"})
_SCOPE = "api refresh_token id"
#: Ways of signing in whose tokens cannot be introspected. Source: auth.md sections 1 and 4; Assumed for SOAP.
_OPAQUE = frozenset({"password", "soap"})
#: What a device is told. Source: auth.md section 1 for the codes; Assumed: the texts.
_DEVICE_ERRORS = {
    DeviceState.PENDING: ("authorization_pending", "authorization pending"),
    DeviceState.HASTY: ("slow_down", "polling too frequently"),
    DeviceState.DENIED: ("access_denied", "end-user denied authorization"),
    DeviceState.EXPIRED: ("invalid_grant", "expired device code"),
    DeviceState.UNKNOWN: ("invalid_grant", "invalid device code"),
}


async def token(call: Call) -> Response:
    """Answer POST /services/oauth2/token."""
    form = await read_form(call)
    try:
        if not form:
            raise OAuthFault("unsupported_grant_type", "grant type not supported")
        check_format(form)
        if form.get("response_type") == "device_code":
            return formatted(call, form, await _begin_device(call, form))
        granted = await _grant(call, form)
        check_user(granted.user, granted.client)
        return formatted(call, form, await token_values(call, granted))
    except OAuthFault as fault:
        # Here and not in the one handler, because the form of the reply is in the form of the request.
        return formatted(call, form, {"error": fault.error, "error_description": fault.description}, fault.status)


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


async def introspect(call: Call) -> Response:
    """Answer POST /services/oauth2/introspect; a client sees its own tokens only (Assumed)."""
    form = await read_form(call)
    client = find_client(call, form, secret_required=True)
    given, sessions = form.get("token", ""), call.parts.sessions
    session = await call.thread(lambda: sessions.peek(given))
    if session is None or session.client_id != client.client_id or session.flow in _OPAQUE:
        return json_reply({"active": False})
    user = await call.thread(lambda: call.parts.directory.by_id(session.user_id))
    ends = sessions.used_at(given, session) + sessions.idle
    live = session.kind == "refresh" or (session.kind == "access" and ends >= call.parts.clock.now())
    if not live or user is None or not user.is_active:
        return json_reply({"active": False})
    issued = int(session.issued_at.timestamp())
    body = {
        "active": True,
        "scope": session.scope or _SCOPE,
        "client_id": client.client_id,
        "username": user.username,
        "sub": f"{call.base_url}/id/{call.parts.directory.org_id}/{user.id}",
        "token_type": f"{session.kind}_token",
        "exp": int(ends.timestamp()),
        "iat": issued,
        "nbf": issued,
    }
    if session.kind == "refresh":
        del body["exp"]
    return json_reply(body)


async def _grant(call: Call, form: Mapping[str, str]) -> Granted:
    match form.get("grant_type"):
        case "password":
            return await _by_password(call, form)
        case "client_credentials":
            if (call.header("host") or "").partition(":")[0].lower() in _LOGIN_HOSTS:
                raise OAuthFault("invalid_grant", "request not supported on this domain")
            client = find_client(call, form, secret_required=True)
            user = await call.thread(lambda: call.parts.directory.run_as(client))
            if user is None:
                raise OAuthFault("invalid_grant", "no client credentials user enabled")
            return Granted(user=user, client=client, flow="client_credentials", scope=_SCOPE)
        case "authorization_code":
            return await _by_code(call, form)
        case "refresh_token":
            return await _by_refresh_token(call, form)
        case "device":
            return await _by_device(call, form)
        case grant if grant == _JWT_BEARER:
            client, user = await check_assertion(call, form.get("assertion", ""))
            return Granted(user=user, client=client, flow="jwt", scope=_SCOPE, signed=False)
        case _:
            raise OAuthFault("unsupported_grant_type", "grant type not supported")


async def _by_password(call: Call, form: Mapping[str, str]) -> Granted:
    client = find_client(call, form, secret_required=True)
    username, password = form.get("username", ""), form.get("password", "")
    if not call.parts.directory.policy.password_flow:
        # Source: auth.md section 0: a blocked flow cannot be told from a bad password.
        raise OAuthFault("invalid_grant", "authentication failure")
    user = await call.thread(lambda: check_password(call, username, password))
    if isinstance(user, Refusal):
        raise OAuthFault("invalid_grant", "authentication failure")
    return Granted(user=user, client=client, flow="password")


async def _by_code(call: Call, form: Mapping[str, str]) -> Granted:
    client = find_client(call, form)
    state, body = await call.thread(lambda: call.parts.grants.redeem_code(form.get("code", ""), client.client_id))
    if state is Redeemed.UNKNOWN:
        raise OAuthFault("invalid_grant", "invalid authorization code")
    if state is Redeemed.EXPIRED:
        raise OAuthFault("invalid_grant", "expired authorization code")
    if form.get("redirect_uri") != body["redirect_uri"]:
        raise OAuthFault("redirect_uri_mismatch", "redirect_uri must match configuration")
    _check_verifier(body["challenge"], form.get("code_verifier"))
    user = await call.thread(lambda: call.parts.directory.by_id(body["user_id"]))
    if user is None:
        raise OAuthFault("invalid_grant", "inactive user")
    return Granted(
        user=user, client=client, flow="web", scope=body["scope"], with_refresh=True, nonce=body["nonce"] or None
    )


def _check_verifier(challenge: str | None, verifier: str | None) -> None:
    """Refuse a verifier that the challenge of the authorization request was not made of."""
    if challenge is None and verifier is None:
        return
    if verifier is None:
        raise OAuthFault("invalid_request", "missing required parameter: code_verifier")
    digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=")
    if challenge is None or not hmac.compare_digest(digest, challenge.encode()):
        raise OAuthFault("invalid_request", "invalid code verifier")


async def _by_refresh_token(call: Call, form: Mapping[str, str]) -> Granted:
    client, given = find_client(call, form), form.get("refresh_token", "")
    session = await call.thread(lambda: call.parts.sessions.refresh_session(given, client.client_id))
    user = await call.thread(lambda: call.parts.directory.by_id(session.user_id)) if session else None
    if session is None or user is None:
        await call.thread(lambda: call.parts.sessions.punish_reuse(given, client.client_id))
        raise OAuthFault("invalid_grant", "expired access/refresh token")
    check_user(user, client)
    rotated = None
    if call.parts.directory.policy.rotate_refresh_tokens:
        rotated = await call.thread(lambda: call.parts.sessions.rotate_refresh(given))
    return Granted(
        user=user,
        client=client,
        flow="refresh",
        scope=session.scope or _SCOPE,
        refresh_token=rotated or given,
        is_rotated=rotated is not None,
    )


async def _begin_device(call: Call, form: Mapping[str, str]) -> dict[str, str | int]:
    client = find_client(call, form, secret_required=False)
    scope = form.get("scope") or " ".join(client.scopes)
    if not set(scope.split()) <= set(client.scopes):
        raise OAuthFault("invalid_scope", "the requested scope is invalid, unknown, or malformed")
    device, name = await call.thread(lambda: call.parts.grants.begin_device(client.client_id, scope))
    return {
        "device_code": device,
        "user_code": name,
        "verification_uri": f"{call.base_url}/setup/connect",
        "interval": DEVICE_SECONDS,
    }


async def _by_device(call: Call, form: Mapping[str, str]) -> Granted:
    client = find_client(call, form, secret_required=False)
    state, body = await call.thread(lambda: call.parts.grants.poll_device(form.get("code", ""), client.client_id))
    if state is not DeviceState.APPROVED:
        raise OAuthFault(*_DEVICE_ERRORS[state])
    user = await call.thread(lambda: call.parts.directory.by_id(body["user_id"]))
    if user is None:
        raise OAuthFault("invalid_grant", "inactive user")
    return Granted(user=user, client=client, flow="device", scope=body["scope"], with_refresh=True)
