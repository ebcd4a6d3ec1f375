"""Parquet as rows of texts: batch by batch, so that no row group is ever in memory as a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, BinaryIO, Final

from orgbridge.loads.dialect import check_names
from orgbridge.loads.errors import ArchiveTooLarge, BadTable, EmptyInput, UnsupportedValue
from orgbridge.loads.tables import Table, cell_text

PARQUET_MAGIC: Final = b"PAR1"
#: Rows decoded at once.
_BATCH_ROWS: Final = 2_000
#: Bytes read ahead of one column.
_BUFFER_BYTES: Final = 1 << 16
#: Bytes of the footer, which is held in memory, and of what one page of a column may unpack to as far as the file says.
_FOOTER_BYTES: Final = 16 << 20
_COLUMN_BYTES: Final = 1 << 31


def parquet_table(open_file: Callable[[], BinaryIO]) -> Table:
    """Return a Parquet file as a table.

    | Parquet | cell |
    |---|---|
    | null | empty |
    | decimal, integer, float | plain digits; a float as the shortest text that means it |
    | date | `2024-12-31` |
    | timestamp with zone | `2024-12-31T23:00:00.000Z` |
    | timestamp without zone | `2024-12-31T23:00:00.000`: `time_zone` must say which |
    | binary | base64 |
    | list of texts | joined by `;`, as a multi-select picklist takes it |
    | struct of one field | column `Relation.Field` |

    Args:
        open_file: Opens the file, seekable.

    Raises:
        BadTable: It is no Parquet, or damaged.
        ArchiveTooLarge: Its footer or its columns are larger than any honest file's.
        UnsupportedValue: A column's type has no form in a Bulk CSV.
        EmptyInput: It has no columns.
        BadHeader: Its names cannot head columns.
    """
    # Inside the function: Arrow takes 40 MB of memory, which only a process that reads Parquet shall pay.
    import pyarrow as arrow
    import pyarrow.parquet as parquet

    _check_footer(open_file)
    try:
        with open_file() as file, parquet.ParquetFile(file, pre_buffer=False) as found:
            schema, facts = found.schema_arrow, found.metadata
            rows = int(facts.num_rows)
            largest = max(
                (
                    facts.row_group(group).column(column).total_uncompressed_size
                    for group in range(facts.num_row_groups)
                    for column in range(facts.num_columns)
                ),
                default=0,
            )
    except (arrow.ArrowException, OSError, ValueError) as error:
        raise BadTable(f"The Parquet file cannot be read: {_short(error)}") from error
    if largest > _COLUMN_BYTES:
        raise ArchiveTooLarge("A column of the Parquet file unpacks to more than 2 GiB in one row group.")
    columns = tuple(_column(field, arrow) for field in schema)
    if not columns:
        raise EmptyInput("The Parquet file has no columns.")
    check_names(columns)
    if not rows:
        raise EmptyInput("The Parquet file has no rows.")
    return Table(columns=columns, first_line=1, rows=rows, open_rows=lambda: _rows(open_file, arrow, parquet))


def _check_footer(open_file: Callable[[], BinaryIO]) -> None:
    with open_file() as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - 8))
        tail = file.read(8)
    footer = int.from_bytes(tail[:4], "little")
    if not tail.endswith(PARQUET_MAGIC) or footer > size:
        raise BadTable("The Parquet file ends early: it has no footer.")
    if footer > _FOOTER_BYTES:
        raise ArchiveTooLarge(f"The Parquet file's footer has {footer} bytes; more than {_FOOTER_BYTES} are not read.")


def _column(field: Any, arrow: Any) -> str:
    """Return the name that a column has in the CSV."""
    kind = field.type
    if arrow.types.is_struct(kind):
        if kind.num_fields == 1 and not arrow.types.is_nested(kind.field(0).type):
            return f"{field.name}.{kind.field(0).name}"
        message = f"The column {field.name!r} is a struct; only one with one field, a parent's key, is read."
        raise UnsupportedValue(message)
    if arrow.types.is_map(kind) or arrow.types.is_interval(kind) or arrow.types.is_duration(kind):
        raise UnsupportedValue(f"The column {field.name!r} is of type {kind}, which no field of Salesforce takes.")
    return str(field.name)


def _rows(open_file: Callable[[], BinaryIO], arrow: Any, parquet: Any) -> Iterator[Sequence[str]]:
    number = 0
    try:
        with open_file() as file, parquet.ParquetFile(file, pre_buffer=False, buffer_size=_BUFFER_BYTES) as found:
            for batch in found.iter_batches(batch_size=_BATCH_ROWS, use_threads=False):
                yield from zip(*(_texts(column, arrow, number) for column in batch.columns), strict=True)
                number += batch.num_rows
    except (arrow.ArrowException, OSError) as error:
        raise BadTable(f"The Parquet file is damaged after row {number}: {_short(error)}", record=number + 1) from error


def _texts(column: Any, arrow: Any, number: int) -> list[str]:
    kind = column.type
    if arrow.types.is_timestamp(kind) and kind.unit == "ns":
        # Salesforce keeps milliseconds; Python's instants have no room for nanoseconds.
        column = column.cast(arrow.timestamp("us", tz=kind.tz), safe=False)
    elif arrow.types.is_time64(kind) and kind.unit == "ns":
        column = column.cast(arrow.time64("us"), safe=False)
    elif arrow.types.is_float16(kind) or arrow.types.is_float32(kind):
        # Through text, for 0.1 in 32 bits is 0.10000000149 in Python's 64.
        column = column.cast(arrow.string())
    values = column.to_pylist()
    if arrow.types.is_struct(kind):
        name = kind.field(0).name
        values = [None if value is None else value[name] for value in values]
    texts = []
    for place, value in enumerate(values, number + 1):
        try:
            texts.append(cell_text(value))
        except ValueError as error:
            raise UnsupportedValue(f"Record {place} holds {error}, which no cell can hold.", record=place) from None
    return texts


def _short(error: Exception) -> str:
    return str(error).partition("\n")[0][:200]
