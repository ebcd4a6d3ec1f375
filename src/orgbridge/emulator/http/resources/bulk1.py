"""/services/async of Bulk API 1.0: jobs, their batches and results.

The session comes in `X-SFDC-Session`; `Authorization` is taken where that is missing (Assumed). Everything that goes
wrong is HTTP 400 with a code of its own, an expired session too.

Source: facts/salesforce/bulk1.md.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from functools import wraps

from starlette.responses import Response

from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.http.replies import csv_reply
from orgbridge.emulator.http.resources.bulk1_bodies import read_batch, read_info
from orgbridge.emulator.http.resources.bulk1_replies import (
    MEDIA_TYPES,
    batch_list_reply,
    fault_reply,
    info_reply,
    result_list_reply,
    wants_json,
)
from orgbridge.emulator.http.routing import Access, Route
from orgbridge.emulator.jobs.classic.chunking import read_chunking
from orgbridge.emulator.jobs.classic.faults import ClassicFault
from orgbridge.emulator.jobs.classic.info import batch_info, job_info
from orgbridge.emulator.jobs.classic.requests import read_job_request, read_state
from orgbridge.emulator.jobs.classic.rows import ClassicBatch, ClassicJob, ContentType, result_id
from orgbridge.wire.versions import NEWEST, OLDEST

_Handler = Callable[[Call], Awaitable[Response]]
_VERSION = re.compile(r"(\d{1,3})\.0\Z")
#: Longest path that is told to be no address of this API, in segments after the version.
_DEEPEST = 8


def _classic(handler: _Handler) -> _Handler:
    """Sign the caller in, count the call, and turn a refusal into this API's reply."""

    @wraps(handler)
    async def answer(call: Call) -> Response:
        try:
            call.version = 0  # Bulk 1.0 replies carry no Sforce-Limit-Info.
            version = _version(call.args["version"])
            await _sign_in(call)
            call.args["version"] = str(version)
            return await handler(call)
        except ClassicFault as fault:
            return fault_reply(call, fault)

    return answer


def _version(text: str) -> int:
    found = _VERSION.match(text)
    if found is None or not OLDEST <= int(found.group(1)) <= NEWEST:
        raise ClassicFault("InvalidVersion", f"API version {text} is not supported")
    return int(found.group(1))


async def _sign_in(call: Call) -> None:
    token = (call.header("x-sfdc-session") or "").strip()
    if not token:
        scheme, _, given = (call.header("authorization") or "").partition(" ")
        token = given.strip() if scheme.lower() in ("bearer", "oauth") else ""
    if token:
        sessions = call.parts.sessions
        known = sessions.known(token)
        call.session = known if known is not None else await call.thread(lambda: sessions.find(token))
    if call.session is None:
        raise ClassicFault("InvalidSessionId", "Invalid session id")
    refusal = call.parts.directory.api_refusal(call.session.user_id)
    if refusal is not None:
        code = "FeatureNotEnabled" if refusal.code == "API_DISABLED_FOR_ORG" else "InvalidUser"
        raise ClassicFault(code, refusal.message)
    if not call.parts.usage.count():
        raise ClassicFault("ExceededQuota", "TotalRequests Limit exceeded.")


def _batch_reply(call: Call, job: ClassicJob, batch: ClassicBatch, status: int = 200) -> Response:
    as_json = job.content_type is ContentType.JSON
    return info_reply(call, "batchInfo", batch_info(job, batch, as_json=as_json), as_json=as_json, status=status)


@_classic
async def create(call: Call) -> Response:
    """Answer POST /job."""
    chunking = read_chunking(call.header("sforce-enable-pkchunking"))
    ending = (call.header("sforce-line-ending") or "LF").strip().upper()
    if ending not in ("LF", "CRLF"):
        raise ClassicFault("ClientInputError", f"Sforce-Line-Ending {ending} is not LF or CRLF")
    request = read_job_request(call.parts.org.catalogue, await read_info(call), call.parts.org.view(call.user_id))
    jobs, user_id, version = call.parts.classic, call.user_id, int(call.args["version"])
    job, totals = await call.thread(
        lambda: jobs.create(request, user_id=user_id, version=version, line_ending=ending, chunking=chunking)
    )
    as_json = wants_json(call)
    return info_reply(call, "jobInfo", job_info(job, totals, as_json=as_json), as_json=as_json, status=201)


@_classic
async def show(call: Call) -> Response:
    """Answer GET /job/{job}."""
    job, totals = await call.thread(lambda: call.parts.classic.get(call.args["job"]))
    as_json = wants_json(call)
    return info_reply(call, "jobInfo", job_info(job, totals, as_json=as_json), as_json=as_json)


