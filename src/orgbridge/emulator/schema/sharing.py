"""Which rows users of a site see: conditions by object, in SQL, for a row `{row}`; each `?` is the id of the user.

An account is the user's when the user's contact belongs to it, or when the user may buy for it (DelegatedAccount).
What hangs on such an account is seen; carts and wishlists are seen by their owner only; products, price books and
their entries are those of the account's buyer groups.

Source: facts/commerce/auth.md section 4, catalog.md section 7, carts.md section 3. Assumed: all of it in detail, for a
real org's sharing is set up by its administrator; what has no condition here is seen by everybody whose profile shows
it.
"""

from __future__ import annotations

from collections.abc import Mapping

_ACCOUNTS = (
    'SELECT c.AccountId FROM "User" u JOIN "Contact" c ON c.Id = u.ContactId WHERE u.Id = ?'
    ' UNION SELECT d.TargetId FROM "DelegatedAccount" d WHERE d.ManagedById = ? AND d.AccessBuyFor = 1'
    " AND d.IsDeleted = 0"
)
_GROUPS = f'SELECT m.BuyerGroupId FROM "BuyerGroupMember" m WHERE m.IsDeleted = 0 AND m.BuyerId IN ({_ACCOUNTS})'  # noqa: S608 fixed text
_ENTITLED = (
    'SELECT e.ProductId FROM "CommerceEntitlementProduct" e JOIN "CommerceEntitlementPolicy" p ON p.Id = e.PolicyId'  # noqa: S608 fixed text
    ' JOIN "CommerceEntitlementBuyerGroup" g ON g.PolicyId = p.Id WHERE p.IsActive = 1 AND p.CanViewProduct = 1{more}'
    f" AND p.IsDeleted = 0 AND e.IsDeleted = 0 AND g.IsDeleted = 0 AND g.BuyerGroupId IN ({_GROUPS})"
)
_BOOKS = (
    f'SELECT b.Pricebook2Id FROM "BuyerGroupPricebook" b WHERE b.IsDeleted = 0 AND b.BuyerGroupId IN ({_GROUPS})'  # noqa: S608 fixed text
    ' UNION SELECT w.Pricebook2Id FROM "WebStorePricebook" w JOIN "WebStoreBuyerGroup" s ON s.WebStoreId = w.WebStoreId'
    f" WHERE w.IsDeleted = 0 AND s.IsDeleted = 0 AND s.BuyerGroupId IN ({_GROUPS})"
)
#: What the own machines are: seen, for their parts are looked for by it, and not to be bought.
_MACHINES = f'SELECT x.Product2Id FROM "Asset" x WHERE x.AccountId IN ({_ACCOUNTS})'  # noqa: S608 fixed text
_OWN = "{row}.OwnerId = ?"


def _account(field: str) -> str:
    return f"{{row}}.{field} IN ({_ACCOUNTS})"


def _below(field: str, parent: str, account: str = "AccountId") -> str:
    """Return the condition of rows below a parent that hangs on an account."""
    return f'{{row}}.{field} IN (SELECT x.Id FROM "{parent}" x WHERE x.{account} IN ({_ACCOUNTS}))'  # noqa: S608 fixed names


def _owned(field: str, parent: str) -> str:
    """Return the condition of rows below a parent that is the user's own."""
    return f'{{row}}.{field} IN (SELECT x.Id FROM "{parent}" x WHERE x.OwnerId = ?)'  # noqa: S608 fixed names


def _two_below(field: str, row: str, reference: str, parent: str, test: str) -> str:
    """Return the condition of rows below a row that is below a parent, of which the test holds."""
    return (
        f'{{row}}.{field} IN (SELECT y.Id FROM "{row}" y JOIN "{parent}" x ON x.Id = y.{reference}'  # noqa: S608 fixed names
        f" WHERE x.{test})"
    )


_PAPERS = (
    f'SELECT x.Id FROM "Purchase_Order__c" x WHERE x.Account__c IN ({_ACCOUNTS})'  # noqa: S608 fixed names
    f' UNION SELECT x.Id FROM "Order" x WHERE x.AccountId IN ({_ACCOUNTS}) UNION {_ACCOUNTS}'
)
_LINKED = (
    f'SELECT l.ContentDocumentId FROM "ContentDocumentLink" l WHERE l.IsDeleted = 0 AND l.LinkedEntityId IN ({_PAPERS})'  # noqa: S608
)
_SHIPPED = (
    'SELECT x.Id FROM "Shipment" x JOIN "OrderSummary" y ON y.Id = x.OrderSummaryId'  # noqa: S608 fixed names
    f" WHERE y.AccountId IN ({_ACCOUNTS})"
)

