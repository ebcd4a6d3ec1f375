"""`orgbridge jobs`: what the service has loaded, is loading, and the proof of it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from orgbridge.cli.context import DataOption, JSONFlag, run, service_address
from orgbridge.cli.errors import ExitCode, UsageError
from orgbridge.cli.loading import ResultKind, check_output, fetch_receipt, follow, save_results
from orgbridge.cli.receipts import exit_code_of, print_receipt
from orgbridge.cli.service import Service
from orgbridge.cli.terminal import Terminal
from orgbridge.cli.watching import status_of
from orgbridge.kit.clock import SystemClock

app = typer.Typer(name="jobs", help="Look at loads and queries, follow them, stop them.", no_args_is_help=True)

#: Characters of an ISO instant up to its seconds.
_TO_SECONDS = 19

JobId = Annotated[str, typer.Argument(help="The service's job id, or a Salesforce 750... id.")]


@app.command("list")
def list_jobs(
    state: Annotated[str | None, typer.Option(help="Only jobs in this state.")] = None,
    object_name: Annotated[str | None, typer.Option("--object", help="Only jobs on this object.")] = None,
    operation: Annotated[str | None, typer.Option(help="Only jobs of this operation.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="At most so many.")] = 20,
    data: DataOption = None,
    as_json: JSONFlag = False,
) -> None:
    """List jobs, newest first."""
    asked = {"state": state, "object_name": object_name, "operation": operation, "limit": limit}
    run(_list({name: value for name, value in asked.items() if value is not None}, Terminal(as_json=as_json), data))


async def _list(params: dict[str, str | int], terminal: Terminal, folder: Path | None) -> None:
    async with Service(service_address(folder)) as service:
        answer = await service.jobs(params)
    jobs: list[dict[str, Any]] = answer.get("jobs", [])
    if terminal.as_json:
        terminal.document(jobs)
        return
    rows = []
    for job in jobs:
        status = status_of(job)
        rows.append(
            (
                status.job_id,
                status.state,
                status.operation,
                status.object_name,
                status.processed,
                status.failed,
                str((job.get("job_info_details") or {}).get("created_at") or "")[:_TO_SECONDS],
            )
        )
    terminal.table(("job", "state", "operation", "object", "processed", "failed", "created"), rows, fold=False)


@app.command()
def show(job_id: JobId, data: DataOption = None, as_json: JSONFlag = False) -> None:
    """Show where one job stands."""
    run(_show(job_id, Terminal(as_json=as_json), data))


async def _show(job_id: str, terminal: Terminal, folder: Path | None) -> None:
    async with Service(service_address(folder)) as service:
        status = status_of(await service.job(job_id))
    if terminal.as_json:
        terminal.document(status.raw)
        return
    total = f" of {status.rows:,}" if status.rows is not None else ""
    terminal.result(f"{status.job_id}: {status.operation} {status.object_name}, {status.state}")
    terminal.result(f"  processed {status.processed:,}{total} rows, {status.failed:,} failed")
    if status.error_message or status.waiting:
        terminal.result(f"  {status.error_message or status.waiting}")


@app.command()
def watch(job_id: JobId, data: DataOption = None, as_json: JSONFlag = False) -> None:
    """Follow a job to its end, then show its receipt. Exit codes as of `load`."""
    raise typer.Exit(run(_watch(job_id, Terminal(as_json=as_json), data)))


async def _watch(job_id: str, terminal: Terminal, folder: Path | None) -> ExitCode:
    async with Service(service_address(folder)) as service:
        status = await follow(service, job_id, terminal, SystemClock())
        receipt = await fetch_receipt(service, job_id)
    print_receipt(terminal, status, receipt)
    return exit_code_of(status, receipt)


@app.command()
def receipt(job_id: JobId, data: DataOption = None, as_json: JSONFlag = False) -> None:
    """Show the proof of a finished load. Exit codes as of `load`."""
    raise typer.Exit(run(_receipt(job_id, Terminal(as_json=as_json), data)))


async def _receipt(job_id: str, terminal: Terminal, folder: Path | None) -> ExitCode:
    async with Service(service_address(folder)) as service:
        status = status_of(await service.job(job_id))
        document = await service.receipt(job_id)
    if terminal.as_json:
        terminal.document(document)
    else:
        print_receipt(terminal, status, document)
    return exit_code_of(status, document)


@app.command()
def results(
    job_id: JobId,
    kind: Annotated[ResultKind, typer.Option(help="Which rows.")] = ResultKind.ALL,
    loadable: Annotated[
        bool, typer.Option("--loadable", help="The failed rows with their own columns only, to be loaded again.")
    ] = False,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="File to write; standard output else.")] = None,
    data: DataOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per row instead of CSV.")] = False,
) -> None:
    """Get the rows of a finished load with their outcome, in the input's order."""
    if loadable and kind not in (ResultKind.ALL, ResultKind.FAILED):
        raise UsageError("--loadable gives the failed rows; leave --kind out.")
    chosen = ResultKind.FAILED if loadable else kind
    accept = "application/x-ndjson" if as_json else "text/csv"
    run(_results(job_id, chosen, output, data, accept=accept, loadable=loadable))


async def _results(
    job_id: str, kind: ResultKind, output: Path | None, folder: Path | None, *, accept: str, loadable: bool
) -> None:
    if output is not None:
        check_output(output)
    async with Service(service_address(folder)) as service:
        if output is not None:
            await save_results(service, job_id, kind, output, accept=accept, loadable=loadable)
            Terminal().note(f"written to {output}")
            return
        async with service.results(job_id, kind.value, accept=accept, loadable=loadable) as blocks:
            async for block in blocks:
                sys.stdout.buffer.write(block)
            sys.stdout.buffer.flush()


@app.command()
def abort(job_id: JobId, data: DataOption = None, as_json: JSONFlag = False) -> None:
    """Ask for a job to be stopped; rows that are done stay done, the rest is unprocessed.

    Exit code 2 when the job had ended before, so that nothing was stopped.
    """
    raise typer.Exit(run(_abort(job_id, Terminal(as_json=as_json), data)))


async def _abort(job_id: str, terminal: Terminal, folder: Path | None) -> ExitCode:
    async with Service(service_address(folder)) as service:
        answer = await service.abort(job_id)
    status = status_of(answer)
    if terminal.as_json:
        terminal.document(answer)
    elif status.ended:
        terminal.result(f"{job_id}: had ended before as {status.state}; nothing was stopped")
    else:
        terminal.result(f"{job_id}: asked to stop; `orgbridge jobs watch {job_id}` tells when it has")
    return ExitCode.NONE if status.state in ("JobComplete", "Failed") else ExitCode.ALL
