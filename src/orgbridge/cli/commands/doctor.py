"""`orgbridge doctor`: look for faults and say how to mend them. Commands below it look at one room closely.

`wiring.checkup` is imported inside: other commands would otherwise wait for a database and a client they never touch.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orgbridge.cli.commands.doctor_commerce import commerce
from orgbridge.cli.context import JSONFlag, run
from orgbridge.cli.terminal import Terminal

if TYPE_CHECKING:
    from orgbridge.wiring.checkup import Finding

app = typer.Typer(name="doctor", invoke_without_command=True)
app.command()(commerce)

_WORDS = {"ok": "ok   ", "warning": "WARN ", "fault": "FAULT"}


class Health(IntEnum):
    """Exit codes of a look."""

    #: Nothing is to be mended.
    OK = 0
    #: Everything works, and something should be known.
    WARNING = 1
    #: Something does not work.
    FAULT = 2


@app.callback()
def doctor(
    context: typer.Context,
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Data folder (ORGBRIDGE_DATA).", show_default=".orgbridge", file_okay=False),
    ] = None,
    as_json: JSONFlag = False,
) -> None:
    """Look for faults, from settings to Salesforce, and say how to mend each. Exit code 1: warnings, 2: faults."""
    if context.invoked_subcommand is not None:
        return
    from orgbridge.wiring.checkup import examine

    tell(run(examine(data)), Terminal(as_json=as_json))


def tell(findings: Sequence[Finding], terminal: Terminal) -> None:
    """Write what was found, and end the command with the exit code of the worst of it.

    Raises:
        typer.Exit: Something is to be mended; everything was written.
    """
    verdicts = [finding.verdict.value for finding in findings]
    faults, warnings = verdicts.count("fault"), verdicts.count("warning")
    if terminal.as_json:
        terminal.document(
            [
                {
                    "name": finding.name,
                    "verdict": finding.verdict.value,
                    "holds": finding.holds,
                    "detail": finding.detail,
                    "remedy": finding.remedy or None,
                }
                for finding in findings
            ]
        )
    else:
        for finding in findings:
            terminal.result(f"{_WORDS[finding.verdict.value]}  {finding.name}: {finding.detail}")
            if finding.remedy:
                terminal.result(f"       -> {finding.remedy}")
        told = [_counted(faults, "fault"), _counted(warnings, "warning")]
        terminal.note(", ".join(word for word in told if word) or "nothing is wrong")
    if faults:
        raise typer.Exit(Health.FAULT)
    if warnings:
        raise typer.Exit(Health.WARNING)


def _counted(count: int, word: str) -> str:
    return f"{count} {word}{'s' if count > 1 else ''}" if count else ""
