"""Lists of jobs, the same for ingest and query: first those of Bulk API 2.0, then those of 1.0, newest first.

Source: facts/salesforce/bulk2.md section 8.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from starlette.responses import Response

from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.jobs.classic.faults import ClassicFault
from orgbridge.emulator.jobs.classic.info import list_item
from orgbridge.emulator.jobs.classic.rows import ClassicJob
from orgbridge.emulator.jobs.info import View, job_info
from orgbridge.emulator.jobs.rows import Job, JobKind
from orgbridge.emulator.schema.errors import SFError
from orgbridge.wire.ids import BULK_JOB_PREFIX

_PAGE = 1_000
_LOCATOR_PREFIX = "01g"
_LOCATOR = re.compile(r"01g(\w{15})-(\d{1,9})\Z")
_CLASSIC = "Classic"
_FILTERS = ("isPkChunkingEnabled", "jobType", "concurrencyMode")
_KNOWN = frozenset({"querylocator", *map(str.lower, _FILTERS)})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Listing:
    """Which jobs a list holds."""

    #: Those of Bulk API 2.0 of the kind.
    own: bool
    #: Those of Bulk API 1.0.
    classic: bool
    #: Concurrency that Bulk API 1.0 jobs must have; None for any.
    concurrency: str | None


async def job_list(call: Call, kind: JobKind, job_types: frozenset[str], own_type: str) -> Response:
    """Return a page of the list; filters that no job of this org can meet give an empty one.

    Without a filter by type the list of ingest jobs holds the Bulk API 1.0 jobs too. Assumed: that of queries does not.

    Raises:
        SFError: A parameter is not understood.
    """
    for name in call.request.query_params:
        if name.lower() not in _KNOWN:
            raise SFError("INVALID_QUERY_FILTER_OPERATOR", f"The parameter {name} is not supported")
    job_type = call.query("jobType")
    if job_type is not None and job_type not in job_types:
        raise SFError("INVALID_QUERY_FILTER_OPERATOR", f"jobType {job_type!r} is not one of {sorted(job_types)}")
    chunked = (call.query("isPkChunkingEnabled") or "false").lower()
    mode = call.query("concurrencyMode") or "Parallel"
    if chunked not in ("true", "false") or mode not in ("Parallel", "Serial"):
        raise SFError("INVALID_QUERY_FILTER_OPERATOR", "isPkChunkingEnabled or concurrencyMode has no valid value")
    listing = _Listing(
        own=chunked == "false" and job_type in (None, own_type) and mode == "Parallel",
        classic=chunked == "false" and (job_type == _CLASSIC or (job_type is None and kind is JobKind.INGEST)),
        concurrency=call.query("concurrencyMode"),
    )
    locator = call.query("queryLocator")
    found, seen = await call.thread(lambda: _found(call, kind, listing, locator))
    page = found[:_PAGE]
    done = len(found) <= _PAGE
    next_url = None
    if not done:
        # The last job's id under the prefix of locators: neither prefix has a capital, so the checksum stays right.
        name = _LOCATOR_PREFIX + page[-1].id.removeprefix(BULK_JOB_PREFIX)
        filters = "".join(f"&{key}={value}" for key in _FILTERS if (value := call.query(key)))
        next_url = f"{call.data_path}/jobs/{kind.value}?queryLocator={name}-{seen + _PAGE}{filters}"
    records = [list_item(job) if isinstance(job, ClassicJob) else job_info(job, View.ITEM) for job in page]
    return call.json({"done": done, "records": records, "nextRecordsUrl": next_url})


def _found(call: Call, kind: JobKind, listing: _Listing, locator: str | None) -> tuple[list[Job | ClassicJob], int]:
    """Return the jobs of a page and one more, and how many came before them."""
    last, seen = _last(call, kind, locator)
    limit = _PAGE + 1
    found: list[Job | ClassicJob] = []
    if listing.own and not isinstance(last, ClassicJob):
        found += call.parts.jobs.page(kind, before=last.number if last else None, limit=limit)
    if listing.classic:
        before = last.number if isinstance(last, ClassicJob) else None
        while len(found) < limit:
            jobs = call.parts.classic.page(before=before, limit=limit)
            found += [job for job in jobs if listing.concurrency in (None, job.concurrency)][: limit - len(found)]
            if len(jobs) < limit:
                break
            before = jobs[-1].number
    return found, seen


def _last(call: Call, kind: JobKind, locator: str | None) -> tuple[Job | ClassicJob | None, int]:
    """Return the job that the page before ended with, and how many were shown."""
    if locator is None:
        return None, 0
    found = _LOCATOR.match(locator)
    if found is None:
        raise SFError("INVALID_QUERY_LOCATOR", "invalid query locator")
    job_id, seen = BULK_JOB_PREFIX + found.group(1), int(found.group(2))
    try:
        return call.parts.jobs.get(kind, job_id), seen
    except SFError:
        pass
    try:
        return call.parts.classic.get(job_id)[0], seen
    except ClassicFault as error:
        raise SFError("INVALID_QUERY_LOCATOR", "invalid query locator") from error
