"""The machine of placements: its table, its verdicts, and a world of faults in which it never orders twice."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orgbridge.engine.orders.machine import (
    TRANSITIONS,
    Act,
    Event,
    Findings,
    ImpossibleEvent,
    Verdict,
    act_in,
    after,
    judge_checkout,
    judge_marked,
)
from orgbridge.store.order_records import PlacementState, PlacementWay

_WAYS = list(PlacementWay)
_FORWARD = {
    PlacementWay.CHECKOUT: {
        Act.INSPECT: Event.CART_READY,
        Act.START: Event.SESSION_READY,
        Act.ADDRESS: Event.ADDRESS_TAKEN,
        Act.METHOD: Event.METHOD_TAKEN,
        Act.PAY: Event.PAYMENT_TAKEN,
    },
    PlacementWay.PLACE_ORDER: {Act.INSPECT: Event.CART_READY, Act.PLAN: Event.DEALT_OUT},
}


@pytest.mark.parametrize("way", _WAYS)
def test_what_makes_an_order_is_sent_from_two_states_only(way: PlacementWay) -> None:
    """Sending leads to `placing` from `paid` or `planned`, and from nowhere else."""
    senders = {state for (state, event) in TRANSITIONS[way] if event is Event.SENDING}
    assert senders == {PlacementState.PAID if way is PlacementWay.CHECKOUT else PlacementState.PLANNED}
    assert all(state is PlacementState.PLACING for (_, e), state in TRANSITIONS[way].items() if e is Event.SENDING)


@pytest.mark.parametrize("way", _WAYS)
def test_whoever_finds_a_placement_being_placed_looks(way: PlacementWay) -> None:
    """The act in `placing` is to find, never to send; and it cannot be called off."""
    assert act_in(way, PlacementState.PLACING) is Act.FIND
    assert not PlacementState.PLACING.cancellable
    assert (PlacementState.PLACING, Event.CALLED_OFF) not in TRANSITIONS[way]


@pytest.mark.parametrize("way", _WAYS)
def test_every_state_that_can_be_called_off_leads_to_its_end(way: PlacementWay) -> None:
    """A state that says that it can be cancelled has a way to `cancelled`."""
    reachable = {state for (state, _) in TRANSITIONS[way]}
    for state in reachable:
        assert state.cancellable == ((state, Event.CALLED_OFF) in TRANSITIONS[way])


@pytest.mark.parametrize("way", _WAYS)
def test_nothing_follows_an_end(way: PlacementWay) -> None:
    """No event is possible in a state that has ended, and every other state has something to do."""
    for state in PlacementState:
        if state.ended:
            assert act_in(way, state) is Act.NOTHING
            assert not [event for (one, event) in TRANSITIONS[way] if one is state]
            with pytest.raises(ImpossibleEvent):
                after(way, state, Event.CART_READY)
        else:
            assert act_in(way, state) is not Act.NOTHING


def test_only_a_cart_without_an_order_is_free_again() -> None:
    """Failed and called off give the cart's claim up; everything else keeps it."""
    free = {state for state in PlacementState if not state.claims_cart}
    assert free == {PlacementState.FAILED, PlacementState.CANCELLED}


@pytest.mark.parametrize(
    ("found", "settled", "patient", "verdict"),
    [
        (Findings(cart_status="Checkout"), False, True, Verdict.WAIT),
        (Findings(cart_status="Checkout"), True, True, Verdict.ABSENT),
        (Findings(cart_status="Active"), True, True, Verdict.SESSION_LOST),
        (Findings(cart_status="Checkout", order_ids=("801",)), False, True, Verdict.FOUND),
        (Findings(cart_status="Closed", reference="AAAAA"), False, True, Verdict.WAIT),
        (Findings(cart_status="Closed", reference="AAAAA"), True, False, Verdict.UNDECIDABLE),
        (Findings(cart_status="Closed", reference="AAAAA", orders_asked=False), True, False, Verdict.FOUND),
        (Findings(cart_status="Closed"), True, True, Verdict.WAIT),
        (Findings(cart_status="Closed"), True, False, Verdict.UNDECIDABLE),
        (Findings(cart_status="PendingClosed", reference="AAAAA"), True, True, Verdict.WAIT),
        (Findings(cart_status="PendingClosed", reference="AAAAA", orders_asked=False), True, False, Verdict.FOUND),
        (Findings(cart_status="Processing"), True, True, Verdict.WAIT),
        (Findings(cart_status=None), True, False, Verdict.UNDECIDABLE),
        (Findings(cart_status=None, reference="AAAAA"), True, False, Verdict.UNDECIDABLE),
    ],
)
def test_a_look_at_a_cart_is_judged(found: Findings, settled: bool, patient: bool, verdict: Verdict) -> None:
    """What is certain is said at once, what is not is waited for, and what cannot be told is said to be so."""
    assert judge_checkout(found, settled=settled, patient=patient) is verdict


@given(st.none() | st.lists(st.just("801"), max_size=2).map(tuple), st.booleans(), st.booleans())
def test_an_order_is_said_to_be_absent_only_when_it_is(
    ids: tuple[str, ...] | None, settled: bool, patient: bool
) -> None:
    """Absence needs an answered look without orders, after the request has had its time."""
    verdict = judge_marked(ids, settled=settled, patient=patient)
    assert (verdict is Verdict.ABSENT) == (ids == () and settled)
    assert (verdict is Verdict.FOUND) == bool(ids)


