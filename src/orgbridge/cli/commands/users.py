"""`orgbridge users` and `orgbridge db`: work on the service's own store, without a running service."""

from __future__ import annotations

import secrets
import sys
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

app = typer.Typer(
    name="users", help="Users of this service; a running one notices within seconds.", no_args_is_help=True
)
database_app = typer.Typer(name="db", help="The service's own database.", no_args_is_help=True)

PasswordOption = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]


@app.command()
def create(
    username: Annotated[str, typer.Argument(help="Sign-in name.")],
    scope: ScopeOption = None,
    role: RoleOption = None,
    admin: Annotated[bool, typer.Option("--admin", help="May do everything.")] = False,
    email: Annotated[str | None, typer.Option(help="Where to reach the user.")] = None,
    sf_username: Annotated[str | None, typer.Option(help="The Salesforce user that the user acts as.")] = None,
    password_stdin: PasswordOption = False,
    data: StoreOption = None,
    as_json: JSONFlag = False,
) -> None:
    """Create a user. Without --password-stdin a strong password is made and shown once."""
    terminal = Terminal(as_json=as_json)
    password = _password(password_stdin)
    document = run(_create(username, password, scope, role, admin, data, email=email, sf_username=sf_username))
    if not password_stdin:
        document["password"] = password
    if terminal.as_json:
        terminal.document(document)
    else:
        terminal.note(f"user {username} created" + ("" if password_stdin else "; the password is shown this once"))
        if not password_stdin:
            terminal.result(password)


async def _create(
    username: str,
    password: str,
    scopes: list[str] | None,
    roles: list[str] | None,
    admin: bool,
    data: Path | None,
    **more: str | None,
) -> dict[str, Any]:
    # Imported here so that `load` and `jobs`, run by the thousand in scripts, do not wait for the whole house.
    from orgbridge.services.portraits import user_portrait
    from orgbridge.services.scopes import DEFAULT_SCOPES
    from orgbridge.services.users import NewUser
    from orgbridge.wiring.administration import administration

    async with administration(data) as people:
        chosen = scopes if scopes is not None else ([] if roles else list(DEFAULT_SCOPES))
        new = NewUser(username=username, password=password, scopes=chosen, roles=roles or [], is_admin=admin, **more)
        return user_portrait(await people.users.create(new))


@app.command("list")
def list_users(
    role: WithRoleOption = None,
    disabled: Annotated[bool | None, typer.Option("--disabled/--enabled", help="Only those that are, or not.")] = None,
    data: StoreOption = None,
    as_json: JSONFlag = False,
) -> None:
    """List users, by name."""
    list_people("users", role, disabled, data, Terminal(as_json=as_json))


@app.command()
def show(name: NameArgument, data: StoreOption = None, as_json: JSONFlag = False) -> None:
    """Show a user with rights and grants."""
    print_person(run(show_grants("users", name, data)), Terminal(as_json=as_json))


@app.command()
def update(
    name: NameArgument,
    rename: Annotated[str | None, typer.Option(help="The new sign-in name.")] = None,
    scope: ScopeOption = None,
    role: RoleOption = None,
    no_scopes: NoScopesOption = False,
    no_roles: NoRolesOption = False,
    admin: Annotated[bool | None, typer.Option("--admin/--no-admin", help="May do everything, or not.")] = None,
    disabled: DisableOption = None,
    email: Annotated[str | None, typer.Option(help="Where to reach the user; empty for none.")] = None,
    sf_username: Annotated[str | None, typer.Option(help="The user's Salesforce user; empty for none.")] = None,
    subject: Annotated[str | None, typer.Option(help="`sub` at the external issuer; empty for none.")] = None,
    data: StoreOption = None,
    as_json: JSONFlag = False,
) -> None:
    """Change a user; what is not named stays. --scope and --role replace those that are there."""
    changes: dict[str, Any] = {
        "username": rename,
        "scopes": [] if no_scopes else scope,
        "roles": [] if no_roles else role,
        "is_admin": admin,
        "disabled": disabled,
    }
    changes = {key: value for key, value in changes.items() if value is not None}
    texts = {"email": email, "sf_username": sf_username, "external_subject": subject}
    changes |= {key: text or None for key, text in texts.items() if text is not None}
    print_person(run(update_person("users", name, changes, data)), Terminal(as_json=as_json))


@app.command()
def password(
    name: NameArgument, password_stdin: PasswordOption = False, data: StoreOption = None, as_json: JSONFlag = False
) -> None:
    """Set a user's password and end all sign-ins. Without --password-stdin one is made and shown once."""
    terminal, chosen = Terminal(as_json=as_json), _password(password_stdin)
    run(_reset(name, chosen, data))
    if terminal.as_json:
        terminal.document({"username": name} | ({} if password_stdin else {"password": chosen}))
    else:
        terminal.note(f"the password of {name} is set" + ("" if password_stdin else "; it is shown this once"))
        if not password_stdin:
            terminal.result(chosen)


async def _reset(name: str, chosen: str, data: Path | None) -> None:
    # Imported here for the reason above.
    from orgbridge.wiring.administration import administration

    async with administration(data) as people:
        await people.users.reset_password((await people.users.find(name)).user.id, chosen)


@app.command()
def unlock(name: NameArgument, data: StoreOption = None) -> None:
    """Forget failed sign-ins of a user."""
    run(_unlock(name, data))
    Terminal().note(f"failed sign-ins of {name} are forgotten")


async def _unlock(name: str, data: Path | None) -> None:
    # Imported here for the reason above.
    from orgbridge.wiring.administration import administration

    async with administration(data) as people:
        await people.users.unlock((await people.users.find(name)).user.id)


@app.command()
def delete(name: NameArgument, yes: YesOption = False, data: StoreOption = None) -> None:
    """Delete a user with grants and sign-ins; loads made by the user keep the name."""
    confirm(f"Delete the user {name}?", yes)
    run(delete_person("users", name, data))
    Terminal().note(f"user {name} deleted")


@app.command()
def grant(
    name: NameArgument,
    organization: GrantOption = None,
    plant: GrantOption = None,
    machine: GrantOption = None,
    data: StoreOption = None,
    as_json: JSONFlag = False,
) -> None:
    """Let a user have these organizations, plants and machines and no others; a kind that is not named stays."""
    print_person(run(set_grants("users", name, organization, plant, machine, data)), Terminal(as_json=as_json))


@database_app.command()
def upgrade(data: StoreOption = None, as_json: JSONFlag = False) -> None:
    """Bring the database to this version's tables; safe to repeat."""
    # Imported here for the same reason as above.
    from orgbridge.wiring.administration import upgrade_database

    revision = run(upgrade_database(data=data))
    terminal = Terminal(as_json=as_json)
    if terminal.as_json:
        terminal.document({"revision": revision})
    else:
        terminal.result(f"the database is at {revision}")


def _password(from_stdin: bool) -> str:
    chosen = sys.stdin.readline().rstrip("\r\n") if from_stdin else secrets.token_urlsafe(18)
    if not chosen:
        raise UsageError("No password came on standard input; write it there followed by a line end.")
    return chosen
