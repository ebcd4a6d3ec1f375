"""Every row of a part gets its outcome: from Salesforce's results, or from the reason why it was never sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from orgbridge.engine.errors import StepRefused
from orgbridge.engine.facts import InputFacts, findings_of, sent_key
from orgbridge.engine.faults import Fault
from orgbridge.engine.resources import Resources
from orgbridge.loads.mapped import read_refusals, restored
from orgbridge.loads.matching import PartMatch, match_part, unprocessed_part
from orgbridge.loads.states import PartState
from orgbridge.store.files import StoredFile
from orgbridge.store.records import LoadRecord, PartRecord
from orgbridge.wire.bulk import IngestOperation


async def match(resources: Resources, load: LoadRecord, part: PartRecord, keys: dict[str, str]) -> None:
    """Join a job's results to the part's rows and store them in input order.

    Args:
        resources: The worker's connections.
        load: The load.
        part: The part; its job has ended.
        keys: Keys of the job's results by kind.
    """
    facts = _facts(load)

    def work() -> tuple[PartMatch, StoredFile]:
        found = match_part(
            records=_opener(resources, sent_key(part) or part.input_key),
            dialect=facts.sent_dialect,
            header=facts.sent_header,
            operation=IngestOperation(load.operation),
            external_id_field=load.external_id_field,
            successful=_opener(resources, keys["successfulResults"]),
            failed=_opener(resources, keys["failedResults"]),
            unprocessed=_opener(resources, keys["unprocessedrecords"]),
            first_row=part.first_row,
            first_line=part.first_line,
            line_count=facts.line_count,
            attempt=max(1, part.attempt),
        )
        found = _beside_own_records(resources, facts, part, found)
        return found, resources.files.write_blocks(results_key(part), found.result_blocks())

    await _store(resources, part, work, state=PartState.MATCHED, sent=True, reason=part.error_message)


async def refuse(resources: Resources, load: LoadRecord, part: PartRecord) -> None:
    """Account for a part of which no row is sent, because its mapping refused every one."""
    facts = _facts(load)

    def work() -> tuple[PartMatch, StoredFile]:
        found = _beside_own_records(resources, facts, part, None)
        return found, resources.files.write_blocks(results_key(part), found.result_blocks())

    await _store(resources, part, work, state=PartState.MATCHED, sent=False, reason=None)


def _beside_own_records(
    resources: Resources, facts: InputFacts, part: PartRecord, found: PartMatch | None
) -> PartMatch:
    """Return outcomes as those of the file's own records, where a mapping sent others."""
    if not facts.changes_records:
        assert found is not None, "only a mapping refuses rows"
        return found
    refused = part.upload.get("refused_key")
    return restored(
        found,
        read_refusals(resources.files.open_blocks(refused)) if refused else [],
        records=_opener(resources, part.input_key),
        dialect=facts.dialect,
        first_row=part.first_row,
        first_line=part.first_line,
        line_count=facts.line_count,
    )


async def account(
    resources: Resources, load: LoadRecord, part: PartRecord, fault: Fault, *, sent: bool, aborted: bool
) -> None:
    """Give every row of a part the same reason for not having been processed.

    Args:
        resources: The worker's connections.
        load: The load.
        part: The part.
        fault: The reason.
        sent: Whether the part's job was, or may have been, committed.
        aborted: Whether the part ends because somebody stopped the load.
    """
    facts = _facts(load)
    if sent:
        message = f"This row was sent, and whether it was processed is not known: {fault.message}"
        fault = Fault(code="job.outcome_unknown", message=message)

    def work() -> tuple[PartMatch, StoredFile]:
        found = unprocessed_part(
            records=_opener(resources, part.input_key),
            dialect=facts.dialect,
            first_row=part.first_row,
            first_line=part.first_line,
            error_code=fault.code,
            error_message=fault.message,
            line_count=facts.line_count,
            attempt=max(1, part.attempt),
        )
        return found, resources.files.write_blocks(results_key(part), found.result_blocks())

    state = PartState.ABORTED if aborted else PartState.FAILED
    await _store(resources, part, work, state=state, sent=sent, reason=fault.message)


def results_key(part: PartRecord) -> str:
    """Return the key of a part's matched results."""
    return f"loads/{part.load_id}/parts/{part.number:05d}.results.csv"


async def _store(
    resources: Resources,
    part: PartRecord,
    work: Callable[[], tuple[PartMatch, StoredFile]],
    *,
    state: PartState,
    sent: bool,
    reason: str | None,
) -> None:
    patience = resources.patience()
    found, stored = await patience.until_done(lambda: resources.match(work))
    if found.rows != part.rows:
        message = f"Part {part.number} has {part.rows} rows but {found.rows} outcomes were found."
        raise StepRefused(Fault(code="load.unbalanced", message=message))

    async def record() -> None:
        async with resources.database.unit() as unit:
            await unit.parts.advance(
                part.load_id,
                part.number,
                state,
                succeeded=found.succeeded,
                failed=found.failed,
                unprocessed=found.unprocessed,
                results_key=stored.key,
                results_sha256=stored.sha256,
                findings=findings_of(found, sent=sent, refused=refused_rows(part) if state is PartState.MATCHED else 0),
                error_message=reason,
                updated_at=resources.clock.now(),
            )

    await patience.until_done(record)


def refused_rows(part: PartRecord) -> int:
    """Return how many of a part's rows a mapping refused."""
    return int(part.rows - part.upload.get("sent_rows", part.rows))


def _facts(load: LoadRecord) -> InputFacts:
    if load.input_facts is None:
        raise StepRefused(Fault(code="load.not_prepared", message=f"Load {load.id} has parts but no facts."))
    return InputFacts.from_json(load.input_facts)


def _opener(resources: Resources, key: str) -> Callable[[], Iterator[bytes]]:
    return lambda: resources.files.open_blocks(key)
