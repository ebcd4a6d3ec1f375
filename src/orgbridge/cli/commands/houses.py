"""`orgbridge up serve worker`: the processes of the house, started in this one.

`wiring` is imported inside the functions on purpose: `load`, `jobs` and `query`, run by the thousand from scripts,
would otherwise wait a second for web server, database and durable engine that they never touch.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orgbridge.cli.errors import UsageError
from orgbridge.cli.terminal import Terminal
from orgbridge.wiring.settings import load_client_settings, load_settings

_Port = Annotated[int | None, typer.Option(min=0, max=65_535, help="Port to listen on (ORGBRIDGE_PORT, else 8000).")]
_Host = Annotated[str | None, typer.Option(help="Address to listen on (ORGBRIDGE_HOST, else 127.0.0.1).")]
_Data = Annotated[
    Path | None,
    typer.Option("--data", help="Data folder (ORGBRIDGE_DATA).", show_default=".orgbridge", file_okay=False),
]


def up(
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port of the service.")] = 8000,
    emulator_port: Annotated[int, typer.Option(min=0, max=65_535, help="Port of the emulated org.")] = 8080,
    data: _Data = None,
    seed: Annotated[
        str, typer.Option(help="What a new emulated org holds: `empty`, `sample` rows, or `commerce` too.")
    ] = "empty",
) -> None:
    """Start service, worker and emulated org in one process, and sign this shell in."""
    from orgbridge.wiring.local import LocalAddresses
    from orgbridge.wiring.local import up as run_all

    if seed not in ("empty", "sample", "commerce"):
        raise UsageError(f"There is no seed {seed!r}; choose empty, sample or commerce.")
    terminal = Terminal()

    def announce(addresses: LocalAddresses) -> None:
        terminal.result(f"service    {addresses.service_url}   its API is described at {addresses.service_url}/docs")
        if addresses.console_url is not None:
            terminal.result(f"console    {addresses.console_url}   signs in once, within 15 minutes")
        terminal.result(f"org        {addresses.org_url}   sign in as admin@local.org with localpass")
        terminal.result(f"signed in  {addresses.cli_file}")
        terminal.result(
            f"input      {addresses.input_folder}   files for `load --on-server` and /bulk/local-file-process"
        )
        if addresses.log_file is not None:
            terminal.result(f"log        {addresses.log_file}")
        terminal.result("try        orgbridge load FILE --object Account")
        terminal.note("Ctrl-C ends it; what was loaded stays, and loads go on at the next start")

    run_all(
        data=data or load_client_settings().orgbridge_data,
        port=port,
        emulator_port=emulator_port,
        seed=seed,
        announce=announce,
    )


def serve(
    port: _Port = None,
    host: _Host = None,
    workers: Annotated[int | None, typer.Option(min=1, max=64, help="Processes (ORGBRIDGE_WORKERS, else 1).")] = None,
    data: _Data = None,
) -> None:
    """Answer HTTP: take in loads, tell of them, read and write records."""
    from orgbridge.wiring.service import serve as run_service

    run_service(load_settings(orgbridge_data=data), host=host, port=port, workers=workers)


def worker(data: _Data = None) -> None:
    """Carry loads out. On PostgreSQL as many workers as you like; on SQLite one."""
    from orgbridge.wiring.worker import work

    work(load_settings(orgbridge_data=data))
