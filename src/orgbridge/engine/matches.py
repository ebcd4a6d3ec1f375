"""Every row of a part gets its outcome: from Salesforce's results, or from the reason why it was never sent."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from typing import Any

from orgbridge.engine.errors import StepRefused
from orgbridge.engine.facts import InputFacts, findings_of, part_files
from orgbridge.engine.faults import Fault
from orgbridge.engine.ranges import own_records, sent_records
from orgbridge.engine.resources import Resources
from orgbridge.loads.hotparents import HotParents
from orgbridge.loads.mapped import read_refusals, restored
from orgbridge.loads.matching import PartMatch, match_part, unprocessed_part
from orgbridge.loads.receipt import ErrorGroup
from orgbridge.loads.remedies import may_hide_a_lock
from orgbridge.loads.rounds import Tally, merge_results, renumbered, retryable_rows
from orgbridge.loads.states import PartState
from orgbridge.store.files import StoredFile
from orgbridge.store.records import LoadRecord, PartRecord
from orgbridge.wire.bulk import IngestOperation, JobState

#: How the error of a job begins that Salesforce gave up for too many locks. Source: bulk2.md section 5.
_TOO_MANY_LOCKS = "TooManyLockFailure"


async def match(
    resources: Resources,
    load: LoadRecord,
    part: PartRecord,
    keys: dict[str, str],
    round_number: int = 0,
    *,
    modstamp: str | None = None,
) -> dict[str, Any]:
    """Join a job's results to the rows of a part, or of a round of it, and store them in input order.

    Args:
        resources: The worker's connections.
        load: The load.
        part: The part or round; its job has ended.
        keys: Keys of the job's results by kind.
        round_number: 0 for the part as a whole.
        modstamp: When the job ended, by Salesforce's clock.

    Returns:
        `state`, `rows`, `failed`, `unprocessed`, `retryable`.
    """
    facts = _facts(load)
    complete = part.job_state == JobState.JOB_COMPLETE
    given_back = part.job_state == JobState.FAILED and (part.error_message or "").startswith(_TOO_MANY_LOCKS)

    def work() -> _Work:
        found = match_part(
            records=partial(sent_records, resources.files, part),
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
            job_complete=complete,
            job_error=None if complete else _why(load, part),
        )
        found = _beside_own_records(resources, facts, part, found)
        found = _on_own_lines(resources, part, round_number, found)
        stored = resources.files.write_blocks(results_key(part, round_number), found.result_blocks())
        locked = _locked(resources, load, facts, stored.key, found.errors, given_back=given_back)
        return found, stored, {"given_back": given_back, "modstamp": modstamp, **locked}

    reason = part.error_message
    return await _store(
        resources, part, work, state=PartState.MATCHED, sent=True, reason=reason, round_number=round_number
    )


async def refuse(resources: Resources, load: LoadRecord, part: PartRecord) -> dict[str, Any]:
    """Account for a part of which no row is sent, because its mapping refused every one.

    Returns:
        As `match`.
    """
    facts = _facts(load)

    def work() -> _Work:
        found = _on_own_lines(resources, part, 0, _beside_own_records(resources, facts, part, None))
        return found, resources.files.write_blocks(results_key(part), found.result_blocks()), {}

    return await _store(resources, part, work, state=PartState.MATCHED, sent=False, reason=None, round_number=0)


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
        records=partial(own_records, resources.files, part),
        dialect=facts.dialect,
        first_row=part.first_row,
        first_line=part.first_line,
        line_count=facts.line_count,
    )


async def account(
    resources: Resources,
    load: LoadRecord,
    part: PartRecord,
    fault: Fault,
    *,
    sent: bool,
    aborted: bool,
    round_number: int = 0,
) -> dict[str, Any]:
    """Give every row of a part the same reason for not having been processed.

    Args:
        resources: The worker's connections.
        load: The load.
        part: The part or round.
        fault: The reason.
        sent: Whether the part's job was, or may have been, committed.
        aborted: Whether the part ends because somebody stopped the load.
        round_number: 0 for the part as a whole.

    Returns:
        `state`, `rows`, `failed`, `unprocessed`, `retryable`.
    """
    facts = _facts(load)
    stopped_by = fault.code
    if sent:
        message = f"This row was sent, and whether it was processed is not known: {fault.message}"
        fault = Fault(code="job.outcome_unknown", message=message)

    def work() -> _Work:
        found = unprocessed_part(
            records=partial(own_records, resources.files, part, whatever=True),
            dialect=facts.dialect,
            first_row=part.first_row,
            first_line=part.first_line,
            error_code=fault.code,
            error_message=fault.message,
            line_count=facts.line_count,
            attempt=max(1, part.attempt),
        )
        found = _on_own_lines(resources, part, round_number, found)
        stored = resources.files.write_blocks(results_key(part, round_number), found.result_blocks())
        return found, stored, {"stopped_by": stopped_by}

    state = PartState.ABORTED if aborted else PartState.FAILED
    return await _store(resources, part, work, state=state, sent=sent, reason=fault.message, round_number=round_number)


async def merge(
    resources: Resources, load: LoadRecord, part: PartRecord, sending: PartRecord, round_number: int
) -> dict[str, Any]:
    """Give the rows of a round that has ended their outcome in the part's results.

    A round that was never committed changes nothing, unless it is the part's first sending. Running it again changes
    nothing: every merge writes a file of its own.

    Returns:
        `state`, `rows`, `failed`, `unprocessed`, `retryable` of the part.
    """
    facts = _facts(load)
    before, now = part.findings or {}, sending.findings
    key = f"{part_files(part.load_id, part.number)}.m{round_number}.results.csv"
    is_first = before.get("first_round") == round_number
    if now is None or sending.results_key is None:
        message = f"Round {round_number} of part {part.number} ended without outcomes for its rows."
        raise StepRefused(Fault(code="load.unbalanced", message=message))
    if part.results_key in (None, key) or not (is_first or now["sent"]):
        return totals(part)
    base_key, round_key = part.results_key, sending.results_key
    given_back = bool(now.get("given_back")) and (bool(before.get("given_back")) or not part.unprocessed or is_first)

    def work() -> tuple[Tally, StoredFile, dict[str, Any]]:
        tally = Tally(dialect=facts.dialect)
        blocks = merge_results(resources.files.open_blocks(base_key), resources.files.open_blocks(round_key))
        stored = resources.files.write_blocks(key, tally.passing(blocks))
        locked = _locked(resources, load, facts, key, tally.errors(), given_back=given_back)
        return tally, stored, locked

    tally, stored, locked = await resources.patience().until_done(lambda: resources.match(work))
    if tally.statuses.total() != part.rows:
        message = f"Part {part.number} has {part.rows} rows but {tally.statuses.total()} outcomes were found."
        raise StepRefused(Fault(code="load.unbalanced", message=message))
    state = sending.state if is_first or sending.state is PartState.FAILED else part.state
    findings = {
        **before,
        "sent": bool(before.get("sent")) or now["sent"],
        "sent_rows": (sending.rows if now["sent"] else 0) if is_first else before.get("sent_rows"),
        "given_back": given_back,
        "ambiguous": tally.ambiguous,
        "stray_results": before.get("stray_results", 0) + now.get("stray_results", 0),
        "missing_results": before.get("missing_results", 0) + now.get("missing_results", 0),
        "errors": [asdict(group) for group in tally.errors()],
        "retryable": locked["retryable"],
        # The first sending saw all of them; what is left in later rounds are the same ones again.
        "hot_parents": before.get("hot_parents") or locked["hot_parents"],
        "modstamp": now.get("modstamp") or before.get("modstamp"),
    }
    job = {"job_id": sending.job_id, "job_state": sending.job_state} if is_first else {}
    reason = sending.error_message if is_first or sending.state is PartState.FAILED else part.error_message

    async def record() -> None:
        async with resources.database.unit() as unit:
            await unit.parts.update(
                part.load_id,
                part.number,
                state=state,
                succeeded=tally.statuses["succeeded"],
                failed=tally.statuses["failed"],
                unprocessed=tally.statuses["unprocessed"],
                skipped=tally.statuses["skipped"],
                results_key=stored.key,
                results_sha256=stored.sha256,
                findings=findings,
                error_message=reason,
                attempt=sending.attempt,
                updated_at=resources.clock.now(),
                **job,
            )

    await resources.patience().until_done(record)
    return {
        "state": state.value,
        "rows": part.rows,
        "failed": tally.statuses["failed"],
        "unprocessed": tally.statuses["unprocessed"],
        "retryable": locked["retryable"],
    }


def results_key(part: PartRecord, round_number: int = 0) -> str:
    """Return the key of a part's matched results, or those of a round of it."""
    return f"{part_files(part.load_id, part.number, round_number)}.results.csv"


