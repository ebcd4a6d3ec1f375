"""What every call passes on its way out: by default a fixed number of calls at once; callers may give another gate.

A gate that raises keeps the call from being sent at all, so its errors always mean: nothing has happened.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from orgbridge.client.errors import ClientError
from orgbridge.client.replies import LimitInfo


class Gate(Protocol):
    """Lets calls out, and hears what became of them."""

    async def enter(self) -> None:
        """Wait until a call may go out. What this raises reaches the caller as it is; nothing was sent."""

    def leave(self, *, answered: bool) -> None:
        """Take note that the call is over, and whether Salesforce carried it out."""

    def heard(self, limit: LimitInfo) -> None:
        """Take note of what a reply said about the org's limit."""

    def failed(self, error: ClientError) -> None:
        """Take note of a failure: it may mean that the org is overloaded, or its quota spent."""


class FixedGate:
    """So many calls at once, whatever Salesforce says."""

    def __init__(self, calls: int) -> None:
        self._slots = asyncio.Semaphore(calls)

    async def enter(self) -> None:
        """Wait for a slot."""
        await self._slots.acquire()

    def leave(self, *, answered: bool) -> None:
        """Give the slot back."""
        self._slots.release()

    def heard(self, limit: LimitInfo) -> None:
        """Take no note."""

    def failed(self, error: ClientError) -> None:
        """Take no note."""
