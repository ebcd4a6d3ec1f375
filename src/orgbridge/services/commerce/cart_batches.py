"""Quick orders into a caller's cart: all lines checked first, sent by the hundred, each told what became of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from orgbridge.client.commerce.cart_values import BatchOutcome, Cart, CartLine, NewLine
from orgbridge.client.commerce.carts import BATCH_LINES
from orgbridge.client.commerce.product_values import Product
from orgbridge.client.commerce.products import LISTED_PRODUCTS
from orgbridge.client.errors import AccessRefused, ClientError
from orgbridge.client.verdicts import error_class, outcome_unknown
from orgbridge.kit.json import JSON
from orgbridge.kit.notes import note as noted
from orgbridge.services.commerce.cart_desks import CartDesks, Desk, Reading, Whose
from orgbridge.services.commerce.cart_errors import MachineUnknown
from orgbridge.services.commerce.cart_rights import LINE, CartRights, CartSight
from orgbridge.services.commerce.cart_views import cart_portrait, outcome_portrait
from orgbridge.services.commerce.carts import CartService
from orgbridge.services.commerce.quick_orders import (
    LineOutcome,
    LineState,
    Merging,
    Plan,
    Planned,
    QuickLine,
    key_of,
    plan,
)
from orgbridge.services.commerce.refusals import refusal_of, refusals_told
from orgbridge.services.commerce.turns import Turns
from orgbridge.services.errors import SalesforceRefusal
from orgbridge.services.policies.model import Operation
from orgbridge.services.scopes import Caller
from orgbridge.wire.ids import to_18


class CartBatchService:
    """Many lines at once."""

    def __init__(self, desks: CartDesks, carts: CartService, rights: CartRights, turns: Turns) -> None:
        self._desks = desks
        self._carts = carts
        self._rights = rights
        self._turns = turns

    async def add(
        self, caller: Caller, whose: Whose, lines: Sequence[QuickLine], *, dry_run: bool = False
    ) -> dict[str, JSON]:
        """Put lines into the caller's cart and return what became of each, in their order.

        Every line is checked before any is sent: known, entitled, within the product's quantity rule together with what
        the cart holds. What fails is told for its line; the others are sent.

        Args:
            caller: Who asks.
            whose: Which cart.
            lines: Theirs, numbered from 1.
            dry_run: Check only; nothing is sent.

        Raises:
            CartClosed: An order is being made of the cart; nothing was sent.
            CommerceError: The caller may not act for the account, or it cannot be told.
            PolicyError: No role of the caller allows it.
            SalesforceRefusal: See `refusals`; nothing was sent.
            ClientError: Salesforce could not be asked; nothing was sent.
        """
        await self._rights.change(caller, LINE, Operation.CREATE, ("Product2Id", "Quantity"))
        sight = await self._rights.read(caller)
        desk = await self._desks.open(caller, whose)
        async with self._turns.of(desk.key):
            return await self.add_at(desk, lines, sight, dry_run=dry_run)

    async def add_at(
        self,
        desk: Desk,
        lines: Sequence[QuickLine],
        sight: CartSight,
        *,
        dry_run: bool = False,
        merging: Merging = Merging.ADD,
        cart: Cart | None = None,
    ) -> dict[str, JSON]:
        """Put lines into a cart whose turn the caller has; see `add`.

        Args:
            desk: Whose cart.
            lines: Numbered from 1.
            sight: What the caller sees.
            dry_run: Check only.
            merging: What a line means whose product the cart holds already.
            cart: Which cart; None for the caller's current one.
        """
        products = await self._products(desk, lines)
        machines = await self._machines(desk, lines)
        cart_id: str | None = None
        if cart is not None:
            before, cart_id = await self._desks.read(desk, cart.cart_id), cart.cart_id
        elif dry_run:
            before = await self._desks.read(desk)
        else:
            begun, before = await self._desks.begun(desk)
            cart_id = begun.cart_id
        todo, decided = self._planned(lines, products, machines, before, merging)
        after = before
        if cart_id is not None and todo.planned:
            decided |= await self._send(desk, cart_id, todo.planned, before, lines)
            after = await self._desks.read(desk, cart_id)
            after = await self._remembered(desk, after, todo.planned, decided)
        elif dry_run:
            decided |= {
                item.number: _outcome(lines, item, LineState.ADDED, "It would be added.") for item in todo.planned
            }
        return _result(lines, decided, after, sight, dry_run=dry_run)

    def _planned(
        self,
        lines: Sequence[QuickLine],
        products: Mapping[str, Product | LineState],
        machines: frozenset[str],
        before: Reading,
        merging: Merging,
    ) -> tuple[Plan, dict[int, LineOutcome]]:
        strangers = {
            line.number: LineOutcome(
                line=line, state=LineState.INVALID, message=MachineUnknown.__doc__ or "There is no such machine."
            )
            for line in lines
            if line.machine_id and (found := to_18(line.machine_id)) is not None and found not in machines
        }
        in_cart: dict[str, tuple[Decimal, str | None]] = {}
        for line in before.products:
            if line.product_id is not None:
                held = in_cart.get(line.product_id, (Decimal(0), None))[0]
                machine = before.machine_of(line, self._carts.machine_field)
                in_cart[line.product_id] = (held + line.quantity, machine)
        todo = plan([line for line in lines if line.number not in strangers], products, in_cart, merging)
        return todo, {**todo.decided, **strangers}

    async def _products(self, desk: Desk, lines: Sequence[QuickLine]) -> dict[str, Product | LineState]:
        """Return the products that lines name, or why there are none, as Salesforce tells this buyer."""
        found: dict[str, Product | LineState] = {}
        keys = list(dict.fromkeys(key for line in lines if (key := key_of(line)) is not None))
        askable = [key for key in keys if key[:4] == "sku:" and "," not in key and key.isprintable()]
        ids = [key for key in keys if key[:3] == "id:"]
        with refusals_told():
            for start in range(0, len(ids), LISTED_PRODUCTS):
                chunk = [key[3:] for key in ids[start : start + LISTED_PRODUCTS]]
                for one in await desk.store.products.by_ids(chunk):
                    if one.product_id is not None:
                        found[f"id:{one.product_id}"] = one.product or _why(one.fault)
            for start in range(0, len(askable), LISTED_PRODUCTS):
                asked = [key[4:] for key in askable[start : start + LISTED_PRODUCTS]]
                told = {one.sku: one.product or _why(one.fault) for one in await desk.store.products.by_skus(asked)}
                # Salesforce may know SKUs in another case than they were asked for; the exact one comes first.
                alike = {sku.casefold(): what for sku, what in told.items() if sku is not None}
                for sku in asked:
                    if sku in told or sku.casefold() in alike:
                        found[f"sku:{sku}"] = told.get(sku) or alike[sku.casefold()]
            await self._rules(desk, found)
        return found

    async def _rules(self, desk: Desk, found: dict[str, Product | LineState]) -> None:
        """Ask for quantity rules one by one where the list does not tell them."""
        if desk.store.products.version >= 63:
            return
        for key, product in list(found.items()):
            if isinstance(product, Product):
                found[key] = await desk.store.products.get(product.product_id)

    async def _machines(self, desk: Desk, lines: Sequence[QuickLine]) -> frozenset[str]:
        known: set[str] = set()
        named = {found for line in lines if line.machine_id and (found := to_18(line.machine_id)) is not None}
        for machine_id in sorted(named):
            try:
                await self._carts.check_machine(desk.caller, desk, machine_id)
            except MachineUnknown:
                continue
            known.add(machine_id)
        return frozenset(known)

    async def _send(
        self, desk: Desk, cart_id: str, planned: Sequence[Planned], before: Reading, lines: Sequence[QuickLine]
    ) -> dict[int, LineOutcome]:
        """Send what is planned, a hundred at a time. Nothing raises: what went wrong is told with the lines."""
        done: dict[int, LineOutcome] = {}
        held = before.quantities()
        for start in range(0, len(planned), BATCH_LINES):
            chunk = planned[start : start + BATCH_LINES]
            new = [
                NewLine(
                    product_id=item.product_id,
                    quantity=item.quantity,
                    custom_fields=await self._carts.machine_values(desk, item.machine_id),
                )
                for item in chunk
            ]
            outcomes, stop = await self._chunk(desk, cart_id, new, held)
            for item, (state, message, code, line) in zip(chunk, outcomes, strict=True):
                one = _outcome(lines, item, state, message)
                done[item.number] = replace(one, upstream_code=code, item_id=line.item_id if line is not None else None)
                if state is LineState.ADDED:
                    held[item.product_id] = held.get(item.product_id, Decimal(0)) + item.quantity
            if stop:
                rest = "Not sent, because what became of the lines before it is not known or Salesforce takes no more."
                done |= {
                    item.number: _outcome(lines, item, LineState.NOT_SENT, rest)
                    for item in planned[start + len(chunk) :]
                }
                break
        return done

    async def _chunk(
        self, desk: Desk, cart_id: str, new: Sequence[NewLine], held: Mapping[str, Decimal]
    ) -> tuple[list[_Told], bool]:
        carts = desk.store.carts
        for last in (False, True):
            try:
                told = await self._desks.edit(desk, cart_id, lambda: carts.add_many(cart_id, new))
                return [_told(one) for one in told], False
            except ClientError as error:
                if not outcome_unknown(error):
                    return [(LineState.REFUSED, _words(error), _code(error), None)] * len(new), True
                landed = await self._landed(desk, cart_id, new, held)
                if landed is not None and (any(landed) or last):
                    # Some are there: the call was carried out, and those that are not were refused in it.
                    lost = (LineState.UNCERTAIN, "Salesforce's answer was lost, and it is not in the cart.", None, None)
                    there = (LineState.ADDED, "", None, None)
                    return [there if one else lost for one in landed], not any(landed)
                if landed is None or last:
                    words = f"Whether it is in the cart is not known: {error.message}"
                    return [(LineState.UNCERTAIN, words, None, None)] * len(new), True
        raise AssertionError("the second try returns")

    async def _landed(
        self, desk: Desk, cart_id: str, new: Sequence[NewLine], held: Mapping[str, Decimal]
    ) -> list[bool] | None:
        """Return which lines of a lost call are in the cart; None when that cannot be told."""
        wanted = {line.product_id: line.quantity for line in new}
        try:
            whole = await self._desks.landed(desk, cart_id, held, wanted)
            if whole is not None:
                return [whole] * len(new)
            now = (await self._desks.read(desk, cart_id)).quantities()
        except (ClientError, SalesforceRefusal):
            return None
        changes = {product: now.get(product, Decimal(0)) - held.get(product, Decimal(0)) for product in {*now, *held}}
        if any(change != wanted.get(product) for product, change in changes.items() if change):
            return None
        return [bool(changes.get(line.product_id)) for line in new]

    async def _remembered(
        self, desk: Desk, after: Reading, planned: Sequence[Planned], done: dict[int, LineOutcome]
    ) -> Reading:
        """Note machines and notes with their lines, and give the outcomes their lines' ids."""
        lines = {line.product_id: line for line in after.products}
        ours = dict(after.ours)
        for item in planned:
            outcome, line = done.get(item.number), lines.get(item.product_id)
            if outcome is None or outcome.state is not LineState.ADDED or line is None or line.item_id is None:
                continue
            done[item.number] = replace(outcome, item_id=line.item_id)
            known = ours.get(line.item_id, (None, None))
            if item.machine_id or item.note:
                ours[line.item_id] = (item.machine_id or known[0], item.note or known[1])
        if ours != dict(after.ours):
            after = replace(after, ours=ours)
            await self._desks.keep(desk, after, ours)
        return after


