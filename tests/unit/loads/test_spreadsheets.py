"""CSV that a spreadsheet shows and does not run."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orgbridge.loads.formulas import FormulaEscaper


def _escaped(text: str, cut: int = 1 << 20) -> str:
    escaper, data = FormulaEscaper(), text.encode()
    done = [escaper.feed(data[place : place + cut]) for place in range(0, len(data), cut)]
    return b"".join([*done, escaper.finish()]).decode()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a,b\n=1+1,x\n", "a,b\n'=1+1,x\n"),
        ("a,b\nx,@SUM(A1)\n", "a,b\nx,'@SUM(A1)\n"),
        ('a,b\nx,"=HYPERLINK(""u"",""t"")"\n', 'a,b\nx,"\'=HYPERLINK(""u"",""t"")"\n'),
        ("a,b\n-5,+4.5e3\n", "a,b\n-5,+4.5e3\n"),
        ("a,b\n-5+cmd|' /C calc'!A0,1\n", "a,b\n'-5+cmd|' /C calc'!A0,1\n"),
        ('a,b\n"\t=1",x\n', 'a,b\n"\'\t=1",x\n'),
        ('a,b\n"x\n=not a cell",y\n', 'a,b\n"x\n=not a cell",y\n'),
        ("ob__line;ob__status\n=1;2\n", "ob__line;ob__status\n'=1;2\n"),
        ("a,b\n＝1,2\n", "a,b\n'＝1,2\n"),
        ("a\r\n=1\r\n", "a\r\n'=1\r\n"),
    ],
)
def test_formulas_get_an_apostrophe(before: str, after: str) -> None:
    """What a spreadsheet would run is text; numbers and all other bytes stay."""
    assert _escaped(before) == after


_CELLS = st.text(st.sampled_from('=+-@\t\r\n",;ab1 '), max_size=8)


@given(st.lists(st.lists(_CELLS, min_size=2, max_size=2), min_size=1, max_size=6), st.integers(1, 9))
def test_no_cell_begins_like_a_formula_wherever_the_bytes_are_cut(rows: list[list[str]], cut: int) -> None:
    """And taking the apostrophe off gives the cell that was."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows([["a", "b"], *rows])
    found = list(csv.reader(io.StringIO(_escaped(text.getvalue(), cut), newline="")))[1:]
    for row, was in zip(found, rows, strict=True):
        for cell, original in zip(row, was, strict=True):
            assert cell in (original, f"'{original}")
            if cell[:1] in tuple("=+-@\t\r"):
                assert cell.lstrip("+-").isdigit()
