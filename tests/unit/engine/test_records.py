"""Records of result pages are counted and joined exactly."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orgbridge.engine.records import RecordCounter, without_header

_ROWS = st.lists(st.lists(st.text(alphabet='a"\n\r,ü', max_size=6), min_size=2, max_size=2), max_size=8)


@given(_ROWS, st.integers(1, 7), st.booleans())
def test_the_count_does_not_depend_on_how_the_bytes_come(rows: list[list[str]], size: int, whole: bool) -> None:
    """Whatever the cells hold and wherever the blocks are cut, each record counts once."""
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    data = text.getvalue().encode()
    if not whole:
        data = data.removesuffix(b"\n")
    counter = RecordCounter()
    for start in range(0, len(data), size):
        counter.add(data[start : start + size])
    assert counter.records == len(rows)


@pytest.mark.parametrize("size", [1, 3, 100])
async def test_a_page_loses_its_header_and_nothing_else(size: int) -> None:
    """The header goes, wherever the blocks are cut."""
    data = b'"Name","Id"\n"a\nb","1"\n"c","2"\n'

    async def blocks() -> AsyncIterator[bytes]:
        for start in range(0, len(data), size):
            yield data[start : start + size]

    assert b"".join([block async for block in without_header(blocks())]) == b'"a\nb","1"\n"c","2"\n'
