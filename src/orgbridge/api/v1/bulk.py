"""Loads, bulk queries and their jobs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.responses import Response

from orgbridge.api.bodies import StrictRoute
from orgbridge.api.replies import CSVResponse, accepts, body_of, json_reply, stream_reply
from orgbridge.api.security import BulkReader, BulkWriter, services_of
from orgbridge.api.uploads import Upload, whole_body
from orgbridge.api.v1.outcomes import accepted, batch_reply
from orgbridge.api.v1.schemas.bulk import (
    DirectPayload,
    JobAccepted,
    JobListReply,
    JobReply,
    LocalFileRequest,
    PreflightReply,
    QuerySubmit,
)
from orgbridge.api.v1.schemas.problems import problems
from orgbridge.api.v1.schemas.records import BatchReply, FieldName, LoadOperation, ObjectName
from orgbridge.api.v1.upload_options import (
    FORM_OPTIONS,
    MAX_PART_ROWS,
    RAW_OPTIONS,
    check_query,
    form_request,
    handling_fields,
    handling_query,
    option_fields,
    query_options,
)
from orgbridge.api.v1.webhooks import NOTIFIES
from orgbridge.kit.errors import OrgbridgeError
from orgbridge.kit.json import JSON
from orgbridge.services.handling import HANDLING_OPTIONS
from orgbridge.services.jobs import JobFilter, JobStatus, ResultForm
from orgbridge.services.loads import LoadRequest
from orgbridge.services.scopes import Caller
from orgbridge.services.spreadsheets import safe_for_spreadsheets

router = APIRouter(prefix="/bulk", tags=["bulk"], route_class=StrictRoute)
#: Bytes of a refused upload that are still read, so that the caller gets to see the refusal.
_DRAINED_BYTES = 64 * 1024 * 1024
_FILE_SCHEMA = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "additionalProperties": False,
                    # The file last: fields must stand before it, and forms are sent in this order.
                    "properties": {
                        "object_name": {"type": "string"},
                        "operation_type": {"type": "string"},
                        "external_id_field": {"type": "string"},
                        "encoding": {"type": "string"},
                        "delimiter": {"type": "string"},
                        "part_rows": {"type": "integer", "minimum": 1, "maximum": MAX_PART_ROWS},
                        **{name: {"type": "string", "description": text} for name, text in HANDLING_OPTIONS.items()},
                        "sheet": {"type": "string"},
                        "mapping": {"type": "string"},
                        "null_policy": {"type": "string"},
                        "time_zone": {"type": "string"},
                        "date_format": {"type": "string"},
                        "datetime_format": {"type": "string"},
                        "decimal_mark": {"type": "string", "enum": [".", ","]},
                        "strict": {"type": "boolean"},
                        "preflight": {"type": "boolean"},
                        "dry_run": {"type": "boolean"},
                        "file": {"type": "string", "format": "binary", "description": "The input."},
                    },
                },
                "example": {"file": "Name,Industry\nAcme,Technology\n"},
            }
        },
    }
}
_RAW_SCHEMA = {
    "requestBody": {
        "required": True,
        "content": {
            "text/csv": {
                "schema": {"type": "string", "format": "binary"},
                "example": "Name,Industry\nAcme,Technology\n",
            },
            "application/x-ndjson": {"schema": {"type": "string", "format": "binary"}},
            "application/json": {"schema": {"type": "array", "items": {"type": "object"}}},
        },
    }
}

JobId = Annotated[
    str,
    Path(
        pattern=r"^[A-Za-z0-9_]{1,64}$",
        description="Id of a load, or a Salesforce job id (750…).",
        examples=["load_01jd6z7w7kq2m4t8v0x3y5z7b9"],
    ),
]
_OptionalObject = Annotated[ObjectName | None, Query()]
_OptionalField = Annotated[FieldName | None, Query()]
_OptionalOperation = Annotated[LoadOperation | None, Query()]
_AnyOperation = Annotated[str | None, Query(max_length=20, examples=["insert"])]
_Encoding = Annotated[str | None, Query(max_length=40, description="When it cannot be told from the bytes.")]
_Delimiter = Annotated[str | None, Query(max_length=10, description="When it cannot be told from the header.")]
Handling = Annotated[dict[str, Any], Depends(handling_query)]
_Options = Annotated[dict[str, str | bool | None], Depends(query_options)]
_DRY: dict[int | str, dict[str, Any]] = {200: {"description": "A dry run: what was found", "model": PreflightReply}}
_PartRows = Annotated[int | None, Query(ge=1, le=MAX_PART_ROWS, description="Rows per part.")]


@router.post(
    "/dml-file-upload",
    status_code=202,
    dependencies=NOTIFIES,
    response_model=JobAccepted,
    responses={**problems(400, 413, 429, 502), **_DRY},
    openapi_extra=_FILE_SCHEMA,
    summary="Load an uploaded file",
)
async def dml_file_upload(
    request: Request,
    caller: BulkWriter,
    options: _Options,
    object_name: _OptionalObject = None,
    operation_type: _OptionalOperation = None,
    external_id_field: _OptionalField = None,
    encoding: _Encoding = None,
    delimiter: _Delimiter = None,
    part_rows: _PartRows = None,
    *,
    handling: Handling,
) -> Response:
    """Take in CSV (any delimiter, BOM, UTF-8/16, cp1252), a JSON array or NDJSON, packed or not; Parquet or XLSX.

    The parameters may also be form fields that stand before the file. The file is streamed to disk, whatever its size.
    """
    body = body_of(request)
    query = {
        **options,
        "object_name": object_name,
        "operation_type": operation_type,
        "external_id_field": external_id_field,
        "encoding": encoding,
        "delimiter": delimiter,
        "part_rows": part_rows,
        **handling,
    }
    try:
        check_query(request, FORM_OPTIONS)
        upload = Upload(body, request.headers.get("content-type", ""))
        await upload.open()
        load = form_request(upload, query)
        return await _take(request, load, upload.chunks(), caller)
    except OrgbridgeError:
        await _drain(body)
        raise


@router.put(
    "/dml-file-upload",
    status_code=202,
    dependencies=NOTIFIES,
    response_model=JobAccepted,
    responses={**problems(400, 413, 429, 502), **_DRY},
    openapi_extra=_RAW_SCHEMA,
    summary="Load the request's body",
)
async def dml_raw_upload(
    request: Request,
    caller: BulkWriter,
    object_name: Annotated[ObjectName, Query()],
    operation_type: Annotated[LoadOperation, Query()],
    options: _Options,
    external_id_field: _OptionalField = None,
    encoding: _Encoding = None,
    delimiter: _Delimiter = None,
    part_rows: _PartRows = None,
    filename: Annotated[str, Query(max_length=255, description="Its ending tells the format.")] = "",
    *,
    handling: Handling,
) -> Response:
    """Take in a raw body, as `curl -T file.csv` sends it."""
    body = body_of(request)
    length = request.headers.get("content-length")
    load = LoadRequest(
        **option_fields(options),
        object_name=object_name,
        operation=operation_type,
        external_id_field=external_id_field,
        original_name=filename,
        content_type=request.headers.get("content-type"),
        encoding=encoding,
        delimiter=delimiter,
        part_rows=part_rows,
        handling=handling,
    )
    chunks = whole_body(body, int(length) if length is not None and length.isdigit() else None)
    try:
        check_query(request, RAW_OPTIONS)
        return await _take(request, load, chunks, caller)
    except OrgbridgeError:
        await _drain(body)
        raise


@router.post(
    "/preflight",
    response_model=PreflightReply,
    responses=problems(400, 413, 429, 502),
    openapi_extra=_FILE_SCHEMA,
    summary="Look at a file without loading it",
)
async def preflight(
    request: Request,
    caller: BulkWriter,
    options: _Options,
    object_name: _OptionalObject = None,
    operation_type: _OptionalOperation = None,
    external_id_field: _OptionalField = None,
    encoding: _Encoding = None,
    delimiter: _Delimiter = None,
    part_rows: _PartRows = None,
    *,
    handling: Handling,
) -> Response:
    """Look at every row of a file as a load would: findings with line numbers, and an estimate. Nothing is sent.

    Takes what the upload of a load takes, in the same way.
    """
    query = {
        **options,
        "object_name": object_name,
        "operation_type": operation_type,
        "external_id_field": external_id_field,
        "encoding": encoding,
        "delimiter": delimiter,
        "part_rows": part_rows,
        **handling,
    }
    body = body_of(request)
    try:
        check_query(request, FORM_OPTIONS)
        upload = Upload(body, request.headers.get("content-type", ""))
        await upload.open()
        load = form_request(upload, query)
        return json_reply(await services_of(request).preflight.stream(load, upload.chunks(), caller))
    except OrgbridgeError:
        await _drain(body)
        raise


@router.post(
    "/local-file-process",
    status_code=202,
    dependencies=NOTIFIES,
    response_model=JobAccepted,
    responses={
        **problems(400, 404, 409, 413, 429, 502),
        200: {
            "description": "Sent by collections: one result per record; or a dry run: what was found",
            "model": BatchReply | PreflightReply,
        },
    },
    summary="Load a file of the input folder, or an object of object storage",
)
async def local_file_process(request: Request, body: LocalFileRequest, caller: BulkWriter) -> Response:
    """Take in a file that lies inside DATA_PATH_INPUT once every symlink is followed, or `s3://bucket/key`.

    Objects (`az://container/key` too) are read below the addresses in ORGBRIDGE_IMPORT_URLS only, and refused when they
    are replaced meanwhile. The reply comes once the whole file was copied.
    """
    load = LoadRequest(
        **option_fields(body.model_dump()),
        handling=handling_fields(body.model_dump()),
        encoding=body.encoding,
        delimiter=body.delimiter,
        part_rows=body.part_rows,
        object_name=body.object_name,
        operation=body.operation_type,
        external_id_field=body.external_id_field,
        original_name=body.file_path.rsplit("/", 1)[-1],
    )
    services = services_of(request)
    if load.dry_run:
        return json_reply(await services.preflight.local(load, body.file_path, caller))
    if not body.use_bulk_api:
        return batch_reply(await services.local_batches.run(load, body.file_path, caller=caller))
    return await accepted(request, caller, await services.loads.submit_local(load, body.file_path, caller))


@router.post(
    "/dml-direct-payload",
    status_code=202,
    dependencies=NOTIFIES,
    response_model=JobAccepted,
    responses={**problems(400, 413, 429, 502), **_DRY},
    summary="Load records given in the body",
)
async def dml_direct_payload(request: Request, body: DirectPayload, caller: BulkWriter) -> Response:
    """Take in a list of records as a load."""
    load = LoadRequest(
        **option_fields(body.model_dump(exclude={"records"})),
        handling=handling_fields(body.model_dump(exclude={"records"})),
        object_name=body.object_name,
        operation=body.operation,
        external_id_field=body.external_id_field,
        part_rows=body.part_rows,
    )
    if load.dry_run:
        return json_reply(await services_of(request).preflight.records(load, body.records, caller))
    record = await services_of(request).loads.submit_records(load, body.records, caller)
    return await accepted(request, caller, record)


@router.post(
    "/query-submit",
    status_code=202,
    dependencies=NOTIFIES,
    response_model=JobAccepted,
    responses=problems(400, 413, 429, 502),
    summary="Start a bulk query",
)
async def query_submit(request: Request, body: QuerySubmit, caller: BulkWriter) -> Response:
    """Start a query of any size; its rows come from the job's results."""
    loads = services_of(request).loads
    record = await loads.submit_query(
        body.object_name,
        body.soql_query,
        body.operation,
        caller,
        output_format=body.output_format,
        target=body.target,
    )
    return await accepted(request, caller, record)