#: State, words, Salesforce's code, the line.
_Told = tuple[LineState, str, str | None, CartLine | None]


def _told(outcome: BatchOutcome) -> _Told:
    if outcome.succeeded:
        return (LineState.ADDED, "", None, outcome.line)
    fault = outcome.faults[0]
    refused = issubclass(error_class(max(outcome.status, 400), fault), AccessRefused)
    return (LineState.NOT_ENTITLED if refused else LineState.REFUSED, fault.message, fault.error_code or None, None)


def _why(fault: object) -> LineState:
    code = str(getattr(fault, "error_code", "")).upper()
    return LineState.NOT_ENTITLED if "ACCESS" in code or "ENTITLE" in code else LineState.UNKNOWN


def _words(error: ClientError) -> str:
    refusal = refusal_of(error)
    return refusal.message if refusal is not None else error.message


def _code(error: ClientError) -> str | None:
    return str(getattr(error, "error_code", "")) or None


def _outcome(lines: Sequence[QuickLine], item: Planned, state: LineState, message: str) -> LineOutcome:
    line = next(line for line in lines if line.number == item.number)
    return LineOutcome(line=line, state=state, message=message, quantity=item.quantity, product_id=item.product_id)


def _result(
    lines: Sequence[QuickLine], decided: dict[int, LineOutcome], after: Reading, sight: CartSight, *, dry_run: bool
) -> dict[str, JSON]:
    for number, outcome in decided.items():
        if outcome.state is LineState.MERGED and outcome.merged_into is not None:
            base = decided[outcome.merged_into]
            if base.state is not LineState.ADDED:
                # Merged into a line that did not get in: it did not get in either.
                decided[number] = replace(
                    outcome, state=base.state, message=base.message, upstream_code=base.upstream_code
                )
            else:
                decided[number] = replace(outcome, item_id=base.item_id)
    results = [outcome_portrait(decided[line.number]) for line in lines]
    succeeded = sum(1 for one in results if one["success"])
    noted(succeeded=succeeded, failed=len(results) - succeeded)
    return {
        "dry_run": dry_run,
        "lines": len(results),
        "succeeded": succeeded,
        "failed": len(results) - succeeded,
        "results": results,
        "cart": cart_portrait(after, sight),
    }
