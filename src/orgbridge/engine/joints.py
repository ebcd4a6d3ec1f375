"""Rounds of several parts in one job: few rows of many parts go together, and come back each to its own part.

A joint is a sending with a record, a file and a job of its own under a number that no part has. Each of its members
keeps the round that it would have had alone, with its own file and record, and gets its outcomes when the joint's job
has ended. Laws:
1. A joint's rows are those of its members, in the members' order; no two of them could be taken for one another, and
   none of them writes the same record.
2. A joint has no more rows than one batch of Salesforce, which works on them one after another: joining never lets
   rows run at the same time that would not have before.
3. A joint is made before anything of it is sent, and always the same way from the same results. Its outcomes are dealt
   out by the members' own row counts, and each member's lines are checked against them.
"""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from itertools import islice
from typing import Any

from orgbridge.engine import matches
from orgbridge.engine.errors import StepRefused
from orgbridge.engine.facts import JOINT, InputFacts, part_files, part_of
from orgbridge.engine.faults import Fault
from orgbridge.engine.mappings import sent_column
from orgbridge.engine.ranges import own_records
from orgbridge.engine.resources import Resources
from orgbridge.engine.rounds import add_round, load_of, select
from orgbridge.loads.records import masked_records, record_chunks, unmasked
from orgbridge.loads.rounds import Tally
from orgbridge.store.files import StoredFile
from orgbridge.store.records import LoadRecord, PartRecord
from orgbridge.wire.bulk import IngestOperation
from orgbridge.wire.ids import to_18
from orgbridge.wire.limits import INGEST_BATCH_RECORDS, INGEST_JOB_BYTES

#: Joints of one turn: their rounds are numbered by turn and place.
_PER_TURN = 1000


@dataclass(slots=True)
class _Open:
    """A joint that may take more members."""

    alike: tuple[Any, ...]
    members: list[PartRecord] = field(default_factory=list)
    rounds: list[int] = field(default_factory=list)
    rows: int = 0
    bytes: int = 0
    keys: set[object] = field(default_factory=set)


async def join(resources: Resources, load_id: str, due: Sequence[list[int]]) -> list[list[int]]:
    """Return what is to be sent again, where few rows of several parts go together.

    Args:
        resources: The worker's connections.
        load_id: The load.
        due: Parts with the numbers of their next rounds; those of a grouped load, which name their chain as well, stay
            as they are.
    """
    if len(due) < 2 or any(len(entry) != 2 for entry in due):
        return list(due)
    load = await resources.patience().until_done(lambda: load_of(resources, load_id))
    facts = InputFacts.from_json(load.input_facts or {})
    turn = await resources.patience().until_done(partial(_next_turn, resources, load_id))
    alone: list[list[int]] = []
    joints: list[_Open] = []
    for number, again in due:
        sending = await _chosen(resources, load, number, again)
        if sending is None or sending.rows >= INGEST_BATCH_RECORDS:
            alone.append([number, again])
            continue
        keys = await resources.match(partial(_keys, resources, load, facts, sending))
        if len(keys) < sending.rows:
            # Rows of its own are alike: they stay by themselves, as they were.
            alone.append([number, again])
            continue
        _place(joints, sending, again, keys)
    sent: list[list[int]] = []
    for place, joint in enumerate(joints):
        if len(joint.members) == 1 or place >= _PER_TURN:
            alone += [[member.number, again] for member, again in zip(joint.members, joint.rounds, strict=True)]
        else:
            sent.append([JOINT, turn * _PER_TURN + place])
            await _make(resources, facts, joint, sent[-1][1])
    return sorted(alone) + sent


async def _next_turn(resources: Resources, load_id: str) -> int:
    """Return the number of this turn: one more than that of the last joint that has ended."""
    async with resources.database.unit(write=False) as unit:
        rounds = await unit.sequels.rounds(load_id)
    ended = [found.round for found in rounds if found.sending.number == JOINT and found.sending.findings is not None]
    return 1 + max(ended, default=0) // _PER_TURN


