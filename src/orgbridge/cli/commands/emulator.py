"""`orgbridge emulator`: runs an emulated org, works the controls of one that runs, visits any org."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import typer

from orgbridge.cli.groups import LazyGroup


class _Table(LazyGroup):
    table: ClassVar[Mapping[str, str]] = {
        "snapshot-schema": "emulator_orgs:snapshot_schema",
        "conform": "emulator_orgs:conform",
        "serve": "emulator_serve:serve",
        "snapshot": "emulator_controls:snapshot",
        "restore": "emulator_controls:restore",
        "branch": "emulator_controls:branch",
        "reset": "emulator_controls:reset",
        "seed": "emulator_controls:seed",
        "clock": "emulator_controls:clock",
        "faults": "emulator_controls:faults",
        "requests": "emulator_controls:requests",
        "objects": "emulator_objects:app",
    }


app = typer.Typer(name="emulator", cls=_Table, help="A local Salesforce org.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """A local Salesforce org."""
