"""JWT bearer: an assertion that a client signed, checked claim by claim.

Source: facts/salesforce/auth.md section 2.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

import jwt

from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.http.directory import Client
from orgbridge.emulator.http.errors import OAuthFault
from orgbridge.emulator.http.sites import find_site, may_enter
from orgbridge.emulator.org.readable import UserInfo

#: Above this, `exp` is read as milliseconds: the Salesforce CLI writes them. Source: auth.md section 2.
_MILLISECONDS = 100_000_000_000
_NOT_APPROVED = "user hasn't approved this consumer"


async def check_assertion(call: Call, assertion: str) -> tuple[Client, UserInfo]:
    """Return the client that signed an assertion and the user whom it is for.

    Raises:
        OAuthFault: The assertion is not good; the description says which part of it.
    """
    try:
        claims = jwt.decode(assertion, options={"verify_signature": False})
    except jwt.PyJWTError as error:
        raise OAuthFault("invalid_grant", "invalid assertion") from error
    client = call.parts.directory.client(str(claims.get("iss", "")))
    if client is None:
        raise OAuthFault("invalid_client_id", "client identifier invalid")
    _check_signature(client, assertion)
    _check_times(call, claims)
    if not await call.thread(lambda: _good_audience(call, claims.get("aud"))):
        raise OAuthFault("invalid_grant", "audience is invalid")
    name = str(claims.get("sub", claims.get("prn", "")))
    user = await call.thread(lambda: call.parts.directory.by_username(name))
    if user is None:
        raise OAuthFault("invalid_grant", _NOT_APPROVED)
    if client.jwt_needs_consent:
        user_id = user.id
        approved = await call.thread(lambda: call.parts.grants.approved_scope(user_id, client.client_id))
        if approved is None:
            raise OAuthFault("invalid_grant", _NOT_APPROVED)
    site, user_id = call.site, user.id
    if site is not None and not await call.thread(lambda: may_enter(call.parts.storage, site, user_id)):
        # Assumed: a user who is no member of the site is told as one who did not approve.
        raise OAuthFault("invalid_grant", _NOT_APPROVED)
    return client, user


def _check_signature(client: Client, assertion: str) -> None:
    if client.public_key is None:
        raise OAuthFault("invalid_grant", _NOT_APPROVED)
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
    """Tell whether an assertion was meant for this org: a Salesforce host, the address it was sent to, or a site of it.

    Source: facts/commerce/auth.md section 2 for sites.
    """
    given = audience if isinstance(audience, list) else [audience]
    for text in given:
        if not isinstance(text, str):
            continue
        host = (urlsplit(text).hostname or "").lower()
        if host.endswith((".salesforce.com", ".my.site.com")) or text.rstrip("/").lower() == call.base_url.lower():
            return True
        start, _, prefix = text.rstrip("/").rpartition("/")
        if start.lower() == call.base_url.lower() and find_site(call.parts.storage, prefix) is not None:
            return True
    return False
