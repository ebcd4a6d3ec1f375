"""Trying again, for as long as the configuration allows, while Salesforce or the store is away."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from orgbridge.engine.config import WorkerConfig
from orgbridge.engine.faults import transient
from orgbridge.kit.clock import Clock
from orgbridge.kit.errors import OrgbridgeError
from orgbridge.kit.logs import get_logger
from orgbridge.store.errors import StoreUnavailable

T = TypeVar("T")
_log = get_logger(__name__)


class Patience:
    """How long one step bears with transient errors. Make a new one for each step; success renews it."""

    def __init__(self, config: WorkerConfig, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._since: float | None = None
        self._pause = config.pause_seconds

    def renew(self) -> None:
        """Forget past failures: something succeeded."""
        self._since = None
        self._pause = self._config.pause_seconds

    async def bear(self, error: Exception, *, may_pass: bool | None = None) -> None:
        """Wait a while if the error may pass.

        Args:
            error: What happened.
            may_pass: What the caller knows about it; None: as `faults.transient` judges.

        Raises:
            Exception: The error itself, when it will not pass or the patience is spent.
        """
        now = self._clock.monotonic()
        if self._since is None:
            self._since = now
        passing = transient(error) if may_pass is None else may_pass
        # Without the store nothing can be accounted for, so there is no giving up on it: a worker on PostgreSQL loses
        # its lease first, one on SQLite waits until its disk is back.
        endless = isinstance(error, StoreUnavailable)
        if not passing or (not endless and now - self._since + self._pause > self._config.patience_seconds):
            raise error
        _log.warning("engine.waiting", cause=str(error), pause_seconds=round(self._pause, 1))
        await self._clock.sleep(self._pause)
        self._pause = min(self._pause * 2, self._config.longest_pause_seconds)

    async def until_done(self, operation: Callable[[], Awaitable[T]]) -> T:
        """Run an operation whose repetition does no harm until it succeeds.

        Raises:
            Exception: The operation's own error, when it will not pass or the patience is spent.
        """
        while True:
            try:
                result = await operation()
            except (OrgbridgeError, OSError) as error:
                await self.bear(error)
            else:
                self.renew()
                return result
