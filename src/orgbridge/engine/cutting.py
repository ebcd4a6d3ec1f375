"""Cutting a load's input into parts, a piece at a time, from a position on. Blocks: for threads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from orgbridge.engine.errors import StepRefused
from orgbridge.engine.facts import InputFacts, part_files
from orgbridge.engine.faults import Fault
from orgbridge.engine.mappings import write_sent
from orgbridge.engine.ranges import check_end, keep_records, own_records
from orgbridge.engine.resources import Resources
from orgbridge.loads.errors import InputError
from orgbridge.loads.inputs import CSVSource
from orgbridge.loads.plan import piece_bytes
from orgbridge.loads.positions import Position
from orgbridge.loads.splitter import LineCount, Part, PartStart, split_records
from orgbridge.loads.states import PartState
from orgbridge.store.records import LoadRecord, PartRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Some parts in a row."""

    #: The parts; what they hold can be read again.
    parts: list[PartRecord]
    #: Where the next part begins; None at the end of the input.
    end: Position | None
    #: Why no part follows although the input has not ended.
    fault: InputError | None = None


class Cutter:
    """Cuts one input. Stays open between pieces, so that what is packed is unpacked once and not once for each."""

    def __init__(
        self,
        resources: Resources,
        load: LoadRecord,
        source: CSVSource,
        facts: InputFacts,
        plan: dict[str, Any],
        start: Position,
    ) -> None:
        self._resources = resources
        self._load = load
        self._source = source
        self._facts = facts
        self._line_count: LineCount = source.line_count
        self._limit = None if plan["whole"] else resources.config.piece_bytes or piece_bytes(source.format)
        self._at = start
        self._events = split_records(
            source.records_from(start.bytes),
            source.dialect,
            header_record=source.header_record,
            columns=len(source.header),
            max_rows=plan["max_rows"],
            max_bytes=plan["max_bytes"],
            first_line=start.line,
            first_offset=source.first_offset + start.bytes,
            line_count=source.line_count,
            first_row=start.row,
            first_part=start.part,
            first_rows=load.options.get("canary") or None,
        )
        self._broken = False

    def stands_at(self, position: Position) -> bool:
        """Tell whether the next piece begins there."""
        return not self._broken and self._at == position

    def cut(self) -> Piece:
        """Cut the next piece. What is raised leaves the cutter of no further use.

        Raises:
            OSError: A part cannot be written.
            StepRefused: A part's mapped records are too large for a job, or the input is not the one taken in.
        """
        begun, self._broken = self._at.bytes, True
        parts: list[PartRecord] = []
        try:
            for event in self._events:
                if isinstance(event, PartStart):
                    parts.append(self._keep(event))
                    if self._limit is not None and self._at.bytes - begun >= self._limit:
                        self._broken = False
                        return Piece(parts=parts, end=self._at)
        except InputError as error:
            return Piece(parts=parts, end=self._at, fault=error)
        check_end(self._load, self._source, self._at.bytes)
        return Piece(parts=parts, end=None)

    def _keep(self, start: PartStart) -> PartRecord:
        blocks = PartBlocks(self._events)
        key, place = keep_records(self._resources.files, self._load, self._source, start.number, self._at.bytes, blocks)
        part = blocks.part
        self._at = self._at.after(part, self._line_count)
        record = part_record(self._resources, self._load, part, key, place)
        records = own_records(self._resources.files, record)
        upload = write_sent(self._resources, self._facts, part, part_files(self._load.id, part.number), records)
        return replace(record, upload={**upload, **place})


def part_record(resources: Resources, load: LoadRecord, part: Part, key: str, upload: dict[str, Any]) -> PartRecord:
    """Return what the store keeps of a part that was cut."""
    return PartRecord(
        load_id=load.id,
        number=part.number,
        state=PartState.PLANNED,
        rows=part.rows,
        bytes=part.bytes,
        sha256=part.sha256,
        first_line=part.first_line,
        first_row=part.first_row,
        input_key=key,
        upload=upload,
        updated_at=resources.clock.now(),
    )


class PartBlocks:
    """The blocks of one part out of the splitter's stream; knows the part once they were read."""

    def __init__(self, events: Iterator[Any]) -> None:
        self._events = events
        self._part: Part | None = None

    def __iter__(self) -> Iterator[bytes]:
        for event in self._events:
            if isinstance(event, Part):
                self._part = event
                return
            if isinstance(event, bytes):
                yield event

    @property
    def part(self) -> Part:
        """What the splitter said of the part at its end."""
        if self._part is None:
            raise StepRefused(Fault(code="load.split_broken", message="The splitter ended inside a part."))
        return self._part
