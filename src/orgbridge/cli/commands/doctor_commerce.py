"""`orgbridge doctor commerce`: why a user can, or cannot, buy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from orgbridge.cli.context import DataOption, JSONFlag, run, service_address
from orgbridge.cli.errors import ExitCode
from orgbridge.cli.service import Service
from orgbridge.cli.terminal import Terminal


def commerce(
    user: Annotated[str, typer.Option(help="Sign-in name of a user of this service.")],
    sku: Annotated[str | None, typer.Option(help="A product, by SKU or product code.")] = None,
    organization: Annotated[str | None, typer.Option(help="Id, name or key of an organization.")] = None,
    account: Annotated[str | None, typer.Option(help="Salesforce id of an account of it.")] = None,
    webstore: Annotated[str | None, typer.Option(help="Salesforce id of the webstore.")] = None,
    data: DataOption = None,
    as_json: JSONFlag = False,
) -> None:
    """Walk the chain from a user to its cart in Salesforce and name the first broken link. Nothing is changed.

    Exit codes: 0 nothing is broken, 1 a link is.
    """
    given = {
        "user": user,
        "sku": sku,
        "organization": organization,
        "account_id": account,
        "webstore_id": webstore,
    }
    params = {name: value for name, value in given.items() if value is not None}
    found = run(_look(params, Terminal(as_json=as_json), data))
    if found["headline"] is not None:
        raise typer.Exit(ExitCode.SOME_FAILED)


async def _look(params: dict[str, str], terminal: Terminal, folder: Path | None) -> dict[str, Any]:
    async with Service(service_address(folder)) as service:
        found = await service.diagnosis(params)
    if terminal.as_json:
        terminal.document(found)
        return found
    for link in found["links"]:
        terminal.result(f"{link['state']:8}{link['link']}: {link['detail']}")
    headline = found["headline"]
    if headline is None:
        terminal.note("no link is broken")
    else:
        terminal.result(f"BROKEN  {headline['link']}: {headline['detail']}")
        terminal.result(f"        -> {headline['remedy']}")
    return found
