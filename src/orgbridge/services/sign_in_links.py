"""Links that sign somebody in once: for the administrator of this machine, who has no password.

They live in the memory of the process that made them, for a short while, and only as hashes; their use ends them.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from orgbridge.kit.clock import Clock
from orgbridge.kit.errors import ErrorKind
from orgbridge.services.errors import IdentityError

#: How long a link can be used.
LINK_LIFETIME = timedelta(minutes=15)
#: So that scanners for secrets, and people, see what it is.
_PREFIX = "obl_"
#: Links that wait to be used, at most; the oldest goes first.
_WAITING = 100


class SignInLinkUsed(IdentityError):
    """This sign-in link was used before, or is too old: ask for another one."""

    code: ClassVar[str] = "identity.sign_in_link_used"
    kind: ClassVar[ErrorKind] = ErrorKind.UNAUTHENTICATED


@dataclass(frozen=True, slots=True, kw_only=True)
class _Waiting:
    """A link that was not used yet."""

    user_id: str
    expires_at: datetime


class SignInLinks:
    """Makes links and takes them back, each once."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiting: dict[str, _Waiting] = {}

    def make(self, user_id: str) -> str:
        """Return a ticket that stands for a user, once, for a quarter of an hour.

        Whoever calls has seen that the user may have it.
        """
        ticket = _PREFIX + secrets.token_urlsafe(32)
        self._waiting[_hash(ticket)] = _Waiting(user_id=user_id, expires_at=self._clock.now() + LINK_LIFETIME)
        while len(self._waiting) > _WAITING:
            del self._waiting[next(iter(self._waiting))]
        return ticket

    def redeem(self, ticket: str) -> str:
        """Return the id of the user that a ticket stands for; it is used up.

        Raises:
            SignInLinkUsed: It is not one of ours, was used before, or is too old.
        """
        # Looked up by its hash: how long that takes tells nothing of the tickets that there are.
        waiting = self._waiting.pop(_hash(ticket), None)
        if waiting is None or waiting.expires_at <= self._clock.now():
            raise SignInLinkUsed
        return waiting.user_id


def _hash(ticket: str) -> str:
    return hashlib.sha256(ticket[:200].encode("utf-8", "surrogatepass")).hexdigest()
