"""Shapes of the cart calls: Salesforce's own keys where a key is Salesforce's, `snake_case` where it is ours."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic.alias_generators import to_camel

#: Keys of ours, which stay as they are.
_OURS = frozenset(
    {
        *("account_id", "coupons_not_taken", "dry_run", "guest_cart_id", "is_current", "is_own", "machine_id"),
        *("merged_into", "order_id", "organization_id", "pricing_pending", "target_account_id", "upstream_code"),
    }
)


def _key(name: str) -> str:
    return name if name in _OURS else to_camel(name)


class _Shape(BaseModel):
    model_config = ConfigDict(alias_generator=_key)


_EXAMPLE_LINE: dict[str, Any] = {
    "cartItemId": "0a9Ob00000000T1IAI",
    "cartId": "0a6Ob00000000AbIAI",
    "productId": "01tOb00000000g1IAA",
    "name": "Seal kit 40 mm",
    "type": "Product",
    "quantity": "2",
    "cartDeliveryGroupId": "0a7Ob00000000D1IAI",
    "currencyIsoCode": "EUR",
    "salesPrice": "110",
    "listPrice": "120",
    "unitAdjustedPrice": "110",
    "totalPrice": "220",
    "totalListPrice": "240",
    "totalAdjustmentAmount": "0",
    "totalTax": "41.8",
    "totalAmount": "261.8",
    "productDetails": {
        "productId": "01tOb00000000g1IAA",
        "name": "Seal kit 40 mm",
        "sku": "MP-0001",
        "purchaseQuantityRule": None,
    },
    "messagesSummary": {"errorCount": 0, "hasErrors": False, "limitedMessages": []},
    "machine_id": "02iOb00000000M1IAI",
    "note": "for the spare shelf",
    "pricing_pending": False,
}
_EXAMPLE_HEAD: dict[str, Any] = {
    "cartId": "0a6Ob00000000AbIAI",
    "status": "Active",
    "accountId": "001Ob00000000aaIAA",
    "ownerId": "005Ob00000000U1IAI",
    "webstoreId": "0ZEOb00000000W1IAI",
    "name": "Cart",
    "type": "Cart",
    "currencyIsoCode": "EUR",
    "isSecondary": False,
    "purchaseOrderNumber": None,
    "totalProductCount": "2",
    "uniqueProductCount": 1,
    "asyncOperationStatus": "Completed",
    "totalProductAmount": "220",
    "totalListPrice": "240",
    "totalChargeAmount": "0",
    "totalTaxAmount": "41.8",
    "totalPromotionalAdjustmentAmount": "0",
    "grandTotalAmount": "261.8",
}
_EXAMPLE_CART: dict[str, Any] = {**_EXAMPLE_HEAD, "lineCount": 1, "hasErrors": False, "pricing_pending": False}
_EXAMPLE_RESULT: dict[str, Any] = {
    "line": 1,
    "sku": "MP-0001",
    "productId": "01tOb00000000g1IAA",
    "quantity": "2",
    "success": True,
    "outcome": "added",
    "message": "",
    "merged_into": None,
    "upstream_code": None,
    "cartItemId": "0a9Ob00000000T1IAI",
    "machine_id": None,
    "note": None,
}
_EXAMPLE_REFUSED: dict[str, Any] = {
    **_EXAMPLE_RESULT,
    "line": 2,
    "sku": "MP-0010",
    "quantity": "7",
    "success": False,
    "outcome": "below_minimum",
    "message": "7 is below the minimum of 10.",
    "cartItemId": None,
}
_PENDING = "True while Salesforce still computes: amounts are then null, and the reply says 202 and Retry-After."


def _as_text(value: Any) -> Any:
    # A number and the text of a number mean the same; a float's shortest text is what the caller wrote.
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


Quantity = Annotated[
    Decimal,
    BeforeValidator(_as_text),
    Field(gt=0, le=Decimal(10) ** 9, decimal_places=6),
    # What Pydantic would say of a Decimal lets zero and nothing at all through.
    WithJsonSchema(
        {
            "description": "Above 0, with six decimal places at most.",
            "anyOf": [
                {"type": "number", "minimum": 0.000001, "maximum": 10**9},
                {"type": "string", "pattern": r"^([1-9][0-9]{0,8}(\.[0-9]{1,6})?|0\.[0-9]{0,5}[1-9])$"},
            ],
        }
    ),
]
_ID = r"^[A-Za-z0-9]{15}([A-Za-z0-9]{3})?$"


class LineNew(_Shape):
    """Put a product into the cart."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"productId": "01tOb00000000g1IAA", "quantity": 2}]}
    )

    product_id: str = Field(pattern=_ID, description="Id of the product.")
    quantity: Quantity
    machine_id: str | None = Field(
        None, pattern=_ID, description="Id of the Asset that it is for; one of the account's."
    )
    note: str | None = Field(None, max_length=255, description="What the buyer notes; kept here, not at Salesforce.")


