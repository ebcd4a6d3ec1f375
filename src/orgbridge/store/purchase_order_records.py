"""Rows of purchase orders as frozen values. No SQLAlchemy here."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from orgbridge.store.purchase_order_states import PurchaseState, PurchaseStep


class MirrorState(StrEnum):
    """How far Salesforce knows of a purchase order."""

    #: Salesforce is not told: a draft.
    NONE = "none"
    #: To be told, now or later.
    PENDING = "pending"
    #: Told, of the present version.
    SYNCED = "synced"
    #: Salesforce cannot take it; the reason stands beside it.
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class PurchaseLine:
    """What is to be bought, as it stood when it was asked for."""

    #: Salesforce's id of the product; empty when only its number is known.
    product_id: str
    #: Its number, SKU or product code.
    sku: str
    #: What it is called.
    name: str
    #: How many.
    quantity: Decimal
    #: The price of one.
    unit_price: Decimal
    #: The price of all.
    total: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class PurchaseOrderRecord:
    """One purchase order."""

    #: Our identifier.
    id: str
    #: Its marker at Salesforce, `UUID__c`.
    uuid: str
    #: The number that people know it by.
    number: str
    #: Whose it is.
    organization_id: str
    #: Salesforce's id of the account that buys.
    account_id: str
    #: User id of who asked for it.
    requester_id: str
    #: Sign-in name of that user at the time.
    requester_name: str
    #: ISO 4217.
    currency: str
    #: Of all lines.
    total: Decimal
    #: What is to be bought.
    lines: tuple[PurchaseLine, ...]
    #: The cart that it was made of; None for given lines.
    cart_id: str | None = None
    #: For whoever decides.
    note: str = ""
    #: To be decided soon.
    urgent: bool = False
    #: Where it stands.
    state: PurchaseState = PurchaseState.DRAFT
    #: Raised by every step.
    version: int = 1
    #: When it was made.
    created_at: datetime
    #: When it last changed.
    updated_at: datetime
    #: When it was handed in.
    submitted_at: datetime | None = None
    #: When it was approved or rejected.
    decided_at: datetime | None = None
    #: User id of who did; empty for a rule.
    decided_by: str | None = None
    #: Sign-in name of that user at the time.
    decided_name: str | None = None
    #: When it ends by itself; None while it does not.
    expires_at: datetime | None = None
    #: When the approvers are reminded next.
    remind_at: datetime | None = None
    #: Until when a process is making an order of it.
    ordering_until: datetime | None = None
    #: Salesforce's ids of the orders made of it.
    order_ids: tuple[str, ...] = ()
    #: How far Salesforce knows.
    mirror_state: MirrorState = MirrorState.NONE
    #: Salesforce's id of its `Purchase_Order__c`.
    mirror_record_id: str | None = None
    #: Why Salesforce was not told.
    mirror_error: str | None = None
    #: Tries since the last success.
    mirror_attempts: int = 0
    #: When Salesforce is told next.
    mirror_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRecord:
    """One step of a purchase order; the version that it led to is its number."""

    #: The order.
    order_id: str
    #: The version after it.
    version: int
    #: What was done; None for the making of it.
    step: PurchaseStep | None
    #: The state after it.
    state: PurchaseState
    #: User id of who did it; empty for the house itself.
    actor_id: str
    #: Sign-in name of that user at the time.
    actor_name: str
    #: `api`, `bulk`, `link`, `rule` or `worker`.
    via: str
    #: What was said with it.
    comment: str
    #: When.
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PurchaseCommentRecord:
    """Something said about a purchase order."""

    #: Our identifier.
    id: str
    #: The order.
    order_id: str
    #: User id of who said it.
    author_id: str
    #: Sign-in name of that user at the time.
    author_name: str
    #: What was said.
    text: str
    #: When.
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PurchaseRulesRecord:
    """How an organization decides about purchase orders."""

    #: Whose rules they are.
    organization_id: str
    #: User ids of those who may decide.
    approvers: tuple[str, ...] = ()
    #: Amount up to which a role may approve, by role and currency; None for any amount. `*` is every other role.
    limits: dict[str, dict[str, str | None]] = field(default_factory=dict)
    #: Amount up to which nobody has to approve, by currency.
    free_up_to: dict[str, str] = field(default_factory=dict)
    #: Days after which what is not decided, or not ordered, ends.
    expires_days: int = 30
    #: Days between two reminders; None for none.
    remind_days: int | None = 3
    #: Changes with every write.
    revision: str = ""
    #: When they last changed; None for the rules that every organization begins with.
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PurchaseDocumentRecord:
    """The PDF of a purchase order."""

    #: The order.
    order_id: str
    #: SHA-256 of the file: what tells one upload from another.
    sha256: str
    #: As its owner calls it.
    filename: str
    #: Its size.
    bytes: int
    #: Salesforce's ids; None until it is there.
    version_id: str | None = None
    document_id: str | None = None
    link_id: str | None = None
    #: Until when a process is sending it.
    claimed_until: datetime | None = None
    #: Who sent it.
    uploaded_by: str
    #: When it was last sent.
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalLinkRecord:
    """A link that lets one approver decide one order once. The token itself is in the mail and nowhere else."""

    #: SHA-256 of the token, hexadecimal; the token has 256 bits of chance, so a slow hash would add nothing.
    token_hash: str
    #: The order.
    order_id: str
    #: Who may use it.
    user_id: str
    #: When it ends.
    expires_at: datetime
    #: When it was made.
    created_at: datetime
    #: When it was used.
    used_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PurchaseFilter:
    """Which purchase orders; None is any."""

    #: Of these organizations; None for all.
    organizations: tuple[str, ...] | None = None
    #: Asked for by this user.
    requester_id: str | None = None
    #: Waiting for a decision of this user.
    approver_id: str | None = None
    #: In these states.
    states: tuple[PurchaseState, ...] = ()
    #: With this number.
    number: str | None = None
    #: Made at or after.
    since: datetime | None = None
    #: Made before.
    until: datetime | None = None
