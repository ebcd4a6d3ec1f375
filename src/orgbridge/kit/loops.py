"""Loops of workers: the edge of a turn, at which whatever goes wrong is told and the next turn comes all the same; and
several things done at once, though not all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from structlog.typing import FilteringBoundLogger

from orgbridge.kit.errors import OrgbridgeError

_T = TypeVar("_T")


async def for_each(items: Iterable[_T], do: Callable[[_T], Awaitable[object]], *, at_once: int) -> None:
    """Do something for each of some items, for so many at once; the first one that raises ends the others.

    Args:
        items: For which.
        do: What.
        at_once: For how many at the same time.

    Raises:
        ExceptionGroup: What `do` raised.
    """
    slots = asyncio.Semaphore(at_once)

    async def one(item: _T) -> None:
        async with slots:
            await do(item)

    async with asyncio.TaskGroup() as group:
        for item in items:
            group.create_task(one(item))


@contextmanager
def outlived(log: FilteringBoundLogger, event: str) -> Iterator[None]:
    """Outlive what a turn of a loop raises: an outage is a warning, a fault of our own an error with its traceback.

    Args:
        log: Whose words it is told in.
        event: What the line is called, e.g. `engine.dispatch_failed`.
    """
    try:
        yield
    except (OrgbridgeError, OSError) as error:
        log.warning(event, cause=f"{type(error).__name__}: {error}")
    except Exception as error:
        log.error(event, cause=f"{type(error).__name__}: {error}", exc_info=error)
