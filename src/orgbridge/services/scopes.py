"""What a token may do: the scopes, and the caller that a token stands for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from orgbridge.services.errors import ScopeMissing


class Scope(StrEnum):
    """One right. The value is what stands in a token."""

    RECORDS_READ = "records:read"
    RECORDS_WRITE = "records:write"
    BULK_READ = "bulk:read"
    BULK_WRITE = "bulk:write"
    ADMIN = "admin"


#: One line per scope, for the API documents and the command line.
SCOPES: dict[str, str] = {
    Scope.RECORDS_READ: "Read records, describes, queries and limits",
    Scope.RECORDS_WRITE: "Create, update, upsert and delete records",
    Scope.BULK_READ: "See bulk jobs, their results and receipts",
    Scope.BULK_WRITE: "Submit and abort bulk jobs",
    Scope.ADMIN: "See the inner state of the service and manage users",
}
#: What a user gets who is not given anything else.
DEFAULT_SCOPES: tuple[str, ...] = (Scope.RECORDS_READ, Scope.RECORDS_WRITE, Scope.BULK_READ, Scope.BULK_WRITE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who makes a call, as the token says and the store confirms."""

    #: Our user id.
    user_id: str
    #: Sign-in name.
    username: str
    #: Scopes that the token carries and the user still has.
    scopes: frozenset[str]
    #: One per role that the caller has; None in it restricts nothing, and no roles at all restrict nothing either.
    policies: tuple[Mapping[str, Any] | None, ...] = ()

    @property
    def is_admin(self) -> bool:
        """True when the inner state may be shown to this caller."""
        return Scope.ADMIN in self.scopes

    def need(self, scope: Scope) -> None:
        """See that the caller has a scope: for what only some requests to a route need.

        Raises:
            ScopeMissing: The token lacks it.
        """
        if scope not in self.scopes:
            raise ScopeMissing([scope.value])
