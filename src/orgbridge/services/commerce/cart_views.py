"""Carts as callers see them: Salesforce's own keys, amounts as text, nothing that the caller's policy hides.

While Salesforce computes, amounts are null and `pricing_pending` is true: a zero is never shown for a price that is not
known. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from orgbridge.client.commerce.cart_values import Cart, CartCoupon, CartLine, CartPromotion
from orgbridge.client.commerce.product_values import QuantityRule
from orgbridge.client.errors import SalesforceFault
from orgbridge.kit.json import JSON
from orgbridge.services.commerce.cart_desks import Reading
from orgbridge.services.commerce.cart_rights import CartSight, FieldSight
from orgbridge.services.commerce.quick_orders import LineOutcome, plain

#: Key of the reply, attribute of ours, field of WebCart.
_CART = (
    ("cartId", "cart_id", "Id"),
    ("status", "status", "Status"),
    ("accountId", "account_id", "AccountId"),
    ("ownerId", "owner_id", "OwnerId"),
    ("webstoreId", "webstore_id", "WebStoreId"),
    ("name", "name", "Name"),
    ("type", "type", "Type"),
    ("currencyIsoCode", "currency", "CurrencyIsoCode"),
    ("isSecondary", "is_secondary", "IsSecondary"),
    ("purchaseOrderNumber", "purchase_order_number", "PoNumber"),
    ("totalProductCount", "total_quantity", "TotalProductCount"),
    ("uniqueProductCount", "unique_products", "UniqueProductCount"),
    ("asyncOperationStatus", "operation", "Status"),
)
_CART_AMOUNTS = (
    ("totalProductAmount", "product_amount", "TotalProductAmount"),
    ("totalListPrice", "list_amount", "TotalListAmount"),
    ("totalChargeAmount", "charge_amount", "TotalChargeAmount"),
    ("totalTaxAmount", "tax_amount", "TotalTaxAmount"),
    ("totalPromotionalAdjustmentAmount", "promotion_amount", "TotalPromoAdjustmentAmount"),
    ("grandTotalAmount", "grand_total", "GrandTotalAmount"),
)
#: The same for CartItem.
_LINE = (
    ("cartItemId", "item_id", "Id"),
    ("cartId", "cart_id", "CartId"),
    ("productId", "product_id", "Product2Id"),
    ("name", "name", "Name"),
    ("type", "type", "Type"),
    ("quantity", "quantity", "Quantity"),
    ("cartDeliveryGroupId", "delivery_group_id", "CartDeliveryGroupId"),
    ("currencyIsoCode", "currency", "CurrencyIsoCode"),
)
_LINE_AMOUNTS = (
    ("salesPrice", "sales_price", "SalesPrice"),
    ("listPrice", "list_price", "ListPrice"),
    ("unitAdjustedPrice", "adjusted_price", "UnitAdjustedPrice"),
    ("totalPrice", "total_price", "TotalPrice"),
    ("totalListPrice", "total_list_price", "TotalListPrice"),
    ("totalAdjustmentAmount", "adjustment_amount", "TotalAdjustmentAmount"),
    ("totalTax", "tax_amount", "TotalTaxAmount"),
    ("totalAmount", "total_amount", "TotalAmount"),
)
#: A change of these fields is what a caller's policy must allow.
MACHINE_SHOWN_AS = "Product2Id"


def cart_portrait(reading: Reading, sight: CartSight) -> dict[str, JSON]:
    """Return a cart's head with its totals; an empty one without id when there is none."""
    pending = reading.pending
    found: dict[str, JSON] = _head(reading.cart, sight.cart, pending)
    found["lineCount"] = len(reading.products)
    found["hasErrors"] = any(_errors(line) for line in reading.products)
    found["pricing_pending"] = pending
    return found


def lines_portrait(reading: Reading, sight: CartSight, machine_field: str) -> dict[str, JSON]:
    """Return all lines of a cart, wrapped as Salesforce wraps them, with the cart's head, coupons and promotions."""
    return {
        "cartSummary": _head(reading.cart, sight.cart, reading.pending),
        "cartItems": [
            {
                "cartItem": line_portrait(line, reading, sight, machine_field),
                "message": None,
                "status": "Success",
            }
            for line in reading.told.lines
        ],
        "cartCoupons": [coupon_portrait(coupon) for coupon in reading.told.coupons],
        "cartPromotions": [] if reading.pending else [_promotion(one, sight) for one in reading.told.promotions],
        "totalItemCount": len(reading.told.lines),
        "hasErrors": any(_errors(line) for line in reading.products),
        "pricing_pending": reading.pending,
    }


