"""Reading uploads: strict where the platform is strict, and resumable at any batch."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orgbridge.emulator.jobs.uploads import UploadFault, UploadReader, check_line_endings
from orgbridge.wire.bulk import ColumnDelimiter, LineEnding

UNESCAPED = "InvalidBatch : Failed to parse CSV. Found unescaped quote. A value with quote should be within a quote"


def write(folder: Path, data: bytes) -> Path:
    """Return a file with the data."""
    path = folder / "upload.csv"
    path.write_bytes(data)
    return path


def read_all(path: Path, rows: int = 2, delimiter: ColumnDelimiter = ColumnDelimiter.COMMA) -> list[list[str]]:
    """Return header and records, opening the file anew at every batch, as after a kill."""
    reader = UploadReader(path, delimiter, LineEnding.LF)
    header = reader.header()
    offset, found = reader.offset, [header]
    reader.close()
    while True:
        reader = UploadReader(path, delimiter, LineEnding.LF, offset, len(header))
        batch = reader.batch(rows, 1 << 20)
        offset = reader.offset
        reader.close()
        if not batch:
            return found
        found += batch


_CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\0"), max_size=12)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(
    rows=st.lists(st.lists(_CELL, min_size=3, max_size=3), min_size=1, max_size=12),
    step=st.integers(1, 5),
    delimiter=st.sampled_from(list(ColumnDelimiter)),
    quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
)
def test_any_csv_is_read_whole_whatever_the_batches(
    tmp_path: Path, rows: list[list[str]], step: int, delimiter: ColumnDelimiter, quoting: int
) -> None:
    """Reopening at each batch's offset gives every record once and in order."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter.char, lineterminator="\n", quoting=quoting)
    writer.writerows([["a", "b", "c"], *rows])
    path = write(tmp_path, text.getvalue().encode())
    assert read_all(path, step, delimiter) == [["a", "b", "c"], *rows]


@pytest.mark.parametrize(
    ("data", "ending", "good"),
    [
        (b"a\n1\n", LineEnding.LF, True),
        (b"a\r\n1\r\n", LineEnding.LF, False),
        (b"a\r\n1\r\n", LineEnding.CRLF, True),
        (b"a\n1\n", LineEnding.CRLF, False),
        (b'a\n"x\r\ny"\n', LineEnding.LF, False),
        (b'a\r\n"x\ny"\r\n', LineEnding.CRLF, False),
        (b"a\r\n" + b"x" * ((1 << 20) - 4) + b"\r\n1\r\n", LineEnding.CRLF, True),
        (b"a\n" + b"x" * ((1 << 20) - 3) + b"\r\n", LineEnding.LF, False),
    ],
    ids=["lf", "crlf-in-lf", "crlf", "lf-in-crlf", "inner-crlf", "inner-lf", "across-blocks", "bad-across-blocks"],
)
def test_line_endings_are_compared_byte_for_byte(tmp_path: Path, data: bytes, ending: LineEnding, good: bool) -> None:
    """Every line end counts, inside quoted cells and across the blocks of the file too."""
    path = write(tmp_path, data)
    if good:
        check_line_endings(path, ending)
        return
    text = f"ClientInputError : LineEnding is invalid on user data. Current LineEnding setting is {ending}"
    with pytest.raises(UploadFault) as caught:
        check_line_endings(path, ending)
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b'a,b\nx"y,1\n', UNESCAPED),
        (b'a,b\n"x"y,1\n', UNESCAPED),
        (b'a,b\nx, "y"\n', UNESCAPED),
        (b'a,b\n"x,1\n', UNESCAPED),
        (b"a,b\n1\n", "InvalidBatch : Failed to parse CSV. Expected 2 fields but found 1"),
        (b"a,b\n1,2,3\n", "InvalidBatch : Failed to parse CSV. Expected 2 fields but found 3"),
        (b"a,b\nx,\xff\n", "InvalidBatch : Failed to parse CSV. The data is not UTF-8 at byte 6"),
        (
            b"a,b\n" + b"x" * 131_073 + b",1\n",
            "InvalidBatch : Failed to parse CSV. A field has more than 131072 characters",
        ),
        (b"a,b\nx\ry,1\n", "ClientInputError : LineEnding is invalid on user data. Current LineEnding setting is LF"),
    ],
    ids=["bare", "after", "space", "open", "short", "long", "bytes", "field", "cr"],
)
def test_what_cannot_be_parsed_fails_the_job(tmp_path: Path, data: bytes, text: str) -> None:
    """Each fault carries the text of errorMessage, and the batch is not taken."""
    reader = UploadReader(write(tmp_path, data), ColumnDelimiter.COMMA, LineEnding.LF)
    reader.header()
    before = reader.offset
    with pytest.raises(UploadFault) as caught:
        reader.batch(10, 1 << 20)
    reader.close()
    assert str(caught.value) == text
    assert reader.offset == before


