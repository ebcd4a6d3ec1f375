"""Rows of one parent in one part: which bucket a row falls into, which buckets make a part, and back to file order.

A load's rows are dealt out to many small buckets by a hash of the parent that they name; whole buckets are then packed
into parts. A bucket that is larger than a part (a hot parent) is cut in file order into parts that run one after
another. Everything follows from the rows alone, so that doing it again gives the same parts.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from orgbridge.loads.records import MASKED_LF, masked_records, parse_chunk, record_chunks, unmasked
from orgbridge.wire.ids import to_18

#: Buckets of a load: many for each part, so that parts come out evenly full and few parents share a bucket.
BUCKETS: Final = 1 << 14
#: Bytes read of each file at a time where many files are merged.
_MERGE_BYTES: Final = 1 << 14
#: Rows that are written at once where files are merged.
_MERGED_ROWS: Final = 512
#: Parts that are looked at for room: packing stays linear, however many parts there are.
_LOOKED_AT: Final = 64
_ID_CHARS: Final = 15


def group_place(header: Sequence[str], name: str) -> int | None:
    """Return the place of a column: by its very name, else by the only one that differs in case alone."""
    if name in header:
        return header.index(name)
    folded = [place for place, known in enumerate(header) if known.casefold() == name.casefold()]
    return folded[0] if len(folded) == 1 else None


def bucket_of(cell: str, row: int) -> int:
    """Return the bucket of a row.

    Cells that Salesforce takes for the same parent fall into one: case and outer blanks are left out of account, and
    the two forms of an id are one.

    Args:
        cell: What stands in the column of the parent; rows where nothing does are spread.
        row: Number of the row in the input.
    """
    text = cell.strip()
    if not text:
        return row % BUCKETS
    if len(text) == _ID_CHARS:
        text = to_18(text) or text
    digest = hashlib.blake2b(text.casefold().encode(), digest_size=8, person=b"parent").digest()
    return int.from_bytes(digest, "big") % BUCKETS


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupedRow:
    """One row on its way to its part."""

    #: Its number in the input, from 1.
    row: int
    #: The line on which it begins.
    line: int
    #: Its bucket.
    bucket: int
    #: Its bytes, ending included.
    record: bytes


def grouped_rows(
    chunk: bytes, *, delimiter: str, place: int, row: int, line: int, line_is_row: bool
) -> Iterator[GroupedRow]:
    """Yield the rows of a chunk of good records.

    Args:
        chunk: Whole records.
        delimiter: How cells are parted.
        place: The column of the parent, from 0.
        row: Number of the first record.
        line: Line on which it begins.
        line_is_row: Whether a record counts as one line.
    """
    records = masked_records(chunk)
    for record, cells in zip(records, parse_chunk(chunk.decode(), delimiter), strict=True):
        cell = cells[place] if place < len(cells) else ""
        yield GroupedRow(row=row, line=line, bucket=bucket_of(cell, row), record=unmasked(record))
        row += 1
        line += 1 if line_is_row else 1 + record.count(MASKED_LF)


@dataclass(frozen=True, slots=True, kw_only=True)
class PartRoom:
    """What a part holds at most."""

    rows: int
    #: Bytes of records, each counted one byte longer: its ending may grow in the upload.
    bytes: int
    #: Rows of the very first part; None: as of the others.
    first_rows: int | None = None


class Packing:
    """Buckets dealt out to packs: each pack is one part, or several in a chain when its only bucket is too large."""

    def __init__(self, rows: Sequence[int], sizes: Sequence[int], room: PartRoom) -> None:
        """Pack.

        Args:
            rows: Rows of each bucket.
            sizes: Bytes of each bucket, as `PartRoom` counts them.
            room: What a part holds.
        """
        self._room = room
        self._pack_of = [-1] * len(rows)
        left = sorted((number for number, count in enumerate(rows) if count), key=lambda n: (-rows[n], n))
        self._packs = 0
        if room.first_rows is not None and left:
            left = self._pack_first(left, rows, sizes, room.first_rows)
        looked_at: list[list[int]] = []
        for number in left:
            fitting = next(
                (one for one in looked_at if one[1] >= rows[number] and one[2] >= sizes[number]),
                None,
            )
            if fitting is None:
                fitting = [self._packs, room.rows, room.bytes]
                self._packs += 1
                looked_at.append(fitting)
                del looked_at[:-_LOOKED_AT]
            self._pack_of[number] = fitting[0]
            # What is too large for any part leaves a pack without room, which nothing else goes into.
            fitting[1] -= rows[number]
            fitting[2] -= sizes[number]
        #: Of each pack: the segment that is being filled, its rows and bytes.
        self._filling = [[0, 0, 0] for _ in range(self._packs)]

    def _pack_first(self, left: list[int], rows: Sequence[int], sizes: Sequence[int], most: int) -> list[int]:
        """Fill the first pack with small buckets; return those that are left."""
        self._packs, count, size = 1, 0, 0
        taken: list[int] = []
        for number in reversed(left):
            if taken and (count + rows[number] > most or size + sizes[number] > self._room.bytes):
                break
            taken.append(number)
            count, size = count + rows[number], size + sizes[number]
            self._pack_of[number] = 0
        return left[: len(left) - len(taken)]

    def deal(self, row: GroupedRow) -> tuple[int, int]:
        """Return where a row goes: the segment of its pack, 0 but for chains, and the pack. Rows come in file order."""
        pack = self._pack_of[row.bucket]
        filling = self._filling[pack]
        size = len(row.record) + 1
        most = self._room.rows
        if pack == 0 and filling[0] == 0 and self._room.first_rows is not None:
            most = min(most, self._room.first_rows)
        if filling[1] and (filling[1] >= most or filling[2] + size > self._room.bytes):
            filling[:] = [filling[0] + 1, 0, 0]
        filling[1] += 1
        filling[2] += size
        return filling[0], pack


def merged_by_line(files: Iterable[Iterable[bytes]]) -> Iterator[bytes]:
    """Yield the records of several results files in the order of their lines. Each file is in this order.

    Memory is a few blocks of each file.

    Args:
        files: Blocks of each, without header; all are open at once.

    Raises:
        ValueError: A line comes twice, or a file is out of order.
    """
    out: list[bytes] = []
    last = 0
    for line, record in heapq.merge(*map(_numbered, files)):
        if line <= last:
            raise ValueError(f"line {line} comes after line {last}")
        last = line
        out.append(record)
        if len(out) >= _MERGED_ROWS:
            yield unmasked(b"".join(out))
            out.clear()
    if out:
        yield unmasked(b"".join(out))


def _numbered(blocks: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    for chunk in record_chunks(blocks, size=_MERGE_BYTES):
        for record in masked_records(chunk):
            digits = 0
            while record[digits : digits + 1].isdigit():
                digits += 1
            yield int(record[:digits]), record
