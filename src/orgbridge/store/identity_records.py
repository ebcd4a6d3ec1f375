"""Rows of identity as frozen values. No SQLAlchemy here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[Item]):
    """One page of a list."""

    #: The items, in the list's order.
    items: list[Item]
    #: What to pass as `cursor` for the next page; None at the end.
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleRecord:
    """One role: scopes and an optional policy."""

    #: Its name, which is its key.
    name: str
    #: For people.
    description: str
    #: What it lets do.
    scopes: tuple[str, ...]
    #: What it is limited to, as it was given; None limits nothing.
    policy: dict[str, Any] | None
    #: One of ours, which nobody changes.
    built_in: bool
    #: Changes with every write; what an ETag says.
    revision: str
    #: When it was made.
    created_at: datetime
    #: When it last changed.
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganizationRecord:
    """A customer whose plants and machines users are granted."""

    #: Our identifier.
    id: str
    #: Unique name.
    name: str
    #: Its key in another system, unique when given.
    external_id: str | None
    #: Changes with every write.
    revision: str
    #: When it was made.
    created_at: datetime
    #: When it last changed.
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantRecord:
    """A plant of an organization."""

    #: Our identifier.
    id: str
    #: Whose it is.
    organization_id: str
    #: Unique in the organization.
    name: str
    #: Its key in another system, unique when given.
    external_id: str | None
    #: Changes with every write.
    revision: str
    #: When it was made.
    created_at: datetime
    #: When it last changed.
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineRecord:
    """A machine of a plant."""

    #: Our identifier.
    id: str
    #: Where it stands.
    plant_id: str
    #: Unique in the plant.
    name: str
    #: Its key in another system, unique when given.
    external_id: str | None
    #: As on its plate.
    serial_number: str | None
    #: Salesforce's id of its Asset, 18 characters, unique when given.
    asset_id: str | None
    #: Changes with every write.
    revision: str
    #: When it was made.
    created_at: datetime
    #: When it last changed.
    updated_at: datetime


class Place(StrEnum):
    """What a user can be granted."""

    ORGANIZATION = "organization"
    PLANT = "plant"
    MACHINE = "machine"


class Revoked(StrEnum):
    """Why a session ended before its time."""

    SIGNED_OUT = "signed_out"
    REUSED = "refresh_token_reused"
    PASSWORD = "password_changed"  # noqa: S105 - a reason
    ADMIN = "admin"


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRecord:
    """One sign-in: the family of its refresh tokens."""

    #: Our identifier, `sid` in the access tokens.
    id: str
    #: Who signed in.
    user_id: str
    #: Scopes that were asked for; None for all that the user has at any time.
    scopes: tuple[str, ...] | None
    #: Where the sign-in came from.
    address: str
    #: What the caller's program called itself.
    agent: str
    #: When the user signed in.
    created_at: datetime
    #: When a token was last made for it.
    used_at: datetime
    #: When it ends unless it is used.
    idle_until: datetime
    #: When it ends in any case.
    expires_at: datetime
    #: When it was ended before its time.
    revoked_at: datetime | None = None
    #: Why.
    revoked_for: str | None = None

    def is_live(self, now: datetime) -> bool:
        """Return whether tokens of it count."""
        return self.revoked_at is None and now < self.idle_until and now < self.expires_at


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSecretRecord:
    """One secret of a service account."""

    #: Our identifier.
    id: str
    #: Whose it is.
    user_id: str
    #: SHA-256, hexadecimal; the secret itself has 256 bits of chance, so a slow hash would add nothing.
    secret_hash: str
    #: Its last characters, to tell secrets apart.
    hint: str
    #: When it was made.
    created_at: datetime
    #: When it ends; None for never.
    expires_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ThrottleRecord:
    """What is known of failed sign-ins under one key."""

    #: Hash of what is counted.
    key: str
    #: Failed tries since the last pardon.
    failures: int
    #: No try counts before.
    blocked_until: datetime | None
    #: A sign-in from here succeeded; account-wide delays do not count until then.
    trusted_until: datetime | None
    #: When the row last changed.
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKeyRecord:
    """The public half of a key that tokens were signed with."""

    #: RFC 7638 thumbprint.
    kid: str
    #: EdDSA, ES256 or RS256.
    algorithm: str
    #: The public key (RFC 7517).
    jwk: dict[str, Any]
    #: When it was first used.
    created_at: datetime
    #: No token that it signed is valid after this.
    tokens_until: datetime
    #: Tokens of it are refused since.
    revoked_at: datetime | None
