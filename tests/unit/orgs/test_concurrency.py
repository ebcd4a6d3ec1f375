"""Slots of an org: people before loads, halved under overload, and no wait without an end."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orgbridge.client import LimitInfo, SalesforceFault
from orgbridge.client.errors import ConcurrencyExceeded, InvalidRequest, RequestLimitExceeded, ServerUnavailable
from orgbridge.orgs.budget import Budget, BudgetConfig
from orgbridge.orgs.concurrency import Concurrency, ConcurrencyConfig
from orgbridge.orgs.errors import Parked, QueueTimedOut
from orgbridge.orgs.gate import OrgGate
from orgbridge.orgs.uses import CallKind, calls_of_a_load
from tests.support.clocks import HandClock


def _slots(ceiling: int, queue_seconds: float = 5.0) -> tuple[Concurrency, HandClock]:
    clock = HandClock()
    return Concurrency(ConcurrencyConfig(ceiling=ceiling, queue_seconds=queue_seconds), clock), clock


async def _turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@given(st.lists(st.sampled_from(["enter", "leave", "fail", "cancel"]), max_size=60), st.integers(1, 4))
async def test_no_slot_is_lost_or_made_up(acts: list[str], ceiling: int) -> None:
    """Whatever enters, leaves, fails or gives up: never more run than may, and in the end every slot is free."""
    slots, clock = _slots(ceiling)
    running: list[asyncio.Task[None]] = []
    tasks: list[asyncio.Task[None]] = []
    for number, act in enumerate(acts):
        match act:
            case "enter":
                kind = CallKind.LOAD if number % 3 == 0 else CallKind.INTERACTIVE
                tasks.append(asyncio.create_task(slots.acquire(kind)))
            case "cancel" if tasks:
                tasks[-1].cancel()
            case "leave" | "fail" if running:
                if act == "fail":
                    clock.move(2)
                    slots.shrink()
                running.pop()
                slots.release(answered=act == "leave")
        await _turns()
        came = [task for task in tasks if task.done() and not task.cancelled()]
        running += came
        tasks = [task for task in tasks if not task.done()]
        assert slots.running == len(running) <= ceiling
        assert slots.waiting == 0 or slots.running >= slots.limit
    while running or tasks:
        if running:
            running.pop()
            slots.release(answered=True)
        await _turns()
        running += [task for task in tasks if task.done() and not task.cancelled()]
        tasks = [task for task in tasks if not task.done()]
    assert (slots.running, slots.waiting) == (0, 0)


async def test_people_go_before_loads_but_a_load_goes_in_the_end() -> None:
    """A load that waits is overtaken four times and no more."""
    slots, _ = _slots(1)
    await slots.acquire(CallKind.INTERACTIVE)
    order: list[str] = []

    async def one(name: str, kind: CallKind) -> None:
        await slots.acquire(kind)
        order.append(name)
        slots.release(answered=True)

    tasks = [asyncio.create_task(one("load", CallKind.LOAD))]
    await _turns()
    tasks += [asyncio.create_task(one(f"p{n}", CallKind.INTERACTIVE)) for n in range(6)]
    await _turns()
    slots.release(answered=True)
    await asyncio.gather(*tasks)
    assert order == ["p0", "p1", "p2", "p3", "load", "p4", "p5"]


async def test_who_waits_too_long_is_told_that_nothing_was_sent() -> None:
    """A person's call ends in an error that may be retried; the slots stay right."""
    slots, _ = _slots(1, queue_seconds=0.01)
    await slots.acquire(CallKind.INTERACTIVE)
    with pytest.raises(QueueTimedOut, match="Nothing was sent") as told:
        await slots.acquire(CallKind.INTERACTIVE)
    assert told.value.retryable
    slots.release(answered=True)
    assert (slots.running, slots.waiting) == (0, 0)


async def test_overload_halves_the_slots_once_and_success_brings_them_back() -> None:
    """Ten refusals of one moment are one sign; answered calls raise the number by and by, never above the ceiling."""
    slots, _ = _slots(8)
    for _ in range(8):
        await slots.acquire(CallKind.INTERACTIVE)
    for _ in range(8):
        slots.shrink()
    assert slots.limit == 4
    for _ in range(8):
        slots.release(answered=False)
    for _ in range(100):
        held = slots.limit
        for _ in range(held):
            await slots.acquire(CallKind.INTERACTIVE)
        for _ in range(held):
            slots.release(answered=True)
    assert slots.limit == 8


def _refusal(kind: Any, status: int, code: str, message: str = "") -> Any:
    return kind(status=status, faults=[SalesforceFault(error_code=code, message=message)], method="GET", path="/x")


@pytest.mark.parametrize(
    ("error", "limit", "parks"),
    [
        (_refusal(ConcurrencyExceeded, 403, "REQUEST_LIMIT_EXCEEDED"), 4, False),
        (_refusal(ServerUnavailable, 503, "SERVER_UNAVAILABLE"), 4, False),
        (_refusal(RequestLimitExceeded, 429, ""), 4, False),
        (_refusal(RequestLimitExceeded, 403, "REQUEST_LIMIT_EXCEEDED"), 8, True),
        (_refusal(InvalidRequest, 400, "INVALID_FIELD"), 8, False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
async def test_overload_is_told_from_a_spent_quota(error: Any, limit: int, parks: bool) -> None:
    """Overload halves the calls at once, a spent quota parks loads, and a refused value does neither."""
    slots, clock = _slots(8)
    budget = Budget(BudgetConfig(), clock)
    gate = OrgGate(budget, slots)
    for _ in range(8):
        await gate.enter()
    gate.failed(error)
    assert slots.limit == limit
    for _ in range(8):
        gate.leave(answered=False)
    with calls_of_a_load():
        if parks:
            with pytest.raises(Parked):
                await gate.enter()
        else:
            await gate.enter()
    gate.heard(LimitInfo(used=1, allowed=100))
    assert budget.limit is not None
