"""How many calls of each kind a caller may make, counted by all processes of one database together.

No call waits for the database while its caller is far from the limit: each process counts for itself, and twice a
second all counts that moved are exchanged in one transaction. A hundredth of a limit may pass in a process before the
others know of it; whoever needs more waits for an exchange of its own. So P processes pass a limit by at most P
percent, one below 100 calls not at all, and a lone process never. A store that does not answer leaves each process
counting for itself. Windows are told apart by the machines' clocks: one that is ahead begins the next window sooner.
"""

from __future__ import annotations

import asyncio
import math
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

from limits import RateLimitItem, parse

from orgbridge.kit.clock import Clock
from orgbridge.kit.logs import get_logger
from orgbridge.kit.loops import outlived
from orgbridge.services.tallies import Entry, Step, Tally
from orgbridge.store.database import Database
from orgbridge.store.errors import StoreError

#: Seconds between two exchanges, and the longest that a call waits for one.
_EXCHANGE_SECONDS, _WAIT_SECONDS = 0.5, 2.0
#: The part of a limit that may pass in a process before the others know of it.
_CREDIT = 100
#: Exchanges that one call waits for at most: the first may have begun before the call came, others may outrun it.
_ROUNDS = 8
#: Seconds between two deletions of windows that are over.
_FORGET_SECONDS = 60.0
_log = get_logger(__name__)


