"""Parquet and XLSX become the same CSV as the values that were put into them."""

from __future__ import annotations

import csv
import datetime as dt
import io
import zipfile
from collections.abc import Sequence
from decimal import Decimal as _decimal
from typing import Any

import openpyxl
import pyarrow as arrow
import pyarrow.parquet as parquet
import pytest
from backports import zstd
from hypothesis import given, settings
from hypothesis import strategies as st

from orgbridge.loads import errors
from orgbridge.loads.archives import UnpackLimits
from orgbridge.loads.inputs import CSVSource, InputFormat, open_input
from orgbridge.loads.splitter import LineCount


def _open(data: bytes, **options: Any) -> CSVSource:
    return open_input(lambda: iter([data]), open_file=lambda: io.BytesIO(data), **options)


def _rows(source: CSVSource) -> list[list[str]]:
    first = b"".join(source.blocks())
    assert first == b"".join(source.blocks()), "a source opens anew"
    assert b"".join(source.records_from(3)) == b"".join(source.records())[3:]
    return list(csv.reader(io.StringIO(first.decode(), newline="")))


def _parquet(columns: dict[str, Any], **options: Any) -> bytes:
    out = io.BytesIO()
    parquet.write_table(arrow.table(columns), out, **options)
    return out.getvalue()


def _workbook(*sheets: tuple[str, Sequence[Sequence[Any]]]) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets:
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(list(row))
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def test_pain_35_types_of_parquet_are_kept() -> None:
    """Decimals keep their digits, floats their shortest text, instants their zone, nulls are blank."""
    utc = dt.UTC
    data = _parquet(
        {
            "Name": ["a\nb", None],
            "Amount": arrow.array([_decimal("1.20"), _decimal("12345678901234567890.10")], arrow.decimal128(38, 2)),
            "Ratio": arrow.array([0.1, None], arrow.float32()),
            "At": arrow.array([dt.datetime(2024, 7, 1, 10, tzinfo=utc)] * 2, arrow.timestamp("ns", "Europe/Berlin")),
            "Wall": [dt.datetime(2024, 7, 1, 10, 0, 0, 5000)] * 2,
            "Day": [dt.date(2024, 1, 2), None],
            "Time": [dt.time(3, 4, 5), None],
            "Done": [True, False],
            "Account": [{"Ext__c": "x"}, None],
            "Picks": [["a", "b"], []],
            "Body": [b"\0\1", None],
            "Kind": arrow.array(["k", "k"]).dictionary_encode(),
        },
        row_group_size=1,
    )  # fmt: skip
    source = _open(data, name="a.parquet")
    header, first, second = _rows(source)
    assert header[8] == "Account.Ext__c"
    assert first == ["a\nb", "1.20", "0.1", "2024-07-01T10:00:00.000Z", "2024-07-01T10:00:00.005", "2024-01-02",
                     "03:04:05.000Z", "true", "x", "a;b", "AAE=", "k"]  # fmt: skip
    assert second == ["", "12345678901234567890.10", "", first[3], first[4], "", "", "false", "", "", "", "k"]
    assert (source.format, source.rows, source.line_count) == (InputFormat.PARQUET, 2, LineCount.RECORD)


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"PAR1" + b"x" * 40, errors.BadTable),
        (_parquet({"a": [1, 2]})[:-20] + b"PAR1", errors.BadTable),
        (_parquet({"a": arrow.array([], arrow.int64())}), errors.EmptyInput),
        (_parquet({"a": [{"b": 1, "c": 2}]}), errors.UnsupportedValue),
        (_parquet({"a": [1], "A": [2]}), errors.DuplicateHeader),
        (b"PAR1" + b"x" * 9 + (1 << 30).to_bytes(4, "little") + b"PAR1", errors.BadTable),
    ],
    ids=["no footer", "cut", "no rows", "struct", "twice", "long footer"],
)
def test_a_bad_parquet_is_refused(data: bytes, error: type[Exception]) -> None:
    """Nothing of it is read as something else."""
    with pytest.raises(error):
        _rows(_open(data))


