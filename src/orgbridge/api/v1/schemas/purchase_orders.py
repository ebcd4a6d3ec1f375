"""Shapes of the purchase order calls."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt

#: Money and quantities come as text, so that no decimal is lost; numbers are taken too.
Amount = Annotated[str, Field(max_length=40, pattern=r"^[0-9]{1,16}(\.[0-9]{1,6})?$", examples=["1250.00"])]
_Said = Annotated[str, Field(max_length=4_000, pattern=r"^[^\x00]*$")]
_Key = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_-]+$")]
_Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$", examples=["EUR"])]
_Name = Annotated[str, Field(max_length=255, pattern=r"^[^\x00-\x1f]*$")]


class PurchaseLineNew(BaseModel):
    """Something to be bought, at the price that is to be approved."""

    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True)

    product_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9]{15}([A-Za-z0-9]{3})?$")] | None = Field(
        None, description="Salesforce's id of the product; this or sku."
    )
    sku: _Name | None = Field(None, description="Its SKU or product code.")
    name: _Name | None = Field(None, description="For people.")
    quantity: Amount = Field(description="How many.")
    unit_price: Amount = Field(description="The price of one; looked at again when it is ordered.")


class PurchaseOrderNew(BaseModel):
    """A purchase order to be made: of the caller's cart, or of given lines."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "po_number": "4711",
                    "currency": "EUR",
                    "lines": [{"sku": "MP-0001", "quantity": "2", "unit_price": "110.00"}],
                    "note": "For the overhaul in March",
                }
            ]
        },
    )

    po_number: Annotated[str, Field(max_length=80, pattern=r"^[^\x00-\x1f]*$")] = Field(
        "", description="The number that people know it by, unique in the organization; empty makes one."
    )
    org_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_]{1,64}$")] | None = Field(
        None, description="For which organization; absent where the caller has only one."
    )
    account_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9]{15}([A-Za-z0-9]{3})?$")] | None = Field(
        None,
        description="The Salesforce account; absent takes your own, else that of the organization.",
    )
    lines: Annotated[list[PurchaseLineNew], Field(min_length=1, max_length=500)] | None = Field(
        None, description="Absent takes the caller's cart as it stands."
    )
    currency: _Currency | None = Field(None, description="Of the lines; needed with them.")
    note: _Said = Field("", description="For whoever decides.")
    urgent: StrictBool = Field(False, description="To be decided soon.")


class StepRequest(BaseModel):
    """What is said with a step."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"comment": "Fine."}]})

    comment: _Said = Field("", description="Shown in the history, and in the mail about it.")


class CommentRequest(BaseModel):
    """Something to say about a purchase order."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"text": "Do we need both?"}]})

    text: Annotated[str, Field(min_length=1, max_length=4_000, pattern=r"^[^\x00]*$")] = Field(description="What.")


class BulkStepRequest(BaseModel):
    """One decision about many purchase orders."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"ids": ["po_01jd6z7w7kq2m4t8v0x3y5z7b9"], "comment": "Fine."}]}
    )

    ids: Annotated[list[_Key], Field(min_length=1, max_length=100)] = Field(description="Which.")
    comment: _Said = Field("", description="Said with each.")


class LinkDecision(BaseModel):
    """A decision by the link of a mail."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"token": "…", "decision": "approve", "comment": "Fine."}]},
    )

    token: Annotated[str, Field(min_length=1, max_length=200)] = Field(description="Of the link.")
    decision: Literal["approve", "reject"] = Field(description="What is decided.")
    comment: _Said = Field("", description="Shown in the history, and in the mail about it.")


