"""`orgbridge organizations map`, `unmap` and `mappings`: which Salesforce account an organization is.

Unlike the other commands of organizations these ask the running service, for it is the one that reaches Salesforce.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from orgbridge.cli.commands.organizations import Identifier, app
from orgbridge.cli.context import DataOption, JSONFlag, run, service_address
from orgbridge.cli.people import YesOption, confirm
from orgbridge.cli.service import Service
from orgbridge.cli.terminal import Terminal

# `app` holds all commands of `organizations`, those of this module among them.


@app.command("map")
def map_organization(
    organization: Identifier,
    account: Annotated[str, typer.Argument(help="Salesforce id, external id or exact name of the account.")],
    replace: Annotated[bool, typer.Option("--replace", help="Change the mapping that there is.")] = False,
    data: DataOption = None,
    as_json: JSONFlag = False,
) -> None:
    """Map an organization to a Salesforce account; several that are meant are listed and nothing is changed."""
    terminal, made = Terminal(as_json=as_json), run(_map(organization, account, data, replace=replace))
    if terminal.as_json:
        terminal.document(made)
    else:
        terminal.result(str(made["account_id"]))


async def _map(organization: str, account: str, folder: Path | None, *, replace: bool) -> dict[str, Any]:
    async with Service(service_address(folder)) as service:
        return await service.map_account(organization, account, replace=replace)


@app.command()
def unmap(organization: Identifier, yes: YesOption = False, data: DataOption = None) -> None:
    """Take away the mapping of an organization: nobody acts for its account any more."""
    confirm(f"Unmap {organization}?", yes)
    run(_unmap(organization, data))
    Terminal().note(f"{organization} unmapped")


async def _unmap(organization: str, folder: Path | None) -> None:
    async with Service(service_address(folder)) as service:
        await service.unmap_account(organization)


@app.command()
def mappings(data: DataOption = None, as_json: JSONFlag = False) -> None:
    """List organizations with the Salesforce account of each."""
    terminal, found = Terminal(as_json=as_json), run(_mappings(data))
    if terminal.as_json:
        terminal.document({"mappings": found})
        return
    rows = [
        (item["organization_name"], item["organization_id"], item["account_id"] or "", item.get("account_name") or "")
        for item in found
    ]
    terminal.table(("organization", "id", "account", "called"), rows, fold=False)


async def _mappings(folder: Path | None) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    async with Service(service_address(folder)) as service:
        while True:
            page = await service.mappings(cursor)
            found += page["mappings"]
            cursor = page["next_cursor"]
            if cursor is None:
                return found
