"""Faulty records are found with their lines, and parts keep their limits."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from orgbridge.loads import errors
from orgbridge.loads.dialect import Encoding, read_header
from orgbridge.loads.errors import FaultKind
from orgbridge.loads.records import CHUNK_BYTES, OVERLONG_BYTES, parse_chunk, reblock, record_chunks
from orgbridge.loads.splitter import LineCount, Part, SplitEvent, end_records, split_records, upload_body
from orgbridge.wire.bulk import LineEnding

HEADER = b"a,b\n"


def _split(
    body: bytes | Iterable[bytes],
    *,
    header: bytes = HEADER,
    max_rows: int = 1_000_000,
    max_bytes: int = 100_000_000,
    line_count: LineCount = LineCount.PHYSICAL,
) -> list[SplitEvent]:
    found = read_header(header, Encoding(name="utf-8", has_bom=False))
    return list(
        split_records(
            [body] if isinstance(body, bytes) else body,
            found.dialect,
            header_record=found.record,
            columns=len(found.names),
            max_rows=max_rows,
            max_bytes=max_bytes,
            first_offset=len(header),
            line_count=line_count,
        )
    )


def _parts(events: list[SplitEvent]) -> list[Part]:
    return [event for event in events if isinstance(event, Part)]


R, Q, M, T, U = (
    FaultKind.RAGGED,
    FaultKind.BAD_QUOTING,
    FaultKind.MIXED_LINE_ENDING,
    FaultKind.TOO_LARGE,
    FaultKind.UNDECODABLE,
)


@pytest.mark.parametrize(
    ("body", "error", "faults"),
    [
        (b"1,2\n1\n1,2,3\n", errors.RaggedRows, [(R, 3, 2), (R, 4, 3)]),
        (b"1,2\n\n1,2\n", errors.RaggedRows, [(R, 3, 2)]),
        (b"1,2\n\n", errors.RaggedRows, [(R, 3, 2)]),
        (b'"1\n1",2\n1\n', errors.RaggedRows, [(R, 4, 2)]),
        (b"1;2\n3;4\n", errors.RaggedRows, [(R, 2, 1), (R, 3, 2)]),
        (b"1,2\n1,2\r\n1,2\n", errors.MixedLineEndings, [(M, 3, 2)]),
        (b"1,2\n1,2\r1,2\n", errors.MixedLineEndings, [(M, 3, 2)]),
        (b'1,x"y"\n1,2\n', errors.BadQuoting, [(Q, 2, 1)]),
        (b'1,"x"y\n1,2\n', errors.BadQuoting, [(Q, 2, 1)]),
        (b'1,2\n1, "x"\n1,"y" \n', errors.BadQuoting, [(Q, 3, 2), (Q, 4, 3)]),
        (b'1,2\n1,"x\n1,2\n', errors.BadQuoting, [(Q, 3, 2)]),
        (b'1,2\n1,x"\n1,2\n', errors.BadQuoting, [(Q, 3, 2)]),
        (b'1,2\n1,x"\n1,2\n1,"y"\n', errors.BadQuoting, [(Q, 3, 2)]),
        (b"1,2\n1,\xff\n1,\xc3\n", errors.UndecodableBytes, [(U, 3, 2), (U, 4, 3)]),
        (b"1,2\n1,2,3\r\n1,\xff\n", errors.FaultyRecords, [(M, 3, 2), (R, 3, 2), (U, 4, 3)]),
        (b"1,2\n1," + b"x" * 400_001 + b"\n1\n", errors.FaultyRecords, [(T, 3, 2), (R, 4, 3)]),
        (b"1,2\n1," + b"x" * (OVERLONG_BYTES * 2), errors.RecordTooLarge, [(T, 3, 2)]),
        (b'1,2\n1,"' + b"x\n" * OVERLONG_BYTES, errors.FaultyRecords, None),
    ],
)
def test_faults_are_named_with_line_and_row(
    body: bytes, error: type[errors.FaultyRecords], faults: list[tuple[FaultKind, int, int]] | None
) -> None:
    """One error carries all faults up to a hundred, of one kind under that kind's name."""
    with pytest.raises(errors.FaultyRecords) as caught:
        _split(body)
    assert type(caught.value) is error
    found = [(fault.kind, fault.line, fault.row) for fault in caught.value.faults]
    if faults is None:
        assert found[0] == (Q, 3, 2)
        assert "closing quote seems to be missing" in caught.value.message
    else:
        assert found == faults
    assert [item["line"] for item in caught.value.details] == [line for _, line, _ in found]


