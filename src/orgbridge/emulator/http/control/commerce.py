"""Settings of commerce while the org runs: what they are, change them, go back."""

from __future__ import annotations

from starlette.responses import Response

from orgbridge.emulator.commerce.policy import PolicyError
from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.http.control.bodies import no_content, read_json, refuse
from orgbridge.emulator.http.replies import json_reply


async def show(call: Call) -> Response:
    """Answer GET /_emulator/commerce."""
    return json_reply(call.parts.commerce.shown())


async def change(call: Call) -> Response:
    """Answer PATCH /_emulator/commerce: an object of settings by name."""
    body = await read_json(call)
    if not isinstance(body, dict):
        raise refuse("the settings are a JSON object")
    try:
        call.parts.commerce.change(body)
    except PolicyError as error:
        raise refuse(str(error)) from error
    return json_reply(call.parts.commerce.shown())


async def reset(call: Call) -> Response:
    """Answer DELETE /_emulator/commerce: the settings of the start again."""
    call.parts.commerce.reset()
    return no_content()
