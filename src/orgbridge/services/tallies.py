"""One caller's calls of one kind, as one process knows them while others count too. Pure: no clock, no database.

The window slides: the calls of the former window count by the share of it that is still within reach.

Laws:
1. A call that the limit forbids, by all that is known here, is refused.
2. A process lets calls pass that the others do not know of yet (its debt), at most `credit` of them; further ones
   wait until its count was exchanged. What it takes from the others beforehand (its lease) they see as spent.
3. So P processes together pass the limit by at most P times `credit`, whenever they exchange; a lone one never does.
4. A lease that is not used is given back.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum


class Step(StrEnum):
    """What becomes of a call."""

    #: It may be made, and was counted.
    PASS = "pass"  # noqa: S105 - a word
    #: It is one too many.
    REFUSE = "refuse"
    #: Nobody can tell before the counts were exchanged.
    ASK = "ask"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What one tally tells at an exchange."""

    #: Window that it is about.
    slot: int
    #: Calls to add to what all have counted: a debt to be paid, or, below 0, a lease given back.
    owed: int
    #: Further calls to take beforehand, if that many are left.
    wanted: int
    #: Calls of this process that it knows of.
    seen: int


class Tally:
    """Counts one caller.

    Attributes:
        slot: Number of the present window, counted from 1970.
        waiting: Calls that wait for an exchange.
    """

    __slots__ = (
        "_credit",
        "_former",
        "_granted",
        "_limit",
        "_noted",
        "_refused",
        "_total",
        "_used",
        "_window",
        "slot",
        "waiting",
    )

    def __init__(self, limit: int, window: int, credit: int) -> None:
        """Begin with nothing known.

        Args:
            limit: Calls in one window.
            window: Its length in seconds.
            credit: Calls that may pass before the others know of them.
        """
        self._limit = limit
        self._window = window
        self._credit = credit
        self.slot = -1
        self.waiting = 0
        #: Calls of all processes in the window before.
        self._former = 0
        #: Those of this window as they were told last, with what this process was granted of them.
        self._total = 0
        self._granted = 0
        #: Calls that this process let pass, now and when it was exchanged last.
        self._used = 0
        self._noted = 0
        self._refused = False

    def turn(self, now: float) -> tuple[int, int] | None:
        """Begin a new window if it is time; return the old one with what is still owed for it, None for nothing.

        A clock that goes back begins none.
        """
        slot = int(now // self._window)
        if slot <= self.slot:
            return None
        owed, old = self._used - self._granted, self.slot
        self._former = self._total + owed if slot == old + 1 else 0
        self._total = self._granted = self._used = self._noted = 0
        self._refused = False
        self.slot = slot
        return (old, owed) if owed else None

    def take(self, now: float, *, alone: bool = False) -> Step:
        """Count one call if it may be made.

        Args:
            now: Seconds since 1970, of the present window.
            alone: True when the others cannot be asked: then what is known here decides.
        """
        if math.floor(self._weighted(now)) + 1 > self._limit:
            self._refused = True
            return Step.REFUSE
        if self._used - self._granted >= self._credit and not alone:
            return Step.ASK
        self._used += 1
        return Step.PASS

    def remaining(self, now: float) -> int:
        """Return how many calls are left, as far as is known here."""
        return max(0, self._limit - math.floor(self._weighted(now)))

    def reset(self, now: float) -> float:
        """Return the seconds until there are more: the next call that leaves the window, or the next window."""
        left = self._left(now)
        counted = self._total - self._granted + self._used
        waits = [left % (self._window / self._former)] if self._former > 0 else []
        return min([*waits, left] if counted else waits, default=0.0)

    def entry(self) -> Entry | None:
        """Return what is to be told and asked; None when there is nothing."""
        owed, recent = self._used - self._granted, self._used - self._noted
        if not recent and not self.waiting:
            # Nobody called since the last time: a lease lies idle, and a full window may have room again.
            known = Entry(slot=self.slot, owed=owed, wanted=0, seen=self._used)
            return known if owed or self._refused else None
        # As much again as was used of late, if that comes near the credit; else the credit does.
        more = recent if recent > self._credit // 2 else 0
        if owed <= 0 and -owed >= more and not self.waiting:
            return None
        wanted = self.waiting + max(0, more + min(0, owed))
        return Entry(slot=self.slot, owed=max(0, owed), wanted=wanted, seen=self._used)

    def lease(self, entry: Entry, former: int, total: int, now: float) -> int:
        """Return how many calls to take beforehand.

        Args:
            entry: What was told.
            former: Calls of all processes in the window before.
            total: Those of the window, with what was told.
            now: Seconds since 1970.
        """
        share = max(0.0, min(1.0, entry.slot + 1 - now / self._window))
        left = max(0, self._limit - math.floor(former * share + total))
        waiting = min(left, self.waiting, entry.wanted)
        # Of what nobody waits for only a part is taken: the others have callers too.
        return waiting + min(entry.wanted - waiting, (left - waiting) // 4)

    def settle(self, entry: Entry, former: int, total: int, leased: int) -> int:
        """Take in what an exchange brought; return what must be taken back from its window, because it is over.

        Args:
            entry: What was told.
            former: Calls of all processes in the window before.
            total: Those of the window, with what was told and leased.
            leased: How many were taken beforehand.
        """
        if entry.slot != self.slot:
            return -(entry.owed + leased)
        self._noted = entry.seen
        self._granted += entry.owed + leased
        self._former, self._total = former, total
        self._refused = False
        return 0

    def idle(self, now: float) -> bool:
        """Return whether nothing of this tally matters any more."""
        return now // self._window > self.slot + 1 and not self.waiting

    def _weighted(self, now: float) -> float:
        return self._former * self._left(now) / self._window + self._total - self._granted + self._used

    def _left(self, now: float) -> float:
        return max(0.0, min(float(self._window), (self.slot + 1) * self._window - now))
