"""Encoding, delimiter, line ending and header are told from the file or refused clearly."""

from __future__ import annotations

import codecs

import pytest

from orgbridge.loads import errors
from orgbridge.loads.dialect import Encoding, detect_dialect, detect_encoding, read_header
from orgbridge.wire.bulk import ColumnDelimiter, LineEnding

UTF8 = Encoding(name="utf-8", has_bom=False)


@pytest.mark.parametrize("char", list("`^,|;\t"))
@pytest.mark.parametrize(("newline", "ending"), [("\n", LineEnding.LF), ("\r\n", LineEnding.CRLF)])
def test_pain_20_each_of_the_six_delimiters_is_detected(char: str, newline: str, ending: LineEnding) -> None:
    """The header alone tells the delimiter and the line ending."""
    dialect = detect_dialect(f"Name{char}Industry{newline}a{char}b{newline}".encode())
    assert (dialect.delimiter, dialect.line_ending) == (char, ending)
    assert dialect.column_delimiter.char == char


def test_a_delimiter_inside_quotes_does_not_count() -> None:
    """Only what stands outside quotes splits the header."""
    header = read_header(b'"Name, short";Industry\n1;2\n', UTF8)
    assert header.names == ("Name, short", "Industry")
    assert header.dialect.column_delimiter is ColumnDelimiter.SEMICOLON


def test_one_column_needs_no_delimiter() -> None:
    """A header without any delimiter is one column, and the job is given the comma."""
    assert read_header(b"Id\n001\n", UTF8).dialect.delimiter == ","


def test_a_foreign_delimiter_is_refused() -> None:
    """A header that holds none of the six and is no name is refused, naming the six."""
    with pytest.raises(errors.UnknownDelimiter, match="none of Salesforce's delimiters"):
        detect_dialect(b"Name~Industry\na~b\n")


def test_two_candidates_are_settled_by_the_records() -> None:
    """Where the header holds two delimiters, the one that splits every record alike is taken."""
    assert detect_dialect(b"Name,Size|Kind\na|b,c\nd,e\n").delimiter == ","


def test_an_ambiguous_delimiter_is_refused_unless_the_caller_says_which() -> None:
    """Nothing is guessed between two delimiters that fit equally well."""
    data = b"Name,Size|Kind\na,b|c\n"
    with pytest.raises(errors.UnknownDelimiter, match="',' and '\\|'"):
        detect_dialect(data)
    assert detect_dialect(data, delimiter="|").delimiter == "|"


def test_when_no_candidate_fits_all_are_named() -> None:
    """A file that no delimiter splits alike names the header's candidates."""
    with pytest.raises(errors.UnknownDelimiter, match="',' and '\\|'"):
        detect_dialect(b"Name,Size|Kind\na\n")


def test_a_delimiter_of_the_caller_must_be_one_of_the_six() -> None:
    """Salesforce takes six delimiters only."""
    with pytest.raises(errors.UnknownDelimiter, match="none of Salesforce's"):
        detect_dialect(b"a:b\n1:2\n", delimiter=":")


@pytest.mark.parametrize(
    ("data", "error", "text"),
    [
        (b"", errors.EmptyInput, "no bytes"),
        (codecs.BOM_UTF8, errors.EmptyInput, "no bytes"),
        (b"\r\n\n", errors.EmptyInput, "no bytes"),
        (b"Name,Industry", errors.HeaderOnly, "one line without a newline"),
        (b"Name,Industry\rAcme,Tech\r", errors.UnsupportedLineEnding, "lone carriage return"),
        (b"Name,Industry\rAcme,Tech\n", errors.UnsupportedLineEnding, "lone carriage return"),
        (b"Name,name\n1,2\n", errors.DuplicateHeader, "columns 1 and 2 are both named 'name'"),
        (b"Name,,Size\n1,2,3\n", errors.BlankHeaderName, "Column 2 has no name"),
        (b"Name, \n1,2\n", errors.BlankHeaderName, "Column 2"),
        (b"\nName\n", errors.BlankHeaderName, "first line is blank"),
        (b'"Na\nme",b\n1,2\n', errors.BadHeader, "control character"),
        (b'Na"me,b\n1,2"\n3,4\n', errors.BadQuoting, "quote stands where none may"),
        (b'"Name" ,b\n1,2\n', errors.BadQuoting, "quote stands where none may"),
        (b'"Name,b\n1,2\n', errors.BadQuoting, "never closed"),
        (b"a" * 32_000 + b",b\n1,2\n", errors.HeaderTooLong, "32003 characters"),
        (b"a" * 40_000, errors.HeaderTooLong, "no end within 32000"),
        (",".join(f"f{n}" for n in range(5_001)).encode() + b"\n1\n", errors.BadHeader, "5001 columns"),
    ],
)
def test_a_bad_header_is_refused(data: bytes, error: type[errors.InputError], text: str) -> None:
    """Each fault of a header has its own error and says what is wrong."""
    with pytest.raises(error, match=text) as caught:
        read_header(data.removeprefix(codecs.BOM_UTF8), UTF8)
    assert type(caught.value) is error


