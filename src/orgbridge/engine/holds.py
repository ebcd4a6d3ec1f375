"""Which rows of a part are kept back: those an undo must not touch any more, and those a delta finds unchanged.

The rest goes in a round of its own. Laws:
1. What is kept back is decided once and written before the round: a second run finds the round and leaves it.
2. A part with rows to send keeps its state until the round is merged: a row that was not sent can never be taken for
   one whose outcome is known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

from orgbridge.engine.afterimages import written
from orgbridge.engine.deltas import unchanged
from orgbridge.engine.facts import InputFacts, part_files
from orgbridge.engine.lookups import find
from orgbridge.engine.mappings import sent_cells, sent_column
from orgbridge.engine.matches import own_lines, totals
from orgbridge.engine.ranges import own_records
from orgbridge.engine.resources import Resources
from orgbridge.engine.rounds import add_round
from orgbridge.loads.holds import Hold, held_results, kept_rows
from orgbridge.loads.mapped import read_refusals
from orgbridge.loads.outcomes import RowStatus
from orgbridge.loads.partrows import line_numbers
from orgbridge.loads.rounds import Tally
from orgbridge.loads.states import PartState
from orgbridge.store.files import StoredFile
from orgbridge.store.records import LoadRecord, PartRecord
from orgbridge.wire.ids import to_18

_ROUND = 1
_CHANGED = Hold(
    status=RowStatus.UNPROCESSED,
    code="undo.changed_since",
    message="The record was changed after the load that is to be undone; it was left alone.",
)
_DIFFERS = Hold(
    status=RowStatus.UNPROCESSED,
    code="undo.value_differs",
    message="A field holds another value than the load wrote: somebody changed it, or the org's automation did, and "
    "which cannot be told; the record was left alone.",
)
_GONE = Hold(status=RowStatus.UNPROCESSED, code="undo.record_gone", message="The record no longer exists.")


def wanted(load: LoadRecord) -> bool:
    """Tell whether rows of the load may have to be kept back."""
    return bool(load.options.get("undo") or load.options.get("delta"))


async def hold(resources: Resources, load: LoadRecord, part: PartRecord) -> dict[str, Any]:
    """Decide which rows of a part are sent, and prepare the round that sends them.

    Returns:
        `round` and `send` (its rows), and what `matches.totals` tells.
    """
    facts = InputFacts.from_json(load.input_facts or {})
    files = part_files(part.load_id, part.number)

    async def before() -> PartRecord | None:
        async with resources.database.unit(write=False) as unit:
            return await unit.round(_ROUND).get(part.load_id, part.number)

    if part.results_key is not None:
        # Done before, by a worker that died right after.
        sending = await resources.patience().until_done(before)
        return {"round": _ROUND, "send": sending.rows if sending is not None else 0, **totals(part)}
    opener = partial(own_records, resources.files, part)
    lines = await resources.match(
        lambda: own_lines(resources, part) or line_numbers(opener, part.first_line, facts.line_count)
    )
    warnings: list[str] = []
    if load.options.get("undo"):
        holds = await _undo_holds(resources, load, part, facts)
    else:
        holds, warnings = await unchanged(resources, load, part, facts)
    refused = await resources.match(lambda: _refused(resources, part))
    # A refused row has no place in the round: it fails here, by its own reason.
    holds = [refused.get(place, held) for place, held in enumerate(holds)]
    key = f"{files}.held.results.csv"

    def write() -> tuple[StoredFile, Tally]:
        tally = Tally(dialect=facts.dialect)
        blocks = held_results(opener(), lines, holds, facts.dialect)
        return resources.files.write_blocks(key, tally.passing(blocks)), tally

    known = await resources.patience().until_done(before)
    if known is None:
        stored, tally = await resources.match(write)
        rows: Callable[[], Iterator[tuple[int, bytes]]] = lambda: kept_rows(opener(), lines, holds)  # noqa: E731
        send = await add_round(resources, facts, part, _ROUND, rows)
    else:
        # The round stands; what is kept back is what it does not have.
        sent = set(_lines_of(resources, part))
        holds = [None if line in sent else held or _CHANGED for line, held in zip(lines, holds, strict=True)]
        stored, tally = await resources.match(write)
        send = known.rows
    await _record(resources, part, stored, tally, send=send, warnings=warnings)
    return {
        "round": _ROUND,
        "send": send,
        "state": PartState.MATCHED.value,
        "rows": part.rows,
        "failed": len(refused),
        "unprocessed": tally.statuses["unprocessed"],
        "retryable": 0,
    }


async def _record(
    resources: Resources, part: PartRecord, stored: StoredFile, tally: Tally, *, send: int, warnings: list[str]
) -> None:
    errors = [
        {"code": group.code, "count": group.count, "lines": list(group.lines), "message": group.message}
        for group in tally.errors()
    ]
    refused = tally.statuses["failed"]
    findings = {
        "sent": False,
        "sent_rows": 0,
        "held": part.rows - send - refused,
        "refused": refused,
        "first_round": _ROUND,
        "errors": errors,
        "warnings": warnings,
        "ambiguous": 0,
        "stray_results": 0,
        "missing_results": 0,
    }

    async def record() -> None:
        async with resources.database.unit() as unit:
            await unit.parts.update(
                part.load_id,
                part.number,
                state=part.state if send else PartState.MATCHED,
                failed=refused,
                unprocessed=tally.statuses["unprocessed"],
                skipped=tally.statuses["skipped"],
                results_key=stored.key,
                results_sha256=stored.sha256,
                findings=findings,
                updated_at=resources.clock.now(),
            )

    await resources.patience().until_done(record)


def _lines_of(resources: Resources, part: PartRecord) -> Sequence[int]:
    data = b"".join(resources.files.open_blocks(f"{part_files(part.load_id, part.number, _ROUND)}.lines"))
    return memoryview(data).cast("Q").tolist()


async def _undo_holds(resources: Resources, load: LoadRecord, part: PartRecord, facts: InputFacts) -> list[Hold | None]:
    """Return which records were changed or deleted after the load that is to be undone had written them.

    That load's own write is told by its job's end, by Salesforce's clock, by who wrote: us, and by what the fields
    hold: what it wrote. The last is needed, for stamps have whole seconds, and of a job only its end is known.
    Assumed: a job's systemModstamp is no earlier than that of the rows that it wrote.
    """
    salesforce = resources.orgs.get(load.org).salesforce
    patience = resources.patience(load.id)
    describe = await patience.until_done(lambda: salesforce.describe.sobject(load.object_name))
    names = {str(field["name"]) for field in describe.get("fields", [])}
    fields: list[str] = [name for name in ("SystemModstamp", "LastModifiedDate", "LastModifiedById") if name in names]
    token = await patience.until_done(salesforce.tokens.get)
    ids = await resources.match(lambda: sent_column(resources, facts, part, "Id"))
    wide = {to_18(identifier) or identifier for identifier in ids}
    images = await written(resources, str(load.options["undo"]["of"]), wide, describe)
    if images is not None:
        fields += [name for name in images.fields if name not in fields]
    state: dict[str, tuple[datetime | None, str]] = {}
    differing: dict[str, str] = {}
    async for record in find(salesforce, patience, load.object_name, "Id", ids, ("Id", *fields)):
        stamp = record.get("SystemModstamp") or record.get("LastModifiedDate")
        state[str(record["Id"])] = (_instant(stamp), str(record.get("LastModifiedById") or ""))
        if images is not None and (name := images.differs(record)) is not None:
            differing[str(record["Id"])] = name
    ends = _ends_of_rows(load, part)
    holds: list[Hold | None] = []
    for identifier, end in zip(_all_ids(resources, facts, part), ends, strict=True):
        found = state.get(to_18(identifier) or identifier)
        if found is None:
            holds.append(_GONE)
            continue
        written_at, by = found
        is_other = bool(by) and token.user_id is not None and by[:15] != token.user_id[:15]
        # What cannot be compared is not touched.
        late = end is None or written_at is None or written_at > end or images is None
        name = differing.get(to_18(identifier) or identifier)
        if late or is_other:
            holds.append(_CHANGED)
        else:
            holds.append(replace(_DIFFERS, field=name) if name is not None else None)
    return holds


def _all_ids(resources: Resources, facts: InputFacts, part: PartRecord) -> list[str]:
    place = [name.casefold() for name in facts.sent_header].index("id")
    return [cells[place] for cells, _ in sent_cells(resources, facts, part)]


def _refused(resources: Resources, part: PartRecord) -> dict[int, Hold]:
    """Return the rows that their mapping refuses, by place."""
    key = part.upload.get("refused_key")
    refusals = read_refusals(resources.files.open_blocks(key)) if key else []
    return {
        refusal.place: Hold(status=RowStatus.FAILED, code=refusal.code, message=refusal.message, field=refusal.field)
        for refusal in refusals
    }


def _ends_of_rows(load: LoadRecord, part: PartRecord) -> list[datetime | None]:
    """Return, for each row of the part, when the job that wrote it had ended."""
    ends: list[datetime | None] = []
    row, last = 1, part.first_row + part.rows
    for count, stamp in load.options["undo"]["runs"]:
        start, stop = max(row, part.first_row), min(row + count, last)
        ends += [_instant(stamp)] * max(0, stop - start)
        row += count
    return ends


def _instant(text: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
