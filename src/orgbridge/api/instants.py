"""Instants as callers write them in queries: ISO 8601, never a bare number."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BeforeValidator


def _no_number(value: object) -> object:
    """Refuse what Pydantic would take for seconds since 1970."""
    if isinstance(value, str) and not value[:5].endswith("-"):
        raise ValueError("not an instant as in 2026-01-31T09:30:00Z")
    return value


Instant = Annotated[datetime, BeforeValidator(_no_number)]
