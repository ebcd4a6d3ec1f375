"""`orgbridge emulator serve`: runs an emulated org.

`wiring` is imported inside for the reason told in `houses`; and nothing else is imported here that the org does not
need: it answers within a second.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orgbridge.cli.errors import UsageError


def serve(
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port to listen on.")] = 8080,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    data: Annotated[
        Path | None, typer.Option(help="File that keeps the org; without it the org lives in memory.", dir_okay=False)
    ] = None,
    seed: Annotated[
        str, typer.Option(help="What a new org holds: `empty`, `sample` rows, or `commerce` too.")
    ] = "empty",
    metadata: Annotated[
        Path | None,
        typer.Option(
            help="Salesforce DX source folder, or describe JSON, with more objects.", exists=True, file_okay=False
        ),
    ] = None,
    jwt_cert: Annotated[
        Path | None, typer.Option(help="PEM certificate accepted by the JWT bearer flow.", exists=True, dir_okay=False)
    ] = None,
    users: Annotated[
        Path | None,
        typer.Option(help="JSON with users, clients, policy and figures of the org.", exists=True, dir_okay=False),
    ] = None,
    session_seconds: Annotated[
        int | None, typer.Option(min=1, help="Seconds that a session lives without use; 7200 unless told.")
    ] = None,
    daily_api_requests: Annotated[
        int | None, typer.Option(min=0, help="API calls in 24 hours; 5000000 unless told.")
    ] = None,
    lock_seconds: Annotated[
        float, typer.Option(min=0, help="Seconds that bulk jobs keep parents of their rows locked for everybody.")
    ] = 0.0,
    lock_rows: Annotated[
        int | None,
        typer.Option(min=0, help="Rows below one parent that lock it for jobs side by side; 0 never, 200 unless told."),
    ] = None,
    control_from_anywhere: Annotated[
        bool, typer.Option("--control-from-anywhere", help="Let other machines use the controls under /_emulator.")
    ] = False,
) -> None:
    """Run an emulated Salesforce org that real clients can use."""
    from orgbridge.wiring.emulator import main as run_emulator

    if seed not in ("empty", "sample", "commerce"):
        raise UsageError(f"There is no seed {seed!r}; choose empty, sample or commerce.")
    options = ["--host", host, "--port", str(port), "--seed", seed]
    options += ["--data", str(data)] if data is not None else []
    options += ["--metadata", str(metadata)] if metadata is not None else []
    options += ["--jwt-certificate", str(jwt_cert)] if jwt_cert is not None else []
    options += ["--users", str(users)] if users is not None else []
    options += ["--session-seconds", str(session_seconds)] if session_seconds is not None else []
    options += ["--daily-api-requests", str(daily_api_requests)] if daily_api_requests is not None else []
    options += ["--lock-seconds", str(lock_seconds)] if lock_seconds else []
    options += ["--lock-rows", str(lock_rows)] if lock_rows is not None else []
    options += ["--control-from-anywhere"] if control_from_anywhere else []
    raise typer.Exit(run_emulator(options))
