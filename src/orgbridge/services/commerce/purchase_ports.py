"""What purchase orders need of other use-cases: which account is bought for, what lies in a cart, and how to order.

Whoever is behind these protocols is chosen in `wiring`.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

from orgbridge.kit.errors import OrgbridgeError
from orgbridge.services.scopes import Caller
from orgbridge.store.purchase_order_records import PurchaseLine, PurchaseOrderRecord


class PurchaseAccount(Protocol):
    """The account that a caller buys for."""

    @property
    def organization_id(self) -> str:
        """Our id of the organization."""
        ...

    @property
    def account_id(self) -> str:
        """Salesforce's id of the account."""
        ...


class PurchaseAccounts(Protocol):
    """Tells for whom a caller may buy."""

    async def resolve(
        self, caller: Caller, organization_id: str | None = None, account_id: str | None = None
    ) -> PurchaseAccount:
        """Return the one account that is meant.

        Raises:
            OrgbridgeError: The caller has no grant, there is none, or there are several.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class CartSnapshot:
    """A cart as it stands."""

    #: Salesforce's id of the cart.
    cart_id: str
    #: ISO 4217.
    currency: str
    #: What lies in it.
    lines: tuple[PurchaseLine, ...]
    #: What all of it costs, everything included; None for the sum of the lines.
    total: Decimal | None = None


class PurchaseCarts(Protocol):
    """Reads the cart of a caller."""

    async def snapshot(self, caller: Caller, account: PurchaseAccount) -> CartSnapshot:
        """Return the caller's cart with all its lines, priced.

        Raises:
            OrgbridgeError: There is no cart, its prices are not settled, or Salesforce cannot be asked.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """What came of ordering."""

    #: Salesforce's ids of the orders: one, or one for each price book.
    order_ids: tuple[str, ...]


class PlacementRefused(Exception):
    """Nothing was ordered, for certain: prices, stock or products are not as they were approved.

    Attributes:
        findings: One JSON-ready item for each thing that is different: `line`, `sku`, `code`, `message`, ...
        cause: What refused it where nothing is different: told in place of the findings.
    """

    def __init__(self, findings: list[dict[str, Any]], cause: OrgbridgeError | None = None) -> None:
        super().__init__("nothing was ordered")
        self.findings = findings
        self.cause = cause


class PurchasePlacer(Protocol):
    """Makes orders of approved purchase orders."""

    async def place(self, caller: Caller, purchase: PurchaseOrderRecord) -> Placed:
        """Order what was approved, at the approved prices, exactly once.

        It is called again, with the same `uuid`, after a crash or an outcome that nobody knows: it then looks for what
        it did before, by that marker, and goes on from there.

        Raises:
            PlacementRefused: Nothing was ordered, and nothing will be of this call.
            OrgbridgeError: Whether something was ordered is open, or will be known later.
        """
        ...
