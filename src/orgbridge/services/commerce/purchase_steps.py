"""One step of a purchase order: compare-and-set, history, mails and webhooks in one transaction; and its audit.

Whoever takes a step read the order before. If it has moved on since, nothing at all is written and the step is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from orgbridge.kit.identifiers import new_identifier
from orgbridge.services.audit import AuditTrail, Entry, Outcome
from orgbridge.services.commerce.change_audiences import announce_purchase
from orgbridge.services.commerce.purchase_errors import OwnPurchaseOrder, PurchaseOrderMoved, PurchaseOrderStale
from orgbridge.services.scopes import Caller
from orgbridge.store.database import Unit
from orgbridge.store.mail_records import MailKind, MailRecord, MailState
from orgbridge.store.purchase_order_records import MirrorState, PurchaseOrderRecord, PurchaseRulesRecord, StepRecord
from orgbridge.store.purchase_order_states import (
    OwnDecisionError,
    Position,
    PurchaseState,
    PurchaseStep,
    StepImpossibleError,
    after,
)

_OFF: Final = "No mail server is configured: set ORGBRIDGE_SMTP_HOST and ORGBRIDGE_SMTP_FROM, then send it again."


class Via(StrEnum):
    """How somebody came to take a step."""

    API = "api"
    BULK = "bulk"
    LINK = "link"
    #: The amount needs no approval.
    RULE = "rule"
    #: By time.
    WORKER = "worker"


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A step about to be taken."""

    step: PurchaseStep
    #: Who takes it; None for the house itself.
    caller: Caller | None
    via: Via = Via.API
    #: What is said with it.
    comment: str = ""
    #: The version that the caller has seen; None for any.
    expected: int | None = None
    #: Further columns that it sets.
    changes: Mapping[str, Any] = field(default_factory=dict)


def check_move(order: PurchaseOrderRecord, move: Move) -> PurchaseState:
    """Return the state that a move leads to.

    Raises:
        PurchaseOrderStale: The caller has seen another version.
        PurchaseOrderMoved: There is no such step from here.
        OwnPurchaseOrder: The requester decides.
    """
    if move.expected is not None and move.expected != order.version:
        raise PurchaseOrderStale
    position = Position(state=order.state, version=order.version, requester_id=order.requester_id)
    try:
        return after(position, move.step, move.caller.user_id if move.caller is not None else "").state
    except StepImpossibleError:
        raise PurchaseOrderMoved(order.state, order.version, move.step) from None
    except OwnDecisionError:
        raise OwnPurchaseOrder from None


async def take(
    unit: Unit, order: PurchaseOrderRecord, move: Move, now: datetime, mails: Sequence[MailRecord] = ()
) -> PurchaseOrderRecord:
    """Take a step within a transaction, and return the order as it is then.

    Raises:
        PurchaseOrderMoved: Somebody else was faster, or the step is impossible; nothing was written.
        PurchaseOrderStale: The caller has seen another version; nothing was written.
        OwnPurchaseOrder: The requester decides; nothing was written.
    """
    state = check_move(order, move)
    # Salesforce hears of everything but drafts, and of a placement by what comes of it.
    mirrored = order.state is not PurchaseState.DRAFT or state is PurchaseState.PENDING
    mirror = {"mirror_state": MirrorState.PENDING.value, "mirror_at": now, "mirror_attempts": 0} if mirrored else {}
    done = await unit.purchase_orders.move(
        order.id, expected=order.version, state=state, updated_at=now, **mirror, **move.changes
    )
    if not done:
        present = await unit.purchase_orders.get(order.id) or order
        raise PurchaseOrderMoved(present.state, present.version, move.step)
    await unit.purchase_orders.add_step(
        StepRecord(
            order_id=order.id,
            version=order.version + 1,
            step=move.step,
            state=state,
            actor_id=move.caller.user_id if move.caller is not None else "",
            actor_name=move.caller.username if move.caller is not None else "",
            via=move.via.value,
            comment=move.comment,
            at=now,
        )
    )
    await unit.mails.add(mails)
    found = await unit.purchase_orders.get(order.id)
    assert found is not None, "it was there in this transaction"
    await announce_purchase(unit, found, move.step, now)
    return found


def mail_to(
    order: PurchaseOrderRecord, kind: MailKind, recipient_id: str, now: datetime, *, configured: bool
) -> MailRecord:
    """Return a mail for the outbox; one that is not sent, and says so, where no mail server is configured."""
    return MailRecord(
        id=new_identifier("mail", now),
        order_id=order.id,
        kind=kind,
        recipient_id=recipient_id,
        state=MailState.PENDING if configured else MailState.OFF,
        last_error=None if configured else _OFF,
        next_at=now,
        created_at=now,
        ended_at=None if configured else now,
    )


async def requester_mails(
    unit: Unit, order: PurchaseOrderRecord, kind: MailKind, now: datetime, *, configured: bool
) -> list[MailRecord]:
    """Return the mail to whoever asked for an order; none for somebody whom only the external issuer knows."""
    if await unit.users.get(order.requester_id) is None:
        return []
    return [mail_to(order, kind, order.requester_id, now, configured=configured)]


def pending_changes(rules: PurchaseRulesRecord, now: datetime) -> dict[str, Any]:
    """Return what an order gets when it is handed in: its end and the first reminder."""
    remind = timedelta(days=rules.remind_days) if rules.remind_days else None
    return {
        "submitted_at": now,
        "expires_at": now + timedelta(days=rules.expires_days),
        "remind_at": now + remind if remind is not None else None,
    }


def decided_changes(
    rules: PurchaseRulesRecord, step: PurchaseStep, caller: Caller | None, now: datetime
) -> dict[str, Any]:
    """Return what an order gets when it is decided; an approved one ends when it is not ordered in time."""
    approved = step is PurchaseStep.APPROVE
    return {
        "decided_at": now,
        "decided_by": caller.user_id if caller is not None else "",
        "decided_name": caller.username if caller is not None else "",
        "expires_at": now + timedelta(days=rules.expires_days) if approved else None,
        "remind_at": None,
    }


def released_changes(rules: PurchaseRulesRecord, now: datetime) -> dict[str, Any]:
    """Return what an approved order gets that was not ordered after all: its time begins anew."""
    return {"ordering_until": None, "expires_at": now + timedelta(days=rules.expires_days)}


async def audit_step(
    trail: AuditTrail, order: PurchaseOrderRecord, move: Move, *, outcome: Outcome = Outcome.SUCCEEDED, code: str = ""
) -> None:
    """Write a step to the audit: one that no call of its own stands for."""
    await trail.write(
        Entry(
            action=f"purchase_orders.{move.step.value}",
            outcome=outcome,
            caller=move.caller,
            name="" if move.caller is not None else f"orgbridge {move.via.value}",
            object_name="purchase_order",
            ids=(order.id,),
            code=code,
            details={"via": move.via.value, "state": order.state.value, "version": order.version},
        )
    )
