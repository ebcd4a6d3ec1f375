"""`orgbridge jobs retry`, `undo` and `explain`: what is done about a load that has ended."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from orgbridge.cli.commands.jobs import JobId, app
from orgbridge.cli.context import DataOption, JSONFlag, run, service_address
from orgbridge.cli.errors import ExitCode
from orgbridge.cli.loading import fetch_receipt, follow
from orgbridge.cli.receipts import exit_code_of, print_receipt
from orgbridge.cli.service import Service
from orgbridge.cli.terminal import Terminal
from orgbridge.kit.clock import SystemClock

#: All commands of `jobs`, those of this module among them.
jobs_app = app


class RetryRows(StrEnum):
    """Which rows are loaded again."""

    ALL = "all"
    FAILED = "failed"
    UNPROCESSED = "unprocessed"


WaitFlag = Annotated[bool, typer.Option(help="Stay until it has ended.")]


@app.command()
def retry(
    job_id: JobId,
    rows: Annotated[RetryRows, typer.Option(help="Failed rows, those not processed, or both.")] = RetryRows.ALL,
    wait: WaitFlag = True,
    data: DataOption = None,
    as_json: JSONFlag = False,
) -> None:
    """Load the rows of a job again that failed or were not processed. Exit codes as of `load`."""
    raise typer.Exit(run(_retry(job_id, rows, Terminal(as_json=as_json), data, wait=wait)))


async def _retry(job_id: str, rows: RetryRows, terminal: Terminal, folder: Path | None, *, wait: bool) -> ExitCode:
    async with Service(service_address(folder)) as service:
        answer = await service.retry(job_id, rows.value)
        return await _follow(service, [str(answer["job_id"])], terminal, wait=wait)


@app.command()
def undo(job_id: JobId, wait: WaitFlag = True, data: DataOption = None, as_json: JSONFlag = False) -> None:
    """Take a load back: delete what it created, restore what it changed. Records changed since are left alone.

    Exit codes as of `load`; 1 also when records were left alone.
    """
    raise typer.Exit(run(_undo(job_id, Terminal(as_json=as_json), data, wait=wait)))


async def _undo(job_id: str, terminal: Terminal, folder: Path | None, *, wait: bool) -> ExitCode:
    async with Service(service_address(folder)) as service:
        answer = await service.undo(job_id)
        without = int(answer["rows_without_before_image"])
        if without:
            terminal.note(f"{without:,} rows stay as they are: no before-image of them is known", style="bold red")
        code = await _follow(service, [str(made) for made in answer["job_ids"]], terminal, wait=wait)
        return max(code, ExitCode.SOME_FAILED) if without else code


@app.command()
def explain(
    code: Annotated[str, typer.Argument(help="An error code of results or receipts, e.g. UNABLE_TO_LOCK_ROW.")],
    data: DataOption = None,
    as_json: JSONFlag = False,
) -> None:
    """Tell why an error code happens, what to do about it, and whether trying again can help."""
    run(_explain(code, Terminal(as_json=as_json), data))


async def _explain(code: str, terminal: Terminal, folder: Path | None) -> None:
    async with Service(service_address(folder)) as service:
        entry = await service.error_code(code)
    if terminal.as_json:
        terminal.document(entry)
        return
    terminal.result(str(entry["code"]))
    terminal.result(f"  why:       {entry['cause']}")
    terminal.result(f"  what now:  {entry['remedy']}")
    terminal.result(f"  try again: {entry['retry_in_words']}")


async def _follow(service: Service, job_ids: list[str], terminal: Terminal, *, wait: bool) -> ExitCode:
    """Follow loads that were just made, one after the other, and show their receipts."""
    if not wait:
        if terminal.as_json:
            terminal.document({"job_id": job_ids[0], "job_ids": job_ids})
        else:
            for job_id in job_ids:
                terminal.result(job_id)
        return ExitCode.ALL
    codes = []
    for job_id in job_ids:
        status = await follow(service, job_id, terminal, SystemClock())
        receipt = await fetch_receipt(service, job_id)
        print_receipt(terminal, status, receipt)
        codes.append(exit_code_of(status, receipt))
    return max(codes) if len(set(codes)) == 1 else ExitCode.SOME_FAILED
