"""Records of result pages are counted and joined exactly."""

from __future__ import annotations

import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from orgbridge.engine.records import RecordCounter

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
