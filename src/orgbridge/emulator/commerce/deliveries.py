"""Ways of delivery that checkouts of an emulated org offer."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One way of delivery that checkout offers."""

    #: Name that buyers see.
    name: str
    #: Fee in the cart's currency.
    fee: Decimal
    #: Who carries it.
    carrier: str
    #: Class of service.
    service: str
    #: Days on the way, least and most.
    days: tuple[int, int]


DELIVERIES = (
    Delivery(name="Standard", fee=Decimal("15.00"), carrier="Other", service="Ground", days=(3, 5)),
    Delivery(name="Express", fee=Decimal("45.00"), carrier="Other", service="Overnight", days=(1, 2)),
)
