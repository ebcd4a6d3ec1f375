"""The `orgbridge` command: all commands put together, and the one place where errors become exit codes."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Mapping
from typing import Annotated, ClassVar

import typer

from orgbridge import __version__
from orgbridge.cli.errors import ExitCode, exit_code
from orgbridge.cli.groups import LazyGroup
from orgbridge.cli.terminal import Terminal
from orgbridge.kit.errors import OrgbridgeError
from orgbridge.kit.logs import LogConfig, configure_logs
from orgbridge.wiring.signals import end_when_told

_INTERRUPTED = 130


class _Table(LazyGroup):
    table: ClassVar[Mapping[str, str]] = {
        "up": "houses:up",
        "demo": "demo:demo",
        "serve": "houses:serve",
        "worker": "houses:worker",
        "load": "load:load",
        "export": "export:export",
        "preflight": "load:preflight",
        "query": "query:query",
        "describe": "query:describe",
        "sign-in": "api:sign_in_command",
        "api": "api:api",
        "doctor": "doctor:app",
        "jobs": "job_actions:jobs_app",
        "users": "users:app",
        "roles": "roles:app",
        "service-accounts": "service_accounts:app",
        "organizations": "mappings:app",
        "keys": "keys:app",
        "audit": "audit:app",
        "orders": "orders:app",
        "purchase-orders": "purchase_orders:app",
        "db": "users:database_app",
        "emulator": "emulator:app",
    }


app = typer.Typer(
    name="orgbridge",
    cls=_Table,
    help="Salesforce Integration API: load, query and prove what became of every row.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        Terminal().result(f"orgbridge {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and end.")
    ] = False,
) -> None:
    """Salesforce Integration API: load, query and prove what became of every row."""


def main() -> None:
    """Run one command line and end the process with its exit code; no traceback ever reaches a person."""
    end_when_told()
    terminal = Terminal(as_json="--json" in sys.argv)
    # Until a command sets up its own logs, warnings go to standard error: standard output is for results.
    configure_logs(LogConfig(level="WARNING", json=False))
    # Each failed try on the way to an error that is told anyway.
    logging.getLogger("stamina").setLevel(logging.ERROR)
    try:
        app()
    except OrgbridgeError as error:
        terminal.error(error)
        sys.exit(exit_code(error))
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.exit(_INTERRUPTED)
    except BrokenPipeError:
        # Whoever read our output has gone, as `head` does.
        sys.stderr.close()
        sys.exit(ExitCode.SOME_FAILED)
    except OSError as error:
        place = f" ({error.filename})" if error.filename else ""
        terminal.error(_Unexpected(f"The system refused: {error.strerror or error}{place}."))
        sys.exit(ExitCode.NONE)
    except Exception as error:  # noqa: BLE001 - one of the four edges
        terminal.error(_Unexpected(f"This is a fault of Orgbridge: {type(error).__name__}: {error}. Please report it."))
        sys.exit(ExitCode.NONE)


class _Unexpected(OrgbridgeError):
    """Something that no part of the house foresaw."""


if __name__ == "__main__":
    main()
