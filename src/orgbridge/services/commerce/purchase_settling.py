"""Purchase orders that were left in `ordering` brought to an end, by what became of their placement.

Whoever asked for the order may have gone: its process died, its caller gave up, the outcome was unknown for hours. The
placement is carried on by itself, looked for by its marker, or settled by an operator; what came of it is written here.

Laws:
1. Nothing is sent. An end is written only once the placement has one, or was certainly never begun.
2. A process at work has a lease: nothing is touched before it is over. Whoever takes a purchase order over raises its
   version, and no placement is begun under an older one, so that "never begun" stays true.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from orgbridge.kit.clock import Clock
from orgbridge.kit.logs import get_logger
from orgbridge.services.audit import AuditTrail
from orgbridge.services.commerce.purchase_errors import PurchaseOrderMoved
from orgbridge.services.commerce.purchase_rules import PurchaseRules
from orgbridge.services.commerce.purchase_steps import (
    Move,
    Via,
    audit_step,
    released_changes,
    requester_mails,
    take,
)
from orgbridge.services.commerce.purchase_tries import Try, latest_try, made_by
from orgbridge.store.database import Database, Unit
from orgbridge.store.mail_records import MailKind
from orgbridge.store.order_records import PlacementState
from orgbridge.store.purchase_order_records import PurchaseOrderRecord
from orgbridge.store.purchase_order_states import PurchaseStep

_BATCH: Final = 50
_NEVER_BEGUN: Final = "Nothing was ordered: the process that was to order ended before it began."
log = get_logger(__name__)


class PurchaseSettling:
    """Ends what was left."""

    def __init__(
        self, database: Database, clock: Clock, rules: PurchaseRules, trail: AuditTrail, *, mail_configured: bool
    ) -> None:
        self._database = database
        self._clock = clock
        self._rules = rules
        self._trail = trail
        self._mails = mail_configured

    async def settle(self) -> int:
        """End purchase orders whose placement has ended and that nobody is at work on; return how many."""
        count, after_id = 0, ""
        while True:
            now = self._clock.now()
            async with self._database.unit(write=False) as unit:
                left = await unit.purchase_orders.left_ordering(now, after_id, _BATCH)
                decided = [order for order in left if _step_after(await latest_try(unit, order)) is not None]
            for order in decided:
                count += await self._settle(order, now)
            if len(left) < _BATCH:
                return count
            after_id = left[-1].id

    async def _settle(self, order: PurchaseOrderRecord, now: datetime) -> bool:
        rules = await self._rules.get(order.organization_id)
        try:
            async with self._database.unit() as unit:
                if not await unit.purchase_orders.take_over(order.id, now, now, order.version):
                    return False
                taken = await unit.purchase_orders.get(order.id)
                assert taken is not None, "it was there in this transaction"
                # From here on nobody begins a placement, so that the last try is the last one.
                last = await latest_try(unit, taken)
                move = _move(last, released_changes(rules, now))
                if move is None:
                    return False
                done = await take(unit, taken, move, now, await self._told(unit, taken, move, now))
        except PurchaseOrderMoved:
            # Whoever asked went on at this moment, or another worker did.
            return False
        log.info("purchase_order_settled", order_id=order.id, state=done.state.value)
        await audit_step(self._trail, done, move)
        return True

    async def _told(self, unit: Unit, order: PurchaseOrderRecord, move: Move, now: datetime) -> Any:
        if move.step is not PurchaseStep.PLACE:
            return ()
        return await requester_mails(unit, order, MailKind.ORDERED, now, configured=self._mails)


def _step_after(last: Try) -> PurchaseStep | None:
    """Return the step that follows from the last try; None while nobody can tell what became of it."""
    if last.is_over:
        return PurchaseStep.RELEASE
    assert last.record is not None, "what is not over was begun"
    return PurchaseStep.PLACE if last.record.state is PlacementState.PLACED else None


def _move(last: Try, released: dict[str, Any]) -> Move | None:
    match _step_after(last):
        case PurchaseStep.PLACE:
            assert last.record is not None, "what is placed was begun"
            changes = {"order_ids": made_by(last.record), "ordering_until": None, "remind_at": None}
            return Move(step=PurchaseStep.PLACE, caller=None, via=Via.WORKER, changes=changes)
        case PurchaseStep.RELEASE:
            said = _NEVER_BEGUN if last.record is None else str((last.record.error or {}).get("message", ""))
            return Move(step=PurchaseStep.RELEASE, caller=None, via=Via.WORKER, comment=said, changes=released)
        case _:
            return None
