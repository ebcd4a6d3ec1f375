"""Every form of input becomes the same CSV, or is refused with its place."""

from __future__ import annotations

import codecs
import errno
import gzip
import io
import random
import zipfile
from collections.abc import Callable, Iterator
from typing import BinaryIO

import pytest

from orgbridge.loads import errors
from orgbridge.loads.archives import UnpackLimits
from orgbridge.loads.inputs import CSVSource, InputFormat, detect_format, open_input
from orgbridge.loads.splitter import LineCount


def _packed(data: bytes) -> bytes:
    """Compress without the time of day, so that every test worker collects the same names."""
    return gzip.compress(data, mtime=0)


CSV = 'Näme,Note\r\nAcme,"a\r\nb"\r\nBräu,漢\r\n'


def _blocks(data: bytes, size: int = 5) -> Callable[[], Iterator[bytes]]:
    return lambda: iter([data[i : i + size] for i in range(0, len(data), size)])


def _zip(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def _file(data: bytes) -> Callable[[], BinaryIO]:
    return lambda: io.BytesIO(data)


def _text(source: CSVSource) -> str:
    first = b"".join(source.blocks())
    assert first == b"".join(source.blocks()), "a source opens anew"
    return first.decode()


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1_000])
@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (CSV.encode(), None),
        (codecs.BOM_UTF8 + CSV.encode(), None),
        (codecs.BOM_UTF16_LE + CSV.encode("utf-16-le"), None),
        (codecs.BOM_UTF16_BE + CSV.encode("utf-16-be"), "utf-16"),
        (CSV.encode("utf-16-be"), "utf-16-be"),
        (_packed(CSV.encode()), None),
        (_packed(CSV[:9].encode()) + _packed(CSV[9:].encode()) + b"\0" * 20, None),
        (_packed(codecs.BOM_UTF16_LE + CSV.encode("utf-16-le")), None),
    ],
    ids=["utf-8", "bom", "utf-16-le", "utf-16-be", "utf-16-be-said", "gzip", "gzip-members", "gzip-utf-16"],
)
def test_every_encoding_and_container_gives_the_same_csv(data: bytes, encoding: str | None, size: int) -> None:
    """Characters, newlines and quotes come through; the byte order mark does not."""
    source = open_input(_blocks(data, size), name="x.csv", encoding=encoding)
    assert _text(source) == CSV
    assert source.header == ("Näme", "Note")
    assert (source.first_line, source.line_count, source.format) == (2, LineCount.PHYSICAL, InputFormat.CSV)


@pytest.mark.parametrize("said", ["cp1252", None])
def test_windows_1252_is_read_when_said_or_seen(said: str | None) -> None:
    """cp1252 becomes UTF-8: by the caller's word, or because the bytes are words in it and nothing in UTF-8."""
    data = "Name,City\nBräu,Köln\n".encode("cp1252")
    source = open_input(_blocks(data), encoding=said)
    assert _text(source) == "Name,City\nBräu,Köln\n"
    assert source.dialect.encoding == "cp1252"


@pytest.mark.parametrize(
    ("data", "encoding", "offset", "line"),
    [
        (b"Name\nab\n\x81\n", "cp1252", 8, 3),
        (codecs.BOM_UTF16_LE + "a\nb\n".encode("utf-16-le") + b"\x00\xd8a\0\n\0", None, 10, 3),
        (codecs.BOM_UTF16_LE + "a\nb\n".encode("utf-16-le") + b"x", None, 10, 3),
        (b"N\x00\n\x00a", "utf-16-le", 4, 2),
    ],
)
@pytest.mark.parametrize("size", [1, 3, 100])
def test_undecodable_bytes_are_named_by_their_offset(
    data: bytes, encoding: str | None, offset: int, line: int, size: int
) -> None:
    """The offset is that of the original stream, whatever the blocks it came in."""
    with pytest.raises(errors.UndecodableBytes) as caught:
        _text(open_input(_blocks(data, size), encoding=encoding))
    assert (caught.value.offset, caught.value.faults[0].line) == (offset, line)


def test_half_a_character_that_a_codec_lets_through_is_refused() -> None:
    """UTF-7 can spell a lone surrogate; UTF-8 cannot."""
    with pytest.raises(errors.UndecodableBytes, match="half a character"):
        _text(open_input(_blocks(b"Name\na\n+2AA-\n"), encoding="utf-7"))


def test_a_header_without_records_is_refused() -> None:
    """Header only is its own error."""
    with pytest.raises(errors.HeaderOnly):
        open_input(_blocks(b"Name,City\n"))


