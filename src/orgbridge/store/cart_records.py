"""Rows of the carts' mirror as frozen values. No SQLAlchemy here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class CartLineRecord:
    """One line of a cart, as Salesforce last told it."""

    #: Id of the CartItem.
    item_id: str
    #: The product; None for a charge.
    product_id: str | None
    #: Its SKU.
    sku: str | None
    #: How many.
    quantity: Decimal
    #: The line's price; None while it is computed, and where the buyer sees none.
    total_price: Decimal | None
    #: The machine that the line is for.
    machine_id: str | None = None
    #: What the buyer noted.
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CartRecord:
    """A cart, as Salesforce last told it."""

    #: Id of the WebCart.
    cart_id: str
    #: Our user.
    user_id: str
    #: The account that is bought for.
    account_id: str
    #: The webstore.
    webstore_id: str
    #: Salesforce's word.
    status: str
    #: ISO code.
    currency: str | None
    #: What is to be paid; None while it is computed.
    grand_total: Decimal | None
    #: True when Salesforce still computed.
    pricing_pending: bool
    #: When Salesforce was asked.
    seen_at: datetime
    #: When what it said last differed from what it had said before.
    changed_at: datetime
    #: In Salesforce's order.
    lines: tuple[CartLineRecord, ...]

    def says_the_same(self, other: CartRecord) -> bool:
        """Tell whether another reading says the same about the cart."""
        mine = (self.status, self.currency, self.grand_total, self.pricing_pending)
        theirs = (other.status, other.currency, other.grand_total, other.pricing_pending)
        lines = {line.item_id: line for line in self.lines}
        return mine == theirs and lines == {line.item_id: line for line in other.lines}
