"""The last step of an ingest: merge the parts' results in input order, check the sums, write the receipt."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import Any

from orgbridge.engine.errors import StepRefused
from orgbridge.engine.facts import InputFacts, error_groups
from orgbridge.engine.faults import Fault
from orgbridge.engine.resources import Resources
from orgbridge.loads.preflight import preflight_warning
from orgbridge.loads.receipt import ErrorGroup, FileReceipt, InputReceipt, PartReceipt, Receipt
from orgbridge.loads.results import failed_rows, results_header
from orgbridge.loads.states import LoadState, PartState
from orgbridge.store.files import StoredFile
from orgbridge.store.records import LoadRecord, PartRecord
from orgbridge.wire.bulk import JobState

_LINES_KEPT = 5


@dataclass(frozen=True, slots=True)
class Completion:
    """Ends one load."""

    #: The worker's connections.
    resources: Resources
    #: The load.
    load_id: str

    async def run(self) -> str:
        """Write results, failed rows and receipt; set the load's last state and return it.

        Raises:
            StepRefused: A part has no outcomes; the load is not ended.
        """
        patience = self.resources.patience()
        load, parts = await patience.until_done(self._records)
        if load.finished_at is not None:
            return load.state.value
        if load.input_facts is None:
            if load.cancel_requested:
                return await self.end_without_rows(load)
            # A database that forgot what it had committed brings this about, and nothing else should.
            message = "The database no longer holds what was recorded of this load; its parts may have been sent."
            raise StepRefused(Fault(code="load.record_lost", message=message))
        facts = InputFacts.from_json(load.input_facts)
        lacking = [part.number for part in parts if part.results_key is None]
        if lacking:
            message = f"Parts {', '.join(map(str, lacking))} ended without outcomes for their rows."
            raise StepRefused(Fault(code="load.unbalanced", message=message))

        results, failed = await patience.until_done(lambda: self.resources.split(partial(self._merge, facts, parts)))
        receipt = self._receipt(load, facts, parts, results)
        mismatches = receipt.check()
        state, fault = _verdict(load, facts, parts, mismatches)
        receipt = replace(receipt, state=state.value)

        async def record() -> None:
            async with self.resources.database.unit() as unit:
                await unit.loads.update(
                    self.load_id,
                    state=state,
                    rows_succeeded=sum(part.succeeded for part in parts),
                    rows_failed=sum(part.failed for part in parts),
                    rows_unprocessed=sum(part.unprocessed for part in parts),
                    api_calls=receipt.api_calls,
                    receipt=receipt.to_json(),
                    results_key=results.key,
                    failed_key=failed.key,
                    error_code=fault.code if fault else None,
                    error_message=fault.message if fault else None,
                    error_details=list(fault.details) if fault else [],
                    finished_at=self.resources.clock.now(),
                )

        await patience.until_done(record)
        return state.value

    async def tidy(self) -> None:
        """Remove the files of the parts: all that they hold is in the input, the results and the receipt."""
        load, _ = await self.resources.patience().until_done(self._records)
        if load.receipt is not None and load.receipt["balanced"]:
            await self.resources.files.delete(f"loads/{self.load_id}/parts")

    async def end_without_rows(self, load: LoadRecord) -> str:
        """End a load that was cancelled before its input was read."""

        async def record() -> None:
            async with self.resources.database.unit() as unit:
                await unit.loads.update(
                    load.id,
                    state=LoadState.ABORTED,
                    error_code="load.cancelled",
                    error_message="The load was cancelled before it began. Nothing was sent.",
                    finished_at=self.resources.clock.now(),
                )

        await self.resources.patience().until_done(record)
        return LoadState.ABORTED.value

    async def fail(self, fault: Fault) -> str:
        """End a load that cannot go on as `Failed`, with the reason."""

        async def record() -> None:
            async with self.resources.database.unit() as unit:
                load = await unit.loads.get(self.load_id)
                if load is None or load.finished_at is not None:
                    return
                progress = await unit.loads.progress(self.load_id)
                await unit.loads.update(
                    self.load_id,
                    state=LoadState.FAILED,
                    error_code=fault.code,
                    error_message=fault.message,
                    error_details=list(fault.details),
                    rows_succeeded=progress.succeeded,
                    rows_failed=progress.failed,
                    rows_unprocessed=progress.unprocessed,
                    api_calls=load.api_calls + progress.api_calls,
                    finished_at=self.resources.clock.now(),
                )

        await self.resources.patience().until_done(record)
        return LoadState.FAILED.value

    async def _records(self) -> tuple[LoadRecord, list[PartRecord]]:
        async with self.resources.database.unit(write=False) as unit:
            load = await unit.loads.get(self.load_id)
            parts = await unit.parts.list(self.load_id)
        if load is None:
            raise StepRefused(Fault(code="load.deleted", message=f"Load {self.load_id} was deleted while it ran."))
        return load, parts

    def _merge(self, facts: InputFacts, parts: Sequence[PartRecord]) -> tuple[StoredFile, StoredFile]:
        files = self.resources.files

        def merged() -> Iterator[bytes]:
            yield results_header(facts.header_record, facts.dialect)
            for part in parts:
                yield from files.open_blocks(part.results_key or "")

        def again() -> Iterator[bytes]:
            yield facts.header_record
            for part in parts:
                # Rows whose outcome is not known must not be loaded again unseen: they may be in the org already.
                unknown = part.state is PartState.FAILED and (part.findings or {}).get("sent")
                blocks = chain(
                    [results_header(facts.header_record, facts.dialect)], files.open_blocks(part.results_key or "")
                )
                skip = len(facts.header_record)
                for block in failed_rows(blocks, facts.dialect, unprocessed=not unknown):
                    rest, skip = block[skip:], max(0, skip - len(block))
                    if rest:
                        yield rest

        results = files.write_blocks(f"loads/{self.load_id}/results.csv", merged())
        return results, files.write_blocks(f"loads/{self.load_id}/failed.csv", again())

    def _receipt(
        self, load: LoadRecord, facts: InputFacts, parts: Sequence[PartRecord], results: StoredFile
    ) -> Receipt:
        now = self.resources.clock.now()
        warnings = []
        if any(part.upload["mixed_cell_newlines"] for part in parts):
            warnings.append("Cells hold both kinds of newline: they were made one kind for the upload.")
        if facts.stopped is not None:
            warnings.append(facts.stopped["message"])
        if facts.preflight is not None and facts.preflight["findings"]:
            warnings.append(preflight_warning(facts.preflight))
        return Receipt(
            load_id=load.id,
            object_name=load.object_name,
            operation=load.operation,
            external_id_field=load.external_id_field,
            state=load.state.value,
            input=InputReceipt(
                name=str(load.options.get("original_name") or ""),
                bytes=load.input_bytes,
                sha256=load.input_sha256,
                format=facts.format,
                encoding=facts.dialect.encoding,
                delimiter=facts.dialect.delimiter,
                line_ending=facts.dialect.line_ending.value,
                has_bom=facts.dialect.has_bom,
                columns=facts.header,
                unread=(facts.stopped or {}).get("unread"),
            ),
            rows_read=load.rows_read or 0,
            parts=tuple(_part_receipt(part) for part in parts),
            errors=_merge_errors(parts),
            results=FileReceipt(name=results.key, bytes=results.bytes, sha256=results.sha256),
            api_calls=load.api_calls + sum(part.api_calls for part in parts),
            seconds=(now - load.created_at).total_seconds(),
            started_at=(load.started_at or load.created_at).isoformat(),
            finished_at=now.isoformat(),
            warnings=tuple(warnings),
        )


def _part_receipt(part: PartRecord) -> PartReceipt:
    findings: dict[str, Any] = part.findings or {}
    return PartReceipt(
        number=part.number,
        job_id=part.job_id,
        job_state=part.job_state,
        state=part.state.value,
        first_row=part.first_row,
        first_line=part.first_line,
        rows=part.rows,
        sent=part.rows - findings.get("refused", 0) if findings.get("sent") else 0,
        refused=findings.get("refused", 0),
        bytes=part.bytes,
        sha256=part.sha256,
        succeeded=part.succeeded,
        failed=part.failed,
        unprocessed=part.unprocessed,
        ambiguous=findings.get("ambiguous", 0),
        stray_results=findings.get("stray_results", 0),
        missing_results=findings.get("missing_results", 0),
        results_sha256=part.results_sha256,
        api_calls=part.api_calls,
        attempt=max(1, part.attempt),
        error_message=part.error_message,
    )


def _merge_errors(parts: Sequence[PartRecord]) -> tuple[ErrorGroup, ...]:
    groups: dict[str, ErrorGroup] = {}
    for part in parts:
        for group in error_groups(part.findings or {"errors": []}):
            known = groups.get(group.code)
            groups[group.code] = (
                group
                if known is None
                else ErrorGroup(
                    code=known.code,
                    count=known.count + group.count,
                    lines=(known.lines + group.lines)[:_LINES_KEPT],
                    message=known.message,
                )
            )
    return tuple(sorted(groups.values(), key=lambda group: (-group.count, group.code)))


def _verdict(
    load: LoadRecord, facts: InputFacts, parts: Sequence[PartRecord], mismatches: list[str]
) -> tuple[LoadState, Fault | None]:
    """Return the load's last state, and why if it is not a good one."""
    if mismatches:
        return LoadState.FAILED, Fault(code="load.unbalanced", message=" ".join(mismatches))
    if facts.stopped is not None:
        return LoadState.FAILED, Fault.from_json(facts.stopped)
    broken = [part for part in parts if part.state is PartState.FAILED or part.job_state == JobState.FAILED.value]
    if broken:
        message = (
            f"{len(broken)} of {len(parts)} parts could not be processed in full; "
            f"part {broken[0].number}: {broken[0].error_message or 'Salesforce gave no reason'}"
        )
        details = tuple(
            {"line": part.first_line, "part": part.number, "code": "part.failed", "message": part.error_message or ""}
            for part in broken[:100]
        )
        return LoadState.FAILED, Fault(code="load.parts_failed", message=message, details=details)
    stopped = [part for part in parts if part.state is PartState.ABORTED or part.job_state == JobState.ABORTED.value]
    if stopped:
        by_us = "The load was cancelled" if load.cancel_requested else "Jobs of the load were aborted at Salesforce"
        message = f"{by_us}: {len(stopped)} of {len(parts)} parts were stopped before all their rows were processed."
        code = "load.cancelled" if load.cancel_requested else "load.aborted_elsewhere"
        return LoadState.ABORTED, Fault(code=code, message=message)
    return LoadState.JOB_COMPLETE, None
