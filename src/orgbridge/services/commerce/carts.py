"""A caller's cart: read with settled totals, lines put in, changed and taken out, coupons.

Everything goes through the Connect API as the caller's own Salesforce user, so that prices, entitlements and quantity
rules apply; the mirror is written from what Salesforce answers.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from orgbridge.client.commerce.cart_values import CartLine, NewLine
from orgbridge.client.commerce.product_values import QuantityRule
from orgbridge.client.errors import ClientError, NotFound
from orgbridge.client.verdicts import outcome_unknown
from orgbridge.kit.json import JSON
from orgbridge.kit.notes import note as noted
from orgbridge.orgs.connections import Orgs
from orgbridge.services.commerce.cart_desks import CartDesks, Desk, Reading, Whose, check_open
from orgbridge.services.commerce.cart_errors import (
    CartMissing,
    LineMissing,
    MachineUnknown,
    OtherMachine,
    QuantityRefused,
)
from orgbridge.services.commerce.cart_rights import CART, LINE, CartRights
from orgbridge.services.commerce.cart_views import cart_portrait, coupon_portrait, line_portrait, lines_portrait
from orgbridge.services.commerce.conditions import equal, select
from orgbridge.services.commerce.quick_orders import against_rule
from orgbridge.services.commerce.refusals import refusals_told
from orgbridge.services.commerce.sights import Question, Sight
from orgbridge.services.commerce.turns import Turns
from orgbridge.services.errors import InvalidRequest, OutcomeUnknown, SalesforceRefusal
from orgbridge.services.policies.model import Operation
from orgbridge.services.scopes import Caller, Scope
from orgbridge.wire.ids import to_18

#: Version of the API from which Connect takes custom fields.
_CUSTOM_FIELDS_SINCE = 61
_PRODUCT, _ITEM, _COUPON, _ASSET = "01t", "0a9", "4r0", "02i"


class CartService:
    """The cart of a caller."""

    def __init__(self, desks: CartDesks, rights: CartRights, orgs: Orgs, turns: Turns) -> None:
        self._desks = desks
        self._rights = rights
        self._orgs = orgs
        self._turns = turns
        self._rows = Sight(orgs)

    @property
    def machine_field(self) -> str:
        """Field of CartItem that holds a line's machine, where the org has it."""
        return self._desks.config.machine_field

    # Reading

    async def cart(self, caller: Caller, whose: Whose) -> dict[str, JSON]:
        """Return the caller's cart with totals that count, or `pricing_pending`; an empty one when there is none.

        Raises:
            CommerceError: The caller may not act for the account, or it cannot be told.
            PolicyError: No role of the caller shows carts.
            SalesforceRefusal: See `refusals`.
            ClientError: Salesforce could not be asked.
        """
        sight = await self._rights.read(caller)
        desk = await self._desks.open(caller, whose)
        return cart_portrait(await self._desks.read(desk), sight)

    async def lines(self, caller: Caller, whose: Whose) -> dict[str, JSON]:
        """Return all lines of the caller's cart.

        Raises:
            The same as `cart`.
        """
        sight = await self._rights.read(caller)
        desk = await self._desks.open(caller, whose)
        return lines_portrait(await self._desks.read(desk), sight, self.machine_field)

    # Lines

    async def add(
        self,
        caller: Caller,
        whose: Whose,
        product_id: str,
        quantity: Decimal,
        *,
        machine_id: str | None = None,
        note: str | None = None,
    ) -> dict[str, JSON]:
        """Put a product into the caller's cart, which is begun when there is none, and return its line.

        A call whose reply was lost is looked for before it is made again; what cannot be told is told as that.

        Raises:
            InvalidRequest: An id is none; nothing was sent.
            QuantityRefused: The product's rule does not take the quantity that the cart would hold; nothing was sent.
            OtherMachine: The line of the product is for another machine; nothing was sent.
            MachineUnknown: The account has no such machine; nothing was sent.
            CartClosed: An order is being made of the cart; nothing was sent.
            OutcomeUnknown: Whether it is in the cart is not known.
            The same as `cart`.
        """
        product = checked_id(product_id, _PRODUCT, "productId")
        machine = checked_id(machine_id, _ASSET, "machine_id") if machine_id is not None else None
        await self._rights.change(caller, LINE, Operation.CREATE, ("Product2Id", "Quantity"))
        sight = await self._rights.read(caller)
        desk = await self._desks.open(caller, whose)
        if machine is not None:
            await self.check_machine(caller, desk, machine)
        async with self._turns.of(desk.key):
            cart, before = await self._desks.begun(desk)
            there = [line for line in before.products if line.product_id == product]
            await self._check_addition(desk, before, there, product, quantity, machine)
            values = await self.machine_values(desk, machine)
            new = NewLine(product_id=product, quantity=quantity, custom_fields=values)
            with refusals_told():
                await self._put(desk, cart.cart_id, new, before)
            after = await self._desks.read(desk, cart.cart_id)
            line = _line_of(after, before, product)
            if line.item_id is not None and (machine is not None or note is not None):
                known = before.ours.get(line.item_id, (None, None))
                ours = {**after.ours, line.item_id: (machine or known[0], note or known[1])}
                after = replace(after, ours=ours)
                await self._desks.keep(desk, after, ours)
        noted(ids=[one for one in (cart.cart_id, line.item_id, product) if one])
        return line_portrait(line, after, sight, self.machine_field)

    async def change(self, caller: Caller, whose: Whose, item_id: str, quantity: Decimal) -> None:
        """Set the quantity of a line of the caller's cart.

        Raises:
            LineMissing: The caller's cart has no such line; nothing was changed.
            QuantityRefused: The product's rule does not take it; nothing was changed.
            CartClosed: An order is being made of the cart; nothing was changed.
            The same as `cart`.
        """
        item = checked_id(item_id, _ITEM, "cart_item_id")
        await self._rights.change(caller, LINE, Operation.UPDATE, ("Quantity",))
        desk = await self._desks.open(caller, whose)
        async with self._turns.of(desk.key):
            cart_id, line = await self._own_line(desk, item)
            check_quantity(quantity, line.rule)
            with refusals_told(), _line_may_be_gone():
                await self._desks.edit(desk, cart_id, lambda: desk.store.carts.change_line(cart_id, item, quantity))
            await self._desks.read(desk, cart_id)

    async def remove(self, caller: Caller, whose: Whose, item_id: str) -> None:
        """Take a line out of the caller's cart.

        Raises:
            LineMissing: The caller's cart has no such line.
            CartClosed: An order is being made of the cart; nothing was changed.
            The same as `cart`.
        """
        item = checked_id(item_id, _ITEM, "cart_item_id")
        await self._rights.change(caller, LINE, Operation.DELETE)
        desk = await self._desks.open(caller, whose)
        async with self._turns.of(desk.key):
            cart_id, _ = await self._own_line(desk, item)
            with refusals_told(), _line_may_be_gone():
                await self._desks.edit(desk, cart_id, lambda: desk.store.carts.remove_line(cart_id, item))
            await self._desks.read(desk, cart_id)

    async def delete(self, caller: Caller, whose: Whose) -> None:
        """Delete the caller's cart with all lines.

        Raises:
            CartMissing: There is none.
            CartClosed: An order is being made of it; nothing was changed.
            The same as `cart`.
        """
        await self._rights.change(caller, CART, Operation.DELETE)
        desk = await self._desks.open(caller, whose)
        async with self._turns.of(desk.key):
            with refusals_told():
                cart = await desk.store.carts.settled("current", self._desks.config.patience)
            if cart is None:
                raise CartMissing
            check_open(cart)
            noted(ids=[cart.cart_id])
            with refusals_told():
                await self._desks.edit(desk, cart.cart_id, lambda: desk.store.carts.delete(cart.cart_id))
            await self._desks.mirror.drop(cart.cart_id)

    # Coupons

    async def add_coupon(self, caller: Caller, whose: Whose, code: str) -> list[dict[str, JSON]]:
        """Put a coupon on the caller's cart and return all coupons of it.

        Raises:
            CartMissing: There is no cart.
            RefusedValue: Salesforce does not take the coupon; its own code says why.
            OutcomeUnknown: Whether it is on the cart is not known.
            The same as `cart`.
        """
        await self._rights.change(caller, CART, Operation.UPDATE)
        desk = await self._desks.open(caller, whose)
        async with self._turns.of(desk.key):
            cart_id = await self._own_cart(desk)
            carts = desk.store.carts
            with refusals_told():
                try:
                    coupons = await self._desks.edit(desk, cart_id, lambda: carts.add_coupon(cart_id, code))
                except ClientError as error:
                    if not outcome_unknown(error):
                        raise
                    # A coupon can be on a cart once: what is there now is what the lost call wanted, whoever did it.
                    coupons = await carts.coupons(cart_id)
                    if not any(one.code.casefold() == code.casefold() for one in coupons):
                        raise OutcomeUnknown(error, "the coupon is on the cart") from error
            await self._desks.read(desk, cart_id)
        return [coupon_portrait(one) for one in coupons]

    async def remove_coupon(self, caller: Caller, whose: Whose, coupon: str) -> None:
        """Take a coupon off the caller's cart.

        Args:
            caller: Who asks.
            whose: Which cart.
            coupon: Its code, or the id of its place on the cart.

        Raises:
            CartMissing: There is no cart.
            LineMissing: There is no such coupon on it.
            The same as `cart`.
        """
        await self._rights.change(caller, CART, Operation.UPDATE)
        desk = await self._desks.open(caller, whose)
        async with self._turns.of(desk.key):
            cart_id = await self._own_cart(desk)
            carts = desk.store.carts
            with refusals_told():
                found = next(
                    (
                        one
                        for one in await carts.coupons(cart_id)
                        if one.code.casefold() == coupon.casefold() or one.coupon_id == to_18(coupon)
                    ),
                    None,
                )
                if found is None:
                    raise LineMissing("Your cart has no such coupon.")
                coupon_id = found.coupon_id
                await self._desks.edit(desk, cart_id, lambda: carts.remove_coupon(cart_id, coupon_id))
            await self._desks.read(desk, cart_id)

    # Shared with batches

    async def check_machine(self, caller: Caller, desk: Desk, machine_id: str) -> None:
        """See that a machine belongs to the account that is bought for.

        Raises:
            MachineUnknown: It does not, or the caller may not see it.
            ClientError: Salesforce could not be asked.
        """
        question = Question(
            query=select("Asset", ["Id"], where=equal("Id", machine_id), limit=1),
            own=equal("AccountId", desk.account.account_id),
        )
        if not await self._rows.rows(caller, Scope.CARTS_WRITE, question):
            raise MachineUnknown

    async def machine_values(self, desk: Desk, machine_id: str | None) -> dict[str, JSON]:
        """Return the custom field of a line that tells its machine; none where the org has no such field.

        Raises:
            ClientError: Salesforce could not be asked.
        """
        name = self.machine_field
        if machine_id is None or desk.store.carts.version < _CUSTOM_FIELDS_SINCE:
            return {}
        return {name: machine_id} if name in await self._orgs.get().describe(LINE) else {}

    async def _put(self, desk: Desk, cart_id: str, new: NewLine, before: Reading) -> None:
        carts = desk.store.carts
        for last in (False, True):
            try:
                await self._desks.edit(desk, cart_id, lambda: carts.add(cart_id, new))
                return
            except ClientError as error:
                if not outcome_unknown(error):
                    raise
                what = "the product is in the cart"
                try:
                    landed = await self._desks.landed(
                        desk, cart_id, before.quantities(), {new.product_id: new.quantity}
                    )
                except (ClientError, SalesforceRefusal) as unseen:
                    raise OutcomeUnknown(error, what) from unseen
                if landed:
                    return
                if landed is None or last:
                    raise OutcomeUnknown(error, what) from error

    async def _check_addition(
        self, desk: Desk, before: Reading, there: list[CartLine], product: str, quantity: Decimal, machine: str | None
    ) -> None:
        if any(before.machine_of(line, self.machine_field) != machine for line in there):
            raise OtherMachine
        with refusals_told():
            rule = (await desk.store.products.get(product)).rule
        held = sum((line.quantity for line in there), Decimal(0))
        check_quantity(held + quantity, rule, held)

    async def _own_cart(self, desk: Desk) -> str:
        with refusals_told():
            cart = await desk.store.carts.settled("current", self._desks.config.patience)
        if cart is None:
            raise CartMissing
        check_open(cart)
        noted(ids=[cart.cart_id])
        return cart.cart_id

    async def _own_line(self, desk: Desk, item_id: str) -> tuple[str, CartLine]:
        reading = await self._desks.read(desk)
        if reading.cart is None:
            raise CartMissing
        check_open(reading.cart)
        noted(ids=[reading.cart.cart_id, item_id])
        line = reading.line(item_id)
        if line is None:
            raise LineMissing
        return reading.cart.cart_id, line