def test_an_undecodable_header_names_the_offset() -> None:
    """The offset counts from the beginning of the stream, byte order mark included."""
    with pytest.raises(errors.UndecodableBytes, match="0xe9 at offset 4") as caught:
        read_header(b"a\xe9cole,b\n", Encoding(name="utf-8", has_bom=True))
    assert caught.value.offset == 4


@pytest.mark.parametrize(
    ("head", "said", "name", "has_bom"),
    [
        (b"Name", None, "utf-8", False),
        (codecs.BOM_UTF8 + b"Name", None, "utf-8", True),
        (codecs.BOM_UTF8 + b"Name", "utf-8-sig", "utf-8", True),
        (codecs.BOM_UTF16_LE + b"N\0", None, "utf-16-le", True),
        (codecs.BOM_UTF16_BE + b"\0N", "UTF-16", "utf-16-be", True),
        (b"N\0a\0", "utf-16-le", "utf-16-le", False),
        (b"Name", "windows-1252", "cp1252", False),
    ],
)
def test_the_encoding_is_what_the_mark_or_the_caller_says(
    head: bytes, said: str | None, name: str, has_bom: bool
) -> None:
    """A byte order mark is believed, else the caller, else UTF-8 is assumed and checked."""
    assert detect_encoding(head, said) == Encoding(name=name, has_bom=has_bom)


@pytest.mark.parametrize(
    ("head", "said", "text"),
    [
        (codecs.BOM_UTF32_LE + b"N\0\0\0", None, "UTF-32"),
        (codecs.BOM_UTF8 + b"Name", "cp1252", "mark says utf-8, the caller cp1252"),
        (b"N\0a\0\0\0\0\0", None, "holds NUL bytes"),
        (b"N\0a\0", "utf-16", "say utf-16-le or utf-16-be"),
        (b"Name", "klingon", "called 'klingon'"),
        (b"Name", "rot13", "called 'rot13'"),
        (b"Name", "base64", "called 'base64'"),
    ],
)
def test_an_encoding_that_cannot_be_is_refused(head: bytes, said: str | None, text: str) -> None:
    """Contradictions and unknown names are errors, not guesses."""
    with pytest.raises(errors.UnsupportedEncoding, match=text):
        detect_encoding(head, said)


def test_utf_16_is_detected_with_its_dialect() -> None:
    """A header in UTF-16 is read like any other."""
    dialect = detect_dialect(codecs.BOM_UTF16_LE + "Näme;b\r\n1;2\r\n".encode("utf-16-le"))
    assert (dialect.encoding, dialect.has_bom, dialect.delimiter, dialect.line_ending) == (
        "utf-16-le",
        True,
        ";",
        LineEnding.CRLF,
    )


def test_quoted_names_may_hold_quotes_and_newlines_do_not_end_them() -> None:
    """The header record ends at the first newline outside quotes."""
    header = read_header(b'"a ""b""","c"\n1,2\n', UTF8)
    assert header.names == ('a "b"', "c")
    assert header.record == b'"a ""b""","c"\n'
    assert header.lines == 1
