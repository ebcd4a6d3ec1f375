"""What workers did about orders, told to the audit: each end of a placement is an entry in the name of who asked.

The end is in the store first; whoever finds one that the audit does not know writes it. After a crash in between an
entry may be there twice, never not at all.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final
from uuid import uuid4

from orgbridge.kit.clock import Clock
from orgbridge.kit.json import JSON
from orgbridge.kit.logs import get_logger
from orgbridge.services.audit import AuditTrail, Entry, Outcome
from orgbridge.services.scopes import Caller
from orgbridge.store.database import Database
from orgbridge.store.errors import StoreError
from orgbridge.store.order_records import PlacementRecord, PlacementState

_BATCH: Final = 50
_LEASE: Final = timedelta(seconds=30)
_TASK: Final = "placement-audit"
_OUTCOMES: Final = {
    PlacementState.PLACED: Outcome.SUCCEEDED,
    PlacementState.CANCELLED: Outcome.REFUSED,
    PlacementState.UNKNOWN: Outcome.UNKNOWN,
}
log = get_logger(__name__)


class PlacementAudit:
    """Writes one entry per end of a placement."""

    def __init__(self, database: Database, clock: Clock, trail: AuditTrail, *, seconds: float = 1.0) -> None:
        self._database = database
        self._clock = clock
        self._trail = trail
        self._seconds = seconds
        self._holder = str(uuid4())

    async def run(self) -> None:
        """Write what is not yet written, until cancelled."""
        while True:
            try:
                found = await self.write_due()
            except StoreError as error:
                log.warning("placements_not_audited", cause=error.message)
                found = 0
            if found < _BATCH:
                await self._clock.sleep(self._seconds)

    async def write_due(self) -> int:
        """Write entries of ends that the audit does not know, and return how many. None while another process does.

        Raises:
            StoreError: The store does not answer; what was not written is due again.
        """
        async with self._database.unit(write=False) as unit:
            due = await unit.placements.unaudited(_BATCH)
        if not due:
            return 0
        now = self._clock.now()
        async with self._database.unit() as unit:
            if not await unit.tasks.take(_TASK, self._holder, now, now + _LEASE):
                return 0
        async with self._database.unit(write=False) as unit:
            due = await unit.placements.unaudited(_BATCH)
        for record in due:
            if await self._trail.write(entry_of(record)):
                async with self._database.unit() as unit:
                    await unit.placements.audited(record.id, record.revision, self._clock.now())
        return len(due)


def entry_of(record: PlacementRecord) -> Entry:
    """Return what the audit is told of the end of a placement: never an address or a payment's reference."""
    orders = [str(one["order_id"]) for one in record.facts.get("orders") or () if one.get("order_id")]
    if record.order_id is not None and record.order_id not in orders:
        orders.insert(0, record.order_id)
    steps: list[JSON] = [{"event": one["event"], "at": one["at"]} for one in record.steps]
    details: dict[str, JSON] = {
        "way": record.way.value,
        "state": record.state.value,
        "cart_id": record.cart_id,
        "account_id": record.account_id,
        "order_reference_number": record.order_reference,
        "steps": steps,
    }
    if record.sf_username is not None:
        details["sf_username"] = record.sf_username
    return Entry(
        action="orders.place",
        outcome=_OUTCOMES.get(record.state, Outcome.FAILED),
        caller=Caller(user_id=record.caller_id, username=record.caller_name, scopes=frozenset()),
        object_name="Order",
        ids=(record.id, *orders),
        code=str((record.error or {}).get("code", "")),
        request_id=record.request_id,
        details=details,
    )
