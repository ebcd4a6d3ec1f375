"""Callers as the identity service would return them."""

from __future__ import annotations

from orgbridge.services.scopes import SCOPES, Caller, Scope

ANYBODY = Caller(user_id="user_any", username="anybody", scopes=frozenset(SCOPES))
SOMEBODY_ELSE = Caller(user_id="user_else", username="somebody-else", scopes=frozenset(SCOPES))
READER = Caller(user_id="user_reader", username="reader", scopes=frozenset({Scope.RECORDS_READ.value}))
