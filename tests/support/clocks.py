"""A clock whose hands a test moves."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta


class HandClock:
    """Stands still until it is moved. Sleeping moves it, so that nobody waits."""

    def __init__(self) -> None:
        self._start = datetime(2026, 1, 1, tzinfo=UTC)
        self._seconds = 1000.0

    def move(self, seconds: float) -> None:
        """Let so many seconds pass."""
        self._seconds += seconds

    def now(self) -> datetime:
        """Return the instant that the hands show."""
        return self._start + timedelta(seconds=self._seconds)

    def monotonic(self) -> float:
        """Return the seconds that the hands show."""
        return self._seconds

    async def sleep(self, seconds: float) -> None:
        """Let the seconds pass and give the loop away for one turn."""
        self._seconds += seconds
        await asyncio.sleep(0)
