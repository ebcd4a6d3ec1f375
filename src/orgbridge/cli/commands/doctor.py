"""`orgbridge doctor`: look for faults and say how to mend them. Commands below it look at one room closely."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orgbridge.cli.commands import houses
from orgbridge.cli.context import JSONFlag

app = typer.Typer(name="doctor", invoke_without_command=True)


@app.callback()
def doctor(
    context: typer.Context,
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Data folder (ORGBRIDGE_DATA).", show_default=".orgbridge", file_okay=False),
    ] = None,
    as_json: JSONFlag = False,
) -> None:
    """Look for faults: settings, folders, database, worker, Salesforce. Exit code 1 when there is one."""
    if context.invoked_subcommand is None:
        houses.doctor(data, as_json)
