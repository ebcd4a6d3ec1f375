"""Lists of jobs, the same for ingest and query.

Source: facts/salesforce/bulk2.md section 8.
"""

from __future__ import annotations

import re

from starlette.responses import Response

from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.jobs.info import View, job_info
from orgbridge.emulator.jobs.rows import JobKind
from orgbridge.emulator.schema.errors import SFError
from orgbridge.wire.ids import BULK_JOB_PREFIX

_PAGE = 1_000
_LOCATOR_PREFIX = "01g"
_LOCATOR = re.compile(r"01g(\w{15})-(\d{1,9})\Z")
_KNOWN = frozenset({"ispkchunkingenabled", "jobtype", "querylocator", "concurrencymode"})


async def job_list(call: Call, kind: JobKind, job_types: frozenset[str], own_type: str) -> Response:
    """Return a page of the list; filters that no job of this org can meet give an empty one.

    Raises:
        SFError: A parameter is not understood.
    """
    for name in call.request.query_params:
        if name.lower() not in _KNOWN:
            raise SFError("INVALID_QUERY_FILTER_OPERATOR", f"The parameter {name} is not supported")
    job_type = call.query("jobType") or own_type
    if job_type not in job_types:
        raise SFError("INVALID_QUERY_FILTER_OPERATOR", f"jobType {job_type!r} is not one of {sorted(job_types)}")
    chunked = (call.query("isPkChunkingEnabled") or "false").lower()
    mode = call.query("concurrencyMode") or "Parallel"
    if chunked not in ("true", "false") or mode not in ("Parallel", "Serial"):
        raise SFError("INVALID_QUERY_FILTER_OPERATOR", "isPkChunkingEnabled or concurrencyMode has no valid value")
    if job_type != own_type or chunked == "true" or mode == "Serial":
        return call.json({"done": True, "records": [], "nextRecordsUrl": None})
    jobs, locator = call.parts.jobs, call.query("queryLocator")
    before, seen = await call.thread(lambda: _position(call, kind, locator))
    found = await call.thread(lambda: jobs.page(kind, before=before, limit=_PAGE + 1))
    page = found[:_PAGE]
    done = len(found) <= _PAGE
    next_url = None
    if not done:
        # The last job's id under the prefix of locators: neither prefix has a capital, so the checksum stays right.
        name = _LOCATOR_PREFIX + page[-1].id.removeprefix(BULK_JOB_PREFIX)
        next_url = f"{call.data_path}/jobs/{kind.value}?queryLocator={name}-{seen + _PAGE}"
    return call.json({"done": done, "records": [job_info(job, View.ITEM) for job in page], "nextRecordsUrl": next_url})


def _position(call: Call, kind: JobKind, locator: str | None) -> tuple[int | None, int]:
    if locator is None:
        return None, 0
    found = _LOCATOR.match(locator)
    if found is None:
        raise SFError("INVALID_QUERY_LOCATOR", "invalid query locator")
    try:
        job = call.parts.jobs.get(kind, BULK_JOB_PREFIX + found.group(1))
    except SFError as error:
        raise SFError("INVALID_QUERY_LOCATOR", "invalid query locator") from error
    return job.number, int(found.group(2))
