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
from orgbridge.engine.grouping import results_by_line
from orgbridge.engine.joints import undealt
from orgbridge.engine.publishing import publish
from orgbridge.engine.resources import Resources
from orgbridge.engine.rounds import NOT_SENT
from orgbridge.loads import hotparents
from orgbridge.loads.preflight import preflight_warning
from orgbridge.loads.receipt import ErrorGroup, FileReceipt, InputReceipt, PartReceipt, Receipt, RoundReceipt
from orgbridge.loads.remedies import UNKNOWN_OUTCOMES
from orgbridge.loads.results import failed_rows, results_header
from orgbridge.loads.states import PART_ENDS, LoadState, PartState
from orgbridge.store.files import StoredFile
from orgbridge.store.records import JobUse, LoadRecord, PartRecord
from orgbridge.store.round_records import LinkKind, LinkRecord, RoundRecord
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
        lacking = [part.number for part in parts if part.results_key is None or part.state not in PART_ENDS]
        if lacking:
            message = f"Parts {', '.join(map(str, lacking))} ended without outcomes for their rows."
            raise StepRefused(Fault(code="load.unbalanced", message=message))
        rounds, links = await patience.until_done(self._sequels)

        results, failed = await patience.until_done(lambda: self.resources.split(partial(self._merge, facts, parts)))
        receipt = self._receipt(load, facts, parts, rounds, results, failed)
        receipt = replace(receipt, links=links_json(links, load.id))
        mismatches = receipt.check()
        state, fault = _verdict(load, facts, parts, rounds, mismatches)
        published, troubles = await self.resources.split(partial(publish, self.resources, load, results, failed))
        receipt = replace(receipt, state=state.value, published=published, warnings=(*receipt.warnings, *troubles))

        async def record() -> None:
            async with self.resources.database.unit() as unit:
                await unit.loads.update(
                    self.load_id,
                    state=state,
                    rows_succeeded=sum(part.succeeded for part in parts),
                    rows_failed=sum(part.failed for part in parts),
                    rows_unprocessed=sum(part.unprocessed for part in parts),
                    rows_skipped=sum(part.skipped for part in parts),
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
                    rows_skipped=progress.skipped,
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

    async def _sequels(self) -> tuple[list[RoundRecord], list[LinkRecord]]:
        """Return the rounds of the load, and the loads that it came out of.

        Raises:
            StepRefused: A round was sent and has no outcomes.
        """
        async with self.resources.database.unit(write=False) as unit:
            rounds = await unit.sequels.rounds(self.load_id)
            links = await unit.sequels.links(self.load_id)
            jobs = await unit.jobs.list(self.load_id, use=JobUse.COMMITTED)
        sent = {(job.part, job.round) for job in jobs}
        for found in rounds:
            if found.sending.findings is None and (found.sending.number, found.round) in sent:
                message = (
                    f"Round {found.round} of part {found.sending.number} was sent and has no outcomes for its rows."
                )
                raise StepRefused(Fault(code="load.unbalanced", message=message))
        if (joint := undealt(sent, [(found.round, found.sending) for found in rounds])) is not None:
            message = f"Joint round {joint} was sent, and not all parts that it has rows of have their outcomes."
            raise StepRefused(Fault(code="load.unbalanced", message=message))
        return [found for found in rounds if found.sending.findings is not None], links

    def _merge(self, facts: InputFacts, parts: Sequence[PartRecord]) -> tuple[StoredFile, StoredFile]:
        files = self.resources.files
        grouped = any("lines_key" in part.upload for part in parts)
        results_key = f"loads/{self.load_id}/results.csv"

        def merged() -> Iterator[bytes]:
            yield results_header(facts.header_record, facts.dialect)
            if grouped:
                yield from results_by_line(files, parts)
                return
            for part in parts:
                yield from files.open_blocks(part.results_key or "")

        def again() -> Iterator[bytes]:
            if grouped and any(part.failed or part.unprocessed for part in parts):
                blocks = files.open_blocks(results_key)
                yield from failed_rows(blocks, facts.dialect, unprocessed=True, without_codes=UNKNOWN_OUTCOMES)
                return
            yield facts.header_record
            for part in parts:
                if not (part.failed or part.unprocessed):
                    # Most parts: reading all of their rows again would find none.
                    continue
                header = results_header(facts.header_record, facts.dialect)
                blocks = chain([header], files.open_blocks(part.results_key or ""))
                skip = len(facts.header_record)
                # Rows whose outcome is not known must not be loaded again unseen: they may be in the org already.
                rows = failed_rows(blocks, facts.dialect, unprocessed=True, without_codes=UNKNOWN_OUTCOMES)
                for block in rows:
                    rest, skip = block[skip:], max(0, skip - len(block))
                    if rest:
                        yield rest

        results = files.write_blocks(results_key, merged())
        return results, files.write_blocks(f"loads/{self.load_id}/failed.csv", again())

    def _receipt(
        self,
        load: LoadRecord,
        facts: InputFacts,
        parts: Sequence[PartRecord],
        rounds: Sequence[RoundRecord],
        results: StoredFile,
        failed: StoredFile,
    ) -> Receipt:
        now = self.resources.clock.now()
        warnings = []
        if any(part.upload["mixed_cell_newlines"] for part in parts):
            warnings.append("Cells hold both kinds of newline: they were made one kind for the upload.")
        if facts.stopped is not None:
            warnings.append(facts.stopped["message"].removeprefix(NOT_SENT))
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
            parts=tuple(
                _part_receipt(part, [found for found in rounds if found.sending.number == part.number])
                for part in parts
            ),
            errors=_merge_errors(parts),
            results=FileReceipt(name=results.key, bytes=results.bytes, sha256=results.sha256),
            failed=FileReceipt(name=failed.key, bytes=failed.bytes, sha256=failed.sha256),
            hot_parents=tuple(hotparents.merged((part.findings or {}).get("hot_parents", []) for part in parts)),
            api_calls=load.api_calls + sum(part.api_calls for part in parts),
            seconds=(now - load.created_at).total_seconds(),
            started_at=(load.started_at or load.created_at).isoformat(),
            finished_at=now.isoformat(),
            warnings=tuple(warnings),
        )