@pytest.mark.parametrize("data", [b"", b"\n\n", codecs.BOM_UTF8, _packed(b"")])
def test_nothing_is_refused_as_empty(data: bytes) -> None:
    """An input without text is empty in every container."""
    with pytest.raises(errors.EmptyInput):
        open_input(_blocks(data), name="x.json")


def test_a_zip_of_one_file_is_unpacked() -> None:
    """The member's own name tells its format; folders and macOS forks do not count."""
    data = _zip({"folder/": b"", "folder/a.ndjson": b'{"Name":"x"}\n', "__MACOSX/folder/._a.ndjson": b"junk"})
    source = open_input(_blocks(data), name="a.zip", open_file=_file(data))
    assert (source.format, _text(source)) == (InputFormat.NDJSON, "Name\nx\n")


def _encrypted() -> bytes:
    data = bytearray(_zip({"a.csv": b"a\n1\n"}))
    data[6] |= 1
    central = data.index(b"PK\x01\x02")
    data[central + 8] |= 1
    return bytes(data)


def _bzipped() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("a.csv", "a\n1\n")
    return out.getvalue()


def _damaged() -> bytes:
    data = bytearray(_zip({"a.csv": random.Random(1).randbytes(4_000).hex().encode()}))
    data[400:420] = b"\xff" * 20
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (_zip({"a.csv": b"a\n", "b.csv": b"b\n"}), "holds 2 files"),
        (_zip({}), "holds 0 files"),
        (b"PK\x03\x04 no zip at all", "cannot be read"),
        (_encrypted(), "encrypted"),
        (_bzipped(), "neither stored nor deflated"),
        (_damaged(), "damaged after"),
    ],
    ids=["two", "none", "junk", "encrypted", "bzip2", "damaged"],
)
def test_a_bad_zip_is_refused(data: bytes, text: str) -> None:
    """What cannot be unpacked to one file says why."""
    with pytest.raises(errors.BadArchive, match=text):
        _text(open_input(_blocks(data), open_file=_file(data)))


class _FailingDisk(io.BytesIO):
    """A file whose disk refuses, from a read on."""

    def __init__(self, data: bytes, good: int) -> None:
        super().__init__(data)
        self._good = good

    def read(self, size: int | None = -1, /) -> bytes:
        """Read, or not."""
        self._good -= 1
        if self._good < 0:
            raise OSError(errno.EIO, "Input/output error")
        return super().read(size)


@pytest.mark.parametrize("good", range(8))
def test_a_disk_that_refuses_says_nothing_of_the_zip(good: int) -> None:
    """Whenever the storage refuses, that is what is told: the zip may be whole, and can be tried again."""
    data = _zip({"a.csv": b"a\n" + b"".join(b"%x\n" % random.Random(n).getrandbits(400) for n in range(9_000))})
    with pytest.raises(OSError, match="Input/output error"):
        _text(open_input(_blocks(data), open_file=lambda: _FailingDisk(data, good)))


def test_a_zip_needs_a_file() -> None:
    """The directory of a zip is at its end, so a stream will not do."""
    with pytest.raises(errors.UnsupportedFormat, match="only from a file"):
        open_input(_blocks(_zip({"a.csv": b"a\n1\n"})))


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (_packed(CSV.encode())[:-12], "ends early"),
        (_packed(CSV.encode()) + b"junk", "is damaged after"),
        (_packed(CSV.encode())[:12] + b"\xff\xff\xff\xff", "damaged|ends early"),
    ],
)
def test_a_bad_gzip_is_refused(data: bytes, text: str) -> None:
    """A stream that is cut off or damaged never passes for a shorter file."""
    with pytest.raises(errors.BadArchive, match=text):
        _text(open_input(_blocks(data)))


@pytest.mark.parametrize("limits", [UnpackLimits(max_bytes=50_000), UnpackLimits(max_ratio=20, free_bytes=1_000)])
def test_a_bomb_is_stopped(limits: UnpackLimits) -> None:
    """An archive is refused once it passes its size or its ratio."""
    content = b"Name\n" + b"a\n" * 100_000
    packed = _packed(content)
    with pytest.raises(errors.ArchiveTooLarge, match="unpacks to more than"):
        _text(open_input(_blocks(packed, 10_000), limits=limits))
    zipped = _zip({"a.csv": content})
    with pytest.raises(errors.ArchiveTooLarge, match="unpacks to more than"):
        _text(open_input(_blocks(zipped), open_file=_file(zipped), limits=limits))


