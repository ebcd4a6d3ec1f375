"""Carts, orders and purchase orders."""

from __future__ import annotations

from pydantic import Field

from orgbridge.wiring.settings.topic import Topic


class CommerceSettings(Topic):
    """Carts, orders and purchase orders."""

    webstore_id: str | None = Field(
        None,
        description="the id of the web store that is bought in; empty takes the one that an account can buy in",
        examples=["0ZE000000000001AAA"],
    )
    orgbridge_cart_machine_field: str = Field(
        "Asset_Id__c",
        pattern=r"^[A-Za-z][A-Za-z0-9_]{0,79}$",
        description="the text field of CartItem that takes the machine of a line, where the org has it",
        examples=["Asset_Id__c"],
    )
    orgbridge_cart_seconds: float = Field(
        8.0,
        ge=0,
        le=60,
        description="how long a call about a cart waits for prices that Salesforce still computes",
        examples=["8"],
    )
    orgbridge_checkout_seconds: float = Field(
        300.0,
        gt=0,
        le=86_400,
        description="seconds that an order puts up with a checkout that does not get on before the cart is given back",
        examples=["300"],
    )
    orgbridge_order_settle_seconds: float = Field(
        160.0,
        gt=0,
        le=3_600,
        description="seconds after which a request that was to make an order and was never answered is over, one way "
        "or the other; longer than any such request can take",
        examples=["160"],
    )
    orgbridge_order_marker_field: str | None = Field(
        None,
        pattern=r"^[A-Za-z][A-Za-z0-9_]{0,79}$",
        description="text field of Order that carries the mark by which an order made from a cart's lines is found "
        "again; best one that is unique. Unset, Orgbridge_Marker__c where the org has it, else OrderReferenceNumber",
        examples=["Orgbridge_Marker__c"],
    )
    orgbridge_document_bytes: int = Field(
        25 * 1024 * 1024,
        ge=1024,
        le=2_000_000_000,
        description="largest document of a purchase order in bytes",
        examples=["26214400"],
    )
    orgbridge_changes_seconds: float = Field(
        60.0,
        ge=0,
        le=86_400,
        description="seconds between two looks for changes of orders and carts, made only while a webhook asks for "
        "them; 0: never",
        examples=["60"],
    )
    orgbridge_retention_orders_days: float | None = Field(
        400.0,
        gt=0,
        le=36_500,
        description="days after which carts that were ordered, or not, are forgotten with their idempotency keys, "
        "which until then find the same order; what is undecided stays; empty keeps all",
        examples=["400"],
    )