@router.get("/jobs", response_model=JobListReply, responses=problems(400), summary="List jobs, newest first")
async def jobs(
    request: Request,
    caller: BulkReader,
    state: Annotated[str | None, Query(max_length=20, examples=["InProgress"])] = None,
    object_name: _OptionalObject = None,
    operation: _AnyOperation = None,
    created_by: Annotated[str | None, Query(max_length=128, description="Sign-in name.")] = None,
    cursor: Annotated[str | None, Query(max_length=500)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Response:
    """Return a page of loads; `next_cursor` and the Link header lead to the next one."""
    chosen = JobFilter(state=state, object_name=object_name, operation=operation, created_by=created_by)
    page = await services_of(request).jobs.list(chosen, caller=caller, cursor=cursor, limit=limit)
    headers = None
    if page.next_cursor is not None:
        params = {**request.query_params, "cursor": page.next_cursor}
        headers = {"Link": f'<{request.url.path}?{urlencode(params)}>; rel="next"'}
    items = [_status_json(request, status) for status in page.items]
    return json_reply({"jobs": items, "next_cursor": page.next_cursor}, headers=headers)


@router.get(
    "/job/{job_id}/status",
    response_model=JobReply,
    responses=problems(400, 404, 429, 502),
    summary="See where a job stands",
)
async def job_status(
    request: Request,
    caller: BulkReader,
    job_id: JobId,
    is_query_job: Annotated[bool, Query(description="For a 750… id that is not ours: it is a query.")] = False,
    include_results_data: Annotated[
        bool, Query(description="Add the first 1,000 rows or 1 MiB of the results.")
    ] = False,
) -> Response:
    """Return a job's state and progress, by our id or by a Salesforce `750…` id."""
    service = services_of(request).jobs
    status = await service.status(job_id, caller=caller, is_query=is_query_job, include_results=include_results_data)
    return json_reply(_status_json(request, status))


@router.get(
    "/job/{job_id}/results/{kind}",
    response_class=CSVResponse,
    responses={
        **problems(400, 404, 409, 429, 502),
        200: {
            "description": "The rows, streamed",
            "content": {
                "text/csv": {
                    "schema": {"type": "string"},
                    "example": "ob__line,ob__status,sf__Id,...,Name\r\n2,succeeded,001Ob...,...,Acme\r\n",
                },
                "application/x-ndjson": {"schema": {"type": "string"}},
                "application/vnd.apache.parquet": {"schema": {"type": "string", "format": "binary"}},
            },
        },
    },
    summary="Fetch a job's results",
)
async def job_results(
    request: Request,
    caller: BulkReader,
    job_id: JobId,
    kind: Annotated[Literal["successful", "failed", "unprocessed", "skipped", "all"], Path()],
    loadable: Annotated[
        bool,
        Query(
            description="With `failed`: the input's own columns only, of the rows that failed or were not processed: "
            "a file to be mended and loaded again. Rows whose outcome is not known are left out."
        ),
    ] = False,
    spreadsheet_safe: Annotated[
        bool, Query(description="Of CSV: put an apostrophe before cells that a spreadsheet would run as formulas.")
    ] = False,
) -> Response:
    """Return rows with line number, outcome and original columns; `all` is in the order of the input.

    Of an export: its rows in the form in which it was written, unless Accept names another that can be had.
    """
    # The empty one stands first: it is what `*/*` and no Accept at all mean.
    asked = accepts(request, "", *(form.value for form in ResultForm))
    service = services_of(request).jobs
    form = await service.result_form(job_id, ResultForm(asked) if asked else None, caller=caller)
    blocks = await service.results(job_id, kind, form, caller=caller, loadable=loadable)
    if spreadsheet_safe and form is ResultForm.CSV:
        blocks = safe_for_spreadsheets(blocks)
    ending = {ResultForm.CSV: "csv", ResultForm.NDJSON: "ndjson", ResultForm.PARQUET: "parquet"}[form]
    return await stream_reply(blocks, media_type=form.value, filename=f"{job_id}-{kind}.{ending}")


@router.get(
    "/job/{job_id}/receipt",
    responses={
        **problems(404, 409),
        200: {
            "description": "The proof",
            "content": {
                "application/json": {
                    "example": {
                        "load_id": "load_01jd6z7w7kq2m4t8v0x3y5z7b9",
                        "balanced": True,
                        "rows": {"read": 3, "sent": 3, "succeeded": 2, "failed": 1, "unprocessed": 0, "skipped": 0},
                    }
                }
            },
        },
    },
    summary="Fetch a job's receipt",
)
async def job_receipt(request: Request, caller: BulkReader, job_id: JobId) -> Response:
    """Return the proof that every row is accounted for: counts and hashes, part by part."""
    return json_reply(await services_of(request).jobs.receipt(job_id, caller=caller))


@router.post(
    "/job/{job_id}/abort",
    status_code=202,
    response_model=JobReply,
    responses=problems(400, 404, 409, 429, 502),
    summary="Stop a job",
)
async def job_abort(request: Request, caller: BulkWriter, job_id: JobId) -> Response:
    """Ask a worker to stop the job. Rows already sent keep their outcome; an ended job stays as it is."""
    return json_reply(_status_json(request, await services_of(request).jobs.abort(job_id, caller=caller)), status=202)


def _status_json(request: Request, status: JobStatus) -> dict[str, JSON]:
    seen = status.preview
    path = request.app.url_path_for
    receipt = str(path("job_receipt", job_id=status.job_id)) if status.has_receipt else None
    results = str(path("job_results", job_id=status.job_id, kind="all")) if status.has_results else None
    return {
        "job_id": status.job_id,
        "state": status.state,
        "operation": status.operation,
        "object_name": status.object_name,
        "error_message": status.error_message,
        "records_processed": status.records_processed,
        "records_failed": status.records_failed,
        "job_info_details": status.details,
        "results_data": seen.rows if seen is not None else None,
        "raw_results_csv": seen.csv if seen is not None else None,
        "truncated": seen.truncated if seen is not None else False,
        "ended": status.ended,
        "is_query_job": status.is_query,
        "progress": status.progress,
        "parts": status.parts,
        "receipt_url": receipt,
        "results_url": results,
    }


async def _take(request: Request, load: LoadRequest, chunks: AsyncIterator[bytes], caller: Caller) -> Response:
    services = services_of(request)
    if load.dry_run:
        return json_reply(await services.preflight.stream(load, chunks, caller))
    return await accepted(request, caller, await services.loads.submit_stream(load, chunks, caller))


async def _drain(body: AsyncIterator[bytes]) -> None:
    """Read on a little after a refusal: a caller who is still sending would see a broken pipe and not the reason."""
    seen = 0
    try:
        async for chunk in body:
            seen += len(chunk)
            if seen > _DRAINED_BYTES:
                return
    except OrgbridgeError:
        return