COMMUNITY_SHARING: Mapping[str, str] = {
    "Account": _account("Id"),
    "Asset": _account("AccountId"),
    "AssetRelationship": _below("AssetId", "Asset"),
    "AssetWarranty": _below("AssetId", "Asset"),
    "BuyerAccount": _account("BuyerId"),
    "BuyerGroup": f"{{row}}.Id IN ({_GROUPS})",
    "BuyerGroupMember": _account("BuyerId"),
    "CartCheckoutSession": _owned("WebCartId", "WebCart"),
    "CartDeliveryGroup": _owned("CartId", "WebCart"),
    "CartItem": _owned("CartId", "WebCart"),
    "CartItemAttribute": _two_below("CartItemId", "CartItem", "CartId", "WebCart", "OwnerId = ?"),
    "CartItemPriceAdjustment": _owned("CartId", "WebCart"),
    "CartTax": _owned("CartId", "WebCart"),
    "CartValidationOutput": _owned("CartId", "WebCart"),
    "Case": _account("AccountId"),
    "CaseComment": _below("ParentId", "Case"),
    "Contact": _account("AccountId"),
    "ContactPointAddress": _account("ParentId"),
    "ContentDocument": f"({_OWN} OR {{row}}.Id IN ({_LINKED}))",
    "ContentDocumentLink": f"({{row}}.LinkedEntityId = ? OR {{row}}.LinkedEntityId IN ({_PAPERS}))",
    "ContentVersion": f"({_OWN} OR {{row}}.ContentDocumentId IN ({_LINKED}))",
    "DelegatedAccount": "{row}.ManagedById = ?",
    "Entitlement": _account("AccountId"),
    "NetworkMember": "{row}.MemberId = ?",
    "Order": f"({_OWN} OR {_account('AccountId')})",
    "OrderDeliveryGroup": _below("OrderId", "Order"),
    "OrderDeliveryGroupSummary": _below("OrderSummaryId", "OrderSummary"),
    "OrderItem": _below("OrderId", "Order"),
    "OrderItemAttribute": _two_below("OrderItemId", "OrderItem", "OrderId", "Order", f"AccountId IN ({_ACCOUNTS})"),
    "OrderItemSummary": _below("OrderSummaryId", "OrderSummary"),
    "OrderSummary": f"({_OWN} OR {_account('AccountId')})",
    "Pricebook2": f"{{row}}.Id IN ({_BOOKS})",
    "PricebookEntry": (
        f"({{row}}.Pricebook2Id IN ({_BOOKS}) AND"
        f" {{row}}.Product2Id IN ({_ENTITLED.replace('{more}', ' AND p.CanViewPrice = 1')}))"
    ),
    "Product2": f"({{row}}.Id IN ({_ENTITLED.replace('{more}', '')}) OR {{row}}.Id IN ({_MACHINES}))",
    "Purchase_Order__c": f"({_OWN} OR {_account('Account__c')})",
    "Quote": _account("AccountId"),
    "QuoteLineItem": _below("QuoteId", "Quote"),
    "QuoteLineItemAttribute": _two_below(
        "QuoteLineItemId", "QuoteLineItem", "QuoteId", "Quote", f"AccountId IN ({_ACCOUNTS})"
    ),
    "QuoteLineRelationship": _below("QuoteId", "Quote"),
    "ServiceContract": _account("AccountId"),
    "Shipment": _below("OrderSummaryId", "OrderSummary"),
    "ShipmentItem": f"{{row}}.ShipmentId IN ({_SHIPPED})",
    "User": f"({{row}}.Id = ? OR {_account('AccountId')})",
    "WebCart": _OWN,
    "WebCartAdjustmentBasis": _owned("WebCartId", "WebCart"),
    "WebCartAdjustmentGroup": _owned("CartId", "WebCart"),
    "Wishlist": _OWN,
    "WishlistItem": _owned("WishlistId", "Wishlist"),
    "WorkOrder": _account("AccountId"),
}
