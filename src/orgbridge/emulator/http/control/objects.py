"""Objects and fields of the running org: look at them, make them, change them, delete them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from starlette.responses import Response

from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.http.control.bodies import no_content, read_json, refuse
from orgbridge.emulator.http.replies import json_reply
from orgbridge.emulator.schema.compact import SchemaError

_T = TypeVar("_T")


async def _try(call: Call, work: Callable[[], _T]) -> _T:
    try:
        return await call.thread(work)
    except SchemaError as error:
        text = str(error)
        raise refuse(text, _status(text)) from error


def _status(text: str) -> int:
    if text.startswith("there is no object") or " has no field " in text:
        return 404
    return 409 if text.endswith(" already") else 400


async def show_all(call: Call) -> Response:
    """Answer GET /_emulator/objects: those with something custom."""
    return json_reply({"objects": await call.thread(call.parts.schemas.told)})


async def make(call: Call) -> Response:
    """Answer POST /_emulator/objects: one object or a list of them, all or none."""
    body = await read_json(call)
    made = await _try(call, lambda: call.parts.schemas.make_objects(body if isinstance(body, list) else [body]))
    return json_reply({"objects": made} if isinstance(body, list) else made[0], 201)


async def show(call: Call) -> Response:
    """Answer GET /_emulator/objects/{name}."""
    return json_reply(await _try(call, lambda: call.parts.schemas.object_told(call.args["name"])))


async def change(call: Call) -> Response:
    """Answer PATCH /_emulator/objects/{name}."""
    body = await read_json(call)
    return json_reply(await _try(call, lambda: call.parts.schemas.change_object(call.args["name"], body)))


async def drop(call: Call) -> Response:
    """Answer DELETE /_emulator/objects/{name}: the object goes with its rows."""
    await _try(call, lambda: call.parts.schemas.drop_object(call.args["name"]))
    return no_content()


async def make_field(call: Call) -> Response:
    """Answer POST /_emulator/objects/{name}/fields: one field or a list of them, as `make` does."""
    body, name = await read_json(call), call.args["name"]
    made = await _try(call, lambda: call.parts.schemas.make_fields(name, body if isinstance(body, list) else [body]))
    return json_reply({"fields": made} if isinstance(body, list) else made[0], 201)


async def show_fields(call: Call) -> Response:
    """Answer GET /_emulator/objects/{name}/fields."""
    data = await _try(call, lambda: call.parts.schemas.object_told(call.args["name"]))
    return json_reply({"fields": data["fields"]})


async def show_field(call: Call) -> Response:
    """Answer GET /_emulator/objects/{name}/fields/{field}."""
    name, field = call.args["name"], call.args["field"]
    return json_reply(await _try(call, lambda: call.parts.schemas.field_told(name, field)))


async def change_field(call: Call) -> Response:
    """Answer PATCH /_emulator/objects/{name}/fields/{field}."""
    body, name, field = await read_json(call), call.args["name"], call.args["field"]
    return json_reply(await _try(call, lambda: call.parts.schemas.change_field(name, field, body)))


async def drop_field(call: Call) -> Response:
    """Answer DELETE /_emulator/objects/{name}/fields/{field}: the field goes with its values."""
    await _try(call, lambda: call.parts.schemas.drop_field(call.args["name"], call.args["field"]))
    return no_content()