@pytest.mark.parametrize(
    ("name", "content_type", "head", "expected"),
    [
        ("a.csv", None, b'{"a"', InputFormat.CSV),
        ("a.CSV.gz", None, b"[", InputFormat.CSV),
        ("a.tsv", "application/json", b"a", InputFormat.CSV),
        ("a.jsonl", None, b"", InputFormat.NDJSON),
        ("", "application/x-ndjson; charset=utf-8", b"x", InputFormat.NDJSON),
        ("upload", "text/csv", b"[", InputFormat.CSV),
        ("a.json", None, b" [", InputFormat.JSON),
        ("a.json", None, b'{"a":1}', InputFormat.NDJSON),
        ("", "application/json", b"x", InputFormat.JSON),
        ("a.json", None, b"x", InputFormat.JSON),
        ("", None, b"\n[{", InputFormat.JSON),
        ("", None, b"Name,b", InputFormat.CSV),
        ("a.txt", None, b"{Name},b", InputFormat.CSV),
    ],
)
def test_the_format_is_told_by_name_type_or_first_character(
    name: str, content_type: str | None, head: bytes, expected: InputFormat
) -> None:
    """A name counts more than a content type, and both more than the content."""
    assert detect_format(name, content_type, head) is expected


@pytest.mark.parametrize("magic", [b"BZh9", b"\xd0\xcf\x11\xe0", b"%PDF-1.7"])
def test_other_formats_are_named(magic: bytes) -> None:
    """A known foreign format is refused by its name, not as bad CSV."""
    with pytest.raises(errors.UnsupportedFormat, match="send CSV, a JSON array, NDJSON, Parquet or XLSX"):
        detect_format("a.csv", None, magic)


RECORDS = (
    '{"Name": "A, \\"b\\"", "Amount": 1.10, "Big": 12345678901234567890.5, "E": 1E5}',
    '{"Name": null, "Active": true, "Parent": {"Ext__c": "x\\n\\u00e9"}}',
    '{"Active": false, "Zero": -0, "Parent": {"Ext__c": null}, "Name": ""}',
)
EXPECTED = (
    "Name,Amount,Big,E,Active,Parent.Ext__c,Zero\n"
    '"A, ""b""",1.10,12345678901234567890.5,1E5,,,\n'
    '#N/A,,,,true,"x\né",\n'
    ",,,,false,#N/A,-0\n"
)


@pytest.mark.parametrize("size", [1, 2, 7, 50, 10_000])
@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("[" + ",".join(RECORDS) + "]", InputFormat.JSON),
        (" [ " + " , \n".join(RECORDS) + "\r\n]\n ", InputFormat.JSON),
        ("\n".join(RECORDS), InputFormat.NDJSON),
        ("\r\n".join(RECORDS) + "\r\n", InputFormat.NDJSON),
    ],
    ids=["array", "spaced", "lines", "crlf"],
)
def test_json_becomes_csv(text: str, kind: InputFormat, size: int) -> None:
    """Columns in first-seen order, null clears, absent is blank, numbers keep their digits, parents by external id."""
    source = open_input(_blocks(text.encode(), size))
    assert source.format is kind
    assert _text(source) == EXPECTED
    assert (source.first_line, source.line_count) == (1, LineCount.RECORD)


def test_json_in_utf_16_is_read() -> None:
    """Transcoding comes before everything else."""
    data = codecs.BOM_UTF16_LE + '[{"Näme":"漢"}]'.encode("utf-16-le")
    assert _text(open_input(_blocks(data, 3), name="a.json")) == "Näme\n漢\n"


def test_a_lone_empty_cell_is_quoted() -> None:
    """A record of one blank cell would otherwise be a blank line."""
    assert _text(open_input(_blocks(b'[{"Name":""},{"Name":"x"}]'))) == 'Name\n""\nx\n'


def test_one_large_record_is_one_block() -> None:
    """A block that is full when the input ends is not followed by an empty one."""
    blocks = list(open_input(_blocks(b'[{"Name":"' + b"x" * 70_000 + b'"}]', 65_536)).records())
    assert [len(block) for block in blocks] == [70_001]


def test_many_records_come_in_blocks() -> None:
    """The CSV of a large JSON is given out piece by piece."""
    data = b"[" + b",".join(b'{"Name":"%06d"}' % n for n in range(30_000)) + b"]"
    blocks = list(open_input(_blocks(data, 65_536)).records())
    assert len(blocks) > 2
    assert b"".join(blocks).count(b"\n") == 30_000


