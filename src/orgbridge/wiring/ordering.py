"""What a worker does about orders beside carrying them out."""

from __future__ import annotations

from orgbridge.services.audit import AuditTrail
from orgbridge.services.commerce.placement_audit import PlacementAudit
from orgbridge.wiring.house import House


def build_placement_audit(house: House) -> PlacementAudit:
    """Return what tells the audit of orders that workers placed."""
    return PlacementAudit(house.database, house.clock, AuditTrail(house.database, house.clock))
