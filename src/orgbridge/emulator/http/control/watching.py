"""What happened so far: counts, the process's figures, and the requests themselves."""

from __future__ import annotations

import re
import resource
import sys

import psutil
from starlette.responses import Response

from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.http.control.bodies import no_content, refuse
from orgbridge.emulator.http.replies import json_reply
from orgbridge.kit.json import JSON


async def stats(call: Call) -> Response:
    """Answer GET /_emulator/stats."""
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
    """Answer GET /_emulator/health: the org answers."""
    return json_reply({"status": "ok"})


async def requests(call: Call) -> Response:
    """Answer GET /_emulator/requests?method=&path=&status=&since=&limit=: the kept requests that match.

    `path` is a regular expression that is searched for; `since` is the number of a request, and only later ones are
    told; `total` counts those as well that are not kept any more.
    """
    numbers: dict[str, int | None] = {}
    for name in ("status", "since", "limit"):
        text = call.query(name)
        if text is not None and not (text.isascii() and text.isdigit()):
            raise refuse(f"{name} must be a whole number")
        numbers[name] = None if text is None else int(text)
    try:
        path = re.compile(call.query("path") or "", re.IGNORECASE)
    except re.error as error:
        raise refuse(f"path is no regular expression: {error}") from error
    log = call.parts.requests
    limit = numbers["limit"]
    found = log.find(
        method=call.query("method"),
        path=path,
        status=numbers["status"],
        since=numbers["since"] or 0,
        limit=1_000 if limit is None else limit,
    )
    return json_reply({"requests": [entry.told() for entry in found], "total": log.total})


async def clear_requests(call: Call) -> Response:
    """Answer DELETE /_emulator/requests."""
    call.parts.requests.clear()
    return no_content()
