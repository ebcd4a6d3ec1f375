"""The state machines keep their laws on every way through them."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from orgbridge.loads.errors import IllegalTransition
from orgbridge.loads.states import (
    LOAD_ENDS,
    LOAD_TRANSITIONS,
    PART_ENDS,
    PART_PATH,
    TRANSITIONS,
    LoadEvent,
    LoadState,
    PartEvent,
    PartState,
    advance,
    advance_load,
    has_reached,
)


class PartMachine(RuleBasedStateMachine):
    """Throws any event at a part and watches the laws."""

    def __init__(self) -> None:
        super().__init__()
        self.state = PartState.PLANNED
        self.uploads = 0
        self.commits = 0
        self.fetches = 0

    @precondition(lambda self: self.state not in PART_ENDS)
    @rule()
    def go_on(self) -> None:
        """The next step of the path succeeds, so that the far states are reached as often as the near ones."""
        self.happen(PartEvent(PART_PATH[PART_PATH.index(self.state) + 1].value))

    @rule(event=st.sampled_from(list(PartEvent)))
    def happen(self, event: PartEvent) -> None:
        """An event comes: it moves the part as the table says, or changes nothing."""
        before = self.state
        try:
            self.state = advance(before, event)
        except IllegalTransition:
            assert (before, event) not in TRANSITIONS
            return
        assert before not in PART_ENDS, "law 3"
        if event is PartEvent.UPLOADED:
            self.uploads += 1
        if event is PartEvent.RESTARTED:
            self.uploads = 0
        if event is PartEvent.COMMITTED:
            self.commits += 1
            assert self.uploads == 1, "law 4"
        if event is PartEvent.FETCHED:
            self.fetches += 1
        if event is PartEvent.MATCHED:
            assert self.fetches == 1, "law 4"
        if event is PartEvent.ABORTED:
            assert not self.commits, "law 2"
        if self.state in PART_PATH and event is not PartEvent.RESTARTED:
            assert PART_PATH.index(self.state) == PART_PATH.index(before) + 1, "law 4"

    @invariant()
    def committed_once(self) -> None:
        """No part is committed twice, and none goes back after it."""
        assert self.commits <= 1, "law 1"
        if self.commits:
            assert self.state in {*PART_PATH[3:], PartState.FAILED}, "law 1"


TestPartMachine = PartMachine.TestCase
TestPartMachine.settings = settings(max_examples=150, stateful_step_count=25, deadline=None)


def test_a_part_without_trouble_goes_the_whole_way() -> None:
    """The events in order lead along the path to `matched`."""
    state = PartState.PLANNED
    seen = [state]
    for event in list(PartEvent)[:6]:
        state = advance(state, event)
        seen.append(state)
    assert tuple(seen) == PART_PATH


def test_every_state_but_the_ends_can_fail() -> None:
    """There is no state in which a part can get stuck."""
    assert {state for state, event in TRANSITIONS if event is PartEvent.FAILED} == set(PartState) - PART_ENDS


def test_only_what_was_not_committed_can_be_aborted_or_restarted() -> None:
    """The arrows back and out begin before the commit, each of them."""
    before = PART_PATH[: PART_PATH.index(PartState.COMMITTED)]
    assert {state for state, event in TRANSITIONS if event is PartEvent.ABORTED} == set(before)
    assert {state for state, event in TRANSITIONS if event is PartEvent.RESTARTED} == set(before[1:])


def test_an_illegal_event_names_state_and_event() -> None:
    """The error says what was tried."""
    with pytest.raises(IllegalTransition, match="out of state matched by event committed") as caught:
        advance(PartState.MATCHED, PartEvent.COMMITTED)
    assert (caught.value.state, caught.value.event) == ("matched", "committed")


@pytest.mark.parametrize("end", sorted(LOAD_ENDS))
def test_a_load_that_ended_stays_so(end: LoadState) -> None:
    """No event moves a load out of its end."""
    for event in LoadEvent:
        with pytest.raises(IllegalTransition):
            advance_load(end, event)


def test_a_load_goes_from_queued_to_an_end() -> None:
    """Every arrow leads to a running load or to an end."""
    assert advance_load(LoadState.QUEUED, LoadEvent.STARTED) is LoadState.IN_PROGRESS
    assert advance_load(LoadState.IN_PROGRESS, LoadEvent.COMPLETED) is LoadState.JOB_COMPLETE
    assert set(LOAD_TRANSITIONS.values()) == LOAD_ENDS | {LoadState.IN_PROGRESS}


@pytest.mark.parametrize(
    ("state", "milestone", "expected"),
    [
        (PartState.COMMITTED, PartState.UPLOADED, True),
        (PartState.COMMITTED, PartState.COMMITTED, True),
        (PartState.UPLOADED, PartState.COMMITTED, False),
        (PartState.ABORTED, PartState.COMMITTED, False),
        (PartState.FAILED, PartState.PLANNED, True),
    ],
)
def test_milestones(state: PartState, milestone: PartState, expected: bool) -> None:
    """A part has reached the states on the path up to its own, and nothing is claimed of one that left it."""
    assert has_reached(state, milestone) is expected
