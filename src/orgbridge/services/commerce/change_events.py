"""What happens to orders and carts, as events: which there are, which one a change is, and what is told of it. Pure.

Only ids, numbers, statuses and the organization are told: whoever may know more asks for the record.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from orgbridge.kit.json import JSON
from orgbridge.services.scopes import Scope
from orgbridge.store.change_records import ChangeRecord
from orgbridge.store.purchase_order_records import PurchaseOrderRecord
from orgbridge.store.purchase_order_states import PurchaseStep
from orgbridge.wire.dates import parse_datetime

#: Accounts above a record's own that are read beside it: a path has five relationships at most.
#: Source: facts/salesforce/soql.md section 4.
ABOVE: Final = 5
_PURCHASES: Final = "purchase_order."
_ID_CHARS: Final = 40


class ChangeKind(StrEnum):
    """What became of a record between two looks; the second half of an event's name."""

    #: It is there for the first time.
    CREATED = "created"
    #: Anything of it changed.
    CHANGED = "changed"
    #: Its status is another one, or may be: what it was before is not known.
    STATUS_CHANGED = "status_changed"
    #: A cart became an order.
    CLOSED = "closed"
    #: It is in the recycle bin.
    DELETED = "deleted"


_Kind = ChangeKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """An object whose changes can be followed."""

    #: API name.
    sobject: str
    #: What its events begin with, the dot included.
    prefix: str
    #: What its receivers must be allowed.
    scope: Scope
    #: The field with the number that people know it by; None where it has none.
    number: str | None
    #: The status that ends it, where that is an event of its own.
    closed: str | None = None

    @property
    def fields(self) -> tuple[str, ...]:
        """Fields whose values are told."""
        named = (self.number,) if self.number is not None else ()
        return ("Id", "Status", "AccountId", *named)

    @property
    def kinds(self) -> tuple[ChangeKind, ...]:
        """What can become of it."""
        ends = (_Kind.CLOSED,) if self.closed is not None else (_Kind.STATUS_CHANGED,)
        return (_Kind.CREATED, _Kind.CHANGED, *ends, _Kind.DELETED)

    def event(self, kind: ChangeKind) -> str:
        """Return the name of an event."""
        return self.prefix + kind.value


WATCHED: Final = (
    Watched(sobject="Order", prefix="order.", scope=Scope.ORDERS_READ, number="OrderNumber"),
    Watched(sobject="OrderSummary", prefix="order_summary.", scope=Scope.ORDERS_READ, number="OrderNumber"),
    Watched(sobject="WebCart", prefix="cart.", scope=Scope.CARTS_READ, number=None, closed="Closed"),
)
_PURCHASE_WORDS: Final[Mapping[PurchaseStep | None, str]] = {
    None: "created",
    PurchaseStep.SUBMIT: "submitted",
    PurchaseStep.APPROVE: "approved",
    PurchaseStep.REJECT: "rejected",
    PurchaseStep.CANCEL: "cancelled",
    PurchaseStep.EXPIRE: "expired",
    PurchaseStep.ORDER: "ordering",
    PurchaseStep.PLACE: "ordered",
    PurchaseStep.RELEASE: "released",
}
#: The right that each event asks of who is told, by its name.
PUSHED_EVENTS: Final[Mapping[str, Scope]] = {
    **{one.event(kind): one.scope for one in WATCHED for kind in one.kinds},
    **{_PURCHASES + word: Scope.ORDERS_READ for word in _PURCHASE_WORDS.values()},
}
#: What the names of events about purchase orders begin with.
PURCHASES: Final = _PURCHASES


@dataclass(frozen=True, slots=True, kw_only=True)
class OrgRow:
    """A record as a look saw it."""

    record_id: str
    modstamp: datetime
    created_at: datetime
    status: str
    deleted: bool
    number: str | None
    #: Its account and those above it, the nearest first; empty for none.
    accounts: tuple[str, ...]

    def differs(self, known: ChangeRecord | None) -> bool:
        """Tell whether this is another state than the known one."""
        return known is None or (known.modstamp, known.status, known.deleted) != (
            self.modstamp,
            self.status,
            self.deleted,
        )


