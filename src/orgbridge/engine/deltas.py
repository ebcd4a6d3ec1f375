"""Delta: rows that are as they were when the same source was last loaded are not sent. Opt-in."""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Iterator
from typing import Final

from orgbridge.engine.facts import InputFacts
from orgbridge.engine.lookups import find
from orgbridge.engine.mappings import sent_cells
from orgbridge.engine.resources import Resources
from orgbridge.kit.logs import get_logger
from orgbridge.loads.deltas import (
    entries,
    entry,
    key_digest,
    merged_entries,
    row_digest,
    source_of,
    unchanged_places,
)
from orgbridge.loads.holds import Hold
from orgbridge.loads.outcomes import RowStatus
from orgbridge.loads.records import parse_chunk
from orgbridge.loads.rounds import result_rows
from orgbridge.loads.sentrows import as_sent
from orgbridge.store.records import LoadRecord, PartRecord
from orgbridge.store.round_records import BaselineRecord
from orgbridge.wire.bulk import IngestOperation

_UNCHANGED: Final = Hold(
    status=RowStatus.SKIPPED,
    code="delta.unchanged",
    message="The row is as it was when it was last loaded; it was not sent.",
)
#: Skipped rows of a part that `verify` looks up in the org.
_SAMPLE: Final = 200
#: Rows that are sorted in memory at a time.
_RUN_ROWS: Final = 100_000
_log = get_logger(__name__)


def key_field_of(load: LoadRecord) -> str:
    """Return the column by which the rows of a load are known from one time to the next."""
    return (load.external_id_field or "Id") if load.operation == IngestOperation.UPSERT else "Id"


def source_name(load: LoadRecord) -> str:
    """Return what stands for a load's source."""
    name = load.options.get("delta_source") or load.options.get("original_name") or ""
    return source_of(
        org=load.org,
        object_name=load.object_name,
        operation=load.operation,
        key_field=key_field_of(load),
        name=str(name),
    )


async def unchanged(
    resources: Resources, load: LoadRecord, part: PartRecord, facts: InputFacts
) -> tuple[list[Hold | None], list[str]]:
    """Return which rows of a part need not be sent, and sentences for the receipt.

    With `delta_verify` a sample of them is looked up in the org: when one is missing, all rows are sent.
    """
    async with resources.database.unit(write=False) as unit:
        baseline = await unit.sequels.baseline(source_name(load))
    if baseline is None or not await resources.files.exists(baseline.file_key):
        return [None] * part.rows, []
    place = _key_place(load, facts)

    def compare() -> tuple[set[int], list[str]]:
        keys, rows = [], []
        for cells, _ in sent_cells(resources, facts, part):
            keys.append(cells[place])
            rows.append((key_digest(cells[place]), row_digest(facts.sent_header, cells)))
        found = unchanged_places(entries(resources.files.open_blocks(baseline.file_key)), rows)
        step = max(1, len(found) // _SAMPLE)
        return found, [keys[there] for there in sorted(found)[::step]][:_SAMPLE]

    found, sample = await resources.match(compare)
    if load.options.get("delta_verify") and sample:
        missing = await _missing(resources, load, facts.sent_header[place], sample)
        if missing:
            text = (
                f"{missing} of {len(sample)} rows of part {part.number} that seemed unchanged are not in the org: "
                "all of its rows were sent."
            )
            _log.warning("engine.delta_distrusted", load_id=load.id, part=part.number, missing=missing)
            return [None] * part.rows, [text]
    return [_UNCHANGED if row in found else None for row in range(part.rows)], []


async def renew(resources: Resources, load: LoadRecord) -> None:
    """Keep what the org holds of the source after a load that was accounted for in full.

    Rows that succeeded are known with their new hash, skipped ones as before; all others will be sent the next time.
    """
    if not load.options.get("delta") or load.results_key is None or not (load.receipt or {}).get("balanced"):
        return
    facts = InputFacts.from_json(load.input_facts or {})
    source = source_name(load)
    key = f"delta/{source}/{load.id}"
    async with resources.database.unit(write=False) as unit:
        before = await unit.sequels.baseline(source)
    if before is not None and before.load_id >= load.id:
        # A later load of the same source was faster, or this ran before.
        return
    old = before.file_key if before is not None and await resources.files.exists(before.file_key) else None

    def write() -> int:
        runs = _write_runs(resources, load, facts)
        files = [entries(resources.files.open_blocks(run)) for run in ([old] if old else []) + runs]
        count = array("Q", [0])

        def counted() -> Iterator[bytes]:
            block: list[bytes] = []
            for found in merged_entries(*files):
                count[0] += 1
                block.append(found)
                if len(block) >= 2_000:
                    yield b"".join(block)
                    block.clear()
            yield b"".join(block)

        resources.files.write_blocks(key, counted())
        return count[0]

    rows = await resources.split(write)
    async with resources.database.unit() as unit:
        now = resources.clock.now()
        record = BaselineRecord(source=source, file_key=key, rows=rows, load_id=load.id, updated_at=now)
        await unit.sequels.set_baseline(record, now)
    await resources.files.delete(f"loads/{load.id}/delta")
    if old is not None:
        await resources.files.delete(old)


def _write_runs(resources: Resources, load: LoadRecord, facts: InputFacts) -> list[str]:
    """Write the load's rows as sorted runs; return their keys."""
    place = _key_place(load, facts)
    keys: list[str] = []
    run: dict[bytes, bytes] = {}

    def close() -> None:
        keys.append(f"loads/{load.id}/delta/{len(keys):05d}")
        resources.files.write_blocks(keys[-1], [b"".join(sorted(run.values()))])
        run.clear()

    statuses: deque[RowStatus] = deque()
    for cells, _ in as_sent(_results(resources, load, facts, statuses), facts.mapping):
        status = statuses.popleft()
        if status is RowStatus.SKIPPED:
            continue
        digest = key_digest(cells[place])
        known = run.get(digest)
        # Of rows with one key, all must have succeeded for the last one to be what the org holds.
        loaded = status is RowStatus.SUCCEEDED and (known is None or known.endswith(b"\x01"))
        run[digest] = entry(digest, row_digest(facts.sent_header, cells), loaded=loaded)
        if len(run) >= _RUN_ROWS:
            close()
    if run:
        close()
    return keys


def _results(
    resources: Resources, load: LoadRecord, facts: InputFacts, statuses: deque[RowStatus]
) -> Iterator[list[str]]:
    """Yield the cells of each row of the results as the input has them; its status is appended before."""
    blocks = resources.files.open_blocks(load.results_key or "")
    for row in result_rows(blocks, facts.dialect, lambda status: status != b"ob__status"):
        statuses.append(row.status)
        yield next(iter(parse_chunk(row.record.decode(), facts.dialect.delimiter)))


def _key_place(load: LoadRecord, facts: InputFacts) -> int:
    return [name.casefold() for name in facts.sent_header].index(key_field_of(load).casefold())


async def _missing(resources: Resources, load: LoadRecord, column: str, sample: list[str]) -> int:
    salesforce = resources.orgs.get(load.org).salesforce
    patience = resources.patience(load.id)
    wanted = dict.fromkeys(sample)
    found = {
        str(record[column]).casefold()
        async for record in find(salesforce, patience, load.object_name, column, wanted, (column,))
    }
    return sum(value.casefold() not in found for value in wanted)
