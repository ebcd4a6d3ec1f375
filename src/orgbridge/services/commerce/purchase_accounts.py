"""For whom a caller buys, told by what the caller is granted alone."""

from __future__ import annotations

from dataclasses import dataclass

from orgbridge.services.commerce.purchase_rules import check_organization
from orgbridge.services.errors import InvalidRequest
from orgbridge.services.scopes import Caller, Everything
from orgbridge.store.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantedAccount:
    """The account that a caller buys for."""

    #: Our id of the organization.
    organization_id: str
    #: Salesforce's id of the account, as the caller gave it; empty where none was given.
    account_id: str


class GrantedAccounts:
    """Takes the organization named, or the only one granted."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def resolve(
        self, caller: Caller, organization_id: str | None = None, account_id: str | None = None
    ) -> GrantedAccount:
        """Return the organization and account that are meant.

        Raises:
            NotOurs: There is no such organization.
            OrganizationNotGranted: The caller has no grant for it.
            InvalidRequest: None is named, and the caller is not granted exactly one.
        """
        granted = caller.organizations
        if organization_id is None:
            if isinstance(granted, Everything) or len(granted) != 1:
                raise InvalidRequest("Name the organization in org_id: you are not granted exactly one.")
            (organization_id,) = granted
        async with self._database.unit(write=False) as unit:
            await check_organization(unit, caller, organization_id)
        return GrantedAccount(organization_id=organization_id, account_id=account_id or "")
