"""CSV as JSON lines and as a preview, in blocks of any size."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from orgbridge.services.streams import csv_rows, from_thread, ndjson, preview

_CELL = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=12)
_TABLE = st.integers(1, 4).flatmap(
    lambda width: st.lists(st.lists(_CELL, min_size=width, max_size=width), min_size=0, max_size=12).map(
        lambda rows: [[f"c{n}" for n in range(width)], *rows]
    )
)


def _written(rows: list[list[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n", quoting=csv.QUOTE_ALL).writerows(rows)
    return text.getvalue().encode()


def _blocks(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


@given(_TABLE, st.integers(1, 40))
def test_rows_come_back_whatever_the_blocks(rows: list[list[str]], size: int) -> None:
    """Cells with quotes, delimiters, line breaks and multi-byte text survive any cut into blocks."""
    assert list(csv_rows(_blocks(_written(rows), size))) == rows


@given(_TABLE, st.integers(1, 40))
def test_json_lines_hold_the_same_cells(rows: list[list[str]], size: int) -> None:
    """One object per record, keys from the header, values as text."""
    lines = b"".join(ndjson(_blocks(_written(rows), size))).splitlines(keepends=False)
    assert [json.loads(line) for line in lines] == [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]


@given(_TABLE, st.integers(1, 40), st.integers(1, 200), st.integers(1, 5))
def test_a_preview_is_whole_records_from_the_front(
    rows: list[list[str]], size: int, max_bytes: int, max_rows: int
) -> None:
    """It is a prefix of the file that ends with a record, within both limits, and says whether there is more."""
    data = _written(rows)
    seen = preview(_blocks(data, size), ",", max_bytes=max_bytes, max_rows=max_rows)
    kept = seen.csv.encode()
    assert data.startswith(kept)
    assert len(kept) <= max_bytes
    assert len(seen.rows) <= max_rows
    assert seen.truncated == (len(kept) < len(data))
    expected = [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]
    assert seen.rows == expected[: len(seen.rows)]


def test_a_short_file_is_previewed_whole() -> None:
    """A last record without a line ending is not cut off."""
    seen = preview(iter([b"a,b\n1,2\n3,4"]), ",", max_bytes=100, max_rows=10)
    assert (seen.csv, len(seen.rows), seen.truncated) == ("a,b\n1,2\n3,4", 2, False)


async def test_a_generator_in_a_thread_gives_all_its_bytes() -> None:
    """Small blocks are gathered, none is lost."""
    parts = [b"%d," % n for n in range(100_000)]
    blocks = [block async for block in from_thread(lambda: iter(parts))]
    assert b"".join(blocks) == b"".join(parts)
    assert len(blocks) < 10


def test_long_cells_are_read_and_nobody_elses_limit_is_moved() -> None:
    """The csv module's limit is the whole process's: the emulated org beside us counts on it."""
    before = csv.field_size_limit()
    rows = [["a", "b"], ["x" * 200_000, 'say "hi"'], ["y", "z"]]
    assert list(csv_rows(iter([_written(rows)]))) == rows
    assert csv.field_size_limit() == before == 131_072
