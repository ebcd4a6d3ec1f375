"""Parts that fit a machine: the products that its product is related to, as far as the buyer may buy them.

What a buyer may see and what it costs is asked of the store as the buyer, and of nothing else: a product that the store
does not show is left out, and a price that the store does not tell is not told. Price books are never read here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from orgbridge.kit.json import JSON
from orgbridge.services.commerce.accounts import AccountService
from orgbridge.services.commerce.conditions import among, compare, equal, select
from orgbridge.services.commerce.errors import NotGranted
from orgbridge.services.commerce.machines import MachineService
from orgbridge.services.commerce.sights import Question, Row, Sight, settled
from orgbridge.services.cursors import Cursors
from orgbridge.services.errors import InvalidRequest
from orgbridge.services.scopes import Caller, Scope
from orgbridge.soql import tree

_SCOPE = Scope.MACHINES_READ
_RELATION = "ProductRelatedComponent"
_RELATION_FIELDS = (
    *("ChildProductId", "ProductRelationshipTypeId", "Quantity", "MinQuantity", "MaxQuantity", "Sequence"),
    "IsComponentRequired",
)
_PRODUCT_FIELDS = ("Name", "ProductCode", "StockKeepingUnit", "Family", "Description", "IsActive")


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What the store offers a buyer of one product."""

    #: Price of one piece; None where the store tells none.
    unit_price: Decimal | None
    #: Price before what the buyer agreed on; None where the store tells none.
    list_price: Decimal | None
    #: ISO code; None with no price.
    currency: str | None
    #: How many can be bought; None for any number.
    minimum: Decimal | None = None
    maximum: Decimal | None = None
    increment: Decimal | None = None


class Counter(Protocol):
    """The store's counter: whoever asks there is a buyer."""

    async def offers(self, caller: Caller, account_id: str, product_ids: Sequence[str]) -> Mapping[str, Offer]:
        """Return what the caller's Salesforce user is offered for an account, by product.

        Args:
            caller: Has an `sf_username`.
            account_id: Whom it is bought for.
            product_ids: At most a hundred, of 18 characters.

        Returns:
            Without the products that the buyer may not see.

        Raises:
            ServiceError: The store refuses the buyer, or cannot be told.
            ClientError: Salesforce could not be asked.
        """
        ...


class PriceState(StrEnum):
    """Whether a part has a price, and why not."""

    #: It is the buyer's.
    PRICED = "priced"
    #: The store shows the part and tells no price.
    NOT_PRICED = "not_priced"
    #: The caller acts as no Salesforce user, so that there is nobody whose price it could be.
    NO_BUYER = "no_buyer"
    #: The caller may see the machine and not act for its account.
    NOT_GRANTED = "not_granted"


@dataclass(frozen=True, slots=True, kw_only=True)
class PartPage:
    """One page of parts."""

    #: Id of the Asset.
    machine_id: str
    #: Id of its product; None when it has none that the caller may see.
    product_id: str | None
    #: Whose prices they are; None when nobody's were asked for.
    account_id: str | None
    #: Whether prices were asked for, and why not.
    prices: PriceState
    #: JSON-ready.
    parts: list[dict[str, JSON]]
    #: For the next page; None at the end.
    next_cursor: str | None


