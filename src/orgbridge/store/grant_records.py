"""Records of grants whose refresh tokens Salesforce replaces."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantRecord:
    """What somebody consented to in a browser, for one org."""

    #: Our name of the org.
    org: str
    #: Hash of the refresh token that began it.
    grant_id: str
    #: The refresh token that is good now, sealed; None: still the first.
    sealed: str | None = field(default=None, repr=False)
    #: How often Salesforce replaced it.
    rotations: int = 0
    #: Since when Salesforce is being asked; None when the outcome of the last time is known.
    asked_at: datetime | None = None
    #: Last change.
    updated_at: datetime
