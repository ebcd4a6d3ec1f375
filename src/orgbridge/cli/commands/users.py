"""`orgbridge users` and `orgbridge db`: work on the service's own store, without a running service."""

from __future__ import annotations

import secrets
import sys
from pathlib import Path
from typing import Annotated

import typer

from orgbridge.cli.context import JSONFlag, run
from orgbridge.cli.errors import UsageError
from orgbridge.cli.terminal import Terminal

app = typer.Typer(name="users", help="Users of this service.", no_args_is_help=True)
database_app = typer.Typer(name="db", help="The service's own database.", no_args_is_help=True)

StoreOption = Annotated[
    Path | None,
    typer.Option("--data", help="Data folder (ORGBRIDGE_DATA).", show_default=".orgbridge", file_okay=False),
]


@app.command()
def create(
    username: Annotated[str, typer.Argument(help="Sign-in name.")],
    scope: Annotated[list[str] | None, typer.Option(help="A right, e.g. bulk:write; may be repeated.")] = None,
    admin: Annotated[bool, typer.Option("--admin", help="May do everything.")] = False,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False,
    data: StoreOption = None,
    as_json: JSONFlag = False,
) -> None:
    """Create a user. Without --password-stdin a strong password is made and shown once."""
    # Imported here so that `load` and `jobs`, run by the thousand in scripts, do not wait for the whole house.
    from orgbridge.wiring.administration import create_user

    terminal = Terminal(as_json=as_json)
    password = sys.stdin.readline().rstrip("\r\n") if password_stdin else secrets.token_urlsafe(18)
    if not password:
        raise UsageError("No password came on standard input; write it there followed by a line end.")
    user = run(create_user(username, password, scopes=scope, is_admin=admin, data=data))
    document: dict[str, object] = {
        "id": user.id,
        "username": user.username,
        "scopes": list(user.scopes),
        "is_admin": user.is_admin,
    }
    if not password_stdin:
        document["password"] = password
    if terminal.as_json:
        terminal.document(document)
    else:
        terminal.note(f"user {username} created" + ("" if password_stdin else "; the password is shown this once"))
        if not password_stdin:
            terminal.result(password)


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
