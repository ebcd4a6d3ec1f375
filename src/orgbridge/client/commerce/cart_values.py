"""Carts, their lines, coupons and promotions as plain values, and how they are read from Connect's bodies. No I/O.

Source: facts/commerce/carts.md sections 2 to 5.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from orgbridge.client.commerce.product_values import Product, QuantityRule, parse_cart_product, parse_rule
from orgbridge.client.commerce.values import count, decimal, flag, items, needed, part, text, wire
from orgbridge.client.errors import MalformedReply, SalesforceFault
from orgbridge.client.replies import parse_fault
from orgbridge.kit.json import JSON

#: States of an operation that runs behind a cart after which nothing more changes.
_DONE = frozenset({"completed", "errored", "failed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Cart:
    """A cart's head and totals. Amounts count only when `processing` is false."""

    #: Id of the WebCart.
    cart_id: str
    #: `Active`, `Processing`, `Checkout`, `PendingClosed`, `Closed`, `PendingDelete`.
    status: str
    #: True while Salesforce computes: amounts may be stale, null or zero.
    processing: bool
    #: `Processing`, `Completed`, `Errored`; None where the org or the API version does not tell.
    operation: str | None = None
    #: The account that is bought for.
    account_id: str | None = None
    #: The user whose cart it is.
    owner_id: str | None = None
    #: The webstore.
    webstore_id: str | None = None
    #: Its name.
    name: str | None = None
    #: `Cart`, `Template`, `PayNowReadOnly`.
    type: str | None = None
    #: ISO code.
    currency: str | None = None
    #: True for every cart but the first of its owner and account.
    is_secondary: bool = False
    #: Number of the purchase order.
    purchase_order_number: str | None = None
    #: How many pieces.
    total_quantity: Decimal | None = None
    #: How many products.
    unique_products: int | None = None
    #: Products before adjustments.
    product_amount: Decimal | None = None
    #: Products at list prices.
    list_amount: Decimal | None = None
    #: Shipping and other charges.
    charge_amount: Decimal | None = None
    #: Taxes.
    tax_amount: Decimal | None = None
    #: Promotions, negative where they lower the total.
    promotion_amount: Decimal | None = None
    #: What is to be paid.
    grand_total: Decimal | None = None

    @property
    def failed(self) -> bool:
        """True when the last computation behind the cart failed."""
        return (self.operation or "").lower() in ("errored", "failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class CartMessage:
    """What Salesforce says about a line."""

    #: `Error`, `Warning`, `Info`.
    severity: str
    #: `Inventory`, `Taxes`, `Pricing`, `Shipping`, `Entitlement`, `SystemError`, `Other`.
    type: str
    #: Its words.
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CartLine:
    """One line of a cart."""

    #: Id of the CartItem; None right after an add that Salesforce finishes later.
    item_id: str | None
    #: Id of the cart.
    cart_id: str | None
    #: Id of the product; None for a charge.
    product_id: str | None
    #: How many.
    quantity: Decimal
    #: `Product`, `DeliveryCharge`, `Charge`.
    type: str = "Product"
    #: Name.
    name: str | None = None
    #: SKU.
    sku: str | None = None
    #: The product as the line shows it.
    product: Product | None = None
    #: Steps and bounds of its quantity.
    rule: QuantityRule | None = None
    #: Price of one piece before adjustments; None where the buyer sees no prices.
    sales_price: Decimal | None = None
    #: List price of one piece.
    list_price: Decimal | None = None
    #: Price of one piece after adjustments.
    adjusted_price: Decimal | None = None
    #: The line before taxes.
    total_price: Decimal | None = None
    #: The line at list prices.
    total_list_price: Decimal | None = None
    #: Adjustments of the line.
    adjustment_amount: Decimal | None = None
    #: Taxes of the line.
    tax_amount: Decimal | None = None
    #: The line with taxes.
    total_amount: Decimal | None = None
    #: Id of its delivery group.
    delivery_group_id: str | None = None
    #: ISO code.
    currency: str | None = None
    #: Values of custom fields that came with it.
    custom_fields: Mapping[str, JSON] = field(default_factory=dict)
    #: What Salesforce says about it.
    messages: tuple[CartMessage, ...] = ()

    @property
    def is_product(self) -> bool:
        """True for a line that a buyer put there, false for a charge."""
        return self.type.lower() == "product"


@dataclass(frozen=True, slots=True, kw_only=True)
class CartCoupon:
    """A coupon on a cart."""

    #: Id of its place on the cart, which removes it.
    coupon_id: str
    #: What the buyer typed.
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CartPromotion:
    """A promotion that a cart or a line got."""

    #: Id of the promotion.
    promotion_id: str | None
    #: Its name for buyers.
    name: str | None
    #: `Cart` or `Item`.
    target: str | None
    #: The coupon that brought it.
    coupon_code: str | None
    #: How much, negative where it lowers the total.
    amount: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CartLines:
    """All lines of a cart."""

    #: In Salesforce's order, charges included.
    lines: tuple[CartLine, ...]
    #: The cart as the same replies told it; None where they did not.
    cart: Cart | None
    #: Coupons that came with them.
    coupons: tuple[CartCoupon, ...] = ()
    #: Promotions that came with them.
    promotions: tuple[CartPromotion, ...] = ()
    #: Lines that Salesforce counts and did not tell.
    missing: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLine:
    """What is put into a cart."""

    #: Id of the product.
    product_id: str
    #: How many.
    quantity: Decimal
    #: Values of custom fields of CartItem.
    custom_fields: Mapping[str, JSON] = field(default_factory=dict)
    #: Selling model of a subscription.
    selling_model_id: str | None = None

    def to_json(self) -> dict[str, JSON]:
        """Return it as Connect takes it."""
        body: dict[str, JSON] = {"productId": self.product_id, "quantity": wire(self.quantity), "type": "Product"}
        if self.selling_model_id is not None:
            body["productSellingModelId"] = self.selling_model_id
        if self.custom_fields:
            body["customFields"] = [{"attributes": {"type": "CartItem"}, **self.custom_fields}]
        return body


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOutcome:
    """What became of one line of a batch."""

    #: HTTP status of the line alone.
    status: int
    #: The line as Salesforce took it; None when it refused.
    line: CartLine | None
    #: Why it refused; empty otherwise.
    faults: tuple[SalesforceFault, ...] = ()

    @property
    def succeeded(self) -> bool:
        """True when the line is in the cart."""
        return not self.faults and self.status < 400


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptCart:
    """What a guest's cart became when its owner signed in."""

    #: The new cart; None when there was nothing to keep.
    cart_id: str | None
    #: Products of the guest's cart.
    products: int
    #: Lines that the buyer's cart took.
    succeeded: tuple[CartLine, ...]
    #: What it did not take: the product and Salesforce's words.
    failed: tuple[tuple[str | None, SalesforceFault], ...]


def parse_cart(body: Mapping[str, Any], *, accepted: bool = False) -> Cart | None:
    """Return a cart; None for the empty cart that stands for none.

    Args:
        body: A Cart Summary.
        accepted: True when the reply's status said that Salesforce still computes.
    """
    cart_id = text(body, "cartId")
    if cart_id is None:
        return None
    status, operation = text(body, "status") or "", text(body, "asyncOperationStatus")
    computing = operation is not None and operation.lower() not in _DONE and operation.lower() != "notstarted"
    return Cart(
        cart_id=cart_id,
        status=status,
        processing=accepted or computing or status.lower() == "processing",
        operation=operation,
        account_id=text(body, "accountId"),
        owner_id=text(body, "ownerId"),
        webstore_id=text(body, "webstoreId"),
        name=text(body, "name"),
        type=text(body, "type"),
        currency=text(body, "currencyIsoCode"),
        is_secondary=flag(body, "isSecondary"),
        purchase_order_number=text(body, "purchaseOrderNumber"),
        total_quantity=decimal(body, "totalProductCount"),
        unique_products=count(body, "uniqueProductCount"),
        product_amount=decimal(body, "totalProductAmount"),
        list_amount=decimal(body, "totalListPrice"),
        charge_amount=decimal(body, "totalChargeAmount"),
        tax_amount=decimal(body, "totalTaxAmount"),
        promotion_amount=decimal(body, "totalPromotionalAdjustmentAmount"),
        grand_total=decimal(body, "grandTotalAmount"),
    )


def needed_cart(body: Mapping[str, Any], what: str, *, accepted: bool = False) -> Cart:
    """Return a cart where one must be.

    Raises:
        MalformedReply: There is none in it.
    """
    cart = parse_cart(body, accepted=accepted)
    if cart is None:
        raise MalformedReply(f"Salesforce's reply to {what} has no cart.")
    return cart


def parse_line(wrapped: Mapping[str, Any]) -> CartLine:
    """Return a line, wrapped in `cartItem` or not.

    Raises:
        MalformedReply: It has no quantity.
    """
    inside = wrapped.get("cartItem")
    body: Mapping[str, Any] = inside if isinstance(inside, dict) else wrapped
    quantity = decimal(body, "quantity")
    if quantity is None:
        raise MalformedReply("Salesforce's cart line has no quantity.")
    details = part(body, "productDetails")
    product = parse_cart_product(details) if details else None
    return CartLine(
        item_id=text(body, "cartItemId"),
        cart_id=text(body, "cartId"),
        product_id=text(body, "productId") or text(details, "productId"),
        quantity=quantity,
        type=text(body, "type") or "Product",
        name=text(body, "name") or text(details, "name"),
        sku=text(details, "sku"),
        product=product,
        rule=parse_rule(part(details, "purchaseQuantityRule")),
        sales_price=decimal(body, "salesPrice"),
        list_price=decimal(body, "listPrice"),
        adjusted_price=decimal(body, "unitAdjustedPrice"),
        total_price=decimal(body, "totalPrice"),
        total_list_price=decimal(body, "totalListPrice"),
        adjustment_amount=decimal(body, "totalAdjustmentAmount"),
        tax_amount=decimal(body, "totalTax"),
        total_amount=decimal(body, "totalAmount"),
        delivery_group_id=text(body, "cartDeliveryGroupId"),
        currency=text(body, "currencyIsoCode"),
        custom_fields=_custom(body),
        messages=tuple(
            CartMessage(
                severity=text(item, "severity") or "Info",
                type=text(item, "type") or "Other",
                message=text(item, "message") or "",
            )
            for item in items(part(body, "messagesSummary"), "limitedMessages")
        ),
    )


def parse_coupons(body: Mapping[str, Any]) -> tuple[CartCoupon, ...]:
    """Return the coupons of a cart, wrapped once or twice."""
    return tuple(
        CartCoupon(coupon_id=needed(item, "cartCouponId", "coupons"), code=needed(item, "couponCode", "coupons"))
        for item in items(body, "cartCoupons", "coupons")
    )


def parse_promotions(body: Mapping[str, Any]) -> tuple[CartPromotion, ...]:
    """Return promotions, wrapped once or twice."""
    return tuple(
        CartPromotion(
            promotion_id=text(item, "promotionId"),
            name=text(item, "displayName"),
            target=text(item, "targetType"),
            coupon_code=text(item, "couponCode"),
            amount=decimal(item, "adjustmentAmount"),
        )
        for item in items(body, "cartPromotions", "promotions")
    )


def parse_batch(body: Mapping[str, Any], expected: int) -> list[BatchOutcome]:
    """Return what became of each line of a batch, in the order of the lines.

    Raises:
        MalformedReply: There are more or fewer outcomes than lines, or one cannot be read.
    """
    results = body.get("results")
    if not isinstance(results, list) or len(results) != expected:
        raise MalformedReply(f"Salesforce's reply to a batch of {expected} lines has not {expected} outcomes.")
    return [_outcome(item) for item in results]


def parse_kept(body: Mapping[str, Any]) -> KeptCart:
    """Return what a guest's cart became; an empty body means that there was nothing to keep."""
    failed: list[tuple[str | None, SalesforceFault]] = []
    for item in items(body, "failedCartItems"):
        inside = part(item, "cartItem")
        words = text(item, "message") or ""
        failed.append(
            (text(inside, "productId"), SalesforceFault(error_code=text(item, "status") or "", message=words))
        )
    return KeptCart(
        cart_id=text(body, "cartId"),
        products=count(body, "numberOfProducts") or 0,
        succeeded=tuple(parse_line(item) for item in items(body, "succeededCartItems")),
        failed=tuple(failed),
    )


def _outcome(item: Any) -> BatchOutcome:
    if not isinstance(item, dict):
        raise MalformedReply("Salesforce's outcome of a cart line is no JSON object.")
    result, status = item.get("result"), count(item, "statusCode") or 0
    if isinstance(result, list):
        faults = tuple(parse_fault(one) for one in result if isinstance(one, dict))
        return BatchOutcome(
            status=status, line=None, faults=faults or (SalesforceFault(error_code="", message="refused"),)
        )
    if status >= 400 or not isinstance(result, dict):
        fault = parse_fault(result) if isinstance(result, dict) else SalesforceFault(error_code="", message="refused")
        return BatchOutcome(status=status, line=None, faults=(fault,))
    return BatchOutcome(status=status, line=parse_line(result))


def _custom(body: Mapping[str, Any]) -> dict[str, JSON]:
    found: dict[str, JSON] = {}
    for item in items(body, "customFields"):
        fields = item.get("fields")
        source = fields if isinstance(fields, dict) else item
        found |= {str(name): value for name, value in source.items() if str(name).endswith("__c")}
    return {name: _bare(value) for name, value in found.items()}


def _bare(value: JSON) -> JSON:
    return value["value"] if isinstance(value, dict) and "value" in value else value
