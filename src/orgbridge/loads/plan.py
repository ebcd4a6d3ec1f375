"""How many rows a part gets: enough parts that several run at once, few enough that calls are not wasted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from orgbridge.loads.errors import PartLimitTooSmall
from orgbridge.loads.inputs import InputFormat
from orgbridge.wire.limits import INGEST_BATCH_RECORDS, INGEST_JOB_BYTES

#: Rows of the largest part. Matching keeps about 300 bytes per row of one part in memory, so this bounds it.
MAX_PART_ROWS: Final = 100_000
#: Parts that a load above `MAX_PART_ROWS` rows is cut into at least, so that a crash or a cancel costs little.
WANTED_PARTS: Final = 10

#: Bytes of the canonical CSV that are cut in one piece: about a second's work in each format. What lies in the first
#: piece is checked before anything is sent.
_PIECE_BYTES: Final = {
    InputFormat.CSV: 64 << 20,
    InputFormat.JSON: 16 << 20,
    InputFormat.NDJSON: 16 << 20,
    InputFormat.PARQUET: 16 << 20,
    InputFormat.XLSX: 4 << 20,
}


def piece_bytes(kind: InputFormat) -> int:
    """Return how many bytes of the canonical CSV are cut between two looks at the step log."""
    return _PIECE_BYTES[kind]


@dataclass(frozen=True, slots=True, kw_only=True)
class PartPlan:
    """The limits of each part of a load."""

    #: Rows of a part, at most.
    max_rows: int
    #: Bytes of a part's upload, header included, at most.
    max_bytes: int
    #: Rows that the input seems to have; a guess from a sample.
    estimated_rows: int
    #: Parts that this makes; a guess from a sample.
    estimated_parts: int


def plan_parts(
    *,
    input_bytes: int,
    record_bytes: float,
    part_rows: int | None = None,
    part_bytes: int = INGEST_JOB_BYTES,
) -> PartPlan:
    """Return the limits of a load's parts.

    Rows are a multiple of the platform's own batches of 10,000, so that no batch is half empty; up to 100,000 rows a
    part is one such batch, above that the load makes at least ten parts until they reach 100,000 rows each.

    Args:
        input_bytes: Size of the CSV's records, unpacked.
        record_bytes: Mean size of a record in a sample.
        part_rows: The caller's own choice of rows in a part, 1 or more; taken as it is.
        part_bytes: Bytes of a part's upload, at most.

    Raises:
        PartLimitTooSmall: `part_rows` or `part_bytes` is less than one.
    """
    if part_bytes < 1 or (part_rows is not None and part_rows < 1):
        raise PartLimitTooSmall("A part must hold at least one row and one byte.")
    size = max(1.0, record_bytes)
    rows = max(1, round(input_bytes / size))
    if part_rows is None:
        batches = rows // WANTED_PARTS // INGEST_BATCH_RECORDS
        wanted = min(max(1, batches) * INGEST_BATCH_RECORDS, MAX_PART_ROWS)
        # A part that bytes would cut short is made of whole batches too, where one batch fits.
        fitting = int(part_bytes / size) // INGEST_BATCH_RECORDS * INGEST_BATCH_RECORDS
        part_rows = min(wanted, fitting) if fitting else wanted
    by_rows = -(-rows // part_rows)
    by_bytes = -(-input_bytes // part_bytes)
    return PartPlan(
        max_rows=part_rows, max_bytes=part_bytes, estimated_rows=rows, estimated_parts=max(by_rows, by_bytes)
    )
