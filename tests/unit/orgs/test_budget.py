"""The budget of an org: loads stop at the reserve, callers at their share, and nobody because of what is not known."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orgbridge.client import LimitInfo
from orgbridge.orgs.budget import Budget, BudgetConfig
from orgbridge.orgs.errors import CallerShareSpent, Parked
from orgbridge.orgs.uses import CallKind, Use, call_for, calls_of_a_load, present_use
from tests.support.clocks import HandClock

_LOAD, _ADA, _GRACE = Use(kind=CallKind.LOAD), Use(caller="ada"), Use(caller="grace")


def _budget(**config: float) -> tuple[Budget, HandClock]:
    clock = HandClock()
    return Budget(BudgetConfig(**config), clock), clock


def test_before_the_first_reply_nothing_is_refused() -> None:
    """What is not known is not guessed."""
    budget, _ = _budget(reserve_percent=100, caller_percent=1)
    for use in (_LOAD, _ADA, Use()):
        budget.admit(use)


def test_a_load_stops_where_the_reserve_begins_and_people_go_on() -> None:
    """With 100 requests and a fifth in reserve a load may make the 80th call and not the 81st."""
    budget, _ = _budget(reserve_percent=20)
    budget.heard(LimitInfo(used=79, allowed=100))
    budget.admit(_LOAD)
    with pytest.raises(Parked, match="the load goes on by itself"):
        budget.admit(_LOAD)
    for _ in range(50):
        budget.admit(_ADA)


@given(
    used=st.integers(0, 1000),
    percent=st.integers(0, 100),
    asked=st.lists(st.integers(1, 5), max_size=400),
    more=st.data(),
)
def test_loads_never_touch_the_reserve(used: int, percent: int, asked: list[int], more: st.DataObject) -> None:
    """Whatever loads ask for between two replies, the calls admitted leave the reserve whole."""
    budget, _ = _budget(reserve_percent=percent)
    budget.heard(LimitInfo(used=used, allowed=1000))
    spent = used
    for calls in asked:
        try:
            budget.admit(_LOAD, calls)
        except Parked:
            assert 1000 - spent - calls < percent * 10
        else:
            spent += calls
            assert 1000 - spent >= percent * 10


def test_a_parked_load_sends_one_call_to_look_again_when_its_time_has_come() -> None:
    """After the pause exactly one call goes out; its answer opens the way, or closes it for another pause."""
    budget, clock = _budget(recheck_seconds=60)
    budget.heard(LimitInfo(used=95, allowed=100))
    with pytest.raises(Parked) as parked:
        budget.admit(_LOAD)
    assert (parked.value.until - clock.now()).total_seconds() == 60
    clock.move(61)
    budget.admit(_LOAD)
    with pytest.raises(Parked):
        budget.admit(_LOAD)
    budget.heard(LimitInfo(used=3, allowed=100))
    budget.admit(_LOAD)


def test_a_persons_reply_frees_parked_loads_at_once() -> None:
    """The figure counts, whoever's call brought it."""
    budget, _ = _budget()
    budget.heard(LimitInfo(used=100, allowed=100))
    with pytest.raises(Parked):
        budget.admit(_LOAD)
    budget.admit(_ADA)
    budget.heard(LimitInfo(used=10, allowed=100))
    budget.admit(_LOAD)


def test_a_spent_quota_parks_loads_although_the_limit_was_never_told() -> None:
    """A refusal by Salesforce is enough; people's calls still go, for Salesforce to judge."""
    budget, clock = _budget(recheck_seconds=60)
    budget.spent()
    with pytest.raises(Parked, match="none"):
        budget.admit(_LOAD)
    budget.admit(_ADA)
    clock.move(61)
    budget.admit(_LOAD)


def test_the_share_of_the_connected_app_counts_too() -> None:
    """An app with a limit of its own parks its loads although the org has plenty."""
    budget, _ = _budget(reserve_percent=20)
    budget.heard(LimitInfo(used=0, allowed=100_000, app_used=240, app_allowed=250, app_name="x"))
    with pytest.raises(Parked):
        budget.admit(_LOAD)


def test_a_caller_stops_at_the_share_and_others_do_not() -> None:
    """A tenth of 100 requests: the eleventh call of one caller in a day is refused, another caller's is not."""
    budget, clock = _budget(caller_percent=10)
    budget.heard(LimitInfo(used=0, allowed=100))
    for _ in range(10):
        budget.admit(_ADA)
    with pytest.raises(CallerShareSpent, match="ada has used 10"):
        budget.admit(_ADA)
    budget.admit(_GRACE)
    assert (budget.used_by("ada"), budget.used_by("grace"), budget.used_by("nobody")) == (10, 1, 0)
    clock.move(25 * 3600)
    budget.admit(_ADA)
    assert budget.used_by("ada") == 1


def test_figures_say_what_is_left_and_for_whom() -> None:
    """People see the org's figures, what loads may still use, and whether they wait."""
    budget, _ = _budget(reserve_percent=20, caller_percent=50)
    assert budget.figures()["remaining"] is None
    budget.heard(LimitInfo(used=90, allowed=100))
    told = budget.figures()
    assert (told["remaining"], told["remaining_for_loads"], told["loads_parked"]) == (10, 0, True)
    assert (told["caller_share"], told["loads_parked_until"] is not None) == (50, True)


def test_the_use_of_a_task_is_a_loads_only_inside_of_a_load() -> None:
    """What is set for a caller comes back after a load's block."""
    call_for("ada")
    with calls_of_a_load():
        assert present_use() == _LOAD
    assert present_use() == _ADA
