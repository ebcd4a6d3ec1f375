"""Rows of typed cells (Parquet, XLSX) on their way to the canonical CSV, and texts that Salesforce reads for values."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final

from orgbridge.loads.jsonrecords import csv_record
from orgbridge.loads.records import CHUNK_BYTES
from orgbridge.wire.dates import bulk_datetime

#: Digits that a spreadsheet keeps of a number.
_SHEET_DIGITS: Final = ".15g"


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A typed input: named columns and rows of texts."""

    #: Names of the columns, in order.
    columns: tuple[str, ...]
    #: Line on which the first row stands, from 1.
    first_line: int
    #: Rows, where the input says so itself.
    rows: int | None
    #: Opens the rows anew; as many texts as there are columns.
    open_rows: Callable[[], Iterator[Sequence[str]]]

    def blocks(self) -> Iterator[bytes]:
        """Yield the rows as canonical CSV, without a header."""
        held: list[bytes] = []
        size = 0
        for row in self.open_rows():
            held.append(csv_record(row))
            size += len(held[-1])
            if size >= CHUNK_BYTES:
                yield b"".join(held)
                held.clear()
                size = 0
        if held:
            yield b"".join(held)


def cell_text(value: Any) -> str:
    """Return the text of a value as Salesforce reads it.

    An instant with a zone is written in UTC; one without keeps its wall time and gets no zone, for none is known.
    None is an empty cell: what an empty cell means is the caller's null policy.

    Raises:
        ValueError: The value has no form in a Bulk API CSV.
    """
    match value:
        case None:
            return ""
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return repr(value)
        case Decimal():
            return format(value, "f")
        case datetime():
            return bulk_datetime(value) if value.tzinfo is not None else value.isoformat(timespec="milliseconds")
        case date():
            return value.isoformat()
        case time():
            return value.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
        case bytes():
            return base64.b64encode(value).decode()
        case list():
            if any(not isinstance(item, str) or ";" in item for item in value):
                raise ValueError("a list of anything but texts without semicolons")
            return ";".join(value)
        case _:
            raise ValueError(f"a value of type {type(value).__name__}")


def sheet_number(text: str) -> str:
    """Return a number of a spreadsheet with the 15 digits that it shows, without an exponent.

    Raises:
        ValueError: It is no number.
    """
    return text if text.isdecimal() and len(text) <= 15 else format(Decimal(format(float(text), _SHEET_DIGITS)), "f")


def sheet_instant(serial: float, *, epoch_1904: bool) -> date | datetime | time:
    """Return what a number formatted as a date stands for: a date where the day has no fraction.

    Args:
        serial: Days since the workbook's epoch; a fraction of a day alone is a time of day.
        epoch_1904: Whether the workbook counts from 1904.

    Raises:
        ValueError: It is outside of what dates can be.

    Source: ECMA-376 part 1, 18.17.4: serial 60 is the 29th of February 1900, which never was.
    """
    if 0 <= serial < 1:
        seconds = timedelta(milliseconds=round(serial * 86_400_000))
        if seconds < timedelta(days=1):
            return (datetime(2000, 1, 1, tzinfo=UTC) + seconds).time()
    epoch = datetime(1904, 1, 1) if epoch_1904 else datetime(1899, 12, 31 if serial < 60 else 30)
    try:
        found = epoch + timedelta(milliseconds=round(serial * 86_400_000))
    except OverflowError as error:
        raise ValueError(f"{serial} is no date") from error
    return found.date() if found.time() == time() else found
