"""Describe over HTTP: all objects, one in short, one in full, with ETag and dates.

Source: facts/salesforce/rest.md section 2.
"""

from __future__ import annotations

import hashlib
from email.utils import format_datetime

from starlette.responses import Response

from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.http.replies import json_reply
from orgbridge.emulator.http.resources.conditions import header_instant
from orgbridge.emulator.schema.describe import describe_global, describe_item, describe_sobject
from orgbridge.emulator.storage.tables import quote
from orgbridge.kit.json import JSON, dumps

_RECENT = 5
#: First version that tells `sobjectDescribeOption`. Source: rest.md section 2.
_DESCRIBE_OPTION_SINCE = 50


async def global_describe(call: Call) -> Response:
    """Answer GET /sobjects."""
    return _conditional(call, describe_global(call.parts.org.view(call.user_id), call.data_path))


async def describe(call: Call) -> Response:
    """Answer GET /sobjects/{sobject}/describe."""
    sobject = call.parts.org.sobject(call.args["sobject"], user_id=call.user_id)
    value = describe_sobject(sobject, call.data_path)
    if call.version < _DESCRIBE_OPTION_SINCE:
        value.pop("sobjectDescribeOption", None)
    return _conditional(call, value)


async def basic_info(call: Call) -> Response:
    """Answer GET /sobjects/{sobject}: the object in short, and the newest rows."""
    sobject = call.parts.org.sobject(call.args["sobject"], user_id=call.user_id)
    base = f"{call.data_path}/sobjects/{sobject.name}"
    name = sobject.name_field

    def recent() -> list[JSON]:
        columns = "Id" if name is None else f"Id, {quote(name.name)}"
        # Names come from the catalogue and are quoted.
        sql = f"SELECT {columns} FROM {quote(sobject.name)} WHERE IsDeleted = 0 ORDER BY rowid DESC LIMIT {_RECENT}"  # noqa: S608
        with call.parts.storage.read() as connection:
            rows = connection.execute(sql).fetchall()
        return [
            {"attributes": {"type": sobject.name, "url": f"{base}/{row[0]}"}, "Id": row[0]}
            | ({} if name is None else {name.name: row[1]})
            for row in rows
        ]

    items = await call.thread(recent)
    return call.json({"objectDescribe": describe_item(sobject, call.data_path), "recentItems": items})


def _conditional(call: Call, value: JSON) -> Response:
    """Return the value, or 304 or 412 as the request's conditions say."""
    etag = '"' + hashlib.sha256(dumps(value)).hexdigest()[:8] + '"'
    changed_at = call.parts.schemas.changed_at
    headers = {"ETag": etag, "Last-Modified": format_datetime(changed_at, usegmt=True)}
    since = header_instant(call, "if-modified-since")
    unless = header_instant(call, "if-unmodified-since")
    known = call.header("if-none-match")
    if known is not None:
        if etag in [text.strip().removeprefix("W/") for text in known.split(",")]:
            return Response(status_code=304, headers=headers)
    elif since is not None and since >= changed_at:
        return Response(status_code=304, headers=headers)
    if unless is not None and unless < changed_at:
        return Response(status_code=412, headers=headers)
    return json_reply(value, headers=headers, pretty=call.pretty)