class _line_may_be_gone:  # noqa: N801 used as a statement, like `contextlib.suppress`
    """Tells a line that went while we looked as missing."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, NotFound):
            raise LineMissing from error


def checked_id(text: str, prefix: str, name: str) -> str:
    """Return an id of 18 characters.

    Raises:
        InvalidRequest: It is none, or one of another object.
    """
    found = to_18(text)
    if found is None or not found.startswith(prefix):
        raise InvalidRequest(f"{name} is no such id: it has 15 or 18 characters and begins with {prefix}.")
    return found


def check_quantity(quantity: Decimal, rule: QuantityRule | None, held: Decimal = Decimal(0)) -> None:
    """See that a product may be bought in a quantity.

    Raises:
        QuantityRefused: It may not.
    """
    wrong = against_rule(quantity, rule)
    if wrong is not None:
        state, message = wrong
        more = f" The cart holds {held.normalize():f} of it already." if held else ""
        raise QuantityRefused(
            f"{message}{more}", details=[{"field": "quantity", "code": state.value, "message": message}]
        )


def _line_of(after: Reading, before: Reading, product_id: str) -> CartLine:
    """Return the line that an addition made or changed; one without an id when Salesforce does not tell it yet."""
    found = [line for line in after.products if line.product_id == product_id]
    known = {line.item_id: line.quantity for line in before.products}
    changed = [line for line in found if known.get(line.item_id) != line.quantity]
    if changed or found:
        return (changed or found)[-1]
    cart_id = after.cart.cart_id if after.cart is not None else None
    return CartLine(item_id=None, cart_id=cart_id, product_id=product_id, quantity=Decimal(0))
