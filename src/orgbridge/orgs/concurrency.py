"""How many calls to an org run at once: found out, not guessed. People go before loads; who waits too long is told.

Additive increase, multiplicative decrease: a sign of overload halves the number, every answered call while all slots
are taken raises it a little, up to the ceiling of the settings.

Source: facts/salesforce/rest.md section 5 (25 requests of 20 s and more at once, 5 in small orgs), pains.md 10.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass

from orgbridge.kit.clock import Clock
from orgbridge.orgs.errors import QueueTimedOut
from orgbridge.orgs.uses import CallKind

#: Signs of overload within so many seconds are one: the calls under way were all sent before it was known.
_ONE_SIGN_SECONDS = 1.0
#: So many people's calls may overtake a load's that waits; then the load's goes.
_OVERTAKINGS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class ConcurrencyConfig:
    """How many calls, and how long one waits."""

    #: Most calls at once; also where it begins.
    ceiling: int = 20
    #: Seconds that a person's call waits for its turn; a load's waits as long as it takes.
    queue_seconds: float = 30.0


class Concurrency:
    """The slots of one org in this process."""

    def __init__(self, config: ConcurrencyConfig, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._limit = float(config.ceiling)
        self._running = 0
        self._shrunk_at: float | None = None
        self._people: deque[asyncio.Future[None]] = deque()
        self._loads: deque[asyncio.Future[None]] = deque()
        self._overtaken = 0

    @property
    def limit(self) -> int:
        """Calls that may run at once now."""
        return max(1, int(self._limit))

    @property
    def running(self) -> int:
        """Calls that run."""
        return self._running

    @property
    def waiting(self) -> int:
        """Calls that wait for their turn."""
        return sum(not waiter.done() for queue in (self._people, self._loads) for waiter in queue)

    async def acquire(self, kind: CallKind) -> None:
        """Take a slot, when one is free and it is this call's turn.

        Raises:
            QueueTimedOut: None came free in time. Nothing was sent.
        """
        if self._running < self.limit and not self._people and not self._loads:
            self._running += 1
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue = self._loads if kind is CallKind.LOAD else self._people
        queue.append(waiter)
        # A slot may be free although others wait: they were cancelled, or the limit has just grown.
        self._wake()
        try:
            async with asyncio.timeout(None if kind is CallKind.LOAD else self._config.queue_seconds):
                await waiter
        except BaseException as error:
            if waiter.done() and not waiter.cancelled():
                # The slot came in the same moment: it goes to the next.
                self._running -= 1
            elif waiter in queue:
                queue.remove(waiter)
            self._wake()
            if isinstance(error, TimeoutError):
                raise QueueTimedOut(
                    f"{self.limit} calls to Salesforce may run at once, and none came free for this one in "
                    f"{self._config.queue_seconds:g} s. Nothing was sent; try again."
                ) from None
            raise

    def release(self, *, answered: bool) -> None:
        """Give a slot back, and raise the limit a little when the call went well while all slots were taken."""
        if answered and self._running >= self.limit and self._limit < self._config.ceiling:
            self._limit = min(self._config.ceiling, self._limit + 1 / self._limit)
        self._running -= 1
        if self._people or self._loads:
            self._wake()

    def shrink(self) -> None:
        """Halve the limit: Salesforce said that it has too much to do."""
        now = self._clock.monotonic()
        if self._shrunk_at is not None and now - self._shrunk_at < _ONE_SIGN_SECONDS:
            return
        self._shrunk_at = now
        self._limit = max(1.0, min(self._limit, float(max(1, self._running))) / 2)

    def _wake(self) -> None:
        while self._running < self.limit and (waiter := self._next()) is not None:
            self._running += 1
            waiter.set_result(None)

    def _next(self) -> asyncio.Future[None] | None:
        while self._people or self._loads:
            loads_turn = self._loads and (not self._people or self._overtaken >= _OVERTAKINGS)
            waiter = (self._loads if loads_turn else self._people).popleft()
            if waiter.done():
                continue
            self._overtaken = 0 if loads_turn or not self._loads else self._overtaken + 1
            return waiter
        return None
