"""Bytes of rows: read as they are, written as multipart with the row's JSON beside them.

Bytes in JSON are base64 and travel like any other value. Source: facts/salesforce/rest.md section 3, "Blobs". Assumed:
codes and texts of what is refused; a content version's bytes come as `application/octet-stream`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from typing import BinaryIO

from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.responses import Response

from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.http.replies import bytes_reply
from orgbridge.emulator.http.resources import records
from orgbridge.emulator.org.contents import put_bytes
from orgbridge.emulator.org.org import Org
from orgbridge.emulator.schema.errors import SFError
from orgbridge.emulator.schema.model import Field, SObject
from orgbridge.emulator.storage.database import Connection, Storage
from orgbridge.emulator.storage.joined import JoinedStorage
from orgbridge.emulator.storage.tables import quote
from orgbridge.kit.json import JSON, JSONDecodeError, loads
from orgbridge.wire.fieldtypes import FieldType
from orgbridge.wire.limits import BLOB_BYTES, CONTENT_VERSION_BYTES

_PIECE = 1 << 18
#: Bytes of the JSON part of a multipart body. Assumed.
_JSON_PART_BYTES = 1 << 20
#: What stands in for the bytes until they are written: required fields want a value.
_PLACEHOLDER = "AA=="
_OCTETS = "application/octet-stream"


def is_multipart(call: Call) -> bool:
    """Tell whether the body comes as multipart."""
    return (call.header("content-type") or "").lower().startswith("multipart/form-data")


async def create(call: Call) -> Response:
    """Answer POST /sobjects/{sobject}, with JSON or with multipart."""
    if not is_multipart(call):
        return await records.create(call)
    org, user_id = call.parts.org, call.user_id
    sobject = org.sobject(call.args["sobject"], user_id=user_id)
    form, row, parts = await _read(call, sobject)

    def work() -> str:
        with org.storage.write() as connection:
            values = {**row, **dict.fromkeys((field.name for field in parts), _PLACEHOLDER)}
            outcome = org.insert_in(
                connection, sobject.name, [values], user_id=user_id, allow_duplicates=call.allows_duplicates
            )[0]
            records.check(outcome)
            _put(connection, sobject, outcome.id or "", parts)
            return outcome.id or ""

    try:
        record_id = await call.thread(work)
    finally:
        await form.close()
    location = f"{call.data_path}/sobjects/{sobject.name}/{record_id}"
    return call.json({"id": record_id, "success": True, "errors": []}, 201, Location=location)


async def update(call: Call) -> Response:
    """Answer PATCH /sobjects/{sobject}/{id}, with JSON or with multipart."""
    if not is_multipart(call):
        return await records.update(call)
    org, user_id = call.parts.org, call.user_id
    sobject = org.sobject(call.args["sobject"], user_id=user_id)
    form, row, parts = await _read(call, sobject)

    def work() -> None:
        with org.storage.write() as connection:
            inner: Org = org.through(JoinedStorage(org.storage, connection))
            found = inner.require(sobject.name, call.args["id"], user_id=user_id)
            values = {**row, **dict.fromkeys((field.name for field in parts), _PLACEHOLDER), "Id": found}
            allow = call.allows_duplicates
            records.check(inner.update(sobject.name, [values], user_id=user_id, allow_duplicates=allow)[0])
            _put(connection, sobject, found, parts)

    try:
        await call.thread(work)
    finally:
        await form.close()
    return Response(status_code=204)


def _put(connection: Connection, sobject: SObject, record_id: str, parts: dict[Field, UploadFile]) -> None:
    for field, upload in parts.items():
        put_bytes(connection, sobject, field, record_id, _pieces(upload.file), upload.size or 0)


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    file.seek(0)
    while piece := file.read(_PIECE):
        yield piece


async def _read(call: Call, sobject: SObject) -> tuple[FormData, dict[str, JSON], dict[Field, UploadFile]]:
    """Return the form, the row that its JSON part tells of, and the bytes by field.

    Raises:
        SFError: The form is out of form or too large. Nothing was saved.
    """
    limit = CONTENT_VERSION_BYTES if sobject.name == "ContentVersion" else BLOB_BYTES
    parser = MultiPartParser(call.request.headers, _limited(call, limit), max_part_size=_JSON_PART_BYTES)
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise SFError("INVALID_MULTIPART_REQUEST", error.message, 400) from error
    row: dict[str, JSON] | None = None
    parts: dict[Field, UploadFile] = {}
    try:
        for name, part in form.multi_items():
            field = sobject.field(name)
            if isinstance(part, UploadFile) and field is not None and field.type is FieldType.BASE64:
                parts[field] = part
            else:
                row = _row(await part.read() if isinstance(part, UploadFile) else part, name, row)
        if row is None or not parts:
            raise SFError("INVALID_MULTIPART_REQUEST", "A JSON part and a binary part are required", 400)
    except SFError:
        await form.close()
        raise
    return form, row, parts


def _row(text: str | bytes, name: str, known: dict[str, JSON] | None) -> dict[str, JSON]:
    try:
        row = loads(text)
    except JSONDecodeError:
        row = None
    if known is not None or not isinstance(row, dict):
        raise SFError("INVALID_MULTIPART_REQUEST", f"The part {name!r} is neither the row nor bytes of it", 400)
    return row


async def _limited(call: Call, limit: int) -> AsyncGenerator[bytes, None]:
    """Yield the body.

    Raises:
        SFError: It is larger than a body may be.
    """
    size = 0
    async for piece in call.request.stream():
        size += len(piece)
        if size > limit + _JSON_PART_BYTES:
            raise SFError("REQUEST_TOO_LARGE", f"The request body is larger than {limit} bytes", 413)
        yield piece


async def retrieve(call: Call, sobject: SObject, record_id: str, field: Field) -> Response:
    """Return the reply with a row's bytes, as a stream.

    Raises:
        SFError: There is no such row, or it has no bytes.
    """
    org = call.parts.org
    kind = sobject.field("ContentType")
    names = [field.name, *([kind.name] if kind else [])]
    row = await call.thread(lambda: org.get(sobject.name, record_id, names, user_id=call.user_id))
    if not row[field.name]:
        raise SFError("NOT_FOUND", "The requested resource does not exist")
    media_type = (row[kind.name] if kind else None) or _OCTETS
    storage, found = call.parts.storage, str(row["Id"])
    return bytes_reply(_stored(storage, sobject.name, field.name, found), media_type)


def _stored(storage: Storage, sobject: str, field: str, record_id: str) -> Iterator[bytes]:
    with storage.read() as connection:
        sql = f"SELECT rowid FROM {quote(sobject)} WHERE Id = ?"  # noqa: S608 names come from the catalogue
        row = connection.execute(sql, (record_id,)).fetchone()
        if row is None:
            return
        with connection.blobopen(sobject, field, row[0], readonly=True) as blob:
            while piece := blob.read(_PIECE):
                yield piece
