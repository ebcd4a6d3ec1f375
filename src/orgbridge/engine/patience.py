"""Trying again, for as long as the configuration allows, while Salesforce or the store is away."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from orgbridge.client.errors import ConcurrencyExceeded, ConsentNeeded, RequestLimitExceeded
from orgbridge.engine.config import WorkerConfig
from orgbridge.engine.faults import fault_of, transient
from orgbridge.kit.clock import Clock
from orgbridge.kit.errors import OrgbridgeError
from orgbridge.kit.logs import get_logger
from orgbridge.kit.metrics import counter
from orgbridge.orgs.errors import Parked
from orgbridge.orgs.uses import calls_asked_for, calls_of_the_load
from orgbridge.store.errors import StoreUnavailable

T = TypeVar("T")
#: Told why the work waits; None once it goes on.
Tell = Callable[[str | None], Awaitable[None]]
#: Says whether somebody asked to stop the work.
Cancelled = Callable[[], Awaitable[bool]]
_log = get_logger(__name__)
_WAITS = counter(
    "orgbridge_engine_waits_total",
    "Pauses of the worker before something is tried again, by why: parked (the budget of loads), store, salesforce.",
    ("why",),
    known=("parked", "store", "salesforce"),
)


class Patience:
    """How long one step bears with transient errors. Make a new one for each step; success renews it.

    What alternates between two systems needs a patience for each: a store that answers would otherwise renew the
    patience with a Salesforce that does not, for ever.
    """

    def __init__(
        self, config: WorkerConfig, clock: Clock, tell: Tell | None = None, cancelled: Cancelled | None = None
    ) -> None:
        """Prepare to wait.

        Args:
            config: How long.
            clock: Time.
            tell: Told the cause at each pause, and None once it has passed.
            cancelled: Looked at while the work is parked: what is left to do of a stopped load does not wait for the
                budget of loads.
        """
        self._config = config
        self._clock = clock
        self._tell = tell
        self._cancelled = cancelled
        self._hurry: bool | None = None
        self._since: float | None = None
        self._began = ""
        self._told = False
        self._asked_for: str | None = None
        self._pause = config.pause_seconds

    async def renew(self) -> None:
        """Forget past failures: something succeeded."""
        self._since = None
        self._pause = self._config.pause_seconds
        if self._told and self._tell is not None:
            self._told, self._asked_for = False, None
            await self._tell(None)

    async def bear(self, error: Exception, *, may_pass: bool | None = None) -> None:
        """Wait a while if the error may pass.

        Args:
            error: What happened.
            may_pass: What the caller knows about it; None: as `faults.transient` judges.

        Raises:
            Exception: The error itself, when it will not pass or the patience is spent.
        """
        if isinstance(error, Parked):
            await self._park(error)
            return
        if isinstance(error, ConsentNeeded) and self._cancelled is not None:
            await self._await_consent(error)
            return
        is_spent = isinstance(error, RequestLimitExceeded) and not isinstance(error, ConcurrencyExceeded)
        if self._hurry and is_spent:
            # The day's requests are spent for everybody: parked it waits for new ones without losing patience.
            self._hurry = False
            calls_of_the_load()
            return
        now = self._clock.monotonic()
        if self._since is None:
            self._since = now
            self._began = f"{self._clock.now():%Y-%m-%d %H:%M:%S} UTC"
        passing = transient(error) if may_pass is None else may_pass
        # Without the store nothing can be accounted for, so there is no giving up on it: a worker on PostgreSQL loses
        # its lease first, one on SQLite waits until its disk is back.
        endless = isinstance(error, StoreUnavailable)
        if not passing or (not endless and now - self._since + self._pause > self._config.patience_seconds):
            raise error
        _WAITS.add("store" if endless else "salesforce")
        _log.warning("engine.waiting", cause=str(error), pause_seconds=round(self._pause, 1))
        if self._tell is not None and not endless:
            self._told = True
            await self._tell(
                f"Waiting since {self._began}, at most {self._config.patience_seconds:.0f} s: {fault_of(error).message}"
            )
        await self._clock.sleep(self._pause)
        self._pause = min(self._pause * 2, self._config.longest_pause_seconds)

    async def _await_consent(self, error: ConsentNeeded) -> None:
        """Wait until somebody mends the sign-in. It uses up no patience: nothing was sent, and nothing will be.

        Asking again costs nothing: the org's guard answers, and lets one sign-in out when it is time or when there are
        other credentials.

        Raises:
            ConsentNeeded: Somebody asked to stop the load, which cannot reach Salesforce to do more.
        """
        self._since = None
        if self._hurry is not None:
            raise error
        _log.info("engine.needs_reconsent", error=error.error, remedy=error.remedy)
        why = f"Parked: the org needs consent again (needs_reconsent). {error.cause} {error.remedy}"
        if self._tell is not None and self._asked_for != why:
            self._told, self._asked_for = True, why
            await self._tell(why)
        until = self._clock.monotonic() + self._config.longest_pause_seconds
        while (left := until - self._clock.monotonic()) > 0:
            await self._clock.sleep(min(left, self._config.cancel_look_seconds))
            if self._cancelled is not None and await self._cancelled():
                # Once more: what is left may need no Salesforce.
                self._hurry = True
                return

    async def _park(self, parked: Parked) -> None:
        """Wait for the org's budget. It uses up no patience: nothing failed, and nothing was sent.

        Asking again costs nothing, so it is done often: a person's reply may tell earlier that there is room.
        """
        self._since = None
        if await self._hurries():
            return
        rest = (parked.until - self._clock.now()).total_seconds()
        _WAITS.add("parked")
        _log.info("engine.parked", until=parked.until.isoformat(), cause=parked.message)
        if self._tell is not None:
            self._told = True
            await self._tell(f"Parked until {parked.until:%Y-%m-%d %H:%M:%S} UTC: {parked.message}")
        until = self._clock.monotonic() + min(max(rest, self._config.pause_seconds), self._config.longest_pause_seconds)
        while (left := until - self._clock.monotonic()) > 0:
            await self._clock.sleep(left if self._cancelled is None else min(left, self._config.cancel_look_seconds))
            if await self._hurries():
                return

    async def _hurries(self) -> bool:
        """Let calls out at once, like a person's, when somebody asked to stop the load: these few bring it to its end.

        It is tried once; where not even they are answered, the load waits on like others.
        """
        if self._hurry is not None or self._cancelled is None or not await self._cancelled():
            return False
        self._hurry = True
        calls_asked_for()
        return True

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
                await self.renew()
                return result
