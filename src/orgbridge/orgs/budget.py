"""How much of an org's API requests may still be spent, by whom: fed by the limit that every reply tells.

Laws:
1. Loads stop where the reserve begins: what is left belongs to people and to other programs of the org.
2. A caller may use up a share of the day's requests and no more.
3. Nobody is refused because of a figure that is older than `recheck_seconds`: then one call goes out to learn it anew.
4. What is not known is not guessed: before the first reply nothing is refused.

The limit is a rolling day's, so no instant is known at which it is free again; `Parked.until` says when it is looked at
again. Figures of callers are this process's own and begin anew with it.

Source: facts/salesforce/rest.md section 1, errors.md section 2 (REQUEST_LIMIT_EXCEEDED), pains.md 8.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from orgbridge.client import LimitInfo
from orgbridge.kit.clock import Clock
from orgbridge.kit.metrics import gauge
from orgbridge.orgs.errors import CallerShareSpent, Parked
from orgbridge.orgs.uses import CallKind, Use

_HOUR = 3600.0
_HOURS = 24
_MOST_RECENT = "mostrecent"
_LIMIT = gauge(
    "orgbridge_salesforce_api_limit_requests", "API requests that the org has per day.", together=_MOST_RECENT
)
_USED = gauge(
    "orgbridge_salesforce_api_used_requests",
    "API requests of the org in the last 24 hours, of all programs, as the last reply told.",
    together=_MOST_RECENT,
)
_RESERVE = gauge(
    "orgbridge_salesforce_api_reserve_requests", "API requests that loads leave untouched.", together=_MOST_RECENT
)
#: Callers whose figures are kept.
_CALLERS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetConfig:
    """How an org's requests are shared out."""

    #: Percent of the day's requests that loads leave untouched.
    reserve_percent: float = 20.0
    #: Percent of the day's requests that one caller may use in a rolling day; 100 or more sets no share.
    caller_percent: float = 100.0
    #: Seconds after which a spent budget is looked at again, at the cost of one call.
    recheck_seconds: float = 900.0


