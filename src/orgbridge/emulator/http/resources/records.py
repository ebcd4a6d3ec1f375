"""Rows one by one: by id and by external id.

Source: facts/salesforce/rest.md section 3.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from starlette.responses import Response

from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.http.errors import ReplyNow, not_found
from orgbridge.emulator.http.heads import empty_reply
from orgbridge.emulator.http.replies import json_reply
from orgbridge.emulator.http.resources import conditions
from orgbridge.emulator.http.resources.duplicates import with_details
from orgbridge.emulator.http.resources.rows import shown_row
from orgbridge.emulator.org.outcomes import SaveOutcome
from orgbridge.emulator.schema.errors import SFError
from orgbridge.emulator.storage.joined import JoinedStorage
from orgbridge.kit.json import JSON
from orgbridge.wire.ids import to_18

#: First version whose upsert answers an update with 200 and a body. Source: rest.md section 3, "External id".
_UPSERT_BODY_SINCE = 46
#: First version with POST /sobjects/X/Id. Source: the same.
_POST_ID_SINCE = 37


def check(outcome: SaveOutcome) -> None:
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

    def work() -> SaveOutcome:
        saved = org.insert_by_plan(sobject.name, row, user_id=user_id)
        return saved or org.insert(sobject.name, [row], user_id=user_id, allow_duplicates=allow)[0]

    outcome = await _detailed(call, await call.save_row(sobject, row, work))
    check(outcome)
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
    return await show(call, call.args["sobject"], _record_id(call))


def _record_id(call: Call) -> str:
    record_id = to_18(call.args["id"])
    if record_id is None:
        text = f"Provided external ID field does not exist or is not accessible: {call.args['id']}"
        raise SFError("NOT_FOUND", text)
    return record_id


async def show(call: Call, name: str, record_id: str) -> Response:
    """Return the reply with a row: all of it, or what `fields` names.

    Raises:
        SFError: There is no such row or field.
        ReplyNow: A condition of the call says so.
    """
    org, fields = call.parts.org, _wanted(call)
    # What of it the user may see is looked at along with the row.
    sobject, user_id = org.sobject(name), call.user_id
    row = await call.read_row(sobject, lambda: org.get(sobject.name, record_id, fields, user_id=user_id))
    headers: dict[str, str] = {}
    if conditions.has_tag(sobject.name) or conditions.is_conditional(call):
        whole = row if fields is None else await call.read_row(sobject, lambda: org.get(sobject.name, record_id))
        headers = conditions.check_read(call, sobject.name, whole)
    return json_reply(shown_row(sobject, row, call.data_path), headers=headers, pretty=call.pretty)


async def update(call: Call) -> Response:
    """Answer PATCH /sobjects/{sobject}/{id}."""
    record_id = _record_id(call)
    row = await call.json_object()
    await change(call, call.args["sobject"], record_id, row)
    return empty_reply()


def _refuse_id(row: Mapping[str, JSON]) -> None:
    if any(name.lower() == "id" for name in row):
        raise SFError("INVALID_FIELD", "The Id field should not be specified in the sobject data.")


async def change(call: Call, sobject: str, record_id: str, row: Mapping[str, JSON]) -> None:
    """Update a row if the call's conditions hold.

    Raises:
        SFError: There is no such row, or it is refused. Nothing was saved.
        ReplyNow: A condition does not hold. Nothing was saved.
    """
    _refuse_id(row)
    org, user_id, allow = call.parts.org, call.user_id, call.allows_duplicates
    conditional = conditions.is_conditional(call)
    # A condition says nothing about what is hidden from the user; without one the save itself looks at it.
    target = org.sobject(sobject, user_id=user_id if conditional else None)

    def work() -> SaveOutcome:
        if not conditional:
            saved = org.update_by_plan(target.name, record_id, row, user_id=user_id)
            if saved is not None:
                return saved
        with org.storage.write() as connection:
            if conditional:
                inner = org.through(JoinedStorage(org.storage, connection))
                conditions.check_write(call, inner, target.name, record_id)
            found = org.require_in(connection, target.name, record_id, user_id=user_id)
            rows = [{**row, "Id": found}]
            return org.update_in(connection, target.name, rows, user_id=user_id, allow_duplicates=allow)[0]

    check(await _detailed(call, await call.save_row(target, row, work)))


async def _detailed(call: Call, outcome: SaveOutcome) -> SaveOutcome:
    if outcome.success:
        return outcome
    return await call.thread(lambda: with_details(call, outcome))


async def delete(call: Call) -> Response:
    """Answer DELETE /sobjects/{sobject}/{id}."""
    await remove(call, call.args["sobject"], _record_id(call))
    return empty_reply()


async def remove(call: Call, sobject: str, record_id: str) -> None:
    """Delete a row.

    Raises:
        SFError: There is no such row, or it cannot go. Nothing was deleted.
    """
    conditions.refuse_on_delete(call)
    org, user_id = call.parts.org, call.user_id

    def work() -> SaveOutcome:
        found = org.require(sobject, record_id, user_id=user_id)
        return org.delete([found], user_id=user_id, sobject=sobject)[0]

    outcome = await call.try_row(org.sobject(sobject), lambda: org.delete_leaf(sobject, record_id, user_id=user_id))
    check(outcome if outcome is not None else await call.thread(work))


async def _only_match(call: Call) -> str | None:
    """Return the id of the row that an external id names, or None.

    Raises:
        SFError: There is no such object or field.
        ReplyNow: 300 with the addresses of all that match.
    """
    org, args = call.parts.org, call.args
    sobject, user_id = org.sobject(args["sobject"]), call.user_id
    found = await call.thread(lambda: org.find_by_key(sobject.name, args["field"], args["value"], user_id=user_id))
    if len(found) > 1:
        raise ReplyNow(call.json([_path(call, sobject.name, record_id) for record_id in found], 300))
    return found[0] if found else None


async def retrieve_by_key(call: Call) -> Response:
    """Answer GET /sobjects/{sobject}/{field}/{value}."""
    record_id = await _only_match(call)
    if record_id is None:
        raise not_found()
    return await show(call, call.args["sobject"], record_id)


async def delete_by_key(call: Call) -> Response:
    """Answer DELETE /sobjects/{sobject}/{field}/{value}."""
    record_id = await _only_match(call)
    if record_id is None:
        raise not_found()
    await remove(call, call.args["sobject"], record_id)
    return empty_reply()


async def upsert(call: Call) -> Response:
    """Answer PATCH /sobjects/{sobject}/{field}/{value}: find and save in one transaction."""
    org, user_id, args = call.parts.org, call.user_id, call.args
    sobject = org.sobject(args["sobject"])
    field = org.external_key(sobject.name, args["field"], user_id=user_id)
    update_only = (call.query("updateOnly") or "false").lower() == "true"
    row = await call.json_object()
    if any(name.lower() == field.name.lower() for name in row):
        text = f"The {field.name} field should not be specified in the sobject data."
        raise SFError("INVALID_FIELD", text)
    if field.name == "Id":
        found = to_18(args["value"]) or args["value"]
        await change(call, sobject.name, found, row)
        return _upserted(call, SaveOutcome(found, False, True))
    if not field.unique or update_only or conditions.is_conditional(call):
        matched = await _only_match(call)
        if matched is None and update_only:
            raise not_found()
        if matched is not None and conditions.is_conditional(call):
            await call.thread(lambda: conditions.check_write(call, org, sobject.name, matched))
    fields, allow = {**row, field.name: args["value"]}, call.allows_duplicates

    def work() -> SaveOutcome:
        saved = org.upsert_by_plan(sobject.name, field.name, fields, user_id=user_id)
        return saved or org.upsert(sobject.name, field.name, [fields], user_id=user_id, allow_duplicates=allow)[0]

    # Where rows may share a value, finding them can take long.
    outcome = await (call.save_row(sobject, fields, work) if field.unique else call.thread(work))
    outcome = await _detailed(call, outcome)
    check(outcome)
    return _upserted(call, outcome)


def _upserted(call: Call, outcome: SaveOutcome) -> Response:
    body: dict[str, JSON] = {"id": outcome.id, "success": True, "errors": []}
    location = _path(call, call.parts.org.sobject(call.args["sobject"]).name, quote(outcome.id or ""))
    if call.version >= _UPSERT_BODY_SINCE:
        body["created"] = outcome.created
    elif not outcome.created:
        return empty_reply()
    headers = {"Location": location} if outcome.created else {}
    return json_reply(body, 201 if outcome.created else 200, headers=headers, pretty=call.pretty)
