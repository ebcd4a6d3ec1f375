"""A preflight's report for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orgbridge.cli.terminal import Terminal

_LINES_SHOWN = 5


def print_report(terminal: Terminal, report: Mapping[str, Any]) -> None:
    """Write the report as the command's result: the whole document as JSON, a summary for people."""
    if terminal.as_json:
        terminal.document(dict(report))
        return
    for line in report_lines(report):
        terminal.result(line)


def report_lines(report: Mapping[str, Any]) -> list[str]:
    """Return the summary, one text per line."""
    estimate = report["estimate"]
    lines = [f"preflight: {report['rows']:,} rows looked at, nothing sent"]
    if not report["complete"]:
        lines.append("  NOT ALL ROWS: reading ended before the file did")
    for found in report["findings"]:
        places = ", ".join(f"{number:,}" for number in found["lines"][:_LINES_SHOWN])
        more = ", ..." if found["count"] > _LINES_SHOWN else ""
        lines.append(f"  {found['severity']:<8}{found['count']:>10,}  {found['code']}, line {places}{more}")
        lines.append(f"                      {found['message']}")
    if not report["findings"]:
        lines.append("  nothing was found")
    for name, count in report["fields_to_be_cleared"].items():
        lines.append(f"  {count:,} cells clear {name}")
    share = estimate.get("share_of_day")
    of_day = "" if share is None else f", {share:.2%} of the org's day"
    lines.append(f"  a load: {estimate['parts']:,} parts, about {estimate['api_calls']:,} API calls{of_day}")
    return lines