def test_crlf_files_name_lf_records() -> None:
    """The record that ends otherwise than the header is the fault."""
    with pytest.raises(errors.MixedLineEndings, match="Line 3: The record ends in LF, the header in CRLF"):
        _split(b"1,2\r\n3,4\n5,6\r\n", header=b"a,b\r\n")


def test_a_carriage_return_apart_from_its_line_feed_is_found() -> None:
    """CR and LF in the right number but not side by side do not pass."""
    with pytest.raises(errors.FaultyRecords):
        _split(b"1,2\rx\n3,4\r\n", header=b"a,b\r\n")


@pytest.mark.parametrize("body", [b"1\n\n2\n", b"\n1\n", b'"1"\n\n"2"\n', b'\n"1"\n'])
def test_a_blank_line_in_a_single_column_is_refused(body: bytes) -> None:
    """A blank line is no record with one blank cell; that is written as two quotes."""
    with pytest.raises(errors.RaggedRows, match="The line is blank"):
        _split(body, header=b"a\n")


def test_blank_cells_of_a_single_column_are_kept() -> None:
    """Two quotes are a record."""
    assert _parts(_split(b'""\n"x"\n""\n', header=b"a\n"))[0].rows == 3


def test_at_most_a_hundred_faults_are_collected() -> None:
    """Reading stops when there are enough to see what is wrong."""
    with pytest.raises(errors.RaggedRows, match="the first of 100 faults") as caught:
        _split(b"1\n" * 100_000)
    assert len(caught.value.faults) == errors.FAULTS_KEPT == caught.value.total


def test_a_record_with_two_faults_does_not_pass_the_limit() -> None:
    """The hundredth fault is the last, even if its record has another."""
    with pytest.raises(errors.FaultyRecords) as caught:
        _split(b"1\n" * 99 + b"1\r\n")
    assert [fault.kind for fault in caught.value.faults[98:]] == [R, M]


def test_the_offset_of_undecodable_bytes_counts_from_the_stream() -> None:
    """Header and earlier chunks count."""
    good = "1,é\n".encode() * CHUNK_BYTES
    with pytest.raises(errors.UndecodableBytes) as caught:
        _split(good + b"1,\xff\n")
    assert caught.value.offset == len(HEADER) + len(good) + 2
    assert caught.value.details[0]["offset"] == caught.value.offset


def test_faults_in_several_chunks_are_all_named() -> None:
    """Good chunks between faulty ones are counted, and give no more bytes."""
    body = b"1\n" + b"1,2\n" * CHUNK_BYTES + b"1\n"
    with pytest.raises(errors.RaggedRows) as caught:
        _split(body)
    assert [fault.line for fault in caught.value.faults] == [2, 3 + CHUNK_BYTES]


def test_no_records_at_all_are_refused() -> None:
    """A load of nothing is an error."""
    with pytest.raises(errors.HeaderOnly):
        _split(b"")


@pytest.mark.parametrize("quote", [b"", b'"'])
def test_a_long_record_passes_if_salesforce_takes_it(quote: bytes) -> None:
    """400,000 characters are allowed, however many bytes they are."""
    cell = quote + ("漢" * 390_000).encode() + quote
    events = _split(reblock([b"1," + cell + b"\n2,3\n"], 1_000))
    assert [(part.rows, part.bytes) for part in _parts(events)] == [(2, len(cell) + 7)]


def test_pain_31_parts_keep_their_bytes() -> None:
    """With the header, and with the line ending that takes more, no upload passes the limit."""
    body = b"".join(b'%04d,"x\r\ny"\n' % n for n in range(1_000))
    events = _split(body, max_bytes=200)
    parts = _parts(events)
    assert sum(part.rows for part in parts) == 1_000
    assert {part.upload_line_ending for part in parts} == {LineEnding.CRLF}
    assert max(part.upload_bytes for part in parts) <= 200
    assert parts[0].rows == (200 - 5) // (len(b'0000,"x\r\ny"\n') + 1)


