"""The authorize endpoint: web server flow with PKCE, user-agent flow, the page that asks for consent.

Source: facts/salesforce/auth.md sections 1, 3 and 4. Assumed: what a browser sees, and which errors are not redirected:
those about the client and the address to go back to.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode, urlsplit

from starlette.responses import RedirectResponse, Response

from orgbridge.emulator.http.auth.browser import ask_to_log_in, browser_user, is_sealed, seal
from orgbridge.emulator.http.auth.clients import read_form
from orgbridge.emulator.http.auth.pages import approval_page, message_page
from orgbridge.emulator.http.auth.replies import Granted, token_values
from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.http.directory import Client
from orgbridge.emulator.org.readable import UserInfo

PATH = "/services/oauth2/authorize"
SUCCESS_PATH = "/services/oauth2/success"
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43,128}\Z")
_LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
_KEPT = (
    "response_type",
    "client_id",
    "redirect_uri",
    "scope",
    "state",
    "prompt",
    "login_hint",
    "code_challenge",
    "code_challenge_method",
    "nonce",
    "immediate",
    "display",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    """An authorization request whose client and address are good."""

    #: As given.
    values: dict[str, str]
    #: Who asks.
    client: Client
    #: Words of the scope.
    scopes: tuple[str, ...]

    @property
    def prompts(self) -> frozenset[str]:
        """Return what the user is to be shown whatever was decided before."""
        return frozenset(self.values.get("prompt", "").split())

    @property
    def is_silent(self) -> bool:
        """True when nothing may be shown."""
        return "none" in self.prompts or self.values.get("immediate") == "true"

    @property
    def is_code(self) -> bool:
        """True for the web server flow."""
        return self.values.get("response_type") == "code"

    def back(self, answer: Mapping[str, str]) -> Response:
        """Send the browser back to the client with an answer."""
        state = {"state": self.values["state"]} if "state" in self.values else {}
        text = urlencode({**answer, **state}, quote_via=quote)
        address = self.values["redirect_uri"]
        mark = "#" if not self.is_code and "access_token" in answer else ("&" if urlsplit(address).query else "?")
        return RedirectResponse(f"{address}{mark}{text}", 302, {"Cache-Control": "no-cache, no-store"})

    def refused(self, error: str, description: str) -> Response:
        """Send the browser back with an error."""
        return self.back({"error": error, "error_description": description})


async def authorize(call: Call) -> Response:
    """Answer GET and POST /services/oauth2/authorize; the approval page posts its decision here."""
    form = await read_form(call) if call.request.method == "POST" else {}
    given = {**dict(call.request.query_params), **form}
    request = _read(call, {name: given[name] for name in _KEPT if name in given})
    if isinstance(request, Response):
        return request
    user = await call.thread(lambda: browser_user(call))
    decision = form.get("decision")
    if decision is not None and user is not None and is_sealed(call, form.get("seal", "")):
        return await _decided(call, request, user, allow=decision == "allow")
    return await _asked(call, request, user)


async def success(_call: Call) -> Response:
    """Answer GET /services/oauth2/success: where clients without a server of their own send the browser."""
    return message_page("Authentication successful", "You may close this window.")


def _read(call: Call, values: dict[str, str]) -> _Request | Response:
    client = call.parts.directory.client(values.get("client_id", ""))
    if client is None:
        return _told("invalid_client_id", "client identifier invalid")
    if not _is_allowed(call, client, values.get("redirect_uri", "")):
        return _told("redirect_uri_mismatch", "redirect_uri must match configuration")
    scopes = tuple(values.get("scope", "").split()) or client.scopes
    request = _Request(values=values, client=client, scopes=scopes)
    if values.get("response_type") not in ("code", "token"):
        return request.refused("unsupported_response_type", "response type not supported")
    if not set(scopes) <= set(client.scopes):
        return request.refused("invalid_scope", "the requested scope is invalid, unknown, or malformed")
    challenge = values.get("code_challenge")
    if challenge is not None and not _CHALLENGE.match(challenge):
        return request.refused("invalid_request", "invalid code challenge")
    if values.get("code_challenge_method", "S256") != "S256":
        return request.refused("invalid_request", "code challenge method not supported")
    return request


def _told(error: str, description: str) -> Response:
    return message_page("OAuth Error", f"error={error}&error_description={description}", 400)


def _is_allowed(call: Call, client: Client, address: str) -> bool:
    if client.redirect_uris:
        return address in client.redirect_uris
    try:
        parts = urlsplit(address)
        host = parts.hostname
    except ValueError:
        return False
    if parts.fragment or not address.isprintable() or parts.scheme not in ("http", "https"):
        return False
    own = address in (call.base_url + SUCCESS_PATH, f"https://login.salesforce.com{SUCCESS_PATH}")
    return own or host in _LOCAL_HOSTS


async def _asked(call: Call, request: _Request, user: UserInfo | None) -> Response:
    client = request.client
    if user is None or "login" in request.prompts:
        if request.is_silent:
            return request.refused("immediate_unsuccessful", "the user is not logged in")
        # Without `login`, or the browser would come back to the login page for ever.
        prompt = " ".join(sorted(request.prompts - {"login"}))
        values = {**request.values, "prompt": prompt} if prompt else _without(request.values, "prompt")
        return ask_to_log_in(f"{PATH}?{urlencode(values, quote_via=quote)}", request.values.get("login_hint", ""))
    if not client.permits(user.username):
        return request.refused("OAUTH_APP_ACCESS_DENIED", "user is not admin approved to access this app")
    user_id = user.id
    approved = await call.thread(lambda: call.parts.grants.approved_scope(user_id, client.client_id))
    if client.asks_consent and ("consent" in request.prompts or not set(request.scopes) <= (approved or frozenset())):
        if request.is_silent:
            return request.refused("immediate_unsuccessful", "the user has not approved this consumer")
        hidden = {**request.values, "seal": seal(call)}
        return approval_page(client.client_id, user.username, request.scopes, PATH, hidden)
    return await _answered(call, request, user)


def _without(values: Mapping[str, str], name: str) -> dict[str, str]:
    return {key: value for key, value in values.items() if key != name}


async def _decided(call: Call, request: _Request, user: UserInfo, *, allow: bool) -> Response:
    client = request.client
    if not allow:
        return request.refused("access_denied", "end-user denied authorization")
    if not client.permits(user.username):
        return request.refused("OAUTH_APP_ACCESS_DENIED", "user is not admin approved to access this app")
    scope = " ".join(request.scopes)
    await call.thread(lambda: call.parts.grants.approve(user.id, client.client_id, scope))
    return await _answered(call, request, user)


async def _answered(call: Call, request: _Request, user: UserInfo) -> Response:
    client, scope, nonce = request.client, " ".join(request.scopes), request.values.get("nonce")
    if not request.is_code:
        granted = Granted(
            user=user, client=client, flow="user_agent", scope=scope, with_refresh=not client.secret_required
        )
        return request.back(await token_values(call, granted))
    body = {
        "client_id": client.client_id,
        "user_id": user.id,
        "redirect_uri": request.values["redirect_uri"],
        "scope": scope,
        "challenge": request.values.get("code_challenge"),
        "nonce": nonce,
    }
    code = await call.thread(lambda: call.parts.grants.issue_code(body))
    return request.back({"code": code})
