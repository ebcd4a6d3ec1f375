"""What runs beside the loads in every worker, whether it is a process of its own or part of `up`."""

from __future__ import annotations

from collections.abc import Callable, Coroutine

from orgbridge.wiring.changes import change_companions
from orgbridge.wiring.house import House
from orgbridge.wiring.ordering import build_placement_audit
from orgbridge.wiring.purchasing import build_purchase_upkeep
from orgbridge.wiring.settings import Settings


def build_companions(settings: Settings, house: House) -> list[Callable[[], Coroutine[object, object, None]]]:
    """Return all of it: purchase orders kept, ends of placements told to the audit, changes told to webhooks."""
    return [
        build_purchase_upkeep(settings, house).run,
        build_placement_audit(house).run,
        *change_companions(settings, house),
    ]
