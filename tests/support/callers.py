"""Callers for tests of services: one whom nothing restricts, and ones with policies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orgbridge.services.scopes import SCOPES, Caller, Scope

#: Has every scope and no policy.
UNRESTRICTED = Caller(user_id="user_1", username="ann", scopes=frozenset(SCOPES))


def restricted(*policies: Mapping[str, Any] | None, username: str = "bob", user_id: str = "user_2") -> Caller:
    """Return a caller with one role per policy, who is no admin."""
    scopes = frozenset(SCOPES) - {Scope.ADMIN.value}
    return Caller(user_id=user_id, username=username, scopes=scopes, policies=policies)
