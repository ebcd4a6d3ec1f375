"""API calls of the day, the header that tells them, and requests by route for whoever tests.

Source: facts/salesforce/rest.md section 1 (`Sforce-Limit-Info: api-usage=18/5000`), section 5 (rolling 24 hours).
"""

from __future__ import annotations

import threading
from collections import Counter
from datetime import timedelta

from orgbridge.emulator.storage.counters import get_meta, set_meta
from orgbridge.emulator.storage.database import Storage
from orgbridge.kit.clock import Clock
from orgbridge.wire.dates import bulk_datetime, parse_datetime

_DAY = timedelta(hours=24)
_CALLS, _SINCE = "api.calls", "api.since"


class Usage:
    """Counts API calls in memory and saves the count now and then.

    Assumed: the platform's rolling day is a day that starts with its first call here.

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
        self._calls, self._saved, self._since = 0, 0, clock.now()
        self.load()

    def load(self) -> None:
        """Take the count that is saved, in place of the present one."""
        with self._storage.read() as connection:
            calls, since = get_meta(connection, _CALLS), get_meta(connection, _SINCE)
        with self._lock:
            self._calls = self._saved = int(calls or 0)
            self._since = parse_datetime(since or "") or self._clock.now()

    def clear(self) -> None:
        """Forget the requests by route."""
        with self._lock:
            self._routes.clear()

    def count(self) -> bool:
        """Count one call; False when the day's calls were spent already."""
        with self._lock:
            now = self._clock.now()
            if now - self._since >= _DAY:
                self._calls, self._since = 0, now
            if self._calls >= self.daily_limit:
                return False
            self._calls += 1
            return True

    def count_route(self, route: str) -> None:
        """Count one request of a route, such as `GET /services/data`."""
        with self._lock:
            self._routes[route] += 1

    @property
    def calls(self) -> int:
        """Calls of the day so far."""
        with self._lock:
            return self._calls

    @property
    def remaining(self) -> int:
        """Calls left of the day."""
        return max(0, self.daily_limit - self.calls)

    @property
    def header(self) -> str:
        """Value of `Sforce-Limit-Info`, without a suffix: some readers take nothing else."""
        return f"api-usage={self.calls}/{self.daily_limit}"

    def routes(self) -> dict[str, int]:
        """Return the requests since the start, by route."""
        with self._lock:
            return dict(sorted(self._routes.items()))

    def save(self) -> None:
        """Save the count if it changed."""
        with self._lock:
            calls, since = self._calls, bulk_datetime(self._since)
            if calls == self._saved:
                return
            self._saved = calls
        with self._storage.write() as connection:
            set_meta(connection, _CALLS, str(calls))
            set_meta(connection, _SINCE, since)
