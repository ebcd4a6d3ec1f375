"""What the org says about its objects, with entity tags so that an unchanged describe costs nothing."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Request
from starlette.responses import Response

from orgbridge.api.security import RecordsReader, services_of
from orgbridge.api.v1.schemas.problems import problems
from orgbridge.api.v1.schemas.records import ObjectName
from orgbridge.kit.json import JSON, dumps

router = APIRouter(tags=["records"])
_UNCHANGED: dict[int | str, dict[str, Any]] = {304: {"description": "It is what If-None-Match names"}}
_TAG = {"ETag": {"description": "For If-None-Match", "schema": {"type": "string"}}}


@router.get(
    "/sobjects",
    responses={
        **problems(429, 502),
        **_UNCHANGED,
        200: {
            "description": "Salesforce's global describe",
            "headers": _TAG,
            "content": {
                "application/json": {
                    "example": {"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": [{"name": "Account"}]}
                }
            },
        },
    },
    summary="List the objects of the org",
)
async def objects(
    request: Request, caller: RecordsReader, if_none_match: Annotated[str | None, Header(examples=['"5f2b7c"'])] = None
) -> Response:
    """Return Salesforce's global describe; asked for again only when it changed."""
    return _cached(await services_of(request).records.objects(caller=caller), if_none_match)


@router.get(
    "/sobjects/{object_name}/describe",
    responses={
        **problems(400, 404, 429, 502),
        **_UNCHANGED,
        200: {
            "description": "Salesforce's describe",
            "headers": _TAG,
            "content": {
                "application/json": {
                    "example": {"name": "Account", "keyPrefix": "001", "fields": [{"name": "Name", "type": "string"}]}
                }
            },
        },
    },
    summary="Describe an object",
)
async def describe(
    request: Request,
    caller: RecordsReader,
    object_name: Annotated[ObjectName, Path(examples=["Account"])],
    if_none_match: Annotated[str | None, Header(examples=['"5f2b7c"'])] = None,
) -> Response:
    """Return Salesforce's describe of an object; asked for again only when it changed."""
    return _cached(await services_of(request).records.describe(object_name, caller=caller), if_none_match)


def _cached(value: JSON, if_none_match: str | None) -> Response:
    body = dumps(value)
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    known = {item.strip().removeprefix("W/") for item in (if_none_match or "").split(",")}
    if tag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)
