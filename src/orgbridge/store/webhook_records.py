"""Rows of the store that tell of webhooks."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class DeliveryState(StrEnum):
    """Where a message to a receiver stands."""

    #: To be sent, now or later.
    PENDING = "pending"
    #: The receiver took it.
    DELIVERED = "delivered"
    #: Given up; it can be sent again by hand.
    DEAD = "dead"


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionRecord:
    """One receiver and what it is told."""

    #: Our identifier.
    id: str
    #: Sign-in name of who asked for it.
    owner: str
    #: Where messages go.
    url: str
    #: What they are signed with. Shown once, when the subscription is made; empty when it lies sealed with a key that
    #: this process does not have.
    secret: str = field(repr=False)
    #: Events it is told, e.g. `load.completed`.
    events: tuple[str, ...]
    #: The one load it is about; None for all loads of the owner.
    load_id: str | None = None
    #: About everybody's loads.
    all_loads: bool = False
    #: When it was made.
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRecord:
    """One message to one receiver."""

    #: Our identifier; the receiver sees it as `webhook-id`, the same for every attempt.
    id: str
    #: The receiver.
    subscription_id: str
    #: The load that the message is about; None for a test.
    load_id: str | None
    #: What happened.
    event: str
    #: The message.
    payload: dict[str, Any]
    #: Where it stands.
    state: DeliveryState = DeliveryState.PENDING
    #: Attempts begun.
    attempts: int = 0
    #: When the next attempt is due.
    next_at: datetime
    #: Until when a worker has it in hand.
    claimed_until: datetime | None = None
    #: HTTP status of the last answer.
    last_status: int | None = None
    #: What went wrong last.
    last_error: str | None = None
    #: When it was written down.
    created_at: datetime
    #: When it was delivered or given up.
    ended_at: datetime | None = None
