"""Rows of one parent: their bucket, the packing into parts, and the way back to file order."""

from __future__ import annotations

import csv
import io
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orgbridge.loads.grouping import (
    BUCKETS,
    GroupedRow,
    Packing,
    PartRoom,
    bucket_of,
    group_place,
    grouped_rows,
    merged_by_line,
)

_CELLS = st.text(st.characters(exclude_categories=("Cs", "Cc"), include_characters='\n",'), max_size=8)


def _dealt(rows: list[GroupedRow], room: PartRoom) -> dict[tuple[int, int], list[GroupedRow]]:
    counts, sizes = [0] * BUCKETS, [0] * BUCKETS
    for row in rows:
        counts[row.bucket] += 1
        sizes[row.bucket] += len(row.record) + 1
    packing = Packing(counts, sizes, room)
    parts: dict[tuple[int, int], list[GroupedRow]] = defaultdict(list)
    for row in rows:
        parts[packing.deal(row)].append(row)
    return parts


@given(
    parents=st.lists(st.integers(0, 12), min_size=1, max_size=120),
    most=st.integers(1, 30),
    first=st.one_of(st.none(), st.integers(1, 10)),
    largest=st.integers(20, 400),
)
def test_every_row_goes_into_one_part_with_its_parent(
    parents: list[int], most: int, first: int | None, largest: int
) -> None:
    """Parts hold each row once in file order, keep their limits, and a parent leaves its pack never."""
    room = PartRoom(rows=most, bytes=largest, first_rows=first)
    rows = [
        GroupedRow(row=number, line=number + 1, bucket=bucket_of(f"P{parent}", number), record=b"x" * (parent + 2))
        for number, parent in enumerate(parents, 1)
    ]
    parts = _dealt(rows, room)
    assert sorted(row.row for part in parts.values() for row in part) == [row.row for row in rows]
    packs: dict[int, set[int]] = defaultdict(set)
    chained: dict[int, list[GroupedRow]] = defaultdict(list)
    for segment, pack in sorted(parts):
        part = parts[segment, pack]
        assert [row.row for row in part] == sorted(row.row for row in part)
        assert len(part) <= most
        assert sum(len(row.record) + 1 for row in part) <= largest
        for row in part:
            packs[row.bucket].add(pack)
        chained[pack] += part
    assert all(len(found) == 1 for found in packs.values())
    for pack, pack_rows in chained.items():
        # A chain goes through the file once, from its beginning to its end.
        assert [row.row for row in pack_rows] == sorted(row.row for row in pack_rows)
        fits = len(pack_rows) <= most and sum(len(row.record) + 1 for row in pack_rows) <= largest
        if fits and not (pack == 0 and first is not None):
            assert (1, pack) not in parts
    if first is not None:
        assert len(parts[0, 0]) <= first


@given(cells=st.lists(st.tuples(_CELLS, _CELLS), min_size=1, max_size=20))
def test_rows_of_a_chunk_keep_their_bytes_and_their_lines(cells: list[tuple[str, str]]) -> None:
    """The records of a chunk are its bytes again, each on the line on which it begins."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerows(cells)
    chunk = text.getvalue().encode()
    rows = list(grouped_rows(chunk, delimiter=",", place=1, row=5, line=9, line_is_row=False))
    assert b"".join(row.record for row in rows) == chunk
    line = 9
    for number, (row, (_, parent)) in enumerate(zip(rows, cells, strict=True), 5):
        assert (row.row, row.line, row.bucket) == (number, line, bucket_of(parent, number))
        line += row.record.count(b"\n")


def test_words_that_salesforce_takes_for_one_parent_share_a_bucket() -> None:
    """Both forms of an id are one parent, and so are words that differ in case; blanks are spread."""
    assert bucket_of("001000000000001", 1) == bucket_of("001000000000001AAA", 2) != bucket_of("001000000000002", 1)
    assert bucket_of("Acme ", 1) == bucket_of("ACME", 9)
    assert len({bucket_of(" ", row) for row in range(50)}) == 50


def test_a_column_is_found_by_its_name_or_by_the_only_one_like_it() -> None:
    """The very name wins; without it case is left out of account unless two columns are meant then."""
    assert group_place(("a", "A", "Parent"), "A") == 1
    assert group_place(("a", "A", "Parent"), "parent") == 2
    assert group_place(("aB", "Ab"), "ab") is None
    assert group_place(("x",), "y") is None


@given(lines=st.lists(st.integers(0, 4), min_size=1, max_size=200), quoted=st.booleans())
def test_results_come_back_in_the_order_of_their_lines(lines: list[int], quoted: bool) -> None:
    """Files that share out the lines are merged to the file that they came from, byte for byte."""
    cell = '"a\r\nb"' if quoted else "ab"
    records = [f"{number},succeeded,{cell}\r\n".encode() for number in range(2, 2 + len(lines))]
    files = [
        [b"".join(record for record, place in zip(records, lines, strict=True) if place == one)] for one in range(5)
    ]
    assert b"".join(merged_by_line(files)) == b"".join(records)


def test_a_line_that_comes_twice_is_refused() -> None:
    """Two files with one line cannot be a load's results."""
    with pytest.raises(ValueError, match="line 3 comes after line 3"):
        list(merged_by_line([[b"2,a\n3,a\n"], [b"3,b\n"]]))
