"""Splitting against an oracle that shares nothing with it: Python's own csv module."""

from __future__ import annotations

import csv
import hashlib
import io
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from orgbridge.loads.checks import RecordChecker
from orgbridge.loads.dialect import Encoding, read_header
from orgbridge.loads.errors import FaultyRecords, InputError
from orgbridge.loads.inputs import open_input
from orgbridge.loads.records import outside_quotes, parse_chunk, record_chunks, split_chunk
from orgbridge.loads.splitter import Part, PartStart, end_records, split_records, upload_body
from orgbridge.wire.bulk import DELIMITER_CHARS, LineEnding

DELIMITERS = st.sampled_from(sorted(DELIMITER_CHARS.values()))
ENDINGS = st.sampled_from(["\n", "\r\n"])
CELLS = st.text(
    st.one_of(
        st.sampled_from(list('a1"""\n\r,;|^`\t éß漢😀\u2028\x0b\x1f')),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=8,
)
PLAIN_CELLS = st.text(st.sampled_from("abcé "), min_size=1, max_size=8)


@st.composite
def tables(draw: st.DrawFn) -> tuple[str, str, list[str], list[list[str]], bytes]:
    """Delimiter, line ending, names, rows, and their CSV as the csv module (or all quoted) writes it."""
    delimiter, ending = draw(DELIMITERS), draw(ENDINGS)
    width = draw(st.integers(1, 4))
    names = [f"F{n}__c" for n in range(width)]
    cells = draw(st.sampled_from([CELLS, PLAIN_CELLS]))
    rows = draw(st.lists(st.lists(cells, min_size=width, max_size=width), min_size=1, max_size=12))
    quoting = draw(st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]))
    out = io.StringIO()
    # With CR and LF both in the terminator, minimal quoting quotes cells that hold either.
    writer = csv.writer(out, delimiter=delimiter, quoting=quoting, lineterminator="\r\n")
    writer.writerow(names)
    head = len(out.getvalue())
    writer.writerows(rows)
    text = out.getvalue()
    if ending == "\n":
        pieces = []
        for row in rows:
            one = io.StringIO()
            csv.writer(one, delimiter=delimiter, quoting=quoting, lineterminator="\r\n").writerow(row)
            pieces.append(one.getvalue().removesuffix("\r\n") + "\n")
        text = text[: head - 2] + "\n" + "".join(pieces)
    return delimiter, ending, names, rows, text.encode()


def _blocks(data: bytes, size: int) -> list[bytes]:
    return [data[i : i + size] for i in range(0, len(data), size)]


def _parts(data: bytes, size: int, delimiter: str, max_rows: int) -> tuple[bytes, bytes, list[tuple[Part, bytes]]]:
    header = read_header(data, Encoding(name="utf-8", has_bom=False), delimiter=delimiter)
    body = data[len(header.record) :]
    parts: list[tuple[Part, bytes]] = []
    held = b""
    start = None
    for event in split_records(
        _blocks(body, size),
        header.dialect,
        header_record=header.record,
        columns=len(header.names),
        max_rows=max_rows,
        max_bytes=1_000_000,
        first_line=1 + header.lines,
        first_offset=len(header.record),
    ):
        if isinstance(event, PartStart):
            start, held = event, b""
        elif isinstance(event, Part):
            assert start is not None
            assert (start.number, start.first_row, start.first_line) == (
                event.number,
                event.first_row,
                event.first_line,
            )
            parts.append((event, held))
        else:
            held += event
    return header.record, body, parts


@given(table=tables(), size=st.sampled_from([1, 2, 3, 4, 5, 6, 7, 64, 100_000]), max_rows=st.integers(1, 5))
@settings(max_examples=300, deadline=None)
def test_pain_18_parts_hold_the_records_byte_for_byte(
    table: tuple[str, str, list[str], list[list[str]], bytes], size: int, max_rows: int
) -> None:
    """Whatever the blocks, the parts one after the other are the input's records, cut where csv says a record ends."""
    delimiter, ending, _, rows, data = table
    _, body, parts = _parts(data, size, delimiter, max_rows)
    assert b"".join(held for _, held in parts) == body
    assert [part.number for part, _ in parts] == list(range(len(parts)))
    read: list[list[str]] = []
    for part, held in parts:
        cells = list(csv.reader(io.StringIO(held.decode(), newline=""), delimiter=delimiter))
        assert part.first_row == len(read) + 1
        assert len(cells) == part.rows <= max_rows
        assert part.bytes == len(held)
        assert part.sha256 == hashlib.sha256(held).hexdigest()
        read += cells
    assert read == rows
    assert all(part.rows == max_rows for part, _ in parts[:-1])
    for (before, held), (after, _) in pairwise(parts):
        assert after.first_line == before.first_line + held.count(b"\n")
    assert {part.line_ending.chars for part, _ in parts} == {ending}


