"""`orgbridge load`: a file goes in, a receipt comes out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orgbridge.cli.context import DataOption, JSONFlag, run, service_address
from orgbridge.cli.errors import CLIError, ExitCode, UsageError
from orgbridge.cli.loading import (
    LoadRequest,
    ResultKind,
    check_output,
    fetch_receipt,
    follow,
    save_results,
    submit,
)
from orgbridge.cli.receipts import exit_code_of, print_receipt
from orgbridge.cli.service import Service
from orgbridge.cli.terminal import Terminal
from orgbridge.kit.clock import SystemClock
from orgbridge.wire.bulk import IngestOperation


def load(
    file: Annotated[Path, typer.Argument(help="CSV, JSON or NDJSON file; gzip and zip are unpacked.")],
    object_name: Annotated[str, typer.Option("--object", help="API name of the object, e.g. Account.")],
    operation: Annotated[IngestOperation, typer.Option(help="What to do with each row.")] = IngestOperation.INSERT,
    external_id: Annotated[str | None, typer.Option(help="External id field, for upsert.")] = None,
    encoding: Annotated[str | None, typer.Option(help="Encoding of the file when it is not UTF-8 or UTF-16.")] = None,
    delimiter: Annotated[
        str | None, typer.Option(help="Delimiter when it cannot be told from the header: , ; | ^ ` or a tab.")
    ] = None,
    on_server: Annotated[
        bool, typer.Option("--on-server", help="FILE is a path on the service, inside DATA_PATH_INPUT.")
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
    before_images: Annotated[
        bool | None, typer.Option(help="Keep what is overwritten, for undo; by itself up to 10,000 rows.")
    ] = None,
    delta: Annotated[bool, typer.Option("--delta", help="Leave out rows unchanged since the last such load.")] = False,
    delta_source: Annotated[str | None, typer.Option(help="Name of the source for --delta.")] = None,
    delta_verify: Annotated[
        bool, typer.Option("--delta-verify", help="With --delta: look a sample of unchanged rows up in the org.")
    ] = False,
    results: Annotated[Path | None, typer.Option(help="Save all rows with their outcome here.")] = None,
    wait: Annotated[bool, typer.Option(help="Stay until the load has ended.")] = True,
    data: DataOption = None,
    as_json: JSONFlag = False,
) -> None:
    """Load a file into Salesforce and account for every row.

    Exit code 0: all rows succeeded; 1: some failed; 2: none done, or bad usage.
    """
    terminal = Terminal(as_json=as_json)
    if not on_server:
        if not file.exists():
            raise UsageError(f"There is no file {file}; check the path.")
        if not file.is_file():
            raise UsageError(f"{file} is not a file; name one file to load.")
    if operation is IngestOperation.UPSERT and not external_id:
        raise UsageError("An upsert needs --external-id: the field by which rows are found, e.g. External_Id__c.")
    if results is not None:
        check_output(results)
    request = LoadRequest(
        path=file,
        object_name=object_name,
        operation=operation,
        external_id=external_id,
        encoding=encoding,
        delimiter=delimiter,
        on_server=on_server,
        handling=_handling(
            canary=canary,
            max_failure_ratio=max_failure_ratio,
            row_retry=row_retry,
            serial=serial or None,
            before_images=before_images,
            delta=delta or None,
            delta_source=delta_source,
            delta_verify=delta_verify or None,
        ),
    )
    raise typer.Exit(run(_load(request, terminal, data, results, wait=wait)))


def _handling(**given: str | float | bool | None) -> dict[str, str]:
    """Return what was given, as query parameters."""
    chosen = {name: value for name, value in given.items() if value is not None}
    return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in chosen.items()}


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
