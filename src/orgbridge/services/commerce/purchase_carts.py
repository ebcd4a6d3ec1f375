"""The cart that a purchase order is made of: the caller's current one, with prices that count and are seen."""

from __future__ import annotations

from decimal import Decimal

from orgbridge.client.commerce.cart_values import CartLine
from orgbridge.services.commerce.cart_desks import CartDesks, Whose, check_open
from orgbridge.services.commerce.cart_errors import CartMissing
from orgbridge.services.commerce.cart_rights import CartRights, FieldSight
from orgbridge.services.commerce.purchase_errors import CartPending, CartUnpriced
from orgbridge.services.commerce.purchase_ports import CartSnapshot, PurchaseAccount
from orgbridge.services.scopes import Caller
from orgbridge.store.purchase_order_records import PurchaseLine


class PurchaseCartReader:
    """Reads carts for purchase orders."""

    def __init__(self, desks: CartDesks, rights: CartRights) -> None:
        self._desks = desks
        self._rights = rights

    async def snapshot(self, caller: Caller, account: PurchaseAccount) -> CartSnapshot:
        """Return the caller's cart with all its lines, priced as it would be ordered.

        Raises:
            CartMissing: There is none.
            CartClosed: An order is being made of it.
            CartPending: Its prices did not settle in time.
            CartUnpriced: A line has no price, or none that the caller may see.
            PolicyError: No role of the caller shows carts.
            SalesforceRefusal: See `refusals`.
            ClientError: Salesforce could not be asked.
        """
        sight = await self._rights.read(caller)
        whose = Whose(account_id=account.account_id, organization_id=account.organization_id)
        reading = await self._desks.read(await self._desks.open(caller, whose))
        if reading.cart is None:
            raise CartMissing
        check_open(reading.cart)
        if reading.pending:
            raise CartPending
        total = reading.cart.grand_total
        return CartSnapshot(
            cart_id=reading.cart.cart_id,
            currency=reading.cart.currency or "",
            lines=tuple(_line(line, sight.line) for line in reading.products),
            total=total if sight.cart.shown("GrandTotalAmount", total) == total else None,
        )


def _line(line: CartLine, sight: FieldSight) -> PurchaseLine:
    price = line.adjusted_price if line.adjusted_price is not None else line.sales_price
    seen = all(sight.shown(name, Decimal(1)) == Decimal(1) for name in ("SalesPrice", "UnitAdjustedPrice"))
    if price is None or line.product_id is None or not seen:
        raise CartUnpriced
    return PurchaseLine(
        product_id=line.product_id,
        sku=line.sku or "",
        name=line.name or "",
        quantity=line.quantity,
        unit_price=price,
        total=line.quantity * price,
    )
