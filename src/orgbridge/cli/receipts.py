"""A receipt for people, and the exit code that it means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orgbridge.cli.errors import ExitCode, untold_places
from orgbridge.cli.terminal import Terminal
from orgbridge.cli.watching import Status
from orgbridge.wire.bulk import QueryOperation

_LINES_SHOWN = 5
_PLACES_SHOWN = 10
_MESSAGE_CHARS = 90


def rows(receipt: Mapping[str, Any], name: str) -> int:
    """Return one of the receipt's counts of rows, 0 where it was never reached."""
    return int((receipt.get("rows") or {}).get(name) or 0)


def is_query(status: Status) -> bool:
    """Return whether the job only read: its rows have no outcomes."""
    return status.operation in tuple(QueryOperation)


def balanced(receipt: Mapping[str, Any]) -> bool:
    """Return whether rows read = succeeded + failed + unprocessed + skipped, and the receipt's own checks agree."""
    outcome = sum(rows(receipt, name) for name in ("succeeded", "failed", "unprocessed", "skipped"))
    return rows(receipt, "read") == outcome and bool(receipt.get("balanced")) and not receipt.get("mismatches")


def exit_code_of(status: Status, receipt: Mapping[str, Any]) -> ExitCode:
    """Return what the shell learns: 0 all rows, 1 some failed, 2 none done."""
    if is_query(status):
        return ExitCode.ALL if status.state == "JobComplete" and receipt.get("balanced") else ExitCode.NONE
    succeeded = rows(receipt, "succeeded")
    lost = rows(receipt, "failed") + rows(receipt, "unprocessed")
    if status.state == "JobComplete" and lost == 0 and balanced(receipt):
        # Rows that were skipped were as they should be.
        return ExitCode.ALL
    return ExitCode.SOME_FAILED if succeeded else ExitCode.NONE


def print_receipt(
    terminal: Terminal,
    status: Status,
    receipt: Mapping[str, Any],
    *,
    results_at: str | None = None,
    extra: Mapping[str, str] | None = None,
) -> None:
    """Write the receipt as the command's result: the whole document as JSON, a summary for people.

    Args:
        terminal: Where to.
        status: The job's last status.
        receipt: As the service gave it.
        results_at: Where the results file lies.
        extra: Further lines of the summary, label to text.
    """
    if terminal.as_json:
        document = {
            "job_id": status.job_id,
            "state": status.state,
            "error_message": status.error_message or None,
            "errors": status.error_details,
            "receipt": dict(receipt) or None,
        }
        terminal.document(document)
        return
    for line in receipt_lines(status, receipt, results_at=results_at, extra=extra):
        terminal.result(line)


def receipt_lines(
    status: Status,
    receipt: Mapping[str, Any],
    *,
    results_at: str | None = None,
    extra: Mapping[str, str] | None = None,
) -> list[str]:
    """Return the summary, one text per line."""
    lines = [f"receipt of {status.job_id}: {status.operation} {status.object_name}, {status.state}"]
    if status.error_message:
        lines.append(f"  {status.error_message}")
        lines += [f"    {place}" for place in _places(status)]
    if not receipt:
        why = "before any row came" if is_query(status) else "before its rows were split into parts"
        return [*lines, f"  there is no receipt: it ended {why}"]
    if is_query(status):
        return [*lines, *_query_lines(status, receipt, results_at)]
    for label, name in (
        ("rows read", "read"),
        ("rows sent", "sent"),
        ("succeeded", "succeeded"),
        ("failed", "failed"),
        ("unprocessed", "unprocessed"),
    ):
        lines.append(f"  {label:<12}{rows(receipt, name):>12,}")
    if rows(receipt, "skipped"):
        lines.append(f"  {'skipped':<12}{rows(receipt, 'skipped'):>12,}  (unchanged since they were last loaded)")
    if rows(receipt, "ambiguous"):
        lines.append(
            f"  {'ambiguous':<12}{rows(receipt, 'ambiguous'):>12,}  (identical rows that got different answers)"
        )
    lines += _error_lines(receipt)
    lines += _hot_lines(receipt)
    lines += _fact_lines(receipt, {"parts": f"{len(receipt.get('parts') or []):,}"})
    lines += [f"  {label:<12}  {text}" for label, text in (extra or {}).items()]
    for mismatch in receipt.get("mismatches") or []:
        lines.append(f"  MISMATCH: {mismatch}")
    lines += [f"  note: {warning}" for warning in receipt.get("warnings") or []]
    if balanced(receipt) and rows(receipt, "read") == rows(receipt, "sent"):
        lines.append("  read = sent = succeeded + failed + unprocessed")
    elif balanced(receipt):
        idle = "; rows that were never sent are refused, skipped or unprocessed"
        lines.append(
            f"  read = succeeded + failed + unprocessed{' + skipped' if rows(receipt, 'skipped') else ''}{idle}"
        )
    else:
        lines.append("  NOT BALANCED: rows read, sent and accounted for differ; see the receipt's parts")
    lines.append(f"  results: {results_at or _fetching(status)}")
    return lines


def _query_lines(status: Status, receipt: Mapping[str, Any], results_at: str | None) -> list[str]:
    lines = _fact_lines(receipt, {"rows read": f"{rows(receipt, 'read'):,}"})
    if receipt.get("balanced"):
        lines.append("  rows received = rows that Salesforce announced")
    else:
        lines += [f"  MISMATCH: {mismatch}" for mismatch in receipt.get("mismatches") or ["rows are missing"]]
    return [*lines, f"  results: {results_at or _fetching(status)}"]


def _fact_lines(receipt: Mapping[str, Any], first: Mapping[str, str]) -> list[str]:
    facts = {**first, "API calls": f"{int(receipt.get('api_calls') or 0):,}"}
    seconds = receipt.get("seconds")
    if seconds is not None:
        facts["seconds"] = f"{float(seconds):.1f}"
    return [f"  {label:<12}{text:>12}" for label, text in facts.items()]


def _fetching(status: Status) -> str:
    return f"orgbridge jobs results {status.job_id} -o results.csv"


def _places(status: Status) -> list[str]:
    places = untold_places(status.error_message, status.error_details)
    more = len(places) - _PLACES_SHOWN
    return places[:_PLACES_SHOWN] + ([f"... and {more} more"] if more > 0 else [])


def _hot_lines(receipt: Mapping[str, Any]) -> list[str]:
    hot = (receipt.get("hot_parents") or [])[:_LINES_SHOWN]
    if not hot:
        return []
    shown = [f"    {int(found['rows']):>10,}  {found['field']} {found['value']}" for found in hot]
    return ["  rows that could not be locked at first, by what they share:", *shown]


def _error_lines(receipt: Mapping[str, Any]) -> list[str]:
    lines = []
    for group in receipt.get("errors") or []:
        places = [f"{number:,}" for number in (group.get("lines") or [])[:_LINES_SHOWN]]
        more = ", ..." if int(group.get("count") or 0) > len(places) else ""
        word = "line" if len(places) == 1 else "lines"
        code = group.get("code") or "(no code)"
        lines.append(f"    {int(group.get('count') or 0):>10,}  {code}, {word} {', '.join(places)}{more}")
        message = str(group.get("message") or "")
        if message:
            shown = message if len(message) <= _MESSAGE_CHARS else message[: _MESSAGE_CHARS - 3] + "..."
            lines.append(f"                {shown}")
        if group.get("remedy"):
            lines.append(f"                -> {group['remedy']}")
    return lines
