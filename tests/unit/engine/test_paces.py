"""How often a job is looked at follows how large it is and how fast it goes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orgbridge.engine.paces import Pace, Rates, share_of


def _pace(rows: int, rate: float | None = None) -> Pace:
    return Pace(rows=rows, rate=rate, first_seconds=0.2, longest_seconds=5.0)


def test_of_an_unknown_job_the_pauses_grow_to_the_longest() -> None:
    """As long as nothing is known, the pauses begin with the first and grow to the longest."""
    pace = _pace(100_000)
    pauses = []
    for turn in range(20):
        pace.see(0, float(turn))
        pauses.append(pace.pause(0))
    assert pauses[0] == 0.2
    assert pauses == sorted(pauses)
    assert pauses[-1] == 5.0
    assert pace.rate is None, "a job that never moved tells no rate"


def test_pain_11_a_moving_job_is_looked_at_four_times_in_what_is_left_of_it() -> None:
    """A quarter of the remaining time at the job's own rate, whatever it waited in line before."""
    pace = _pace(100_000)
    pace.see(0, 60.0)
    pace.see(20_000, 62.0)
    assert pace.rate == 10_000
    assert pace.pause(20_000) == 80_000 / 10_000 / 4
    assert pace.pause(99_990) == 0.2, "never shorter than the first"


def test_a_small_job_of_a_fast_org_is_not_waited_for_long() -> None:
    """A known rate keeps the pauses short for a job that is done soon after its turn has come."""
    pace = _pace(10_000, rate=20_000)
    for turn in range(20):
        pace.see(0, float(turn))
        assert pace.pause(0) == 0.2


def test_the_rate_of_an_org_follows_its_last_parts() -> None:
    """Rates are kept per org, the newest counts half, and a part without a rate changes nothing."""
    rates = Rates()
    assert rates.get("default") is None
    rates.note("default", 1000.0)
    rates.note("default", 2000.0)
    rates.note("default", None)
    assert rates.get("default") == 1500
    assert rates.get("other") is None


@given(
    rows=st.integers(0, 10_000_000),
    rate=st.none() | st.floats(0.001, 1e7),
    looks=st.lists(st.tuples(st.integers(0, 10_000_000), st.floats(0, 100)), max_size=20),
)
def test_no_pause_leaves_its_bounds(rows: int, rate: float | None, looks: list[tuple[int, float]]) -> None:
    """Whatever a job reports, even numbers that go back or beyond its rows, each pause lies between its bounds."""
    pace, now = _pace(rows, rate), 0.0
    for processed, seconds in looks:
        now += seconds
        pace.see(processed, now)
        assert 0.2 <= pace.pause(processed) <= 5.0


@pytest.mark.parametrize(("takes", "looks"), [(1.0, 6), (5.0, 20), (60.0, 41), (3600.0, 760)])
def test_the_end_of_a_query_is_noticed_within_an_eighth_of_its_time(takes: float, looks: int) -> None:
    """And never more than five seconds late, with so many looks at most."""
    now, count = 0.0, 1
    while now < takes:
        now += share_of(now, shortest=0.2, longest=5.0)
        count += 1
    assert now - takes <= max(0.2, min(takes / 8, 5.0)) + 1e-9
    assert count <= looks
