"""What comes into a cart from elsewhere: a guest's cart, another cart, an order; and for whom a caller may buy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar

from orgbridge.client.commerce.cart_values import OrderToCart
from orgbridge.client.errors import ClientError
from orgbridge.client.verdicts import outcome_unknown
from orgbridge.kit.errors import ErrorKind
from orgbridge.kit.json import JSON
from orgbridge.kit.notes import note as noted
from orgbridge.services.commerce.accounts import AccountService
from orgbridge.services.commerce.cart_batches import CartBatchService
from orgbridge.services.commerce.cart_desks import CartDesks, Desk, Reading, Whose
from orgbridge.services.commerce.cart_errors import CartMissing
from orgbridge.services.commerce.cart_rights import CART, LINE, CartRights, CartSight
from orgbridge.services.commerce.cart_views import cart_portrait, refused_item
from orgbridge.services.commerce.conditions import equal, select
from orgbridge.services.commerce.errors import CommerceError
from orgbridge.services.commerce.guest_carts import GuestCart, lines_of, take_over
from orgbridge.services.commerce.quick_orders import MAX_LINES, Merging, QuickLine, TooManyLines, plain
from orgbridge.services.commerce.refusals import refusals_told
from orgbridge.services.commerce.sights import Question, Row, Sight
from orgbridge.services.commerce.turns import Turns
from orgbridge.services.errors import InvalidRequest, OutcomeUnknown, SalesforceRefusal
from orgbridge.services.policies.model import Operation
from orgbridge.services.scopes import Caller, Scope
from orgbridge.wire.ids import to_18

_SUMMARY, _ORDER = "1Os", "801"
_TEMPLATE = "template"


class OrderMissing(CommerceError):
    """The account has no such order, or none that you may see."""

    code: ClassVar[str] = "cart.order_not_found"
    kind: ClassVar[ErrorKind] = ErrorKind.MISSING


class CartTransferService:
    """Brings lines from elsewhere into carts."""

    def __init__(
        self,
        desks: CartDesks,
        batches: CartBatchService,
        rights: CartRights,
        accounts: AccountService,
        rows: Sight,
        turns: Turns,
    ) -> None:
        self._desks = desks
        self._batches = batches
        self._rights = rights
        self._accounts = accounts
        self._rows = rows
        self._turns = turns

    async def merge(
        self,
        caller: Caller,
        whose: Whose,
        lines: Sequence[QuickLine],
        merging: Merging,
        guest_cart_id: str | None = None,
    ) -> dict[str, JSON]:
        """Take over what somebody had in a cart before signing in; the reply names the cart that counts from now on.

        Args:
            caller: Who signed in.
            whose: Which cart it goes into.
            lines: What was kept outside of Salesforce.
            merging: What a product counts that both hold.
            guest_cart_id: The cart in the store that the caller had as a guest.

        Raises:
            GuestCartMissing: There is no such cart of a guest; nothing was changed.
            OutcomeUnknown: Whether the guest's cart was taken over is not known.
            The same as `CartBatchService.add`.
        """
        await self._rights.change(caller, LINE, Operation.CREATE, ("Product2Id", "Quantity"))
        sight = await self._rights.read(caller)
        desk = await self._desks.open(caller, whose)
        async with self._turns.of(desk.key):
            if guest_cart_id is None:
                return await self._batches.add_at(desk, lines, sight, merging=merging)
            guest = GuestCart(cart_id=guest_cart_id, lines=lines, merging=merging)
            return await take_over(desk, self._desks, self._batches, sight, guest)

    async def clone(
        self, caller: Caller, whose: Whose, name: str | None, target_account_id: str | None
    ) -> dict[str, JSON]:
        """Copy the caller's cart into a further one, for the same or another account that the caller may buy for.

        A template becomes a cart that is only paid, by Salesforce's own action; any other cart becomes a secondary one
        whose prices are the target account's.

        Raises:
            CartMissing: There is no cart.
            OutcomeUnknown: Whether the further cart was made is not known.
            The same as `CartBatchService.add`.
        """
        await self._rights.change(caller, CART, Operation.CREATE)
        await self._rights.change(caller, LINE, Operation.CREATE, ("Product2Id", "Quantity"))
        sight = await self._rights.read(caller)
        desk = await self._desks.open(caller, whose)
        source = await self._desks.read(desk)
        if source.cart is None:
            raise CartMissing
        target = desk
        if target_account_id is not None:
            target = await self._desks.open(
                caller, Whose(account_id=target_account_id, webstore_id=desk.store.context.webstore_id)
            )
        is_template = (source.cart.type or "").lower() == _TEMPLATE
        async with self._turns.of(target.key):
            with refusals_told():
                try:
                    if is_template:
                        made = await desk.store.carts.clone(source.cart.cart_id, target.account.account_id)
                    else:
                        made = await target.store.carts.create(name=name or source.cart.name, is_secondary=True)
                except ClientError as error:
                    if not outcome_unknown(error):
                        raise
                    raise OutcomeUnknown(error, "the further cart was made") from error
            noted(ids=[source.cart.cart_id, made.cart_id])
            if is_template:
                after = await self._desks.read(target, made.cart_id)
                return {"results": [], "cart": cart_portrait(after, sight)}
            if not source.products:
                return {"results": [], "cart": cart_portrait(await self._desks.read(target, made.cart_id), sight)}
            return await self._batches.add_at(
                target, lines_of(source, self._desks.config.machine_field), sight, cart=made
            )

    async def reorder(self, caller: Caller, whose: Whose, order_id: str) -> dict[str, JSON]:
        """Put the products of an order of the account into the caller's cart; what does not get in is told.

        Args:
            caller: Who asks.
            whose: Which cart.
            order_id: Id of an Order or an OrderSummary.

        Raises:
            ScopeMissing: The caller may not see orders.
            OrderMissing: The account has no such order.
            OutcomeUnknown: Which products got in is not known.
            The same as `CartBatchService.add`.
        """
        caller.need(Scope.ORDERS_READ)
        found = to_18(order_id)
        if found is None or not found.startswith((_SUMMARY, _ORDER)):
            raise InvalidRequest("order_id is the id of an Order or an OrderSummary.")
        await self._rights.change(caller, LINE, Operation.CREATE, ("Product2Id", "Quantity"))
        sight = await self._rights.read(caller)
        desk = await self._desks.open(caller, whose)
        summary = await self._summary(caller, desk, found)
        async with self._turns.of(desk.key):
            if summary is None:
                lines = await self._ordered(caller, desk, found)
                return await self._batches.add_at(desk, lines, sight)
            cart, before = await self._desks.begun(desk)
            with refusals_told():
                done = await self._from_order(desk, cart.cart_id, summary, before)
            after = await self._desks.read(desk, done.cart_id or cart.cart_id)
        noted(succeeded=done.succeeded, failed=done.failed_count)
        return _reordered(done, after, sight)

    async def accounts(self, caller: Caller, whose: Whose) -> list[dict[str, JSON]]:
        """Return the accounts that the caller may buy for: those that Salesforce and the caller's grants both allow.

        Raises:
            The same as `CartDesks.open`.
        """
        desk = await self._desks.open(caller, whose, for_account=False)
        with refusals_told():
            managed = await desk.store.sessions.accounts()
        found: list[dict[str, JSON]] = []
        for one in managed:
            try:
                account = await self._accounts.resolve(caller, None, one.account_id)
            except CommerceError:
                continue
            found.append(
                {
                    "account_id": account.account_id,
                    "name": one.name,
                    "organization_id": account.organization_id,
                    "is_own": one.is_own,
                    "is_current": account.account_id == desk.account.account_id,
                }
            )
        return found

    async def _from_order(self, desk: Desk, cart_id: str, summary: str, before: Reading) -> OrderToCart:
        carts = desk.store.carts
        for last in (False, True):
            try:
                return await self._desks.edit(desk, cart_id, lambda: carts.add_order(summary, cart_id))
            except ClientError as error:
                if not outcome_unknown(error):
                    raise
                what = "the order's products are in the cart"
                try:
                    landed = await self._desks.landed(desk, cart_id, before.quantities(), {})
                except (ClientError, SalesforceRefusal) as unseen:
                    raise OutcomeUnknown(error, what) from unseen
                if landed is None or last:
                    raise OutcomeUnknown(error, what) from error
        raise AssertionError("the second try returns or raises")

    async def _summary(self, caller: Caller, desk: Desk, order_id: str) -> str | None:
        """Return the id of the order's summary; None for an order that has none.

        Raises:
            OrderMissing: The account has neither.
        """
        if order_id.startswith(_SUMMARY):
            if not await self._of_account(caller, desk, "OrderSummary", "Id", order_id):
                raise OrderMissing
            return order_id
        if not await self._of_account(caller, desk, "Order", "Id", order_id):
            raise OrderMissing
        found = await self._of_account(caller, desk, "OrderSummary", "OriginalOrderId", order_id)
        return str(found[0]["Id"]) if found else None

    async def _of_account(self, caller: Caller, desk: Desk, sobject: str, field: str, value: str) -> list[Row]:
        question = Question(
            query=select(sobject, ["Id"], where=equal(field, value), limit=1),
            own=equal("AccountId", desk.account.account_id),
        )
        return await self._rows.rows(caller, Scope.ORDERS_READ, question)

    async def _ordered(self, caller: Caller, desk: Desk, order_id: str) -> list[QuickLine]:
        question = Question(
            query=select(
                "OrderItem", ["Id", "Product2Id", "Quantity"], where=equal("OrderId", order_id), limit=MAX_LINES + 1
            ),
            own=equal("Order.AccountId", desk.account.account_id),
        )
        rows = [row for row in await self._rows.rows(caller, Scope.ORDERS_READ, question) if row.get("Product2Id")]
        if len(rows) > MAX_LINES:
            raise TooManyLines
        if not rows:
            raise OrderMissing("The order has no products that you may see.")
        return [
            QuickLine(number=number, product_id=str(row["Product2Id"]), quantity=_number(row))
            for number, row in enumerate(rows, start=1)
        ]


def _number(row: Mapping[str, Any]) -> str:
    return plain(Decimal(str(row.get("Quantity") or 0)))


def _reordered(done: OrderToCart, after: Reading, sight: CartSight) -> dict[str, JSON]:
    return {
        "dry_run": False,
        "lines": done.succeeded + done.failed_count,
        "succeeded": done.succeeded,
        "failed": done.failed_count,
        "results": [refused_item(one.product_id, one.sku, one.fault) for one in done.failed],
        "cart": cart_portrait(after, sight),
    }