class _Day:
    """Calls of one caller in the last 24 hours, by the hour."""

    __slots__ = ("_hours", "_total")

    def __init__(self) -> None:
        self._hours: deque[tuple[int, int]] = deque()
        self._total = 0

    def add(self, calls: int, now: float) -> None:
        hour = int(now // _HOUR)
        if self._hours and self._hours[-1][0] == hour:
            self._hours[-1] = (hour, self._hours[-1][1] + calls)
        else:
            self._hours.append((hour, calls))
        self._total += calls

    def total(self, now: float) -> int:
        hour = int(now // _HOUR)
        while self._hours and self._hours[0][0] <= hour - _HOURS:
            self._total -= self._hours.popleft()[1]
        return self._total


class Budget:
    """The API requests of one org, as seen by this process."""

    def __init__(self, config: BudgetConfig, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._limit: LimitInfo | None = None
        self._heard_at = 0.0
        self._since_heard = 0
        self._spent_at: float | None = None
        self._callers: dict[str, _Day] = {}
        #: Calls of callers that other processes were not told of, and those that they told of.
        self._fresh: dict[str, int] = {}
        self._others: dict[str, int] = {}

    @property
    def limit(self) -> LimitInfo | None:
        """What the last reply said; None before the first."""
        return self._limit

    def admit(self, use: Use, calls: int = 1) -> None:
        """Count calls that are about to be made, or refuse them.

        Args:
            use: For whom.
            calls: How many.

        Raises:
            Parked: A load met the reserve, or the day's requests are spent. Nothing was counted or sent.
            CallerShareSpent: The caller has used up the share of one caller. Nothing was counted or sent.
        """
        now = self._clock.monotonic()
        if use.kind is CallKind.LOAD:
            self._admit_load(now, calls)
        elif use.caller is not None:
            self._admit_caller(use.caller, now, calls)
        self._since_heard += calls

    def heard(self, limit: LimitInfo) -> None:
        """Take in what a reply said. A share of the connected app's own is told in the same header."""
        known, self._limit = self._limit, limit
        if known is None or known.used != limit.used or known.allowed != limit.allowed:
            _LIMIT.put(limit.allowed)
            _USED.put(limit.used)
            _RESERVE.put(self._reserve(limit.allowed))
        self._heard_at = self._clock.monotonic()
        self._since_heard = 0
        if limit.remaining > 0:
            self._spent_at = None

    def spent(self) -> None:
        """Take in that Salesforce refused a call because the day's requests are used up."""
        self._spent_at = self._clock.monotonic()

    def figures(self) -> dict[str, Any]:
        """Return what is known, for people: JSON-ready."""
        limit, now = self._limit, self._clock.monotonic()
        reserve = self._reserve(limit.allowed) if limit is not None else None
        parked = self._closed(now, 1)
        return {
            "allowed": limit.allowed if limit is not None else None,
            "used": limit.used if limit is not None else None,
            "remaining": limit.remaining if limit is not None else None,
            "reserve_percent": self._config.reserve_percent,
            "reserve": reserve,
            "remaining_for_loads": max(0, limit.remaining - (reserve or 0)) if limit is not None else None,
            "loads_parked": parked,
            "loads_parked_until": self._until(now).isoformat() if parked else None,
            "caller_percent": self._config.caller_percent,
            "caller_share": self._share(),
        }

    def used_by(self, caller: str) -> int:
        """Return the calls of a caller in the last 24 hours, of all processes as far as this one has heard."""
        day = self._callers.get(caller)
        own = day.total(self._clock.monotonic()) if day is not None else 0
        return own + self._others.get(caller, 0)

    def take_fresh(self) -> dict[str, int]:
        """Return the calls of callers that were not told to others yet, and take them for told."""
        fresh, self._fresh = self._fresh, {}
        return fresh

    def put_back(self, fresh: dict[str, int]) -> None:
        """Take calls for not told again, because the telling failed."""
        for caller, calls in fresh.items():
            self._fresh[caller] = self._fresh.get(caller, 0) + calls

    def callers(self) -> list[str]:
        """Return the callers whose calls are counted here."""
        return list(self._callers)

    def heard_of(self, totals: dict[str, int]) -> None:
        """Take in what all processes together have counted of callers in 24 hours, what this one told too."""
        now = self._clock.monotonic()
        self._others = {
            caller: max(0, total - (self._callers[caller].total(now) - self._fresh.get(caller, 0)))
            for caller, total in totals.items()
            if caller in self._callers
        }

    def _admit_load(self, now: float, calls: int) -> None:
        if not self._closed(now, calls):
            return
        if now - self._looked_at() < self._config.recheck_seconds:
            limit = self._limit
            left = f"{limit.remaining} of {limit.allowed}" if limit is not None else "none"
            raise Parked(
                f"The org has {left} API requests left, and loads leave {self._config.reserve_percent:g} percent "
                "untouched; the load goes on by itself.",
                until=self._until(now),
            )
        # One call goes out to learn the figure; those behind it wait for its answer, or for the next time.
        self._heard_at = now
        if self._spent_at is not None:
            self._spent_at = now

    def _admit_caller(self, caller: str, now: float, calls: int) -> None:
        day = self._callers.get(caller)
        if day is None:
            if len(self._callers) >= _CALLERS:
                self._callers = {name: kept for name, kept in self._callers.items() if kept.total(now)}
            day = self._callers.setdefault(caller, _Day())
        share, used = self._share(), day.total(now) + self._others.get(caller, 0)
        if share is not None and used + calls > share:
            raise CallerShareSpent(
                f"{caller} has used {used} API requests of the org in 24 hours; the share of one caller is "
                f"{share}. It frees hour by hour; an administrator sets it (ORGBRIDGE_API_CALLER_PERCENT)."
            )
        day.add(calls, now)
        self._fresh[caller] = self._fresh.get(caller, 0) + calls

    def _closed(self, now: float, calls: int) -> bool:
        """Tell whether loads must wait, as far as is known."""
        if self._spent_at is not None:
            return True
        if self._limit is None:
            return False
        left = self._limit.remaining - self._since_heard - calls
        if left < self._reserve(self._limit.allowed):
            return True
        if self._limit.app_allowed is None or self._limit.app_used is None:
            return False
        left = self._limit.app_allowed - self._limit.app_used - self._since_heard - calls
        return left < self._reserve(self._limit.app_allowed)

    def _looked_at(self) -> float:
        return max(self._heard_at, self._spent_at or 0.0)

    def _until(self, now: float) -> Any:
        wait = max(0.0, self._looked_at() + self._config.recheck_seconds - now)
        return self._clock.now() + timedelta(seconds=wait)

    def _reserve(self, allowed: int) -> int:
        return int(allowed * self._config.reserve_percent / 100)

    def _share(self) -> int | None:
        if self._limit is None or self._config.caller_percent >= 100:
            return None
        return int(self._limit.allowed * self._config.caller_percent / 100)
