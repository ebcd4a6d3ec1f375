"""`orgbridge roles`: scopes and policies under a name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from orgbridge.cli.context import JSONFlag, run
from orgbridge.cli.errors import UsageError
from orgbridge.cli.people import StoreOption, YesOption, confirm
from orgbridge.cli.terminal import Terminal
from orgbridge.kit import json

app = typer.Typer(name="roles", help="Roles: rights and a policy under a name.", no_args_is_help=True)

RoleName = Annotated[str, typer.Argument(help="Name of the role.")]
ScopeOption = Annotated[list[str] | None, typer.Option(help="A right, e.g. records:read; may be repeated.")]
PolicyOption = Annotated[
    Path | None,
    typer.Option("--policy", help="JSON file with the policy.", exists=True, dir_okay=False),
]
DescriptionOption = Annotated[str | None, typer.Option(help="For people.")]
_PAGE = 200


@app.command("list")
def list_roles(data: StoreOption = None, as_json: JSONFlag = False) -> None:
    """List roles, by name."""
    terminal, found = Terminal(as_json=as_json), run(_list(data))
    if terminal.as_json:
        terminal.document({"roles": found})
        return
    rows = [
        (role["name"], "built-in" if role["built_in"] else "", "yes" if role["policy"] else "", _words(role))
        for role in found
    ]
    terminal.table(("name", "", "policy", "may"), rows, fold=False)


async def _list(data: Path | None) -> list[dict[str, Any]]:
    # Imported here so that `load` and `jobs`, run by the thousand in scripts, do not wait for the whole house.
    from orgbridge.services.portraits import role_portrait
    from orgbridge.wiring.administration import administration

    found: list[dict[str, Any]] = []
    async with administration(data) as people:
        cursor = None
        while True:
            page = await people.roles.page(cursor=cursor, limit=_PAGE)
            found += [role_portrait(role) for role in page.items]
            cursor = page.next_cursor
            if cursor is None:
                return found


@app.command()
def show(name: RoleName, data: StoreOption = None) -> None:
    """Write a role as JSON."""
    Terminal(as_json=True).document(run(_show(name, data)))


async def _show(name: str, data: Path | None) -> dict[str, Any]:
    # Imported here for the reason above.
    from orgbridge.services.portraits import role_portrait
    from orgbridge.wiring.administration import administration

    async with administration(data) as people:
        return role_portrait(await people.roles.get(name))


@app.command()
def create(
    name: RoleName,
    scope: ScopeOption = None,
    policy: PolicyOption = None,
    description: DescriptionOption = None,
    data: StoreOption = None,
    as_json: JSONFlag = False,
) -> None:
    """Create a role."""
    if not scope:
        raise UsageError("A role needs --scope: without a right it lets do nothing.")
    role = run(_create(name, scope, _policy(policy), description or "", data))
    _tell(role, "created", Terminal(as_json=as_json))


async def _create(
    name: str, scopes: list[str], policy: dict[str, Any] | None, description: str, data: Path | None
) -> dict[str, Any]:
    # Imported here for the reason above.
    from orgbridge.services.portraits import role_portrait
    from orgbridge.wiring.administration import administration

    async with administration(data) as people:
        made = await people.roles.create(name, scopes=scopes, policy=policy, description=description)
        return role_portrait(made)


@app.command()
def update(
    name: RoleName,
    scope: ScopeOption = None,
    policy: PolicyOption = None,
    no_policy: Annotated[bool, typer.Option("--no-policy", help="Limit nothing any more.")] = False,
    description: DescriptionOption = None,
    data: StoreOption = None,
    as_json: JSONFlag = False,
) -> None:
    """Change a role; what is not named stays. --scope replaces all rights."""
    changes: dict[str, Any] = {}
    if scope:
        changes["scopes"] = scope
    if policy is not None or no_policy:
        changes["policy"] = _policy(policy)
    if description is not None:
        changes["description"] = description
    if not changes:
        raise UsageError("Nothing to change was named; see --help.")
    _tell(run(_update(name, changes, data)), "changed", Terminal(as_json=as_json))


async def _update(name: str, changes: dict[str, Any], data: Path | None) -> dict[str, Any]:
    # Imported here for the reason above.
    from orgbridge.services.portraits import role_portrait
    from orgbridge.wiring.administration import administration

    async with administration(data) as people:
        found = await people.roles.get(name)
        return role_portrait(await people.roles.update(name, changes, expected=found.revision))


@app.command()
def delete(name: RoleName, yes: YesOption = False, data: StoreOption = None) -> None:
    """Delete a role that nobody has."""
    confirm(f"Delete the role {name}?", yes)
    run(_delete(name, data))
    Terminal().note(f"role {name} deleted")


async def _delete(name: str, data: Path | None) -> None:
    # Imported here for the reason above.
    from orgbridge.wiring.administration import administration

    async with administration(data) as people:
        await people.roles.delete(name, expected=(await people.roles.get(name)).revision)


def _policy(path: Path | None) -> dict[str, Any] | None:
    if path is None:
        return None
    try:
        found = json.loads(path.read_bytes())
    except json.JSONDecodeError as error:
        raise UsageError(f"{path} is not JSON: {error}.") from error
    if not isinstance(found, dict):
        raise UsageError(f"{path} does not hold a JSON object.")
    return found


def _words(role: dict[str, Any]) -> str:
    return "everything" if "admin" in role["scopes"] else ", ".join(role["scopes"])


def _tell(role: dict[str, Any], what: str, terminal: Terminal) -> None:
    if terminal.as_json:
        terminal.document(role)
    else:
        terminal.note(f"role {role['name']} {what}: {_words(role)}")
