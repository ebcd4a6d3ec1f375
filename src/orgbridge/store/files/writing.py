"""Whole files written through the one way in that every place for files offers: begin, add, finish or give up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Protocol

from orgbridge.store.files.protocol import StoredFile, Writing

#: Small chunks of a stream are gathered to this size before a thread is asked to write them.
_GATHER_BYTES = 256 * 1024


class _Place(Protocol):
    def begin(self, key: str) -> Writing: ...


async def write_stream(place: _Place, key: str, chunks: AsyncIterator[bytes]) -> StoredFile:
    """Store a stream of bytes; nothing is left of it when the stream raises."""
    writing = await asyncio.to_thread(place.begin, key)
    done = False
    gathered: list[bytes] = []
    size = 0
    try:
        async for chunk in chunks:
            gathered.append(chunk)
            size += len(chunk)
            if size >= _GATHER_BYTES:
                await asyncio.to_thread(writing.add, b"".join(gathered))
                gathered, size = [], 0
        if gathered:
            await asyncio.to_thread(writing.add, b"".join(gathered))
        stored = await asyncio.to_thread(writing.finish)
        done = True
        return stored
    finally:
        if not done:
            writing.give_up()


def write_blocks(place: _Place, key: str, blocks: Iterable[bytes]) -> StoredFile:
    """Store blocks of bytes; blocking, for threads. Nothing is left of them when the iterable raises."""
    writing = place.begin(key)
    done = False
    try:
        for block in blocks:
            writing.add(block)
        stored = writing.finish()
        done = True
        return stored
    finally:
        if not done:
            writing.give_up()
