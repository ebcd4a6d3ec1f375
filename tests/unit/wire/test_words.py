"""Dates, versions, delimiters and error codes as the wire writes them."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orgbridge.wire import errorcodes
from orgbridge.wire.bulk import DELIMITER_CHARS, DELIMITER_NAMES, ColumnDelimiter, LineEnding
from orgbridge.wire.dates import bulk_datetime, parse_date, parse_datetime, rest_datetime
from orgbridge.wire.fieldtypes import FieldType, soap_type
from orgbridge.wire.versions import parse_version, version_label


@pytest.mark.parametrize(
    ("text", "expected"),
    [("2010-01-31", date(2010, 1, 31)), ("2010-02-30", None), ("1699-12-31", None), ("4000-12-31", date(4000, 12, 31))]
    + [(text, None) for text in ("2010-1-31", "31.01.2010", "", "2010-01-31T00:00:00Z", "4001-01-01")],
)
def test_parse_date(text: str, expected: date | None) -> None:
    """Only real dates between 1700 and 4000 in the one documented form are dates."""
    assert parse_date(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2015-06-26T19:46:33.000+0000", datetime(2015, 6, 26, 19, 46, 33, tzinfo=UTC)),
        ("2015-06-26T19:46:33Z", datetime(2015, 6, 26, 19, 46, 33, tzinfo=UTC)),
        ("2015-06-26T21:46:33+02:00", datetime(2015, 6, 26, 19, 46, 33, tzinfo=UTC)),
        ("2015-06-26T19:46:33.1239Z", datetime(2015, 6, 26, 19, 46, 33, 123000, tzinfo=UTC)),
        ("2015-06-26T19:46", datetime(2015, 6, 26, 19, 46, tzinfo=UTC)),
        ("2015-06-26", None),
        ("2015-06-26 19:46:33", None),
        ("2015-06-26T25:46:33Z", None),
        ("2015-06-26T19:46:33+99:00", None),
        ("1600-06-26T19:46:33Z", None),
    ],
)
def test_parse_datetime(text: str, expected: datetime | None) -> None:
    """Offsets with and without colon are understood; what is no instant is None."""
    assert parse_datetime(text) == expected


@given(
    st.datetimes(min_value=datetime(1701, 1, 1), max_value=datetime(3999, 1, 1)),
    st.integers(min_value=-14 * 60, max_value=14 * 60),
)
def test_datetimes_come_back(naive: datetime, minutes: int) -> None:
    """Both written forms parse to the same instant, to the millisecond."""
    value = naive.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    expected = value.replace(microsecond=value.microsecond // 1000 * 1000)
    assert parse_datetime(rest_datetime(value)) == expected
    assert parse_datetime(bulk_datetime(value)) == expected


@pytest.mark.parametrize(
    ("text", "expected"), [("v58.0", 58), ("58.0", 58), ("58", 58), ("v58.1", None), ("", None), ("latest", None)]
)
def test_parse_version(text: str, expected: int | None) -> None:
    """The three usual spellings of a version are one number."""
    assert parse_version(text) == expected


@pytest.mark.recorded
@pytest.mark.parametrize(("number", "label"), [(20, "Winter '11"), (67, "Summer '26"), (58, "Summer '23")])
def test_version_label(number: int, label: str) -> None:
    """Versions carry the name of their release."""
    assert version_label(number) == label


def test_delimiters_have_one_name_each() -> None:
    """Names and characters of delimiters map both ways."""
    assert {DELIMITER_NAMES[char]: char for char in DELIMITER_NAMES} == DELIMITER_CHARS
    assert ColumnDelimiter.TAB.char == "\t"
    assert (LineEnding.LF.chars, LineEnding.CRLF.chars) == ("\n", "\r\n")


def test_unknown_codes_are_neither_hidden_nor_retried() -> None:
    """A code the table does not hold counts as a plain 400 that may not be retried."""
    assert errorcodes.status_of("SOMETHING_NEW") == 400
    assert errorcodes.retry_of("SOMETHING_NEW") is errorcodes.Retry.NEVER
    assert errorcodes.status_of("ENTITY_IS_DELETED") == 404
    assert errorcodes.retry_of("UNABLE_TO_LOCK_ROW") is errorcodes.Retry.SAFE


def test_soap_types() -> None:
    """Text-like types are xsd:string, the others have their own."""
    assert soap_type(FieldType.PICKLIST) == "xsd:string"
    assert soap_type(FieldType.REFERENCE) == "tns:ID"
