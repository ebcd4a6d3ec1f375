"""An approved purchase order becomes an order, exactly once.

The step to `ordering` is taken before anything is sent, and only one process at a time is at it: it holds a lease that
it renews while it works, and whoever takes a lease over that ran out raises the version, so that the one who lost it
can write nothing any more. Whatever happens, the same marker leads back to what was done: a second try asks the placer
again with the same `uuid`, and the placer looks for it before it acts. Only a certain "nothing was ordered" leads back
to `approved`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

from orgbridge.kit.clock import Clock
from orgbridge.kit.logs import get_logger
from orgbridge.services.commerce.purchase_errors import (
    NotTheRequester,
    OrderChanged,
    OrderingUnavailable,
    OrderUnderWay,
    PurchaseOrderMoved,
)
from orgbridge.services.commerce.purchase_orders import visible
from orgbridge.services.commerce.purchase_ports import Placed, PlacementRefused, PurchasePlacer
from orgbridge.services.commerce.purchase_rules import PurchaseRules
from orgbridge.services.commerce.purchase_steps import Move, check_move, released_changes, requester_mails, take
from orgbridge.services.scopes import Caller
from orgbridge.store.database import Database
from orgbridge.store.errors import StoreError
from orgbridge.store.mail_records import MailKind
from orgbridge.store.purchase_order_records import PurchaseOrderRecord
from orgbridge.store.purchase_order_states import PurchaseState, PurchaseStep

#: Whoever died is followed after this time; whoever lives renews it this many times within.
LEASE: Final = timedelta(minutes=2)
_RENEWALS: Final = 4
log = get_logger(__name__)


class PurchaseOrdering:
    """Turns approved purchase orders into orders."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        rules: PurchaseRules,
        placer: PurchasePlacer | None,
        *,
        mail_configured: bool = False,
        lease: timedelta = LEASE,
    ) -> None:
        self._database = database
        self._clock = clock
        self._rules = rules
        self._placer = placer
        self._mails = mail_configured
        self._lease = lease

    async def order(self, caller: Caller, key: str, *, expected: int | None = None) -> PurchaseOrderRecord:
        """Order what was approved: the requester, or an approver of the organization, as themselves at Salesforce.

        Asked again for one that is ordered, it is returned as it is.

        Raises:
            PurchaseOrderNotFound: There is none, or it is another organization's.
            NotTheRequester: The caller neither asked for it nor approves for this organization.
            PurchaseOrderMoved: It is not approved.
            OrderUnderWay: Another process is at it.
            OrderChanged: Prices, stock or products are different now; nothing was ordered, it stays approved.
            OrgbridgeError: What came of it is not known yet; the same call goes on from there.
        """
        async with self._database.unit(write=False) as unit:
            order = await visible(unit, caller, key)
        if order.requester_id != caller.user_id:
            rules = await self._rules.get(order.organization_id)
            if caller.user_id not in rules.approvers:
                raise NotTheRequester
        if order.state is PurchaseState.ORDERED:
            return order
        if self._placer is None:
            raise OrderingUnavailable
        order = await self._begin(caller, order, expected)
        try:
            async with self._held(order):
                placed = await self._placer.place(caller, order)
        except PlacementRefused as refused:
            await self._release(caller, order)
            if refused.cause is not None:
                raise refused.cause from refused
            raise OrderChanged(refused.findings) from refused
        except BaseException:
            # Whether there is an order is open. Nobody is at it any more, so that the next call need not wait.
            async with self._database.unit() as unit:
                await unit.purchase_orders.let_go(order.id, order.version, self._clock.now())
            raise
        return await self._end(caller, order, placed)

    async def _begin(self, caller: Caller, order: PurchaseOrderRecord, expected: int | None) -> PurchaseOrderRecord:
        now = self._clock.now()
        if order.state is PurchaseState.ORDERING:
            async with self._database.unit() as unit:
                if not await unit.purchase_orders.take_over(order.id, now, now + self._lease, order.version):
                    left = (order.ordering_until or now) - now
                    raise OrderUnderWay(max(1.0, left.total_seconds()))
                taken = await unit.purchase_orders.get(order.id)
            assert taken is not None, "it was there in this transaction"
            return taken
        move = Move(
            step=PurchaseStep.ORDER,
            caller=caller,
            expected=expected,
            changes={"ordering_until": now + self._lease, "expires_at": None},
        )
        check_move(order, move)
        async with self._database.unit() as unit:
            return await take(unit, order, move, now)

    @asynccontextmanager
    async def _held(self, order: PurchaseOrderRecord) -> AsyncIterator[None]:
        """Renew the lease while the block lasts."""
        task = asyncio.create_task(self._renew(order), name=f"ordering-{order.id}")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def _renew(self, order: PurchaseOrderRecord) -> None:
        while True:
            await self._clock.sleep(self._lease.total_seconds() / _RENEWALS)
            try:
                async with self._database.unit() as unit:
                    until = self._clock.now() + self._lease
                    if not await unit.purchase_orders.hold(order.id, order.version, until):
                        return
            except StoreError as error:
                # There are renewals left; and what is ordered is found by its marker, whoever goes on.
                log.warning("purchase_order_lease_not_renewed", order_id=order.id, code=error.code)

    async def _release(self, caller: Caller, order: PurchaseOrderRecord) -> None:
        rules = await self._rules.get(order.organization_id)
        now = self._clock.now()
        move = Move(step=PurchaseStep.RELEASE, caller=caller, changes=released_changes(rules, now))
        async with self._database.unit() as unit:
            await take(unit, order, move, now)

    async def _end(self, caller: Caller, order: PurchaseOrderRecord, placed: Placed) -> PurchaseOrderRecord:
        now = self._clock.now()
        move = Move(
            step=PurchaseStep.PLACE,
            caller=caller,
            changes={"order_ids": placed.order_ids, "ordering_until": None, "remind_at": None},
        )
        told = order.requester_id != caller.user_id
        try:
            async with self._database.unit() as unit:
                mails = (
                    await requester_mails(unit, order, MailKind.ORDERED, now, configured=self._mails) if told else []
                )
                return await take(unit, order, move, now, mails)
        except PurchaseOrderMoved:
            # Another process went on from the same marker and came to the same orders.
            async with self._database.unit(write=False) as unit:
                found = await unit.purchase_orders.get(order.id)
            if found is None or found.state is not PurchaseState.ORDERED:
                raise
            return found
