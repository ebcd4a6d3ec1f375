"""From blocking iterators to the event loop: blocks are made in a thread, some at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Final

#: Bytes after which the thread hands over what it has: what a change of threads costs is shared by so many.
_HANDED_OVER_BYTES: Final = 1 << 20


async def in_threads(blocks: Callable[[], Iterator[bytes]]) -> AsyncIterator[bytes]:
    """Yield the blocks of an iterator whose every turn may block."""
    iterator = await asyncio.to_thread(blocks)
    while some := await asyncio.to_thread(_next_blocks, iterator):
        for block in some:
            yield block


def _next_blocks(iterator: Iterator[bytes]) -> list[bytes]:
    found: list[bytes] = []
    size = 0
    for block in iterator:
        found.append(block)
        size += len(block)
        if size >= _HANDED_OVER_BYTES:
            break
    return found
