"""`orgbridge load`: a file goes in, a receipt comes out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from orgbridge.cli.context import DataOption, JSONFlag, run, service_address
from orgbridge.cli.errors import ExitCode, UsageError
from orgbridge.cli.receipts import exit_code_of, print_receipt
from orgbridge.cli.service import Service, file_chunks
from orgbridge.cli.terminal import Terminal
from orgbridge.cli.watching import Status, watch
from orgbridge.kit.clock import Clock, SystemClock
from orgbridge.wire.bulk import IngestOperation


class ResultKind(StrEnum):
    """Which rows of a finished load."""

    ALL = "all"
    SUCCESSFUL = "successful"
    FAILED = "failed"
    UNPROCESSED = "unprocessed"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadRequest:
    """What to load and how."""

    path: Path
    object_name: str
    operation: IngestOperation
    external_id: str | None = None
    encoding: str | None = None
    #: True when the path is the service's own, inside DATA_PATH_INPUT.
    on_server: bool = False

    def params(self) -> dict[str, str]:
        """Return the request's query parameters."""
        params = {"object_name": self.object_name, "operation_type": self.operation.value}
        if self.external_id:
            params["external_id_field"] = self.external_id
        if self.encoding:
            params["encoding"] = self.encoding
        return params


async def submit(service: Service, request: LoadRequest, terminal: Terminal) -> str:
    """Hand a load to the service and return its id.

    Raises:
        ServiceRefused: The input or the request was refused; nothing will be sent to Salesforce.
        ServiceUnreachable: The connection failed; whether the load was taken is not known.
    """
    if request.on_server:
        body = {**request.params(), "file_path": str(request.path), "use_bulk_api": True}
        return str((await service.local_file(body))["job_id"])
    size = request.path.stat().st_size
    with terminal.bytes_bar(f"sending {request.path.name}", size) as bar:
        answer = await service.upload(
            name=request.path.name, chunks=file_chunks(request.path, bar.add), params=request.params()
        )
    return str(answer["job_id"])


async def follow(service: Service, job_id: str, terminal: Terminal, clock: Clock) -> Status:
    """Watch a job to its end with a progress bar."""
    with terminal.rows_bar(job_id, None) as bar:

        def show(status: Status) -> None:
            text = f"{status.operation} {status.object_name}: {status.state}"
            bar.set(status.processed, total=status.rows, description=text)

        return await watch(service, job_id, clock, show)


async def save_results(service: Service, job_id: str, kind: ResultKind, path: Path) -> None:
    """Write a job's results to a file, whole or not at all."""
    temporary = path.with_name(path.name + ".part")
    try:
        async with service.results(job_id, kind.value) as blocks:
            with temporary.open("wb") as file:  # noqa: ASYNC230 - one buffered local file, nothing else waits
                async for block in blocks:
                    file.write(block)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def load(
    file: Annotated[Path, typer.Argument(help="CSV, JSON or NDJSON file; gzip and zip are unpacked.")],
    object_name: Annotated[str, typer.Option("--object", help="API name of the object, e.g. Account.")],
    operation: Annotated[IngestOperation, typer.Option(help="What to do with each row.")] = IngestOperation.INSERT,
    external_id: Annotated[str | None, typer.Option(help="External id field, for upsert.")] = None,
    encoding: Annotated[str | None, typer.Option(help="Encoding of the file when it is not UTF-8 or UTF-16.")] = None,
    on_server: Annotated[
        bool, typer.Option("--on-server", help="FILE is a path on the service, inside DATA_PATH_INPUT.")
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
    request = LoadRequest(
        path=file,
        object_name=object_name,
        operation=operation,
        external_id=external_id,
        encoding=encoding,
        on_server=on_server,
    )
    raise typer.Exit(run(_load(request, terminal, data, results, wait=wait)))


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
        receipt = await service.receipt(job_id)
        if results is not None:
            await save_results(service, job_id, ResultKind.ALL, results)
        print_receipt(terminal, status, receipt, results_at=str(results) if results else None)
        return exit_code_of(status, receipt)
