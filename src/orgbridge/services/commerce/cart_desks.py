"""A caller's cart, opened: the account resolved, the store signed in to, the cart read and settled.

What every use-case of carts does the same way is here: waiting for what Salesforce computes, repeating what it refused
while it computed, and looking what happened when a reply was lost.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import TypeVar

from orgbridge.client import Patience, Store
from orgbridge.client.commerce.cart_values import Cart, CartLine, CartLines
from orgbridge.client.commerce.carts import CURRENT
from orgbridge.client.commerce.resources import UNPROCESSABLE
from orgbridge.client.errors import CheckoutConflict, SalesforceError
from orgbridge.kit.clock import Clock
from orgbridge.kit.notes import note
from orgbridge.services.commerce.accounts import AccountService, BuyerAccount
from orgbridge.services.commerce.cart_errors import CartClosed
from orgbridge.services.commerce.cart_mirror import CartMirror
from orgbridge.services.commerce.refusals import refusals_told
from orgbridge.services.commerce.shops import Shops
from orgbridge.services.scopes import Caller

_T = TypeVar("_T")
#: How often a call that met a change under it is repeated after looking. Source: needs.md section 1 need 4.
_CONFLICTS = 3
_CLOSED = frozenset({"pendingclosed", "closed", "pendingdelete"})
_FIELDS = ("Name", "StockKeepingUnit", "ProductCode")


@dataclass(frozen=True, slots=True, kw_only=True)
class CartConfig:
    """How carts are handled."""

    #: How long one call waits for totals.
    patience: Patience = field(default_factory=lambda: Patience(seconds=8.0))
    #: How long is looked for what a lost call may still be doing.
    lookup: Patience = field(default_factory=lambda: Patience(seconds=3.0, first=0.3, longest=1.0))
    #: Text field of CartItem that takes the machine of a line, where the org has it.
    machine_field: str = "Asset_Id__c"


@dataclass(frozen=True, slots=True, kw_only=True)
class Whose:
    """Which cart a caller means."""

    #: The account of Salesforce; None for the caller's own, else the mapped one.
    account_id: str | None = None
    #: Our organization; None to tell it.
    organization_id: str | None = None
    #: The webstore; None to tell it.
    webstore_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Where a caller's cart is dealt with."""

    caller: Caller
    account: BuyerAccount
    store: Store

    @property
    def key(self) -> tuple[str, str, str]:
        """Tells the cart."""
        return (self.caller.sf_username or "", self.account.account_id, self.store.context.webstore_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A cart as Salesforce told it."""

    #: None when there is none.
    cart: Cart | None
    #: All of them.
    told: CartLines
    #: True when Salesforce still computes: amounts do not count.
    pending: bool
    #: When it was asked.
    seen_at: datetime
    #: By line: the machine and the note that are known here.
    ours: Mapping[str, tuple[str | None, str | None]] = field(default_factory=dict)

    @property
    def products(self) -> tuple[CartLine, ...]:
        """The lines that the buyer put there."""
        return tuple(line for line in self.told.lines if line.is_product)

    def quantities(self) -> dict[str, Decimal]:
        """Return how much of each product there is."""
        found: dict[str, Decimal] = {}
        for line in self.products:
            if line.product_id is not None:
                found[line.product_id] = found.get(line.product_id, Decimal(0)) + line.quantity
        return found

    def line(self, item_id: str) -> CartLine | None:
        """Return a line."""
        return next((line for line in self.products if line.item_id == item_id), None)

    def machine_of(self, line: CartLine, machine_field: str) -> str | None:
        """Return the machine that a line is for: as Salesforce has it, else as it is known here."""
        told = line.custom_fields.get(machine_field)
        return str(told) if told else self.ours.get(line.item_id or "", (None, None))[0]


class CartDesks:
    """Opens carts of callers."""

    def __init__(
        self, shops: Shops, accounts: AccountService, mirror: CartMirror, clock: Clock, config: CartConfig
    ) -> None:
        self.config = config
        self.mirror = mirror
        self._shops = shops
        self._accounts = accounts
        self._clock = clock

    async def open(self, caller: Caller, whose: Whose, *, for_account: bool = True) -> Desk:
        """Return where the cart is dealt with; nothing of the cart was asked yet.

        Args:
            caller: Who asks.
            whose: Which cart.
            for_account: False to ask about the user alone, whatever the account.

        Raises:
            CommerceError: The caller may not act for the account, or it cannot be told.
            NoBuyer: The caller has no Salesforce user.
            StoreUnknown: It cannot be told which store is meant.
            SalesforceRefusal: Salesforce does not let the user in.
            ClientError: Salesforce could not be asked.
        """
        account = await self._accounts.resolve(caller, whose.organization_id, whose.account_id)
        store = await self._shops.store(caller, account.account_id, whose.webstore_id, for_account=for_account)
        return Desk(caller=caller, account=account, store=store)

    async def read(self, desk: Desk, cart: str = CURRENT, *, patience: Patience | None = None) -> Reading:
        """Return a cart with all lines, after waiting until its totals count or the time is over; and mirror it.

        Raises:
            SalesforceRefusal: See `refusals`.
            ClientError: Salesforce could not be asked.
        """
        seen_at = self.mirror.now()
        with refusals_told():
            asked = await desk.store.carts.lines(
                cart, patience or self.config.patience, product_fields=_FIELDS, extras=True
            )
        told = asked.value or CartLines(lines=(), cart=None)
        head = told.cart
        if head is None and told.lines:
            with refusals_told():
                head = await desk.store.carts.find(cart)
        if head is None:
            return Reading(cart=None, told=told, pending=asked.pending, seen_at=seen_at)
        note(ids=[head.cart_id])
        known = await self.mirror.known(head.cart_id)
        ours = {line.item_id: (line.machine_id, line.note) for line in known.lines} if known is not None else {}
        reading = Reading(cart=head, told=told, pending=asked.pending, seen_at=seen_at, ours=ours)
        await self.keep(desk, reading)
        return reading

    async def keep(
        self, desk: Desk, reading: Reading, ours: Mapping[str, tuple[str | None, str | None]] | None = None
    ) -> None:
        """Mirror what was read, with what the caller said about lines."""
        if reading.cart is not None:
            await self.mirror.keep(
                desk.caller.user_id,
                desk.account.account_id,
                desk.store.context.webstore_id,
                reading.cart,
                reading.told.lines,
                seen_at=reading.seen_at,
                pending=reading.pending,
                ours=ours,
            )

    async def begun(self, desk: Desk) -> tuple[Cart, Reading]:
        """Return the caller's cart for a change, made when there is none, with what is in it.

        Raises:
            CartClosed: An order is being made of it.
            SalesforceRefusal: See `refusals`.
            ClientError: Salesforce could not be asked.
        """
        reading = await self.read(desk)
        if reading.cart is not None:
            check_open(reading.cart)
            return reading.cart, reading
        with refusals_told():
            return await desk.store.carts.ensure(), reading

    async def edit(self, desk: Desk, cart_id: str, do: Callable[[], Awaitable[_T]]) -> _T:
        """Make a change; what Salesforce refuses because it computes, or because something changed, is made again.

        Both refusals say that nothing was done. Between two tries the cart is read, as Salesforce wants it.

        Raises:
            ClientError: It was refused otherwise, or for longer than is waited, or its outcome is not known.
        """
        until, conflicts = self._clock.monotonic() + self.config.patience.seconds, 0
        while True:
            try:
                return await do()
            except CheckoutConflict:
                conflicts += 1
                if conflicts >= _CONFLICTS:
                    raise
            except SalesforceError as error:
                if error.status != UNPROCESSABLE or self._clock.monotonic() >= until:
                    raise
                await self._clock.sleep(min(error.retry_after or 0.2, max(0.0, until - self._clock.monotonic())))
            await desk.store.carts.find(cart_id)

    async def landed(
        self, desk: Desk, cart_id: str, before: Mapping[str, Decimal], added: Mapping[str, Decimal]
    ) -> bool | None:
        """Look whether products were added by a call whose reply was lost.

        Args:
            desk: Whose cart.
            cart_id: The cart.
            before: What was in it.
            added: What was to be added.

        Returns:
            True when exactly that was added, False when nothing changed for as long as is looked, None when something
            else did: then nobody can tell.

        Raises:
            ClientError: Salesforce could not be asked.
        """
        lookup = self.config.lookup
        until, pause = self._clock.monotonic() + lookup.seconds, lookup.first
        while True:
            reading = await self.read(desk, cart_id)
            now = reading.quantities()
            changes = {
                product: now.get(product, Decimal(0)) - before.get(product, Decimal(0))
                for product in {*now, *before}
                if now.get(product, Decimal(0)) != before.get(product, Decimal(0))
            }
            if changes:
                return True if changes == dict(added) else None
            if self._clock.monotonic() >= until:
                return False
            await self._clock.sleep(pause)
            pause = min(pause * 2, lookup.longest)


def check_open(cart: Cart) -> None:
    """See that a cart takes changes.

    Raises:
        CartClosed: An order is being made of it, or was.
    """
    if cart.status.lower() in _CLOSED:
        raise CartClosed
