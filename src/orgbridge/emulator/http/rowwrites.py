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
from functools import partial
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
        #: Who waits for the commit that is to come; None when none is.
        self._waiting: list[asyncio.Future[None]] | None = None

    def may_join(self) -> bool:
        """Tell whether a save can be done now; `save` must follow before anything is awaited."""
        return self._storage.share()

    async def save(self, work: Callable[[], _T]) -> _T:
        """Do a save that opens its own `write()`, and return its value once it is committed.

        Raises:
            Exception: What `work` raised, at once; or what the commit raised, and then nothing of the transaction was
                kept.
        """
        loop = asyncio.get_running_loop()
        waiting = self._waiting
        if waiting is None:
            waiting = self._waiting = []
            # Its first step comes after all requests that have come in by now.
            loop.create_task(self._commit()).add_done_callback(partial(_tell, waiting))
        value = work()
        # Each has a future of its own: a caller that goes away must not take the others' commit with it.
        committed = loop.create_future()
        waiting.append(committed)
        await committed
        return value

    async def _commit(self) -> None:
        self._waiting = None
        self._storage.commit_shared()


def _tell(waiting: list[asyncio.Future[None]], commit: asyncio.Task[None]) -> None:
    """Let those who wait for a commit go on; what it raised, all of them get."""
    error = None if commit.cancelled() else commit.exception()
    for one in waiting:
        if one.done():
            continue
        if commit.cancelled():
            one.cancel()
        elif error is None:
            one.set_result(None)
        else:
            one.set_exception(error)
