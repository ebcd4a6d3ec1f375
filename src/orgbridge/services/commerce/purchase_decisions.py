"""Decisions about purchase orders: by an approver who is signed in, over many at once, or by the link of a mail."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from orgbridge.kit.clock import Clock
from orgbridge.kit.errors import OrgbridgeError
from orgbridge.services.audit import AuditTrail, Outcome
from orgbridge.services.commerce.purchase_errors import LinkInvalid, LinkNotYours, PurchaseOrderNotFound
from orgbridge.services.commerce.purchase_orders import visible
from orgbridge.services.commerce.purchase_rules import PurchaseRules, check_decider
from orgbridge.services.commerce.purchase_steps import (
    Move,
    Via,
    audit_step,
    check_move,
    decided_changes,
    requester_mails,
    take,
)
from orgbridge.services.scopes import Caller, Scope
from orgbridge.store.database import Database
from orgbridge.store.mail_records import MailKind
from orgbridge.store.purchase_order_records import ApprovalLinkRecord, PurchaseOrderRecord
from orgbridge.store.purchase_order_states import PurchaseState, PurchaseStep

#: Longest token that is looked at; ours have 43 characters.
_MAX_TOKEN_CHARS = 200


def hash_of(token: str) -> str:
    """Return what the store keeps of a link's token."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What became of one order of many."""

    #: As the caller named it.
    key: str
    #: As it is now; None when it was refused.
    order: PurchaseOrderRecord | None
    #: Why it was refused.
    error: OrgbridgeError | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Linked:
    """What a link is about."""

    order: PurchaseOrderRecord
    #: Sign-in name of who may use it.
    approver: str


class PurchaseDecisions:
    """Approves and rejects."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        rules: PurchaseRules,
        trail: AuditTrail,
        *,
        mail_configured: bool = False,
    ) -> None:
        self._database = database
        self._clock = clock
        self._rules = rules
        self._trail = trail
        self._mails = mail_configured

    async def decide(
        self, caller: Caller, key: str, step: PurchaseStep, *, comment: str = "", expected: int | None = None
    ) -> PurchaseOrderRecord:
        """Approve or reject an order. Of two approvers at once, one decides and the other is told so.

        Raises:
            PurchaseOrderNotFound: There is none, or it is another organization's.
            PurchaseOrderMoved: It waits for no decision, or somebody else has just made it.
            PurchaseOrderStale: It has another version than `expected`.
            OwnPurchaseOrder: The caller asked for it.
            NotAnApprover: The caller is no approver of the organization.
            AmountBeyondLimit: It is beyond the caller's limit.
        """
        async with self._database.unit(write=False) as unit:
            order = await visible(unit, caller, key)
        return await self._decide(order, Move(step=step, caller=caller, comment=comment, expected=expected))

    async def decide_many(
        self, caller: Caller, keys: Sequence[str], step: PurchaseStep, *, comment: str = ""
    ) -> list[Decided]:
        """Decide about many orders, each for itself: one that is refused does not hold up the others."""
        results = []
        for key in dict.fromkeys(keys):
            order: PurchaseOrderRecord | None = None
            move = Move(step=step, caller=caller, via=Via.BULK, comment=comment)
            try:
                async with self._database.unit(write=False) as unit:
                    order = await visible(unit, caller, key)
                done = await self._decide(order, move)
            except OrgbridgeError as error:
                if order is not None:
                    await audit_step(self._trail, order, move, outcome=Outcome.REFUSED, code=error.code)
                results.append(Decided(key=key, order=None, error=error))
                continue
            await audit_step(self._trail, done, move)
            results.append(Decided(key=key, order=done, error=None))
        return results

    async def linked(self, token: str, caller: Caller | None = None) -> Linked:
        """Return what a link is about; nothing is done and nothing is used up.

        Args:
            token: Of the link.
            caller: Who is signed in besides, None for nobody.

        Raises:
            LinkInvalid: It is unknown, used, over, or its approver is gone.
            LinkNotYours: Somebody else is signed in than the one it was made for.
        """
        _, order, approver = await self._resolve(token, caller)
        return Linked(order=order, approver=approver.username)

    async def decide_by_link(
        self, token: str, step: PurchaseStep, *, comment: str = "", caller: Caller | None = None
    ) -> PurchaseOrderRecord:
        """Decide as the approver whom a link was made for, and use the link up.

        Raises:
            LinkInvalid: It is unknown, used, over, or its approver is gone.
            LinkNotYours: Somebody else is signed in than the one it was made for.
            PurchaseOrderMoved: It waits for no decision any more.
            ServiceError: The approver may not decide any more, as for `decide`.
        """
        link, order, approver = await self._resolve(token, caller)
        move = Move(step=step, caller=approver, via=Via.LINK, comment=comment)
        try:
            done = await self._decide(order, move, link=link)
        except OrgbridgeError as error:
            await audit_step(self._trail, order, move, outcome=Outcome.REFUSED, code=error.code)
            raise
        await audit_step(self._trail, done, move)
        return done

    async def _resolve(
        self, token: str, caller: Caller | None
    ) -> tuple[ApprovalLinkRecord, PurchaseOrderRecord, Caller]:
        if not 0 < len(token) <= _MAX_TOKEN_CHARS:
            raise LinkInvalid
        async with self._database.unit(write=False) as unit:
            link = await unit.approval_links.get(hash_of(token))
            order = await unit.purchase_orders.get(link.order_id) if link is not None else None
        if link is None or order is None or link.used_at is not None or link.expires_at <= self._clock.now():
            raise LinkInvalid
        if caller is not None and caller.user_id != link.user_id:
            raise LinkNotYours
        approver = await self._rules.caller_of(link.user_id)
        if approver is None or Scope.ORDERS_WRITE not in approver.scopes:
            raise LinkInvalid
        if order.organization_id not in approver.organizations:
            raise PurchaseOrderNotFound
        return link, order, approver

    async def _decide(
        self, order: PurchaseOrderRecord, move: Move, *, link: ApprovalLinkRecord | None = None
    ) -> PurchaseOrderRecord:
        assert move.caller is not None, "somebody decides"
        # Whoever may not decide is told so, whatever the state: the state says who else did.
        rules = await self._rules.get(order.organization_id)
        check_decider(rules, order, move.caller)
        state = check_move(order, move)
        now = self._clock.now()
        changes = decided_changes(rules, move.step, move.caller, now)
        made = Move(
            step=move.step,
            caller=move.caller,
            via=move.via,
            comment=move.comment,
            expected=move.expected,
            changes=changes,
        )
        kind = MailKind.APPROVED if state is PurchaseState.APPROVED else MailKind.REJECTED
        async with self._database.unit() as unit:
            if link is not None and not await unit.approval_links.use(link.token_hash, now):
                raise LinkInvalid
            mails = await requester_mails(unit, order, kind, now, configured=self._mails)
            return await take(unit, order, made, now, mails)
