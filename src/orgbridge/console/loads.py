"""Loads: their list, one of them, its results, and what can be done with it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute

from orgbridge.console.cookies import PREFIX
from orgbridge.console.desk import Desk, Shelf, see_other
from orgbridge.console.forms import PAGE_ROWS, asked, path_id, read_form
from orgbridge.kit.json import dumps
from orgbridge.kit.notes import note
from orgbridge.loads.catalogue import entry_of
from orgbridge.loads.results import ResultKind
from orgbridge.loads.states import LoadState
from orgbridge.services.errors import InvalidRequest, LoadNotFinished, ResultsMissing, UnknownErrorCode
from orgbridge.services.jobs import JobFilter, JobStatus, ResultForm
from orgbridge.services.retries import RetryRows
from orgbridge.services.scopes import Caller, Scope
from orgbridge.services.spreadsheets import safe_for_spreadsheets
from orgbridge.wire.bulk import IngestOperation, QueryOperation

LOADS = f"{PREFIX}/loads"
OPERATIONS = tuple(operation.value for operation in IngestOperation)
_ALL_OPERATIONS = (*OPERATIONS, *(operation.value for operation in QueryOperation))
_UNDOABLE = frozenset({IngestOperation.INSERT, IngestOperation.UPDATE, IngestOperation.UPSERT})
_KINDS = tuple(kind.value for kind in ResultKind)
_ENDINGS = {ResultForm.CSV: "csv", ResultForm.NDJSON: "ndjson", ResultForm.PARQUET: "parquet"}
#: What a page says after a form did its work.
_DONE = {
    "taken": "The file was taken in; a worker carries the load out.",
    "query": "The query was taken in; a worker carries it out.",
    "abort": "The load is being stopped. Rows already sent keep their outcome.",
    "retry": "The failed rows are loaded again, by this load.",
    "undo": "The other load is being taken back, by this one.",
}


def load_routes(shelf: Shelf) -> Iterator[BaseRoute]:
    """Yield the routes of loads."""
    yield shelf.get("/loads", "loads", _list, Scope.BULK_READ)
    yield shelf.get("/loads/{load_id}", "load", _show, Scope.BULK_READ)
    yield shelf.get("/loads/{load_id}/receipt", "receipt", _receipt, Scope.BULK_READ)
    yield shelf.get("/loads/{load_id}/results/{kind}", "results", _results, Scope.BULK_READ)
    yield shelf.post("/loads/{load_id}/abort", "abort", _abort, Scope.BULK_WRITE)
    yield shelf.post("/loads/{load_id}/retry", "retry", _retry, Scope.BULK_WRITE)
    yield shelf.post("/loads/{load_id}/undo", "undo", _undo, Scope.BULK_WRITE)
    yield shelf.get("/errors/{code}", "error_code", _error_code, Scope.BULK_READ)


async def _list(desk: Desk, request: Request, caller: Caller) -> Response:
    filters = {name: asked(request, name) for name in ("state", "object_name", "operation", "created_by")}
    page = await desk.services.jobs.list(
        JobFilter(**filters), caller=caller, cursor=asked(request, "cursor", 500), limit=PAGE_ROWS
    )
    kept = {name: value for name, value in filters.items() if value is not None}
    following = f"{LOADS}?{urlencode({**kept, 'cursor': page.next_cursor})}" if page.next_cursor else None
    return desk.page(
        request,
        "loads.html",
        loads=page.items,
        filters=filters,
        states=[state.value for state in LoadState],
        operations=_ALL_OPERATIONS,
        following=following,
        first=asked(request, "cursor", 500) is None,
    )


async def _show(desk: Desk, request: Request, caller: Caller) -> Response:
    services, load_id = desk.services, path_id(request, "load_id")
    status = await services.jobs.status(load_id, caller=caller)
    receipt: Mapping[str, Any] | None = None
    try:
        receipt = await services.jobs.receipt(status.job_id, caller=caller) if status.has_receipt else None
    except (LoadNotFinished, ResultsMissing):
        receipt = None
    groups = (
        receipt["errors"] if receipt is not None and receipt.get("errors") else await services.events.errors(status)
    )
    return desk.page(
        request,
        "load.html",
        load=status,
        rows=rows_of(status, receipt),
        receipt=receipt,
        groups=[explained(group) for group in groups],
        actions=_actions(status, caller),
        links=[(name, found) for name, found in dict(status.details.get("links") or {}).items() if found],
        done=_DONE.get(asked(request, "done") or ""),
    )


def rows_of(status: JobStatus, receipt: Mapping[str, Any] | None) -> dict[str, int | None]:
    """Return the counts of a load's rows: those of the receipt, or as far as it is known now."""
    now = dict(status.progress or {})
    counts = {
        "read": now.get("rows_read"),
        "sent": None,
        "succeeded": now.get("succeeded"),
        "failed": now.get("failed"),
        "unprocessed": now.get("unprocessed"),
        "skipped": now.get("skipped"),
        "refused": None,
        "not_sent": None,
        "ambiguous": None,
    }
    return counts if receipt is None else {**counts, **dict(receipt.get("rows") or {})}


