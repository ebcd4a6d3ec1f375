"""/jobs/query of Bulk API 2.0.

Source: facts/salesforce/bulk2.md sections 1, 8 and 9.
"""

from __future__ import annotations

import base64
import binascii

from starlette.responses import Response

from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.http.errors import not_found
from orgbridge.emulator.http.replies import csv_reply
from orgbridge.emulator.http.resources.bulk_lists import job_list
from orgbridge.emulator.jobs.info import View, job_info
from orgbridge.emulator.jobs.requests import read_query_request, read_state
from orgbridge.emulator.jobs.rows import JobKind
from orgbridge.emulator.jobs.service import DEFAULT_PAGE_ROWS
from orgbridge.emulator.schema.errors import SFError
from orgbridge.wire.bulk import JobState

#: Addresses in one reply of resultPages. Source: bulk2.md section 9.
_PAGES = 5
#: First version with resultPages. Source: bulk2.md, head.
_PAGES_SINCE = 58
#: Rows of a page at most. Assumed: clients saw up to 250,000.
_PAGE_MAX = 250_000


def _locator(position: int) -> str:
    return base64.b64encode(str(position).encode()).decode().rstrip("=")


def _position(locator: str | None) -> int:
    if not locator or locator == "null":
        return 0
    try:
        text = base64.b64decode(locator + "=" * (-len(locator) % 4), validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError, ValueError) as error:
        raise SFError("INVALID_QUERY_LOCATOR", "invalid query locator") from error
    if not text.isdigit() or len(text) > 15:
        raise SFError("INVALID_QUERY_LOCATOR", "invalid query locator")
    return int(text)


def _page_rows(call: Call) -> int:
    text = call.query("maxRecords")
    if text is None or text == "":
        return DEFAULT_PAGE_ROWS
    if not text.isdigit() or int(text) < 1:
        # Assumed: text.
        raise SFError("CLIENTINPUTERROR", f"maxRecords {text!r} is no positive number")
    return min(int(text), _PAGE_MAX)


async def create(call: Call) -> Response:
    """Answer POST /jobs/query."""
    request = read_query_request(await call.json_object())
    user_id, version = call.user_id, call.version
    job = await call.thread(lambda: call.parts.jobs.create_query(request, user_id, version))
    return call.json(job_info(job, View.SHORT))


async def show(call: Call) -> Response:
    """Answer GET /jobs/query/{id}."""
    job = await call.thread(lambda: call.parts.jobs.get(JobKind.QUERY, call.args["id"]))
    return call.json(job_info(job, View.FULL))


async def change(call: Call) -> Response:
    """Answer PATCH /jobs/query/{id}: abort."""
    if read_state(await call.json_object()) is not JobState.ABORTED:
        raise SFError("INVALIDJOBSTATE", "A query job can only be aborted")
    job = await call.thread(lambda: call.parts.jobs.abort(JobKind.QUERY, call.args["id"]))
    return call.json(job_info(job, View.SHORT))


async def remove(call: Call) -> Response:
    """Answer DELETE /jobs/query/{id}."""
    await call.thread(lambda: call.parts.jobs.delete(JobKind.QUERY, call.args["id"]))
    return Response(status_code=204)


async def show_all(call: Call) -> Response:
    """Answer GET /jobs/query."""
    kinds = frozenset({"V2Ingest", "Classic", "BigObjectIngest", "V2Query"})
    return await job_list(call, JobKind.QUERY, kinds, "V2Query")


async def results(call: Call) -> Response:
    """Answer GET /jobs/query/{id}/results: one page, with its header row and the locator of the next."""
    start, rows = _position(call.query("locator")), _page_rows(call)
    jobs, job_id, version = call.parts.jobs, call.args["id"], call.version
    page = await call.thread(lambda: jobs.result_page(job_id, version, start, rows))
    headers = {
        "Sforce-Locator": "null" if page.is_last else _locator(page.stop),
        "Sforce-NumberOfRecords": str(page.stop - page.start),
    }
    return csv_reply(jobs.page_blocks(page), headers)


async def result_pages(call: Call) -> Response:
    """Answer GET /jobs/query/{id}/resultPages: the addresses of up to five pages from a locator on."""
    if call.version < _PAGES_SINCE:
        raise not_found()
    start = _position(call.query("locator"))
    jobs, job_id, version = call.parts.jobs, call.args["id"], call.version
    page = await call.thread(lambda: jobs.result_page(job_id, version, start, DEFAULT_PAGE_ROWS))
    path = f"{call.data_path}/jobs/query/{page.job.id}"
    starts = list(range(start, max(page.job.processed, start + 1), DEFAULT_PAGE_ROWS))
    done = len(starts) <= _PAGES
    next_url = None if done else f"{path}/resultpages?locator={_locator(starts[_PAGES])}"
    pages = [{"resultUrl": f"{path}/results?locator={_locator(place)}"} for place in starts[:_PAGES]]
    return call.json({"resultPages": pages, "nextRecordsUrl": next_url, "done": done})
