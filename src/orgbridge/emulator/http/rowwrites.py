"""Saves of single rows on the event loop: those that come in together share one transaction and one commit.

A save is short, and nothing can make it wait: it touches a few rows found by index (`Org.reaches_little`), and the
writer is free or the save goes to a thread. Going to a thread and back would cost more than the save. What costs most
of a save is its commit, which writes every page it touched; callers that save at the same time touch the same pages.
Each save is a savepoint of its own, so that one that is refused takes nothing from the others, and no caller is
answered before the commit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from orgbridge.emulator.storage.database import Storage

_T = TypeVar("_T")


class RowWrites:
    """The shared transaction of one event loop.

    Args:
        storage: What is written to.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._committed: asyncio.Task[None] | None = None

    def may_join(self) -> bool:
        """Tell whether a save can be done now; `save` must follow before anything is awaited."""
        return self._storage.share()

    async def save(self, work: Callable[[], _T]) -> _T:
        """Do a save that opens its own `write()`, and return its value once it is committed.

        Raises:
            Exception: What `work` raised, at once; or what the commit raised, and then nothing of the transaction was
                kept.
        """
        committed = self._committed
        if committed is None:
            # Its first step comes after all requests that have come in by now.
            committed = self._committed = asyncio.get_running_loop().create_task(self._commit())
        value = work()
        # A caller that goes away must not take the others' commit with it; what the commit raises, all of them get.
        await asyncio.shield(committed)
        return value

    async def _commit(self) -> None:
        self._committed = None
        self._storage.commit_shared()
