"""Bodies of Bulk API 1.0: jobInfo in XML or JSON as one mapping, and the bytes of a batch.

Source: facts/salesforce/bulk1.md. Texts of refusals are Assumed.
"""

from __future__ import annotations

from xml.etree import ElementTree

from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.http.resources.bulk1_replies import MEDIA_TYPES, wants_json
from orgbridge.emulator.jobs.classic.faults import ClassicFault
from orgbridge.emulator.jobs.classic.rows import ClassicJob
from orgbridge.emulator.jobs.classic.service import BATCH_BYTES
from orgbridge.kit.json import JSON, JSONDecodeError, loads

#: Bytes of jobInfo at most: a small document.
_INFO_BYTES = 1 << 20


async def read_body(call: Call, limit: int) -> bytes:
    """Return the whole body.

    Raises:
        ClassicFault: ClientInputError, it is longer than the limit. The rest was not kept.
    """
    pieces: list[bytes] = []
    size = 0
    async for piece in call.request.stream():
        size += len(piece)
        if size <= limit:
            pieces.append(piece)
    if size > limit:
        # Read to its end all the same, so that the refusal reaches a client that is still sending.
        raise ClassicFault("ClientInputError", f"Failed to read request. Exceeded max size limit of {limit}")
    return b"".join(pieces)


async def read_info(call: Call) -> dict[str, JSON]:
    """Return the jobInfo of a request.

    Raises:
        ClassicFault: It is neither a JSON object nor a jobInfo in XML.
    """
    body = await read_body(call, _INFO_BYTES)
    if wants_json(call):
        try:
            value = loads(body)
        except JSONDecodeError as error:
            raise ClassicFault("ClientInputError", f"Unable to parse the JSON of the request: {error}") from error
        if not isinstance(value, dict):
            raise ClassicFault("ClientInputError", "Unable to parse the JSON of the request: an object is expected")
        return {key: item for key, item in value.items() if item is not None}
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        raise ClassicFault("InvalidXml", "DOCTYPE is not allowed")
    try:
        # No document type gets here, so no entity can be expanded.
        root = ElementTree.fromstring(body)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise ClassicFault("InvalidXml", f"Unable to parse the XML of the request: {error}") from error
    if root.tag.rpartition("}")[2] != "jobInfo":
        raise ClassicFault("InvalidXml", "Unable to parse the XML of the request: jobInfo is expected")
    return {child.tag.rpartition("}")[2]: (child.text or "").strip() for child in root}


async def read_batch(call: Call, job: ClassicJob) -> bytes:
    """Return the bytes of a batch, sent in the job's form.

    Raises:
        ClassicFault: The body is longer than a batch may be, or says that it has another form.
    """
    given = (call.header("content-type") or "").partition(";")[0].strip().lower()
    expected = MEDIA_TYPES[job.content_type]
    known = {*MEDIA_TYPES.values(), "text/xml"}
    same = given == expected or (given == "text/xml" and expected == "application/xml")
    if given in known and not same and not job.operation.reads:
        text = f"The Content-Type {given} of the batch does not match the job's contentType {job.content_type.value}"
        raise ClassicFault("InvalidBatch", text)
    return await read_body(call, BATCH_BYTES)
