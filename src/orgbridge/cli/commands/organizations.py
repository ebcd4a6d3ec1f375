"""`orgbridge organizations`: organizations with their plants and machines."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from orgbridge.cli.context import JSONFlag, run
from orgbridge.cli.errors import UsageError
from orgbridge.cli.people import StoreOption, YesOption, confirm
from orgbridge.cli.terminal import Terminal

app = typer.Typer(name="organizations", help="Organizations, their plants and machines.", no_args_is_help=True)

Identifier = Annotated[str, typer.Argument(help="Id of the organization, org_…")]
_PAGE = 200


@app.command("list")
def list_organizations(
    organization: Annotated[str | None, typer.Argument(help="List the plants of this organization.")] = None,
    plant: Annotated[str | None, typer.Option(help="List the machines of this plant of it.")] = None,
    data: StoreOption = None,
    as_json: JSONFlag = False,
) -> None:
    """List organizations, or the plants of one, or the machines of a plant."""
    if plant is not None and organization is None:
        raise UsageError("--plant needs the id of its organization before it.")
    terminal, found = Terminal(as_json=as_json), run(_list(organization, plant, data))
    if terminal.as_json:
        terminal.document({"items": found})
    else:
        terminal.table(
            ("name", "id", "external id"), [(i["name"], i["id"], i["external_id"] or "") for i in found], fold=False
        )


async def _list(organization: str | None, plant: str | None, data: Path | None) -> list[dict[str, Any]]:
    # Imported here so that `load` and `jobs`, run by the thousand in scripts, do not wait for the whole house.
    from orgbridge.services.portraits import place_portrait
    from orgbridge.wiring.administration import administration

    found: list[dict[str, Any]] = []
    cursor: str | None = None
    async with administration(data) as people:
        service = people.organizations
        while True:
            if organization is None:
                top = await service.organizations(cursor=cursor, limit=_PAGE)
                found, cursor = found + [place_portrait(item) for item in top.items], top.next_cursor
            elif plant is None:
                plants = await service.plants(organization, cursor=cursor, limit=_PAGE)
                found, cursor = found + [place_portrait(item) for item in plants.items], plants.next_cursor
            else:
                machines = await service.machines(organization, plant, cursor=cursor, limit=_PAGE)
                found, cursor = found + [place_portrait(item) for item in machines.items], machines.next_cursor
            if cursor is None:
                return found


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Unique where it belongs.")],
    organization: Annotated[str | None, typer.Option(help="Make a plant of this organization.")] = None,
    plant: Annotated[str | None, typer.Option(help="Make a machine of this plant of it.")] = None,
    external_id: Annotated[str | None, typer.Option(help="Its key in another system, unique.")] = None,
    serial_number: Annotated[str | None, typer.Option(help="For a machine: as on its plate.")] = None,
    asset_id: Annotated[str | None, typer.Option(help="For a machine: Salesforce's id of its Asset.")] = None,
    data: StoreOption = None,
    as_json: JSONFlag = False,
) -> None:
    """Create an organization, a plant or a machine, and write its id."""
    if plant is not None and organization is None:
        raise UsageError("--plant needs --organization.")
    if plant is None and (serial_number is not None or asset_id is not None):
        raise UsageError("--serial-number and --asset-id are for machines: name --organization and --plant.")
    values: dict[str, Any] = {"name": name, "external_id": external_id}
    if plant is not None:
        values |= {"serial_number": serial_number, "asset_id": asset_id}
    terminal, made = Terminal(as_json=as_json), run(_create(organization, plant, values, data))
    if terminal.as_json:
        terminal.document(made)
    else:
        terminal.result(str(made["id"]))


async def _create(
    organization: str | None, plant: str | None, values: dict[str, Any], data: Path | None
) -> dict[str, Any]:
    # Imported here for the reason above.
    from orgbridge.services.portraits import place_portrait
    from orgbridge.wiring.administration import administration

    async with administration(data) as people:
        service = people.organizations
        if organization is None:
            return place_portrait(await service.add_organization(values))
        if plant is None:
            return place_portrait(await service.add_plant(organization, values))
        return place_portrait(await service.add_machine(organization, plant, values))


@app.command()
def delete(
    organization: Identifier,
    plant: Annotated[str | None, typer.Option(help="Delete this plant of it.")] = None,
    machine: Annotated[str | None, typer.Option(help="Delete this machine of the plant.")] = None,
    yes: YesOption = False,
    data: StoreOption = None,
) -> None:
    """Delete an organization, a plant or a machine that owns nothing any more."""
    if machine is not None and plant is None:
        raise UsageError("--machine needs --plant.")
    what = machine or plant or organization
    confirm(f"Delete {what}?", yes)
    run(_delete(organization, plant, machine, data))
    Terminal().note(f"{what} deleted")


async def _delete(organization: str, plant: str | None, machine: str | None, data: Path | None) -> None:
    # Imported here for the reason above.
    from orgbridge.wiring.administration import administration

    async with administration(data) as people:
        service = people.organizations
        if plant is None:
            await service.delete_organization(organization, expected=None)
        elif machine is None:
            await service.delete_plant(organization, plant, expected=None)
        else:
            await service.delete_machine(organization, plant, machine, expected=None)
