"""Rows of mappings between organizations and Salesforce accounts as frozen values. No SQLAlchemy here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from orgbridge.store.identity_records import OrganizationRecord


class FoundBy(StrEnum):
    """How an account was named when an organization was mapped to it."""

    ID = "id"
    EXTERNAL_ID = "external_id"
    NAME = "name"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountMappingRecord:
    """Which Salesforce account an organization is."""

    #: Our organization.
    organization_id: str
    #: Salesforce's id of the account, 18 characters, unique.
    account_id: str
    #: Its name when the mapping was made, for people who look at a mapping whose account is gone.
    account_name: str
    #: How the account was named.
    found_by: FoundBy
    #: Name of the user who mapped.
    mapped_by: str
    #: Changes with every write.
    revision: str
    #: When the organization was first mapped.
    created_at: datetime
    #: When the mapping last changed.
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class MappedOrganization:
    """An organization with its mapping."""

    #: The organization.
    organization: OrganizationRecord
    #: Its account; None for an organization that is not mapped.
    mapping: AccountMappingRecord | None
