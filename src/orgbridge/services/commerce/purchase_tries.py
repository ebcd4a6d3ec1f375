"""The placements of a purchase order: its tries, each under a key made of the purchase order and the try's number.

A further try is begun only after the one before it ended without an order, so that the last one tells how it stands.
"""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from typing import Final

from orgbridge.store.database import Unit
from orgbridge.store.order_records import PlacementRecord, PlacementState
from orgbridge.store.purchase_order_records import PurchaseOrderRecord

NOTHING_ORDERED: Final = frozenset({PlacementState.FAILED, PlacementState.CANCELLED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """The last try of a purchase order."""

    #: From 0 on; 0 too where none was begun.
    number: int
    #: None where none was begun.
    record: PlacementRecord | None

    @property
    def is_over(self) -> bool:
        """Whether no order came, or can come, of any try so far."""
        return self.record is None or self.record.state in NOTHING_ORDERED


async def latest_try(unit: Unit, purchase: PurchaseOrderRecord) -> Try:
    """Return the last try that was begun."""
    number, found = 0, None
    while (later := await unit.placements.by_key(key_of(purchase, number))) is not None:
        found, number = later, number + 1
        if later.state not in NOTHING_ORDERED:
            break
    return Try(number=max(0, number - 1), record=found)


def made_by(record: PlacementRecord) -> tuple[str, ...]:
    """Return the orders that a placement made."""
    made = [str(one["order_id"]) for one in record.facts.get("orders") or () if one.get("order_id")]
    return tuple(made) or tuple(filter(None, (record.order_id,)))


def key_of(purchase: PurchaseOrderRecord, number: int) -> str:
    """Return the key of a try, the store's unique one."""
    return hashlib.sha256(f"purchase order\n{purchase.uuid}\n{number}".encode()).hexdigest()


def marker_of(purchase: PurchaseOrderRecord, number: int) -> str:
    """Return what orders of a try are marked with: the purchase order's own UUID, then ones made of it."""
    return str(uuid.uuid5(uuid.UUID(purchase.uuid), str(number))) if number else purchase.uuid
