"""The emulator's own controls, for callers on this machine: trouble on demand, and what happened so far."""

from __future__ import annotations

import resource
import sys
from functools import partial

import psutil
from starlette.responses import Response

from orgbridge.emulator.faults import FaultError
from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.http.replies import json_reply
from orgbridge.kit.json import JSON, JSONDecodeError, loads


async def program_faults(call: Call) -> Response:
    """Answer POST /__emulator/faults: one order or a list.

    `{"kind": "expire_sessions"}` ends all sessions at once, with a `username` those of one user.
    """
    try:
        body = loads(await call.body())
    except JSONDecodeError as error:
        return json_reply({"error": str(error)}, 400)
    orders = body if isinstance(body, list) else [body]
    for order in orders:
        if not isinstance(order, dict):
            return json_reply({"error": "an order is a JSON object"}, 400)
        if order.get("kind") == "expire_sessions":
            if not await call.thread(partial(_expire, call, order.get("username"))):
                return json_reply({"error": "there is no such user"}, 400)
            continue
        try:
            call.parts.faults.program(order)
        except FaultError as error:
            return json_reply({"error": str(error)}, 400)
    return Response(status_code=204)


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


async def clear_faults(call: Call) -> Response:
    """Answer DELETE /__emulator/faults."""
    call.parts.faults.clear()
    return Response(status_code=204)


async def stats(call: Call) -> Response:
    """Answer GET /__emulator/stats."""
    process = psutil.Process()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    body: dict[str, JSON] = {
        "pid": process.pid,
        "requests": call.parts.usage.routes(),
        "api_calls": call.parts.usage.calls,
        "upload_complete_commits": await call.thread(call.parts.jobs.commits),
        "rss_bytes": process.memory_info().rss,
        # macOS counts bytes here, Linux kibibytes.
        "peak_rss_bytes": peak if sys.platform == "darwin" else peak * 1024,
    }
    return json_reply(body)


async def health(_call: Call) -> Response:
    """Answer GET /__emulator/health: the org answers."""
    return json_reply({"status": "ok"})
