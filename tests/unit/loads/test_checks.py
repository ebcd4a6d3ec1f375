"""The fast check of whole chunks against a strict reading, for every short chunk that there is."""

from __future__ import annotations

import itertools
import re

import pytest

from orgbridge.loads.checks import RecordChecker
from orgbridge.loads.dialect import Dialect
from orgbridge.wire.bulk import LineEnding


@pytest.mark.parametrize(("ending", "length"), [(LineEnding.LF, 7), (LineEnding.CRLF, 5)])
@pytest.mark.parametrize("columns", [1, 2, 3])
def test_every_short_chunk_is_judged_right(ending: LineEnding, length: int, columns: int) -> None:
    """Of all chunks of quotes, commas, newlines and text exactly the well-formed ones pass, with their rows counted.

    So short, each is looked at in the way for few quotes and in the way for many.
    """
    newline = ending.chars.encode()
    checker = RecordChecker(Dialect(delimiter=",", line_ending=ending), columns, row=1, line=2, offset=0)
    cell = rb'(?:"(?:[^"]|"")*"|[^",\r\n]*)'
    record = re.compile(rb"(?!%b)%b(?:,%b){%d}%b" % (newline, cell, cell, columns - 1, newline))
    alphabet = b'",\nx' if ending is LineEnding.LF else b'",\r\nx'
    good = 0
    for count in range(length + 1):
        for chosen in itertools.product(alphabet, repeat=count):
            chunk = bytes(chosen) + newline
            records = record.findall(chunk)
            well_formed = b"".join(records) == chunk
            for segments in (None, chunk.split(b'"') if b'"' in chunk and not chunk.count(b'"') & 1 else None):
                facts = checker.count(chunk, segments)
                assert (facts is not None) == well_formed, chunk
                if facts is not None:
                    assert (facts.rows, facts.newlines) == (len(records), chunk.count(b"\n")), chunk
            good += well_formed
    assert good > columns, "some of them are well-formed"


def test_a_cell_of_a_lone_comma_is_no_end_of_a_cell() -> None:
    """Where quotes are many, quote-comma-quote inside a cell is not taken for what separates two cells."""
    checker = RecordChecker(Dialect(delimiter=",", line_ending=LineEnding.LF), 2, row=1, line=2, offset=0)
    for chunk in (b'"a"",""b","c"\n', b'",",","\n', b'"","\n"\n', b'"a,""","b"\n'):
        facts = checker.count(chunk * 50)
        assert facts is not None
        assert facts.rows == 50, chunk
    assert checker.count(b'"a"",""b"\n' * 50) is None, "one cell, not two"
    assert checker.count(b'"a","b"x,"c"\n' * 50) is None, "text after a closing quote"
