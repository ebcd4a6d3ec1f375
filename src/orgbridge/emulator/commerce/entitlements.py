"""What a buyer may see: products and prices, by the policies of the effective account's buyer groups.

    account - BuyerGroupMember - BuyerGroup - CommerceEntitlementBuyerGroup - CommerceEntitlementPolicy (active)
            - CommerceEntitlementProduct - Product2 (active)

Several policies add up: what one of them lets see, is seen. Source: facts/commerce/catalog.md section 7.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from orgbridge.emulator.commerce.contexts import BuyerContext
from orgbridge.emulator.storage.database import Connection
from orgbridge.wire.ids import to_18

#: Products that are looked up with one statement.
_AT_ONCE = 500
_CHAIN = (
    ' FROM "CommerceEntitlementProduct" e JOIN "CommerceEntitlementPolicy" p ON p.Id = e.PolicyId'
    ' JOIN "CommerceEntitlementBuyerGroup" g ON g.PolicyId = p.Id JOIN "Product2" t ON t.Id = e.ProductId'
    " WHERE p.IsActive = 1 AND p.CanViewProduct = 1 AND p.IsDeleted = 0 AND e.IsDeleted = 0 AND g.IsDeleted = 0"
    " AND t.IsActive = 1 AND t.IsArchived = 0 AND t.IsDeleted = 0 AND g.BuyerGroupId IN ({groups})"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """What a buyer may see of one product."""

    #: The product; None of the rest holds without it.
    view: bool = False
    #: Its price.
    price: bool = False


NO_RIGHTS = Rights()


def product_id_of(text: str) -> str | None:
    """Return the 18-character id of a product, or None when the text is no such id."""
    found = to_18(text)
    return found if found is not None and found.startswith("01t") else None


def rights_of(connection: Connection, buyer: BuyerContext, product_ids: Iterable[str]) -> dict[str, Rights]:
    """Return what a buyer may see of products, by id; a product that is not among them is not to be seen.

    Args:
        connection: Open for reading.
        buyer: Whose rights.
        product_ids: Ids of 18 characters.
    """
    found: dict[str, Rights] = {}
    if not buyer.groups:
        return found
    chain = _CHAIN.format(groups=_marks(len(buyer.groups)))
    for some in chunks(dict.fromkeys(product_ids)):
        sql = f"SELECT e.ProductId, max(p.CanViewPrice){chain} AND e.ProductId IN ({_marks(len(some))}) GROUP BY 1"
        for row in connection.execute(sql, (*buyer.group_ids, *some)):
            found[row[0]] = Rights(view=True, price=bool(row[1]))
    return found


def visible(buyer: BuyerContext) -> tuple[str, tuple[str, ...]]:
    """Return a sub-query of the ids of all products that a buyer may see, and its parameters."""
    if not buyer.groups:
        return "SELECT NULL WHERE 0", ()
    return f"SELECT e.ProductId{_CHAIN.format(groups=_marks(len(buyer.groups)))}", buyer.group_ids


def chunks(ids: Iterable[str]) -> Iterator[list[str]]:
    """Return the ids in lists that fit one statement."""
    whole = list(ids)
    for start in range(0, len(whole), _AT_ONCE):
        yield whole[start : start + _AT_ONCE]


def _marks(count: int) -> str:
    return ", ".join("?" * count)
