"""Jobs that are carried on at the same time: each gets turns, one goes ahead, and locks meet whom they always met."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import groupby

import pytest

from orgbridge.emulator.jobs.rows import Job, JobKind
from orgbridge.emulator.jobs.service import Jobs
from orgbridge.wire.bulk import JobState
from tests.support.engine_bench import wait_for
from tests.unit.emulator.jobs.conftest import Town


def _accounts(town: Town, name: str, rows: int) -> Job:
    return town.ingest(b"Name\n" + b"".join(b"%s\n" % name.encode() for _ in range(rows)))


def _has_ended(town: Town, job: Job) -> bool:
    return town.jobs.get(JobKind.INGEST, job.id).terminal


def _run_all(town: Town, made: list[Job]) -> None:
    """Let the worker carry the jobs on that wait for it, until all have ended."""
    town.jobs.start()
    try:
        for job in made:
            wait_for(partial(_has_ended, town, job), "the job did not end")
    finally:
        town.jobs.stop()
    states = {town.jobs.get(JobKind.INGEST, job.id).state for job in made}
    assert states == {JobState.JOB_COMPLETE}


def _pieces(town: Town, sobject: str, field: str) -> list[tuple[str, int]]:
    """Return whose rows were written in a row, and how many."""
    with town.tools.org.storage.read() as connection:
        names = [row[0] for row in connection.execute(f'SELECT "{field}" FROM "{sobject}" ORDER BY rowid')]
    return [(name, len(list(same))) for name, same in groupby(names)]


@pytest.fixture
def small_batches(make_town: Callable[[], Town]) -> Town:
    """An org whose jobs save ten rows at a time."""
    town = make_town()
    tools = replace(town.tools, batch_rows=10)
    return Town(tools, Jobs(tools))


def test_the_shortest_job_goes_ahead_and_the_others_keep_their_turns(small_batches: Town) -> None:
    """A short job ends first, of two alike the older; the younger has its turn in every round all the same."""
    made = [_accounts(small_batches, name, rows) for name, rows in (("a", 200), ("b", 200), ("short", 10))]
    _run_all(small_batches, made)
    # Round one opens all three, and the short one goes ahead; in round two A and B have a turn each before A does.
    assert _pieces(small_batches, "Account", "Name") == [("short", 10), ("a", 10), ("b", 10), ("a", 190), ("b", 190)]


def test_a_long_job_does_not_keep_the_others_waiting_for_its_end(small_batches: Town) -> None:
    """Whoever goes ahead stops after a while; every other job gets a turn before it may go on."""
    made = [_accounts(small_batches, name, rows) for name, rows in (("a", 700), ("b", 720))]
    _run_all(small_batches, made)
    pieces = _pieces(small_batches, "Account", "Name")
    assert max(count for name, count in pieces[:-1] if name == "a") == 330
    assert [name for name, _ in pieces] == ["a", "b"] * (len(pieces) // 2)
    assert {count for name, count in pieces[:-1] if name == "b"} == {10}


def test_jobs_whose_rows_lock_their_parents_keep_strict_turns(small_batches: Town) -> None:
    """Of contacts, which lock their account, no job goes ahead: conflicts are those of batch beside batch."""
    files = [b"LastName\n" + name * 40 for name in (b"a\n", b"b\n")]
    made = [small_batches.ingest(data, object="Contact") for data in files]
    _run_all(small_batches, made)
    assert _pieces(small_batches, "Contact", "LastName") == [("a", 10), ("b", 10)] * 4


def test_jobs_that_are_made_to_last_keep_strict_turns(small_batches: Town) -> None:
    """With a pause in front of each batch no job goes ahead, so that a test sees them side by side."""
    small_batches.tools.faults.program({"kind": "slow_jobs", "delay_ms": 1})
    made = [_accounts(small_batches, name, 30) for name in ("a", "b")]
    _run_all(small_batches, made)
    assert _pieces(small_batches, "Account", "Name") == [("a", 10), ("b", 10)] * 3
