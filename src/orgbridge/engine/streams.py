"""From blocking iterators to the event loop: each block is made in a thread."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator


async def in_threads(blocks: Callable[[], Iterator[bytes]]) -> AsyncIterator[bytes]:
    """Yield the blocks of an iterator whose every turn may block."""
    iterator = await asyncio.to_thread(blocks)
    while (block := await asyncio.to_thread(next, iterator, None)) is not None:
        yield block