@given(table=tables(), size=st.sampled_from([1, 2, 3, 7, 100_000]))
@settings(max_examples=200, deadline=None)
def test_upload_bodies_keep_every_cell(table: tuple[str, str, list[str], list[list[str]], bytes], size: int) -> None:
    """The body for upload has the length that was foretold, the same cells, and one newline kind unless marked."""
    delimiter, _, names, rows, data = table
    header_record, _, parts = _parts(data, 16, delimiter, 3)
    sent: list[list[str]] = []
    for part, held in parts:
        body = b"".join(upload_body(_blocks(held, size), part, header_record=header_record))
        assert len(body) == part.upload_bytes
        cells = list(csv.reader(io.StringIO(body.decode(), newline=""), delimiter=delimiter))
        assert cells[0] == names
        sent += cells[1:]
        records = split_chunk(body)
        assert all(record.endswith(part.upload_line_ending.chars.encode()) for record in records)
        inner = "".join(cell for row in cells for cell in row)
        lone_lf = inner.replace("\r\n", "").count("\n") > 0
        kinds = {lone_lf and "LF", "\r\n" in inner and "CRLF", "\r" in inner.replace("\r\n", "") and "CR"} - {False}
        joined = {"\r\n" in cell for row in cells for cell in row}
        if joined == {False} and "CRLF" not in kinds:
            assert part.mixed_cell_newlines == ("CR" in kinds)
        if not part.mixed_cell_newlines and any("\n" in cell for row in cells for cell in row):
            other = b"\r\n" if part.upload_line_ending is LineEnding.LF else None
            assert other is None or other not in body
    assert sent == rows


@given(table=tables())
@settings(max_examples=150, deadline=None)
def test_ending_records_anew_and_back_changes_nothing(
    table: tuple[str, str, list[str], list[list[str]], bytes],
) -> None:
    """Replacing the record endings and putting the old ones back gives the same bytes."""
    _, ending, _, _, data = table
    was = LineEnding.LF if ending == "\n" else LineEnding.CRLF
    becomes = LineEnding.CRLF if was is LineEnding.LF else LineEnding.LF
    there = b"".join(end_records(_blocks(data, 3), was=was, becomes=becomes))
    assert b"".join(end_records(_blocks(there, 5), was=becomes, becomes=was)) == data


@given(
    table=tables(), cut=st.integers(0, 200), junk=st.sampled_from([b'"', b"\n", b"\r", b",", b"\xff", b'"x', b"\r\n"])
)
@settings(max_examples=400, deadline=None)
def test_the_fast_check_and_the_slow_one_agree(
    table: tuple[str, str, list[str], list[list[str]], bytes], cut: int, junk: bytes
) -> None:
    """A damaged file passes only if a strict reading of every record by itself finds nothing wrong with it."""
    delimiter, ending, names, _, data = table
    header = read_header(data, Encoding(name="utf-8", has_bom=False), delimiter=delimiter)
    body = data[len(header.record) :]
    cut = min(cut, len(body))
    damaged = body[:cut] + junk + body[cut:]
    if not damaged.endswith(b"\n"):
        damaged += ending.encode()
    checker = RecordChecker(header.dialect, len(names), row=1, line=2, offset=0)
    chunks = list(record_chunks([damaged]))
    passed = all(checker.check(chunk) is not None for chunk in chunks)
    assert passed == (not checker.faults)
    assert passed == _is_good(damaged, delimiter, ending, len(names))


def _is_good(data: bytes, delimiter: str, ending: str, width: int) -> bool:
    """Read character by character, as RFC 4180 has it, with one line ending and no blank lines."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return False
    place, cells, start = 0, 1, 0
    while place < len(text):
        if text[place] == '"':
            place += 1
            while True:
                close = text.find('"', place)
                if close < 0:
                    return False
                place = close + 1
                if text[place : place + 1] != '"':
                    break
                place += 1
        else:
            while place < len(text) and text[place] not in f'{delimiter}"\r\n':
                place += 1
        if text.startswith(delimiter, place):
            cells += 1
            place += 1
        elif text.startswith(ending, place):
            if cells != width or place == start:
                return False
            place += len(ending)
            cells, start = 1, place
        else:
            return False
    return True


@given(data=st.binary(max_size=60), size=st.integers(1, 7))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_split_or_refused(data: bytes, size: int) -> None:
    """No input whatever ends in anything but parts or an InputError with a message."""
    refused: InputError | None = None
    events: list[object] = []
    try:
        source = open_input(lambda: iter(_blocks(data, size)))
        events = list(
            split_records(
                source.records(),
                source.dialect,
                header_record=source.header_record,
                columns=len(source.header),
                max_rows=2,
                max_bytes=1_000,
            )
        )
    except InputError as error:
        refused = error
    if refused is None:
        assert isinstance(events[-1], Part)
    else:
        assert refused.message
        assert refused.faults if isinstance(refused, FaultyRecords) else True


@given(table=tables())
@settings(max_examples=150, deadline=None)
def test_cells_are_read_as_csv_reads_them(table: tuple[str, str, list[str], list[list[str]], bytes]) -> None:
    """Splitting a chunk into records and parsing it gives what the csv module gives."""
    delimiter, _, names, rows, data = table
    assert [list(row) for row in parse_chunk(data.decode(), delimiter)] == [names, *rows]
    assert len(split_chunk(data)) == len(rows) + 1
    assert b'"' not in outside_quotes(data)
