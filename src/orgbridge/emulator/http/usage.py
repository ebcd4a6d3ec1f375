"""API calls of the day, the header that tells them, and requests by route for whoever tests.

Source: facts/salesforce/rest.md section 1 (`Sforce-Limit-Info: api-usage=18/5000`), section 5 (rolling 24 hours).
"""

from __future__ import annotations

import threading
from collections import Counter, deque

from orgbridge.emulator.storage.counters import get_meta, set_meta
from orgbridge.emulator.storage.database import Storage
from orgbridge.kit.clock import Clock
from orgbridge.kit.json import dumps, loads

_DAY_MINUTES = 24 * 60
_MINUTES = "api.minutes"


class Usage:
    """Counts API calls in memory and saves the count now and then.

    Calls are counted by the minute, so that each is forgotten 24 hours after it was made, give or take a minute.

    Args:
        storage: Where the count is saved.
        clock: The time.
        daily_limit: Calls allowed in a day.
    """

    def __init__(self, storage: Storage, clock: Clock, daily_limit: int) -> None:
        self._storage = storage
        self._clock = clock
        self.daily_limit = daily_limit
        self._lock = threading.Lock()
        self._routes: Counter[str] = Counter()
        self._calls, self._saved = 0, ""
        self._minutes: deque[list[int]] = deque()
        self.load()

    def load(self) -> None:
        """Take the count that is saved, in place of the present one."""
        with self._storage.read() as connection:
            text = get_meta(connection, _MINUTES)
        with self._lock:
            self._saved = text or "[]"
            self._minutes = deque(loads(text) if text else [])
            self._calls = sum(count for _, count in self._minutes)

    def clear(self) -> None:
        """Forget the requests by route."""
        with self._lock:
            self._routes.clear()

    def count(self) -> bool:
        """Count one call; False when the calls of the last 24 hours are spent already."""
        with self._lock:
            minute = self._forget()
            if self._calls >= self.daily_limit:
                return False
            self._calls += 1
            if self._minutes and self._minutes[-1][0] >= minute:
                self._minutes[-1][1] += 1
            else:
                self._minutes.append([minute, 1])
            return True

    def _forget(self) -> int:
        """Forget what was called more than 24 hours ago; return the present minute."""
        minute = int(self._clock.now().timestamp()) // 60
        while self._minutes and self._minutes[0][0] <= minute - _DAY_MINUTES:
            self._calls -= self._minutes.popleft()[1]
        return minute

    def count_route(self, route: str) -> None:
        """Count one request of a route, such as `GET /services/data`."""
        with self._lock:
            self._routes[route] += 1

    @property
    def calls(self) -> int:
        """Calls of the last 24 hours."""
        with self._lock:
            self._forget()
            return self._calls

    @property
    def remaining(self) -> int:
        """Calls left of the day."""
        return max(0, self.daily_limit - self.calls)

    @property
    def header(self) -> str:
        """Value of `Sforce-Limit-Info`, without a suffix: some readers take nothing else."""
        # As they stood when the call was counted: looking which were made longer ago is not for its reply to wait for.
        return f"api-usage={self._calls}/{self.daily_limit}"

    def routes(self) -> dict[str, int]:
        """Return the requests since the start, by route."""
        with self._lock:
            return dict(sorted(self._routes.items()))

    def save(self) -> None:
        """Save the count if it changed."""
        with self._lock:
            text = dumps(list(self._minutes)).decode()
            if text == self._saved:
                return
            self._saved = text
        with self._storage.write() as connection:
            set_meta(connection, _MINUTES, text)