async def _chosen(resources: Resources, load: LoadRecord, number: int, again: int) -> PartRecord | None:
    """Return a part's next round with its rows chosen; None when there are none."""

    async def read() -> tuple[PartRecord | None, PartRecord | None]:
        async with resources.database.unit(write=False) as unit:
            return await unit.parts.get(load.id, number), await unit.round(again).get(load.id, number)

    part, _ = await resources.patience().until_done(read)
    if part is None or not await select(resources, load, part, again):
        return None
    _, sending = await resources.patience().until_done(read)
    return sending


def _keys(resources: Resources, load: LoadRecord, facts: InputFacts, sending: PartRecord) -> set[object]:
    """Return what the rows of a round are told apart by: the records that they write, else their own bytes."""
    operation = IngestOperation(load.operation)
    if operation is IngestOperation.INSERT:
        found: set[object] = set()
        for chunk in record_chunks(own_records(resources.files, sending)):
            found.update(record.rstrip(b"\r\n") for record in masked_records(chunk))
        return found
    column = (load.external_id_field or "Id") if operation is IngestOperation.UPSERT else "Id"
    values = sent_column(resources, facts, sending, column)
    if column.casefold() == "id":
        return {to_18(value) or value for value in values}
    return {value.casefold() for value in values}


def _place(joints: list[_Open], sending: PartRecord, again: int, keys: set[object]) -> None:
    alike = (sending.upload["upload_line_ending"], sending.upload["mixed_cell_newlines"], sending.attempt)
    size = max(part_of(sending).upload_bytes, sending.bytes)
    for joint in joints:
        fits = joint.rows + sending.rows <= INGEST_BATCH_RECORDS and joint.bytes + size <= INGEST_JOB_BYTES // 2
        if fits and joint.alike == alike and joint.keys.isdisjoint(keys):
            break
    else:
        joint = _Open(alike)
        joints.append(joint)
    joint.members.append(sending)
    joint.rounds.append(again)
    joint.rows += sending.rows
    joint.bytes += size
    joint.keys |= keys


async def _make(resources: Resources, facts: InputFacts, joint: _Open, round_number: int) -> None:
    """Write a joint's rows into a file of its own and record it."""
    first = joint.members[0]

    def rows() -> Iterator[tuple[int, bytes]]:
        for member, again in zip(joint.members, joint.rounds, strict=True):
            lines = iter(_lines(resources, member, again))
            for chunk in record_chunks(own_records(resources.files, member)):
                for record in masked_records(chunk):
                    yield next(lines), unmasked(record)

    members = [[member.number, again] for member, again in zip(joint.members, joint.rounds, strict=True)]
    model = replace(first, number=JOINT, rows=joint.rows)
    await add_round(resources, facts, model, round_number, rows, about={"members": members})


def _lines(resources: Resources, member: PartRecord, again: int) -> array[int]:
    lines = matches.own_lines(resources, member, again)
    assert lines is not None, "every round has its lines"
    return lines


