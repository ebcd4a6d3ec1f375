"""A cart of two price books, and workers that die or freeze between its two orders: both, or neither, and none twice.

Two workers share a PostgreSQL. Whoever is at the order is killed or stopped where it stands, and the other one goes on.
Also a purchase order whose service dies with its worker: it comes to its end, though nobody asks again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
import pytest_asyncio

from tests.chaos.market import Market
from tests.support.gates import Passage
from tests.support.postgres import running_postgres

pytestmark = [pytest.mark.chaos, pytest.mark.system, pytest.mark.timeout(900), pytest.mark.asyncio(loop_scope="module")]

_PATH, _SALE, _UNDO = "/salesforce_orders/", "/sale/order", "DELETE /sobjects/Order"
_STEP_SECONDS, _END_SECONDS = 90.0, 180.0
_LONG = 30


@dataclass(frozen=True, slots=True)
class Step:
    """A moment of an order of two price books."""

    #: What the request's key holds.
    request: str
    #: Which of them, from 1 on.
    number: int
    #: False: before it leaves. True: it was done, and its reply has not come.
    done: bool
    #: Whether the second order is refused for good, so that the first one is taken back.
    refused: bool = False

    def __str__(self) -> str:
        return f"{'after' if self.done else 'before'} {self.request.rpartition('/')[2]} {self.number}"


#: The first two are the short form's.
_KILLS = [
    Step(_SALE, 2, done=False),
    Step(_UNDO, 1, done=False, refused=True),
    Step(_SALE, 2, done=True),
    Step(_UNDO, 1, done=True, refused=True),
    Step(_SALE, 1, done=False),
    Step(_SALE, 1, done=True),
    Step(_SALE, 2, done=False, refused=True),
    Step(_SALE, 2, done=True, refused=True),
]


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    """Give the connection string of an empty database."""
    with running_postgres() as server:
        yield server.create_database()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def market(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Market]:
    """Give a market of two workers, whose carts are ordered from two price books."""
    # A sending that is noted and does not leave within a quarter of this time is withheld: on a busy machine, for ever.
    folder = tmp_path_factory.mktemp("books")
    market = Market(folder, postgres=postgres, workers=2, books=2, settle_seconds=6.0)
    async with market.open():
        # The first order waits for the workers and signs all in; what is disturbed is an order like all others.
        cart, before = await market.fill(), await market.orders()
        told = await market.ask(_PATH, cart)
        assert await market.faults(cart, _PATH, told, before) == []
        yield market


class Moment:
    """Holds whoever comes to a step there."""

    def __init__(self, market: Market, step: Step) -> None:
        self._market = market
        self._step = step
        self._count = 0
        self.who = ""
        self.reached, self.go_on = asyncio.Event(), asyncio.Event()
        #: Whether what is held goes on its way when it is let go.
        self.passes = False
        for name in ("worker", "worker1"):
            gate = market.gates[name]
            gate.reset()
            gate.on_request = self._watch(name, done=False)
            gate.on_reply = self._watch(name, done=True)

    def _watch(self, name: str, *, done: bool) -> Any:
        async def see(passage: Passage) -> bool:
            if self._step.request not in passage.key or done is not self._step.done:
                return True
            self._count += 1
            if self._count != self._step.number:
                return True
            self.who = name
            self.reached.set()
            await self.go_on.wait()
            return self.passes

        return see


@asynccontextmanager
async def _ordered(market: Market) -> AsyncIterator[tuple[str, set[str], asyncio.Task[dict[str, Any]]]]:
    """Fill a cart and ask for its order; give cart, orders before it, and the call."""
    cart, before = await market.fill(), await market.orders()
    asked = asyncio.create_task(market.ask(_PATH, cart))
    try:
        yield cart, before, asked
    finally:
        asked.cancel()
        await asyncio.wait({asked})
        for gate in market.gates.values():
            gate.reset()


async def _reached(event: asyncio.Event, asked: asyncio.Task[dict[str, Any]]) -> None:
    waiting = asyncio.create_task(event.wait())
    await asyncio.wait({waiting, asked}, timeout=_STEP_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    assert event.is_set(), asked.result() if asked.done() else "the step was not reached"


async def _check_refused(market: Market, cart: str, before: set[str], told: dict[str, Any]) -> None:
    assert told.get("code") == "order.refused", told
    assert await market.orders() == before
    (row,) = await market.rows(f"SELECT Status FROM WebCart WHERE Id = '{cart}'")
    assert row["Status"] == "Active"
    # The next cart is a fresh one.
    await market.discard(cart)


@pytest.mark.parametrize("step", _KILLS, ids=str)
async def test_a_worker_that_dies_between_two_price_books(
    market: Market, step: Step, request: pytest.FixtureRequest
) -> None:
    """Killed at a step: an order for each price book, or, where the second is refused, none and the cart given back."""
    if _KILLS.index(step) > 1 and request.config.getoption("--kills") < _LONG:
        pytest.skip("the long form's")
    moment = Moment(market, step)
    if step.refused:
        market.org.fault(
            method="POST",
            path="/commerce/sale/order$",
            status=400,
            skip=1,
            # For good: whoever takes over asks once more.
            times=None,
            errorCode="FIELD_INTEGRITY_EXCEPTION",
        )
    try:
        async with _ordered(market) as (cart, before, asked):
            await _reached(moment.reached, asked)
            await market.kill(moment.who)
            moment.go_on.set()
            await market.revive(moment.who)
            async with asyncio.timeout(_END_SECONDS):
                told = await asked
            if step.refused:
                await _check_refused(market, cart, before, told)
            else:
                assert await market.faults(cart, _PATH, told, before) == [], market.last_words()
    finally:
        moment.go_on.set()
        await market.clear_faults()


@pytest.mark.parametrize("done", [False, True], ids=["before it sends", "before it is answered"])
async def test_a_worker_that_sleeps_and_wakes_orders_nothing_twice(
    market: Market, done: bool, request: pytest.FixtureRequest
) -> None:
    """Stopped in the middle of placing, overtaken by the other worker, awake again: still one order a price book."""
    if done and request.config.getoption("--kills") < _LONG:
        pytest.skip("the long form's")
    reached, awake, sleeper = asyncio.Event(), asyncio.Event(), ""

    def watch(name: str, cart: str) -> Any:
        async def hold(told: object) -> bool:
            nonlocal sleeper
            where = told.key if isinstance(told, Passage) else str(told)
            row = market.tables.placement(cart)
            is_placing = row is not None and row["state"] == "placing"
            if reached.is_set() or not is_placing or (_SALE if done else "/oauth2/token") not in where:
                return True
            sleeper = name
            market.freeze(name)
            reached.set()
            await awake.wait()
            return True

        return hold

    for name in ("worker", "worker1"):
        market.gates[name].reset()
    if not done:
        # Its session is refused with the sending, so that it signs in anew: it sleeps between its note and the sending.
        market.org.fault(
            method="POST", path="/commerce/sale/order$", status=401, times=1, errorCode="INVALID_SESSION_ID"
        )
    try:
        async with _ordered(market) as (cart, before, asked):
            for name in ("worker", "worker1"):
                setattr(market.gates[name], "on_reply" if done else "on_other", watch(name, cart))
            await _reached(reached, asked)
            async with asyncio.timeout(_END_SECONDS):
                told = await asked
            assert await market.faults(cart, _PATH, told, before) == [], market.last_words()
            row, gone = market.tables.placement(cart), len(market.given_up)
            market.thaw(sleeper)
            awake.set()
            # Whoever lost its lease while it slept ends, and is started again; what it had begun comes to nothing.
            async with asyncio.timeout(_STEP_SECONDS):
                while market.given_up[gone:] != [sleeper]:
                    await asyncio.sleep(0.05)
            assert await market.faults(cart, _PATH, told, before) == [], market.last_words()
            assert market.tables.placement(cart) == row
    finally:
        awake.set()
        if sleeper:
            market.thaw(sleeper)
        await market.clear_faults()


async def test_a_purchase_order_ends_though_all_who_ordered_it_died(market: Market, postgres: str) -> None:
    """Service and worker are killed while it is ordered; started again they end it, once, and nobody calls again."""
    root = "/salesforce_purchase_orders"
    rules = {"approvers": ["tester"], "free_up_to": {"EUR": "100000.00"}}
    await market.call("PUT", f"{root}/rules/{market.organization}", rules)
    cart, before = await market.fill(), await market.orders()
    made = await market.call("POST", root, {"org_id": market.organization, "account_id": market.account})
    assert (made["cart_id"], len(made["lines"])) == (cart, 2)
    one = f"{root}/{made['id']}"
    assert (await market.call("POST", f"{one}/submit"))["status"] == "approved"
    moment = Moment(market, Step(_SALE, 2, done=False))
    asked = asyncio.create_task(market.call("POST", f"{one}/order"))
    try:
        await _reached(moment.reached, asked)
        # Whoever asked asks no more.
        asked.cancel()
        await asyncio.wait({asked})
        for victim in ("service", moment.who):
            await market.kill(victim)
        moment.go_on.set()
        for victim in ("service", moment.who):
            await market.revive(victim)
        assert (await market.call("GET", one))["status"] == "ordering"
        with psycopg.connect(postgres) as connection:
            # The dead service's lease runs out; it would in two minutes.
            connection.execute(
                "UPDATE purchase_orders SET ordering_until = created_at WHERE ordering_until IS NOT NULL"
            )
        async with asyncio.timeout(_END_SECONDS):
            while (shown := await market.call("GET", one))["status"] == "ordering":
                await asyncio.sleep(0.1)
    finally:
        asked.cancel()
        moment.go_on.set()
        for gate in market.gates.values():
            gate.reset()
    assert (shown["status"], shown["history"][-1]["via"]) == ("ordered", "worker")
    made_orders = await market.orders() - before
    assert (set(shown["order_ids"]), len(made_orders)) == (made_orders, 2)
