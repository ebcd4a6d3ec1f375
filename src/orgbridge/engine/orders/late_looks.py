"""Placements that ended as unknown, looked at again: rarely by themselves, at once when somebody asks.

A look sends nothing. Once it can tell, the placement goes on from there to a proper end, and its cart is free again if
nothing was ordered. Many workers may look at once: every change names the revision that was read.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from orgbridge.engine.orders.checkout_way import placed_as
from orgbridge.engine.orders.desks import Desk
from orgbridge.engine.orders.looks import look_for_marker, look_for_order
from orgbridge.engine.orders.machine import after_late_look, judge_checkout, judge_marked
from orgbridge.engine.orders.progress import Progress
from orgbridge.engine.orders.refusals import Refusal
from orgbridge.engine.orders.sale_way import made_as, next_order
from orgbridge.engine.resources import Resources
from orgbridge.kit.errors import OrgbridgeError
from orgbridge.kit.logs import get_logger
from orgbridge.kit.loops import outlived
from orgbridge.store.order_records import PlacementRecord, PlacementState, PlacementWay

_BATCH = 20
_NOT_THERE = Refusal(
    code="order.refused",
    message="The order was sent, its outcome could not be told for a while, and it is not there: order again.",
)
_log = get_logger(__name__)


class LateLooks:
    """Looks at placements whose outcome is unknown, beside the worker's other tasks."""

    def __init__(self, resources: Resources) -> None:
        self._config = resources.config
        self._database = resources.database
        self._clock = resources.clock
        self._progress = Progress(resources)

    async def run(self) -> None:
        """Look at what is due until cancelled."""
        while True:
            with outlived(_log, "engine.late_looks_failed"):
                await self.look_at_due()
            await self._clock.sleep(self._config.notify_seconds)

    async def look_at_due(self) -> int:
        """Look once at everything that is due; return how many placements were decided."""
        async with self._database.unit(write=False) as unit:
            due = await unit.placements.to_look_at(self._clock.now(), _BATCH)
        return sum([await self._look(record) for record in due])

    async def _look(self, record: PlacementRecord) -> bool:
        if record.state is PlacementState.UNKNOWN and not await self._decide(record):
            return False
        # Decided: what is left to do is done here, because its workflow has ended. After a crash it is still due.
        while not (await self._progress.advance(record.id)).ended:
            continue
        return True

    async def _decide(self, record: PlacementRecord) -> bool:
        changes: dict[str, Any] | None = None
        cause = None
        try:
            changes = await _found(await self._progress.desk(record))
        except OrgbridgeError as error:
            cause = error.message
        now = self._clock.now()
        looks = int(record.facts.get("looks", 0)) + 1
        if changes is None:
            pause = min(
                self._config.order_look_seconds * 2.0 ** min(looks, 30), self._config.longest_order_look_seconds
            )
            changes = {"look_at": now + timedelta(seconds=pause), "waiting": cause, "facts": record.facts}
        else:
            state: PlacementState = changes["state"]
            step = {"event": "looked_again", "from": record.state.value, "at": now.isoformat()}
            changes |= {
                "look_at": None if state.ended else now,
                "ended_at": now if state.ended else None,
                "audited_at": None,
                "waiting": None,
                "steps": (*record.steps, step),
            }
        changes["facts"] = {**changes["facts"], "looks": looks}
        async with self._database.unit() as unit:
            written = await unit.placements.move(record.id, record.revision, now=now, **changes)
        if written and "state" in changes:
            _log.info("engine.placement_decided", placement_id=record.id, state=changes["state"].value)
        return written and "state" in changes


async def _found(desk: Desk) -> dict[str, Any] | None:
    """Return the columns that follow from a look; None when it still cannot tell.

    Raises:
        ClientError: Salesforce could not be asked: nothing is known.
    """
    way, facts = desk.record.way, desk.facts
    if way is PlacementWay.CHECKOUT:
        seen = await look_for_order(desk)
        verdict = judge_checkout(seen, settled=True, patient=False)
        done = placed_as(seen.reference, seen.order_ids, desk)
        complete, earlier = True, False
    else:
        at, order = next_order(desk)
        ids = await look_for_marker(desk, str(facts["marker_field"]), order["marker"])
        verdict = judge_marked(ids, settled=True, patient=False)
        done = made_as(desk, at, ids[0] if ids else "")
        orders = facts["orders"]
        complete = not [one for place, one in enumerate(orders) if place != at and not one.get("order_id")]
        earlier = any(one.get("order_id") for one in orders)
    state = after_late_look(way, verdict, complete=complete, earlier=earlier)
    if state is None:
        return None
    if state in (PlacementState.PLACED, PlacementState.ORDERED):
        return {"state": state, "error": None, "facts": {**facts, **done.facts}, **done.columns}
    kept = {**facts, **done.facts} if verdict == "found" else dict(facts)
    return {"state": state, "error": _NOT_THERE.to_json(), "facts": kept}
