"""What every command gets: the terminal, the clock, and the service it talks to."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

# Typer carries its own click: the context of the package `click` is always empty. A test reads what is noted.
from typer._click.globals import get_current_context

from orgbridge.cli.addresses import Address, read_address
from orgbridge.kit.notes import note, notes
from orgbridge.wiring.settings import load_client_settings

Result = TypeVar("Result")
#: Arguments of commands that name what is changed; never a secret.
_NAMED = ("username", "name", "role", "identifier", "organization", "plant", "secret_id", "kid")

JSONFlag = Annotated[bool, typer.Option("--json", help="Write the result as JSON for machines.")]
DataOption = Annotated[
    Path | None,
    typer.Option("--data", help="Data folder that holds cli.json.", show_default=".orgbridge", file_okay=False),
]


def service_address(folder: Path | None = None) -> Address:
    """Return the service that this shell is signed in to.

    Args:
        folder: Data folder named on the command line; its `cli.json` then goes before the environment.

    Raises:
        NotSignedIn: None is known.
    """
    if folder is not None:
        return read_address(url=None, token=None, folder=folder)
    settings = load_client_settings()
    token = settings.orgbridge_token
    return read_address(
        url=settings.orgbridge_url,
        token=token.get_secret_value() if token else None,
        folder=settings.orgbridge_data,
    )


def service_url(folder: Path | None = None) -> str:
    """Return where the service is, for somebody who has no token yet.

    Raises:
        NotSignedIn: It is not known.
    """
    given = load_client_settings().orgbridge_url if folder is None else None
    return given.rstrip("/") if given else service_address(folder).url


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """Run one command's work on an event loop of its own, with the command's name noted for the audit."""
    context = get_current_context(silent=True)
    if context is None:
        return asyncio.run(work)
    given = [context.params.get(name) for name in _NAMED]
    names = [value for value in given if isinstance(value, str) and value]
    with notes():
        note(command=".".join(context.command_path.split()[1:]), ids=names)
        return asyncio.run(work)
