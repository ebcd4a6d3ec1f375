"""What receivers are told of a load that has ended, and the messages that this makes. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from orgbridge.kit.identifiers import new_identifier
from orgbridge.loads.states import LoadState
from orgbridge.store.records import LoadRecord
from orgbridge.store.webhook_records import DeliveryRecord, SubscriptionRecord

#: Event by the state in which a load ended.
EVENTS: Final = {
    LoadState.JOB_COMPLETE: "load.completed",
    LoadState.FAILED: "load.failed",
    LoadState.ABORTED: "load.aborted",
}
TEST_EVENT: Final = "webhook.test"


def messages(load: LoadRecord, receivers: Iterable[SubscriptionRecord], now: datetime) -> list[DeliveryRecord]:
    """Return a message for each receiver that wants to hear of the end of a load. It holds counts, and no row."""
    event = EVENTS.get(load.state)
    if event is None:
        return []
    payload = _payload(load, event)
    return [
        delivery_of(receiver, event, payload, now, load_id=load.id)
        for receiver in receivers
        if event in receiver.events
    ]


def delivery_of(
    receiver: SubscriptionRecord, event: str, payload: dict[str, Any], now: datetime, *, load_id: str | None
) -> DeliveryRecord:
    """Return a message that is due at once."""
    return DeliveryRecord(
        id=new_identifier("msg", now),
        subscription_id=receiver.id,
        load_id=load_id,
        event=event,
        payload=payload,
        next_at=now,
        created_at=now,
    )


def _payload(load: LoadRecord, event: str) -> dict[str, Any]:
    return {
        "type": event,
        "timestamp": (load.finished_at or load.created_at).isoformat(),
        "data": {
            "job_id": load.id,
            "state": load.state.value,
            "operation": load.operation,
            "object_name": load.object_name,
            "created_by": load.created_by,
            "created_at": load.created_at.isoformat(),
            "rows_read": load.rows_read,
            "rows_succeeded": load.rows_succeeded,
            "rows_failed": load.rows_failed,
            "rows_unprocessed": load.rows_unprocessed,
            "error_code": load.error_code,
            "error_message": load.error_message,
        },
    }
