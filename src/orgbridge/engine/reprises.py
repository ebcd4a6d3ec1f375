"""Loads and parts whose workflow broke, taken up again from what the store holds of them.

A workflow breaks when its log does not fit the program: a version of before had other steps. Nothing of the log is
needed to go on. What must not be done twice is in the store before it is done: the parts that were cut, the jobs that
were created, and of each job whether it may have been committed. Laws:
1. A broken load is taken up once, by one workflow, after every workflow that its own had begun has ended.
2. A part one of whose jobs may have been committed is received, never sent again.
3. Jobs of a part that were not committed are given up before another one is made.
4. Cutting goes on behind the last part that was recorded, whatever the program would have cut before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from orgbridge.engine import matches
from orgbridge.engine.facts import JOINT, InputFacts
from orgbridge.engine.preparation import open_load
from orgbridge.engine.ranges import own_records
from orgbridge.engine.resources import Resources
from orgbridge.engine.rounds import load_of
from orgbridge.loads.inputs import CSVSource
from orgbridge.loads.plan import plan_parts
from orgbridge.loads.positions import Position
from orgbridge.loads.splitter import LineCount
from orgbridge.loads.states import PART_ENDS
from orgbridge.store.records import JobUse, LoadRecord, PartRecord
from orgbridge.store.round_records import RoundRecord
from orgbridge.wire.limits import INGEST_BATCH_RECORDS


@dataclass(frozen=True, slots=True)
class Reprise:
    """What the store holds of one broken load."""

    #: The worker's connections.
    resources: Resources
    #: The load.
    load_id: str

    async def survey(self) -> dict[str, Any]:
        """Return from where a load goes on.

        Returns:
            `afresh`: whether nothing was recorded of it; else `org`, `max_rows`, `max_bytes`, `whole` and `position` as
            a preparation returns them; `open`: number, round and predecessor of each sending without outcomes; and
            `seen`: what the other parts came to, for a load that is to stop when too many rows fail.
        """

        async def read() -> tuple[LoadRecord, list[PartRecord], list[RoundRecord]]:
            async with self.resources.database.unit(write=False) as unit:
                parts = await unit.parts.list(self.load_id)
                rounds = await unit.sequels.rounds(self.load_id)
            return await load_of(self.resources, self.load_id), parts, rounds

        load, parts, rounds = await self.resources.patience().until_done(read)
        if load.input_facts is None and not parts:
            return {"afresh": True, "org": load.org}
        facts = InputFacts.from_json(load.input_facts or {})
        ended = load.rows_read is not None or facts.stopped is not None
        source = await self.resources.split(partial(open_load, self.resources, load))
        position = None if ended else await self.resources.split(partial(self._position, load, source, parts))
        plan = plan_parts(
            input_bytes=load.input_bytes,
            record_bytes=max(1.0, sum(part.bytes for part in parts) / max(1, sum(part.rows for part in parts))),
            part_rows=load.options.get("part_rows") or (INGEST_BATCH_RECORDS if load.options.get("serial") else None),
        )
        judged = bool(load.options.get("canary")) or load.options.get("max_failure_ratio") is not None
        waiting = [[part.number, 0, part.upload.get("after")] for part in parts if not _has_ended(part)]
        waiting += [
            [found.sending.number, found.round, None]
            for found in rounds
            if found.sending.findings is None and found.sending.job_id is not None
        ]
        return {
            "afresh": False,
            "org": load.org,
            "max_rows": plan.max_rows,
            "max_bytes": plan.max_bytes,
            "whole": bool(load.options.get("strict")),
            "position": position.to_json() if position is not None else None,
            "open": waiting,
            "seen": [matches.totals(part) for part in parts if judged and _has_ended(part)],
        }

    def _position(self, load: LoadRecord, source: CSVSource, parts: list[PartRecord]) -> Position:
        first = Position.first(source.first_line)
        if not parts:
            return first
        last = parts[-1]
        lines = last.rows
        if source.line_count is not LineCount.RECORD:
            ending = source.dialect.line_ending.chars.encode()[-1:]
            lines = sum(block.count(ending) for block in own_records(self.resources.files, last))
        return Position(
            part=last.number + 1,
            row=last.first_row + last.rows,
            line=last.first_line + lines,
            bytes=sum(part.bytes for part in parts),
        )


async def jobs_of(resources: Resources, load_id: str, number: int, round_number: int) -> dict[str, Any]:
    """Return what a part, or one round of it, has at Salesforce.

    For a part as a whole its rounds count too as long as it has no outcomes: some of its rows may have been kept back,
    and the others then went in a round.

    Returns:
        `totals` of a part that has its outcomes, else None; `committed` and `created`: round and job id of each job
        that may have been committed, or that was created and not given up.
    """

    async def read() -> dict[str, Any]:
        async with resources.database.unit(write=False) as unit:
            sending = await unit.sendings(round_number).get(load_id, number)
            jobs = [job for job in await unit.jobs.list(load_id) if job.part == number]
        if round_number or number == JOINT:
            jobs = [job for job in jobs if job.round == round_number]
            ended = sending is not None and sending.findings is not None
        else:
            ended = sending is not None and _has_ended(sending)
        found = {use: [[job.round, job.job_id] for job in jobs if job.use is use] for use in JobUse}
        return {
            "totals": matches.totals(sending) if ended and sending is not None else None,
            "committed": found[JobUse.COMMITTED],
            "created": found[JobUse.CREATED],
        }

    return await resources.patience().until_done(read)


def _has_ended(part: PartRecord) -> bool:
    return part.results_key is not None and part.state in PART_ENDS
