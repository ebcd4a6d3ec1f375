"""/jobs/ingest of Bulk API 2.0.

Source: facts/salesforce/bulk2.md sections 1 to 8.
"""

from __future__ import annotations

from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.http.errors import not_found
from orgbridge.emulator.http.replies import csv_reply
from orgbridge.emulator.http.resources.bulk_lists import job_list
from orgbridge.emulator.jobs.info import View, job_info
from orgbridge.emulator.jobs.requests import read_ingest_request, read_state
from orgbridge.emulator.jobs.rows import JobKind, ResultKind
from orgbridge.emulator.jobs.spool import Upload
from orgbridge.emulator.schema.errors import SFError
from orgbridge.kit.json import JSON, JSONDecodeError, loads
from orgbridge.wire.bulk import JobState

#: The platform takes 150 MB after base64, which is three quarters of that before. Source: bulk2.md section 4.
UPLOAD_BYTES = 150_000_000 * 3 // 4
#: Characters of data in a multipart request. Source: bulk2.md section 2.
_MULTIPART_CHARS = 100_000
#: Bytes gathered before they are written to disk.
_BLOCK = 1 << 20
_RESULTS: dict[str, ResultKind | None] = {
    "successfulresults": ResultKind.SUCCESSFUL,
    "failedresults": ResultKind.FAILED,
    "unprocessedrecords": None,
}


async def create(call: Call) -> Response:
    """Answer POST /jobs/ingest: JSON makes an Open job, multipart one that is closed with its data."""
    content_type = (call.header("content-type") or "").partition(";")[0].strip().lower()
    if content_type == "multipart/form-data":
        return await _create_with_content(call)
    request = read_ingest_request(call.parts.org.catalogue, await call.json_object(), call.parts.org.view(call.user_id))
    user_id, version = call.user_id, call.version
    job = await call.thread(lambda: call.parts.jobs.create_ingest(request, user_id, version))
    return call.json(job_info(job, View.SHORT))


async def _create_with_content(call: Call) -> Response:
    parts = await _read_multipart(call)
    try:
        body = loads(parts.get("job", b""))
    except JSONDecodeError as error:
        raise SFError("JSON_PARSER_ERROR", f"{error} at [line:1, column:1]") from error
    if not isinstance(body, dict) or "content" not in parts:
        raise SFError("CLIENTINPUTERROR", "A multipart request needs the parts job and content")
    content = parts["content"]
    if len(content.decode("utf-8", "replace")) > _MULTIPART_CHARS:
        raise SFError("CLIENTINPUTERROR", f"The content part has more than {_MULTIPART_CHARS} characters")
    request = read_ingest_request(call.parts.org.catalogue, body, call.parts.org.view(call.user_id))
    jobs, user_id, version = call.parts.jobs, call.user_id, call.version

    def make() -> dict[str, JSON]:
        job = jobs.create_ingest(request, user_id, version)
        upload = jobs.begin_upload(job.id)
        upload.write(content)
        jobs.finish_upload(job.id, upload)
        return job_info(jobs.close(JobKind.INGEST, job.id), View.SHORT)

    return call.json(await call.thread(make))


async def _read_multipart(call: Call) -> dict[str, bytes]:
    """Return the parts of a small multipart body by name."""
    _, options = parse_options_header(call.header("content-type") or "")
    boundary = options.get(b"boundary")
    if not boundary:
        raise SFError("CLIENTINPUTERROR", "The multipart request has no boundary")
    parts: dict[str, bytes] = {}
    headers: dict[bytes, bytes] = {}
    name, value, data = bytearray(), bytearray(), bytearray()

    def end_header() -> None:
        headers[bytes(name).lower()] = bytes(value)
        name.clear()
        value.clear()

    def end_part() -> None:
        _, disposition = parse_options_header(headers.get(b"content-disposition", b""))
        parts[disposition.get(b"name", b"").decode("utf-8", "replace")] = bytes(data)
        headers.clear()
        data.clear()

    parser = MultipartParser(
        boundary,
        {
            "on_header_field": lambda chunk, start, end: name.extend(chunk[start:end]),
            "on_header_value": lambda chunk, start, end: value.extend(chunk[start:end]),
            "on_header_end": end_header,
            "on_part_data": lambda chunk, start, end: data.extend(chunk[start:end]),
            "on_part_end": end_part,
        },
    )
    parser.write(await call.body())
    parser.finalize()
    return parts


async def show(call: Call) -> Response:
    """Answer GET /jobs/ingest/{id}."""
    job = await call.thread(lambda: call.parts.jobs.get(JobKind.INGEST, call.args["id"]))
    return call.json(job_info(job, View.FULL))


async def change(call: Call) -> Response:
    """Answer PATCH /jobs/ingest/{id}: close or abort."""
    state = read_state(await call.json_object())
    jobs, job_id = call.parts.jobs, call.args["id"]
    act = jobs.close if state is JobState.UPLOAD_COMPLETE else jobs.abort
    return call.json(job_info(await call.thread(lambda: act(JobKind.INGEST, job_id)), View.SHORT))


async def remove(call: Call) -> Response:
    """Answer DELETE /jobs/ingest/{id}."""
    await call.thread(lambda: call.parts.jobs.delete(JobKind.INGEST, call.args["id"]))
    return Response(status_code=204)


async def show_all(call: Call) -> Response:
    """Answer GET /jobs/ingest."""
    return await job_list(call, JobKind.INGEST, frozenset({"V2Ingest", "Classic", "BigObjectIngest"}), "V2Ingest")


async def upload(call: Call) -> Response:
    """Answer PUT /jobs/ingest/{id}/batches: the data goes to disk as it comes in, and counts once it is whole."""
    content_type = (call.header("content-type") or "text/csv").partition(";")[0].strip().lower()
    if content_type not in ("text/csv", "application/octet-stream"):
        # Assumed: text.
        raise SFError("UNSUPPORTED_MEDIA_TYPE", f"Content-Type {content_type!r} is not supported", 415)
    jobs, job_id = call.parts.jobs, call.args["id"]
    length = call.header("content-length")
    if length is not None and length.isdigit() and int(length) > UPLOAD_BYTES:
        raise _too_large()
    target = await call.thread(lambda: jobs.begin_upload(job_id))
    try:
        await _receive(call, target)
    except (SFError, ClientDisconnect, OSError):
        await run_in_threadpool(target.discard)
        raise
    await call.thread(lambda: jobs.finish_upload(job_id, target))
    return Response(status_code=201)


async def _receive(call: Call, target: Upload) -> None:
    pieces: list[bytes] = []
    waiting = total = 0
    async for piece in call.request.stream():
        pieces.append(piece)
        waiting += len(piece)
        total += len(piece)
        if total > UPLOAD_BYTES:
            raise _too_large()
        if waiting >= _BLOCK:
            block = b"".join(pieces)
            pieces.clear()
            waiting = 0
            await run_in_threadpool(target.write, block)
    if pieces:
        await run_in_threadpool(target.write, b"".join(pieces))


def _too_large() -> SFError:
    # Assumed: status, code and text; the limit is documented.
    return SFError("CLIENTINPUTERROR", f"The uploaded data is larger than {UPLOAD_BYTES} bytes", 413)


async def results(call: Call) -> Response:
    """Answer GET /jobs/ingest/{id}/successfulResults, failedResults and unprocessedrecords."""
    kind = _RESULTS.get(call.args["results"].lower(), ...)
    if kind is ...:
        raise not_found()
    jobs, job_id, version = call.parts.jobs, call.args["id"], call.version
    return csv_reply(await call.thread(lambda: jobs.ingest_results(job_id, version, kind)))
