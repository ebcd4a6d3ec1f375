"""SIGKILL of service, worker and emulated org at every step of an order: each cart becomes one order, both ways."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from orgbridge.cli.terminal import Terminal
from tests.chaos.deaths import PATHS, Executioner, Moment, chosen, deaths, watch
from tests.chaos.market import Market
from tests.support.postgres import running_postgres

pytestmark = [pytest.mark.chaos, pytest.mark.system]

#: From so many kills on it is the long form, on both databases; the short one takes the one that the seed names.
_LONG = 30


@pytest.fixture(params=["sqlite", "postgresql"])
def postgres(request: pytest.FixtureRequest) -> Iterator[str | None]:
    """Give the connection string of a database; None for SQLite."""
    if request.param == "sqlite":
        yield None
        return
    if request.config.getoption("--kills") < _LONG:
        pytest.skip("the long form's")
    with running_postgres() as server:
        yield server.create_migrated()


@pytest.mark.timeout(300)
async def test_a_worker_that_gives_its_lease_up_is_started_again(tmp_path: Path) -> None:
    """Frozen for longer than its lease it ends by itself, as it should; started again it ends the order that waits."""
    with running_postgres() as server:
        market = Market(tmp_path, postgres=server.create_migrated(), lease_seconds=2)
        async with market.open(), asyncio.timeout(120):
            cart, before = await market.fill(), await market.orders()
            market.freeze("worker")
            asked = asyncio.create_task(market.ask(PATHS["checkout"], cart))
            try:
                while market.tables.living_workers():
                    await asyncio.sleep(0.05)
                market.thaw("worker")
                told = await asked
            finally:
                asked.cancel()
                await asyncio.wait({asked})
            assert await market.faults(cart, PATHS["checkout"], told, before) == [], market.last_words()
            assert market.given_up == ["worker"]


@pytest.mark.timeout(7200)
async def test_a_cart_is_ordered_once_when_processes_die(
    postgres: str | None, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Processes die at steps of every order: each ends as placed, with one order, one summary and its cart closed."""
    kills = request.config.getoption("--kills")
    kills, seed = kills if kills >= _LONG else min(kills, 3), request.config.getoption("--chaos-seed")
    # What `make chaos` shows.
    terminal = Terminal(as_json=True)
    market, killed, faults = Market(tmp_path, postgres=postgres), Counter[str](), list[str]()
    async with market.open():
        try:
            steps = []
            for way in PATHS:
                # The first order signs the processes in; what is watched is an order like all others.
                await watch(market, way)
                steps += deaths(way, await watch(market, way))
            plan = chosen(steps, kills, seed + (postgres is not None))
            terminal.note(f"{len(steps)} steps, {len(plan)} deaths")
            for death in plan:
                wrong = await Executioner(market).run(death)
                terminal.note(f"{'wrong' if wrong else 'right'}: {death} {'; '.join(wrong)}")
                faults += [f"{death}: {one}" for one in wrong]
                killed[f"{death.victim} {death.moment.name.lower()}"] += 1
        except Exception as error:
            raise AssertionError(f"{error!r} after {dict(killed)}, {faults}\n{market.last_words()}") from error
    terminal.note(str(dict(killed)))
    assert faults == [], f"after {dict(killed)}"
    assert sum(killed.values()) == kills
    assert kills < len(steps) or {one.rsplit(" ", 1)[1] for one in killed} == {one.name.lower() for one in Moment}
