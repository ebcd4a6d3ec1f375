"""Loads and bulk queries, as they are taken in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from orgbridge.api.bodies import StrictRoute
from orgbridge.api.replies import body_of, json_reply
from orgbridge.api.security import BulkWriter, services_of
from orgbridge.api.v1.outcomes import accepted, batch_reply
from orgbridge.api.v1.schemas.bulk import (
    DirectPayload,
    JobAccepted,
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
from orgbridge.services.handling import HANDLING_OPTIONS
from orgbridge.services.loads import LoadRequest
from orgbridge.services.scopes import Caller
from orgbridge.services.uploads import Upload, whole_body

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
            "application/x-ndjson": {
                "schema": {"type": "string", "format": "binary"},
                "example": '{"Name": "Acme", "Industry": "Technology"}\n',
            },
            "application/json": {
                "schema": {"type": "array", "items": {"type": "object"}},
                "example": [{"Name": "Acme", "Industry": "Technology"}],
            },
        },
    }
}

_OptionalObject = Annotated[ObjectName | None, Query(examples=["Account"])]
_OptionalField = Annotated[FieldName | None, Query(examples=["External_Id__c"])]
_OptionalOperation = Annotated[LoadOperation | None, Query()]
_Encoding = Annotated[
    str | None, Query(max_length=40, description="When it cannot be told from the bytes.", examples=["cp1252"])
]
_Delimiter = Annotated[
    str | None, Query(max_length=10, description="When it cannot be told from the header.", examples=[";"])
]
_Handling = Annotated[dict[str, Any], Depends(handling_query)]
_Options = Annotated[dict[str, str | bool | None], Depends(query_options)]
_DRY: dict[int | str, dict[str, Any]] = {200: {"description": "A dry run: what was found", "model": PreflightReply}}
_PartRows = Annotated[int | None, Query(ge=1, le=MAX_PART_ROWS, description="Rows per part.", examples=[10000])]


def _upload_query(
    options: _Options,
    object_name: _OptionalObject = None,
    operation_type: _OptionalOperation = None,
    external_id_field: _OptionalField = None,
    encoding: _Encoding = None,
    delimiter: _Delimiter = None,
    part_rows: _PartRows = None,
    *,
    handling: _Handling,
) -> dict[str, Any]:
    """Return what the query says of an upload whose form may say it as well; None for what it does not say."""
    return {
        **options,
        "object_name": object_name,
        "operation_type": operation_type,
        "external_id_field": external_id_field,
        "encoding": encoding,
        "delimiter": delimiter,
        "part_rows": part_rows,
        **handling,
    }


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
    request: Request, caller: BulkWriter, query: Annotated[dict[str, Any], Depends(_upload_query)]
) -> Response:
    """Take in CSV (any delimiter, BOM, UTF-8/16, cp1252), a JSON array or NDJSON, packed or not; Parquet or XLSX.

    The parameters may also be form fields that stand before the file. The file is streamed to disk, whatever its size.
    """
    body = body_of(request)
    try:
        load, chunks = await _opened(request, body, query)
        return await _take(request, load, chunks, caller)
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
    object_name: Annotated[ObjectName, Query(examples=["Account"])],
    operation_type: Annotated[LoadOperation, Query()],
    options: _Options,
    external_id_field: _OptionalField = None,
    encoding: _Encoding = None,
    delimiter: _Delimiter = None,
    part_rows: _PartRows = None,
    filename: Annotated[
        str, Query(max_length=255, description="Its ending tells the format.", examples=["accounts.csv"])
    ] = "",
    *,
    handling: _Handling,
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
    request: Request, caller: BulkWriter, query: Annotated[dict[str, Any], Depends(_upload_query)]
) -> Response:
    """Look at every row of a file as a load would: findings with line numbers, and an estimate. Nothing is sent.

    Takes what the upload of a load takes, in the same way.
    """
    body = body_of(request)
    try:
        load, chunks = await _opened(request, body, query)
        return json_reply(await services_of(request).preflight.stream(load, chunks, caller))
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


async def _opened(
    request: Request, body: AsyncIterator[bytes], query: dict[str, Any]
) -> tuple[LoadRequest, AsyncIterator[bytes]]:
    """Return what an upload asks for, and the bytes of its file."""
    check_query(request, FORM_OPTIONS)
    upload = Upload(body, request.headers.get("content-type", ""))
    await upload.open()
    load = form_request(upload, query)
    return load, upload.chunks()


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
