"""Records of orgs that need consent again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentRecord:
    """One org whose sign-in is refused until people do something."""

    #: Our name of the org.
    org: str
    #: Slow hash of the credentials that were refused.
    fingerprint: str
    #: OAuth error word.
    error: str
    #: What is wrong, as far as Salesforce tells.
    cause: str
    #: What to do about it.
    remedy: str
    #: How often Salesforce refused in a row.
    refusals: int
    #: When it refused first.
    since: datetime
    #: Before this nobody asks again with these credentials.
    next_try_at: datetime
