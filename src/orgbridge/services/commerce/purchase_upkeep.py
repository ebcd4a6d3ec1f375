"""What happens to purchase orders by themselves, beside a worker's other tasks: they expire, their approvers are
reminded, those left in `ordering` are settled, Salesforce is told, mails are sent. Many workers may do so at once; each
step is a compare-and-set.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Final

from orgbridge.kit.clock import Clock
from orgbridge.kit.logs import get_logger
from orgbridge.kit.loops import outlived
from orgbridge.services.audit import AuditTrail
from orgbridge.services.commerce.mails import Mailer
from orgbridge.services.commerce.purchase_errors import PurchaseOrderMoved
from orgbridge.services.commerce.purchase_mirror import PurchaseMirror
from orgbridge.services.commerce.purchase_rules import PurchaseRules
from orgbridge.services.commerce.purchase_settling import PurchaseSettling
from orgbridge.services.commerce.purchase_steps import Move, Via, audit_step, mail_to, requester_mails, take
from orgbridge.store.database import Database
from orgbridge.store.mail_records import MailKind
from orgbridge.store.purchase_order_records import PurchaseOrderRecord
from orgbridge.store.purchase_order_states import PurchaseStep

_BATCH: Final = 50
#: Links stay so long after their end, to be told from ones that never were.
_LINKS_KEPT: Final = timedelta(days=7)
_FORGET_SECONDS: Final = 3_600.0
log = get_logger(__name__)


class PurchaseUpkeep:
    """Does what is due."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        rules: PurchaseRules,
        trail: AuditTrail,
        mirror: PurchaseMirror | None,
        mailer: Mailer | None,
        *,
        sweeps: Sequence[Callable[[], Awaitable[int]]] = (),
        seconds: float = 1.0,
    ) -> None:
        self._database = database
        self._clock = clock
        self._rules = rules
        self._trail = trail
        self._mirror = mirror
        #: Sends what is in the outbox; None where no mail server is configured.
        self.mailer = mailer
        self._sweeps = sweeps
        self._seconds = seconds
        self._settling = PurchaseSettling(database, clock, rules, trail, mail_configured=mailer is not None)

    async def run(self) -> None:
        """Do what is due until cancelled."""
        tasks: list[Callable[[], Awaitable[int]]] = [self.expire, self.remind, self._settling.settle]
        if self._mirror is not None:
            tasks.append(self._mirror.tell_all)
        if self.mailer is not None:
            tasks.append(self.mailer.deliver)
        forgot = self._clock.monotonic() - _FORGET_SECONDS
        while True:
            rare: list[Callable[[], Awaitable[int]]] = []
            if self._clock.monotonic() - forgot >= _FORGET_SECONDS:
                forgot, rare = self._clock.monotonic(), [self.forget_links, *self._sweeps]
            for task in (*tasks, *rare):
                with outlived(log, "purchase_upkeep_failed"):
                    await task()
            await self._clock.sleep(self._seconds)

    async def expire(self) -> int:
        """End orders whose time is over; return how many."""
        now = self._clock.now()
        async with self._database.unit(write=False) as unit:
            due = await unit.purchase_orders.past_their_time(now, _BATCH)
        return sum([await self._expire(order) for order in due])

    async def _expire(self, order: PurchaseOrderRecord) -> int:
        now = self._clock.now()
        move = Move(
            step=PurchaseStep.EXPIRE, caller=None, via=Via.WORKER, changes={"expires_at": None, "remind_at": None}
        )
        try:
            async with self._database.unit() as unit:
                mails = await requester_mails(unit, order, MailKind.EXPIRED, now, configured=self.mailer is not None)
                done = await take(unit, order, move, now, mails)
        except PurchaseOrderMoved:
            # Somebody decided, or another worker was faster.
            return 0
        await audit_step(self._trail, done, move)
        return 1

    async def remind(self) -> int:
        """Remind the approvers of orders that wait for long; return of how many orders."""
        now = self._clock.now()
        async with self._database.unit(write=False) as unit:
            due = await unit.purchase_orders.to_remind(now, _BATCH)
        for order in due:
            rules = await self._rules.get(order.organization_id)
            deciders = await self._rules.deciders(rules, order)
            seen = order.remind_at
            pause = timedelta(days=rules.remind_days or 3)
            mails = [
                mail_to(order, MailKind.REMINDER, one.user_id, now, configured=self.mailer is not None)
                for one in deciders
            ]
            async with self._database.unit() as unit:
                if seen is not None and await unit.purchase_orders.reminded(order.id, seen, now + pause):
                    await unit.mails.add(mails)
        return len(due)

    async def forget_links(self) -> int:
        """Delete links that ended long ago; return how many."""
        async with self._database.unit() as unit:
            return await unit.approval_links.forget(self._clock.now() - _LINKS_KEPT)
