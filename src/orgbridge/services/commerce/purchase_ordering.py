"""An approved purchase order becomes an order, exactly once.

The step to `ordering` is taken before anything is sent, and only one process at a time is at it. Whatever happens then,
the same marker leads back to what was done: a second try asks the placer again with the same `uuid`, and the placer
looks for it before it acts. Only a certain "nothing was ordered" leads back to `approved`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from orgbridge.kit.clock import Clock
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
from orgbridge.services.commerce.purchase_steps import Move, check_move, requester_mails, take
from orgbridge.services.scopes import Caller
from orgbridge.store.database import Database
from orgbridge.store.mail_records import MailKind
from orgbridge.store.purchase_order_records import PurchaseOrderRecord
from orgbridge.store.purchase_order_states import PurchaseState, PurchaseStep

#: Longer than a placement takes; whoever died within is followed after it.
_LEASE: Final = timedelta(minutes=5)


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
    ) -> None:
        self._database = database
        self._clock = clock
        self._rules = rules
        self._placer = placer
        self._mails = mail_configured

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
            placed = await self._placer.place(caller, order)
        except PlacementRefused as refused:
            await self._release(caller, order)
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
                if not await unit.purchase_orders.take_over(order.id, now, now + _LEASE, order.version):
                    left = (order.ordering_until or now) - now
                    raise OrderUnderWay(max(1.0, left.total_seconds()))
            return order
        move = Move(
            step=PurchaseStep.ORDER,
            caller=caller,
            expected=expected,
            changes={"ordering_until": now + _LEASE, "expires_at": None},
        )
        check_move(order, move)
        async with self._database.unit() as unit:
            return await take(unit, order, move, now)

    async def _release(self, caller: Caller, order: PurchaseOrderRecord) -> None:
        rules = await self._rules.get(order.organization_id)
        now = self._clock.now()
        changes = {"ordering_until": None, "expires_at": now + timedelta(days=rules.expires_days)}
        async with self._database.unit() as unit:
            await take(unit, order, Move(step=PurchaseStep.RELEASE, caller=caller, changes=changes), now)

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
