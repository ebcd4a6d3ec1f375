"""The life of a purchase order, walked at random by several people who have seen it at different times."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from orgbridge.store import purchase_order_states
from orgbridge.store.purchase_order_states import (
    ARROWS,
    DECISIONS,
    ENDS,
    OwnDecisionError,
    Position,
    PurchaseState,
    PurchaseStep,
    StepImpossibleError,
    after,
    steps_from,
)

_REQUESTER = "user_r"
_PEOPLE = (_REQUESTER, "user_a", "user_b", "")


class Life(RuleBasedStateMachine):
    """One order; whoever acts holds a version seen at some time before."""

    def __init__(self) -> None:
        super().__init__()
        self.now = Position(state=PurchaseState.DRAFT, version=1, requester_id=_REQUESTER)
        self.path: list[tuple[PurchaseStep, str]] = []

    @rule(step=st.sampled_from(PurchaseStep), actor=st.sampled_from(_PEOPLE), behind=st.integers(0, 2))
    def act(self, step: PurchaseStep, actor: str, behind: int) -> None:
        """Somebody takes a step on what they saw."""
        seen = self.now.version - behind
        before = self.now
        try:
            self.now = after(before, step, actor, expected=seen)
        except OwnDecisionError:
            assert step in DECISIONS
            assert actor == _REQUESTER
            assert behind == 0
            return
        except StepImpossibleError:
            assert behind or (before.state, step) not in ARROWS
            return
        assert behind == 0
        assert self.now.version == before.version + 1
        # Whoever else acts on the same version comes too late.
        with pytest.raises((StepImpossibleError, OwnDecisionError)):
            after(self.now, step, "user_b", expected=before.version)
        self.path.append((step, actor))

    @invariant()
    def nobody_decided_their_own(self) -> None:
        """No path holds a decision of the requester."""
        assert all(actor != _REQUESTER for step, actor in self.path if step in DECISIONS)

    @invariant()
    def nothing_is_ordered_unapproved(self) -> None:
        """Whoever is ordered was approved before and placed once."""
        steps = [step for step, _ in self.path]
        if self.now.state in (PurchaseState.ORDERING, PurchaseState.ORDERED):
            assert steps.count(PurchaseStep.APPROVE) == 1
        assert steps.count(PurchaseStep.PLACE) <= 1

    @invariant()
    def versions_count_steps(self) -> None:
        """The version tells how many steps were taken."""
        assert self.now.version == 1 + len(self.path)


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)


def test_ends_are_where_nothing_leads_out() -> None:
    """Four states are ends, and every other one has a way on."""
    assert frozenset({"rejected", "ordered", "cancelled", "expired"}) == ENDS
    assert all(steps_from(state) for state in PurchaseState if state not in ENDS)


def test_the_text_shows_every_arrow() -> None:
    """The module's own drawing names each arrow of the table, and no other."""
    drawn = (purchase_order_states.__doc__ or "").split("\n\n")[-1]
    words = drawn.replace("-", " ").replace(">", " ").split()
    assert len(words) == 3 * len(ARROWS)
    found = {(start, step): end for start, step, end in zip(words[::3], words[1::3], words[2::3], strict=True)}
    assert found == {(start.value, step.value): end.value for (start, step), end in ARROWS.items()}