def explained(group: Mapping[str, Any]) -> dict[str, Any]:
    """Return a group of errors with what the catalogue knows of its code, where the receipt has not said it."""
    entry = entry_of(str(group.get("code") or ""))
    known = {"cause": entry.cause, "remedy": entry.remedy} if entry is not None else {"cause": None, "remedy": None}
    said = {name: value for name, value in group.items() if value is not None}
    return {**known, **said, "known": entry is not None}


def _actions(status: JobStatus, caller: Caller) -> dict[str, bool]:
    writes, counts = Scope.BULK_WRITE in caller.scopes, dict(status.progress or {})
    made = set(dict(status.details.get("links") or {}))
    ours = status.progress is not None
    left = int(counts.get("failed") or 0) + int(counts.get("unprocessed") or 0)
    changing = ours and status.ended and not status.is_query and writes
    return {
        "abort": writes and not status.ended and not status.details.get("cancel_requested"),
        "retry": changing and left > 0 and status.has_results and "retried_by" not in made,
        "undo": changing and status.operation in _UNDOABLE and int(counts.get("succeeded") or 0) > 0,
    }


async def _receipt(desk: Desk, request: Request, caller: Caller) -> Response:
    load_id = path_id(request, "load_id")
    receipt = await desk.services.jobs.receipt(load_id, caller=caller)
    return Response(dumps(receipt), media_type="application/json", headers=_attachment(f"{load_id}-receipt.json"))


async def _results(desk: Desk, request: Request, caller: Caller) -> Response:
    load_id, kind, jobs = path_id(request, "load_id"), request.path_params["kind"], desk.services.jobs
    if kind not in _KINDS:
        raise InvalidRequest(f"Results are {', '.join(_KINDS)}.")
    word = asked(request, "format")
    form = next((known for known, ending in _ENDINGS.items() if ending == word), None)
    if word is not None and form is None:
        raise InvalidRequest(f"The format must be one of {', '.join(_ENDINGS.values())}.")
    loadable = asked(request, "loadable") is not None
    chosen = await jobs.result_form(load_id, form, caller=caller)
    blocks = await jobs.results(load_id, kind, chosen, caller=caller, loadable=loadable)
    if chosen is ResultForm.CSV and asked(request, "spreadsheet") is not None:
        blocks = safe_for_spreadsheets(blocks)
    name = f"{load_id}-{'to-mend' if loadable else kind}.{_ENDINGS[chosen]}"
    return await download(blocks, media_type=chosen.value, name=name)


async def download(blocks: AsyncIterator[bytes], *, media_type: str, name: str) -> Response:
    """Return a streamed file after its first block was made, so that an early error is still a page."""
    first = await anext(blocks, b"")

    async def body() -> AsyncIterator[bytes]:
        yield first
        async for block in blocks:
            yield block

    return StreamingResponse(body(), media_type=media_type, headers=_attachment(name))


async def _abort(desk: Desk, request: Request, caller: Caller) -> Response:
    status = await desk.services.jobs.abort(path_id(request, "load_id"), caller=caller)
    note(object_name=status.object_name, operation=status.operation)
    return see_other(f"{LOADS}/{status.job_id}", "abort")


async def _retry(desk: Desk, request: Request, caller: Caller) -> Response:
    form = await read_form(request)
    try:
        rows = RetryRows(form.get("rows") or RetryRows.ALL)
    except ValueError:
        raise InvalidRequest(f"rows must be one of {', '.join(RetryRows)}.") from None
    made = await desk.services.retries.retry(path_id(request, "load_id"), caller, rows)
    note(ids=[made])
    return see_other(f"{LOADS}/{made}", "retry")


async def _undo(desk: Desk, request: Request, caller: Caller) -> Response:
    undone = await desk.services.undo.undo(path_id(request, "load_id"), caller)
    made = [found for found in (undone.deletes, undone.restores) if found is not None]
    note(ids=[*made])
    return see_other(f"{LOADS}/{made[0]}", "undo")


async def _error_code(desk: Desk, request: Request, caller: Caller) -> Response:
    entry = entry_of(str(request.path_params["code"])[:100])
    if entry is None:
        raise UnknownErrorCode
    return desk.page(request, "error_code.html", entry=entry.to_json())


def _attachment(name: str) -> dict[str, str]:
    safe = "".join(letter for letter in name if letter.isascii() and (letter.isalnum() or letter in "._-"))
    return {"Content-Disposition": f'attachment; filename="{safe}"', "Cache-Control": "no-store"}