def test_a_part_may_be_full_where_a_chunk_ends() -> None:
    """The next chunk then opens the next part."""
    events = _split(b"1234567,8901234\n" * 3 * 4_096, max_rows=CHUNK_BYTES // 16)
    assert [part.rows for part in _parts(events)] == [4_096, 4_096, 4_096]


def test_a_record_that_fits_into_no_part_is_refused() -> None:
    """It is named by its line, after the parts before it."""
    found: list[SplitEvent] = []
    with pytest.raises(errors.RecordTooLarge, match="Line 3: The record has 33 bytes") as caught:
        found.extend(_iterate(b"1,2\n1," + b"x" * 30 + b"\n"))
    assert caught.value.faults[0].row == 2
    assert [part.rows for part in _parts(found)] == [1]


def _iterate(body: bytes) -> Iterable[SplitEvent]:
    header = read_header(HEADER, Encoding(name="utf-8", has_bom=False))
    return split_records(
        [body], header.dialect, header_record=HEADER, columns=2, max_rows=9, max_bytes=30, first_line=2
    )


def test_line_numbers_of_json_count_records() -> None:
    """A cell with newlines does not move the number of the next element."""
    events = _split(b'"1\n\n",2\n3,4\n5,6\n', max_rows=1, line_count=LineCount.RECORD)
    assert [part.first_line for part in _parts(events)] == [2, 3, 4]
    with pytest.raises(errors.RaggedRows) as caught:
        _split(b'"1\n\n",2\n3\n', line_count=LineCount.RECORD)
    assert caught.value.faults[0].line == 3


@pytest.mark.parametrize(
    ("ending", "cells", "upload", "mixed"),
    [
        ("\n", [], LineEnding.LF, False),
        ("\r\n", [], LineEnding.CRLF, False),
        ("\r\n", ["a\nb"], LineEnding.LF, False),
        ("\n", ["a\r\nb"], LineEnding.CRLF, False),
        ("\r\n", ["a\r\nb"], LineEnding.CRLF, False),
        ("\n", ["a\r\nb", "a\nb"], LineEnding.LF, True),
        ("\r\n", ["a\r\nb", "a\nb"], LineEnding.CRLF, True),
        ("\r\n", ["a\rb"], LineEnding.CRLF, True),
        ("\n", ['a\r"\nb'], LineEnding.LF, True),
    ],
)
def test_the_upload_ends_its_records_as_the_cells_do(
    ending: str, cells: list[str], upload: LineEnding, mixed: bool
) -> None:
    """Salesforce wants one kind of newline inside cells and out: the cells decide, and stay as they are."""
    quoted = ['"' + cell.replace('"', '""') + '"' for cell in cells]
    body = "".join(f"1,{cell}{ending}" for cell in ["x", *quoted]).encode()
    header = f"a,b{ending}".encode()
    part = _parts(_split(body, header=header))[0]
    assert (part.upload_line_ending, part.mixed_cell_newlines) == (upload, mixed)
    sent = b"".join(upload_body([body], part, header_record=header))
    wanted = "".join(f"{line}{upload.chars}" for line in ["a,b", *(f"1,{cell}" for cell in ["x", *quoted])])
    assert sent == wanted.encode()
    assert part.upload_bytes == len(sent)


def test_a_carriage_return_at_the_very_end_is_kept() -> None:
    """What is held back for the next block comes out when there is none."""
    assert b"".join(end_records([b"a\r"], was=LineEnding.CRLF, becomes=LineEnding.LF)) == b"a\r"


@pytest.mark.parametrize("size", [1, 3, 10])
def test_blocks_of_any_size_are_cut_anew(size: int) -> None:
    """Small blocks are gathered and large ones divided; empty ones do no harm."""
    blocks = [b"", b"abc", b"d", b"", b"efghijklmnop", b"q"]
    out = list(reblock(blocks, size))
    assert b"".join(out) == b"abcdefghijklmnopq"
    assert {len(block) for block in out[:-1]} == {size}


def test_a_chunk_without_an_end_is_the_last() -> None:
    """Nothing is read after a record that has no end within the limit."""
    assert list(record_chunks([b"1\n", b"x" * 50, b"\n2\n"], size=4, overlong=8)) == [b"1\n", b"x" * 10]


def test_long_cells_are_parsed_to_the_last() -> None:
    """Beyond the csv module's limit a trailing delimiter still makes an empty cell."""
    long = "x" * 140_000
    assert list(parse_chunk(f'{long},"a""b"\r\n1,', ",")) == [[long, 'a"b'], ["1", ""]]


def test_chunks_end_where_records_end() -> None:
    """A quoted newline is no end; a chunk waits for the next one."""
    data = b'1,"a\nb\nc"\n2,"d\n"\n3,4\n5'
    assert list(record_chunks([data], size=4)) == [b'1,"a\nb\nc"\n', b'2,"d\n"\n', b"3,4\n", b"5"]
