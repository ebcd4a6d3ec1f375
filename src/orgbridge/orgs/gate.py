"""The gate of an org: every call of its client passes the budget first, then waits for its turn."""

from __future__ import annotations

from orgbridge.client import LimitInfo
from orgbridge.client.errors import (
    ClientError,
    ConcurrencyExceeded,
    RequestLimitExceeded,
    ServerUnavailable,
)
from orgbridge.orgs.budget import Budget
from orgbridge.orgs.concurrency import Concurrency
from orgbridge.orgs.uses import present_use


class OrgGate:
    """Budget and concurrency of one org, as its client sees them."""

    def __init__(self, budget: Budget, concurrency: Concurrency) -> None:
        self._budget = budget
        self._concurrency = concurrency

    async def enter(self) -> None:
        """Let a call out.

        Raises:
            Parked: It is a load's, and loads must wait. Nothing was sent.
            CallerShareSpent: Its caller's share is used up. Nothing was sent.
            QueueTimedOut: Its turn did not come in time. Nothing was sent.
        """
        use = present_use()
        self._budget.admit(use)
        await self._concurrency.acquire(use.kind)

    def leave(self, *, answered: bool) -> None:
        """Give its slot back."""
        self._concurrency.release(answered=answered)

    def heard(self, limit: LimitInfo) -> None:
        """Hand the limit to the budget."""
        self._budget.heard(limit)

    def failed(self, error: ClientError) -> None:
        """Tell overload from a spent quota; any other failure says nothing about either."""
        match error:
            case ConcurrencyExceeded() | ServerUnavailable():
                self._concurrency.shrink()
            case RequestLimitExceeded(status=429):
                # Not the core platform's: something before it asks for less.
                self._concurrency.shrink()
            case RequestLimitExceeded():
                self._budget.spent()
            case _:
                return
