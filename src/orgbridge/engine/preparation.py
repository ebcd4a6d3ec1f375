"""The first step of an ingest: read the input once, check every record, cut it into parts. Nothing is sent here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from orgbridge.client.errors import NotFound
from orgbridge.engine.errors import StepRefused
from orgbridge.engine.facts import InputFacts, upload_facts
from orgbridge.engine.faults import Fault
from orgbridge.engine.resources import Resources
from orgbridge.loads.errors import EmptyInput
from orgbridge.loads.header import check_header
from orgbridge.loads.inputs import CSVSource, open_input
from orgbridge.loads.plan import PartPlan, plan_parts
from orgbridge.loads.splitter import Part, PartStart, SplitEvent, split_records
from orgbridge.loads.states import PartState
from orgbridge.store.records import LoadRecord, PartRecord
from orgbridge.wire.bulk import IngestOperation
from orgbridge.wire.limits import INGEST_BATCH_RECORDS

#: Bytes of records that the mean record size is told from.
_SAMPLE_BYTES = 256 * 1024
#: How gzip and zip begin.
_PACKED = (b"\x1f\x8b", b"PK\x03\x04")


@dataclass(frozen=True, slots=True)
class Preparation:
    """Prepares one load."""

    #: The worker's connections.
    resources: Resources
    #: The load.
    load_id: str

    async def run(self) -> dict[str, int | str]:
        """Split the input into parts and record them.

        Running it again gives the same parts: their files are replaced by equal ones, and rows of parts that are
        already under way are left alone.

        Returns:
            `parts` and `org`: how many parts there are, and whose limit they share.

        Raises:
            InputError: The input cannot be loaded; nothing was sent, no part was recorded.
            StepRefused: The header does not fit the object; nothing was sent, no part was recorded.
        """
        patience = self.resources.patience()
        load = await patience.until_done(self._begin)
        if load.cancel_requested:
            return {"parts": 0, "org": load.org}
        source = await self.resources.split(partial(self._open, load))
        await self._check_header(load, source)
        parts = await self.resources.split(partial(self._split, load, source))

        async def record() -> None:
            async with self.resources.database.unit() as unit:
                known = await unit.parts.list(self.load_id)
                if [part.sha256 for part in known] != [part.sha256 for part in parts]:
                    await unit.parts.replace_all(self.load_id, parts)
                await unit.loads.update(
                    self.load_id,
                    parts=len(parts),
                    rows_read=sum(part.rows for part in parts),
                    input_facts=InputFacts.of_source(source).to_json(),
                )

        await patience.until_done(record)
        return {"parts": len(parts), "org": load.org}

    async def _begin(self) -> LoadRecord:
        async with self.resources.database.unit() as unit:
            await unit.loads.begin(self.load_id, self.resources.clock.now())
            load = await unit.loads.get(self.load_id)
        if load is None:
            raise StepRefused(Fault(code="load.deleted", message=f"Load {self.load_id} was deleted before it ran."))
        return load

    async def _check_header(self, load: LoadRecord, source: CSVSource) -> None:
        salesforce = self.resources.orgs.get(load.org).salesforce
        try:
            patience = self.resources.patience(self.load_id)
            describe = await patience.until_done(lambda: salesforce.describe.sobject(load.object_name))
        except NotFound as error:
            message = f"The org has no object {load.object_name!r}, or its user may not see it."
            raise StepRefused(Fault(code="load.unknown_object", message=message)) from error
        faults = check_header(
            source.header,
            operation=IngestOperation(load.operation),
            external_id_field=load.external_id_field,
            describe=describe,
        )
        if faults:
            more = f" ({len(faults)} faults in the header)" if len(faults) > 1 else ""
            message = f"{faults[0]['message']}{more} Nothing was sent."
            raise StepRefused(Fault(code=faults[0]["code"], message=message, details=tuple(faults)))

    def _open(self, load: LoadRecord) -> CSVSource:
        if load.input_key is None:
            raise EmptyInput
        key = load.input_key
        return open_input(
            lambda: self.resources.files.open_blocks(key),
            name=str(load.options.get("original_name") or ""),
            content_type=load.options.get("content_type"),
            encoding=load.options.get("encoding"),
            delimiter=load.options.get("delimiter"),
            open_file=lambda: self.resources.files.open_file(key),
        )

    def _plan(self, load: LoadRecord, source: CSVSource) -> PartPlan:
        sample, records = 0, 0
        for block in source.records():
            sample += len(block)
            # Newlines inside cells are counted too: the guess then leans towards smaller parts, never larger ones.
            records += block.count(b"\n")
            if sample >= _SAMPLE_BYTES:
                break
        return plan_parts(
            input_bytes=self._unpacked_bytes(load, source),
            record_bytes=sample / max(1, records),
            # One of Salesforce's own batches at a time, where rows must not contend with each other.
            part_rows=load.options.get("part_rows") or (INGEST_BATCH_RECORDS if load.options.get("serial") else None),
        )

    def _unpacked_bytes(self, load: LoadRecord, source: CSVSource) -> int:
        head = next(self.resources.files.open_blocks(load.input_key or ""), b"")
        if head.startswith(_PACKED):
            # The packed size tells nothing of the rows: one more pass over the input tells their size exactly.
            return sum(len(block) for block in source.records())
        return load.input_bytes

    def _split(self, load: LoadRecord, source: CSVSource) -> list[PartRecord]:
        plan = self._plan(load, source)
        events = split_records(
            source.records(),
            source.dialect,
            header_record=source.header_record,
            columns=len(source.header),
            max_rows=plan.max_rows,
            max_bytes=plan.max_bytes,
            first_line=source.first_line,
            first_offset=source.first_offset,
            line_count=source.line_count,
            first_rows=load.options.get("canary") or None,
        )
        parts = []
        for event in events:
            if not isinstance(event, PartStart):
                continue
            key = f"loads/{self.load_id}/parts/{event.number:05d}.csv"
            blocks = _PartBlocks(events)
            self.resources.files.write_blocks(key, blocks)
            part = blocks.part
            parts.append(
                PartRecord(
                    load_id=self.load_id,
                    number=part.number,
                    state=PartState.PLANNED,
                    rows=part.rows,
                    bytes=part.bytes,
                    sha256=part.sha256,
                    first_line=part.first_line,
                    first_row=part.first_row,
                    input_key=key,
                    upload=upload_facts(part),
                    updated_at=self.resources.clock.now(),
                )
            )
        return parts


class _PartBlocks:
    """The blocks of one part out of the splitter's stream; knows the part once they were read."""

    def __init__(self, events: Iterator[SplitEvent]) -> None:
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
