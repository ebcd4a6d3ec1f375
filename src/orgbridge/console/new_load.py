"""A new load from a file: what was typed is kept when it is refused, and each refusal stands at its field."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from functools import partial
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from orgbridge.console.cookies import PREFIX
from orgbridge.console.desk import Desk, Shelf, see_other
from orgbridge.console.forms import IN_THE_FORM, asked, check_text, told
from orgbridge.console.loads import LOADS, OPERATIONS
from orgbridge.kit.errors import OrgbridgeError
from orgbridge.kit.notes import note
from orgbridge.loads.errors import BadMapping, LoadError
from orgbridge.loads.mapping_files import spec_of_options
from orgbridge.services.errors import ColumnsRefused, InvalidRequest, UploadBroken, trouble_of
from orgbridge.services.handling import read_handling
from orgbridge.services.jobs import JobFilter
from orgbridge.services.loads import LoadRequest
from orgbridge.services.names import check_field, check_object, check_operation
from orgbridge.services.scopes import Caller, Scope
from orgbridge.services.uploads import Upload
from orgbridge.wire.bulk import IngestOperation

NEW_LOAD = f"{PREFIX}/new-load"
_FIELDS = ("object_name", "operation_type", "external_id_field", "delimiter", "part_rows", "mapping", "null_policy")
_NUMBERS = ("canary", "row_retry", "part_rows")
_FLAGS = ("dry_run", "strict", "serial", "before_images", "delta")
_DELIMITERS = {"": "Find out from the file", ",": "Comma", ";": "Semicolon", "\t": "Tab", "|": "Pipe", "^": "Caret"}
_NULL_POLICIES = {"": "As Salesforce does", "ignore": "Leave the field alone", "clear": "Clear the field"}
#: Fields that hold API names, and what such a name is: the services' own words name parameters of the API.
_API_NAMES = frozenset({"object_name", "external_id_field"})
_NAMED = "An API name is a letter, then letters, digits and underscores."
_MOST_PART_ROWS = 10_000_000


def new_load_routes(shelf: Shelf) -> Iterator[BaseRoute]:
    """Yield the routes of the form."""
    yield shelf.get("/new-load", "new_load_form", _form, Scope.BULK_WRITE)
    yield shelf.post("/new-load", "new_load", _take, Scope.BULK_WRITE)


async def _form(desk: Desk, request: Request, caller: Caller) -> Response:
    given = {"object_name": asked(request, "object_name") or "", "operation_type": asked(request, "operation") or ""}
    return await _page(desk, request, caller, given, {})


async def _take(desk: Desk, request: Request, caller: Caller) -> Response:
    body = _body(request)
    given: Mapping[str, str] = {}
    try:
        upload = Upload(body, request.headers.get("content-type", ""))
        await upload.open()
        given = upload.fields
        for name, text in (*given.items(), ("The file's name", upload.filename)):
            check_text(name, text)
        load, faults = _request_of(upload)
        if load is not None:
            if load.dry_run:
                report = await desk.services.preflight.stream(load, upload.chunks(), caller)
                note(object_name=load.object_name, operation=load.operation, dry_run=True)
                return desk.page(request, "preflight.html", report=report, load=load, given=given)
            taken = await desk.services.loads.submit_stream(load, upload.chunks(), caller)
            note(object_name=load.object_name, operation=load.operation, ids=[taken.job_id])
            return see_other(f"{LOADS}/{taken.job_id}", "taken")
        status = 422
        note(code=InvalidRequest.code)
    except OrgbridgeError as error:
        kind = told(error).kind
        if kind not in IN_THE_FORM or isinstance(error, UploadBroken):
            await _drain(body)
            raise
        status, faults = IN_THE_FORM[kind], faults_of(error)
    await _drain(body)
    return await _page(desk, request, caller, given, faults, status=status)


def _request_of(upload: Upload) -> tuple[LoadRequest | None, dict[str, list[str]]]:
    """Return what a form asks for; None, with what is wrong by field, for one that cannot be meant so."""
    given = {name: text.strip() if name != "delimiter" else text for name, text in upload.fields.items()}
    faults: dict[str, list[str]] = {}

    def checked(name: str, check: Callable[[], Any]) -> Any:
        try:
            return check()
        except (InvalidRequest, BadMapping) as error:
            faults.setdefault(name, []).append(_NAMED if name in _API_NAMES else error.message)
            return None

    name, word = given.get("object_name", ""), given.get("operation_type", "")
    if not name:
        faults["object_name"] = ["Which object do the rows become? For example Account, or Invoice__c."]
    else:
        checked("object_name", lambda: check_object(name))
    operation = checked("operation_type", lambda: check_operation(word))
    key = given.get("external_id_field") or None
    if operation is IngestOperation.UPSERT:
        if key is None:
            faults["external_id_field"] = ["An upsert needs the field that tells which record a row is."]
        else:
            checked("external_id_field", lambda: check_field(key or ""))
    if operation is not None:
        for option in ("canary", "row_retry", "delta"):
            checked(option, partial(read_handling, {option: given.get(option)}, operation.value))
    part_rows = checked("part_rows", lambda: _whole(given.get("part_rows", "")))
    spec = checked(
        "mapping",
        lambda: spec_of_options(mapping=given.get("mapping") or None, null_policy=given.get("null_policy") or None),
    )
    if not upload.filename:
        faults["file"] = ["Choose the file that is to be loaded."]
    if faults:
        return None, faults
    return LoadRequest(
        object_name=name,
        operation=word,
        external_id_field=key,
        original_name=upload.filename,
        content_type=upload.content_type,
        delimiter=given.get("delimiter") or None,
        part_rows=part_rows,
        handling={option: given[option] for option in ("canary", "row_retry", *_FLAGS[2:]) if given.get(option)},
        mapping=spec,
        strict=bool(given.get("strict")),
        dry_run=bool(given.get("dry_run")),
    ), {}


def faults_of(error: OrgbridgeError) -> dict[str, list[str]]:
    """Return a refusal of the services under the field that it is about, empty name for the form as a whole."""
    trouble = trouble_of(error)
    fields = {str(item.get("field")) for item in trouble.errors}
    if isinstance(error, BadMapping):
        return {"mapping": [trouble.detail]}
    if isinstance(error, ColumnsRefused | LoadError):
        places = [str(item["message"]) for item in trouble.errors if item.get("message")]
        return {"file": [trouble.detail, *(text for text in places[:20] if text not in trouble.detail)]}
    at = next((name for name in (*_FIELDS, *_NUMBERS) if name in fields), "")
    return {at: [trouble.detail]}


def _whole(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 8 and 1 <= int(text) <= _MOST_PART_ROWS):
        raise InvalidRequest(f"Rows per part are a whole number from 1 to {_MOST_PART_ROWS:,}.")
    return int(text)


async def _page(
    desk: Desk,
    request: Request,
    caller: Caller,
    given: Mapping[str, str],
    faults: Mapping[str, list[str]],
    *,
    status: int = 200,
) -> Response:
    objects: list[str] = []
    if Scope.BULK_READ in caller.scopes:
        latest = await desk.services.jobs.list(JobFilter(), caller=caller, cursor=None, limit=50)
        objects = sorted({load.object_name for load in latest.items})
    return desk.page(
        request,
        "new_load.html",
        status=status,
        given={name: given.get(name, "") for name in (*_FIELDS, *_NUMBERS, *_FLAGS)},
        faults=faults,
        objects=objects or ["Account", "Contact", "Lead"],
        operations=OPERATIONS,
        delimiters=_DELIMITERS,
        null_policies=_NULL_POLICIES,
    )


async def _body(request: Request) -> AsyncIterator[bytes]:
    try:
        async for chunk in request.stream():
            yield chunk
    except ClientDisconnect as error:
        raise UploadBroken from error


async def _drain(body: AsyncIterator[bytes]) -> None:
    """Read on after a refusal: a browser that is still sending would show a broken connection and not the reason."""
    try:
        async for _ in body:
            pass
    except UploadBroken:
        return