def test_a_bom_is_not_stripped(tmp_path: Path) -> None:
    """In front of a bare name it becomes part of it; in front of a quote it makes the quote a wrong one."""
    reader = UploadReader(write(tmp_path, b"\xef\xbb\xbfName\nx\n"), ColumnDelimiter.COMMA, LineEnding.LF)
    assert reader.header() == ["\ufeffName"]
    reader.close()
    reader = UploadReader(write(tmp_path, b'\xef\xbb\xbf"Name"\nx\n'), ColumnDelimiter.COMMA, LineEnding.LF)
    with pytest.raises(UploadFault) as caught:
        reader.header()
    reader.close()
    assert str(caught.value) == UNESCAPED


def test_an_empty_file_has_no_records(tmp_path: Path) -> None:
    """Nothing at all is told apart from a header."""
    reader = UploadReader(write(tmp_path, b""), ColumnDelimiter.COMMA, LineEnding.LF)
    with pytest.raises(UploadFault, match="Records not found"):
        reader.header()
    reader.close()


def test_a_batch_ends_at_its_bytes(tmp_path: Path) -> None:
    """Wide records make short batches, so that memory stays small; one record always fits."""
    path = write(tmp_path, b"a\n" + b"".join(b"x" * 100 + b"\n" for _ in range(10)))
    reader = UploadReader(path, ColumnDelimiter.COMMA, LineEnding.LF)
    reader.header()
    sizes = []
    while batch := reader.batch(1_000, 250):
        sizes.append(len(batch))
    reader.close()
    assert sizes == [3, 3, 3, 1]


def test_a_header_past_its_limit_fails_the_job(tmp_path: Path) -> None:
    """More than 32,000 characters of header are refused."""
    names = ",".join(f"Field_{n:05d}__c" for n in range(2_500))
    reader = UploadReader(write(tmp_path, f"{names}\n".encode()), ColumnDelimiter.COMMA, LineEnding.LF)
    with pytest.raises(UploadFault, match="32000 characters"):
        reader.header()
    reader.close()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.sampled_from(["", "a", "é", "\x00", "x\ty", "1.5"]), min_size=3, max_size=3), max_size=30))
def test_blocks_without_quotes_are_read_as_records_are(tmp_path, records):
    """The quick way for blocks without quotes gives the records and the offsets of the way record by record."""
    plain = "".join(",".join(row) + "\n" for row in records)
    quoted = "".join(",".join(f'"{cell}"' for cell in row) + "\n" for row in records)
    found = []
    for body in (plain, quoted):
        path = write(tmp_path, ("a,b,c\n" + body).encode())
        found.append(read_all(path, 4))
        reader = UploadReader(path, ColumnDelimiter.COMMA, LineEnding.LF)
        reader.header()
        while reader.batch(7, 1 << 20):
            pass
        assert reader.offset == path.stat().st_size
        reader.close()
    assert found[0] == found[1]


class _Counted(io.BytesIO):
    """A file that knows how much of it was read."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.taken = 0

    def read(self, size: int | None = -1, /) -> bytes:
        """Read and count."""
        found = super().read(size)
        self.taken += len(found)
        return found


@pytest.mark.parametrize("every", [1, 2, 10, 100, 1_000])
def test_quoted_records_are_not_looked_at_over_and_over(every: int) -> None:
    """However often quotes stand in a file, all that is read to find plain records is a few times its size."""
    rows = [['"a, b"' if n % every == 0 else "a", "b" * 50, str(n)] for n in range(20_000)]
    data = ("x,y,z\n" + "".join(",".join(row) + "\n" for row in rows)).encode()
    file = _Counted(data)
    reader = UploadReader(file, ColumnDelimiter.COMMA, LineEnding.LF)
    reader.header()
    found = 0
    while batch := reader.batch(10_000, 1 << 24):
        found += len(batch)
    assert found == len(rows)
    assert file.taken < 10 * len(data)
