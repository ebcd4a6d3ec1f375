"""Limits of calls that several processes count together. Real databases, a clock that the tests move."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orgbridge.services.quotas import Quotas, RouteClass
from orgbridge.store.database import Database
from orgbridge.store.schema import upgrade
from tests.support.clocks import HandClock

_READ = RouteClass.READ


@pytest.fixture
async def database(store_url: str) -> AsyncIterator[Database]:
    """Give an empty database, on each backend in turn."""
    upgrade(store_url)
    made = Database(store_url)
    yield made
    await made.close()


async def _calls(quotas: Quotas, count: int, who: str = "ann") -> int:
    """Make calls, and return how many passed."""
    passed = 0
    for _ in range(count):
        verdict = await quotas.count(_READ, who)
        assert verdict is not None
        passed += verdict.allowed
    return passed


async def test_small_limits_hold_exactly_over_processes(database: Database) -> None:
    """Ten calls are ten calls, whoever of three processes is asked; another caller has ten too."""
    clock = HandClock()
    several = [Quotas({_READ: "10/hour"}, clock, database) for _ in range(3)]
    passed = await asyncio.gather(*(_calls(quotas, 1) for quotas in several * 8))
    assert sum(passed) == 10
    assert [await _calls(quotas, 2) for quotas in several] == [0, 0, 0]
    assert await _calls(several[1], 12, "bob") == 10


async def test_what_one_process_took_and_did_not_use_comes_back(database: Database) -> None:
    """A lease of a process whose caller went elsewhere is there for the other process two exchanges later."""
    clock = HandClock()
    first, second = (Quotas({_READ: "40/hour"}, clock, database) for _ in range(2))
    assert await _calls(first, 3) == 3
    for _ in range(2):
        await first.exchange()
    assert await _calls(second, 40) == 37
    assert await _calls(first, 1) == 0


async def test_counts_outlive_their_process(database: Database) -> None:
    """A process that starts later, or again, knows what was spent; after two windows it is forgotten."""
    clock = HandClock()
    assert await _calls(Quotas({_READ: "5/minute"}, clock, database), 9) == 5
    assert await _calls(Quotas({_READ: "5/minute"}, clock, database), 9) == 0
    clock.move(120)
    assert await _calls(Quotas({_READ: "5/minute"}, clock, database), 9) == 5


async def test_a_lone_process_is_as_exact_as_without_a_database(database: Database) -> None:
    """Whatever the limit and the times of calls, sharing with nobody changes no verdict and no figure."""
    clock = HandClock()
    for limit, steps in (("7/minute", 30), ("300/minute", 400)):
        shared, alone = Quotas({_READ: limit}, clock, database), Quotas({_READ: limit}, clock)
        for step in range(steps):
            assert await shared.count(_READ, limit) == await alone.count(_READ, limit)
            if step % 7 == 0:
                clock.move(step % 11)
            if step % 40 == 39:
                await shared.exchange()


async def test_a_store_that_does_not_answer_stops_nobody(tmp_path: Path) -> None:
    """Each process then counts for itself, and tells what it counted once the store is back."""
    url = f"sqlite:///{tmp_path / 'orgbridge.sqlite'}"
    clock, database = HandClock(), Database(url)
    first, second = (Quotas({_READ: "5/hour"}, clock, database) for _ in range(2))
    assert await _calls(first, 7) == 5  # the tables are not there yet
    upgrade(url)
    await first.exchange()
    assert await _calls(second, 7) == 0
    await database.close()


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    limit=st.sampled_from([3, 50, 250, 1000]),
    acts=st.lists(
        st.tuples(st.integers(0, 2), st.sampled_from([0, 1, 5, 40, 400]), st.sampled_from([0, 0, 1, 7])),
        min_size=5,
        max_size=25,
    ),
)
async def test_processes_together_pass_a_limit_by_their_credits_at_most(
    limit: int, acts: list[tuple[int, int, int]], shared: tuple[Database, Counter[str]]
) -> None:
    """Whoever is asked how often, and whenever they exchange: the window holds the limit and three hundredths of it."""
    database, runs = shared
    runs["who"] += 1
    clock, who = HandClock(), f"caller-{runs['who']}"
    several = [Quotas({_READ: f"{limit}/minute"}, clock, database) for _ in range(3)]
    passed: Counter[int] = Counter()
    for process, calls, seconds in acts:
        if calls == 0:
            await several[process].exchange()
        now = clock.now().timestamp()
        passed[int(now // 60)] += await _calls(several[process], calls, who)
        slot, share = int(now // 60), 1 - now / 60 % 1
        weighted = passed[slot - 1] * share + passed[slot]
        assert weighted <= limit + 3 * (limit // 100) + 1
        clock.move(seconds)


@pytest.fixture
async def shared(tmp_path: Path) -> AsyncIterator[tuple[Database, Counter[str]]]:
    """Give one SQLite for all runs of a property, and how many there were."""
    url = f"sqlite:///{tmp_path / 'orgbridge.sqlite'}"
    upgrade(url)
    made = Database(url)
    yield made, Counter()
    await made.close()
