"""Orders for trouble: matched, counted, and the same every time."""

from __future__ import annotations

import pytest

from orgbridge.emulator.faults import Cut, FaultError, Faults, JobEnd


def test_an_order_hits_as_often_as_it_says() -> None:
    """Two requests are hit after one was let by, and the fourth passes."""
    faults = Faults()
    faults.program({"kind": "request", "method": "get", "path": "/jobs/", "status": 503, "times": 2, "skip": 1})
    hits = [faults.take("GET", "/services/data/v62.0/JOBS/ingest") is not None for _ in range(4)]
    assert hits == [False, True, True, False]


def test_other_methods_and_paths_pass() -> None:
    """A request that does not match neither suffers nor counts."""
    faults = Faults()
    faults.program({"method": "PUT", "path": "batches$", "cut": "after"})
    assert faults.take("GET", "/jobs/ingest/1/batches") is None
    assert faults.take("PUT", "/jobs/ingest/1") is None
    hit = faults.take("PUT", "/jobs/ingest/1/batches")
    assert hit is not None
    assert hit.cut is Cut.AFTER


@pytest.mark.parametrize(
    "order",
    [
        {"kind": "earthquake"},
        {"path": "("},
        {"status": 99},
        {"cut": "sideways"},
        {"colour": "red"},
        {"delay_ms": -1},
        {"kind": "locks", "share": 1.5},
        {"kind": "locks", "part": 1},
        {"kind": "slow_jobs", "delay_ms": "soon"},
    ],
    ids=str,
)
def test_an_order_that_makes_no_sense_is_refused(order: dict[str, object]) -> None:
    """Nothing is programmed by half."""
    faults = Faults()
    with pytest.raises(FaultError):
        faults.program(order)
    assert faults.take("GET", "/") is None


def test_a_lock_storm_is_repeatable_and_near_its_share() -> None:
    """The same job and rows are hit every time, other jobs elsewhere, and about as many as asked."""
    faults = Faults()
    faults.program({"kind": "locks", "share": 0.25, "seed": 7})
    first = faults.locked_rows("750A", 0, 4_000)
    assert first == faults.locked_rows("750A", 0, 4_000)
    assert first != faults.locked_rows("750B", 0, 4_000)
    assert 800 < len(first) < 1_200
    rest = {place + 1_000 for place in faults.locked_rows("750A", 1_000, 3_000)}
    assert rest == {place for place in first if place >= 1_000}


def test_a_storm_may_be_over_after_some_jobs() -> None:
    """With `jobs: 1` the second job finds every row free, and the first one still does not."""
    faults = Faults()
    faults.program({"kind": "locks", "share": 1, "jobs": 1})
    assert len(faults.locked_rows("750A", 0, 5)) == 5
    assert faults.locked_rows("750B", 0, 5) == frozenset()
    assert len(faults.locked_rows("750A", 5, 5)) == 5


def test_a_job_fails_once_after_its_batches() -> None:
    """The next job to start fails after the named batches; later ones do not."""
    faults = Faults()
    faults.program({"kind": "job_failure", "message": "InternalServerError : x", "after_batches": 1})
    assert faults.job_end("750A", 0) is None
    assert faults.job_end("750B", 0) is None
    assert faults.job_end("750A", 1) == JobEnd(message="InternalServerError : x", after_batches=1)
    assert faults.job_end("750A", 2) is None


def test_clear_forgets_every_order() -> None:
    """After `clear` nothing is slow, locked or hit."""
    faults = Faults()
    faults.program({"path": ".", "times": None, "status": 500})
    faults.program({"kind": "locks", "share": 1})
    faults.program({"kind": "slow_jobs", "delay_ms": 50})
    assert faults.batch_delay_seconds == 0.05
    faults.program({"kind": "clear"})
    assert faults.take("GET", "/") is None
    assert faults.locked_rows("750A", 0, 5) == frozenset()
    assert faults.batch_delay_seconds == 0
