"""Record calls: one record, or a batch."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from orgbridge.api.bodies import StrictRoute
from orgbridge.api.replies import json_reply
from orgbridge.api.security import RecordsReader, RecordsWriter, services_of
from orgbridge.api.v1.outcomes import accepted, batch_reply
from orgbridge.api.v1.schemas.problems import problems
from orgbridge.api.v1.schemas.records import (
    BatchReply,
    BatchRequest,
    FieldName,
    ObjectName,
    RecordCreate,
    RecordReply,
    RecordUpdate,
    RecordUpsert,
)
from orgbridge.kit.json import JSON
from orgbridge.services.batches import BatchWay, batch_route
from orgbridge.services.loads import LoadRequest
from orgbridge.services.records import RecordOutcome

router = APIRouter(tags=["records"], route_class=StrictRoute)
ObjectPath = Annotated[ObjectName, Path(examples=["Account"])]
_RecordKey = Annotated[
    str,
    Path(
        min_length=1,
        max_length=255,
        description="Salesforce id, or the external id's value.",
        examples=["001000000000001AAA"],
    ),
]
_KeyField = Annotated[FieldName | None, Query(examples=["External_Id__c"])]


@router.post(
    "/records/create",
    status_code=201,
    response_model=RecordReply,
    responses=problems(400, 404, 409, 413, 429, 502),
    summary="Create one record",
)
async def create(request: Request, body: RecordCreate, caller: RecordsWriter) -> Response:
    """Create a record of any object. A create whose reply was lost is told as such and never sent twice."""
    done = await services_of(request).records.create(body.object_name, body.data, caller=caller)
    return _reply(done, f"{body.object_name} created.", status=201)


@router.patch(
    "/records/update",
    response_model=RecordReply,
    responses=problems(400, 404, 409, 413, 429, 502),
    summary="Update one record",
)
async def update(request: Request, body: RecordUpdate, caller: RecordsWriter) -> Response:
    """Set fields of a record by its Salesforce id."""
    done = await services_of(request).records.update(body.object_name, body.record_id, body.data, caller=caller)
    return _reply(done, f"{body.object_name} updated.")


@router.post(
    "/records/upsert",
    response_model=RecordReply,
    responses=problems(400, 404, 409, 413, 429, 502),
    summary="Create or update one record by external id",
)
async def upsert(request: Request, body: RecordUpsert, caller: RecordsWriter) -> Response:
    """Create the record with this external id, or update it when it exists. `created` tells which."""
    records = services_of(request).records
    done = await records.upsert(body.object_name, body.external_id_field, body.record_id, body.data, caller=caller)
    return _reply(done, f"{body.object_name} {'created' if done.created else 'updated'}.", created=done.created)


@router.post(
    "/records/batch",
    response_model=BatchReply,
    responses={
        **problems(400, 404, 409, 413, 429, 502),
        202: {"description": "A load was made: ask for its status", "model": BatchReply},
    },
    summary="Process a list of records",
)
async def batch(request: Request, body: BatchRequest, caller: RecordsWriter) -> Response:
    """Process records by sObject Collections, 200 a call, results in the order of the input; or as a load.

    `via` and `reason` say which way was taken and why. A load needs the scope bulk:write too.
    """
    services = services_of(request)
    route = batch_route(
        body.use_bulk_api, len(body.records), operation=body.operation_type, all_or_none=body.all_or_none
    )
    if route.way is BatchWay.BULK:
        load = LoadRequest(
            object_name=body.object_name, operation=body.operation_type, external_id_field=body.external_id_field
        )
        taken = await services.loads.submit_records(load, body.records, caller)
        return await accepted(request, caller, taken, route)
    done = await services.batches.run(
        body.object_name,
        body.operation_type,
        body.records,
        caller=caller,
        external_id_field=body.external_id_field,
        all_or_none=body.all_or_none,
    )
    return batch_reply(done, route)


@router.get(
    # An external id's value may hold slashes.
    "/records/{object_name}/{record_id:path}",
    response_model=RecordReply,
    responses=problems(400, 404, 429, 502),
    summary="Read one record",
)
async def retrieve(
    request: Request,
    caller: RecordsReader,
    object_name: ObjectPath,
    record_id: _RecordKey,
    fields: Annotated[str | None, Query(max_length=10_000, examples=["Name,Industry"])] = None,
    external_id_field: _KeyField = None,
) -> Response:
    """Read a record by its id of 15 or 18 characters, or by an external id."""
    records = services_of(request).records
    done = await records.retrieve(
        object_name, record_id, caller=caller, fields=fields, external_id_field=external_id_field
    )
    return read_reply(done, object_name)


@router.delete(
    "/records/{object_name}/{record_id:path}",
    response_model=RecordReply,
    responses=problems(400, 404, 409, 429, 502),
    summary="Delete one record",
)
async def delete(
    request: Request,
    caller: RecordsWriter,
    object_name: ObjectPath,
    record_id: _RecordKey,
    external_id_field: _KeyField = None,
) -> Response:
    """Put a record into the recycle bin, by its id or by an external id."""
    records = services_of(request).records
    done = await records.delete(object_name, record_id, caller=caller, external_id_field=external_id_field)
    return _reply(done, f"{object_name} deleted.")


def read_reply(done: RecordOutcome, object_name: str) -> Response:
    """Return the reply of a read."""
    return _reply(done, f"{object_name} found.")


def _reply(done: RecordOutcome, message: str, *, status: int = 200, created: bool | None = None) -> Response:
    body: dict[str, JSON] = {
        "success": True,
        "message": message,
        "record_id": done.record_id,
        "data": done.data,
        "errors": [],
    }
    if created is not None:
        body["created"] = created
    return json_reply(body, status=status)
