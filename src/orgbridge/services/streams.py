"""Files and generators as streams for a caller: blocking reads go to threads, nothing is held but one block."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any

from orgbridge.kit.json import dumps
from orgbridge.loads.records import OVERLONG_BYTES, parse_chunk, record_chunks

#: Bytes gathered before a block is handed on.
BLOCK_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """The first rows of a CSV."""

    #: The CSV up to the end of a record.
    csv: str
    #: The same rows, one mapping per row.
    rows: list[dict[str, Any]]
    #: True when there is more.
    truncated: bool


async def from_thread(make: Callable[[], Iterator[bytes]]) -> AsyncIterator[bytes]:
    """Yield what a blocking generator yields, gathered into blocks, each made in a thread."""
    source = await asyncio.to_thread(make)

    def gather() -> bytes:
        blocks: list[bytes] = []
        size = 0
        for block in source:
            blocks.append(block)
            size += len(block)
            if size >= BLOCK_BYTES:
                break
        return b"".join(blocks)

    while block := await asyncio.to_thread(gather):
        yield block


def ndjson(blocks: Iterator[bytes], delimiter: str = ",") -> Iterator[bytes]:
    """Yield one JSON object per record of a UTF-8 CSV. Every value is text, as it stands in the CSV."""
    rows = csv_rows(blocks, delimiter)
    header = next(rows, None)
    if header is None:
        return
    for row in rows:
        yield dumps(dict(zip(header, row, strict=False))) + b"\n"


def csv_rows(blocks: Iterator[bytes], delimiter: str = ",") -> Iterator[list[str]]:
    """Yield the records of a well quoted UTF-8 CSV as lists of cells of any length, blank lines left out."""
    # A results file has our own cells in front of an input's longest record.
    for chunk in record_chunks(blocks, overlong=OVERLONG_BYTES * 2):
        for row in parse_chunk(chunk.decode(), delimiter):
            if row:
                yield row


def preview(blocks: Iterator[bytes], delimiter: str, *, max_bytes: int, max_rows: int) -> Preview:
    """Return the first records of a CSV, whole ones only. Blocks.

    Args:
        blocks: The CSV with its header.
        delimiter: What stands between cells.
        max_bytes: Size that the text does not pass.
        max_rows: Number of records, header not counted, that is not passed.
    """
    data = b""
    more = False
    for block in blocks:
        data += block
        if len(data) > max_bytes:
            data, more = data[:max_bytes], True
            break
    end, records, start, open_quote = 0, 0, 0, False
    while (newline := data.find(b"\n", start)) >= 0 and records <= max_rows:
        # Quotes come in pairs within a record, so an odd number so far means: the line break belongs to a cell.
        open_quote ^= bool(data.count(b'"', start, newline) % 2)
        start = newline + 1
        if not open_quote:
            end, records = start, records + 1
    if not more and records <= max_rows:
        end = len(data)
    kept = data[:end]
    rows = csv_rows(iter([kept]), delimiter)
    header = next(rows, [])
    return Preview(
        csv=kept.decode("utf-8"),
        rows=[dict(zip(header, row, strict=False)) for row in rows],
        truncated=more or end < len(data),
    )