def line_portrait(line: CartLine, reading: Reading, sight: CartSight, machine_field: str) -> dict[str, JSON]:
    """Return one line."""
    shown, ours = sight.line, reading.ours.get(line.item_id or "", (None, None))
    found: dict[str, JSON] = {key: _shown(shown, field, getattr(line, name)) for key, name, field in _LINE}
    for key, name, field in _LINE_AMOUNTS:
        found[key] = None if reading.pending else _shown(shown, field, getattr(line, name))
    found["productDetails"] = {
        "productId": found["productId"],
        "name": found["name"],
        "sku": _shown(shown, "Sku", line.sku),
        "purchaseQuantityRule": rule_portrait(line.rule),
    }
    found["messagesSummary"] = {
        "errorCount": _errors(line),
        "hasErrors": _errors(line) > 0,
        "limitedMessages": [
            {"severity": one.severity, "type": one.type, "message": one.message} for one in line.messages
        ],
    }
    found["machine_id"] = _shown(shown, MACHINE_SHOWN_AS, reading.machine_of(line, machine_field))
    found["note"] = ours[1]
    found["pricing_pending"] = reading.pending
    return found


def coupon_portrait(coupon: CartCoupon) -> dict[str, JSON]:
    """Return a coupon."""
    return {"cartCouponId": coupon.coupon_id, "couponCode": coupon.code}


def outcome_portrait(outcome: LineOutcome) -> dict[str, JSON]:
    """Return what became of a line of a quick order."""
    line = outcome.line
    return {
        "line": line.number,
        "sku": line.sku,
        "productId": outcome.product_id or line.product_id,
        "quantity": plain(outcome.quantity) if outcome.quantity is not None else line.quantity,
        "success": outcome.state.value in ("added", "merged", "kept"),
        "outcome": outcome.state.value,
        "message": outcome.message,
        "merged_into": outcome.merged_into,
        "upstream_code": outcome.upstream_code,
        "cartItemId": outcome.item_id,
        "machine_id": line.machine_id,
        "note": line.note,
    }


def rule_portrait(rule: QuantityRule | None) -> dict[str, JSON] | None:
    """Return a quantity rule as Salesforce spells it."""
    if rule is None:
        return None
    return {"minimum": _text(rule.minimum), "maximum": _text(rule.maximum), "increment": _text(rule.increment)}


def _head(cart: Cart | None, sight: FieldSight, pending: bool) -> dict[str, JSON]:
    found: dict[str, JSON] = {
        key: None if cart is None else _shown(sight, field, getattr(cart, name)) for key, name, field in _CART
    }
    for key, name, field in _CART_AMOUNTS:
        found[key] = None if cart is None or pending else _shown(sight, field, getattr(cart, name))
    return found


def _promotion(one: CartPromotion, sight: CartSight) -> dict[str, JSON]:
    return {
        "promotionId": one.promotion_id,
        "displayName": one.name,
        "targetType": one.target,
        "couponCode": one.coupon_code,
        "adjustmentAmount": _shown(sight.cart, "TotalPromoAdjustmentAmount", one.amount),
    }


def _shown(sight: FieldSight, field: str, value: Any) -> JSON:
    # Masked as Salesforce's other replies have it: an amount is a number there, and keeps no part of itself.
    return _text(sight.shown(field, value))


def _text(value: Any) -> JSON:
    return plain(value) if isinstance(value, Decimal) else value


def _errors(line: CartLine) -> int:
    return sum(1 for one in _severities(line) if one == "error")


def _severities(line: CartLine) -> Iterable[str]:
    return (one.severity.lower() for one in line.messages)


def refused_item(product_id: str | None, sku: str | None, fault: SalesforceFault) -> dict[str, JSON]:
    """Return a product that Salesforce's own action left out of a cart, as one of the results."""
    return {
        "line": None,
        "sku": sku,
        "productId": product_id,
        "quantity": None,
        "success": False,
        "outcome": "refused",
        "message": fault.message,
        "merged_into": None,
        "upstream_code": fault.error_code or None,
        "cartItemId": None,
        "machine_id": None,
        "note": None,
    }
