"""Purchase orders as JSON, for the API and the command line. Pure."""

from __future__ import annotations

from decimal import Decimal

from orgbridge.kit.json import JSON
from orgbridge.services.commerce.purchase_decisions import Decided
from orgbridge.services.commerce.purchase_orders import PurchaseDetail
from orgbridge.services.commerce.purchase_rules import money
from orgbridge.services.errors import trouble_of
from orgbridge.store.mail_records import MailRecord
from orgbridge.store.order_records import PlacementRecord
from orgbridge.store.purchase_order_records import (
    PurchaseCommentRecord,
    PurchaseDocumentRecord,
    PurchaseLine,
    PurchaseOrderRecord,
    PurchaseRulesRecord,
    StepRecord,
)


def purchase_item(order: PurchaseOrderRecord) -> dict[str, JSON]:
    """Return an order as it stands in a list; the first eight keys are those of the public implementation."""
    return {
        "id": order.id,
        "name": order.number,
        "order_quote_id": order.uuid,
        "created_date": order.created_at.isoformat(),
        "po_number": order.number,
        "status": order.state.value,
        "total": money(order.total),
        "quantity": _plain(sum((line.quantity for line in order.lines), Decimal(0))),
        "currency": order.currency,
        "version": order.version,
        "organization_id": order.organization_id,
        "account_id": order.account_id,
        "requester": order.requester_name,
        "urgent": order.urgent,
        "note": order.note,
        "cart_id": order.cart_id,
        "submitted_at": order.submitted_at.isoformat() if order.submitted_at else None,
        "decided_at": order.decided_at.isoformat() if order.decided_at else None,
        "decided_by": order.decided_name,
        "expires_at": order.expires_at.isoformat() if order.expires_at else None,
        "order_ids": list(order.order_ids),
        "salesforce": {
            "state": order.mirror_state.value,
            "record_id": order.mirror_record_id,
            "error": order.mirror_error,
        },
    }


def purchase_portrait(order: PurchaseOrderRecord) -> dict[str, JSON]:
    """Return an order with its lines."""
    return {**purchase_item(order), "lines": [_line(line) for line in order.lines]}


def detail_portrait(detail: PurchaseDetail) -> dict[str, JSON]:
    """Return an order with all that is known of it."""
    return {
        **purchase_portrait(detail.order),
        "history": [_step(one) for one in detail.steps],
        "comments": [comment_portrait(one) for one in detail.comments],
        "mails": [mail_portrait(one) for one in detail.mails],
        "ordering": _ordering(detail.placement) if detail.placement is not None else None,
    }


def _ordering(placement: PlacementRecord) -> dict[str, JSON]:
    """Return how far the ordering of a purchase order is."""
    return {
        "checkout_id": placement.id,
        "state": placement.state.value,
        "caller": placement.caller_name,
        "error": placement.error,
        "waiting": placement.waiting,
        "next_look_at": placement.look_at.isoformat() if placement.look_at is not None else None,
    }


def comment_portrait(comment: PurchaseCommentRecord) -> dict[str, JSON]:
    """Return a comment."""
    return {
        "id": comment.id,
        "author": comment.author_name,
        "text": comment.text,
        "created_at": comment.created_at.isoformat(),
    }


def mail_portrait(mail: MailRecord) -> dict[str, JSON]:
    """Return a mail: that it is, and what became of it."""
    return {
        "id": mail.id,
        "kind": mail.kind.value,
        "recipient_id": mail.recipient_id,
        "state": mail.state.value,
        "attempts": mail.attempts,
        "last_error": mail.last_error,
        "created_at": mail.created_at.isoformat(),
        "ended_at": mail.ended_at.isoformat() if mail.ended_at else None,
    }


def document_portrait(record: PurchaseDocumentRecord) -> dict[str, JSON]:
    """Return a document."""
    return {
        "purchase_order_id": record.order_id,
        "filename": record.filename,
        "bytes": record.bytes,
        "sha256": record.sha256,
        "content_version_id": record.version_id,
        "content_document_id": record.document_id,
        "content_document_link_id": record.link_id,
    }


def rules_portrait(rules: PurchaseRulesRecord) -> dict[str, JSON]:
    """Return the rules of an organization."""
    return {
        "organization_id": rules.organization_id,
        "approvers": list(rules.approvers),
        "limits": rules.limits,
        "free_up_to": rules.free_up_to,
        "expires_days": rules.expires_days,
        "remind_days": rules.remind_days,
        "updated_at": rules.updated_at.isoformat() if rules.updated_at else None,
    }


def decided_portrait(decided: Decided) -> dict[str, JSON]:
    """Return what became of one order of many."""
    if decided.order is not None:
        order = decided.order
        return {
            "id": order.id,
            "success": True,
            "status": order.state.value,
            "version": order.version,
            "error": None,
        }
    assert decided.error is not None, "one of both"
    trouble = trouble_of(decided.error)
    return {
        "id": decided.key,
        "success": False,
        "status": None,
        "version": None,
        "error": {"code": trouble.code, "detail": trouble.detail, "retryable": trouble.retryable},
    }


def _line(line: PurchaseLine) -> dict[str, JSON]:
    return {
        "product_id": line.product_id or None,
        "sku": line.sku or None,
        "name": line.name or None,
        "quantity": _plain(line.quantity),
        "unit_price": money(line.unit_price),
        "total": money(line.total),
    }


def _step(step: StepRecord) -> dict[str, JSON]:
    return {
        "version": step.version,
        "step": step.step.value if step.step is not None else "create",
        "status": step.state.value,
        "actor": step.actor_name or None,
        "via": step.via,
        "comment": step.comment,
        "at": step.at.isoformat(),
    }


def _plain(value: Decimal) -> str:
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