def _part_receipt(part: PartRecord, rounds: Sequence[RoundRecord]) -> PartReceipt:
    findings: dict[str, Any] = part.findings or {}
    sent = findings.get("sent_rows")
    return PartReceipt(
        number=part.number,
        job_id=part.job_id,
        job_state=part.job_state,
        state=part.state.value,
        first_row=part.first_row,
        first_line=part.first_line,
        rows=part.rows,
        sent=sent if sent is not None else part.rows - findings.get("refused", 0) if findings.get("sent") else 0,
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
        warnings=tuple(findings.get("warnings", ())),
        skipped=part.skipped,
        held=findings.get("held", 0),
        grouped="lines_key" in part.upload,
        after=part.upload.get("after"),
        rounds=tuple(_round_receipt(found) for found in rounds),
    )


def _round_receipt(found: RoundRecord) -> RoundReceipt:
    sending = found.sending
    return RoundReceipt(
        round=found.round,
        job_id=sending.job_id,
        job_state=sending.job_state,
        state=sending.state.value,
        rows=sending.rows,
        sent=sending.rows if (sending.findings or {}).get("sent") else 0,
        bytes=sending.bytes,
        sha256=sending.sha256,
        succeeded=sending.succeeded,
        failed=sending.failed,
        unprocessed=sending.unprocessed,
        results_sha256=sending.results_sha256,
        attempt=max(1, sending.attempt),
        error_message=sending.error_message,
    )


def links_json(links: Sequence[LinkRecord], load_id: str) -> dict[str, str]:
    """Return the loads that one came out of, by how: `retry_of`, `undo_of`."""
    return {
        "retry_of" if link.kind is LinkKind.RETRY else "undo_of": link.parent_id
        for link in links
        if link.child_id == load_id
    }


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
                    lines=tuple(sorted(known.lines + group.lines)[:_LINES_KEPT]),
                    message=known.message,
                )
            )
    return tuple(sorted(groups.values(), key=lambda group: (-group.count, group.code)))


def _verdict(
    load: LoadRecord,
    facts: InputFacts,
    parts: Sequence[PartRecord],
    rounds: Sequence[RoundRecord],
    mismatches: list[str],
) -> tuple[LoadState, Fault | None]:
    """Return the load's last state, and why if it is not a good one."""
    if mismatches:
        return LoadState.FAILED, Fault(code="load.unbalanced", message=" ".join(mismatches))
    unsent = [part for part in parts if (part.findings or {}).get("stopped_by") == "load.failure_ratio"]
    if unsent:
        rows = sum(part.rows for part in unsent)
        message = f"{(unsent[0].error_message or '').removeprefix(NOT_SENT)} {rows:,} rows were not sent."
        if unread := (facts.stopped or {}).get("unread"):
            message += f" From line {unread['line']} on the input was not read: {unread['message']}"
        return LoadState.FAILED, Fault(code="load.failure_ratio", message=message)
    if facts.stopped is not None:
        stop = Fault.from_json(facts.stopped)
        return LoadState.FAILED, replace(stop, message=stop.message.removeprefix(NOT_SENT))
    # A job that Salesforce gave up, but all of whose rows have an outcome by now, is no trouble any more.
    broken = [
        part
        for part in parts
        if part.state is PartState.FAILED or (part.job_state == JobState.FAILED.value and part.unprocessed)
    ]
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
    cut_short = {found.sending.number for found in rounds if _was_stopped(found.sending)}
    stopped = [part for part in parts if _was_stopped(part) or part.number in cut_short]
    if stopped:
        by_us = "The load was cancelled" if load.cancel_requested else "Jobs of the load were aborted at Salesforce"
        message = f"{by_us}: {len(stopped)} of {len(parts)} parts were stopped before all their rows were processed."
        code = "load.cancelled" if load.cancel_requested else "load.aborted_elsewhere"
        return LoadState.ABORTED, Fault(code=code, message=message)
    return LoadState.JOB_COMPLETE, None


def _was_stopped(sending: PartRecord) -> bool:
    return sending.state is PartState.ABORTED or sending.job_state == JobState.ABORTED.value