class RulesRequest(BaseModel):
    """How an organization decides."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "approvers": ["ada", "grace"],
                    "limits": {"manager": {"EUR": "5000.00"}, "director": {"EUR": None}},
                    "free_up_to": {"EUR": "250.00"},
                    "expires_days": 30,
                    "remind_days": 3,
                }
            ]
        },
    )

    approvers: Annotated[list[Annotated[str, Field(min_length=1, max_length=128)]], Field(max_length=50)] = Field(
        description="User ids or sign-in names of those who may decide."
    )
    limits: dict[Annotated[str, Field(max_length=64)], dict[str, Amount | None]] = Field(
        default_factory=dict,
        description="Amount up to which a role may approve, by role and currency; null: any amount; the role * stands "
        "for all others. No limits at all: approvers are not limited.",
    )
    free_up_to: dict[str, Amount] = Field(
        default_factory=dict, description="Amount up to which nobody has to approve, by currency."
    )
    expires_days: Annotated[StrictInt, Field(ge=1, le=365)] = Field(
        30, description="Days after which what is not decided, or not ordered, ends."
    )
    remind_days: Annotated[StrictInt, Field(ge=1, le=90)] | None = Field(
        3, description="Days between two reminders; null for none."
    )


class RulesReply(RulesRequest):
    """The rules of an organization."""

    organization_id: str = Field(description="Whose.")
    updated_at: datetime | None = Field(description="When they last changed.")


#: A purchase order in a list, in part.
EXAMPLE_ITEM: dict[str, Any] = {
    "id": "po_01jd6z7w7kq2m4t8v0x3y5z7b9",
    "name": "4711",
    "order_quote_id": "0b6f9a52-5f0c-4c52-9a3e-6f1d2c3b4a59",
    "created_date": "2026-03-02T08:15:00Z",
    "po_number": "4711",
    "status": "approved",
    "total": "250.50",
    "quantity": "3",
    "currency": "EUR",
}


class PurchaseItem(BaseModel):
    """A purchase order in a list."""

    id: str = Field(description="Our id.")
    name: str = Field(description="Its number.")
    order_quote_id: str = Field(description="Its UUID, `UUID__c` at Salesforce.")
    created_date: datetime = Field(description="When it was made.")
    po_number: str = Field(description="Its number.")
    status: str = Field(description="Where it stands.")
    total: str = Field(description="Of all lines.")
    quantity: str = Field(description="Of all lines.")
    currency: str = Field(description="ISO 4217.")
    version: int = Field(description="Raised by every step; what the ETag says.")
    organization_id: str = Field(description="Whose.")
    account_id: str = Field(description="Salesforce's id of the account.")
    requester: str = Field(description="Who asked for it.")
    urgent: bool = Field(description="To be decided soon.")
    note: str = Field(description="For whoever decides.")
    cart_id: str | None = Field(description="The cart it was made of.")
    submitted_at: datetime | None = Field(description="When it was handed in.")
    decided_at: datetime | None = Field(description="When it was decided.")
    decided_by: str | None = Field(description="Who decided; empty for a rule.")
    expires_at: datetime | None = Field(description="When it ends by itself.")
    order_ids: list[str] = Field(description="Salesforce's ids of the orders made of it.")
    salesforce: dict[str, Any] = Field(description="How far Salesforce knows: state, record_id, error.")


class PurchaseReply(PurchaseItem):
    """A purchase order with its lines."""

    lines: list[dict[str, Any]] = Field(description="What is to be bought.")


class PurchaseDetailReply(PurchaseReply):
    """A purchase order with all that is known of it."""

    history: list[dict[str, Any]] = Field(description="Its steps, oldest first.")
    comments: list[dict[str, Any]] = Field(description="Oldest first, the last 200.")
    mails: list[dict[str, Any]] = Field(description="Newest first: to whom, about what, and whether it was sent.")
    ordering: dict[str, Any] | None = Field(
        description="While it is `ordering`: its checkout (checkout_id), that one's state, who ordered, why it waits."
    )


class CommentReply(BaseModel):
    """A comment."""

    id: str
    author: str
    text: str
    created_at: datetime


class BulkStepReply(BaseModel):
    """What became of each."""

    results: list[dict[str, Any]] = Field(description="In the order asked: id, success, status, version, error.")


class DocumentReply(BaseModel):
    """A stored document."""

    purchase_order_id: str = Field(description="Of which order.")
    filename: str = Field(description="As people call it.")
    bytes: int = Field(description="Its size.")
    sha256: str = Field(description="Of its content.")
    content_version_id: str | None = Field(description="Salesforce's id of the version.")
    content_document_id: str | None = Field(description="Salesforce's id of the document.")
    content_document_link_id: str | None = Field(description="Salesforce's id of the link.")


class LinkReply(BaseModel):
    """What a link is about."""

    purchase_order: PurchaseReply = Field(description="The order.")
    approver: str = Field(description="For whom the link was made.")
    possible: list[str] = Field(description="What can be decided now.")


class MailReply(BaseModel):
    """A mail."""

    id: str
    kind: str
    recipient_id: str
    state: str
    attempts: int
    last_error: str | None
    created_at: datetime
    ended_at: datetime | None
