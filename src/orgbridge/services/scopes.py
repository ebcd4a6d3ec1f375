"""What a token may do: the scopes, and the caller that a token stands for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from orgbridge.services.errors import ScopeMissing
from orgbridge.store.records import UserKind


class Scope(StrEnum):
    """One right. The value is what stands in a token."""

    RECORDS_READ = "records:read"
    RECORDS_WRITE = "records:write"
    BULK_READ = "bulk:read"
    BULK_WRITE = "bulk:write"
    ACCOUNTS_READ = "accounts:read"
    ACCOUNTS_WRITE = "accounts:write"
    MACHINES_READ = "machines:read"
    MACHINES_WRITE = "machines:write"
    CARTS_READ = "carts:read"
    CARTS_WRITE = "carts:write"
    ORDERS_READ = "orders:read"
    ORDERS_WRITE = "orders:write"
    ADMIN = "admin"


#: One line per scope, for the API documents and the command line.
SCOPES: dict[str, str] = {
    Scope.RECORDS_READ: "Read records, describes, queries and limits",
    Scope.RECORDS_WRITE: "Create, update, upsert and delete records",
    Scope.BULK_READ: "See bulk jobs, their results and receipts",
    Scope.BULK_WRITE: "Submit and abort bulk jobs",
    Scope.ACCOUNTS_READ: "See the Salesforce accounts of organizations",
    Scope.ACCOUNTS_WRITE: "Map organizations to Salesforce accounts",
    Scope.MACHINES_READ: "See machines, their parts and documents",
    Scope.MACHINES_WRITE: "Add documents to machines",
    Scope.CARTS_READ: "See carts",
    Scope.CARTS_WRITE: "Fill and empty carts",
    Scope.ORDERS_READ: "See orders and purchase orders",
    Scope.ORDERS_WRITE: "Place orders, ask for and approve purchase orders",
    Scope.ADMIN: "See the inner state of the service and manage users",
}
#: What a user gets who is not given anything else.
DEFAULT_SCOPES: tuple[str, ...] = (Scope.RECORDS_READ, Scope.RECORDS_WRITE, Scope.BULK_READ, Scope.BULK_WRITE)
#: The roles that every house has, and what each lets do. Nobody changes them; make a role of your own instead.
BUILT_IN_ROLES: dict[str, tuple[str, ...]] = {
    "admin": tuple(SCOPES),
    "integrator": DEFAULT_SCOPES,
    "reader": (Scope.RECORDS_READ, Scope.BULK_READ),
    "buyer": (
        Scope.ACCOUNTS_READ,
        Scope.MACHINES_READ,
        Scope.CARTS_READ,
        Scope.CARTS_WRITE,
        Scope.ORDERS_READ,
        Scope.ORDERS_WRITE,
    ),
}


class Everything:
    """A set of ids that holds every id: the grant `all`. There is one, `ALL`; it cannot be listed."""

    __slots__ = ()

    def __contains__(self, _identifier: object) -> bool:
        return True

    def __repr__(self) -> str:
        return "ALL"


ALL: Final = Everything()
#: Ids that a caller is granted.
Grant = frozenset[str] | Everything
_NONE: Final[frozenset[str]] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who makes a call, as the token says and the store confirms."""

    #: Our user id; `oidc:` and the subject for somebody whom only the external issuer knows.
    user_id: str
    #: Sign-in name.
    username: str
    #: Scopes that the token carries and the user still has.
    scopes: frozenset[str]
    #: A person or a program.
    kind: UserKind = UserKind.USER
    #: Names of the user's roles, sorted.
    roles: tuple[str, ...] = ()
    #: The policy of each of these roles as it was written, None for one that limits nothing. Empty, for a user without
    #: roles, limits nothing.
    policies: tuple[Mapping[str, Any] | None, ...] = ()
    #: The scopes of each of these roles.
    role_scopes: tuple[frozenset[str], ...] = ()
    #: Ids of the organizations that the user is granted, or `ALL`.
    organizations: Grant = _NONE
    #: Ids of the plants that the user is granted, or `ALL`.
    plants: Grant = _NONE
    #: Ids of the machines that the user is granted, or `ALL`.
    machines: Grant = _NONE
    #: The Salesforce user that the user acts as; None for the integration user.
    sf_username: str | None = None
    #: The sign-in that the token came from; None for tokens without one.
    session_id: str | None = None

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

    def policies_for(self, scope: Scope) -> tuple[Mapping[str, Any] | None, ...]:
        """Return the policies of those roles that let the caller use a scope.

        A role without the scope lends its freedom to nobody: somebody who may read a little by one role and bulk-load
        all by another still reads a little.

        Returns:
            One per role with the scope; all policies when the scope is the user's own, so that roles limit it too;
            empty for a user without roles.
        """
        lent = tuple(policy for policy, scopes in zip(self.policies, self.role_scopes, strict=True) if scope in scopes)
        return lent or self.policies


def unknown_scopes(scopes: Iterable[str]) -> Iterator[str]:
    """Yield the words that are no scopes, sorted."""
    yield from sorted(set(scopes) - set(SCOPES))