# A world of faults ---------------------------------------------------------------------------------------------------

#: Moments that a request which was sent may still need.
_SETTLE, _FIND = 4, 6


@dataclass
class _World:
    """A store with one cart, whose requests may be carried out at once, later, or never; and whose replies get lost."""

    orders: int = 0
    #: Moments at which requests under way will be carried out.
    coming: list[int] = field(default_factory=list)
    now: int = 0
    closed: bool = False

    def tick(self) -> None:
        """Let a moment pass."""
        self.now += 1
        for moment in [one for one in self.coming if one <= self.now]:
            self.coming.remove(moment)
            self.make()

    def make(self) -> None:
        """Carry a request out. A closed cart is refused by the store, as Salesforce does; marked orders are not."""
        if self.closed:
            return
        self.orders += 1


@dataclass
class _Row:
    """The placement in the store, with its revision."""

    way: PlacementWay
    state: PlacementState = PlacementState.ACCEPTED
    revision: int = 0
    sent_at: int = 0
    answered: bool = False
    refused: bool = False


class _Worker:
    """One worker: it may stop anywhere, and goes on from the row."""

    def __init__(self, row: _Row, world: _World, draw: st.DataObject) -> None:
        self.row, self.world, self.draw = row, world, draw

    def keep(self, revision: int, event: Event) -> bool:
        """Write an event if nobody changed the row since."""
        if self.row.revision != revision:
            return False
        self.row.state, self.row.revision = after(self.row.way, self.row.state, event), revision + 1
        return True

    def turn(self) -> None:
        """Do one act; perhaps die before or after any part of it."""
        row, revision = self.row, self.row.revision
        act = act_in(row.way, row.state)
        if row.state.cancellable and self._pick("called off", 20):
            if row.way is PlacementWay.CHECKOUT or row.state is not PlacementState.PLANNED or self.world.orders == 0:
                self.keep(revision, Event.CALLED_OFF)
            return
        forward = _FORWARD[row.way].get(act)
        if forward is not None:
            self.keep(revision, forward)
        elif act is Act.PLACE:
            self._place(revision)
        elif act is Act.FIND:
            self._find(revision)
        elif act is Act.CLOSE:
            self.keep(revision, Event.CLOSED)
        elif act is Act.UNDO:
            self.keep(revision, Event.UNDONE)
        elif act is Act.RELEASE:
            self.keep(revision, Event.GIVEN_BACK if row.refused else Event.GIVEN_BACK_AS_ASKED)

    def _pick(self, what: str, one_in: int) -> bool:
        return self.draw.draw(st.integers(1, one_in), label=what) == 1

    def _place(self, revision: int) -> None:
        row, world = self.row, self.world
        if not self.keep(revision, Event.SENDING):
            return
        row.sent_at, row.answered, row.refused = world.now, False, False
        fate = self.draw.draw(
            st.sampled_from(["done", "dies before", "lost before", "lost after", "late", "refused", "dies after"]),
            label="fate",
        )
        match fate:
            case "dies before" | "lost before":
                return
            case "refused":
                row.answered, row.refused = True, True
            case "late":
                world.coming.append(world.now + self.draw.draw(st.integers(1, _SETTLE - 1), label="delay"))
            case "lost after" | "dies after":
                world.make()
                self._close()
            case _:
                world.make()
                self._close()
                self.keep(row.revision, Event.ORDERS_MADE)

    def _close(self) -> None:
        if self.row.way is PlacementWay.CHECKOUT and self.world.orders:
            self.world.closed = True

    def _find(self, revision: int) -> None:
        row, world = self.row, self.world
        if self._pick("look fails", 3):
            return
        waited = world.now - row.sent_at
        settled, patient = row.answered or waited >= _SETTLE, waited < _SETTLE + _FIND
        ids = ("801",) if world.orders else ()
        if row.way is PlacementWay.CHECKOUT:
            if world.orders:
                world.closed = True
            found = Findings(cart_status="Closed" if world.closed else "Checkout", order_ids=ids)
            verdict = judge_checkout(found, settled=settled, patient=patient)
        else:
            verdict = judge_marked(ids, settled=settled, patient=patient)
        if verdict is Verdict.FOUND:
            self.keep(revision, Event.ORDERS_MADE)
        elif verdict is Verdict.ABSENT:
            self.keep(revision, Event.REFUSED if row.refused else Event.ABSENT)
        elif verdict is Verdict.UNDECIDABLE:
            self.keep(revision, Event.UNDECIDABLE)


@settings(max_examples=300)
@given(st.sampled_from(_WAYS), st.data())
def test_there_is_one_order_whatever_dies_or_gets_lost(way: PlacementWay, data: st.DataObject) -> None:
    """Two workers with one placement, faults at every step: one order when placed, none when failed or called off."""
    world, row = _World(), _Row(way)
    workers = [_Worker(row, world, data), _Worker(row, world, data)]
    for _ in range(200):
        if row.state.ended:
            break
        data.draw(st.sampled_from(workers), label="worker").turn()
        world.tick()
        assert world.orders <= 1
    for _ in range(_SETTLE + 1):
        world.tick()
    assert world.orders <= 1
    if row.state is PlacementState.PLACED:
        assert world.orders == 1
    elif row.state in (PlacementState.FAILED, PlacementState.CANCELLED):
        assert world.orders == 0
