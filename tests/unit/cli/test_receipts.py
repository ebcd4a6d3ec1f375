"""What a receipt says to a person and to a shell."""

from __future__ import annotations

from typing import Any

import pytest

from orgbridge.cli.errors import ExitCode
from orgbridge.cli.receipts import balanced, exit_code_of, receipt_lines
from orgbridge.cli.watching import Status, status_of


def _receipt(succeeded: int, failed: int, unprocessed: int = 0, *, read: int | None = None) -> dict[str, Any]:
    total = succeeded + failed + unprocessed
    return {
        "rows": {
            "read": total if read is None else read,
            "sent": total,
            "succeeded": succeeded,
            "failed": failed,
            "unprocessed": unprocessed,
        },
        "balanced": read is None,
        "mismatches": [],
        "parts": [{"number": 0}],
        "errors": [
            {
                "code": "REQUIRED_FIELD_MISSING",
                "count": failed,
                "lines": [3, 7],
                "message": "Required",
                "remedy": "Fill",
            }
        ],
        "api_calls": 9,
        "seconds": 1.25,
    }


def _status(state: str = "JobComplete") -> Status:
    return status_of({"job_id": "load_1", "state": state, "operation": "insert", "object_name": "Account"})


@pytest.mark.parametrize(
    ("receipt", "state", "code"),
    [
        (_receipt(5, 0), "JobComplete", ExitCode.ALL),
        (_receipt(4, 1), "JobComplete", ExitCode.SOME_FAILED),
        (_receipt(4, 0, 1), "Aborted", ExitCode.SOME_FAILED),
        (_receipt(0, 5), "JobComplete", ExitCode.NONE),
        (_receipt(0, 0, 5), "Failed", ExitCode.NONE),
        (_receipt(5, 0, read=6), "JobComplete", ExitCode.SOME_FAILED),
        (_receipt(5, 0), "Failed", ExitCode.SOME_FAILED),
        ({}, "Failed", ExitCode.NONE),
    ],
    ids=["all", "some", "aborted", "none", "failed", "a row vanished", "failed after all", "no receipt"],
)
def test_exit_code_follows_the_rows(receipt: dict[str, Any], state: str, code: ExitCode) -> None:
    """0 needs every row and a balance; 1 means some rows arrived; 2 means none did."""
    assert exit_code_of(_status(state), receipt) == code


def test_summary_names_figures_failures_and_place() -> None:
    """The summary holds every figure, the lines of each failure with its remedy, and where the results lie."""
    text = "\n".join(receipt_lines(_status(), _receipt(1_234, 2), results_at="/tmp/results.csv"))
    for part in ("1,236", "1,234", "REQUIRED_FIELD_MISSING, lines 3, 7", "Fill", "/tmp/results.csv", "1.2"):
        assert part in text
    assert "read = sent = succeeded + failed + unprocessed" in text


def test_imbalance_is_shouted() -> None:
    """A receipt that does not add up never looks like one that does."""
    receipt = _receipt(5, 0, read=6) | {"mismatches": ["1 row of part 0 has no result"]}
    text = "\n".join(receipt_lines(_status(), receipt))
    assert not balanced(receipt)
    assert "NOT BALANCED" in text
    assert "MISMATCH: 1 row of part 0" in text


def _query(receipt: dict[str, Any], state: str = "JobComplete") -> tuple[ExitCode, str]:
    status = status_of({"job_id": "load_1", "state": state, "operation": "queryAll", "object_name": "Account"})
    return exit_code_of(status, receipt), "\n".join(receipt_lines(status, receipt))


@pytest.mark.parametrize("read", [0, 2_004])
def test_a_query_has_rows_and_no_outcomes(read: int) -> None:
    """What a query read is told without sums that only a load has, and is a success, also of no rows."""
    receipt = {"rows": {"read": read}, "balanced": True, "mismatches": [], "api_calls": 3, "seconds": 2.1}
    code, text = _query(receipt)
    assert code is ExitCode.ALL
    assert f"{read:,}" in text
    assert "rows received = rows that Salesforce announced" in text
    assert "BALANCED" not in text
    assert "unprocessed" not in text


def test_a_query_that_failed_did_nothing() -> None:
    """Without a receipt there is no row, and the exit code says so."""
    code, text = _query({}, "Failed")
    assert code is ExitCode.NONE
    assert "before any row came" in text
