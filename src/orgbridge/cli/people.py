"""What the commands about users and service accounts share."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from orgbridge.cli.context import run
from orgbridge.cli.errors import UsageError
from orgbridge.cli.terminal import Terminal

Kind = Literal["users", "service_accounts"]
NameArgument = Annotated[str, typer.Argument(help="Name or id.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
StoreOption = Annotated[
    Path | None,
    typer.Option("--data", help="Data folder (ORGBRIDGE_DATA).", show_default=".orgbridge", file_okay=False),
]
ScopeOption = Annotated[list[str] | None, typer.Option(help="A right, e.g. bulk:write; may be repeated.")]
RoleOption = Annotated[list[str] | None, typer.Option(help="A role, e.g. integrator; may be repeated.")]
WithRoleOption = Annotated[str | None, typer.Option(help="Only those with this role.")]
NoScopesOption = Annotated[bool, typer.Option("--no-scopes", help="Take all own rights off.")]
NoRolesOption = Annotated[bool, typer.Option("--no-roles", help="Take all roles off.")]
DisableOption = Annotated[bool | None, typer.Option("--disable/--enable", help="May not sign in, or may.")]
#: Which organizations, plants or machines.
GrantOption = Annotated[list[str] | None, typer.Option(help="Id, or `*` for all; may be repeated.")]
#: Items asked from the store at a time.
_PAGE = 200


def confirm(question: str, yes: bool) -> None:
    """Ask a person; a script has to say --yes.

    Raises:
        UsageError: Nobody is there to be asked, or the answer is no. Nothing was done.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError(f"{question} Say --yes to do it without being asked.")
    if not typer.confirm(question, err=True):
        raise UsageError("Nothing was done.")


def list_people(kind: Kind, role: str | None, disabled: bool | None, data: Path | None, terminal: Terminal) -> None:
    """Write all users or service accounts, by name."""
    found = run(_people(kind, role, disabled, data))
    if terminal.as_json:
        terminal.document({kind: found})
        return
    rows = [
        (
            person["username"],
            person["id"],
            "everything" if person["is_admin"] else ", ".join([*person["roles"], *person["scopes"]]),
            "disabled" if person["disabled"] else "",
        )
        for person in found
    ]
    terminal.table(("name", "id", "may", ""), rows, fold=False)


async def _people(kind: Kind, role: str | None, disabled: bool | None, data: Path | None) -> list[dict[str, Any]]:
    # Imported here so that `load` and `jobs`, run by the thousand in scripts, do not wait for the whole house.
    from orgbridge.services.portraits import user_portrait
    from orgbridge.wiring.administration import administration

    found: list[dict[str, Any]] = []
    async with administration(data) as people:
        service = people.users if kind == "users" else people.service_accounts
        cursor = None
        while True:
            page = await service.page(cursor=cursor, limit=_PAGE, role=role, disabled=disabled)
            found += [user_portrait(view) for view in page.items]
            cursor = page.next_cursor
            if cursor is None:
                return found


async def show_grants(kind: Kind, name: str, data: Path | None) -> dict[str, Any]:
    """Return a user or service account with grants."""
    # Imported here for the reason above.
    from orgbridge.services.portraits import grants_portrait, user_portrait
    from orgbridge.wiring.administration import administration

    async with administration(data) as people:
        service = people.users if kind == "users" else people.service_accounts
        view = await service.find(name)
        _, grants = await service.grants(view.user.id)
        return user_portrait(view) | {"grants": grants_portrait(grants)}


async def set_grants(
    kind: Kind,
    name: str,
    organizations: list[str] | None,
    plants: list[str] | None,
    machines: list[str] | None,
    data: Path | None,
) -> dict[str, Any]:
    """Set the grants of the kinds that are named, and return who has them now."""
    # Imported here for the reason above.
    from orgbridge.services.portraits import grants_portrait, user_portrait
    from orgbridge.services.users import Grants
    from orgbridge.wiring.administration import administration

    def chosen(given: list[str] | None, present: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if given is None:
            return present
        if "*" in given:
            return None
        return tuple(identifier for identifier in given if identifier)

    async with administration(data) as people:
        service = people.users if kind == "users" else people.service_accounts
        found = (await service.find(name)).user
        _, present = await service.grants(found.id)
        wanted = Grants(
            organizations=chosen(organizations, present.organizations),
            plants=chosen(plants, present.plants),
            machines=chosen(machines, present.machines),
        )
        _, grants = await service.grant(found.id, wanted, expected=found.revision)
        return user_portrait(await service.get(found.id)) | {"grants": grants_portrait(grants)}


async def update_person(kind: Kind, name: str, changes: dict[str, Any], data: Path | None) -> dict[str, Any]:
    """Change a user or service account; return it as it is now.

    Raises:
        UsageError: Nothing to change is named. Nothing was done.
    """
    if not changes:
        raise UsageError("Nothing to change was named; see --help.")
    # Imported here for the reason above.
    from orgbridge.services.portraits import user_portrait
    from orgbridge.wiring.administration import administration

    async with administration(data) as people:
        service = people.users if kind == "users" else people.service_accounts
        found = (await service.find(name)).user
        return user_portrait(await service.update(found.id, changes, expected=found.revision))


async def delete_person(kind: Kind, name: str, data: Path | None) -> None:
    """Delete a user or service account."""
    # Imported here for the reason above.
    from orgbridge.wiring.administration import administration

    async with administration(data) as people:
        service = people.users if kind == "users" else people.service_accounts
        found = (await service.find(name)).user
        await service.delete(found.id, expected=found.revision)


def print_person(person: dict[str, Any], terminal: Terminal) -> None:
    """Write one user or service account."""
    if terminal.as_json:
        terminal.document(person)
        return
    terminal.table(("", ""), [(key, _text(value)) for key, value in person.items() if value not in (None, [], "")])


def _text(value: Any) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(map(str, value))
        case dict():
            return "; ".join(f"{key}: {_text(item)}" for key, item in value.items() if item) or "none"
        case _:
            return str(value)
