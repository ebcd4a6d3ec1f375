"""Rows of parts that are sent again by themselves, and parts that are never sent: what the load decides about them.

Laws:
1. A row is sent again only if its outcome is in the ledger, says that nothing was written, and passes by itself.
2. A round's rows lie in a file of their own before its job is created; the round's record is made once.
3. The part's results get the round's outcomes only if the round's job was committed: a round that never was changes
   nothing of what is known.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from orgbridge.engine import deltas, matches
from orgbridge.engine.errors import StepRefused
from orgbridge.engine.facts import InputFacts, part_files
from orgbridge.engine.faults import Fault
from orgbridge.engine.mappings import write_sent
from orgbridge.engine.ramps import RampPlan
from orgbridge.engine.resources import Resources
from orgbridge.loads.rounds import retryable_rows
from orgbridge.loads.splitter import Part, PartStart, split_records
from orgbridge.loads.states import PartState
from orgbridge.store.records import LoadRecord, PartRecord
from orgbridge.wire.limits import INGEST_JOB_BYTES

#: How the reason of a row that was stopped begins.
NOT_SENT: Final = "The row was not sent: "


@dataclass(frozen=True, slots=True)
class Rounds:
    """Decides for one load."""

    #: The worker's connections.
    resources: Resources
    #: The load.
    load_id: str

    async def plan(self) -> dict[str, Any]:
        """Return how parts are to be started and how often locked rows are sent again."""

        async def read() -> LoadRecord:
            return await load_of(self.resources, self.load_id)

        load = await self.resources.patience().until_done(read)
        config = self.resources.config
        ramp = RampPlan.from_options(load.options, limit=config.parts_per_org)
        rounds = load.options.get("row_retry")
        return {
            "ramp": ramp.to_json(),
            "rounds": config.retry_rounds if rounds is None else int(rounds),
            "delta": bool(load.options.get("delta")),
        }

    async def renew_baseline(self) -> None:
        """Keep what the org holds of the load's source now."""

        async def read() -> LoadRecord:
            return await load_of(self.resources, self.load_id)

        await deltas.renew(self.resources, await self.resources.patience().until_done(read))

    async def stop(self, first: int, why: str) -> None:
        """Account for the parts from `first` on, which are never sent."""

        async def read() -> tuple[LoadRecord, list[PartRecord]]:
            async with self.resources.database.unit(write=False) as unit:
                parts = await unit.parts.list(self.load_id)
            return await load_of(self.resources, self.load_id), parts

        load, parts = await self.resources.patience().until_done(read)
        fault = gate_fault(why)
        for part in parts:
            if part.number >= first and part.results_key is None:
                await matches.account(self.resources, load, part, fault, sent=False, aborted=True)

    async def due(self) -> list[list[int]]:
        """Return parts that have rows to be sent again, each with the number of its next round.

        A part of a grouped load comes with the first part of its chain as well: of one chain, one runs at a time.
        """

        async def read() -> tuple[bool, list[PartRecord], dict[int, int]]:
            async with self.resources.database.unit(write=False) as unit:
                cancelled = await unit.loads.cancel_requested(self.load_id)
                parts = await unit.parts.list(self.load_id)
                rounds = await unit.sequels.rounds(self.load_id)
            # A round that was chosen and not sent is the next one still.
            last = {found.sending.number: found.round - (found.sending.findings is None) for found in rounds}
            return cancelled, parts, last

        cancelled, parts, last = await self.resources.patience().until_done(read)
        if cancelled:
            return []
        chains: dict[int, int] = {}
        for part in parts:
            if "lines_key" in part.upload:
                after = part.upload.get("after")
                chains[part.number] = part.number if after is None else chains[after]
        return [
            [part.number, last.get(part.number, 0) + 1, *([chains[part.number]] if part.number in chains else [])]
            for part in parts
            if part.state is PartState.MATCHED and (part.findings or {}).get("retryable")
        ]

    async def pause(self, turn: int) -> bool:
        """Wait until what held the rows may have let go; False when the load is to be stopped."""
        config = self.resources.config
        clock = self.resources.clock
        seconds = min(config.retry_pause_seconds * 2 ** (turn - 1), config.longest_retry_pause_seconds)
        until = clock.monotonic() + seconds
        await self.resources.tell(
            self.load_id, f"Rows that could not be locked are sent again in {seconds:g} s (round {turn})."
        )
        try:
            while (left := until - clock.monotonic()) > 0:
                if await self.resources.cancel_requested(self.load_id):
                    return False
                await clock.sleep(min(left, 1.0))
        finally:
            await self.resources.tell(self.load_id, None)
        return True


