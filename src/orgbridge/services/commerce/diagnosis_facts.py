"""What Salesforce says of a buyer's chain, read by the integration user in a few composite calls."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from orgbridge.client.replies import RawPage
from orgbridge.kit.json import loads
from orgbridge.orgs.connections import Orgs
from orgbridge.soql import bind

Rows = list[dict[str, Any]]
_SOQL: Final[Mapping[str, str]] = {
    "account": "SELECT Id FROM Account WHERE Id = :account",
    "user": "SELECT Id, IsActive, UserType, ContactId, Contact.AccountId, Profile.Name FROM User "
    "WHERE Username = :username LIMIT 1",
    "delegated": "SELECT Id FROM DelegatedAccount WHERE ManagedById = :user AND TargetId = :account "
    "AND AccessBuyFor = TRUE LIMIT 1",
    "permissions": "SELECT PermissionSet.Name FROM PermissionSetAssignment WHERE AssigneeId = :user LIMIT 200",
    "buyer": "SELECT IsActive, BuyerStatus FROM BuyerAccount WHERE BuyerId = :account LIMIT 1",
    "groups": "SELECT BuyerGroupId FROM BuyerGroupMember WHERE BuyerId = :account LIMIT 200",
    "product": "SELECT Id, IsActive FROM Product2 WHERE StockKeepingUnit = :sku OR ProductCode = :sku "
    "ORDER BY IsActive DESC LIMIT 1",
    "stores": "SELECT WebStoreId, BuyerGroupId FROM WebStoreBuyerGroup WHERE BuyerGroupId IN :groups LIMIT 200",
    "policies": "SELECT BuyerGroupId, PolicyId, Policy.IsActive, Policy.CanViewProduct, Policy.CanViewPrice "
    "FROM CommerceEntitlementBuyerGroup WHERE BuyerGroupId IN :groups LIMIT 200",
    "books": "SELECT BuyerGroupId, Pricebook2Id, Pricebook2.IsActive FROM BuyerGroupPricebook "
    "WHERE BuyerGroupId IN :groups AND IsActive = TRUE LIMIT 200",
    "store": "SELECT Id FROM WebStore WHERE Id = :store",
    "sites": "SELECT NetworkId, Network.Status FROM WebStoreNetwork WHERE WebStoreId = :store LIMIT 200",
    "store_books": "SELECT Pricebook2Id, Pricebook2.IsActive FROM WebStorePricebook "
    "WHERE WebStoreId = :store AND IsActive = TRUE LIMIT 200",
    "memberships": "SELECT NetworkId FROM NetworkMember WHERE MemberId = :user LIMIT 200",
    "entitled": "SELECT PolicyId FROM CommerceEntitlementProduct WHERE ProductId = :product "
    "AND PolicyId IN :policies LIMIT 1",
    "entries": "SELECT Id FROM PricebookEntry WHERE Product2Id = :product AND IsActive = TRUE "
    "AND Pricebook2Id IN :books LIMIT 1",
}
_ROUNDS: Final = (
    ("account", "user"),
    ("delegated", "permissions", "buyer", "groups", "product"),
    ("stores", "policies", "books"),
    ("store", "sites", "store_books", "memberships", "entitled"),
    ("entries",),
)


@dataclass(slots=True, kw_only=True)
class ChainFacts:
    """What was read. A question that is not among `rows` was not asked: what it hangs on is missing."""

    #: Rows by question; None for one whose object or fields the integration user does not see.
    rows: dict[str, Rows | None] = field(default_factory=dict)
    #: The account that is bought for: as was told, else the contact's own, where that is the organization's.
    account_id: str | None = None
    #: The store: as was told, else the only one of the account's groups.
    webstore_id: str | None = None

    def first(self, name: str) -> dict[str, Any]:
        """Return the first row of a question; empty when there is none."""
        rows = self.rows.get(name)
        return rows[0] if rows else {}

    def in_store(self, name: str) -> Rows:
        """Return the rows of a question that are about buyer groups of the store."""
        groups = {row["BuyerGroupId"] for row in self.rows.get("stores") or [] if row["WebStoreId"] == self.webstore_id}
        rows = self.rows.get(name) or []
        return [row for row in rows if row["BuyerGroupId"] in groups] if groups else rows

    def policies(self) -> list[str]:
        """Return the ids of the policies that let see products."""
        return [
            str(row["PolicyId"])
            for row in self.in_store("policies")
            if _at(row, "Policy", "IsActive") and _at(row, "Policy", "CanViewProduct")
        ]

    def shows_prices(self) -> bool:
        """Tell whether one of these policies lets see prices."""
        seen = set(self.policies())
        return any(row["PolicyId"] in seen and _at(row, "Policy", "CanViewPrice") for row in self.in_store("policies"))

    def books(self) -> list[str]:
        """Return the ids of the active price books of the groups and of the store."""
        rows = [*self.in_store("books"), *(self.rows.get("store_books") or [])]
        return sorted({str(row["Pricebook2Id"]) for row in rows if _at(row, "Pricebook2", "IsActive")})


class ChainReader:
    """Reads chains from one org."""

    def __init__(self, orgs: Orgs, org: str = "default") -> None:
        self._orgs = orgs
        self._org = org

    async def read(
        self,
        *,
        account_id: str | None,
        sf_username: str | None,
        sku: str | None,
        webstore_id: str | None,
        owned: frozenset[str] | None = None,
    ) -> ChainFacts:
        """Return what Salesforce says.

        Args:
            account_id: The account that is bought for; None while it is not known.
            sf_username: The buyer's user name; None for nobody's.
            sku: A product, by SKU or product code; None for no product.
            webstore_id: The store; None to tell it by the account's groups.
            owned: Accounts of the organization; the contact's own account, if among them, is bought for. None when
                the account was named.

        Raises:
            ClientError: Salesforce could not be asked.
        """
        facts = ChainFacts(account_id=account_id, webstore_id=webstore_id)
        known: dict[str, Any] = {"account": account_id, "username": sf_username, "sku": sku, "store": webstore_id}
        for names in _ROUNDS:
            await self._ask(facts, names, known)
            user = facts.first("user")
            own = _at(user, "Contact", "AccountId")
            if owned is not None and own in owned and facts.account_id != own:
                facts.account_id = known["account"] = own
                await self._ask(facts, ("account",), known)
            stores = {row["WebStoreId"] for row in facts.rows.get("stores") or []}
            if facts.webstore_id is None and len(stores) == 1:
                facts.webstore_id = known["store"] = stores.pop()
            known |= {
                "user": user.get("Id"),
                "groups": [row["BuyerGroupId"] for row in facts.rows.get("groups") or []],
                "product": facts.first("product").get("Id"),
                "policies": facts.policies(),
                "books": facts.books(),
            }
        return facts

    async def _ask(self, facts: ChainFacts, names: tuple[str, ...], known: Mapping[str, Any]) -> None:
        texts: dict[str, str] = {}
        for name in names:
            soql = _SOQL[name]
            values = {key: value for key, value in known.items() if re.search(rf":{key}\b", soql)}
            if all(values.values()):
                texts[name] = bind(soql, values)
        if not texts:
            return
        pages = await self._orgs.get(self._org).salesforce.query.raw_pages(list(texts.values()))
        for name, page in zip(texts, pages, strict=True):
            facts.rows[name] = loads(page.records) if isinstance(page, RawPage) else None


def _at(row: Mapping[str, Any], *path: str) -> Any:
    value: Any = row
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