def row_of(watched: Watched, record: Mapping[str, Any]) -> OrgRow | None:
    """Return a record of Salesforce as a row; None when it is none."""
    modstamp, created = (parse_datetime(str(record.get(name))) for name in ("SystemModstamp", "CreatedDate"))
    if modstamp is None or created is None or not record.get("Id"):
        return None
    number = record.get(watched.number) if watched.number is not None else None
    line, at = [record.get("AccountId")], record.get("Account")
    for _ in range(ABOVE):
        line.append(at.get("ParentId") if isinstance(at, Mapping) else None)
        at = at.get("Parent") if isinstance(at, Mapping) else None
    accounts = line[: line.index(None)] if None in line else line
    return OrgRow(
        record_id=str(record["Id"]),
        modstamp=modstamp,
        created_at=created,
        status=str(record.get("Status") or ""),
        deleted=bool(record.get("IsDeleted")),
        number=str(number) if number is not None else None,
        accounts=tuple(str(one) for one in accounts),
    )


def kinds_of(watched: Watched, row: OrgRow, known: ChangeRecord | None, floor: datetime) -> list[ChangeKind]:
    """Return what became of a record; nothing when its state is the known one.

    Args:
        watched: Its object.
        row: As it is.
        known: As it was last; None when that is not known.
        floor: Where the look began. What is not known and was made since is new.
    """
    if not row.differs(known):
        return []
    if row.deleted:
        return [_Kind.DELETED]
    is_new = known is None and row.created_at >= floor
    found = [_Kind.CREATED if is_new else _Kind.CHANGED]
    if known is None or known.status != row.status:
        if watched.closed is None and not is_new:
            found.append(_Kind.STATUS_CHANGED)
        elif watched.closed is not None and row.status == watched.closed:
            found.append(_Kind.CLOSED)
    return found


def change_payload(
    watched: Watched, row: OrgRow, kind: ChangeKind, known: ChangeRecord | None, organization_id: str | None
) -> dict[str, Any]:
    """Return what receivers are told of a change: its `id` is the same whoever tells it, however often."""
    stamp = row.modstamp.astimezone(UTC).isoformat()
    data: dict[str, JSON] = {
        "object": watched.sobject,
        "record_id": row.record_id,
        "number": row.number,
        "status": row.status or None,
        "previous_status": (known.status or None) if known is not None else None,
        "account_id": row.accounts[0] if row.accounts else None,
        "organization_id": organization_id,
    }
    event = watched.event(kind)
    return {
        "id": event_id(row.record_id, stamp, event, row.status),
        "type": event,
        "timestamp": stamp,
        "data": data,
    }


def purchase_event(step: PurchaseStep | None) -> str:
    """Return the name of the event that a step of a purchase order is; None for the making of it."""
    return _PURCHASES + _PURCHASE_WORDS[step]


def purchase_payload(order: PurchaseOrderRecord, step: PurchaseStep | None) -> dict[str, Any]:
    """Return what receivers are told of a step of a purchase order."""
    event = purchase_event(step)
    return {
        "id": event_id(order.id, str(order.version), event, order.state.value),
        "type": event,
        "timestamp": order.updated_at.astimezone(UTC).isoformat(),
        "data": {
            "object": "purchase_order",
            "record_id": order.id,
            "number": order.number,
            "status": order.state.value,
            "version": order.version,
            "account_id": order.account_id,
            "organization_id": order.organization_id,
            "order_ids": [*order.order_ids],
        },
    }


def event_id(*parts: str) -> str:
    """Return the id of an event: made of what it is about and nothing else."""
    return f"evt_{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()[:_ID_CHARS]}"


def message_id(event: str, subscription_id: str) -> str:
    """Return the id of the message that tells one receiver of an event."""
    return f"msg_{hashlib.sha256(f'{event} {subscription_id}'.encode()).hexdigest()[:_ID_CHARS]}"
