"""What the use-cases of carts refuse.

CommerceError
+-- CartMissing          cart.none               there is no cart
+-- GuestCartMissing     cart.guest_not_found    the store has no such cart of a guest
+-- LineMissing          cart.line_not_found     the cart has no such line
+-- QuantityRefused      cart.quantity           the product's rule does not take the quantity
+-- OtherMachine         cart.other_machine      the line of the product is for another machine
+-- MachineUnknown       cart.machine_unknown    the account has no such machine
+-- CartClosed           cart.closed             an order was made of the cart, or is being made
"""

from __future__ import annotations

from typing import ClassVar

from orgbridge.kit.errors import ErrorKind
from orgbridge.services.commerce.errors import CommerceError


class CartMissing(CommerceError):
    """You have no cart for this account: put a product in to begin one."""

    code: ClassVar[str] = "cart.none"
    kind: ClassVar[ErrorKind] = ErrorKind.MISSING


class GuestCartMissing(CommerceError):
    """This store has no such cart of a guest, or it was taken over already: your own cart is as it was."""

    code: ClassVar[str] = "cart.guest_not_found"
    kind: ClassVar[ErrorKind] = ErrorKind.MISSING


class LineMissing(CommerceError):
    """Your cart for this account has no such line."""

    code: ClassVar[str] = "cart.line_not_found"
    kind: ClassVar[ErrorKind] = ErrorKind.MISSING


class QuantityRefused(CommerceError):
    """The product cannot be bought in this quantity; nothing was changed."""

    code: ClassVar[str] = "cart.quantity"
    kind: ClassVar[ErrorKind] = ErrorKind.CONTRADICTION


class OtherMachine(CommerceError):
    """The cart has one line per product, and this one's is for another machine or for none; nothing was changed."""

    code: ClassVar[str] = "cart.other_machine"
    kind: ClassVar[ErrorKind] = ErrorKind.CONFLICT


class MachineUnknown(CommerceError):
    """The account has no such machine, or none that you may see."""

    code: ClassVar[str] = "cart.machine_unknown"
    kind: ClassVar[ErrorKind] = ErrorKind.MISSING


class CartClosed(CommerceError):
    """An order is being made of the cart: it takes no changes any more."""

    code: ClassVar[str] = "cart.closed"
    kind: ClassVar[ErrorKind] = ErrorKind.CONFLICT
