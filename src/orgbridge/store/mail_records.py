"""Rows of the store that tell of mails."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class MailKind(StrEnum):
    """What a mail is about."""

    #: To an approver: please decide.
    REQUEST = "approval_request"
    #: To an approver: it still waits.
    REMINDER = "reminder"
    #: To the requester.
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"
    ORDERED = "ordered"


#: Mails that ask for a decision, and say nothing any more once it was made.
ASKING = frozenset({MailKind.REQUEST, MailKind.REMINDER})


class MailState(StrEnum):
    """Where a mail stands."""

    #: To be sent, now or later.
    PENDING = "pending"
    #: The mail server took it.
    SENT = "sent"
    #: Given up; it can be sent again by hand.
    DEAD = "dead"
    #: Not sent, because nothing would come of it: the decision was made meanwhile.
    DROPPED = "dropped"
    #: Not sent, because no mail server is configured.
    OFF = "off"


@dataclass(frozen=True, slots=True, kw_only=True)
class MailRecord:
    """One mail to one user. Its text is made when it is sent, of what is true then."""

    #: Our identifier; also in the Message-ID, the same for every attempt.
    id: str
    #: The purchase order that it is about.
    order_id: str
    #: What it says.
    kind: MailKind
    #: User id of who gets it.
    recipient_id: str
    #: Where it stands.
    state: MailState = MailState.PENDING
    #: Attempts begun.
    attempts: int = 0
    #: When the next attempt is due.
    next_at: datetime
    #: Until when a worker has it in hand.
    claimed_until: datetime | None = None
    #: What went wrong last.
    last_error: str | None = None
    #: When it was written down.
    created_at: datetime
    #: When it was sent or given up.
    ended_at: datetime | None = None
