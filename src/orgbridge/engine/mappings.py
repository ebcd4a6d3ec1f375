"""What a part sends where a mapping changes its records: a second file beside the part's own. Blocks: for threads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from orgbridge.engine.errors import StepRefused
from orgbridge.engine.facts import InputFacts, sends_rows, upload_facts
from orgbridge.engine.faults import Fault
from orgbridge.engine.ranges import own_records, sent_records
from orgbridge.engine.resources import Resources
from orgbridge.loads.mapped import MappedRecords, Refusal, refusal_lines
from orgbridge.loads.records import parse_chunk, record_chunks
from orgbridge.loads.sentrows import as_sent
from orgbridge.loads.splitter import Part
from orgbridge.store.records import PartRecord
from orgbridge.wire.limits import INGEST_JOB_BYTES


def write_sent(resources: Resources, facts: InputFacts, part: Part, stem: str, own: Iterator[bytes]) -> dict[str, Any]:
    """Return how a part is uploaded, once what is sent of it lies beside its own records.

    Args:
        resources: The worker's connections.
        facts: What the input is.
        part: The part, or a round of some of its rows.
        stem: How the keys of its files begin.
        own: Its own records; read only where what is sent is not them.

    Raises:
        StepRefused: The mapped records are too large for a job.
    """
    if not facts.changes_records or facts.mapping is None:
        # Records go as they are; their header need not, where a mapping gives columns other names.
        longer = len(facts.sent_header_record) - len(facts.header_record)
        return {**upload_facts(part), "upload_bytes": part.upload_bytes + longer}
    files = resources.files
    records = MappedRecords(own, facts.dialect, facts.mapping)
    files.write_blocks(f"{stem}.sent.csv", records)
    sent, header_bytes = records.sent, len(facts.sent_header_record)
    upload = {**sent.upload_facts(header_bytes), "sent_key": f"{stem}.sent.csv"}
    if sent.bytes + header_bytes > INGEST_JOB_BYTES:
        message = f"Part {part.number} has {sent.bytes} bytes once it is mapped; give a smaller part_rows."
        raise StepRefused(Fault(code="load.part_too_large", message=message))
    if sent.refusals:
        files.write_blocks(f"{stem}.refused.ndjson", refusal_lines(sent.refusals))
        upload["refused_key"] = f"{stem}.refused.ndjson"
    return upload


def sent_cells(
    resources: Resources, facts: InputFacts, part: PartRecord
) -> Iterator[tuple[Sequence[str], Refusal | None]]:
    """Yield the cells of each row as they are sent, under `facts.sent_header`, and why it is refused if it is."""

    def rows() -> Iterator[list[str]]:
        for chunk in record_chunks(own_records(resources.files, part)):
            yield from parse_chunk(chunk.decode(), facts.dialect.delimiter)

    return as_sent(rows(), facts.mapping)


def sent_column(resources: Resources, facts: InputFacts, part: PartRecord, column: str) -> list[str]:
    """Return the values of a column that are sent of a part, without duplicates and blanks."""
    folded = [name.casefold() for name in facts.sent_header]
    if not sends_rows(part) or column.casefold() not in folded:
        return []
    place = folded.index(column.casefold())

    def cells() -> Iterator[str]:
        for chunk in record_chunks(sent_records(resources.files, part)):
            for row in parse_chunk(chunk.decode(), facts.sent_dialect.delimiter):
                if row and row[place]:
                    yield row[place]

    return list(dict.fromkeys(cells()))
