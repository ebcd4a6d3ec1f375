"""`orgbridge load`: a file goes in, a receipt comes out. `orgbridge preflight`: a file is looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from orgbridge.cli.context import DataOption, JSONFlag, run, service_address
from orgbridge.cli.errors import CLIError, ExitCode
from orgbridge.cli.expansion import expanded
from orgbridge.cli.file_options import FileOptions
from orgbridge.cli.loading import (
    LoadRequest,
    ResultKind,
    check_output,
    examine,
    fetch_receipt,
    follow,
    save_results,
    submit,
)
from orgbridge.cli.preflights import print_report
from orgbridge.cli.receipts import exit_code_of, print_receipt
from orgbridge.cli.service import Service
from orgbridge.cli.terminal import Terminal
from orgbridge.kit.clock import SystemClock


@expanded(FileOptions)
def load(
    source: FileOptions,
    strict: Annotated[
        bool, typer.Option("--strict", help="Check everything first; send nothing on any finding.")
    ] = False,
    canary: Annotated[
        int | None, typer.Option(min=1, help="Send so many rows first; stop when too many of them fail.")
    ] = None,
    max_failure_ratio: Annotated[
        float | None, typer.Option(min=0, max=1, help="Share of failed rows above which nothing more is sent.")
    ] = None,
    row_retry: Annotated[
        int | None, typer.Option(min=0, help="Rounds in which rows that could not be locked are sent again.")
    ] = None,
    serial: Annotated[bool, typer.Option("--serial", help="One batch at a time, against row locks.")] = False,
    group_by: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="Keep all rows of one parent, named by this column, in one job."),
    ] = None,
    before_images: Annotated[
        bool | None, typer.Option(help="Keep what is overwritten, for undo; by itself up to 10,000 rows.")
    ] = None,
    delta: Annotated[bool, typer.Option("--delta", help="Leave out rows unchanged since the last such load.")] = False,
    delta_source: Annotated[str | None, typer.Option(help="Name of the source for --delta.")] = None,
    delta_verify: Annotated[
        bool, typer.Option("--delta-verify", help="With --delta: look a sample of unchanged rows up in the org.")
    ] = False,
    preflight_all: Annotated[
        bool, typer.Option("--preflight", help="Look at every row first; findings are kept as warnings.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Look at every row and send nothing.")] = False,
    results: Annotated[Path | None, typer.Option(help="Save all rows with their outcome here.")] = None,
    wait: Annotated[bool, typer.Option(help="Stay until the load has ended.")] = True,
    data: DataOption = None,
    as_json: JSONFlag = False,
) -> None:
    """Load a file into Salesforce and account for every row.

    Exit code 0: all rows succeeded; 1: some failed; 2: none done, or bad usage.
    """
    terminal = Terminal(as_json=as_json)
    request = source.request(
        strict=strict,
        preflight=preflight_all,
        handling=_handling(
            canary=canary,
            max_failure_ratio=max_failure_ratio,
            row_retry=row_retry,
            serial=serial or None,
            group_by=group_by,
            before_images=before_images,
            delta=delta or None,
            delta_source=delta_source,
            delta_verify=delta_verify or None,
        ),
    )
    if dry_run:
        raise typer.Exit(run(_examine(request, terminal, data)))
    if results is not None:
        check_output(results)
    raise typer.Exit(run(_load(request, terminal, data, results, wait=wait)))


@expanded(FileOptions)
def preflight(
    source: FileOptions,
    data: DataOption = None,
    as_json: JSONFlag = False,
) -> None:
    """Look at every row of a file as a load would, and send nothing.

    Exit code 0: nothing was found; 1: something was; 2: the file was refused, or bad usage.
    """
    terminal = Terminal(as_json=as_json)
    request = source.request()
    raise typer.Exit(run(_examine(request, terminal, data)))


async def _examine(request: LoadRequest, terminal: Terminal, folder: Path | None) -> ExitCode:
    async with Service(service_address(folder)) as service:
        report = await examine(service, request, terminal)
    print_report(terminal, report)
    return ExitCode.SOME_FAILED if report["findings"] else ExitCode.ALL


def _handling(**given: str | float | bool | None) -> dict[str, Any]:
    """Return what was given of how the load is carried out."""
    return {name: value for name, value in given.items() if value is not None}


async def _load(
    request: LoadRequest, terminal: Terminal, folder: Path | None, results: Path | None, *, wait: bool
) -> ExitCode:
    clock = SystemClock()
    async with Service(service_address(folder)) as service:
        job_id = await submit(service, request, terminal)
        if not wait:
            if terminal.as_json:
                terminal.document({"job_id": job_id})
            else:
                terminal.result(job_id)
            return ExitCode.ALL
        terminal.note(f"{job_id}: taken; `orgbridge jobs watch {job_id}` follows it from anywhere")
        status = await follow(service, job_id, terminal, clock)
        receipt = await fetch_receipt(service, job_id)
        code = exit_code_of(status, receipt)
        saved = None
        if results is not None and not receipt:
            terminal.note(f"there are no results: {results} was not written")
        elif results is not None:
            try:
                await save_results(service, job_id, ResultKind.ALL, results)
                saved = str(results)
            except (OSError, CLIError) as error:
                # The load itself is done, and its receipt must be seen.
                reason = getattr(error, "strerror", None) or error
                terminal.note(f"the results could not be written to {results}: {reason}", style="bold red")
                code = max(code, ExitCode.SOME_FAILED)
        print_receipt(terminal, status, receipt, results_at=saved)
        return code