@pytest.mark.parametrize(
    ("text", "error", "message", "record"),
    [
        ("[]", errors.EmptyInput, "no records", None),
        ("[{},{}]", errors.HeaderOnly, "no fields", None),
        ('[{"a":1}', errors.BadJSON, "After element 1", 1),
        ('[{"a":1} {"a":2}]', errors.BadJSON, "After element 1", 1),
        ('[{"a":1},]', errors.BadJSON, "Element 2 of the array: is no object", 2),
        ('[{"a":1},', errors.BadJSON, "Element 2 of the array: the array ends early", 2),
        ("[1]", errors.BadJSON, "Element 1", 1),
        ('[{"a":1},{"a":x}]', errors.BadJSON, "Record 2 is not JSON: Expecting value after 5 characters", 2),
        ('[{"a":1}] x', errors.BadJSON, "after the end", None),
        ('[{"a":NaN}]', errors.UnsupportedValue, "NaN", 1),
        ('[{"a":1},{"a":[1]}]', errors.UnsupportedValue, "Record 2: 'a' holds an array", 2),
        ('[{"a":{"b":{"c":1}}}]', errors.UnsupportedValue, "'a' must hold one field", 1),
        ('[{"a":{"b":1,"c":2}}]', errors.UnsupportedValue, "'a' must hold one field", 1),
        ('[{"a":{"b":[]}}]', errors.UnsupportedValue, "'a.b' holds an array", 1),
        ('[{"attributes":{"type":"Account"},"a":1}]', errors.UnsupportedValue, "attributes", 1),
        ('[{"a":1,"a":2}]', errors.BadJSON, "holds a key twice", 1),
        ('[{"a":1},{"A":2}]', errors.DuplicateHeader, "both named", None),
        ('[{"":1}]', errors.BlankHeaderName, "no name", None),
        ('[{"a":"\\ud800"}]', errors.UnsupportedValue, "half a character", 1),
        ('[{"a":' + "[" * 100_000 + "]", errors.UnsupportedValue, "nested too deep", 1),
        ('{"a":1}\n\n{"a":2}\n', errors.BadJSON, "Line 2 is blank", 2),
        ('{"a":1}{"a":2}\n', errors.BadJSON, "Line 1 holds more than one", 1),
        ('{"a":1}\n5\n', errors.BadJSON, "Record 2 is no object", 2),
        ('{"a":1}\n{"a":\n', errors.BadJSON, "Record 2 is not JSON", 2),
    ],
)
def test_bad_json_names_its_record(text: str, error: type[errors.InputError], message: str, record: int | None) -> None:
    """Whatever has no form in a Bulk CSV is refused with the number of its element or line."""
    with pytest.raises(error, match=message) as caught:
        _text(open_input(_blocks(text.encode(), 9)))
    assert type(caught.value) is error
    if isinstance(caught.value, errors.BadJSON):
        assert caught.value.record == record


@pytest.mark.parametrize("text", [b'[{"a":"\xff"}]', b'{"a":"\xff"}\n'])
@pytest.mark.parametrize("size", [1, 100])
def test_json_that_is_not_utf_8_names_the_byte(text: bytes, size: int) -> None:
    """The offset is that of the stream."""
    with pytest.raises(errors.BadJSON, match=f"0xff at offset {text.index(0xFF)}"):
        open_input(_blocks(text, size))


def test_json_that_ends_inside_a_character_names_the_byte() -> None:
    """A cut-off character at the end is found too."""
    with pytest.raises(errors.BadJSON, match="0xc3 at offset 2"):
        open_input(_blocks(b"[ \xc3"), name="a.json")


def test_json_that_is_no_array_is_refused() -> None:
    """A file called JSON must begin with a bracket or hold one object a line."""
    with pytest.raises(errors.BadJSON, match=r"must begin with \["):
        open_input(_blocks(b"true"), name="a.json")


def test_an_endless_line_of_ndjson_is_refused() -> None:
    """Memory stays bounded when there is no newline at all."""
    with pytest.raises(errors.BadJSON, match="more than 3200000 characters"):
        open_input(_blocks(b'{"a":"' + b"x" * 3_300_000, 100_000))


def test_an_endless_element_of_an_array_is_refused() -> None:
    """Memory stays bounded when an element has no end."""
    with pytest.raises(errors.BadJSON, match="Record 1 is not JSON"):
        open_input(_blocks(b'[{"a":"' + b"x" * 4_000_000, 500_000))
