"""How often a running job is looked at: often near its end, seldom before. Every look costs one API request."""

from __future__ import annotations

from typing import Final

#: Looks in the time that the rest of a job is thought to take.
_LOOKS: Final = 4
_GROWTH: Final = 1.4
#: Weight of the newest rate among those seen before.
_NEWEST: Final = 0.5
#: Share of the time that a query has taken so far by which its end may be noticed late.
_LAG: Final = 1 / 8


def share_of(elapsed: float, *, shortest: float, longest: float) -> float:
    """Return the pause before the next look at a job of which nobody knows how much it has to do.

    Args:
        elapsed: Seconds that it has taken so far.
        shortest: The shortest pause.
        longest: The longest pause.
    """
    return min(max(shortest, elapsed * _LAG), longest)


class Rates:
    """Rows per second at which each org worked on parts lately; kept in memory only, so a fresh worker knows none."""

    def __init__(self) -> None:
        self._rates: dict[str, float] = {}

    def get(self, org: str) -> float | None:
        """Return an org's rows per second; None until a part of it was seen to end."""
        return self._rates.get(org)

    def note(self, org: str, rate: float | None) -> None:
        """Take in the rate of a part that has ended; None says nothing."""
        if rate is not None:
            known = self._rates.get(org, rate)
            self._rates[org] = known + (rate - known) * _NEWEST


class Pace:
    """The pauses between the looks at one job."""

    def __init__(self, *, rows: int, rate: float | None, first_seconds: float, longest_seconds: float) -> None:
        """Begin to wait.

        Args:
            rows: Rows of the job.
            rate: Rows per second at which the org worked on jobs before; None when that is not known.
            first_seconds: The first pause, and the shortest.
            longest_seconds: The longest pause.
        """
        self._rows = rows
        self._rate = rate
        self._shortest = first_seconds
        self._longest = longest_seconds
        self._grown = first_seconds
        self._idle_at: float | None = None
        self._moved = False

    @property
    def rate(self) -> float | None:
        """Rows per second of this job; None while it has not moved."""
        return self._rate if self._moved else None

    def see(self, processed: int, now: float) -> None:
        """Take in a look.

        Args:
            processed: Rows that Salesforce has worked on.
            now: Seconds of a clock that never goes back.
        """
        if not processed:
            self._idle_at = now
        elif self._idle_at is not None and now > self._idle_at:
            # Counted from the last look at which nothing had been done: what it waited in line does not count.
            self._rate = processed / (now - self._idle_at)
            self._moved = True

    def pause(self, processed: int) -> float:
        """Return the seconds until the next look.

        Args:
            processed: Rows that Salesforce has worked on.
        """
        grown, self._grown = self._grown, min(self._grown * _GROWTH, self._longest)
        if self._rate is None:
            return grown
        rest = max(0, self._rows - processed) / self._rate / _LOOKS
        expected = min(max(rest, self._shortest), self._longest)
        # A job that waits in line may begin at any moment.
        return expected if self._moved else min(grown, expected)
