"""Cutting a load's input so that all rows of one parent lie in one part. Blocks: for threads.

This needs the whole input before the first part is sent. It is read twice: once to see how many rows each bucket gets,
once to deal the rows out by way of a nameless temporary file, of which a crash leaves nothing. Beside each part lie the
lines of its rows, as beside a round; these stay when the part's other files go, because an undo asks for them.
"""

from __future__ import annotations

import os
import tempfile
from array import array
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import Any, Final

from orgbridge.engine.cutting import Piece, part_record
from orgbridge.engine.errors import StepRefused
from orgbridge.engine.facts import InputFacts, lines_key, part_files
from orgbridge.engine.faults import Fault
from orgbridge.engine.mappings import write_sent
from orgbridge.engine.resources import Resources
from orgbridge.loads.errors import InputError
from orgbridge.loads.grouping import (
    BUCKETS,
    GroupedRow,
    Packing,
    PartRoom,
    group_place,
    grouped_rows,
    merged_by_line,
)
from orgbridge.loads.inputs import CSVSource
from orgbridge.loads.positions import Position
from orgbridge.loads.splitter import LineCount, Part, PartStart, split_records
from orgbridge.store.files import FileStore
from orgbridge.store.records import LoadRecord, PartRecord
from orgbridge.wire.limits import INGEST_JOB_BYTES

#: Bytes of all parts that are held before they go to the temporary file.
_HELD_BYTES: Final = 16 << 20
_READ_BYTES: Final = 256 << 10
#: Results files that are open at once; more are merged in several passes.
MERGED_AT_ONCE: Final = 200


def wants_groups(load: LoadRecord) -> bool:
    """Tell whether rows of one parent are kept together."""
    return bool(load.options.get("group_by"))


def cut_grouped(
    resources: Resources, load: LoadRecord, source: CSVSource, facts: InputFacts, plan: dict[str, Any]
) -> Piece:
    """Cut the whole input into parts, written with the lines of their rows.

    Running it again writes equal files.

    Raises:
        OSError: A part cannot be written.
        StepRefused: The column of the parents is not there, or a part's mapped records are too large for a job.
    """
    place = group_place(facts.header, str(load.options["group_by"]))
    if place is None:
        message = f"The input has no column {load.options['group_by']!r} to group by. Nothing was sent."
        raise StepRefused(Fault(code="load.unknown_group_column", message=message))
    room = PartRoom(
        rows=plan["max_rows"],
        bytes=max(1, plan["max_bytes"] - len(facts.header_record) - 2),
        first_rows=load.options.get("canary") or None,
    )
    rows, sizes = [0] * BUCKETS, [0] * BUCKETS
    opened = partial(_rows, source, plan, place)
    try:
        for row in opened():
            rows[row.bucket] += 1
            sizes[row.bucket] += len(row.record) + 1
    except InputError as error:
        # Nothing is sent before all was read: the fault refuses the load.
        return Piece(parts=[], end=Position.first(source.first_line), fault=error)
    packing = Packing(rows, sizes, room)
    with _Spool() as spool:
        first: dict[tuple[int, int], GroupedRow] = {}
        for row in opened():
            target = packing.deal(row)
            first.setdefault(target, row)
            spool.add(target, row)
        # First the beginnings of all chains, then what follows them: so nobody waits for long.
        order = sorted(first)
        numbers = {target: number for number, target in enumerate(order)}
        parts = []
        for (segment, pack), number in numbers.items():
            after = numbers[segment - 1, pack] if segment else None
            begins = first[segment, pack]
            parts.append(_write(resources, load, facts, spool, (segment, pack), number, begins, after))
    return Piece(parts=parts, end=None)


def _rows(source: CSVSource, plan: dict[str, Any], place: int) -> Iterator[GroupedRow]:
    """Yield the checked rows of an input."""
    row, line = 1, source.first_line
    line_is_row = source.line_count is LineCount.RECORD
    events = split_records(
        source.records_from(0),
        source.dialect,
        header_record=source.header_record,
        columns=len(source.header),
        max_rows=plan["max_rows"],
        max_bytes=plan["max_bytes"],
        first_line=line,
        first_offset=source.first_offset,
        line_count=source.line_count,
    )
    delimiter = source.dialect.delimiter
    for event in events:
        if isinstance(event, bytes):
            newlines = event.count(b"\n")
            count = 0
            for found in grouped_rows(
                event, delimiter=delimiter, place=place, row=row, line=line, line_is_row=line_is_row
            ):
                count += 1
                yield found
            row += count
            line += count if line_is_row else newlines


