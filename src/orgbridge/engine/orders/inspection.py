"""The first look at a cart: can it be ordered, and by this account. Nothing is changed here."""

from __future__ import annotations

from orgbridge.client.commerce.resources import Patience
from orgbridge.client.errors import NotFound, UnknownWebstore
from orgbridge.engine.orders.desks import Desk, Done
from orgbridge.engine.orders.machine import Event
from orgbridge.engine.orders.refusals import refuse
from orgbridge.wire.ids import to_18

#: Seconds that amounts still being computed are waited for; checkout computes them anew anyway.
_SETTLE_SECONDS = 20.0


async def inspect(desk: Desk) -> Done:
    """See that the cart is there, open, not empty, and the account's own.

    Raises:
        PlacementRefused: It cannot be ordered.
        ClientError: Salesforce refused, or could not be reached.
    """
    wanted = desk.record.cart_id
    try:
        cart = await desk.store.carts.settled(wanted, Patience(seconds=_SETTLE_SECONDS))
    except UnknownWebstore:
        raise
    except NotFound:
        cart = None
    if cart is None or to_18(cart.cart_id) != wanted:
        raise refuse("order.cart_not_found", f"This buyer has no cart {wanted}.")
    if cart.status in ("Closed", "PendingClosed"):
        raise refuse("order.cart_closed", f"The cart {wanted} is {cart.status}: it was ordered or closed before.")
    if cart.status == "PendingDelete":
        raise refuse("order.cart_closed", f"The cart {wanted} is being deleted.")
    if cart.account_id is not None and to_18(cart.account_id) != desk.record.account_id:
        raise refuse("order.cart_of_another_account", f"The cart {wanted} belongs to another account.")
    if not cart.total_quantity and not cart.unique_products:
        raise refuse("order.cart_empty", f"The cart {wanted} is empty.")
    total = str(cart.grand_total) if cart.grand_total is not None and not cart.processing else None
    return Done(event=Event.CART_READY, facts={"currency": cart.currency, "cart_total": total})
