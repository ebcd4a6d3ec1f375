"""Trouble on demand: order it, look at it, call it off."""

from __future__ import annotations

from functools import partial

from starlette.responses import Response

from orgbridge.emulator.faults import FaultError
from orgbridge.emulator.faults.orders import PRESETS, Kind
from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.http.control.bodies import no_content, read_json, refuse
from orgbridge.emulator.http.replies import json_reply


async def program(call: Call) -> Response:
    """Answer POST /_emulator/faults: one order or a list.

    `{"kind": "expire_sessions"}` ends all sessions at once, with a `username` those of one user.
    Of a list with a wrong order in it, those before it are in force.
    """
    body = await read_json(call)
    made: list[str] = []
    for order in body if isinstance(body, list) else [body]:
        if not isinstance(order, dict):
            raise refuse("an order is a JSON object")
        if order.get("kind") == "expire_sessions":
            if not await call.thread(partial(_expire, call, order.get("username"))):
                raise refuse("there is no such user")
            continue
        try:
            made.append(call.parts.faults.program(order))
        except FaultError as error:
            raise refuse(str(error)) from error
    await call.thread(call.parts.lifecycle.save)
    return json_reply({"ids": [order_id for order_id in made if order_id]})


def _expire(call: Call, username: str | None) -> bool:
    """End the sessions of one user, or all of them; False when there is no such user."""
    sessions = call.parts.sessions
    if username is None:
        sessions.expire_all()
        return True
    user = call.parts.directory.by_username(username)
    if user is not None:
        sessions.expire_user(user.id)
    return user is not None


async def show(call: Call) -> Response:
    """Answer GET /_emulator/faults: what is in force, how often it struck, and what may be ordered."""
    kinds = [*(kind.value for kind in Kind), *PRESETS, "expire_sessions", "clear"]
    return json_reply({"faults": call.parts.faults.told(), "kinds": kinds})


async def clear(call: Call) -> Response:
    """Answer DELETE /_emulator/faults."""
    call.parts.faults.clear()
    await call.thread(call.parts.lifecycle.save)
    return no_content()


async def clear_one(call: Call) -> Response:
    """Answer DELETE /_emulator/faults/{id}."""
    if not call.parts.faults.clear(call.args["id"]):
        raise refuse(f"there is no order {call.args['id']!r}", 404)
    await call.thread(call.parts.lifecycle.save)
    return no_content()
