"""Shapes of Salesforce accounts, their hierarchy, and the mappings of organizations to them."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

_ACCOUNT_ID = r"^001[A-Za-z0-9]{12}([A-Za-z0-9]{3})?$"
_Text = Annotated[str, Field(min_length=1, max_length=255)]
ACCOUNT: dict[str, Any] = {
    "account_id": "001Ob00000000aZIAQ",
    "organization_id": "org_01jd6z7w7kq2m4t8v0x3y5z7b9",
    "organization_name": "Nordmühle",
    "is_mapped": True,
    "name": "Nordmühle Group",
    "account_number": "4711",
    "type": "Customer - Direct",
    "is_buyer": True,
    "city": "Kiel",
    "country": "Germany",
    "parent_id": None,
    "external_ids": {"External_Id__c": "ACC-100"},
}
BELOW: dict[str, Any] = ACCOUNT | {
    "account_id": "001Ob00000000aaIAA",
    "is_mapped": False,
    "name": "Nordmühle Werk Kiel",
    "parent_id": ACCOUNT["account_id"],
    "external_ids": {"External_Id__c": "ACC-110"},
}
MAPPING: dict[str, Any] = {
    "organization_id": ACCOUNT["organization_id"],
    "organization_name": ACCOUNT["organization_name"],
    "account_id": ACCOUNT["account_id"],
    "account_name": ACCOUNT["name"],
    "found_by": "external_id",
    "mapped_by": "local-admin",
    "created_at": "2026-11-22T09:30:00+00:00",
    "updated_at": "2026-11-22T09:30:00+00:00",
}


class AccountReply(BaseModel):
    """An account of Salesforce. What a policy hides, or the org does not have, is absent."""

    account_id: str
    organization_id: str = Field(description="The organization that it belongs to.")
    organization_name: str
    is_mapped: bool = Field(description="True for the account that the organization is mapped to.")
    name: str | None = None
    account_number: str | None = None
    type: str | None = None
    is_buyer: bool | None = Field(None, description="True when it is a buyer account of the store.")
    city: str | None = None
    country: str | None = None
    parent_id: str | None = Field(None, description="The account above it, null at the top of what is yours.")
    external_ids: dict[str, Any] | None = Field(None, description="Its keys in other systems, by field.")


class AccountList(BaseModel):
    """Accounts that the caller may act for."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"accounts": [ACCOUNT, BELOW], "next_cursor": None}]})

    accounts: list[AccountReply]
    next_cursor: str | None


class OrganizationAccounts(BaseModel):
    """An organization with its accounts."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "organization_id": ACCOUNT["organization_id"],
                    "organization_name": ACCOUNT["organization_name"],
                    "account_id": ACCOUNT["account_id"],
                    "accounts": [ACCOUNT, BELOW],
                }
            ]
        }
    )

    organization_id: str
    organization_name: str
    account_id: str = Field(description="The account that the organization is mapped to.")
    accounts: list[AccountReply] = Field(description="The mapped one first, then those below it.")


class AccountTree(AccountReply):
    """An account with those below it."""

    children: list[AccountTree]


class HierarchyReply(BaseModel):
    """An organization's accounts as a tree."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "organization_id": ACCOUNT["organization_id"],
                    "organization_name": ACCOUNT["organization_name"],
                    "account_id": ACCOUNT["account_id"],
                    "hierarchy": [{**ACCOUNT, "children": [{**BELOW, "children": []}]}],
                }
            ]
        }
    )

    organization_id: str
    organization_name: str
    account_id: str
    hierarchy: list[AccountTree] = Field(
        description="One tree; several where a policy hides accounts in between, or what stands above them."
    )


class MappingNew(BaseModel):
    """Which account an organization is to be: named in one way."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"external_id": "ACC-100"}, {"account_id": "001Ob00000000aZIAQ"}],
            "oneOf": [
                {"required": [name], "properties": {name: {"type": "string"}}}
                for name in ("account_id", "external_id", "name", "account")
            ],
        },
    )

    account_id: Annotated[str, Field(pattern=_ACCOUNT_ID)] | None = Field(
        None, description="Salesforce id, 15 or 18 characters."
    )
    external_id: _Text | None = Field(None, description="Value of any field of Account that is an external id.")
    name: _Text | None = Field(None, description="The account's name, exactly as it is written in Salesforce.")
    account: _Text | None = Field(None, description="Any of the three.")

    @model_validator(mode="after")
    def _named_once(self) -> MappingNew:
        if sum(item is not None for item in (self.account_id, self.external_id, self.name, self.account)) != 1:
            raise ValueError("name the account in one way: account_id, external_id, name or account")
        return self


class MappingReply(BaseModel):
    """An organization and the account that it is mapped to; null where it is mapped to none."""

    model_config = ConfigDict(json_schema_extra={"examples": [MAPPING]})

    organization_id: str
    organization_name: str
    account_id: str | None
    account_name: str | None = Field(None, description="As it was called when it was mapped.")
    found_by: str | None = Field(description="How the account was named: id, external_id or name.")
    mapped_by: str | None = Field(description="Who mapped.")
    created_at: str | None
    updated_at: str | None


class MappingPage(BaseModel):
    """One page of organizations with their mappings."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"mappings": [MAPPING], "next_cursor": None}]})

    mappings: list[MappingReply]
    next_cursor: str | None
