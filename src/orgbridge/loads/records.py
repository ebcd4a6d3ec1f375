"""Records of a CSV as bytes: where they begin and end, what their cells are. Nothing here changes a byte.

The quote is always `"`, doubled inside a quoted cell. Whether a byte lies inside quotes depends only on the number of
quotes before it, and a chunk that begins on a record boundary begins outside them; so all cutting is counting.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final

#: Bytes of a chunk. Smaller than any limit on a record, so that only a chunk that grew needs its records measured; the
#: speed of the checks does not depend on it from 32 to 256 KiB.
CHUNK_BYTES: Final = 1 << 16
#: Bytes after which a record without an end is given up: 400,000 characters take at most four bytes each.
OVERLONG_BYTES: Final = 1_600_000 + CHUNK_BYTES
#: A quote in so many bytes, or more often, is many; measured by benchmarks/splitting.py.
_DENSE_BYTES: Final = 25
#: Bytes that this is told from.
_SAMPLE_BYTES: Final = 2048
#: Stand for a line feed and a carriage return inside a cell; UTF-8 never has these bytes.
MASKED_LF: Final = b"\xff"
_MASKED_CR: Final = b"\xfe"
_MASKING: Final = bytes.maketrans(b"\n\r", MASKED_LF + _MASKED_CR)
_UNMASKING: Final = bytes.maketrans(MASKED_LF + _MASKED_CR, b"\n\r")


def reblock(blocks: Iterable[bytes], size: int = CHUNK_BYTES) -> Iterator[bytes]:
    """Yield the same bytes in blocks of `size` bytes (the last may be shorter)."""
    held: list[bytes] = []
    count = 0
    for block in blocks:
        start = 0
        while count + len(block) - start >= size:
            piece = block[start : start + size - count]
            start += len(piece)
            if held:
                held.append(piece)
                piece = b"".join(held)
                held.clear()
                count = 0
            yield piece
        if start < len(block):
            held.append(block[start:])
            count += len(block) - start
    if held:
        yield b"".join(held)


def is_dense(data: bytes) -> bool:
    """Tell whether so many cells are quoted that taking `data` apart at each quote costs more than it tells."""
    sample = min(len(data), _SAMPLE_BYTES)
    return data.count(b'"', 0, sample) * _DENSE_BYTES > sample


def cut_at_record(data: bytes) -> tuple[int, list[bytes] | None]:
    """Return where the last whole record of `data` ends (0 if there is none), and the segments before that place.

    Segments are what stands between quotes: outside, inside, outside and so on; None when there are no quotes, or very
    many. Taking them apart is the dear step of all checks, so whoever cuts hands them on.

    Args:
        data: Bytes that begin at the beginning of a record.
    """
    if b'"' not in data:
        return data.rfind(b"\n") + 1, None
    if is_dense(data):
        return _cut_by_counting(data), None
    segments = data.split(b'"')
    end = len(data)
    if not len(segments) & 1:
        # The data ends inside a quoted cell.
        end -= len(segments.pop()) + 1
    while True:
        last = segments.pop()
        kept = last.rfind(b"\n") + 1
        end -= len(last) - kept
        if kept:
            segments.append(last[:kept])
            return end, segments
        if not segments:
            return 0, None
        end -= len(segments.pop()) + 2


def _cut_by_counting(data: bytes) -> int:
    """Return where the last whole record ends: at the last newline with an even number of quotes before it."""
    quotes = data.count(b'"')
    end = len(data)
    while (place := data.rfind(b"\n", 0, end)) >= 0:
        quotes -= data.count(b'"', place, end)
        if not quotes & 1:
            break
        end = place
    return place + 1


def record_chunks(
    blocks: Iterable[bytes], *, size: int = CHUNK_BYTES, overlong: int = OVERLONG_BYTES
) -> Iterator[bytes]:
    """Yield the same bytes in chunks that begin and end on record boundaries.

    The last chunk is as it is: it may lack a final newline, or end inside a quoted cell. So is a chunk whose first
    record has no end within `overlong` bytes; nothing is read after it.
    """
    return (chunk for chunk, _ in segmented_chunks(blocks, size=size, overlong=overlong))


def segmented_chunks(
    blocks: Iterable[bytes], *, size: int = CHUNK_BYTES, overlong: int = OVERLONG_BYTES
) -> Iterator[tuple[bytes, list[bytes] | None]]:
    """Yield what `record_chunks` yields, with the segments of each chunk where they are known."""
    carry = b""
    for block in reblock(blocks, size):
        data = carry + block if carry else block
        end, segments = cut_at_record(data)
        carry = data[end:]
        if end:
            yield data[:end] if carry else data, segments
        elif len(carry) > overlong:
            yield carry, None
            return
    if carry:
        yield carry, None


def split_chunk(chunk: bytes) -> list[bytes]:
    """Return the records of a chunk, each with its ending.

    Args:
        chunk: Whole records that are known to be well quoted; the last may lack its ending.
    """
    lines = chunk.splitlines(keepends=True)
    if b'"' not in chunk:
        return lines
    records: list[bytes] = []
    pending: list[bytes] = []
    for line in lines:
        odd = line.count(b'"') & 1
        if pending:
            pending.append(line)
            if odd:
                records.append(b"".join(pending))
                pending.clear()
        elif odd:
            pending.append(line)
        else:
            records.append(line)
    if pending:
        records.append(b"".join(pending))
    return records


def masked_records(chunk: bytes) -> list[bytes]:
    """Return the records of a chunk, each with its ending; newlines inside cells are masked until `unmasked`.

    For work on all records of a large file: it takes a third of the time of `split_chunk`.

    Args:
        chunk: UTF-8 of whole records that are known to be well quoted; the last may lack its ending.
    """
    if b'"' in chunk:
        segments = chunk.split(b'"')
        inside = b'"'.join(segments[1::2])
        if b"\n" in inside or b"\r" in inside:
            segments[1::2] = inside.translate(_MASKING).split(b'"')
            chunk = b'"'.join(segments)
    return chunk.splitlines(keepends=True)


def unmasked(data: bytes) -> bytes:
    """Return records, or what was made of them, with the newlines inside cells as they were."""
    return data.translate(_UNMASKING) if b'"' in data else data


def outside_quotes(data: bytes) -> bytes:
    """Return what stands outside quoted cells, for data that begins outside."""
    return b"".join(data.split(b'"')[::2]) if b'"' in data else data


def parse_chunk(text: str, delimiter: str) -> Iterable[list[str]]:
    """Return the cells of each record of a chunk, quotes taken off.

    Args:
        text: Whole records that are known to be well quoted.
        delimiter: One character.
    """
    try:
        return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error:
        # The csv module refuses cells above a limit that is the whole process's and not ours to change.
        return _parse_slowly(text, delimiter)


@lru_cache(maxsize=8)
def _cell_pattern(delimiter: str) -> re.Pattern[str]:
    d = re.escape(delimiter)
    return re.compile(rf'(?:"((?:[^"]++|"")*+)"|([^"{d}\r\n]*+))({d}|\r\n|\n|\r|\Z)')


def _parse_slowly(text: str, delimiter: str) -> list[list[str]]:
    pattern = _cell_pattern(delimiter)
    rows: list[list[str]] = []
    row: list[str] = []
    place = 0
    while place < len(text):
        cell = pattern.match(text, place)
        if cell is None:
            raise ValueError("A record is not well quoted.")
        quoted, plain, end = cell.groups()
        row.append(plain if quoted is None else quoted.replace('""', '"'))
        if end != delimiter:
            rows.append(row)
            row = []
        elif cell.end() == len(text):
            rows.append([*row, ""])
        place = cell.end()
    return rows
