"""User names and passwords: who they let in, and why not.

Source: facts/salesforce/auth.md section 5 (codes of SOAP login). Assumed: the order of the checks.
"""

from __future__ import annotations

import hmac
from enum import StrEnum

from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.org.org import UserInfo


class Refusal(StrEnum):
    """Why a password does not let its owner in."""

    INVALID = "invalid"
    LOCKED_OUT = "locked_out"
    TOKEN_NEEDED = "token_needed"  # noqa: S105 no secret


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
    if login is None:
        return Refusal.INVALID
    if login.locked_out or (limit and grants.failures(username) >= limit):
        return Refusal.LOCKED_OUT
    whole = hmac.compare_digest(password.encode(), (login.password + login.security_token).encode())
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