def test_values_of_a_workbook_are_those_that_excel_shows() -> None:
    """Dates are dates, numbers have 15 digits, texts keep their newlines; sheets are found by name."""
    rows = [
        ["Name", "Amount", "At", "Day", "Done", "Time"],
        ["a\nb & <ü>", 0.1 + 0.2, dt.datetime(2024, 1, 2, 3, 4, 5), dt.date(2024, 5, 6), True, dt.time(3, 4, 5)],
        [None, 12345678901, None, dt.date(1900, 1, 31), False, None],
        ["_x000D_", 1e21, None, None, None, None],
        [None] * 6,
    ]
    data = _workbook(("First", rows), ("Other", [[None], ["Q"], ["z"]]))
    source = _open(data, name="a.xlsx")
    assert source.format is InputFormat.XLSX
    assert _rows(source)[1:] == [
        ["a\nb & <ü>", "0.3", "2024-01-02T03:04:05.000", "2024-05-06", "true", "03:04:05.000Z"],
        ["", "12345678901", "", "1900-01-31", "false", ""],
        ["\r", "1000000000000000000000", "", "", "", ""],
    ]
    other = _open(data, sheet="oTHER")
    assert (other.header, other.first_line, _rows(other)[1:]) == (("Q",), 3, [["z"]])
    with pytest.raises(errors.UnknownSheet, match="'First', 'Other'"):
        _open(data, sheet="None")


@pytest.mark.parametrize(
    ("rows", "error", "says"),
    [
        ([], errors.EmptyInput, "blank"),
        ([["a", "b"]], errors.HeaderOnly, None),
        ([["a", "A"], [1, 2]], errors.DuplicateHeader, "both named"),
        ([["a"], [1], [None], [2]], errors.RaggedRows, "Line 3: The row is blank"),
        ([["a"], [1], [2, 3]], errors.RaggedRows, "Line 3: The row has a value in column 2"),
    ],
)
def test_a_sheet_that_is_no_table_is_refused_with_its_line(rows: Any, error: type[Exception], says: str | None) -> None:
    """The line is the sheet's own row number."""
    with pytest.raises(error, match=says):
        _rows(_open(_workbook(("S", rows))))


def _with_member(data: bytes, name: str, change: Any) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for member in old.namelist():
            content = old.read(member)
            new.writestr(member, change(content) if member == name else content)
    return out.getvalue()


def test_bombs_are_refused() -> None:
    """Entities, ratios, member counts: none of them gets to fill memory or disk."""
    book = _workbook(("S", [["a"], ["b"]]))
    entities = _with_member(
        book,
        "xl/workbook.xml",
        lambda xml: b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa">]>' + xml[xml.index(b"<workbook") :],
    )
    with pytest.raises(errors.BadTable, match="document type"):
        _rows(_open(entities))
    limits = UnpackLimits(max_ratio=20, free_bytes=50_000)
    padded = _with_member(book, "xl/worksheets/sheet1.xml", lambda xml: xml + b" " * 5_000_000)
    with pytest.raises(errors.ArchiveTooLarge):
        _rows(_open(padded, limits=limits))
    packed = zstd.compress(b"Name\n" + b"a\n" * 1_000_000)
    with pytest.raises(errors.ArchiveTooLarge):
        _rows(_open(packed, limits=limits))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for number in range(2_500):
            archive.writestr(f"{number}.csv", b"")
    with pytest.raises(errors.ArchiveTooLarge, match="2000 members"):
        _open(out.getvalue())