@_classic
async def change(call: Call) -> Response:
    """Answer POST /job/{job}: close or abort."""
    state = read_state(await read_info(call), call.args["job"])
    job, totals = await call.thread(lambda: call.parts.classic.change(call.args["job"], state))
    as_json = wants_json(call)
    return info_reply(call, "jobInfo", job_info(job, totals, as_json=as_json), as_json=as_json)


@_classic
async def add_batch(call: Call) -> Response:
    """Answer POST /job/{job}/batch."""
    jobs, job_id = call.parts.classic, call.args["job"]
    job, _ = await call.thread(lambda: jobs.get(job_id))
    body = await read_batch(call, job)
    batch = await call.thread(lambda: jobs.add_batch(job_id, body))
    return _batch_reply(call, job, batch, 201)


@_classic
async def batches(call: Call) -> Response:
    """Answer GET /job/{job}/batch."""
    job, found = await call.thread(lambda: call.parts.classic.batches(call.args["job"]))
    as_json = job.content_type is ContentType.JSON
    return batch_list_reply(call, [batch_info(job, batch, as_json=as_json) for batch in found], as_json=as_json)


@_classic
async def show_batch(call: Call) -> Response:
    """Answer GET /job/{job}/batch/{batch}."""
    job, batch = await call.thread(lambda: call.parts.classic.batch(call.args["job"], call.args["batch"]))
    return _batch_reply(call, job, batch)


@_classic
async def request(call: Call) -> Response:
    """Answer GET /job/{job}/batch/{batch}/request: what was sent."""
    job, body = await call.thread(lambda: call.parts.classic.request(call.args["job"], call.args["batch"]))
    return _content(Response(body), job)


@_classic
async def results(call: Call) -> Response:
    """Answer GET /job/{job}/batch/{batch}/result: the results, or for a query the list of its result files."""
    jobs = call.parts.classic
    job, batch, files = await call.thread(lambda: jobs.results(call.args["job"], call.args["batch"]))
    if job.operation.reads:
        ids = [result_id(batch, file) for file in files]
        return result_list_reply(call, ids, as_json=job.content_type is ContentType.JSON)
    return _content(csv_reply(jobs.blocks(batch, 0)), job)


@_classic
async def result(call: Call) -> Response:
    """Answer GET /job/{job}/batch/{batch}/result/{result}: one result file of a query."""
    jobs = call.parts.classic
    job, batch, files = await call.thread(lambda: jobs.results(call.args["job"], call.args["batch"]))
    wanted = {name: file for file in files for name in (result_id(batch, file), result_id(batch, file)[:15])}
    file = wanted.get(call.args["result"]) if job.operation.reads else None
    if file is None:
        raise ClassicFault("InvalidBatch", f"Invalid result id: {call.args['result']}")
    return _content(csv_reply(jobs.blocks(batch, file)), job)


def _content(reply: Response, job: ClassicJob) -> Response:
    reply.headers["Content-Type"] = MEDIA_TYPES[job.content_type]
    return reply


@_classic
async def specification(call: Call) -> Response:
    """Answer /job/{job}/spec, which the emulated org refuses: it would change what the columns of a CSV mean."""
    raise ClassicFault("FeatureNotEnabled", "The emulated org knows no transformation specifications")


@_classic
async def nowhere(call: Call) -> Response:
    """Answer every other address of this API, and every other method."""
    raise ClassicFault("InvalidUrl", f"{call.request.method} {call.request.url.path} is not an address of the Bulk API")


def _route(pattern: str, **handlers: _Handler) -> Route:
    every = dict.fromkeys(("GET", "POST", "PUT", "PATCH", "DELETE"), nowhere)
    return Route(pattern="/services/async/{version}" + pattern, handlers=every | handlers, access=Access.OPEN)


_JOB = "/job/{job}"
_BATCH = _JOB + "/batch/{batch}"
ROUTES = (
    _route("/job", POST=create),
    _route(_JOB, GET=show, POST=change),
    _route(f"{_JOB}/spec", GET=specification, POST=specification),
    _route(f"{_JOB}/batch", GET=batches, POST=add_batch),
    _route(_BATCH, GET=show_batch),
    _route(f"{_BATCH}/request", GET=request),
    _route(f"{_BATCH}/result", GET=results),
    _route(f"{_BATCH}/result/{{result}}", GET=result),
    *(_route("".join(f"/{{p{place}}}" for place in range(depth))) for depth in range(_DEEPEST)),
)
