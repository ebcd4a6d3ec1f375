"""The cart that a buyer had in the store as a guest, taken over at sign-in by Salesforce's own action.

Salesforce makes a new cart of the guest's, which is the buyer's current one from then on, and deletes the guest's; the
cart that the buyer had before becomes a further one. What lies in that is put into the new cart here, and once all of
it is, the old one is deleted: its id is refused from then on. A line or coupon that does not get in is told, and then
the old cart stays.

Source: facts/commerce/carts.md section 3 row 19 and `Preserve Cart Output`, needs.md row 9. Assumed: the cookie
`GuestCartSessionId_{webstoreId}` holds the id of the guest's cart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from orgbridge.client.commerce.cart_values import KeptCart
from orgbridge.client.errors import ClientError, SalesforceError
from orgbridge.client.verdicts import outcome_unknown
from orgbridge.kit.json import JSON
from orgbridge.kit.notes import note as noted
from orgbridge.services.commerce.cart_batches import CartBatchService
from orgbridge.services.commerce.cart_desks import CartDesks, Desk, Reading, check_open
from orgbridge.services.commerce.cart_errors import GuestCartMissing
from orgbridge.services.commerce.cart_rights import CartSight
from orgbridge.services.commerce.cart_views import cart_portrait, refused_item
from orgbridge.services.commerce.quick_orders import Merging, QuickLine, plain
from orgbridge.services.commerce.refusals import refusals_told
from orgbridge.services.errors import OutcomeUnknown


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestCart:
    """What somebody had before signing in."""

    #: Id of the cart in the store, as the guest's cookie has it.
    cart_id: str
    #: Lines that were kept elsewhere, in a browser for example.
    lines: Sequence[QuickLine]
    #: What a product counts that both carts hold.
    merging: Merging


async def take_over(
    desk: Desk, desks: CartDesks, batches: CartBatchService, sight: CartSight, guest: GuestCart
) -> dict[str, JSON]:
    """Take over a guest's cart for a buyer whose cart's turn the caller has.

    Raises:
        CartClosed: An order is being made of the buyer's cart; nothing was changed.
        GuestCartMissing: There is no such cart; nothing was changed.
        OutcomeUnknown: Whether it was taken over is not known: read the cart.
        SalesforceRefusal: See `refusals`.
        ClientError: Salesforce could not be asked.
    """
    own = await desks.read(desk)
    if own.cart is not None:
        check_open(own.cart)
    kept = await _preserved(desk, desks, own, guest.cart_id)
    if kept.cart_id is None:
        raise GuestCartMissing
    noted(ids=[kept.cart_id])
    new = await desks.read(desk, kept.cart_id)
    if new.cart is None:
        raise GuestCartMissing
    if guest.merging is Merging.KEEP:
        await _as_before(desk, desks, own, new)
    lines = [*guest.lines, *lines_of(own, desks.config.machine_field, first=len(guest.lines) + 1)]
    told = await batches.add_at(desk, lines, sight, merging=guest.merging, cart=new.cart)
    moved, lost = await _coupons(desk, desks, own, new.cart.cart_id)
    if moved:
        told["cart"] = cart_portrait(await desks.read(desk, new.cart.cart_id), sight)
    if own.cart is not None and not told["failed"] and not lost:
        # Lines of the guest's that were refused are in no cart of the buyer's: they are told, and hold nothing up.
        await _dropped(desk, desks, own.cart.cart_id)
    results: Any = told["results"]
    return {
        **told,
        "lines": len(results) + len(kept.failed),
        "results": [*results, *(refused_item(product_id, None, fault) for product_id, fault in kept.failed)],
        "failed": sum(not one["success"] for one in results) + len(kept.failed),
        "coupons_not_taken": list[JSON](lost),
    }


async def _preserved(desk: Desk, desks: CartDesks, own: Reading, guest_cart_id: str) -> KeptCart:
    """Have the guest's cart taken over, once, whatever becomes of the reply."""
    known = own.cart.cart_id if own.cart is not None else None
    for last in (False, True):
        try:
            with refusals_told():
                return await desk.store.carts.preserve(guest_cart_id=guest_cart_id)
        except ClientError as error:
            if not outcome_unknown(error):
                raise
            now = (await desks.read(desk)).cart
            if now is not None and now.cart_id != known:
                return KeptCart(cart_id=now.cart_id, products=0, succeeded=(), failed=())
            if last:
                raise OutcomeUnknown(error, "the guest's cart was taken over") from error
    raise AssertionError("the second try returns or raises")


async def _as_before(desk: Desk, desks: CartDesks, own: Reading, new: Reading) -> None:
    """Let products that both carts hold count as they did in the buyer's."""
    held, carts = own.quantities(), desk.store.carts
    assert new.cart is not None, "it was looked at before"
    cart_id = new.cart.cart_id
    for line in new.products:
        item_id, quantity = line.item_id, held.get(line.product_id or "")
        if item_id is None or quantity is None or quantity == line.quantity:
            continue
        with refusals_told():
            await desks.edit(desk, cart_id, partial(carts.change_line, cart_id, item_id, quantity))


async def _coupons(desk: Desk, desks: CartDesks, own: Reading, cart_id: str) -> tuple[list[str], list[str]]:
    """Put the coupons of the buyer's cart on the new one; return those that it takes, and those that it does not."""
    moved, lost = list[str](), list[str]()
    if own.cart is None:
        return moved, lost
    carts = desk.store.carts
    with refusals_told():
        had, has = await carts.coupons(own.cart.cart_id), await carts.coupons(cart_id)
        for code in sorted({one.code for one in had} - {one.code for one in has}):
            try:
                await desks.edit(desk, cart_id, partial(carts.add_coupon, cart_id, code))
                moved.append(code)
            except SalesforceError:
                lost.append(code)
    return moved, lost


async def _dropped(desk: Desk, desks: CartDesks, cart_id: str) -> None:
    """Delete the cart that is empty-handed now. One that stays is a further cart, and does no harm."""
    try:
        await desks.edit(desk, cart_id, lambda: desk.store.carts.delete(cart_id))
    except ClientError:
        return
    await desks.mirror.drop(cart_id)


def lines_of(source: Reading, machine_field: str, *, first: int = 1) -> list[QuickLine]:
    """Return the lines of a cart, to be put into another one."""
    return [
        QuickLine(
            number=number,
            sku=line.sku,
            product_id=line.product_id,
            quantity=plain(line.quantity),
            note=source.ours.get(line.item_id or "", (None, None))[1],
            machine_id=source.machine_of(line, machine_field),
        )
        for number, line in enumerate(source.products, start=first)
    ]
