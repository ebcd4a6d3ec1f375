"""JSON records as CSV for the Bulk API: arrays and NDJSON are read in constant memory, numbers keep their digits.

| JSON | cell |
|---|---|
| `null` | `#N/A`, which clears the field |
| key absent, `""` | empty, which leaves the field alone |
| `true`, `false` | `true`, `false` |
| number | its text as written |
| `{"Account": {"External_Id__c": "x"}}` | `x` in the column `Account.External_Id__c` |

Anything else nested has no form in a Bulk CSV and is refused with the number of its record.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from orgbridge.loads.dialect import check_names
from orgbridge.loads.errors import BadJSON, EmptyInput, HeaderOnly, UnsupportedValue
from orgbridge.loads.records import CHUNK_BYTES
from orgbridge.wire.bulk import NULL_CELL
from orgbridge.wire.limits import INGEST_RECORD_CHARS

#: One record: column and cell, in the order of its keys.
Record = list[tuple[str, str]]

#: Characters of one JSON element: escapes may take six for one, and keys come on top.
_ELEMENT_CHARS: Final = INGEST_RECORD_CHARS * 8
_SPACE: Final = re.compile(r"[ \t\n\r]*")
_SPECIAL: Final = re.compile(r'[",\n\r]')


class _Number(str):
    """A number as it was written."""

    __slots__ = ()


class _Object(list[tuple[str, Any]]):
    """A JSON object as its pairs, so that a key given twice is seen."""

    __slots__ = ()


class _NotFinite(ValueError):
    """NaN and Infinity are not JSON."""


def _refuse_constant(name: str) -> Any:
    raise _NotFinite(name)


_DECODER: Final = json.JSONDecoder(
    parse_int=_Number, parse_float=_Number, parse_constant=_refuse_constant, object_pairs_hook=_Object
)


def array_records(blocks: Iterable[bytes]) -> Iterator[Record]:
    """Yield the records of a JSON array of objects.

    Args:
        blocks: UTF-8.

    Raises:
        BadJSON: The text is no array of objects; the message names the element.
        UnsupportedValue: A value has no form in a Bulk CSV.
    """
    texts = _texts(blocks)
    text, place = _skip_space("", 0, texts)
    if not text.startswith("[", place):
        raise BadJSON("The JSON is not an array: it must begin with [.")
    text, place = _skip_space(text, place + 1, texts)
    number = 0
    while not text.startswith("]", place):
        number += 1
        if number > 1:
            if not text.startswith(",", place):
                raise BadJSON(f"After element {number - 1} of the array there is neither , nor ].", record=number - 1)
            text, place = _skip_space(text, place + 1, texts)
        value, text, place = _element(text, place, texts, number)
        yield _record(value, number)
        text, place = _skip_space(text, place, texts)
    text, place = _skip_space(text, place + 1, texts)
    if place < len(text):
        raise BadJSON("There is text after the end of the array.")


def line_records(blocks: Iterable[bytes]) -> Iterator[Record]:
    """Yield the records of an NDJSON file.

    Args:
        blocks: UTF-8.

    Raises:
        BadJSON: A line is no JSON object; the message names the line.
        UnsupportedValue: A value has no form in a Bulk CSV.
    """
    for number, line in enumerate(_lines(blocks), 1):
        text = line.strip(" \t\r\n")
        if not text:
            raise BadJSON(f"Line {number} is blank.", record=number)
        value, end = _decoded(text, 0, number)
        if end != len(text):
            raise BadJSON(f"Line {number} holds more than one value.", record=number)
        yield _record(value, number)


def _texts(blocks: Iterable[bytes]) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8")("strict")
    offset = 0
    block = b""
    try:
        for block in blocks:
            yield decoder.decode(block)
            offset += len(block)
        block = b""
        yield decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        # The error's start counts from the bytes that the decoder still held.
        at = offset + len(block) - len(error.object) + error.start
        raise BadJSON(f"The byte {error.object[error.start]:#04x} at offset {at} is not UTF-8.") from None


def _skip_space(text: str, place: int, texts: Iterator[str]) -> tuple[str, int]:
    """Return text and place of the next character that is no space; place is the length at the end of the input."""
    while True:
        place = _SPACE.match(text, place).end()  # type: ignore[union-attr]  # the pattern matches everywhere
        if place < len(text):
            return text, place
        more = next(texts, None)
        if more is None:
            return text, place
        text, place = more, 0


def _element(text: str, place: int, texts: Iterator[str], number: int) -> tuple[Any, str, int]:
    """Return the value at a place, reading on while it has no end."""
    if not text.startswith("{", place):
        what = "the array ends early" if place >= len(text) else "is no object"
        raise BadJSON(f"Element {number} of the array: {what}.", record=number)
    while True:
        try:
            value, end = _decoded(text, place, number)
        except UnsupportedValue:
            raise
        except BadJSON:
            # Whether it is wrong or only cut off is not known before all of it is there.
            more = next(texts, None) if len(text) - place <= _ELEMENT_CHARS else None
            if more is None:
                raise
            text, place = text[place:] + more, 0
            continue
        return value, text, end


def _decoded(text: str, place: int, number: int) -> tuple[Any, int]:
    try:
        return _DECODER.raw_decode(text, place)
    except _NotFinite as error:
        raise UnsupportedValue(f"Record {number} holds {error}, which is no JSON number.", record=number) from None
    except json.JSONDecodeError as error:
        message = f"Record {number} is not JSON: {error.msg} after {error.pos - place} characters."
        raise BadJSON(message, record=number) from None
    except RecursionError:
        raise UnsupportedValue(f"Record {number} is nested too deep.", record=number) from None


def _lines(blocks: Iterable[bytes]) -> Iterator[str]:
    held = ""
    for text in _texts(blocks):
        *lines, rest = (held + text).split("\n")
        yield from lines
        held = rest
        if len(held) > _ELEMENT_CHARS:
            raise BadJSON(f"A line has more than {_ELEMENT_CHARS} characters.")
    if held.strip(" \t\r"):
        yield held


def _record(value: Any, number: int) -> Record:
    if not isinstance(value, _Object):
        raise BadJSON(f"Record {number} is no object.", record=number)
    record: Record = []
    for key, item in value:
        if isinstance(item, _Object):
            record.append(_related(key, item, number))
        else:
            record.append((key, _cell(key, item, number)))
    if len({key for key, _ in record}) != len(record):
        raise BadJSON(f"Record {number} holds a key twice.", record=number)
    return record


def _related(key: str, item: _Object, number: int) -> tuple[str, str]:
    """Return column and cell of a parent that is named by its external id."""
    if key == "attributes":
        raise UnsupportedValue(
            f'Record {number} holds "attributes", which Salesforce adds to replies; take it out.', record=number
        )
    if len(item) != 1 or isinstance(item[0][1], _Object):
        raise UnsupportedValue(
            f"Record {number}: {key!r} must hold one field of the parent, its external id.", record=number
        )
    name, value = item[0]
    return f"{key}.{name}", _cell(f"{key}.{name}", value, number)


def _cell(key: str, item: Any, number: int) -> str:
    match item:
        case None:
            return NULL_CELL
        case bool():
            return "true" if item else "false"
        case str():
            return item
        case _:
            raise UnsupportedValue(f"Record {number}: {key!r} holds an array.", record=number)


def union_of_keys(records: Iterable[Record]) -> tuple[str, ...]:
    """Return the columns of all records, in the order in which they were first seen.

    Raises:
        EmptyInput: There are no records.
        HeaderOnly: The records hold no keys.
        BadHeader: Keys cannot head columns (blank, or the same but for case).
    """
    keys: dict[str, None] = {}
    empty = True
    for record in records:
        empty = False
        for key, _ in record:
            keys[key] = None
    if empty:
        raise EmptyInput("The JSON holds no records.")
    if not keys:
        raise HeaderOnly("The records of the JSON hold no fields.")
    names = tuple(keys)
    check_names(names)
    return names


def csv_record(cells: Iterable[str]) -> bytes:
    """Return a record of the canonical CSV: comma, LF, quotes where needed.

    Raises:
        UnicodeEncodeError: A cell holds half a character.
    """
    row = [f'"{cell.replace(chr(34), chr(34) * 2)}"' if _SPECIAL.search(cell) else cell for cell in cells]
    # A lone empty cell would be a blank line.
    return ((",".join(row) or '""') + "\n").encode()


def csv_blocks(open_records: Callable[[], Iterator[Record]], columns: tuple[str, ...]) -> Iterator[bytes]:
    """Yield the records as CSV, without a header.

    Raises:
        UnsupportedValue: A text holds half a character (an unpaired surrogate).
    """
    rows: list[bytes] = []
    size = 0
    for number, record in enumerate(open_records(), 1):
        cells = dict(record)
        try:
            rows.append(csv_record(cells.get(column, "") for column in columns))
        except UnicodeEncodeError:
            raise UnsupportedValue(f"Record {number} holds half a character.", record=number) from None
        size += len(rows[-1])
        if size >= CHUNK_BYTES:
            yield b"".join(rows)
            rows.clear()
            size = 0
    if rows:
        yield b"".join(rows)
