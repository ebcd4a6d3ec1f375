"""User names and passwords: who they let in, and why not.

Source: facts/salesforce/auth.md section 5 (codes of SOAP login). Assumed: the order of the checks.
"""

from __future__ import annotations

import hmac
from enum import StrEnum

from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.http.directory import Login
from orgbridge.emulator.org.readable import UserInfo


class Refusal(StrEnum):
    """Why a password does not let its owner in."""

    INVALID = "invalid"
    LOCKED_OUT = "locked_out"
    TOKEN_NEEDED = "token_needed"  # noqa: S105 no secret


def is_expired(call: Call, username: str) -> bool:
    """Tell whether the password of a name has to be changed. Call it in a thread."""
    changed, login = call.parts.grants.password(username), call.parts.directory.login(username)
    return changed.expired if changed is not None else login is not None and login.password_expired


def check_password(call: Call, username: str, password: str, *, by_hand: bool = False) -> UserInfo | Refusal:
    """Return the user whose password this is, active or not, or why it lets nobody in. Call it in a thread.

    Args:
        call: The request.
        username: In any case.
        password: With the security token appended or, from a trusted address, without.
        by_hand: True for a login page, which asks for no security token.
    """
    directory, grants = call.parts.directory, call.parts.grants
    login, limit = directory.login(username), directory.policy.max_failed_passwords
    changed = grants.password(username)
    if login is None and changed is None:
        return Refusal.INVALID
    # A user who was made while the org runs has no security token, and calls from a trusted address.
    login = login or Login(username=username, password="")
    if login.locked_out or (limit and grants.failures(username) >= limit):
        return Refusal.LOCKED_OUT
    token = login.security_token
    if changed is not None:
        whole = password.endswith(token) and changed.fits(password[: len(password) - len(token)])
        bare = changed.fits(password)
    else:
        whole = hmac.compare_digest(password.encode(), (login.password + token).encode())
        bare = hmac.compare_digest(password.encode(), login.password.encode())
    if not whole and not bare:
        if limit:
            grants.note_failure(username)
        return Refusal.INVALID
    if not whole and not by_hand and not login.trusted_address:
        return Refusal.TOKEN_NEEDED
    if limit:
        grants.forgive(username)
    return directory.by_username(username) or Refusal.INVALID
