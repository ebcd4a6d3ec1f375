"""Rows of a part that are kept back on purpose, and the results that say so. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from orgbridge.loads.dialect import Dialect
from orgbridge.loads.outcomes import Match, RowStatus
from orgbridge.loads.records import masked_records, record_chunks, unmasked
from orgbridge.loads.results import quoted_cell


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Why a row is not sent."""

    #: `skipped` where nothing is to be done for it, `failed` where its mapping refuses it, else `unprocessed`.
    status: RowStatus
    #: Code of ours.
    code: str
    #: One sentence.
    message: str
    #: The field at fault, if one is.
    field: str = ""


#: What a row that is to be sent has until it has an outcome.
TO_BE_SENT: Final = Hold(status=RowStatus.UNPROCESSED, code="load.not_sent", message="The row was not sent.")


def held_results(
    records: Iterable[bytes], lines: Sequence[int], holds: Sequence[Hold | None], dialect: Dialect
) -> Iterator[bytes]:
    """Yield the results of a part of which nothing has been sent yet, without header.

    Args:
        records: The part's record bytes.
        lines: Line of each row.
        holds: Why each row is kept back; None for one that is to be sent.
        dialect: How they are written.
    """
    delimiter = dialect.delimiter.encode()
    prefixes: dict[Hold, bytes] = {}
    place = 0
    for chunk in record_chunks(records):
        out = []
        for record in masked_records(chunk):
            hold = holds[place] or TO_BE_SENT
            if hold not in prefixes:
                cells = (hold.status.value, "", "", hold.code, hold.message, hold.field, "1", Match.EXACT.value)
                prefixes[hold] = delimiter + b"".join(quoted_cell(cell, delimiter) + delimiter for cell in cells)
            out.append(b"%d%b%b" % (lines[place], prefixes[hold], record))
            place += 1
        yield unmasked(b"".join(out))


def kept_rows(
    records: Iterable[bytes], lines: Sequence[int], holds: Sequence[Hold | None]
) -> Iterator[tuple[int, bytes]]:
    """Yield line and record of each row that is to be sent."""
    place = 0
    for chunk in record_chunks(records):
        for record in masked_records(chunk):
            if holds[place] is None:
                yield lines[place], unmasked(record)
            place += 1
