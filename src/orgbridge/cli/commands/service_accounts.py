"""`orgbridge service-accounts`: programs that sign in with a client id and a secret."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from orgbridge.cli.context import JSONFlag, run
from orgbridge.cli.errors import UsageError
from orgbridge.cli.people import (
    DisableOption,
    GrantOption,
    NameArgument,
    NoRolesOption,
    NoScopesOption,
    RoleOption,
    ScopeOption,
    StoreOption,
    WithRoleOption,
    YesOption,
    confirm,
    delete_person,
    list_people,
    print_person,
    set_grants,
    show_grants,
    update_person,
)
from orgbridge.cli.terminal import Terminal

app = typer.Typer(name="service-accounts", help="Programs that sign in with a client secret.", no_args_is_help=True)

DaysOption = Annotated[int | None, typer.Option("--expires-in-days", min=1, max=3650, help="Never without it.")]


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Unique among users and service accounts.")],
    scope: ScopeOption = None,
    role: RoleOption = None,
    expires_in_days: DaysOption = None,
    data: StoreOption = None,
    as_json: JSONFlag = False,
) -> None:
    """Create a service account; its secret is shown this once."""
    if not scope and not role:
        raise UsageError("A service account needs --role or --scope: without a right it can do nothing.")
    _tell(run(_create(name, scope or [], role or [], expires_in_days, data)), Terminal(as_json=as_json))


async def _create(
    name: str, scopes: list[str], roles: list[str], days: int | None, data: Path | None
) -> dict[str, Any]:
    # Imported here so that `load` and `jobs`, run by the thousand in scripts, do not wait for the whole house.
    from orgbridge.services.users import NewUser
    from orgbridge.wiring.administration import administration

    async with administration(data) as people:
        new = NewUser(username=name, scopes=scopes, roles=roles)
        view, made = await people.service_accounts.create(new, lifetime=_lifetime(days))
    return {"client_id": view.user.id, "client_secret": made.secret, "secret_id": made.record.id}


@app.command("list")
def list_accounts(
    role: WithRoleOption = None,
    data: StoreOption = None,
    as_json: JSONFlag = False,
) -> None:
    """List service accounts, by name."""
    list_people("service_accounts", role, None, data, Terminal(as_json=as_json))


@app.command()
def show(name: NameArgument, data: StoreOption = None, as_json: JSONFlag = False) -> None:
    """Show a service account with rights, grants and what is known of its secrets."""
    print_person(run(_show(name, data)), Terminal(as_json=as_json))


async def _show(name: str, data: Path | None) -> dict[str, Any]:
    # Imported here for the reason above.
    from orgbridge.services.portraits import secret_portrait
    from orgbridge.wiring.administration import administration

    person = await show_grants("service_accounts", name, data)
    async with administration(data) as people:
        found = await people.service_accounts.secrets(person["id"])
    return person | {"secrets": [secret_portrait(secret) for secret in found]}


@app.command()
def update(
    name: NameArgument,
    scope: ScopeOption = None,
    role: RoleOption = None,
    no_scopes: NoScopesOption = False,
    no_roles: NoRolesOption = False,
    disabled: DisableOption = None,
    data: StoreOption = None,
    as_json: JSONFlag = False,
) -> None:
    """Change a service account; what is not named stays."""
    wanted = {
        "scopes": [] if no_scopes else scope,
        "roles": [] if no_roles else role,
        "disabled": disabled,
    }
    changes = {key: value for key, value in wanted.items() if value is not None}
    print_person(run(update_person("service_accounts", name, changes, data)), Terminal(as_json=as_json))


@app.command()
def grant(
    name: NameArgument,
    organization: GrantOption = None,
    plant: GrantOption = None,
    machine: GrantOption = None,
    data: StoreOption = None,
    as_json: JSONFlag = False,
) -> None:
    """Let an account have these organizations, plants and machines and no others; a kind that is not named stays."""
    person = run(set_grants("service_accounts", name, organization, plant, machine, data))
    print_person(person, Terminal(as_json=as_json))


@app.command("add-secret")
def add_secret(
    name: NameArgument, expires_in_days: DaysOption = None, data: StoreOption = None, as_json: JSONFlag = False
) -> None:
    """Make a further secret, shown this once; the others stay good until they are deleted."""
    _tell(run(_add_secret(name, expires_in_days, data)), Terminal(as_json=as_json))


async def _add_secret(name: str, days: int | None, data: Path | None) -> dict[str, Any]:
    # Imported here for the reason above.
    from orgbridge.wiring.administration import administration

    async with administration(data) as people:
        found = (await people.service_accounts.find(name)).user
        made = await people.service_accounts.add_secret(found.id, lifetime=_lifetime(days))
    return {"client_id": found.id, "client_secret": made.secret, "secret_id": made.record.id}


@app.command("delete-secret")
def delete_secret(
    name: NameArgument,
    secret_id: Annotated[str, typer.Argument(help="Id of the secret, as `show` has it.")],
    data: StoreOption = None,
) -> None:
    """Delete a secret: nobody signs in with it any more."""
    run(_delete_secret(name, secret_id, data))
    Terminal().note(f"secret {secret_id} deleted")


async def _delete_secret(name: str, secret_id: str, data: Path | None) -> None:
    # Imported here for the reason above.
    from orgbridge.wiring.administration import administration

    async with administration(data) as people:
        await people.service_accounts.delete_secret((await people.service_accounts.find(name)).user.id, secret_id)


@app.command()
def delete(name: NameArgument, yes: YesOption = False, data: StoreOption = None) -> None:
    """Delete a service account with its secrets."""
    confirm(f"Delete the service account {name}?", yes)
    run(delete_person("service_accounts", name, data))
    Terminal().note(f"service account {name} deleted")


def _lifetime(days: int | None) -> timedelta | None:
    return timedelta(days=days) if days is not None else None


def _tell(made: dict[str, Any], terminal: Terminal) -> None:
    if terminal.as_json:
        terminal.document(made)
        return
    terminal.note(f"client id {made['client_id']}; the secret is shown this once")
    terminal.result(str(made["client_secret"]))