async def deal_out(resources: Resources, load: LoadRecord, joint: PartRecord, round_number: int) -> dict[str, Any]:
    """Give every member of a joint that has ended its own outcomes, and merge them into its part.

    Running it again changes nothing.

    Returns:
        What `matches.merge` tells, summed up.

    Raises:
        StepRefused: The joint has no outcomes, or they are not those of its members.
    """
    if joint.results_key is None or joint.findings is None:
        message = f"Joint round {round_number} ended without outcomes for its rows."
        raise StepRefused(Fault(code="load.unbalanced", message=message))

    async def read(number: int, again: int) -> tuple[PartRecord, PartRecord]:
        async with resources.database.unit(write=False) as unit:
            part, sending = await unit.parts.get(load.id, number), await unit.round(again).get(load.id, number)
        if part is None or sending is None:
            message = f"Part {number} of load {load.id}, or its round {again}, was deleted while it ran."
            raise StepRefused(Fault(code="load.deleted", message=message))
        return part, sending

    members = [(int(number), int(again)) for number, again in joint.upload["members"]]
    known = [await resources.patience().until_done(partial(read, *member)) for member in members]
    facts = InputFacts.from_json(load.input_facts or {})
    written = await resources.match(partial(_split, resources, facts, joint, members, [one for _, one in known]))
    merged = []
    for place, ((part, sending), (number, again)) in enumerate(zip(known, members, strict=True)):
        stored, tally = written[place]
        # What belongs to no row of the job cannot be said to be of any member: the first one tells it.
        strays = joint.findings if place == 0 else {}
        findings = {
            "sent": joint.findings["sent"],
            "refused": 0,
            "given_back": bool(joint.findings.get("given_back")),
            "modstamp": joint.findings.get("modstamp"),
            "ambiguous": tally.ambiguous,
            "stray_results": strays.get("stray_results", 0),
            "missing_results": strays.get("missing_results", 0),
            "errors": [asdict(group) for group in tally.errors()],
            "retryable": tally.retryable,
            "hot_parents": [],
            "joint": round_number,
        }
        if joint.findings.get("stopped_by"):
            findings["stopped_by"] = joint.findings["stopped_by"]
        changes: dict[str, Any] = {
            "state": joint.state,
            "job_id": joint.job_id,
            "job_state": joint.job_state,
            "attempt": joint.attempt,
            "succeeded": tally.statuses["succeeded"],
            "failed": tally.statuses["failed"],
            "unprocessed": tally.statuses["unprocessed"],
            "results_key": stored.key,
            "results_sha256": stored.sha256,
            "findings": findings,
            "error_message": joint.error_message,
        }

        async def record(number: int = number, again: int = again, changes: dict[str, Any] = changes) -> None:
            async with resources.database.unit() as unit:
                await unit.round(again).update(load.id, number, **changes, updated_at=resources.clock.now())

        await resources.patience().until_done(record)
        merged.append(matches.merge(resources, load, part, replace(sending, **changes), again))
    totals = await asyncio.gather(*merged)
    return {
        "state": joint.state.value,
        **{name: sum(total[name] for total in totals) for name in ("rows", "failed", "unprocessed", "retryable")},
    }


def _split(
    resources: Resources,
    facts: InputFacts,
    joint: PartRecord,
    members: Sequence[tuple[int, int]],
    sendings: Sequence[PartRecord],
) -> list[tuple[StoredFile, Tally]]:
    """Write each member's share of a joint's results into a file of its own."""
    records = (
        record
        for chunk in record_chunks(resources.files.open_blocks(str(joint.results_key)))
        for record in masked_records(chunk)
    )
    written = []
    for (number, again), sending in zip(members, sendings, strict=True):
        lines, tally = _lines(resources, sending, again), Tally(dialect=facts.dialect)
        own = list(islice(records, sending.rows))
        if [int(record.partition(facts.dialect.delimiter.encode())[0]) for record in own] != list(lines):
            message = f"The outcomes of a joint round are not those of the rows of part {number}."
            raise StepRefused(Fault(code="load.unbalanced", message=message))
        key = f"{part_files(sending.load_id, number, again)}.results.csv"
        stored = resources.files.write_blocks(key, tally.passing(unmasked(record) for record in own))
        written.append((stored, tally))
    if next(records, None) is not None:
        message = "A joint round has more outcomes than its members have rows."
        raise StepRefused(Fault(code="load.unbalanced", message=message))
    return written


def undealt(sent: set[tuple[int | None, int]], records: Sequence[tuple[int, PartRecord]]) -> int | None:
    """Return the first joint round whose job may have run and whose members lack outcomes; None when there is none.

    Args:
        sent: Number and round of all committed jobs.
        records: All rounds of the load: the round and its record.
    """
    known = {(record.number, again): record for again, record in records}
    for (number, again), record in known.items():
        if number != JOINT or (JOINT, again) not in sent:
            continue
        if any(known[int(part), int(its)].findings is None for part, its in record.upload["members"]):
            return again
    return None
