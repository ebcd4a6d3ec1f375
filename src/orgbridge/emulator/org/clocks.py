"""The org's own time: the machine's, moved or stopped by whoever tests. It outlives a restart with the org.

System fields, date literals, sessions, the day's API calls and the life of cursors follow it; sleeps and durations
do not.
"""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

from orgbridge.emulator.storage.counters import get_meta, set_meta
from orgbridge.emulator.storage.database import Storage
from orgbridge.kit.clock import Clock
from orgbridge.kit.json import JSON, dumps, loads

_KEY = "clock"
#: Instants that the org can show: what SOQL takes as a date. Source: facts/salesforce/soql.md section 2.
_FIRST_YEAR, _LAST_YEAR = 1700, 4000


class ClockError(ValueError):
    """The clock cannot be moved there; it stays as it was."""


class OrgClock:
    """A clock that runs with another one, at a distance, or stands still.

    Args:
        base: The clock that it follows.
    """

    def __init__(self, base: Clock) -> None:
        self._base = base
        self._lock = threading.Lock()
        self._ahead = timedelta()
        self._frozen_at: datetime | None = None

    @property
    def ahead(self) -> timedelta:
        """Distance to the machine's clock."""
        return self.now() - self._base.now() if self._frozen_at else self._ahead

    @property
    def is_frozen(self) -> bool:
        """True while it stands still."""
        return self._frozen_at is not None

    def now(self) -> datetime:
        """Return the org's present instant, aware, in UTC."""
        frozen = self._frozen_at
        return frozen if frozen is not None else self._base.now() + self._ahead

    def monotonic(self) -> float:
        """Return seconds from an arbitrary start; moving the clock does not touch them."""
        return self._base.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Give the event loop away for so many of the machine's seconds."""
        await self._base.sleep(seconds)

    def set(self, now: datetime) -> None:
        """Make it that instant; the clock goes on from there, or stands there when it stands still.

        Raises:
            ClockError: The instant is without offset, or outside the years that an org knows.
        """
        if now.tzinfo is None:
            raise ClockError("an instant needs its offset, e.g. 2026-01-31T12:00:00Z")
        if not _FIRST_YEAR < now.year < _LAST_YEAR:
            raise ClockError(f"the year must lie between {_FIRST_YEAR} and {_LAST_YEAR}")
        with self._lock:
            self._ahead = now - self._base.now()
            if self._frozen_at is not None:
                self._frozen_at = now

    def advance(self, seconds: float) -> None:
        """Move it by so many seconds, back if negative.

        Raises:
            ClockError: It would leave the years that an org knows.
        """
        try:
            self.set(self.now() + timedelta(seconds=seconds))
        except OverflowError as error:
            raise ClockError("that is too far") from error

    def freeze(self) -> None:
        """Stop it where it is."""
        with self._lock:
            self._frozen_at = self._frozen_at or self._base.now() + self._ahead

    def run(self) -> None:
        """Let it go on from where it stands."""
        with self._lock:
            if self._frozen_at is not None:
                self._ahead = self._frozen_at - self._base.now()
                self._frozen_at = None

    def restart(self) -> None:
        """Bring it back to the machine's time."""
        with self._lock:
            self._ahead, self._frozen_at = timedelta(), None

    def save(self, storage: Storage) -> None:
        """Keep how it stands."""
        with self._lock:
            frozen = self._frozen_at.isoformat() if self._frozen_at else None
            text = dumps({"ahead": self._ahead.total_seconds(), "frozen": frozen}).decode()
        with storage.write() as connection:
            set_meta(connection, _KEY, text)

    def load(self, storage: Storage) -> None:
        """Stand as was kept, or run with the machine's when nothing was."""
        with storage.read() as connection:
            text = get_meta(connection, _KEY)
        kept: dict[str, JSON] = loads(text) if text else {"ahead": 0.0, "frozen": None}
        with self._lock:
            self._ahead = timedelta(seconds=kept["ahead"])
            self._frozen_at = datetime.fromisoformat(kept["frozen"]) if kept["frozen"] else None
