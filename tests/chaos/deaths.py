"""Every step of an order at which a process may die, found by watching an order, and the death at exactly that step."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import zip_longest
from random import Random

from tests.chaos.market import Market
from tests.support.gates import Passage

PATHS = {"checkout": "/carts/me/checkout", "place order": "/salesforce_orders/"}
VICTIMS = ("worker", "org", "service")
#: Where it cannot be seen that a process waits for its write: so long nothing may pass its gate.
_QUIET_SECONDS = 0.4
_STEP_SECONDS, _END_SECONDS = 40.0, 120.0
#: Orders that a death is tried with.
_TRIES = 3


class Moment(StrEnum):
    """When a process dies."""

    #: A request is about to leave.
    BEFORE = "before the request leaves"
    #: The org has done it and replied, and the reply has not come.
    AFTER = "before the reply comes"
    #: The replies are there, and what they tell is not in the store.
    UNRECORDED = "before the outcome is recorded"
    #: It is in the store, and the engine has not noted that the step is done.
    RECORDED = "after the outcome is recorded"
    #: The wish is in the store and no worker was handed it.
    WAITING = "before it is handed to the engine"
    #: The engine has it, and that is not noted.
    HANDED_OVER = "after it is handed to the engine"


@dataclass(frozen=True, slots=True, kw_only=True)
class Death:
    """One death to die."""

    #: A key of `PATHS`.
    way: str
    #: Who is at work there.
    who: str
    moment: Moment
    #: The request; None for what is recorded.
    passage: Passage | None = None
    #: The revision of the placement whose writing this is about.
    revision: int = 0
    #: Who dies.
    victim: str = "worker"

    def __str__(self) -> str:
        step = f"{self.passage.key} #{self.passage.ordinal}" if self.passage else f"revision {self.revision}"
        return f"{self.way}, {self.victim} dies {self.moment.value}: {self.who}'s {step}"

    @property
    def is_decisive(self) -> bool:
        """Whether the order itself is made at this step."""
        return self.passage is not None and self.passage.key.endswith(("/orders", "/sale/order"))


@dataclass(slots=True)
class Watched:
    """What an undisturbed order was seen to do."""

    #: Requests in order, by who sent them, with the placement's revision at that moment.
    requests: list[tuple[str, Passage, int]] = field(default_factory=list)
    #: The revision that the placement ended with.
    revision: int = 0


async def watch(market: Market, way: str) -> Watched:
    """Order a cart undisturbed and tell what was done."""
    cart, before, seen = await market.fill(), await market.orders(), Watched()

    def witness(who: str) -> Callable[[Passage], object]:
        async def see(passage: Passage) -> bool:
            row = market.tables.placement(cart)
            if (who, passage) not in [(one, other) for one, other, _ in seen.requests]:
                seen.requests.append((who, passage, row["revision"] if row else -1))
            return True

        return see

    for who, gate in market.gates.items():
        gate.reset()
        gate.on_request = witness(who)  # type: ignore[assignment]
    told = await market.ask(PATHS[way], cart)
    for gate in market.gates.values():
        gate.reset()
    faults = await market.faults(cart, PATHS[way], told, before)
    assert not faults, faults
    row = market.tables.placement(cart)
    assert row is not None
    seen.revision = row["revision"]
    return seen


def deaths(way: str, seen: Watched) -> list[Death]:
    """Return every step of an order at which somebody may die, each with its own process as the victim."""
    found = [
        Death(way=way, who=who, victim=who, moment=moment, passage=passage)
        for who, passage, _ in seen.requests
        for moment in (Moment.BEFORE, Moment.AFTER)
    ]
    found.append(Death(way=way, who="service", victim="service", moment=Moment.UNRECORDED))
    found += [Death(way=way, who="worker", moment=moment) for moment in (Moment.WAITING, Moment.HANDED_OVER)]
    asking = {revision for who, _, revision in seen.requests if who == "worker"}
    for revision in range(1, seen.revision + 1):
        found.append(Death(way=way, who="worker", moment=Moment.UNRECORDED, revision=revision))
        if revision - 1 in asking:
            # What is noted before a request is sent ends no step: the request's own `BEFORE` is this moment.
            found.append(Death(way=way, who="worker", moment=Moment.RECORDED, revision=revision))
    return found


def chosen(steps: Sequence[Death], kills: int, seed: int) -> list[Death]:
    """Return so many deaths: each step once, in turn with each victim, then with the next victim, and so on.

    What makes the order comes first and with every victim. Fewer kills than steps are a sample by the seed.
    """
    dice = Random(seed)
    rest = [(place, one) for place, one in enumerate(steps) if not one.is_decisive]
    every = [
        _with(one, VICTIMS[(place + seed + more) % len(VICTIMS)]) for more in range(len(VICTIMS)) for place, one in rest
    ]
    decisive = [_with(one, victim) for one in steps if one.is_decisive for victim in VICTIMS]
    if kills >= len(steps):
        return (decisive + every)[:kills]
    first = every[: len(rest)]
    dice.shuffle(first)
    dice.shuffle(decisive)
    mixed = [one for pair in zip_longest(first, decisive) for one in pair if one is not None]
    return mixed[:kills]


def _with(death: Death, victim: str) -> Death:
    # Before a worker has anything to do with an order it cannot die of it; the service can.
    known = "service" if death.who == "service" and victim == "worker" else victim
    return Death(
        way=death.way,
        who=death.who,
        moment=death.moment,
        passage=death.passage,
        revision=death.revision,
        victim=known,
    )


class Executioner:
    """Orders one cart while one process dies at one step of it."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._reached = asyncio.Event()
        self._go_on = asyncio.Event()

    async def run(self, death: Death) -> list[str]:
        """Let a process die, and return what is wrong with the order afterwards.

        A worker that gives its lease up on a busy machine takes the step along with it: the order must end all the
        same, and the death is died with another order.
        """
        for _ in range(_TRIES):
            wrong = await self._die(death)
            if wrong is not None:
                return wrong
        return [f"workers gave their leases up before the step: {self._market.given_up}"]

    async def _die(self, death: Death) -> list[str] | None:
        """Return what is wrong with an order; None when nothing is and a worker ended by itself before the step."""
        market = self._market
        gone = len(market.given_up)
        self._reached, self._go_on = asyncio.Event(), asyncio.Event()
        cart, before = await market.fill(), await market.orders()
        for gate in market.gates.values():
            gate.reset()
        trap = asyncio.create_task(self._trap(death, cart))
        if death.moment in (Moment.WAITING, Moment.HANDED_OVER):
            market.freeze("worker")
        asked = asyncio.create_task(market.ask(PATHS[death.way], cart))
        reached = asyncio.create_task(self._reached.wait())
        try:
            await asyncio.wait({reached, asked, trap}, timeout=_STEP_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if trap.done() and not self._reached.is_set():
                await trap
                await asyncio.wait({reached, asked}, timeout=_STEP_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            came = self._reached.is_set()
            if not came and len(market.given_up) == gone:
                return ["the step was not reached"]
            if came:
                await market.kill(death.victim)
            self._end(trap)
            if came:
                await market.revive(death.victim)
            async with asyncio.timeout(_END_SECONDS):
                told = await asked
            wrong = await market.faults(cart, PATHS[death.way], told, before)
            return wrong if came or wrong else None
        finally:
            self._end(trap)
            for task in (reached, asked):
                task.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.gather(trap, reached, asked, return_exceptions=True)

    def _end(self, trap: asyncio.Task[None]) -> None:
        trap.cancel()
        for gate in self._market.gates.values():
            gate.reset()
        self._market.tables.let_go()
        self._market.thaw("worker")
        self._go_on.set()

    async def _trap(self, death: Death, cart: str) -> None:
        match death.moment:
            case Moment.BEFORE | Moment.AFTER:
                self._at_request(death)
            case Moment.WAITING | Moment.HANDED_OVER:
                await self._at_handing_over(death, cart)
            case Moment.UNRECORDED if death.who == "service":
                await self._at_first_write(cart)
            case Moment.UNRECORDED:
                await self._unrecorded(death, cart)
            case Moment.RECORDED:
                await self._recorded(death, cart)

    def _at_request(self, death: Death) -> None:
        gate = self._market.gates[death.who]

        async def stop(passage: Passage) -> bool:
            if passage != death.passage or self._reached.is_set():
                return True
            self._reached.set()
            await self._go_on.wait()
            # Of a sender that is dead nothing leaves any more, and of a dead org nothing comes.
            return death.victim not in (death.who, "org")

        if death.moment is Moment.BEFORE:
            gate.on_request = stop
        else:
            gate.on_reply = stop

    async def _at_handing_over(self, death: Death, cart: str) -> None:
        tables = self._market.tables
        while (row := tables.placement(cart)) is None:
            await asyncio.sleep(0.02)
        if death.moment is Moment.HANDED_OVER:
            await asyncio.to_thread(tables.hold, "store")
            self._market.thaw("worker")
            while not tables.is_enqueued(row["id"]):
                await asyncio.sleep(0.02)
        self._reached.set()

    async def _at_first_write(self, cart: str) -> None:
        gate, held = self._market.gates["service"], False

        async def hold(_: Passage) -> bool:
            nonlocal held
            if not held:
                held = True
                await asyncio.to_thread(self._market.tables.hold, "store")
            return True

        gate.on_request = hold
        while not held:
            await asyncio.sleep(0.02)
        await self._until_quiet("service")

    async def _unrecorded(self, death: Death, cart: str) -> None:
        """Hold the store from before the act on whose end the revision would be written."""
        tables, done = self._market.tables, asyncio.Event()

        async def hold(_: Passage) -> bool:
            if done.is_set():
                return True
            revision = self._revision(cart)
            if revision == death.revision - 1:
                done.set()
                await asyncio.to_thread(tables.hold, "store")
            elif revision == death.revision - 2 and not holding.is_set():
                # The write that follows may need no request: keep the engine from going on until the store is held.
                holding.set()
                await asyncio.to_thread(tables.hold, "engine")
            return True

        holding = asyncio.Event()
        self._market.gates["worker"].on_request = hold
        while not done.is_set():
            if holding.is_set() and self._revision(cart) == death.revision - 1 and not done.is_set():
                done.set()
                await asyncio.to_thread(tables.hold, "store")
                tables.let_go("engine")
            await asyncio.sleep(0.01)
        tables.let_go("engine")
        await self._until_quiet("worker")

    async def _recorded(self, death: Death, cart: str) -> None:
        """Hold the engine from before the act on, until its outcome is in the store."""
        held = asyncio.Event()

        async def hold(_: Passage) -> bool:
            if not held.is_set() and self._revision(cart) == death.revision - 1:
                held.set()
                await asyncio.to_thread(self._market.tables.hold, "engine")
            return True

        self._market.gates["worker"].on_request = hold
        while self._revision(cart) < death.revision:
            await asyncio.sleep(0.01)
        self._reached.set()

    async def _until_quiet(self, who: str) -> None:
        gate, loop = self._market.gates[who], asyncio.get_running_loop()
        passed, since = gate.passed, loop.time()
        while True:
            if gate.in_flight or gate.passed != passed:
                passed, since = gate.passed, loop.time()
            elif self._market.tables.somebody_waits is not False and loop.time() - since > _QUIET_SECONDS:
                self._reached.set()
                return
            await asyncio.sleep(0.02)

    def _revision(self, cart: str) -> int:
        row = self._market.tables.placement(cart)
        return -1 if row is None else int(row["revision"])