def totals(part: PartRecord) -> dict[str, Any]:
    """Return what a part has come to: `state`, `rows`, `failed`, `unprocessed`, `retryable`."""
    retryable = (part.findings or {}).get("retryable", 0)
    return {
        "state": part.state.value,
        "rows": part.rows,
        "failed": part.failed,
        "unprocessed": part.unprocessed,
        "retryable": retryable,
    }


_Work = tuple[PartMatch, StoredFile, dict[str, Any]]


async def _store(
    resources: Resources,
    part: PartRecord,
    work: Callable[[], _Work],
    *,
    state: PartState,
    sent: bool,
    reason: str | None,
    round_number: int,
) -> dict[str, Any]:
    patience = resources.patience()
    found, stored, more = await patience.until_done(lambda: resources.match(work))
    if found.rows != part.rows:
        message = f"Part {part.number} has {part.rows} rows but {found.rows} outcomes were found."
        raise StepRefused(Fault(code="load.unbalanced", message=message))

    refused = refused_rows(part) if state is PartState.MATCHED else 0

    async def record() -> None:
        async with resources.database.unit() as unit:
            await unit.sendings(round_number).advance(
                part.load_id,
                part.number,
                state,
                succeeded=found.succeeded,
                failed=found.failed,
                unprocessed=found.unprocessed,
                results_key=stored.key,
                results_sha256=stored.sha256,
                findings=findings_of(found, sent=sent, refused=refused, **more),
                error_message=reason,
                updated_at=resources.clock.now(),
            )

    await patience.until_done(record)
    return {
        "state": state.value,
        "rows": found.rows,
        "failed": found.failed,
        "unprocessed": found.unprocessed,
        "retryable": more.get("retryable", 0),
    }


