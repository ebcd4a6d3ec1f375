"""Rows joined without a parser are those that a parser reads, or none."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orgbridge.loads.digests import joined_texts
from orgbridge.loads.joinedrows import SEPARATOR, joined_cells, joined_rows

_CELLS = st.text(alphabet='a,"\n\r ü\x1f', max_size=5)
_PLAIN = st.text(alphabet="ab ü'", max_size=5)


@given(
    rows=st.integers(1, 4).flatmap(
        lambda width: st.lists(st.lists(_CELLS | _PLAIN, min_size=width, max_size=width), min_size=1, max_size=6)
    ),
    quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
    ending=st.sampled_from(["\n", "\r\n"]),
)
@example(rows=[["x", "y"], [",", "b"]], quoting=csv.QUOTE_ALL, ending="\n")
@example(rows=[['","', '"\n"'], ["", ""]], quoting=csv.QUOTE_ALL, ending="\n")
@example(rows=[["\n", ","], [",", "\n"]], quoting=csv.QUOTE_ALL, ending="\n")
def test_what_is_joined_is_what_a_parser_reads(rows: list[list[str]], quoting: int, ending: str) -> None:
    """For any cells, quoted all or where needed: the same rows, cells and digests, or the parser is asked."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=ending, quoting=quoting).writerows(rows)  # type: ignore[arg-type] # one of the names
    found = joined_rows(text.getvalue().encode(), ",", len(rows[0]))
    if found is None:
        return
    assert [row.decode().split("\x1f") for row in found] == rows
    assert [joined_cells(found, place) for place in range(len(rows[0]))] == [
        list(column) for column in zip(*rows, strict=True)
    ]
    assert found == joined_texts(rows, len(rows[0]), text.getvalue())


@pytest.mark.parametrize(
    ("chunk", "rows"),
    [
        (b"a,b\nc,d\n", [b"a\x1fb", b"c\x1fd"]),
        (b"a,b\r\nc,d\r\n", [b"a\x1fb", b"c\x1fd"]),
        (b'"a","b"\n"","two\nlines"\n', [b"a\x1fb", b"\x1ftwo\nlines"]),
        (b'"a","b, c"\r\n"c","d"\r\n', [b"a\x1fb, c", b"c\x1fd"]),
    ],
)
def test_common_chunks_need_no_parser(chunk: bytes, rows: list[bytes]) -> None:
    """Nothing quoted, or everything: these are joined."""
    assert joined_rows(chunk, ",", 2) == rows


@pytest.mark.parametrize(
    "chunk",
    [
        b'"a",b\nc,d\n',
        b'"a ""b""","c"\n',
        b"a,b\nc\n",
        b"a,b",
        b"a,b\n\nc,d\n",
        b"a,b\nc,d\r\n",
        b"a" + SEPARATOR + b",b\n",
        b"",
    ],
)
def test_what_is_not_certain_is_left_to_the_parser(chunk: bytes) -> None:
    """Some cells quoted, quotes in cells, other widths, blank lines, mixed endings, our own separator."""
    assert joined_rows(chunk, ",", 2) is None
