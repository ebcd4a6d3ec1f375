"""One placement, one act at a time: read the row, do what its state asks for, write what became of it.

The row decides, not the memory of a workflow: whoever goes on, after whatever died, reads it first. Every change names
the revision that was read, so that of two workers with one placement one goes on and the other reads again.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, assert_never

from orgbridge.engine.faults import transient
from orgbridge.engine.orders import checkout_way, sale_way
from orgbridge.engine.orders.desks import Desk, Done
from orgbridge.engine.orders.inspection import inspect
from orgbridge.engine.orders.machine import Act, Event, act_in, after
from orgbridge.engine.orders.refusals import CalledOff, PlacementRefused, Refusal, SessionLost, refusal_of
from orgbridge.engine.resources import Resources
from orgbridge.kit.errors import OrgbridgeError
from orgbridge.kit.logs import get_logger
from orgbridge.store.errors import StoreUnavailable
from orgbridge.store.order_records import PlacementRecord, PlacementState, PlacementWay

#: Times that an order is sent and certainly not there, or that a session is lost, before the placement is given up.
_MOST_TRIES, _MOST_RESTARTS = 5, 5
#: Steps that are kept of one placement.
_STEPS_KEPT = 200
#: What a payment is kept for; gone once the placement has ended.
_SPENT = "(no longer kept)"
_log = get_logger(__name__)


class Progress:
    """Carries placements on."""

    def __init__(self, resources: Resources) -> None:
        self._config = resources.config
        self._database = resources.database
        self._orgs = resources.orgs
        self._clock = resources.clock

    async def advance(self, placement_id: str) -> PlacementState:
        """Do one act of a placement and return the state after it. Safe to do again after a crash at any moment.

        What fails in passing is waited for as long as a checkout may take; what may have made an order is waited for
        until it can be told.
        """
        pause = self._config.checkout_poll_seconds
        while True:
            cause = ""
            try:
                record = await self._read(placement_id)
                if record is None:
                    return PlacementState.FAILED
                if record.state.ended:
                    return record.state
                seen, done = await self._act(record)
                if done is not None:
                    state = await self._keep(seen, done)
                    if state is not None:
                        return state
            except StoreUnavailable as error:
                cause = error.message
            except (OrgbridgeError, OSError) as error:
                # The row could not even be read as it must be: nothing was done.
                cause = str(error)
            if cause:
                _log.warning("engine.placement_waits", placement_id=placement_id, cause=cause)
            await self._clock.sleep(pause)
            pause = min(pause * 2, self._config.longest_checkout_poll_seconds)

    async def _read(self, placement_id: str) -> PlacementRecord | None:
        async with self._database.unit(write=False) as unit:
            return await unit.placements.get(placement_id)

    async def _act(self, record: PlacementRecord) -> tuple[PlacementRecord, Done | None]:
        """Do what the state asks for.

        Returns:
            The placement as the act last saw it, and what became of it; None: nothing has changed yet.
        """
        if record.cancel_requested and record.state.cancellable:
            return record, Done(event=Event.CALLED_OFF)
        desk: Desk | None = None
        try:
            desk = await self.desk(record)
            done = await self._do(desk)
        except CalledOff:
            done = Done(event=Event.CALLED_OFF)
        except PlacementRefused as error:
            done = self._refused(_seen(record, desk), error.refusal)
        except SessionLost:
            done = self._lost(_seen(record, desk))
        except OrgbridgeError as error:
            done = await self._failed(_seen(record, desk), error)
        except Exception as error:  # noqa: BLE001 - the worker's edge: no placement may hang for a fault of ours
            _log.error("engine.placement_failed_inside", placement_id=record.id, exc_info=error)
            done = await self._failed(_seen(record, desk), error)
        return _seen(record, desk), done

    async def _do(self, desk: Desk) -> Done | None:
        record = desk.record
        by_checkout = record.way is PlacementWay.CHECKOUT
        act = act_in(record.way, record.state)
        match act:
            case Act.INSPECT:
                return await inspect(desk)
            case Act.START:
                return await checkout_way.start(desk)
            case Act.ADDRESS:
                return await checkout_way.address(desk)
            case Act.METHOD:
                return await checkout_way.method(desk)
            case Act.PAY:
                return await checkout_way.pay(desk)
            case Act.PLAN:
                return await sale_way.plan(desk)
            case Act.PLACE:
                if int(record.facts.get("tries", 0)) >= _MOST_TRIES:
                    return self._refused(record, _worn_out(record))
                return await (checkout_way.place(desk) if by_checkout else sale_way.place(desk))
            case Act.FIND:
                return await (checkout_way.find(desk) if by_checkout else sale_way.find(desk))
            case Act.CLOSE:
                return await sale_way.close(desk)
            case Act.UNDO:
                return await sale_way.undo(desk)
            case Act.RELEASE:
                if by_checkout:
                    await checkout_way.release(desk)
                return _given_back(record)
            case Act.NOTHING:
                return None
            case _:
                assert_never(act)

    async def _note(
        self, record: PlacementRecord, event: Event, facts: Mapping[str, Any], now: datetime
    ) -> PlacementRecord | None:
        """Write down what is about to be done; None when it may not be done any more."""
        sending = event is Event.SENDING
        changes: dict[str, Any] = {"facts": {**record.facts, **facts}}
        if sending:
            changes |= {
                "state": after(record.way, record.state, event),
                "sent_at": now,
                "steps": _steps(record, event, now),
            }
        async with self._database.unit() as unit:
            written = await unit.placements.move(
                record.id, record.revision, now=now, unless_cancelled=sending, **changes
            )
            return await unit.placements.get(record.id) if written else None

    async def desk(self, record: PlacementRecord) -> Desk:
        """Return what acts of a placement work with.

        Raises:
            OrgbridgeError: The buyer cannot be acted for.
        """
        return Desk(
            record,
            await self._orgs.buyer(record.sf_username),
            self._orgs.get().salesforce,
            self._config,
            self._clock,
            self._note,
            self._is_cancelled,
            self._is_untouched,
        )

    async def _is_untouched(self, record: PlacementRecord) -> bool:
        found = await self._read(record.id)
        return found is not None and (found.revision, found.state) == (record.revision, record.state)

    async def _is_cancelled(self, record: PlacementRecord) -> bool:
        found = await self._read(record.id)
        return found is not None and found.cancel_requested

    async def _keep(self, record: PlacementRecord, done: Done) -> PlacementState | None:
        """Write what became of an act; None when the placement is not where it was, and must be read again."""
        now = self._clock.now()
        async with self._database.unit() as unit:
            facts = {**record.facts, **done.facts}
            if done.event is Event.SENDING:
                # What is known of a sending before it is looked for; the state is `placing` since before it.
                columns = {name: value for name, value in done.columns.items() if value is not None}
                known = await unit.placements.move(record.id, record.revision, now=now, facts=facts, **columns)
                return record.state if known else None
            state = after(record.way, record.state, done.event)
            changes: dict[str, Any] = {
                "facts": facts,
                "state": state,
                "steps": _steps(record, done.event, now),
                "waiting": None,
                **done.columns,
            }
            if state.ended:
                changes["ended_at"] = now
                unknown = state is PlacementState.UNKNOWN
                pause = timedelta(seconds=self._config.order_look_seconds)
                changes["look_at"] = now + pause if unknown else None
                changes["request"] = _without_payment(record.request)
            if not state.claims_cart:
                changes["claim"] = None
            written = await unit.placements.move(record.id, record.revision, now=now, **changes)
        if written:
            _log.info("engine.placement", placement_id=record.id, placement_event=done.event.value, state=state.value)
        return state if written else None

    def _refused(self, record: PlacementRecord, refusal: Refusal) -> Done | None:
        """Return what follows a refusal in the present state."""
        if record.state is PlacementState.PLACING:
            # Only a look leads out of here.
            return None
        if record.state in (PlacementState.RELEASING, PlacementState.COMPENSATING, PlacementState.ORDERED):
            return None
        return Done(event=Event.REFUSED, columns={"error": refusal.to_json()})

    def _lost(self, record: PlacementRecord) -> Done | None:
        restarts = int(record.facts.get("restarts", 0)) + 1
        if restarts > _MOST_RESTARTS or record.state is PlacementState.READY:
            message = "The checkout was lost again and again: something else keeps changing the cart."
            return self._refused(record, Refusal(code="commerce.checkout_conflict", message=message))
        return Done(event=Event.SESSION_LOST, facts={"restarts": restarts, "paying": False})

    async def _failed(self, record: PlacementRecord, error: Exception) -> Done | None:
        """Return what follows an error that is no refusal by one of our own rules."""
        passing = transient(error)
        overdue = (self._clock.now() - record.updated_at).total_seconds() > self._config.checkout_seconds
        state = record.state
        if state is PlacementState.RELEASING and (not passing or overdue):
            # Nothing was ordered; that the cart could not be given back is told, and no reason to wait for ever.
            note = f"The cart could not be given back: {refusal_of(error).message}"
            return _given_back(record, {"cart_not_given_back": note})
        if passing and (not overdue or not state.cancellable):
            await self._tell(record, refusal_of(error).message)
            return None
        if state.cancellable:
            return self._refused(record, refusal_of(error))
        if not passing and self._given_up_on(record):
            return _abandoned(record, refusal_of(error))
        await self._tell(record, refusal_of(error).message)
        return None

    def _given_up_on(self, record: PlacementRecord) -> bool:
        waited = (self._clock.now() - (record.sent_at or record.updated_at)).total_seconds()
        return waited > self._config.order_settle_seconds + self._config.order_find_seconds

    async def _tell(self, record: PlacementRecord, cause: str) -> None:
        _log.warning("engine.placement_waits", placement_id=record.id, state=record.state.value, cause=cause)
        if record.waiting != cause:
            async with self._database.unit() as unit:
                await unit.placements.tell(record.id, cause)


def _seen(record: PlacementRecord, desk: Desk | None) -> PlacementRecord:
    return record if desk is None else desk.record


def _abandoned(record: PlacementRecord, why: Refusal) -> Done | None:
    """Return how a placement ends on which Salesforce refuses every further look or change, long after it was sent."""
    if record.state is PlacementState.PLACING:
        message = (
            f"Whether the cart {record.cart_id} became an order cannot be told, because Salesforce lets it not be "
            f"asked: {why.message} Nothing was or will be sent again: look for the order before ordering anew."
        )
        unknown = Refusal(code="order.outcome_unknown", message=message, details=why.details)
        return Done(event=Event.UNDECIDABLE, columns={"error": unknown.to_json()})
    if record.state is PlacementState.ORDERED:
        note = f"The order is placed, but its cart could not be closed: {why.message}"
        return Done(event=Event.CLOSED, facts={"cart_left_open": note})
    if record.state is PlacementState.COMPENSATING:
        left = Refusal(code="order.partly_placed", message=f"Orders could not be taken back: {why.message}")
        return Done(event=Event.LEFT, columns={"error": left.to_json()})
    return None


def _given_back(record: PlacementRecord, facts: Mapping[str, Any] | None = None) -> Done:
    asked = record.error is None
    return Done(event=Event.GIVEN_BACK_AS_ASKED if asked else Event.GIVEN_BACK, facts=facts or {})


def _worn_out(record: PlacementRecord) -> Refusal:
    last = record.facts.get("last_error") or {}
    said = f" Salesforce last said: {last['message']}" if last.get("message") else ""
    code = str(last.get("code") or "order.refused")
    return Refusal(
        code=code if code == "commerce.checkout_conflict" else "order.refused",
        message=f"The order was sent {_MOST_TRIES} times and is certainly not there.{said}",
    )


def _steps(record: PlacementRecord, event: Event, now: datetime) -> tuple[dict[str, Any], ...]:
    step = {"event": event.value, "from": record.state.value, "at": now.isoformat()}
    return (*record.steps, step)[-_STEPS_KEPT:]


def _without_payment(request: Mapping[str, Any]) -> dict[str, Any]:
    kept = dict(request)
    payment = kept.get("payment")
    if isinstance(payment, dict) and payment.get("kind") == "PostAuth":
        kept["payment"] = {"kind": payment["kind"], "token": _SPENT}
    return kept
