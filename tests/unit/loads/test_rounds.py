"""Rows are chosen from a part's results and merged back into them by line, and nothing else changes."""

from __future__ import annotations

from array import array
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orgbridge.loads.dialect import Dialect
from orgbridge.loads.holds import Hold, held_results, kept_rows
from orgbridge.loads.hotparents import HotParents, merged
from orgbridge.loads.outcomes import RowStatus
from orgbridge.loads.rounds import Tally, merge_results, result_rows, retryable_rows
from orgbridge.wire.bulk import LineEnding
from orgbridge.wire.ids import make_id

LF = Dialect(delimiter=",", line_ending=LineEnding.LF)
_LOCK = "UNABLE_TO_LOCK_ROW"
_PARENT = make_id("001", 7)


def _record(line: int, status: str, code: str = "", message: str = "", row: str = "a,b") -> bytes:
    quoted = f'"{message}"' if "," in message or "\n" in message else message
    return f"{line},{status},,,{code},{quoted},,1,exact,{row}\n".encode()


def test_only_rows_that_failed_in_passing_are_chosen() -> None:
    """A lock counts, also inside an automation's message; nothing else does, and nothing that may be written."""
    blocks = [
        _record(2, "succeeded"),
        _record(3, "failed", _LOCK, "unable to obtain exclusive access, really"),
        _record(4, "failed", "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", f"T: caused by {_LOCK}", row='"x\ny",z'),
        _record(6, "failed", "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "T: System.NullPointerException"),
        _record(7, "unprocessed", "UNPROCESSED", "Salesforce did not process the row."),
        _record(8, "unprocessed", "job.outcome_unknown", "?"),
    ]
    chosen = list(retryable_rows([b"".join(blocks)], LF, given_back=False))
    assert [(row.line, row.record) for row in chosen] == [(3, b"a,b\n"), (4, b'"x\ny",z\n')]
    assert [row.line for row in retryable_rows([b"".join(blocks)], LF, given_back=True)] == [3, 4, 7]


@given(st.lists(st.booleans(), max_size=40), st.integers(1, 30))
def test_a_round_replaces_its_rows_and_no_others(again: list[bool], size: int) -> None:
    """Whatever rows a round has and however blocks are cut, each row has the outcome of its last sending."""
    base = [_record(2 * n + 2, "failed", _LOCK, row=f'"x\n{n}",y') for n in range(len(again))]
    later = [_record(2 * n + 2, "succeeded", row=f'"x\n{n}",y') for n, chosen in enumerate(again) if chosen]
    whole, part = b"".join(base), b"".join(later)
    tally = Tally(dialect=LF)
    blocks = [whole[start : start + size] for start in range(0, len(whole), size)]
    out = b"".join(tally.passing(merge_results(blocks, [part])))
    rows = list(result_rows([out], LF))
    assert [row.status is RowStatus.SUCCEEDED for row in rows] == again
    assert [row.record for row in rows] == [f'"x\n{n}",y\n'.encode() for n in range(len(again))]
    assert tally.statuses == Counter(row.status for row in rows)
    assert tally.retryable == again.count(False)


def test_a_round_with_a_foreign_row_is_refused() -> None:
    """A row of a round that the part does not have is no row that may vanish."""
    with pytest.raises(ValueError, match="line 9"):
        list(merge_results([_record(2, "failed")], [_record(9, "succeeded")]))


def test_rows_kept_back_are_in_the_results_and_not_in_the_round() -> None:
    """Each row is either sent or has its reason, in order."""
    records = b'1,"a\nb"\n2,c\n3,d\n'
    hold = Hold(status=RowStatus.SKIPPED, code="delta.unchanged", message="As it was, so not sent.")
    holds = [hold, None, hold]
    lines = array("Q", [2, 4, 5])
    rows = list(result_rows(held_results([records], lines, holds, LF), LF))
    assert [(row.line, row.status.value, row.code) for row in rows] == [
        (2, "skipped", "delta.unchanged"),
        (4, "unprocessed", "load.not_sent"),
        (5, "skipped", "delta.unchanged"),
    ]
    assert b"".join(row.record for row in rows) == records
    assert list(kept_rows([records], lines, holds)) == [(4, b"2,c\n")]


def test_hot_parents_are_what_locked_rows_share() -> None:
    """Lookups by id and by external id, and what Salesforce names, most rows first; a plain text is no parent."""
    parents = HotParents(header=("AccountId", "Owner.Key__c", "Name", "Key__c"), delimiter=",", key="Key__c")
    named = f"unable to obtain exclusive access to this record or 1 records: {_PARENT}"
    for line, owner in ((2, "o1"), (3, "o1"), (4, "o2")):
        row = _record(line, "failed", _LOCK, named, row=f"{_PARENT},{owner},internationally,{_PARENT}")
        for found in result_rows([row], LF):
            parents.see(found)
    other = _record(9, "failed", "STRING_TOO_LONG", "too long", row=f"{_PARENT},o2,x,y")
    parents.see(next(result_rows([other], LF)))
    told = parents.to_json()
    assert [(item["field"], item["value"], item["rows"]) for item in told] == [
        ("AccountId", _PARENT, 3),
        ("named by Salesforce", _PARENT, 3),
        ("Owner.Key__c", "o1", 2),
    ]
    assert merged([told, told])[0]["rows"] == 6
