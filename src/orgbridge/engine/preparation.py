"""What comes before the parts of an ingest, in durable steps: look at the input, cut it piece by piece, keep the rest.

The first piece is checked as a whole before anything is sent: a fault in it refuses the load. Pieces after it are cut
while parts of those before are under way; a fault in one of them ends the cutting there, and the rest is accounted for.
Every step begins at a position that the step before recorded, so that another worker cuts the same parts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from orgbridge.client.errors import NotFound
from orgbridge.engine import matches
from orgbridge.engine.cutting import Cutter, PartBlocks, Piece, part_record
from orgbridge.engine.errors import StepRefused
from orgbridge.engine.facts import InputFacts, upload_facts
from orgbridge.engine.faults import Fault, fault_of
from orgbridge.engine.grouping import cut_grouped, wants_groups
from orgbridge.engine.ranges import keep_records
from orgbridge.engine.resources import Resources
from orgbridge.loads.errors import BadMapping, EmptyInput, InputError
from orgbridge.loads.header import check_header
from orgbridge.loads.inputs import CSVSource, open_input
from orgbridge.loads.mapping import Mapping, MappingSpec, compile_mapping
from orgbridge.loads.mapping_files import spec_from_json
from orgbridge.loads.plan import PartPlan, plan_parts
from orgbridge.loads.positions import Position
from orgbridge.loads.remainders import Unread, remaining_records
from orgbridge.loads.splitter import PartStart
from orgbridge.orgs.preflights import Preflight, run_preflight
from orgbridge.store.records import LoadRecord, PartRecord
from orgbridge.wire.bulk import IngestOperation
from orgbridge.wire.limits import INGEST_BATCH_RECORDS

#: Bytes of records that the mean record size is told from.
_SAMPLE_BYTES = 256 * 1024
#: Rows that every load's preflight looks at; all of them only when asked for: that takes longer than the split.
_SAMPLE_ROWS = 5_000
#: Line numbers that a refusal names.
_FINDINGS_NAMED = 100


@dataclass(slots=True)
class Preparation:
    """Prepares one load. Keeps the input open between steps of one run; none of that matters to what they return."""

    #: The worker's connections.
    resources: Resources
    #: The load.
    load_id: str
    _cutter: Cutter | None = field(default=None, init=False)

    async def begin(self) -> dict[str, Any]:
        """Look at the input and write down how it is read.

        Returns:
            The plan: `org`, the limits `max_rows` and `max_bytes` of a part, whether the `whole` input is to be checked
            before anything is sent, and the `position` of the first part; None when the load was cancelled before.

        Raises:
            InputError: The input cannot be loaded; nothing was sent, no part was recorded.
            StepRefused: The header does not fit the object, or a strict load has findings; nothing was sent.
        """
        patience = self.resources.patience()
        load = await patience.until_done(self._begin)
        if load.cancel_requested:
            return {"org": load.org, "position": None}
        source = await self.resources.split(partial(open_load, self.resources, load))
        describe = await self._describe(load)
        mapping = self._mapping(load, source, describe)
        self._check_header(load, mapping.header if mapping else source.header, describe)
        facts = InputFacts.of_source(source, mapping)
        strict = bool(load.options.get("strict"))
        facts = replace(facts, preflight=await self._preflight(load, source, mapping, describe, strict=strict))
        plan = await self.resources.split(partial(self._plan, load, source))
        facts = replace(facts, expected_rows=plan.estimated_rows)

        async def record() -> None:
            async with self.resources.database.unit() as unit:
                await unit.loads.update(self.load_id, input_facts=facts.to_json())

        await patience.until_done(record)
        return {
            "org": load.org,
            "max_rows": plan.max_rows,
            "max_bytes": plan.max_bytes,
            "whole": strict,
            "position": Position.first(source.first_line).to_json(),
        }

    async def split(self, plan: dict[str, Any], at: dict[str, Any]) -> dict[str, Any]:
        """Cut the next piece of the input into parts and record them.

        Running it again gives the same parts: their files are replaced by equal ones, and rows of parts that are
        already known are left alone.

        Args:
            plan: What `begin` returned.
            at: The position where the piece begins.

        Returns:
            `parts`, the number of each part, None when it is to run or else what came of it (`matches.refuse`), and
            for a part that must wait for another the number of that one; `position`, where the next piece begins, None
            at the end of the input; `fault`, why there is no next piece though the input has not ended, else None.

        Raises:
            InputError: The first piece is faulty; nothing was sent, no part was recorded.
        """
        start = Position.from_json(at)
        load = await self._load()
        piece = await self.resources.patience(self.load_id).until_done(
            lambda: self.resources.split(partial(self._cut, load, plan, start))
        )
        if piece.fault is not None and start.part == 0:
            raise piece.fault
        await self._record(load, piece.parts, ended=piece.end is None)
        cut: list[list[Any]] = []
        for part in piece.parts:
            refused = part.upload.get("sent_rows") == 0
            ended = await matches.refuse(self.resources, load, part) if refused else None
            after = part.upload.get("after")
            cut.append([part.number, ended] if after is None else [part.number, ended, after])
        if piece.fault is not None:
            assert piece.end is not None, "a fault leaves a rest"
            return {
                "parts": cut,
                "position": piece.end.to_json(),
                "fault": _stop(piece.fault, piece.end).to_json(),
            }
        return {"parts": cut, "position": piece.end.to_json() if piece.end else None, "fault": None}

    async def set_aside(self, plan: dict[str, Any], at: dict[str, Any], fault: Fault) -> None:
        """Account for the rest of an input of which nothing more is sent.

        Its rows become parts that are unprocessed, with the fault as their reason; what is not rows is named as unread.

        Args:
            plan: What `begin` returned.
            at: The position from which on nothing is sent.
            fault: Why.
        """
        start = Position.from_json(at)
        load = await self._load()
        self._cutter = None
        facts = InputFacts.from_json(load.input_facts or {})
        parts, unread = await self.resources.patience(self.load_id).until_done(
            lambda: self.resources.split(partial(self._rest, load, plan, start))
        )
        await self._record(load, parts, ended=True)
        for part in parts:
            await matches.account(self.resources, load, part, fault, sent=False, aborted=False)
        await self._note_stop(facts, start, fault, unread)

    async def leave_unread(self, at: dict[str, Any], fault: Fault) -> None:
        """Note that nothing from a position on was read: not even its rows could be set aside.

        Args:
            at: The position.
            fault: Why.
        """
        start = Position.from_json(at)
        load = await self._load()
        unread = Unread(line=start.line, row=start.row, bytes=start.bytes, code=fault.code, message=fault.message)
        await self._record(load, [], ended=True)
        await self._note_stop(InputFacts.from_json(load.input_facts or {}), start, fault, _unread_json(unread, None))

    async def _note_stop(self, facts: InputFacts, start: Position, fault: Fault, unread: dict[str, Any] | None) -> None:
        stopped = {**fault.to_json(), "line": start.line, "row": start.row, "unread": unread}

        async def record() -> None:
            async with self.resources.database.unit() as unit:
                await unit.loads.update(self.load_id, input_facts=replace(facts, stopped=stopped).to_json())

        await self.resources.patience().until_done(record)

    async def _begin(self) -> LoadRecord:
        async with self.resources.database.unit() as unit:
            await unit.loads.begin(self.load_id, self.resources.clock.now())
        return await self._load()

    async def _load(self) -> LoadRecord:
        async def read() -> LoadRecord | None:
            async with self.resources.database.unit(write=False) as unit:
                return await unit.loads.get(self.load_id)

        load = await self.resources.patience().until_done(read)
        if load is None:
            raise StepRefused(Fault(code="load.deleted", message=f"Load {self.load_id} was deleted before it ran."))
        return load

    async def _describe(self, load: LoadRecord) -> dict[str, Any]:
        salesforce = self.resources.orgs.get(load.org).salesforce
        try:
            patience = self.resources.patience(self.load_id)
            return dict(await patience.until_done(lambda: salesforce.describe.sobject(load.object_name)))
        except NotFound as error:
            message = f"The org has no object {load.object_name!r}, or its user may not see it."
            raise StepRefused(Fault(code="load.unknown_object", message=message)) from error

    def _mapping(self, load: LoadRecord, source: CSVSource, describe: dict[str, Any]) -> Mapping | None:
        given, compiled = load.options.get("mapping"), load.options.get("compiled")
        if compiled is not None and (mapping := Mapping.from_json(compiled)).columns == len(source.header):
            # The intake checked this one against the rights of the caller: nothing else may be sent.
            return None if mapping.keeps_records and mapping.header == source.header else mapping
        if not given and not source.format.is_typed:
            return None
        spec = spec_from_json(given) if given else MappingSpec()
        try:
            mapping = compile_mapping(spec, source.header, describe, typed=source.format.is_typed)
        except BadMapping as error:
            raise StepRefused(fault_of(error)) from error
        return None if mapping.keeps_records and mapping.header == source.header else mapping

    def _check_header(self, load: LoadRecord, header: tuple[str, ...], describe: dict[str, Any]) -> None:
        faults = check_header(
            header,
            operation=IngestOperation(load.operation),
            external_id_field=load.external_id_field,
            describe=describe,
        )
        if faults:
            more = f" ({len(faults)} faults in the header)" if len(faults) > 1 else ""
            message = f"{faults[0]['message']}{more} Nothing was sent."
            raise StepRefused(Fault(code=faults[0]["code"], message=message, details=tuple(faults)))

    async def _preflight(
        self,
        load: LoadRecord,
        source: CSVSource,
        mapping: Mapping | None,
        describe: dict[str, Any],
        *,
        strict: bool,
    ) -> dict[str, Any]:
        report = await run_preflight(
            Preflight(
                source=source,
                mapping=mapping,
                describe=describe,
                operation=IngestOperation(load.operation),
                external_id_field=load.external_id_field,
                part_rows=load.options.get("part_rows"),
                most_rows=None if strict or load.options.get("preflight") else _SAMPLE_ROWS,
                hidden=frozenset(load.options.get("hidden_parents") or ()),
            ),
            self.resources.orgs.get(load.org).salesforce,
            self.resources.split,
        )
        kept = report.to_json()
        if strict and report.stops:
            message = f"{report.summary()} The load is strict: nothing was sent."
            raise StepRefused(
                Fault(code="load.preflight", message=message, details=tuple(kept["findings"][:_FINDINGS_NAMED]))
            )
        return kept

    def _plan(self, load: LoadRecord, source: CSVSource) -> PartPlan:
        sample, records = 0, 0
        for block in source.records():
            sample += len(block)
            # Newlines inside cells are counted too: the guess then leans towards smaller parts, never larger ones.
            records += block.count(b"\n")
            if sample >= _SAMPLE_BYTES:
                break
        record_bytes = sample / max(1, records)
        return plan_parts(
            input_bytes=self._unpacked_bytes(load, source, sample, record_bytes),
            record_bytes=record_bytes,
            # One of Salesforce's own batches at a time, where rows must not contend with each other.
            part_rows=load.options.get("part_rows") or (INGEST_BATCH_RECORDS if load.options.get("serial") else None),
        )

    def _unpacked_bytes(self, load: LoadRecord, source: CSVSource, sample: int, record_bytes: float) -> int:
        """Return about how many bytes of CSV the input is, without reading it all."""
        if source.rows is not None:
            return round(source.rows * record_bytes)
        if source.records_at is not None:
            return load.input_bytes
        if sample < _SAMPLE_BYTES:
            return sample
        # The input is packed, or written in another way: what the sample took of it tells how it grows.
        taken = 0

        def counted() -> Iterator[bytes]:
            nonlocal taken
            for block in self.resources.files.open_blocks(load.input_key or ""):
                taken += len(block)
                yield block

        seen = 0
        for block in open_load(self.resources, load, counted).records():
            seen += len(block)
            if seen >= _SAMPLE_BYTES * 16:
                break
        return round(load.input_bytes * seen / taken) if taken else load.input_bytes

    def _cut(self, load: LoadRecord, plan: dict[str, Any], start: Position) -> Piece:
        if wants_groups(load):
            facts = InputFacts.from_json(load.input_facts or {})
            return cut_grouped(self.resources, load, open_load(self.resources, load), facts, plan)
        if self._cutter is None or not self._cutter.stands_at(start):
            facts = InputFacts.from_json(load.input_facts or {})
            source = open_load(self.resources, load)
            self._cutter = Cutter(self.resources, load, source, facts, plan, start)
        piece = self._cutter.cut()
        if piece.end is None or piece.fault is not None:
            self._cutter = None
        return piece

    def _rest(
        self, load: LoadRecord, plan: dict[str, Any], start: Position
    ) -> tuple[list[PartRecord], dict[str, Any] | None]:
        """Cut the rest of the input into parts that will not be sent."""
        try:
            source = open_load(self.resources, load)
        except InputError as error:
            unread = Unread(line=start.line, row=start.row, bytes=start.bytes, code=error.code, message=error.message)
            return [], _unread_json(unread, None)
        events = remaining_records(
            source.records_from(start.bytes),
            source.dialect,
            columns=len(source.header),
            start=start,
            header_bytes=len(source.header_record),
            max_rows=plan["max_rows"],
            line_count=source.line_count,
        )
        parts: list[PartRecord] = []
        taken = 0
        for event in events:
            if isinstance(event, Unread):
                return parts, _unread_json(event, source)
            if not isinstance(event, PartStart):
                continue
            blocks = PartBlocks(events)
            key, place = keep_records(self.resources.files, load, source, event.number, start.bytes + taken, blocks)
            taken += blocks.part.bytes
            parts.append(part_record(self.resources, load, blocks.part, key, {**upload_facts(blocks.part), **place}))
        return parts, None

    async def _record(self, load: LoadRecord, parts: list[PartRecord], *, ended: bool) -> None:
        async def record() -> None:
            async with self.resources.database.unit() as unit:
                known = {part.number: part for part in await unit.parts.list(self.load_id)}
                for part in parts:
                    before = known.get(part.number)
                    if before is not None and before.sha256 != part.sha256:
                        message = f"Part {part.number} was cut in another way before; the input has changed."
                        raise StepRefused(Fault(code="load.input_changed", message=message))
                await unit.parts.add([part for part in parts if part.number not in known])
                rows = sum(
                    part.rows for part in known.values() if part.number < (parts[0].number if parts else 1 << 30)
                )
                total = {"rows_read": rows + sum(part.rows for part in parts)} if ended else {}
                count = parts[-1].number + 1 if parts else len(known)
                await unit.loads.update(self.load_id, parts=max(count, len(known)), **total)

        await self.resources.patience().until_done(record)


def open_load(resources: Resources, load: LoadRecord, blocks: Any = None) -> CSVSource:
    """Open a load's input as its options say. Blocks.

    Args:
        resources: The worker's connections.
        load: The load.
        blocks: Opens the bytes anew; None: from the file store.

    Raises:
        InputError: The input cannot be loaded.
    """
    key = load.input_key
    if key is None:
        raise EmptyInput
    detected = load.options.get("detected") or {}
    facts = load.input_facts or {}
    columns = facts.get("columns") or detected.get("columns")
    return open_input(
        blocks or (lambda: resources.files.open_blocks(key)),
        name=str(load.options.get("original_name") or ""),
        content_type=load.options.get("content_type"),
        encoding=load.options.get("encoding"),
        delimiter=load.options.get("delimiter"),
        sheet=load.options.get("sheet"),
        columns=tuple(columns) if columns else None,
        blocks_at=lambda start: resources.files.open_blocks(key, start),
        open_file=lambda: resources.files.open_file(key),
    )


def _stop(error: InputError, end: Position) -> Fault:
    fault = fault_of(error)
    message = f"{fault.message} Rows before line {end.line} were sent; from line {end.line} on none was."
    return Fault(code=fault.code, message=message, details=fault.details)


def _unread_json(unread: Unread, source: CSVSource | None) -> dict[str, Any]:
    byte = None
    if source is not None and source.records_at is not None:
        byte = source.first_offset + unread.bytes
    return {"line": unread.line, "row": unread.row, "byte": byte, "code": unread.code, "message": unread.message}
