"""Blocks that are made in threads come as they were made."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orgbridge.engine.streams import in_threads


@settings(max_examples=25, deadline=None)
@given(sizes=st.lists(st.sampled_from([0, 1, 262_144, 1 << 20]), max_size=9))
async def test_blocks_come_in_order_from_other_threads(sizes: list[int]) -> None:
    """Small or large, empty ones too, none is lost, joined or made on the loop's thread."""
    threads = set()

    def blocks() -> Iterator[bytes]:
        for number, size in enumerate(sizes):
            threads.add(threading.get_ident())
            yield bytes([number]) * size

    found = [block async for block in in_threads(blocks)]
    assert found == [bytes([number]) * size for number, size in enumerate(sizes)]
    assert threading.get_ident() not in threads


async def test_what_the_iterator_raises_ends_the_stream() -> None:
    """A consumer that counts on the end of a stream never sees one."""

    def blocks() -> Iterator[bytes]:
        yield b"x"
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        [block async for block in in_threads(blocks)]
