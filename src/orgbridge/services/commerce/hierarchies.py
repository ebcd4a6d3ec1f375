"""Accounts as a caller may see them: the list for the buyer switch, and the hierarchy of an organization."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass

from orgbridge.kit.json import JSON
from orgbridge.orgs.connections import Orgs
from orgbridge.services.commerce.accounts import AccountService, OwnedAccount
from orgbridge.services.commerce.conditions import among, select
from orgbridge.services.commerce.errors import NotMapped
from orgbridge.services.commerce.sights import Question, Row, Sight
from orgbridge.services.commerce.trees import AccountTrees
from orgbridge.services.scopes import Caller, Scope

#: Ids of one query; what is longer than a URL goes by a composite call.
_CHUNK = 2_000
#: Of an account, besides its external ids. What the org does not have and what a policy hides is left out.
_FIELDS = ("Id", "Name", "ParentId", "AccountNumber", "Type", "IsBuyer", "BillingCity", "BillingCountry")


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountPage:
    """Accounts that a caller may act for."""

    #: JSON-ready, those of one organization together and the mapped one first.
    accounts: list[dict[str, JSON]]
    #: For the accounts of further organizations; None at the end.
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hierarchy:
    """An organization's accounts."""

    #: JSON-ready: the organization, and the account that it is mapped to.
    head: dict[str, JSON]
    #: As a list, the mapped one first.
    accounts: list[dict[str, JSON]]


class HierarchyService:
    """Shows accounts to callers."""

    def __init__(self, orgs: Orgs, accounts: AccountService, trees: AccountTrees) -> None:
        self._orgs = orgs
        self._accounts = accounts
        self._trees = trees
        self._sight = Sight(orgs)

    async def switch(self, caller: Caller, *, cursor: str | None, limit: int) -> AccountPage:
        """Return the accounts that the caller may act for, by pages of organizations.

        Args:
            caller: Who asks.
            cursor: `next_cursor` of the page before, or None for the first page.
            limit: Most organizations of the page.

        Raises:
            CursorInvalid: The cursor is not one of this list.
            HierarchyTooLarge: There are more accounts than are read at once: ask for fewer organizations.
            ClientError: Salesforce could not be asked.
        """
        page = await self._accounts.page(caller, cursor=cursor, limit=limit)
        owned = await self._accounts.accounts(page.items)
        return AccountPage(accounts=await self._shown(caller, owned), next_cursor=page.next_cursor)

    async def of(self, caller: Caller, organization: str) -> Hierarchy:
        """Return the accounts of an organization.

        Args:
            caller: Who asks.
            organization: Its name, id or key.

        Raises:
            OrganizationUnknown: There is none.
            OrganizationAmbiguous: Several are meant.
            NotGranted: The caller is not granted it.
            NotMapped: It has no account.
            AccountGone: Its account was deleted or merged.
            HierarchyTooLarge: There are more accounts than are read at once.
            ClientError: Salesforce could not be asked.
        """
        place = await self._accounts.organization(caller, organization)
        if place.mapping is None:
            raise NotMapped(f"Organization {place.organization.id} is mapped to no Salesforce account.")
        # Says what became of an account that is gone.
        await self._trees.lineage(place.mapping.account_id)
        owned = await self._accounts.accounts([place])
        head: dict[str, JSON] = {
            "organization_id": place.organization.id,
            "organization_name": place.organization.name,
            "account_id": place.mapping.account_id,
        }
        return Hierarchy(head=head, accounts=await self._shown(caller, owned))

    async def _shown(self, caller: Caller, owned: Sequence[OwnedAccount]) -> list[dict[str, JSON]]:
        if not owned:
            return []
        keys = await self._keys(caller)
        names = await self._sight.fields(caller, Scope.ACCOUNTS_READ, "Account", [*_FIELDS, *keys])
        rows: dict[str, Row] = {}
        ids = [account.node.id for account in owned]
        for start in range(0, len(ids) if names else 0, _CHUNK):
            chunk = ids[start : start + _CHUNK]
            query = select("Account", names or ["Id"], limit=len(chunk))
            question = Question(query=query, own=among("Id", chunk))
            rows |= {str(row["Id"]): row for row in await self._sight.rows(caller, Scope.ACCOUNTS_READ, question)}
        # An account whose row a policy hides vanishes from what is shown.
        seen = [account for account in owned if account.node.id in rows]
        places = {account.node.id: number for number, account in enumerate(seen)}
        return [
            account_portrait(account, rows[account.node.id], keys, places.keys())
            for account in sorted(seen, key=lambda one: (one.organization.name, not one.is_mapped, places[one.node.id]))
        ]

    async def _keys(self, caller: Caller) -> list[str]:
        described = await self._orgs.get().describe("Account")
        names = [str(field["name"]) for field in described.fields.values() if field.get("externalId")]
        return (await self._sight.fields(caller, Scope.ACCOUNTS_READ, "Account", names)) or []


def account_portrait(
    account: OwnedAccount, row: Row, keys: Sequence[str], others: Container[str | None]
) -> dict[str, JSON]:
    """Return an account; what the caller may not see is not there.

    Args:
        account: The account.
        row: What the caller may see of it.
        keys: Its external ids.
        others: Ids that the caller may be told: an account above the mapped one is another's business.
    """
    told: dict[str, JSON] = {
        "account_id": account.node.id,
        "organization_id": account.organization.id,
        "organization_name": account.organization.name,
        "is_mapped": account.is_mapped,
    }
    named = {
        "name": "Name",
        "account_number": "AccountNumber",
        "type": "Type",
        "is_buyer": "IsBuyer",
        "city": "BillingCity",
        "country": "BillingCountry",
    }
    told |= {name: row[field] for name, field in named.items() if field in row}
    if "ParentId" in row:
        told["parent_id"] = account.node.parent_id if account.node.parent_id in others else None
    if keys:
        told["external_ids"] = {key: row[key] for key in keys if row.get(key) is not None}
    return told


def nested(accounts: Sequence[dict[str, JSON]]) -> list[dict[str, JSON]]:
    """Return accounts as trees, each with its `children`; one whose parent is not among them stands at the top."""
    trees: dict[str, dict[str, JSON]] = {str(account["account_id"]): dict(account) for account in accounts}
    children: dict[str, list[JSON]] = {identifier: [] for identifier in trees}
    tops: list[dict[str, JSON]] = []
    for identifier, account in trees.items():
        account["children"] = children[identifier]
        above = account.get("parent_id")
        if isinstance(above, str) and above in children:
            children[above].append(account)
        else:
            tops.append(account)
    return tops
