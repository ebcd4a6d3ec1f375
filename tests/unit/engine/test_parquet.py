"""Parquet keeps every digit and every null, or says which column it cannot type."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orgbridge.engine.parquet import ValueUntyped, write_parquet
from orgbridge.loads.columns import Column, ColumnKind
from orgbridge.store.files import LocalFiles


def _table(folder: Path, text: str, *columns: Column) -> pa.Table:
    def source() -> Iterator[bytes]:
        data = text.encode()
        yield from (data[place : place + 7] for place in range(0, len(data), 7))

    files = LocalFiles(folder)
    write_parquet(files, "out", source, columns)
    return pq.read_table(files.path("out"))


def _column(name: str, kind: ColumnKind, scale: int = 0) -> Column:
    return Column(name=name, path=(name,), kind=kind, precision=18, scale=scale)


def test_every_kind_comes_as_itself(tmp_path: Path) -> None:
    """Integers, decimals in any notation, booleans, dates, instants in UTC, times of day, texts with newlines, null."""
    table = _table(
        tmp_path,
        '"I","D","B","Da","T","Ti","S"\n'
        '"7","1.0E7","true","2024-02-29","2024-02-29T12:30:00.123Z","10:15:30.250Z","a\r\n""b"""\n'
        '"","","","","","",""\n',
        _column("I", ColumnKind.INTEGER),
        _column("D", ColumnKind.DECIMAL, 2),
        _column("B", ColumnKind.BOOLEAN),
        _column("Da", ColumnKind.DATE),
        _column("T", ColumnKind.DATETIME),
        _column("Ti", ColumnKind.TIME),
        _column("S", ColumnKind.TEXT),
    )
    first, second = table.to_pylist()
    assert first == {
        "I": 7,
        "D": Decimal("10000000.00"),
        "B": True,
        "Da": date(2024, 2, 29),
        "T": datetime(2024, 2, 29, 12, 30, 0, 123_000, tzinfo=UTC),
        "Ti": time(10, 15, 30, 250_000),
        "S": 'a\r\n"b"',
    }
    assert set(second.values()) == {None}


def test_more_digits_than_the_field_shows_widen_the_column(tmp_path: Path) -> None:
    """A currency of scale 2 that holds 0.123456 gets scale 6; nothing is rounded."""
    table = _table(tmp_path, '"D"\n"1.5"\n"0.123456"\n"1.0E-3"\n', _column("D", ColumnKind.DECIMAL, 2))
    assert table.schema.field("D").type == pa.decimal128(38, 6)
    assert [row["D"] for row in table.to_pylist()] == [Decimal("1.5"), Decimal("0.123456"), Decimal("0.001")]


@pytest.mark.parametrize("kind", [ColumnKind.INTEGER, ColumnKind.DECIMAL, ColumnKind.DATE, ColumnKind.BOOLEAN])
def test_a_value_of_another_kind_names_its_column(tmp_path: Path, kind: ColumnKind) -> None:
    """The export fails with what to do instead, and nothing lies under its key."""
    with pytest.raises(ValueUntyped, match="Column Odd is"):
        _table(tmp_path, '"Odd"\n"none of these"\n', _column("Odd", kind))
    assert not (tmp_path / "out").exists()