class RouteClass(StrEnum):
    """What kind of call it is."""

    READ = "read"
    WRITE = "write"
    BULK = "bulk"
    TOKEN = "token"  # noqa: S105 - the name of a class


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of one call at the counter."""

    #: Which kind of call.
    route_class: RouteClass
    #: False: the call is one too many.
    allowed: bool
    #: Calls in one window.
    quota: int
    #: Length of the window.
    window_seconds: int
    #: Calls that are left.
    remaining: int
    #: Seconds until there are more.
    reset_seconds: int


class Quotas:
    """Counts calls."""

    def __init__(self, limits: Mapping[RouteClass, str], clock: Clock, database: Database | None = None) -> None:
        """Prepare to count.

        Args:
            limits: Per kind of call, in the words of the library `limits`, e.g. `600/minute`; an empty one counts
                nothing.
            clock: Time.
            database: Where all processes meet; None: this one counts for itself.

        Raises:
            ValueError: A limit is not of that form.
        """
        self._limits: dict[RouteClass, RateLimitItem] = {kind: parse(text) for kind, text in limits.items() if text}
        self._clock = clock
        self._database = database
        self._tallies: dict[tuple[RouteClass, str], Tally] = {}
        #: What is owed for windows that are over, by counter, who, and window.
        self._late: defaultdict[tuple[str, str, int], int] = defaultdict(int)
        self._exchanging: asyncio.Task[None] | None = None
        self._deaf = False
        self._forgot_at = clock.monotonic()

    async def count(self, kind: RouteClass, who: str) -> Verdict | None:
        """Count one call, and return whether it may be made; None when this kind is not counted.

        Args:
            kind: What kind of call.
            who: A user id, or an address for somebody unknown.
        """
        limit = self._limits.get(kind)
        if limit is None:
            return None
        tally = self._tallies.get((kind, who))
        if tally is None:
            credit = limit.amount if self._database is None else limit.amount // _CREDIT
            tally = self._tallies[kind, who] = Tally(limit.amount, limit.get_expiry(), credit)
        step, now = Step.ASK, 0.0
        for tried in range(_ROUNDS + 1):
            now = self._clock.now().timestamp()
            self._turn(kind, who, tally, now)
            step = tally.take(now, alone=self._deaf or tried == _ROUNDS)
            if step is not Step.ASK:
                break
            await self._ask(tally)
        return Verdict(
            route_class=kind,
            allowed=step is Step.PASS,
            quota=limit.amount,
            window_seconds=limit.get_expiry(),
            remaining=tally.remaining(now),
            reset_seconds=max(1, math.ceil(tally.reset(now))),
        )

    async def run(self) -> None:
        """Exchange counts for ever, and once more at the end, so that no lease outlives its process."""
        if self._database is None or not self._limits:
            return
        try:
            while True:
                await self._clock.sleep(_EXCHANGE_SECONDS)
                with outlived(_log, "rate_limits_exchange_failed"):
                    await self.exchange()
        finally:
            # Asked twice: what was used between the first and now is a debt, and then nothing was used any more.
            with suppress(TimeoutError):
                for _ in range(2):
                    await asyncio.wait_for(self.exchange(), _WAIT_SECONDS)

    async def exchange(self) -> None:
        """Tell the others what was counted since the last time, and hear what they have; one at a time.

        A store that does not answer is a warning; what was not told is told the next time.
        """
        if self._exchanging is None:
            self._exchanging = asyncio.create_task(self._exchange(), name="rate-limits")
            self._exchanging.add_done_callback(self._exchanged)
        # Shielded: a caller that gives up must not take it from the others.
        await asyncio.shield(self._exchanging)

    def _exchanged(self, task: asyncio.Task[None]) -> None:
        self._exchanging = None
        if not task.cancelled():
            task.exception()  # read here, so that asyncio does not complain when every caller has gone

    async def _ask(self, tally: Tally) -> None:
        tally.waiting += 1
        try:
            await asyncio.wait_for(self.exchange(), _WAIT_SECONDS)
        except TimeoutError:
            self._unheard("no answer in time")
        finally:
            tally.waiting -= 1

    def _turn(self, kind: RouteClass, who: str, tally: Tally, now: float) -> None:
        over = tally.turn(now)
        if over is not None and self._database is not None:
            slot, owed = over
            self._late[self._counter(kind), who[:255], slot] += owed

    def _counter(self, kind: RouteClass) -> str:
        # By the window's length too: numbers of windows mean something else after a change of the setting.
        return f"rate:{kind.value}:{self._limits[kind].get_expiry()}"

    async def _exchange(self) -> None:
        database = self._database
        if database is None:
            return
        now = self._clock.now().timestamp()
        asked: list[tuple[str, str, Tally, Entry]] = []
        for (kind, who), tally in list(self._tallies.items()):
            if tally.idle(now):
                del self._tallies[kind, who]
            self._turn(kind, who, tally, now)
            entry = tally.entry()
            if entry is not None:
                asked.append((self._counter(kind), who[:255], tally, entry))
        late, self._late = dict(self._late), defaultdict(int)
        if not asked and not late:
            return
        try:
            heard = await self._carry(database, asked, late, now)
        except StoreError as error:
            for key, owed in late.items():
                self._late[key] += owed
            self._unheard(str(error))
            return
        self._deaf = False
        for (counter, who, tally, entry), (former, total, leased) in zip(asked, heard, strict=True):
            back = tally.settle(entry, former, total, leased)
            if back:
                self._late[counter, who, entry.slot] += back

    async def _carry(
        self,
        database: Database,
        asked: list[tuple[str, str, Tally, Entry]],
        late: dict[tuple[str, str, int], int],
        now: float,
    ) -> list[tuple[int, int, int]]:
        """Return, for each entry, the calls of the window before, those of its own with the lease, and the lease."""
        told: defaultdict[tuple[str, str, int], int] = defaultdict(int, late)
        for counter, who, _, entry in asked:
            told[counter, who, entry.slot] += entry.owed
        places: defaultdict[str, list[tuple[str, int]]] = defaultdict(list)
        for counter, who, _, entry in asked:
            places[counter].append((who, entry.slot))
        found: dict[tuple[str, str, int], int] = {}
        heard, leases = [], {}
        async with database.unit() as unit:
            # Written first, also with 0: the rows are ours until the end, and nobody leases of the same rest.
            await unit.uses.add(told)
            for counter, callers in places.items():
                first = min(slot for _, slot in callers) - 1
                calls = await unit.uses.since(counter, sorted({who for who, _ in callers}), first)
                found |= {(counter, who, slot): count for (who, slot), count in calls.items()}
            for counter, who, tally, entry in asked:
                former, total = (max(0, found.get((counter, who, slot), 0)) for slot in (entry.slot - 1, entry.slot))
                leased = tally.lease(entry, former, total, now)
                if leased:
                    leases[counter, who, entry.slot] = leased
                heard.append((former, total + leased, leased))
            await unit.uses.add(leases)
            if self._clock.monotonic() - self._forgot_at >= _FORGET_SECONDS:
                for kind, limit in self._limits.items():
                    await unit.uses.forget(self._counter(kind), int(now // limit.get_expiry()) - 1)
                self._forgot_at = self._clock.monotonic()
        return heard

    def _unheard(self, cause: str) -> None:
        if not self._deaf:
            _log.warning("rate_limits_not_shared", cause=cause, meanwhile="each process counts for itself")
        self._deaf = True