class LineChange(_Shape):
    """Set the quantity of a line."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"quantity": 3}]})

    quantity: Quantity


class BatchLine(_Shape):
    """One line of a quick order. What is wrong with it is told for it, so that little is asked of it here."""

    model_config = ConfigDict(extra="forbid")

    sku: str | None = Field(None, max_length=1000, description="SKU; or `productId`.")
    product_id: str | None = Field(None, max_length=1000, description="Id of the product; or `sku`.")
    quantity: Annotated[str, BeforeValidator(_as_text), Field(max_length=1000, description="Above 0.")]
    note: str | None = Field(None, max_length=1000, description="What the buyer notes.")
    machine_id: str | None = Field(None, max_length=1000, description="Id of the Asset that it is for.")


class Batch(_Shape):
    """Put many products into the cart."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"lines": [{"sku": "MP-0001", "quantity": 2}, {"sku": "MP-0010", "quantity": 7}]}]
        },
    )

    lines: list[BatchLine] = Field(min_length=1, max_length=1000, description="Sent to Salesforce by the hundred.")


class Merge(Batch):
    """Take over the lines of a cart that somebody had before signing in."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"lines": [{"sku": "MP-0001", "quantity": 2}], "merging": "add"}]},
    )

    lines: list[BatchLine] = Field(
        default_factory=list,
        max_length=1000,
        description="What was kept outside of Salesforce, in a browser for example.",
    )
    guest_cart_id: str | None = Field(
        None,
        pattern=r"^0a6[A-Za-z0-9]{12}([A-Za-z0-9]{3})?$",
        description="The cart in the store that the buyer had as a guest: its cookie `GuestCartSessionId_…` holds it.",
    )
    merging: Literal["add", "larger", "keep"] = Field(
        "add",
        description="For products that the cart holds already: add both up, take the larger, or keep what is there.",
    )


class CouponNew(_Shape):
    """Put a coupon on the cart."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"couponCode": "SAVE10"}]})

    coupon_code: str = Field(min_length=1, max_length=255, description="As the buyer typed it.")


class Clone(_Shape):
    """Copy the cart into a further one."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"name": "Every month"}]})

    name: str | None = Field(None, min_length=1, max_length=80, description="Name of the further cart.")
    target_account_id: str | None = Field(
        None, pattern=_ID, description="Another account that you may buy for; its prices apply."
    )


class Reorder(_Shape):
    """Put the products of an order into the cart."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"order_id": "801Ob00000000o1IAA"}]})

    order_id: str = Field(pattern=_ID, description="Id of the Order or of its OrderSummary.")


class CartHead(_Shape):
    """A cart with its totals. All null when there is none."""

    cart_id: str | None = Field(description="Id of the WebCart.")
    status: str | None = Field(description="Active, Processing, Checkout, PendingClosed, Closed, PendingDelete.")
    account_id: str | None
    owner_id: str | None
    webstore_id: str | None
    name: str | None
    type: str | None
    currency_iso_code: str | None
    is_secondary: bool | None
    purchase_order_number: str | None
    total_product_count: str | None = Field(description="Pieces.")
    unique_product_count: int | None
    async_operation_status: str | None = Field(description="Processing, Completed, Errored; null where not told.")
    total_product_amount: str | None
    total_list_price: str | None
    total_charge_amount: str | None
    total_tax_amount: str | None
    total_promotional_adjustment_amount: str | None
    grand_total_amount: str | None