def _write(
    resources: Resources,
    load: LoadRecord,
    facts: InputFacts,
    spool: _Spool,
    target: tuple[int, int],
    number: int,
    begins: GroupedRow,
    after: int | None,
) -> PartRecord:
    key = f"{part_files(load.id, number)}.csv"
    ended: list[Part] = []

    def cut() -> Iterator[bytes]:
        for event in split_records(
            spool.records(target),
            facts.dialect,
            header_record=facts.header_record,
            columns=len(facts.header),
            max_rows=1 << 62,
            max_bytes=INGEST_JOB_BYTES * 2,
        ):
            if isinstance(event, Part):
                ended.append(event)
            elif not isinstance(event, PartStart):
                yield event

    resources.files.write_blocks(key, cut())
    resources.files.write_blocks(lines_key(load.id, number), spool.lines(target))
    part = replace(ended[0], number=number, first_row=begins.row, first_line=begins.line)
    own = resources.files.open_blocks(key)
    sent = write_sent(resources, facts, part, part_files(load.id, number), own)
    upload = {**sent, "lines_key": lines_key(load.id, number)}
    if after is not None:
        upload["after"] = after
    return part_record(resources, load, part, key, upload)


class _Spool:
    """Records and lines of many parts in one temporary file without a name. Use it as a context."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._file = self._stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - the stack closes it
        self._records: dict[tuple[int, int], bytearray] = {}
        self._lines: dict[tuple[int, int], array[int]] = {}
        self._held = 0
        self._end = 0
        #: Of each part: where its records and its lines lie, as offset and length.
        self._extents: dict[tuple[tuple[int, int], bool], list[tuple[int, int]]] = {}

    def __enter__(self) -> _Spool:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def add(self, target: tuple[int, int], row: GroupedRow) -> None:
        """Append a row to its part."""
        self._records.setdefault(target, bytearray()).extend(row.record)
        self._lines.setdefault(target, array("Q")).append(row.line)
        self._held += len(row.record) + 8
        if self._held >= _HELD_BYTES:
            self._flush()

    def records(self, target: tuple[int, int]) -> Iterator[bytes]:
        """Yield the records of a part."""
        return self._read(target, is_lines=False)

    def lines(self, target: tuple[int, int]) -> Iterator[bytes]:
        """Yield the lines of a part's rows, as `array('Q')` has them."""
        return self._read(target, is_lines=True)

    def _flush(self) -> None:
        for target, records in self._records.items():
            self._put((target, False), records)
            self._put((target, True), self._lines[target].tobytes())
        self._records.clear()
        self._lines.clear()
        self._held = 0

    def _put(self, key: tuple[tuple[int, int], bool], data: bytes | bytearray) -> None:
        view = memoryview(data)
        done = 0
        while done < len(view):
            done += os.pwrite(self._file.fileno(), view[done:], self._end + done)
        self._extents.setdefault(key, []).append((self._end, len(view)))
        self._end += len(view)

    def _read(self, target: tuple[int, int], *, is_lines: bool) -> Iterator[bytes]:
        self._flush()
        for start, length in self._extents[target, is_lines]:
            place, end = start, start + length
            while place < end:
                block = os.pread(self._file.fileno(), min(_READ_BYTES, end - place), place)
                if not block:
                    raise OSError("The temporary file of the grouping was cut short.")
                place += len(block)
                yield block


def results_by_line(files: FileStore, parts: Sequence[PartRecord]) -> Iterator[bytes]:
    """Yield the results of a grouped load's parts in input order; a bounded number of files is open at once.

    Raises:
        StepRefused: The parts' results do not have every line once.
    """
    keys = [part.results_key or "" for part in parts]
    level = 0
    try:
        while len(keys) > MERGED_AT_ONCE:
            merged: list[str] = []
            for start in range(0, len(keys), MERGED_AT_ONCE):
                name = f"loads/{parts[0].load_id}/parts/merged-{level}-{len(merged):05d}.csv"
                some = [files.open_blocks(key) for key in keys[start : start + MERGED_AT_ONCE]]
                files.write_blocks(name, merged_by_line(some))
                merged.append(name)
            keys, level = merged, level + 1
        yield from merged_by_line([files.open_blocks(key) for key in keys])
    except ValueError as error:
        message = f"The results of the parts do not fit together: {error}."
        raise StepRefused(Fault(code="load.unbalanced", message=message)) from error