def _locked(
    resources: Resources,
    load: LoadRecord,
    facts: InputFacts,
    key: str,
    errors: tuple[ErrorGroup, ...],
    *,
    given_back: bool,
) -> dict[str, Any]:
    """Return how many rows may be sent again by themselves, and which parents they share. Reads the results."""
    if not given_back and not any(may_hide_a_lock(group.code, group.message) for group in errors):
        return {"retryable": 0, "hot_parents": []}
    parents = HotParents(header=facts.fields, delimiter=facts.dialect.delimiter, key=load.external_id_field)
    retryable = 0
    for row in retryable_rows(resources.files.open_blocks(key), facts.dialect, given_back=given_back):
        retryable += 1
        parents.see(row)
    return {"retryable": retryable, "hot_parents": parents.to_json()}


def _why(load: LoadRecord, part: PartRecord) -> str | None:
    if part.job_state == JobState.ABORTED:
        if load.cancel_requested:
            return "The load was cancelled before Salesforce came to this row."
        return "Somebody aborted the job at Salesforce before it came to this row."
    return part.error_message


def own_lines(resources: Resources, part: PartRecord, round_number: int = 0) -> array[int] | None:
    """Return the lines of the rows of a part, or of a round of it; None when they follow each other in the input."""
    key = part.upload.get("lines_key")
    if round_number:
        key = f"{part_files(part.load_id, part.number, round_number)}.lines"
    if key is None:
        return None
    lines = array("Q")
    lines.frombytes(b"".join(resources.files.open_blocks(key)))
    return lines


def _on_own_lines(resources: Resources, part: PartRecord, round_number: int, found: PartMatch) -> PartMatch:
    lines = own_lines(resources, part, round_number)
    return found if lines is None else renumbered(found, lines)


def refused_rows(part: PartRecord) -> int:
    """Return how many of a part's rows a mapping refused."""
    return int(part.rows - part.upload.get("sent_rows", part.rows))


def _facts(load: LoadRecord) -> InputFacts:
    if load.input_facts is None:
        raise StepRefused(Fault(code="load.not_prepared", message=f"Load {load.id} has parts but no facts."))
    return InputFacts.from_json(load.input_facts)


def _opener(resources: Resources, key: str) -> Callable[[], Iterator[bytes]]:
    return lambda: resources.files.open_blocks(key)