class CartReply(CartHead):
    """The caller's cart."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE_CART]})

    line_count: int = Field(description="Lines with products.")
    has_errors: bool = Field(description="True when Salesforce says that something is wrong with a line.")
    pricing_pending: bool = Field(description=_PENDING)


class QuantityRuleReply(_Shape):
    """How many of a product can be bought."""

    minimum: str | None
    maximum: str | None
    increment: str | None


class LineProduct(_Shape):
    """The product of a line."""

    product_id: str | None
    name: str | None
    sku: str | None
    purchase_quantity_rule: QuantityRuleReply | None


class LineMessage(_Shape):
    """What Salesforce says about a line."""

    severity: str
    type: str
    message: str


class LineMessages(_Shape):
    """What Salesforce says about a line."""

    error_count: int
    has_errors: bool
    limited_messages: list[LineMessage]


class LineReply(_Shape):
    """A line of the cart. What the caller's policy hides is null."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE_LINE]})

    cart_item_id: str | None = Field(description="Null while Salesforce still makes the line.")
    cart_id: str | None
    product_id: str | None
    name: str | None
    type: str | None = Field(description="Product, or a charge.")
    quantity: str | None
    cart_delivery_group_id: str | None
    currency_iso_code: str | None
    sales_price: str | None
    list_price: str | None
    unit_adjusted_price: str | None
    total_price: str | None
    total_list_price: str | None
    total_adjustment_amount: str | None
    total_tax: str | None
    total_amount: str | None
    product_details: LineProduct
    messages_summary: LineMessages
    machine_id: str | None = Field(description="The Asset that it is for.")
    note: str | None
    pricing_pending: bool = Field(description=_PENDING)


class WrappedLine(_Shape):
    """A line as Salesforce wraps it."""

    cart_item: LineReply
    message: str | None
    status: str


class CouponReply(_Shape):
    """A coupon on the cart."""

    cart_coupon_id: str = Field(description="Removes it; its code does too.")
    coupon_code: str


class PromotionReply(_Shape):
    """A promotion that the cart got."""

    promotion_id: str | None
    display_name: str | None
    target_type: str | None
    coupon_code: str | None
    adjustment_amount: str | None


class LinesReply(_Shape):
    """All lines of the cart: every page of Salesforce's."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "cartSummary": _EXAMPLE_HEAD,
                    "cartItems": [{"cartItem": _EXAMPLE_LINE, "message": None, "status": "Success"}],
                    "cartCoupons": [],
                    "cartPromotions": [],
                    "totalItemCount": 1,
                    "hasErrors": False,
                    "pricing_pending": False,
                }
            ]
        }
    )

    cart_summary: CartHead
    cart_items: list[WrappedLine]
    cart_coupons: list[CouponReply]
    cart_promotions: list[PromotionReply]
    total_item_count: int
    has_errors: bool
    pricing_pending: bool = Field(description=_PENDING)


class CouponList(_Shape):
    """The coupons on the cart."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"cartCoupons": [{"cartCouponId": "4r0Ob00000000C1IAI", "couponCode": "SAVE10"}]}]
        }
    )

    cart_coupons: list[CouponReply]


class BatchResult(_Shape):
    """What became of one line."""

    line: int | None = Field(description="Its number, from 1; null for a product of an order.")
    sku: str | None
    product_id: str | None
    quantity: str | None
    success: bool
    outcome: str = Field(
        description="added, merged, kept; invalid, unknown, not_entitled, below_minimum, above_maximum, "
        "not_a_multiple, other_machine, refused, not_sent, uncertain."
    )
    message: str
    merged_into: int | None = Field(description="Line that it was merged into.")
    upstream_code: str | None = Field(description="Salesforce's own code.")
    cart_item_id: str | None
    machine_id: str | None
    note: str | None


class BatchReply(_Shape):
    """What became of every line, and the cart afterwards."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "dry_run": False,
                    "lines": 2,
                    "succeeded": 1,
                    "failed": 1,
                    "results": [_EXAMPLE_RESULT, _EXAMPLE_REFUSED],
                    "cart": _EXAMPLE_CART,
                }
            ]
        }
    )

    dry_run: bool
    lines: int
    succeeded: int
    failed: int
    results: list[BatchResult] = Field(description="In the order of the lines.")
    cart: CartReply
    coupons_not_taken: list[str] | None = Field(
        None, description="Coupons of the cart before that a guest's cart does not take."
    )


class BuyableAccount(_Shape):
    """An account that the caller may buy for."""

    account_id: str = Field(description="What `account_id` takes.")
    name: str | None
    organization_id: str
    is_own: bool = Field(description="The account of the caller's contact at Salesforce.")
    is_current: bool = Field(description="The one that counts when none is named.")


class BuyableAccounts(_Shape):
    """Accounts that Salesforce and the caller's grants both allow."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "accounts": [
                        {
                            "account_id": "001Ob00000000aaIAA",
                            "name": "Nordmühle Werk Kiel",
                            "organization_id": "org_01jd6z7w7kq2m4t8v0x3y5z7b9",
                            "is_own": True,
                            "is_current": True,
                        }
                    ]
                }
            ]
        }
    )

    accounts: list[BuyableAccount]
