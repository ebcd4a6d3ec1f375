"""First one part, then more and more; fewer after locks; none after too many failures."""

from __future__ import annotations

from typing import Any

from orgbridge.engine.ramps import Ramp, RampPlan, retry_width


def _ended(rows: int = 100, failed: int = 0, retryable: int = 0) -> dict[str, Any]:
    return {"rows": rows, "failed": failed, "retryable": retryable}


def test_a_canary_goes_alone_and_the_rest_widens_step_by_step() -> None:
    """One, two, four, up to full speed; the plan survives the step log."""
    plan = RampPlan.from_options({"canary": 10}, limit=5)
    ramp = Ramp(RampPlan(**plan.to_json()))
    widths = [ramp.width]
    for _ in range(4):
        ramp.see(_ended())
        widths.append(ramp.width)
    assert widths == [1, 2, 4, 8, 10]
    assert plan.max_failure_ratio == 0.1


def test_without_a_canary_a_load_runs_at_full_speed_until_rows_are_locked() -> None:
    """Locks halve, parts without locks double; serial is one at a time whatever happens."""
    ramp = Ramp(RampPlan.from_options({}, limit=4))
    assert ramp.width == 8
    ramp.see(_ended(failed=50, retryable=50))
    assert ramp.width == 2
    ramp.see(_ended(failed=50, retryable=50))
    assert ramp.width == 1
    ramp.see(_ended())
    assert ramp.width == 2
    serial = Ramp(RampPlan.from_options({"serial": True}, limit=4))
    serial.see(_ended())
    assert serial.width == 1


def test_too_many_failures_stop_and_locks_do_not_count() -> None:
    """The share is over all rows so far; rows that only could not be locked are no reason."""
    ramp = Ramp(RampPlan.from_options({"max_failure_ratio": 0.2}, limit=4))
    ramp.see(_ended(failed=20))
    assert ramp.stopped is None
    ramp.see(_ended(failed=100, retryable=100))
    assert ramp.stopped is None
    ramp.see(_ended(failed=60, retryable=0))
    assert ramp.stopped is not None
    assert "80 of the first 300 rows" in ramp.stopped
    never = Ramp(RampPlan.from_options({}, limit=4))
    never.see(_ended(failed=100))
    assert never.stopped is None


def test_rounds_of_locked_rows_get_narrower() -> None:
    """Down to one part at a time."""
    assert [retry_width(8, turn) for turn in (1, 2, 3, 4, 5)] == [4, 2, 1, 1, 1]


def test_nothing_goes_before_the_canary_proved_something() -> None:
    """An unprocessed canary, or one of which nothing is known, stops; one of which nothing was sent is no proof."""
    plan = RampPlan.from_options({"canary": 10}, limit=5)
    lost = Ramp(plan)
    lost.see({**_ended(), "state": "failed", "unprocessed": 100})
    assert lost.stopped is not None
    assert "100 of the first 100 rows were not processed" in lost.stopped
    unknown = Ramp(plan)
    unknown.see({})
    assert unknown.stopped is not None
    cancelled = Ramp(plan)
    cancelled.see({**_ended(), "state": "aborted", "unprocessed": 100})
    assert cancelled.stopped is None
    unchanged = Ramp(plan)
    unchanged.see({**_ended(), "send": 0})
    assert (unchanged.width, unchanged.waits_for_canary) == (1, True)
    unchanged.see(_ended())
    assert (unchanged.width, unchanged.waits_for_canary) == (2, False)
    later = Ramp(plan)
    later.see(_ended())
    later.see({**_ended(), "state": "failed", "unprocessed": 100})
    assert later.stopped is None
