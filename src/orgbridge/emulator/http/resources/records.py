"""Rows one by one: by id and by external id.

Source: facts/salesforce/rest.md section 3.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import quote

from starlette.responses import Response

from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.http.errors import ReplyNow, not_found
from orgbridge.emulator.http.replies import json_reply
from orgbridge.emulator.org.outcomes import SaveOutcome
from orgbridge.emulator.schema.errors import SFError
from orgbridge.kit.json import JSON
from orgbridge.wire.dates import parse_datetime
from orgbridge.wire.ids import is_id, to_18

#: First version whose upsert answers an update with 200 and a body. Source: rest.md section 3, "External id".
_UPSERT_BODY_SINCE = 46
#: First version with POST /sobjects/X/Id. Source: the same.
_POST_ID_SINCE = 37


def _check(outcome: SaveOutcome) -> None:
    """Raise what refused a row.

    Raises:
        SFError: The row was not saved.
    """
    if outcome.success:
        return
    fault = outcome.errors[0]
    raise SFError.from_fault(fault)


def _path(call: Call, sobject: str, record_id: str) -> str:
    return f"{call.data_path}/sobjects/{sobject}/{record_id}"


async def create(call: Call) -> Response:
    """Answer POST /sobjects/{sobject}."""
    org, user_id = call.parts.org, call.user_id
    sobject = org.sobject(call.args["sobject"])
    row, allow = await call.json_object(), call.allows_duplicates
    outcome = (await call.thread(lambda: org.insert(sobject.name, [row], user_id=user_id, allow_duplicates=allow)))[0]
    _check(outcome)
    location = _path(call, sobject.name, outcome.id or "")
    return json_reply(
        {"id": outcome.id, "success": True, "errors": []}, 201, headers={"Location": location}, pretty=call.pretty
    )


async def create_by_id_path(call: Call) -> Response:
    """Answer POST /sobjects/{sobject}/Id, which inserts."""
    if call.args["id"].lower() != "id" or call.version < _POST_ID_SINCE:
        raise SFError("METHOD_NOT_ALLOWED", "HTTP Method 'POST' not allowed. Allowed are DELETE,GET,HEAD,PATCH")
    return await create(call)


def _wanted(call: Call) -> list[str] | None:
    text = call.query("fields")
    if text is None:
        return None
    return [name.strip() for name in text.split(",") if name.strip()]


async def retrieve(call: Call) -> Response:
    """Answer GET /sobjects/{sobject}/{id}."""
    return await _row(call, _record_id(call))


def _record_id(call: Call) -> str:
    record_id = call.args["id"]
    if not is_id(record_id):
        text = f"Provided external ID field does not exist or is not accessible: {record_id}"
        raise SFError("NOT_FOUND", text)
    return record_id


async def _row(call: Call, record_id: str) -> Response:
    _refuse_etags(call)
    org, fields = call.parts.org, _wanted(call)
    sobject = org.sobject(call.args["sobject"])
    row = await call.thread(lambda: org.get(sobject.name, record_id, fields, user_id=call.user_id))
    _check_dates(call, row.get("LastModifiedDate"))
    url = _path(call, sobject.name, str(row["Id"]))
    return call.json({"attributes": {"type": sobject.name, "url": url}, **row})


def _refuse_etags(call: Call) -> None:
    for name in ("if-match", "if-none-match"):
        if call.header(name) is not None:
            # Documented for Account rows only; the emulated org gives rows no ETag, so it cannot compare one.
            raise SFError("FUNCTIONALITY_NOT_ENABLED", f"The emulated org does not know the header {name} on rows")


def header_instant(call: Call, name: str) -> datetime | None:
    """Return the instant in a conditional header, or None when the header is missing.

    Raises:
        SFError: It is no HTTP date.
    """
    text = call.header(name)
    if text is None:
        return None
    try:
        value = parsedate_to_datetime(text)
    except ValueError as error:
        # Assumed: code and text; that an invalid value is refused with 400 is documented for PATCH and POST.
        raise SFError("INVALID_FIELD", f"{name} is no valid HTTP date") from error
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def _check_dates(call: Call, modified: JSON) -> None:
    """Answer If-Modified-Since and If-Unmodified-Since.

    Raises:
        ReplyNow: 304 or 412.
    """
    since, unless = header_instant(call, "if-modified-since"), header_instant(call, "if-unmodified-since")
    changed = parse_datetime(str(modified)) if modified else None
    if changed is None:
        return
    changed = changed.replace(microsecond=0)
    if since is not None and changed <= since:
        raise ReplyNow(Response(status_code=304))
    if unless is not None and changed > unless:
        raise ReplyNow(Response(status_code=412))


async def _check_unmodified(call: Call, record_id: str) -> None:
    _refuse_etags(call)
    if call.header("if-modified-since") is None and call.header("if-unmodified-since") is None:
        return
    org, sobject = call.parts.org, call.args["sobject"]
    row = await call.thread(lambda: org.get(sobject, record_id, ["LastModifiedDate"]))
    _check_dates(call, row["LastModifiedDate"])


async def update(call: Call) -> Response:
    """Answer PATCH /sobjects/{sobject}/{id}."""
    record_id = _record_id(call)
    await _check_unmodified(call, record_id)
    row = await call.json_object()
    _refuse_id(row)
    await _update(call, record_id, row)
    return Response(status_code=204)


def _refuse_id(row: Mapping[str, JSON]) -> None:
    if any(name.lower() == "id" for name in row):
        raise SFError("INVALID_FIELD", "The Id field should not be specified in the sobject data.")


async def _update(call: Call, record_id: str, row: Mapping[str, JSON]) -> None:
    org, user_id, sobject = call.parts.org, call.user_id, call.args["sobject"]

    def work() -> SaveOutcome:
        found = org.require(sobject, record_id)
        return org.update(sobject, [{**row, "Id": found}], user_id=user_id, allow_duplicates=call.allows_duplicates)[0]

    _check(await call.thread(work))


async def delete(call: Call) -> Response:
    """Answer DELETE /sobjects/{sobject}/{id}."""
    record_id = _record_id(call)
    if call.header("if-unmodified-since") or call.header("if-modified-since"):
        raise SFError("FUNCTIONALITY_NOT_ENABLED", "Conditional headers are not supported on DELETE")
    await _delete(call, record_id)
    return Response(status_code=204)


async def _delete(call: Call, record_id: str) -> None:
    org, user_id, sobject = call.parts.org, call.user_id, call.args["sobject"]

    def work() -> SaveOutcome:
        found = org.require(sobject, record_id)
        return org.delete([found], user_id=user_id, sobject=sobject)[0]

    _check(await call.thread(work))


async def _only_match(call: Call) -> str | None:
    """Return the id of the row that an external id names, or None.

    Raises:
        SFError: There is no such object or field.
        ReplyNow: 300 with the addresses of all that match.
    """
    org, args = call.parts.org, call.args
    sobject = org.sobject(args["sobject"])
    found = await call.thread(lambda: org.find_by_key(sobject.name, args["field"], args["value"]))
    if len(found) > 1:
        raise ReplyNow(call.json([_path(call, sobject.name, record_id) for record_id in found], 300))
    return found[0] if found else None


async def retrieve_by_key(call: Call) -> Response:
    """Answer GET /sobjects/{sobject}/{field}/{value}."""
    _refuse_related(call)
    record_id = await _only_match(call)
    if record_id is None:
        raise not_found()
    return await _row(call, record_id)


def _refuse_related(call: Call) -> None:
    """Tell relationship traversal (`/sobjects/Contact/003…/Account`) from a field name: it is not emulated."""
    if is_id(call.args["field"]) and call.parts.org.sobject(call.args["sobject"]).field(call.args["field"]) is None:
        raise SFError("FUNCTIONALITY_NOT_ENABLED", "The emulated org does not follow relationships in addresses")


async def delete_by_key(call: Call) -> Response:
    """Answer DELETE /sobjects/{sobject}/{field}/{value}."""
    _refuse_related(call)
    record_id = await _only_match(call)
    if record_id is None:
        raise not_found()
    await _delete(call, record_id)
    return Response(status_code=204)


async def upsert(call: Call) -> Response:
    """Answer PATCH /sobjects/{sobject}/{field}/{value}: find and save in one transaction."""
    _refuse_related(call)
    org, user_id, args = call.parts.org, call.user_id, call.args
    sobject = org.sobject(args["sobject"])
    field = org.external_key(sobject.name, args["field"])
    update_only = (call.query("updateOnly") or "false").lower() == "true"
    row = await call.json_object()
    if any(name.lower() == field.name.lower() for name in row):
        text = f"The {field.name} field should not be specified in the sobject data."
        raise SFError("INVALID_FIELD", text)
    if field.name == "Id":
        found = to_18(args["value"]) or args["value"]
        await _update(call, found, row)
        return _upserted(call, SaveOutcome(found, False, True))
    matched = await _only_match(call)
    if matched is None and update_only:
        raise not_found()
    fields, allow = {**row, field.name: args["value"]}, call.allows_duplicates
    outcomes = await call.thread(
        lambda: org.upsert(sobject.name, field.name, [fields], user_id=user_id, allow_duplicates=allow)
    )
    _check(outcomes[0])
    return _upserted(call, outcomes[0])


def _upserted(call: Call, outcome: SaveOutcome) -> Response:
    body: dict[str, JSON] = {"id": outcome.id, "success": True, "errors": []}
    location = _path(call, call.parts.org.sobject(call.args["sobject"]).name, quote(outcome.id or ""))
    if call.version >= _UPSERT_BODY_SINCE:
        body["created"] = outcome.created
    elif not outcome.created:
        return Response(status_code=204)
    headers = {"Location": location} if outcome.created else {}
    return json_reply(body, 201 if outcome.created else 200, headers=headers, pretty=call.pretty)
