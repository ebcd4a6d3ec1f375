"""Purchase orders: made of a cart or of given lines, seen by those of their organization, handed in and withdrawn.

Who sees one: everybody who is granted its organization. Anybody else is told that there is none.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from orgbridge.kit.clock import Clock
from orgbridge.kit.identifiers import new_identifier
from orgbridge.services.audit import AuditTrail
from orgbridge.services.commerce.change_audiences import announce_purchase
from orgbridge.services.commerce.purchase_errors import (
    CartUnavailable,
    NoApprover,
    NotTheRequester,
    PurchaseOrderNotFound,
)
from orgbridge.services.commerce.purchase_ports import PurchaseAccounts, PurchaseCarts
from orgbridge.services.commerce.purchase_rules import PurchaseRules, amount, check_organization, is_free, money
from orgbridge.services.commerce.purchase_steps import (
    Move,
    Via,
    audit_step,
    check_move,
    decided_changes,
    mail_to,
    pending_changes,
    take,
)
from orgbridge.services.commerce.purchase_tries import latest_try
from orgbridge.services.errors import InvalidRequest
from orgbridge.services.names import check_id
from orgbridge.services.scopes import Caller, Everything
from orgbridge.store.database import Database, Unit
from orgbridge.store.identity_records import Page
from orgbridge.store.mail_records import MailKind, MailRecord
from orgbridge.store.order_records import PlacementRecord
from orgbridge.store.purchase_order_records import (
    PurchaseCommentRecord,
    PurchaseFilter,
    PurchaseLine,
    PurchaseOrderRecord,
    StepRecord,
)
from orgbridge.store.purchase_order_states import PurchaseState, PurchaseStep

#: Lines of one order: as many as a cart takes. Source: facts/commerce/carts.md, cap of lines.
MAX_LINES: Final = 500
_MAX_QUANTITY: Final = Decimal(10) ** 9
_COMMENTS_SHOWN: Final = 200
_MAILS_SHOWN: Final = 100


class PurchaseView(StrEnum):
    """Whose purchase orders a list holds."""

    MINE = "mine"
    #: Those that the caller may decide about.
    TO_APPROVE = "to_approve"
    #: All of the caller's organizations.
    ORGANIZATION = "organization"


@dataclass(frozen=True, slots=True, kw_only=True)
class PurchaseDraft:
    """What a purchase order is to be made of."""

    #: The number that people know it by; empty makes one.
    number: str = ""
    #: Our id of the organization; None where the caller has only one.
    org_id: str | None = None
    #: Salesforce's id of the account; None for the caller's own, else the one mapped.
    account_id: str | None = None
    #: Given lines: `product_id` or `sku`, `quantity`, `unit_price`, `name`; None takes the caller's cart.
    lines: Sequence[dict[str, Any]] | None = None
    #: ISO 4217, of given lines.
    currency: str | None = None
    #: For whoever decides.
    note: str = ""
    #: To be decided soon.
    urgent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PurchaseDetail:
    """A purchase order with all that is known of it."""

    order: PurchaseOrderRecord
    #: Oldest first.
    steps: list[StepRecord]
    #: Oldest first, the last 200.
    comments: list[PurchaseCommentRecord]
    #: Newest first.
    mails: list[MailRecord]
    #: What is being ordered; None where nothing is, or nothing was begun yet.
    placement: PlacementRecord | None = None


class PurchaseOrderService:
    """Makes, shows, submits and cancels purchase orders."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        rules: PurchaseRules,
        trail: AuditTrail,
        *,
        accounts: PurchaseAccounts,
        carts: PurchaseCarts | None = None,
        mail_configured: bool = False,
    ) -> None:
        self._database = database
        self._clock = clock
        self._rules = rules
        self._trail = trail
        self._accounts = accounts
        self._carts = carts
        self._mails = mail_configured

    async def create(self, caller: Caller, draft: PurchaseDraft) -> PurchaseOrderRecord:
        """Make a draft of the caller's cart, or of given lines at given prices.

        Prices and stock are looked at again when it is ordered.

        Raises:
            InvalidRequest: Something in it cannot be; nothing was written.
            NameTaken: The number is in use in this organization; nothing was written.
            OrgbridgeError: The account or the cart cannot be told; nothing was written.
        """
        account = await self._accounts.resolve(caller, draft.org_id, draft.account_id)
        cart_id: str | None = None
        if draft.lines is None:
            if self._carts is None:
                raise CartUnavailable
            cart = await self._carts.snapshot(caller, account)
            lines, currency, cart_id = cart.lines, cart.currency, cart.cart_id
            total = cart.total if cart.total is not None else _sum(lines)
        else:
            lines, currency = (
                tuple(_line(number, line) for number, line in enumerate(draft.lines)),
                draft.currency or "",
            )
            total = _sum(lines)
        if not lines:
            raise InvalidRequest("There is nothing to buy: the cart, or the list of lines, is empty.")
        if len(lines) > MAX_LINES:
            raise InvalidRequest(f"A purchase order has {MAX_LINES} lines at most.")
        now = self._clock.now()
        identifier = new_identifier("po", now)
        order = PurchaseOrderRecord(
            id=identifier,
            uuid=str(uuid.uuid4()),
            number=draft.number.strip() or f"PO-{identifier[-16:].upper()}",
            organization_id=account.organization_id,
            account_id=account.account_id,
            requester_id=caller.user_id,
            requester_name=caller.username,
            currency=currency,
            total=total,
            lines=lines,
            cart_id=cart_id,
            note=draft.note,
            urgent=draft.urgent,
            created_at=now,
            updated_at=now,
        )
        first = StepRecord(
            order_id=identifier,
            version=1,
            step=None,
            state=PurchaseState.DRAFT,
            actor_id=caller.user_id,
            actor_name=caller.username,
            via=Via.API.value,
            comment="",
            at=now,
        )
        async with self._database.unit() as unit:
            await unit.purchase_orders.add(order, first)
            await announce_purchase(unit, order, None, now)
        return order

    async def get(self, caller: Caller, key: str) -> PurchaseOrderRecord:
        """Return an order by our id, its UUID or Salesforce's id.

        Raises:
            PurchaseOrderNotFound: There is none, or it is another organization's.
        """
        async with self._database.unit(write=False) as unit:
            return await visible(unit, caller, key)

    async def detail(self, caller: Caller, key: str) -> PurchaseDetail:
        """Return an order with its history, comments and mails.

        Raises:
            PurchaseOrderNotFound: There is none, or it is another organization's.
        """
        async with self._database.unit(write=False) as unit:
            order = await visible(unit, caller, key)
            under_way = order.state is PurchaseState.ORDERING
            return PurchaseDetail(
                order=order,
                placement=(await latest_try(unit, order)).record if under_way else None,
                steps=await unit.purchase_orders.steps(order.id),
                comments=await unit.purchase_orders.comments(order.id, _COMMENTS_SHOWN),
                mails=await unit.mails.of_order(order.id, _MAILS_SHOWN),
            )

    async def page(
        self,
        caller: Caller,
        view: PurchaseView,
        *,
        org_id: str | None = None,
        states: Sequence[PurchaseState] = (),
        number: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> Page[PurchaseOrderRecord]:
        """Return one page of purchase orders, newest first.

        Raises:
            OrganizationUnknown: There is no such organization.
            NotGranted: The caller has no grant for it.
            CursorInvalid: The cursor is not one of this list.
        """
        granted = caller.organizations
        organizations = None if isinstance(granted, Everything) else tuple(sorted(granted))
        async with self._database.unit(write=False) as unit:
            if org_id is not None:
                await check_organization(unit, caller, org_id)
                organizations = (org_id,)
            chosen = PurchaseFilter(
                organizations=organizations,
                requester_id=caller.user_id if view is PurchaseView.MINE else None,
                approver_id=caller.user_id if view is PurchaseView.TO_APPROVE else None,
                states=tuple(states),
                number=number,
                since=since,
                until=until,
            )
            return await unit.purchase_orders.page(chosen, cursor=cursor, limit=limit)

    async def comment(self, caller: Caller, key: str, text: str) -> PurchaseCommentRecord:
        """Say something about an order.

        Raises:
            PurchaseOrderNotFound: There is none, or it is another organization's.
            InvalidRequest: Nothing is said.
        """
        said = text.strip()
        if not said:
            raise InvalidRequest("text is empty.")
        now = self._clock.now()
        async with self._database.unit() as unit:
            order = await visible(unit, caller, key)
            comment = PurchaseCommentRecord(
                id=new_identifier("comment", now),
                order_id=order.id,
                author_id=caller.user_id,
                author_name=caller.username,
                text=said,
                created_at=now,
            )
            await unit.purchase_orders.add_comment(comment)
        return comment

    async def submit(
        self, caller: Caller, key: str, *, comment: str = "", expected: int | None = None
    ) -> PurchaseOrderRecord:
        """Hand a draft in: its approvers are told, or it is approved at once where the amount needs no approval.

        Raises:
            PurchaseOrderNotFound: There is none, or it is another organization's.
            NotTheRequester: Somebody else asked for it.
            PurchaseOrderMoved: It is no draft any more.
            NoApprover: Nobody may approve it; nothing was changed.
        """
        order = await self.get(caller, key)
        move = Move(step=PurchaseStep.SUBMIT, caller=caller, comment=comment, expected=expected)
        check_move(order, move)
        if order.requester_id != caller.user_id:
            raise NotTheRequester
        rules = await self._rules.get(order.organization_id)
        free = is_free(rules, order.total, order.currency)
        deciders = [] if free else await self._rules.deciders(rules, order)
        if not free and not deciders:
            raise NoApprover(
                f"Nobody but you may approve {money(order.total)} {order.currency} for this organization: an "
                "administrator names approvers, and raises their limits, in its rules. Nothing was changed."
            )
        now = self._clock.now()
        mails = [mail_to(order, MailKind.REQUEST, one.user_id, now, configured=self._mails) for one in deciders]
        move = Move(
            step=PurchaseStep.SUBMIT,
            caller=caller,
            comment=comment,
            expected=expected,
            changes=pending_changes(rules, now),
        )
        approval = Move(
            step=PurchaseStep.APPROVE,
            caller=None,
            via=Via.RULE,
            comment=f"Amounts up to {rules.free_up_to.get(order.currency, '')} {order.currency} need no approval.",
            changes=decided_changes(rules, PurchaseStep.APPROVE, None, now),
        )
        async with self._database.unit() as unit:
            order = await take(unit, order, move, now, mails)
            if free:
                order = await take(unit, order, approval, now)
        if free:
            await audit_step(self._trail, order, approval)
        return order

    async def cancel(
        self, caller: Caller, key: str, *, comment: str = "", expected: int | None = None
    ) -> PurchaseOrderRecord:
        """Withdraw an order that was not ordered yet: the requester, or an administrator.

        Raises:
            PurchaseOrderNotFound: There is none, or it is another organization's.
            NotTheRequester: Somebody else asked for it.
            PurchaseOrderMoved: It is ordered, or has ended.
        """
        order = await self.get(caller, key)
        if order.requester_id != caller.user_id and not caller.is_admin:
            raise NotTheRequester
        move = Move(
            step=PurchaseStep.CANCEL,
            caller=caller,
            comment=comment,
            expected=expected,
            changes={"expires_at": None, "remind_at": None},
        )
        async with self._database.unit() as unit:
            return await take(unit, order, move, self._clock.now())


async def visible(unit: Unit, caller: Caller, key: str) -> PurchaseOrderRecord:
    """Return an order that a caller may see.

    Raises:
        PurchaseOrderNotFound: There is none, or it is another organization's: the answer is the same.
    """
    order = await unit.purchase_orders.get(key)
    if order is None or order.organization_id not in caller.organizations:
        raise PurchaseOrderNotFound
    return order


def _sum(lines: Sequence[PurchaseLine]) -> Decimal:
    return sum((line.total for line in lines), Decimal(0))


def _line(number: int, given: dict[str, Any]) -> PurchaseLine:
    place = f"lines[{number}]"
    sku, product_id = str(given.get("sku") or "").strip(), str(given.get("product_id") or "").strip()
    if not sku and not product_id:
        raise InvalidRequest(f"{place} names no product: give product_id or sku.")
    quantity = amount(given.get("quantity"), f"{place}.quantity")
    if not 0 < quantity <= _MAX_QUANTITY:
        raise InvalidRequest(f"{place}.quantity must be more than 0 and at most {_MAX_QUANTITY:f}.")
    if given.get("unit_price") is None:
        raise InvalidRequest(f"{place} has no unit_price: the price that is to be approved.")
    price = amount(given["unit_price"], f"{place}.unit_price")
    return PurchaseLine(
        product_id=check_id(product_id) if product_id else "",
        sku=sku,
        name=str(given.get("name") or "").strip(),
        quantity=quantity,
        unit_price=price,
        total=quantity * price,
    )
