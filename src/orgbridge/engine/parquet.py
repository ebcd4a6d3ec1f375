"""Results as Parquet with the types that describe tells. Imported only where Parquet is asked for: Arrow is large.

Decimals keep every digit: where the org holds values with more digits behind the point than its field shows, the column
gets the scale that they need, found in a second pass.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from orgbridge.engine.errors import StepRefused
from orgbridge.engine.faults import Fault
from orgbridge.loads.columns import Column, ColumnKind
from orgbridge.store.files import FileStore, StoredFile, Writing

#: A row group ends at so many rows or bytes: what is held in memory.
_GROUP_ROWS, _GROUP_BYTES = 64 * 1024, 8 * 1024 * 1024
_BLOCK_BYTES = 1024 * 1024
#: Digits of a decimal at most, and those that Salesforce gives a number.
_DIGITS = 38

CSVSource = Callable[[], Iterator[bytes]]


class ValueUntyped(StepRefused):
    """A value is not of the type that describe tells for its column."""


class _TooNarrow(Exception):
    """A decimal has more digits behind the point than its column."""


def write_parquet(files: FileStore, key: str, source: CSVSource, columns: Sequence[Column]) -> StoredFile:
    """Write a results CSV as Parquet under a key.

    Args:
        files: Where to.
        key: The file's key.
        source: Opens the CSV with its header from its start, each time it is called.
        columns: One per column of the CSV, in its order.

    Raises:
        ValueUntyped: Some value is not of its column's type; nothing was written under the key.
    """
    try:
        return _write(files, key, source, columns)
    except _TooNarrow:
        return _write(files, key, source, _widened(source, columns))


def _write(files: FileStore, key: str, source: CSVSource, columns: Sequence[Column]) -> StoredFile:
    schema = pa.schema([pa.field(column.name, _type(column)) for column in columns])
    writing = files.begin(key)
    done = False
    try:
        with pq.ParquetWriter(pa.PythonFile(_Sink(writing), mode="w"), schema, compression="zstd") as writer:
            for table in _groups(source, columns):
                arrays = [_cast(table.column(place), column) for place, column in enumerate(columns)]
                writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
        stored = writing.finish()
        done = True
        return stored
    finally:
        if not done:
            writing.give_up()


def _type(column: Column) -> Any:
    match column.kind:
        case ColumnKind.BOOLEAN:
            return pa.bool_()
        case ColumnKind.INTEGER:
            return pa.int64()
        case ColumnKind.DECIMAL:
            # 38 digits cost no more than fewer, and no value has too many in front of the point.
            return pa.decimal128(_DIGITS, column.scale)
        case ColumnKind.DATE:
            return pa.date32()
        case ColumnKind.DATETIME:
            return pa.timestamp("ms", tz="UTC")
        case ColumnKind.TIME:
            return pa.time32("ms")
        case ColumnKind.TEXT:
            return pa.string()


def _groups(source: CSVSource, columns: Sequence[Column]) -> Iterator[Any]:
    """Yield the CSV as tables of texts, one for each row group."""
    if not columns:
        return
    names = [str(place) for place in range(len(columns))]
    reader = pacsv.open_csv(
        io.BufferedReader(_Blocks(source()), _BLOCK_BYTES),
        # In order and one block at a time: read-ahead would be memory.
        read_options=pacsv.ReadOptions(use_threads=False, block_size=_BLOCK_BYTES, column_names=names, skip_rows=1),
        parse_options=pacsv.ParseOptions(newlines_in_values=True),
        convert_options=pacsv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
        ),
    )
    held: list[Any] = []
    rows = size = 0
    for batch in reader:
        held.append(batch)
        rows += batch.num_rows
        size += batch.nbytes
        if rows >= _GROUP_ROWS or size >= _GROUP_BYTES:
            yield pa.Table.from_batches(held)
            held, rows, size = [], 0, 0
    if held:
        yield pa.Table.from_batches(held)


def _cast(values: Any, column: Column) -> Any:
    try:
        match column.kind:
            case ColumnKind.TEXT:
                return values
            case ColumnKind.TIME:
                return _times(values)
            case _:
                return values.cast(_type(column))
    except pa.ArrowInvalid as error:
        if column.kind is ColumnKind.DECIMAL and all(_decimal(text) is not None for text in values.to_pylist()):
            raise _TooNarrow from error
        message = (
            f"Column {column.name} is {column.kind.value} by describe, and holds a value that is none. "
            "Ask for csv or ndjson, which keep the value as it is."
        )
        raise ValueUntyped(Fault(code="export.value_untyped", message=message)) from error


def _times(values: Any) -> Any:
    """Return times of day from texts like `10:15:00.000Z`, which Arrow cannot read by itself."""

    def number(start: int, stop: int) -> Any:
        return pc.utf8_slice_codeunits(values, start, stop).cast(pa.int32())

    seconds = pc.add(pc.add(pc.multiply(number(0, 2), 3600), pc.multiply(number(3, 5), 60)), number(6, 8))
    return pc.add(pc.multiply(seconds, 1000), number(9, 12)).cast(pa.int32()).cast(pa.time32("ms"))


def _decimal(text: str | None) -> Decimal | None:
    """Return the number, 0 for null; None for what is no number."""
    try:
        number = Decimal(text or "0")
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _widened(source: CSVSource, columns: Sequence[Column]) -> list[Column]:
    """Return the columns with the scale that all values of each decimal column need."""
    needed = {place: column.scale for place, column in enumerate(columns) if column.kind is ColumnKind.DECIMAL}
    for table in _groups(source, columns):
        for place in needed:
            for text in pc.unique(table.column(place)).to_pylist():
                number = _decimal(text)
                exponent = number.normalize().as_tuple().exponent if number is not None else 0
                if isinstance(exponent, int):
                    needed[place] = max(needed[place], -exponent)
    return [replace(column, scale=min(needed.get(place, 0), _DIGITS)) for place, column in enumerate(columns)]


class _Blocks(io.RawIOBase):
    """An iterator of bytes as a file, for Arrow."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        """Return that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read up to the buffer's size; 0 at the end."""
        while not self._rest:
            block = next(self._blocks, None)
            if block is None:
                return 0
            self._rest = memoryview(block)
        view = memoryview(buffer).cast("B")
        count = min(len(view), len(self._rest))
        view[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


class _Sink:
    """A file being written as Arrow wants it: forward only."""

    closed = False

    def __init__(self, writing: Writing) -> None:
        self._writing = writing
        self._place = 0

    def write(self, block: Any) -> int:
        data = bytes(block)
        self._writing.add(data)
        self._place += len(data)
        return len(data)

    def tell(self) -> int:
        return self._place

    def flush(self) -> None:
        return

    def close(self) -> None:
        self.closed = True
