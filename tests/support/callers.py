"""Callers as the identity service would return them: ones whom nothing restricts, and ones with policies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orgbridge.services.scopes import SCOPES, Caller, Scope

#: Has every scope and no policy.
UNRESTRICTED = Caller(user_id="user_1", username="ann", scopes=frozenset(SCOPES))
ANYBODY = Caller(user_id="user_any", username="anybody", scopes=frozenset(SCOPES))
SOMEBODY_ELSE = Caller(user_id="user_else", username="somebody-else", scopes=frozenset(SCOPES))
READER = Caller(user_id="user_reader", username="reader", scopes=frozenset({Scope.RECORDS_READ.value}))


def restricted(*policies: Mapping[str, Any] | None, username: str = "bob", user_id: str = "user_2") -> Caller:
    """Return a caller with one role per policy, each with every scope but admin's."""
    scopes = frozenset(SCOPES) - {Scope.ADMIN.value}
    return Caller(
        user_id=user_id, username=username, scopes=scopes, policies=policies, role_scopes=(scopes,) * len(policies)
    )
