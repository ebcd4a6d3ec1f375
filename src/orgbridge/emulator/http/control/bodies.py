"""JSON in and out of the controls: one form of error for all of them."""

from __future__ import annotations

from starlette.responses import Response

from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.http.errors import ReplyNow
from orgbridge.emulator.http.replies import json_reply
from orgbridge.kit.json import JSON, JSONDecodeError, loads


def refuse(text: str, status: int = 400) -> ReplyNow:
    """Return the error that ends a call with a sentence for people."""
    return ReplyNow(json_reply({"error": text}, status))


async def read_json(call: Call) -> JSON:
    """Return the body; an empty one is an empty object.

    Raises:
        ReplyNow: The body is no JSON.
    """
    body = await call.body()
    if not body.strip():
        return {}
    try:
        return loads(body)
    except JSONDecodeError as error:
        raise refuse(str(error)) from error


async def read_object(call: Call, *known: str) -> dict[str, JSON]:
    """Return the body as an object.

    Args:
        call: The call.
        known: Keys that it may have; none given allows any.

    Raises:
        ReplyNow: The body is something else, or has another key.
    """
    value = await read_json(call)
    if not isinstance(value, dict):
        raise refuse("the body must be a JSON object")
    if known and (unknown := sorted(set(value) - set(known))):
        raise refuse(f"unknown keys: {', '.join(unknown)}; there are {', '.join(known)}")
    return value


def no_content() -> Response:
    """Return the reply of a control that did its work."""
    return Response(status_code=204)
