"""Shapes of checkouts and orders."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, StrictStr

_ID = r"^[A-Za-z0-9]{15}([A-Za-z0-9]{3})?$"


class AddressBody(BaseModel):
    """An address spelt out, or an entry of the account's address book by its `id`."""

    model_config = ConfigDict(extra="forbid")

    id: StrictStr | None = Field(None, pattern=_ID, description="Id of an entry of the address book (8lW…).")
    name: StrictStr | None = Field(None, max_length=255, description="Who receives it.")
    firstName: StrictStr | None = Field(None, max_length=255)  # noqa: N815 - Connect's own spelling
    lastName: StrictStr | None = Field(None, max_length=255)  # noqa: N815 - Connect's own spelling
    street: StrictStr | None = Field(None, max_length=255)
    city: StrictStr | None = Field(None, max_length=40)
    region: StrictStr | None = Field(None, max_length=80, description="State or province.")
    postalCode: StrictStr | None = Field(None, max_length=20)  # noqa: N815 - Connect's own spelling
    country: StrictStr | None = Field(None, max_length=80)


class ContactBody(BaseModel):
    """Whom to ask about the order."""

    model_config = ConfigDict(extra="forbid")

    email: StrictStr | None = Field(None, max_length=80)
    firstName: StrictStr | None = Field(None, max_length=255)  # noqa: N815 - Connect's own spelling
    lastName: StrictStr | None = Field(None, max_length=255)  # noqa: N815 - Connect's own spelling
    phoneNumber: StrictStr | None = Field(None, max_length=40)  # noqa: N815 - Connect's own spelling


class _Placing(BaseModel):
    model_config = ConfigDict(extra="forbid")

    cart_id: StrictStr | None = Field(None, pattern=_ID, description="The cart; without it your current one.")
    webstore_id: StrictStr | None = Field(None, pattern=_ID, description="The store; without it the only one.")
    po_number: StrictStr | None = Field(None, min_length=1, max_length=80, description="Your purchase order's number.")
    delivery_address: AddressBody | None = Field(None, description="Without it the buyer's default address.")
    billing_address: AddressBody | None = Field(None, description="Without it the delivery address.")
    wait_seconds: float | None = Field(
        None, ge=0, le=60, description="How long the reply waits for the outcome; then it is 202. 10 without it."
    )


class CheckoutRequest(_Placing):
    """Order a cart through the store's checkout."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"po_number": "PO-2026-0042"}]})

    payment_token: StrictStr | None = Field(
        None,
        min_length=1,
        max_length=1000,
        description="Your payment gateway's reference of an authorised payment, instead of po_number. No card number.",
    )
    payment_data: dict[str, StrictStr] | None = Field(
        None, max_length=4, description="Up to four further values of the gateway."
    )
    delivery_method: StrictStr | None = Field(
        None, max_length=255, description="Id or name; without it the chosen one, else the cheapest."
    )
    desired_delivery_date: StrictStr | None = Field(None, max_length=40, description="When it is wished for.")
    shipping_instructions: StrictStr | None = Field(None, max_length=2000, description="For the carrier.")
    contact: ContactBody | None = Field(None, description="Whom to ask.")


class OrderRequest(_Placing):
    """Order a cart by the Place Order API: one order per price book."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"po_number": "PO-2026-0042"}]})


class SettledAs(StrEnum):
    """What an administrator found."""

    PLACED = "placed"
    NOT_PLACED = "not_placed"


class SettleRequest(BaseModel):
    """What an administrator found in Salesforce."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"outcome": "not_placed"}]})

    outcome: SettledAs = Field(description="Whether the order is there.")
    order_id: StrictStr | None = Field(None, pattern=_ID, description="The order that is there.")


#: An order as it is told, in part.
EXAMPLE_ORDER: dict[str, Any] = {
    "Id": "801Ob00000000o1IAA",
    "OrderNumber": "00000112",
    "Status": "Draft",
    "EffectiveDate": "2026-03-02",
    "AccountId": "001Ob00000000aZIAQ",
    "TotalAmount": 250.5,
    "PoNumber": "PO-2026-0042",
    "OrderItems": {
        "totalSize": 1,
        "done": True,
        "records": [
            {
                "Id": "802Ob00000000p1IAA",
                "Product2Id": "01tOb00000000g1IAA",
                "Quantity": 2.0,
                "UnitPrice": 125.25,
                "Product2": {"Name": "Seal kit", "StockKeepingUnit": "MP-0001"},
            }
        ],
    },
}


class CheckoutReply(BaseModel):
    """A cart on its way to an order, or arrived."""

    id: str = Field(description="Id of this checkout.")
    way: str = Field(description="checkout or place_order.")
    state: str = Field(description="Where exactly it stands.")
    status: str = Field(description="processing, placed, failed, cancelled, partial or unknown.")
    cart_id: str = Field(description="The cart.")
    account_id: str = Field(description="The account that buys.")
    organization_id: str | None = Field(description="The organization that buys.")
    webstore_id: str = Field(description="The store.")
    order_id: str | None = Field(description="The order, the first one of several.")
    order_reference_number: str | None = Field(description="Its reference number.")
    orders: list[dict[str, Any]] = Field(description="All orders, one per price book.")
    po_number: str | None = Field(description="Your purchase order's number.")
    delivery_method_id: str | None = Field(description="The chosen way of delivery.")
    cart_total: str | None = Field(description="What the cart came to when it was looked at first.")
    currency: str | None = Field(description="ISO code.")
    error: dict[str, Any] | None = Field(description="Why it came to no order: code, message, details.")
    waiting: str | None = Field(description="Why it does not go on just now.")
    warnings: list[str] = Field(description="What went wrong beside the order.")
    can_cancel: bool = Field(description="Whether it can still be called off.")
    cancel_requested: bool = Field(description="Whether somebody asked to call it off.")
    looks: int = Field(description="How often an outcome that could not be told was looked for again.")
    next_look_at: str | None = Field(description="When it is looked for next.")
    steps: list[dict[str, Any]] = Field(description="What was done, in order.")
    created_at: str = Field(description="When it was asked for.")
    updated_at: str = Field(description="When it last changed.")
    ended_at: str | None = Field(description="When it ended.")


class CheckoutList(BaseModel):
    """One's own checkouts, the newest first."""

    checkouts: list[CheckoutReply] = Field(description="The newest hundred.")


class OrderResults(BaseModel):
    """Orders that were made from a cart."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "results": [{"totalSize": 1, "done": True, "records": [{"Id": "801Ob00000000o1IAA"}]}],
                    "checkout": {"id": "chk_01jd6z7w7kq2m4t8v0x3y5z7b9", "way": "place_order", "status": "placed"},
                }
            ]
        }
    )

    results: list[dict[str, Any]] = Field(description="One per order, shaped as Salesforce's reply to a placed order.")
    checkout: CheckoutReply = Field(description="How they came about.")


class OrderList(BaseModel):
    """One page of orders."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"totalSize": 1, "done": True, "records": [EXAMPLE_ORDER], "next_cursor": None}]
        }
    )

    totalSize: int = Field(description="Orders on this page.")  # noqa: N815 - Salesforce's own spelling
    done: bool = Field(description="Whether this is the last page.")
    records: list[dict[str, Any]] = Field(description="The orders, with their items under OrderItems.")
    next_cursor: str | None = Field(description="For the next page.")


class ReorderReply(BaseModel):
    """What became of an order's products in the cart."""

    cart_id: str = Field(description="The cart.")
    added: int = Field(description="Products that it took.")
    unadded: list[dict[str, Any]] = Field(description="Products that it did not take: product_id, sku, code, message.")