def gate_fault(why: str) -> Fault:
    """Return the reason of rows that are not sent because too many before them failed."""
    return Fault(code="load.failure_ratio", message=f"{NOT_SENT}{why}")


async def load_of(resources: Resources, load_id: str) -> LoadRecord:
    """Return the load.

    Raises:
        StepRefused: It was deleted while it ran.
    """
    async with resources.database.unit(write=False) as unit:
        load = await unit.loads.get(load_id)
    if load is None:
        raise StepRefused(Fault(code="load.deleted", message=f"Load {load_id} was deleted while it ran."))
    return load


async def select(resources: Resources, load: LoadRecord, part: PartRecord, round_number: int) -> int:
    """Write a round's rows into a file of their own and record the round; return how many rows there are.

    Running it again gives the same round: the part's results do not change before the round is merged into them.
    """
    facts = _facts(load)
    given_back = bool((part.findings or {}).get("given_back"))
    if part.results_key is None:
        return 0
    blocks = partial(resources.files.open_blocks, part.results_key)

    def rows() -> Iterator[tuple[int, bytes]]:
        for row in retryable_rows(blocks(), facts.dialect, given_back=given_back):
            yield row.line, row.record

    return await add_round(resources, facts, part, round_number, rows)


async def add_round(
    resources: Resources,
    facts: InputFacts,
    part: PartRecord,
    round_number: int,
    rows: Any,
    *,
    about: dict[str, Any] | None = None,
) -> int:
    """Write some rows of a part into a file of their own and record them as a round; return how many there are.

    Args:
        resources: The worker's connections.
        facts: What the input is.
        part: The part that they are of.
        round_number: 1 for the part's first.
        rows: Opens an iterator of lines and records, in input order.
        about: What else is kept of the round.
    """
    files = part_files(part.load_id, part.number, round_number)

    def write() -> tuple[Part, dict[str, Any]] | None:
        lines = array("Q")
        ended: Part | None = None

        def records() -> Iterator[bytes]:
            for line, record in rows():
                lines.append(line)
                yield record

        def cut() -> Iterator[bytes]:
            nonlocal ended
            for event in split_records(
                records(),
                facts.dialect,
                header_record=facts.header_record,
                columns=len(facts.header),
                max_rows=max(1, part.rows),
                max_bytes=INGEST_JOB_BYTES * 2,
            ):
                if isinstance(event, Part):
                    ended = event
                elif not isinstance(event, PartStart):
                    yield event

        if next(iter(rows()), None) is None:
            return None
        resources.files.write_blocks(f"{files}.csv", cut())
        resources.files.write_blocks(f"{files}.lines", [lines.tobytes()])
        assert ended is not None, "there are rows"
        return ended, write_sent(resources, facts, ended, files, resources.files.open_blocks(f"{files}.csv"))

    written = await resources.patience().until_done(lambda: resources.match(write))
    if written is None:
        return 0
    made, upload = written
    sending = replace(
        part,
        state=PartState.PLANNED,
        rows=made.rows,
        bytes=made.bytes,
        sha256=made.sha256,
        input_key=f"{files}.csv",
        upload={**upload, **(about or {})},
        job_id=None,
        upload_job_id=None,
        job_state=None,
        succeeded=0,
        failed=0,
        unprocessed=0,
        skipped=0,
        api_calls=0,
        results_key=None,
        results_sha256=None,
        findings=None,
        error_message=None,
        stalled_at=None,
        updated_at=resources.clock.now(),
    )

    async def record() -> None:
        async with resources.database.unit() as unit:
            await unit.round(round_number).add([sending])

    await resources.patience().until_done(record)
    return made.rows


def _facts(load: LoadRecord) -> InputFacts:
    if load.input_facts is None:
        raise StepRefused(Fault(code="load.not_prepared", message=f"Load {load.id} has parts but no facts."))
    return InputFacts.from_json(load.input_facts)