class PartService:
    """Shows parts to callers."""

    def __init__(
        self, machines: MachineService, accounts: AccountService, sight: Sight, cursors: Cursors, counter: Counter
    ) -> None:
        self._machines = machines
        self._accounts = accounts
        self._sight = sight
        self._cursors = cursors
        self._counter = counter

    async def page(
        self,
        caller: Caller,
        organization_id: str,
        key: str,
        *,
        account_id: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> PartPage:
        """Return one page of the parts that fit a machine, in the order in which they were related to it.

        A page may have fewer parts than `limit` although there are more: those that the buyer may not buy are left out.

        Args:
            caller: Who asks.
            organization_id: Which organization.
            key: Id of the machine's Asset, or its serial number.
            account_id: Whom parts are bought for; None for the account that the machine is on.
            cursor: `next_cursor` of the page before; None for the first page.
            limit: Most parts, up to 100.

        Raises:
            InvalidRequest: The cursor is not one of these pages, or the account's id is none.
            OrganizationUnknown: There is no such organization.
            NotGranted: The caller is granted nothing of it, or not the account.
            NotMapped: It has no account in Salesforce.
            AccountGone: Its account was deleted or merged.
            MachineMissing: There is no such machine, or none that the caller may see.
            MachineAmbiguous: Several machines have this serial number.
            ServiceError: The store refuses the caller's Salesforce user.
            ClientError: Salesforce refused, or could not be reached.
        """
        found = await self._machines.find(caller, organization_id, key)
        machine_id = str(found.row["Id"])
        asked = f"{organization_id} {machine_id} {account_id or ''}"
        after = self._opened(caller, cursor, asked) if cursor is not None else None
        product_id = str(found.row["Product2Id"]) if found.row.get("Product2Id") else None
        bought_for, state = await self._buyer(
            caller, organization_id, account_id, found.row, is_whole=found.reach.is_whole
        )
        relations = await self._relations(caller, product_id, after, limit + 1) if product_id is not None else []
        parts = await self._parts(caller, relations[:limit], bought_for, state)
        following = None
        if len(relations) > limit:
            content = {"k": "parts", "f": asked, "i": relations[limit - 1]["Id"], "p": self._sight.mark(caller, _SCOPE)}
            following = self._cursors.seal(caller.user_id, content)
        return PartPage(
            machine_id=machine_id,
            product_id=product_id,
            account_id=bought_for,
            prices=state,
            parts=parts,
            next_cursor=following,
        )

    async def _buyer(
        self, caller: Caller, organization_id: str, account_id: str | None, row: Row, *, is_whole: bool
    ) -> tuple[str | None, PriceState]:
        """Return whose prices are asked for, and whether they are."""
        if not is_whole:
            if account_id is not None:
                raise NotGranted
            return None, PriceState.NOT_GRANTED
        chosen = account_id or (str(row["AccountId"]) if row.get("AccountId") else None)
        buyer = await self._accounts.resolve(caller, organization_id, chosen)
        if caller.sf_username is None:
            return None, PriceState.NO_BUYER
        return buyer.account_id, PriceState.PRICED

    async def _relations(self, caller: Caller, product_id: str, after: str | None, limit: int) -> list[Row]:
        names = await self._sight.fields(caller, _SCOPE, _RELATION, _RELATION_FIELDS)
        if not names or "ChildProductId" not in names:
            return []
        query = select(_RELATION, ["Id", *names], order=[("Id", False)], limit=limit)
        own = equal("ParentProductId", product_id)
        if after is not None:
            own = tree.And(items=(own, compare("Id", tree.Operator.GREATER, after)))
        return await self._sight.rows(caller, _SCOPE, Question(query=query, own=own))

    async def _parts(
        self, caller: Caller, relations: Sequence[Row], account_id: str | None, state: PriceState
    ) -> list[dict[str, JSON]]:
        ids = sorted({str(row["ChildProductId"]) for row in relations if row.get("ChildProductId")})
        if not ids:
            return []
        products, kinds = await self._about(caller, relations, ids)
        offers = await self._counter.offers(caller, account_id, ids) if account_id is not None else None
        told = []
        for row in relations:
            identifier = str(row.get("ChildProductId"))
            product = products.get(identifier)
            offer = offers.get(identifier) if offers is not None else None
            if product is None or (offers is not None and offer is None):
                # Hidden by a policy, or not for this buyer: as if it were not there.
                continue
            told.append(_portrait(row, product, kinds.get(str(row.get("ProductRelationshipTypeId"))), offer, state))
        return told

    async def _about(
        self, caller: Caller, relations: Sequence[Row], ids: Sequence[str]
    ) -> tuple[dict[str, Row], dict[str, Row]]:
        """Return products, inactive ones left out, and kinds of relations, in one call."""
        names = await self._sight.fields(caller, _SCOPE, "Product2", _PRODUCT_FIELDS)
        kind_names = await self._sight.fields(caller, _SCOPE, "ProductRelationshipType", ["Name"])
        kinds = sorted({str(row[field]) for row in relations if row.get(field := "ProductRelationshipTypeId")})
        asked: list[Question | None] = []
        for sobject, shown, wanted in (("Product2", names, ids), ("ProductRelationshipType", kind_names, kinds)):
            query = None if shown is None or not wanted else select(sobject, ["Id", *shown], limit=len(wanted))
            asked.append(None if query is None else Question(query=query, own=among("Id", wanted)))
        products, types = [settled(one) or [] for one in await self._sight.many(caller, _SCOPE, asked)]
        there = {str(row["Id"]): row for row in products if row.get("IsActive") is not False}
        return there, {str(row["Id"]): row for row in types}

    def _opened(self, caller: Caller, cursor: str, asked: str) -> str:
        content = self._cursors.open(caller.user_id, cursor)
        if content.get("k") != "parts" or content.get("f") != asked:
            raise InvalidRequest("The cursor is one of another list: ask as you did for the page before.")
        if content.get("p", "") != self._sight.mark(caller, _SCOPE):
            raise InvalidRequest("Your roles are not what they were when the list began: begin it again.")
        return str(content["i"])


def _portrait(row: Row, product: Row, kind: Row | None, offer: Offer | None, state: PriceState) -> dict[str, JSON]:
    named = {"Name": "name", "ProductCode": "product_code", "StockKeepingUnit": "sku", "Family": "family"}
    named |= {"Description": "description"}
    related = {
        "Quantity": "quantity",
        "MinQuantity": "min_quantity",
        "MaxQuantity": "max_quantity",
        "Sequence": "sequence",
        "IsComponentRequired": "is_required",
    }
    told: dict[str, JSON] = {"product_id": product["Id"]}
    told |= {name: product[field] for field, name in named.items() if field in product}
    told |= {name: row[field] for field, name in related.items() if field in row}
    told["relation"] = kind.get("Name") if kind is not None else None
    told |= {"price": None, "price_state": state.value, "quantity_rule": None}
    if offer is None:
        return told
    told["price_state"] = PriceState.NOT_PRICED.value
    if offer.unit_price is not None:
        told["price_state"] = PriceState.PRICED.value
        # Money is text, as it is at Salesforce: a JSON number would lose digits.
        told["price"] = {
            "unit_price": str(offer.unit_price),
            "list_price": str(offer.list_price) if offer.list_price is not None else None,
            "currency": offer.currency,
        }
    rule = {"minimum": offer.minimum, "maximum": offer.maximum, "increment": offer.increment}
    if any(value is not None for value in rule.values()):
        told["quantity_rule"] = {name: None if value is None else str(value) for name, value in rule.items()}
    return told
