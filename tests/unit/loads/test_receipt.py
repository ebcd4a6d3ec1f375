"""A receipt proves that the sums come out, or says which do not."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from orgbridge.loads.outcomes import RowError, parse_error
from orgbridge.loads.receipt import (
    ErrorGroup,
    FileReceipt,
    InputReceipt,
    PartReceipt,
    Receipt,
    groups_from_json,
    groups_to_json,
    merge_groups,
)
from orgbridge.loads.remedies import remedy_for
from orgbridge.wire.errorcodes import Retry


def _part(number: int = 0, **changes: Any) -> PartReceipt:
    part = PartReceipt(
        number=number,
        job_id="750xx",
        job_state="JobComplete",
        state="matched",
        first_row=1 + 10 * number,
        first_line=2 + 10 * number,
        rows=10,
        sent=10,
        bytes=100,
        sha256="0" * 64,
        succeeded=7,
        failed=2,
        unprocessed=1,
    )
    return replace(part, **changes)


def _receipt(*parts: PartReceipt, **changes: Any) -> Receipt:
    receipt = Receipt(
        load_id="load_1",
        object_name="Account",
        operation="insert",
        external_id_field=None,
        state="JobComplete",
        input=InputReceipt(
            name="a.csv",
            bytes=300,
            sha256="1" * 64,
            format="CSV",
            encoding="utf-8",
            delimiter=",",
            line_ending="LF",
            has_bom=False,
            columns=("Name",),
        ),
        rows_read=sum(part.rows for part in parts),
        parts=parts,
        errors=(ErrorGroup(code="STRING_TOO_LONG", count=3 * len(parts), lines=(3, 4), message="too long"),),
    )
    return replace(receipt, **changes)


def test_sums_that_come_out_prove_the_load() -> None:
    """Nothing to say is the proof, and JSON says so."""
    receipt = _receipt(_part(), _part(1), results=FileReceipt(name="results.csv", bytes=9, sha256="2" * 64))
    assert receipt.check() == []
    told = json.loads(json.dumps(receipt.to_json()))
    assert told["balanced"] is True
    assert told["rows"] == {
        "read": 20, "sent": 20, "refused": 0, "skipped": 0, "not_sent": 0,
        "succeeded": 14, "failed": 4, "unprocessed": 2, "ambiguous": 0,
    }  # fmt: skip
    assert told["parts"][1]["first_row"] == 11
    assert told["results"]["name"] == "results.csv"
    assert told["errors"][0]["remedy"].startswith("Shorten it")


@pytest.mark.parametrize(
    ("receipt", "text"),
    [
        (_receipt(_part(succeeded=6)), "Part 0 holds 10 rows, but 9 are accounted for."),
        (_receipt(_part(succeeded=6)), "The load holds 10 rows, but 9 are accounted for."),
        (_receipt(_part(sent=4)), "but 4 were sent, 0 refused"),
        (_receipt(_part(sent=0)), "Part 0 has 0 rows that were sent, 0 refused and 10 not sent, but 7 succeeded"),
        (_receipt(_part(stray_results=2)), "2 results that belong to no row of part 0"),
        (_receipt(_part(missing_results=1)), "no result for 1 rows of part 0"),
        (_receipt(_part(1)), "Part 1 stands in place 0."),
        (_receipt(_part(), _part(1, first_row=12)), "Part 1 begins with row 12 where row 11 is due."),
        (_receipt(_part(), rows_read=11), "11 rows were read, but the parts hold 10."),
        (_receipt(_part(), errors=()), "3 rows failed or were not processed, but 0 have an error code."),
    ],
)
def test_each_sum_that_does_not_come_out_is_said(receipt: Receipt, text: str) -> None:
    """A mismatch is loud and names its place."""
    assert any(text in sentence for sentence in receipt.check())
    told = receipt.to_json()
    assert told["balanced"] is False
    assert told["mismatches"] == receipt.check()


def test_a_part_that_was_not_sent_may_be_wholly_unprocessed() -> None:
    """Nothing sent and nothing done adds up."""
    part = _part(sent=0, succeeded=0, failed=0, unprocessed=10, job_id=None, state="aborted")
    assert part.check() == []
    assert _receipt(part).to_json()["results"] is None


def test_groups_of_parts_become_groups_of_the_load() -> None:
    """Counts add up, the first five lines and the first message stay, the most frequent comes first."""
    merged = merge_groups(
        [
            [ErrorGroup(code="A", count=3, lines=(1, 2, 3), message="first")],
            [
                ErrorGroup(code="B", count=9, lines=(4,), message="b"),
                ErrorGroup(code="A", count=4, lines=(5, 6, 7, 8), message="later"),
            ],
        ]
    )
    assert merged == (
        ErrorGroup(code="B", count=9, lines=(4,), message="b"),
        ErrorGroup(code="A", count=7, lines=(1, 2, 3, 5, 6), message="first"),
    )
    assert groups_from_json(json.loads(json.dumps(groups_to_json(merged)))) == merged


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "REQUIRED_FIELD_MISSING:Required fields are missing: [LastName]:LastName --",
            RowError(
                code="REQUIRED_FIELD_MISSING", message="Required fields are missing: [LastName]", fields="LastName"
            ),
        ),
        (
            "DUPLICATES_DETECTED:Use one of these records?:--",
            RowError(code="DUPLICATES_DETECTED", message="Use one of these records?"),
        ),
        (
            "INVALID_FIELD:Foreign key external ID: 999 not found for field Ext__c in entity Account:--",
            RowError(
                code="INVALID_FIELD",
                message="Foreign key external ID: 999 not found for field Ext__c in entity Account",
            ),
        ),
        ("X_1:a\nb: c:F1 ns__F2__c,F3 -- ", RowError(code="X_1", message="a\nb: c", fields="F1 ns__F2__c F3")),
        ("CODE:no trailer: here", RowError(code="CODE", message="no trailer: here")),
        ("CODE:well (odd) --", RowError(code="CODE", message="well (odd)")),
        ("CODE:a: (b) --", RowError(code="CODE", message="a: (b)")),
        ("something else", RowError(code="UNPARSED_ERROR", message="something else")),
    ],
)
def test_sf_error_is_taken_apart(text: str, expected: RowError) -> None:
    """Code, message and fields are found though the message holds colons; an unknown form keeps its text."""
    assert parse_error(text) == expected


@pytest.mark.parametrize(
    ("code", "retry"),
    [
        ("UNABLE_TO_LOCK_ROW", Retry.SAFE),
        ("REQUIRED_FIELD_MISSING", Retry.NEVER),
        ("UNPROCESSED", Retry.SAFE),
        ("NO_RESULT", Retry.UNKNOWN),
        ("salesforce.connection_failed", Retry.SAFE),
        ("job.outcome_unknown", Retry.UNKNOWN),
        ("load.cancelled", Retry.SAFE),
    ],
)
def test_a_known_code_has_cause_and_remedy(code: str, retry: Retry) -> None:
    """People are told what happened, what to do, and whether trying again helps."""
    remedy = remedy_for(code)
    assert remedy.cause.endswith(".")
    assert remedy.remedy.endswith(".")
    assert remedy.retry is retry


def test_an_unknown_code_is_not_explained() -> None:
    """Nothing is made up about a code that is not in the table."""
    assert (remedy_for("NEVER_HEARD_OF").cause, remedy_for("NEVER_HEARD_OF").retry) == ("", Retry.NEVER)