def _shared(rows: str, texts: str) -> bytes:
    """Return a workbook as Excel writes it, with texts that cells share."""
    relation = '<Relationship Id="{0}" Type="http://x/{1}" Target="{2}"/>'
    members = {
        "xl/workbook.xml": '<x:workbook xmlns:x="m" xmlns:r="n"><x:sheets><x:sheet name="S" r:id="r1"/></x:sheets>'
        "</x:workbook>",
        "xl/_rels/workbook.xml.rels": "<Relationships>"
        + relation.format("r1", "worksheet", "/xl/worksheets/s.xml")
        + relation.format("r2", "sharedStrings", "strings.xml")
        + "</Relationships>",
        "xl/worksheets/s.xml": f"<worksheet><sheetData>{rows}</sheetData></worksheet>",
        "xl/strings.xml": f"<sst>{texts}</sst>",
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return out.getvalue()


def test_texts_that_cells_share_and_results_of_formulas_are_read() -> None:
    """Runs of a rich text are one text, readings aids are none; a formula is its stored result; an error is refused."""
    texts = "<si><t>Name</t></si><si><r><t>a </t></r><r><t>b</t></r><rPh><t>x</t></rPh></si>"
    rows = (
        '<row r="3"><c r="A3" t="s"><v>0</v></c><c r="C3" t="inlineStr"><is><t>Sum</t></is></c>'
        '<c r="B3" t="str"><v>M</v></c></row>'
        '<row r="4"><c r="A4" t="s"><v>1</v></c><c r="C4"><f>1+1</f><v>2</v></c></row>'
    )
    source = _open(_shared(rows, texts))
    assert source.first_line == 4
    assert _rows(source) == [["Name", "M", "Sum"], ["a b", "", "2"]]
    broken = '<row r="5"><c r="A5" t="e"><v>#REF!</v></c></row>'
    with pytest.raises(errors.RaggedRows, match=r"Line 5: A formula of column 1 gives #REF!"):
        _rows(_open(_shared(rows + broken, texts)))


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_zstd_is_unpacked_frame_by_frame_and_refused_when_cut(size: int) -> None:
    """Frames follow each other as gzip's members do."""
    packed = zstd.compress(b"Name\na\n") + zstd.compress(b"b\n")
    blocks = lambda data: lambda: iter([data[at : at + size] for at in range(0, len(data), size)])  # noqa: E731
    assert b"".join(open_input(blocks(packed), name="a.csv.zst").blocks()) == b"Name\na\nb\n"
    for bad in (packed[:-1], zstd.compress(b"Name\na\n") + b"(\xb5/\xfdxxxx"):
        with pytest.raises(errors.BadArchive):
            list(open_input(blocks(bad)).blocks())


@given(
    rows=st.lists(
        st.tuples(
            st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20),
            st.none() | st.integers(-(2**62), 2**62),
            st.none() | st.booleans(),
            st.none() | st.dates(dt.date(1700, 1, 1), dt.date(4000, 12, 31)),
            st.none() | st.decimals(-(10**9), 10**9, places=3),
        ),
        min_size=1,
        max_size=20,
    )
)
@settings(max_examples=40)
def test_any_table_comes_through_parquet(rows: list[tuple[Any, ...]]) -> None:
    """What goes in as values comes out as their texts."""
    types = [arrow.string(), arrow.int64(), arrow.bool_(), arrow.date32(), arrow.decimal128(20, 3)]
    columns = {f"c{place}": arrow.array([row[place] for row in rows], kind) for place, kind in enumerate(types)}
    said = [[_text(value) for value in row] for row in rows]
    assert _rows(_open(_parquet(columns)))[1:] == said


def _text(value: Any) -> str:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else f"{value}"


@given(
    rows=st.lists(
        st.tuples(
            st.text(
                st.characters(min_codepoint=32, max_codepoint=0x2FFF, exclude_characters="\x7f_"),
                min_size=1,
                max_size=20,
            ),
            st.none() | st.integers(-(10**14), 10**14),
            st.none() | st.booleans(),
            st.none() | st.dates(dt.date(1900, 3, 1), dt.date(4000, 12, 31)),
        ),
        min_size=1,
        max_size=15,
    )
)
@settings(max_examples=25, deadline=None)
def test_any_table_comes_through_a_workbook(rows: list[tuple[Any, ...]]) -> None:
    """What goes in as values comes out as their texts."""
    data = _workbook(("S", [["a", "b", "c", "d"], *(["'" + row[0], *row[1:]] for row in rows)]))
    assert _rows(_open(data))[1:] == [["'" + row[0], *map(_text, row[1:])] for row in rows]
