"""A load from the caller's side: handed in, followed, and its results fetched."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from orgbridge.cli.errors import CLIError, ServiceRefused, UsageError
from orgbridge.cli.load_options import InputOptions, as_query
from orgbridge.cli.service import Service, file_chunks
from orgbridge.cli.terminal import Terminal
from orgbridge.cli.watching import Status, watch
from orgbridge.kit.clock import Clock
from orgbridge.wire.bulk import IngestOperation

_NO_OPTIONS = InputOptions()


class ResultKind(StrEnum):
    """Which rows of a finished load."""

    ALL = "all"
    SUCCESSFUL = "successful"
    FAILED = "failed"
    UNPROCESSED = "unprocessed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadRequest:
    """What to load and how."""

    path: Path
    object_name: str
    operation: IngestOperation
    external_id: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    #: What the service is to fetch itself: a path inside its DATA_PATH_INPUT, or an address in object storage.
    on_server: str | None = None
    #: Columns, formats and checks.
    options: InputOptions = _NO_OPTIONS

    def params(self) -> dict[str, Any]:
        """Return the request's options as JSON."""
        params: dict[str, Any] = {"object_name": self.object_name, "operation_type": self.operation.value}
        if self.external_id:
            params["external_id_field"] = self.external_id
        said = (("encoding", self.encoding), ("delimiter", self.delimiter))
        return {**params, **{name: value for name, value in said if value is not None}, **self.options.params()}


async def submit(service: Service, request: LoadRequest, terminal: Terminal) -> str:
    """Hand a load to the service and return its id.

    Raises:
        ServiceRefused: The input or the request was refused; nothing will be sent to Salesforce.
        ServiceUnreachable: The connection failed; whether the load was taken is not known.
    """
    return str((await _send(service, request, terminal, {}))["job_id"])


async def examine(service: Service, request: LoadRequest, terminal: Terminal) -> dict[str, Any]:
    """Have the service look at an input without loading it, and return its report.

    Raises:
        ServiceRefused: The input or the request was refused.
        ServiceUnreachable: The connection failed.
    """
    return await _send(service, request, terminal, {"dry_run": True})


async def _send(service: Service, request: LoadRequest, terminal: Terminal, more: dict[str, Any]) -> dict[str, Any]:
    params = {**request.params(), **more}
    if request.on_server is not None:
        return await service.local_file({**params, "file_path": request.on_server, "use_bulk_api": True})
    size = request.path.stat().st_size
    with terminal.bytes_bar(f"sending {request.path.name}", size) as bar:
        return await service.upload(
            name=request.path.name, chunks=file_chunks(request.path, bar.add), params=as_query(params)
        )


async def follow(service: Service, job_id: str, terminal: Terminal, clock: Clock) -> Status:
    """Watch a job to its end with a progress bar, and say once for what it waits."""
    waiting = ""
    with terminal.rows_bar(job_id, None) as bar:

        def show(status: Status) -> None:
            nonlocal waiting
            if status.waiting != waiting and not status.ended:
                waiting = status.waiting
                terminal.note(f"{job_id}: {waiting or 'goes on'}")
            text = f"{status.operation} {status.object_name}: {status.state}"
            bar.set(status.processed, total=status.rows, description=text)

        return await watch(service, job_id, clock, show)


async def fetch_receipt(service: Service, job_id: str) -> dict[str, Any]:
    """Return the receipt of a job that has ended; empty when it ended before one could be written.

    Raises:
        ServiceRefused: The right is missing.
    """
    try:
        return await service.receipt(job_id)
    except ServiceRefused as refused:
        if refused.status in (404, 409):
            return {}
        raise


def check_output(path: Path) -> None:
    """See that a file can be written there, before anything else is done.

    Raises:
        UsageError: There is no such folder, or the path is a folder.
    """
    if not path.parent.is_dir():
        raise UsageError(f"There is no folder {path.parent}; make it, or name another file.")
    if path.is_dir():
        raise UsageError(f"{path} is a folder; name a file.")


async def save_results(
    service: Service,
    job_id: str,
    kind: ResultKind,
    path: Path,
    *,
    accept: str = "text/csv",
    loadable: bool = False,
    sha256: str | None = None,
) -> None:
    """Write a job's results to a file, whole or not at all.

    Args:
        service: Where the job is.
        job_id: The job.
        kind: Which rows.
        path: The file.
        accept: The form.
        loadable: Whether the rows are to be loaded again.
        sha256: What the results' hash must be; None: it is not looked at.

    Raises:
        FileDiffers: The results have another hash; nothing was written.
    """
    temporary = path.with_name(path.name + ".part")
    seen = hashlib.sha256()
    try:
        async with service.results(job_id, kind.value, accept=accept, loadable=loadable) as blocks:
            with temporary.open("wb") as file:
                async for block in blocks:
                    file.write(block)
                    if sha256 is not None:
                        seen.update(block)
        if sha256 is not None and seen.hexdigest() != sha256:
            raise FileDiffers
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


class FileDiffers(CLIError):
    """What came is not what the receipt proves; nothing was written. Run the command again with --resume."""

    code = "cli.file_differs"
