"""`orgbridge export`: a query of any size goes into a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orgbridge.cli.context import DataOption, JSONFlag, run, service_address
from orgbridge.cli.errors import ExitCode, UsageError
from orgbridge.cli.loading import ResultKind, check_output, fetch_receipt, follow, save_results
from orgbridge.cli.receipts import exit_code_of, print_receipt
from orgbridge.cli.service import Service
from orgbridge.cli.terminal import Terminal
from orgbridge.kit.clock import SystemClock
from orgbridge.loads.columns import ExportFormat
from orgbridge.soql import SOQLError, parse

_ENDINGS = {
    ".csv": ExportFormat.CSV,
    ".ndjson": ExportFormat.NDJSON,
    ".jsonl": ExportFormat.NDJSON,
    ".parquet": ExportFormat.PARQUET,
}
_ACCEPT = {
    ExportFormat.CSV: "text/csv",
    ExportFormat.NDJSON: "application/x-ndjson",
    ExportFormat.PARQUET: "application/vnd.apache.parquet",
}


def export(
    soql: Annotated[str, typer.Argument(help='SOQL, e.g. "SELECT Id, Name FROM Account".')],
    output: Annotated[Path, typer.Option("-o", "--output", help="File to write.")],
    form: Annotated[
        ExportFormat | None, typer.Option("--format", help="Default: by the file's ending, else csv.")
    ] = None,
    include_deleted: Annotated[bool, typer.Option("--all", help="See the recycle bin too.")] = False,
    resume: Annotated[
        str | None, typer.Option(help="Go on with this job instead of starting one, e.g. after the shell was closed.")
    ] = None,
    data: DataOption = None,
    as_json: JSONFlag = False,
) -> None:
    """Write all records of a query to a file, whatever their number, and prove that none is missing.

    Exit code 0: every record is in the file; 2: it was not written.
    """
    check_output(output)
    chosen = form or _ENDINGS.get(output.suffix.lower(), ExportFormat.CSV)
    work = _export(
        soql, output, chosen, Terminal(as_json=as_json), data, include_deleted=include_deleted, resume=resume
    )
    raise typer.Exit(run(work))


async def _export(
    soql: str,
    output: Path,
    form: ExportFormat,
    terminal: Terminal,
    folder: Path | None,
    *,
    include_deleted: bool,
    resume: str | None,
) -> ExitCode:
    async with Service(service_address(folder)) as service:
        job_id = resume or await _submit(service, soql, form, include_deleted=include_deleted)
        if resume is not None:
            await _check_resumed(service, resume, form)
        terminal.note(f'{job_id}: taken; if this ends, `orgbridge export "..." -o {output} --resume {job_id}` goes on')
        status = await follow(service, job_id, terminal, SystemClock())
        receipt = await fetch_receipt(service, job_id)
        code = exit_code_of(status, receipt)
        if code is ExitCode.ALL:
            promised = (receipt.get("results") or {}).get("sha256")
            await save_results(service, job_id, ResultKind.ALL, output, accept=_ACCEPT[form], sha256=promised)
        print_receipt(terminal, status, receipt, results_at=str(output) if code is ExitCode.ALL else None)
        return code


async def _submit(service: Service, soql: str, form: ExportFormat, *, include_deleted: bool) -> str:
    operation = "queryAll" if include_deleted else "query"
    answer = await service.query_submit(queried_object(soql), soql, operation, output_format=form.value)
    return str(answer["job_id"])


async def _check_resumed(service: Service, job_id: str, form: ExportFormat) -> None:
    details = (await service.job(job_id)).get("job_info_details") or {}
    written = details.get("output_format")
    if written is None:
        raise UsageError(f"{job_id} is no export.")
    if written != form.value:
        raise UsageError(f"{job_id} is written as {written}: give --format {written}.")


def queried_object(soql: str) -> str:
    """Return the object that a query reads.

    Raises:
        UsageError: The text is no SOQL.
    """
    try:
        return parse(soql).sources[0].path[-1]
    except SOQLError as error:
        raise UsageError(f"This is no SOQL: {error}") from error
