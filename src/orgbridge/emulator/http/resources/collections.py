"""Many rows in one call: sObject Collections.

Source: facts/salesforce/composite.md section 5.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby

from starlette.responses import Response

from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.http.resources.rows import shown_row
from orgbridge.emulator.org.outcomes import ROLLED_BACK, SaveOutcome, failed
from orgbridge.emulator.org.saving import roll_back_all
from orgbridge.emulator.schema.errors import Fault, SFError
from orgbridge.emulator.schema.model import Catalogue
from orgbridge.emulator.storage.database import Connection
from orgbridge.kit.json import JSON
from orgbridge.wire.ids import to_18
from orgbridge.wire.limits import COLLECTION_CHUNKS, COLLECTION_RECORDS, COLLECTION_RETRIEVE_IDS

Row = Mapping[str, JSON]
Save = Callable[[Connection, str, Sequence[Row]], list[SaveOutcome]]


#: What an item is told that a lock storm holds.
_LOCKED = failed(None, Fault("UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record"))


def _gone(record_id: str) -> SaveOutcome:
    return SaveOutcome(record_id, False, True)


class _RolledBack(Exception):
    """Carries the outcomes out of a transaction that must not stay."""

    def __init__(self, outcomes: list[SaveOutcome]) -> None:
        self.outcomes = outcomes
        super().__init__("rolled back")


async def create(call: Call) -> Response:
    """Answer POST /composite/sobjects."""
    user_id = call.user_id
    all_or_none, rows = await _records(call)
    for row in rows:
        if any(key.lower() == "id" and value is not None for key, value in row.items()):
            raise SFError("INVALID_FIELD", "cannot specify Id in an insert call", fields=("Id",))
    org = call.parts.org
    outcomes = await _save(
        call,
        all_or_none,
        rows,
        lambda connection, name, run: org.insert_in(
            connection, name, run, user_id=user_id, allow_duplicates=call.allows_duplicates
        ),
    )
    return call.json([_item(outcome, created=False) for outcome in outcomes])


async def update(call: Call) -> Response:
    """Answer PATCH /composite/sobjects; records name their row as `id` or `Id`."""
    user_id = call.user_id
    all_or_none, given = await _records(call)
    rows = [{"Id" if name.lower() == "id" else name: value for name, value in row.items()} for row in given]
    org = call.parts.org
    outcomes = await _save(
        call,
        all_or_none,
        rows,
        lambda connection, name, run: org.update_in(
            connection, name, run, user_id=user_id, allow_duplicates=call.allows_duplicates
        ),
    )
    return call.json([_item(outcome, created=False) for outcome in outcomes])


async def upsert(call: Call) -> Response:
    """Answer PATCH /composite/sobjects/{sobject}/{field}; the value stands in the record."""
    user_id = call.user_id
    org, args = call.parts.org, call.args
    sobject = org.sobject(args["sobject"], user_id=user_id)
    key = org.external_key(sobject.name, args["field"], user_id=user_id)
    all_or_none, rows = await _records(call)
    seen = org.view(user_id)
    for row in rows:
        if _type_of(seen, row) != sobject.name:
            # Assumed: code and text.
            raise SFError("INVALID_TYPE", f"The record type does not match the object {sobject.name} of the address")
    outcomes = await _save(
        call,
        all_or_none,
        rows,
        lambda connection, name, run: org.upsert_in(
            connection, name, key.name, run, user_id=user_id, allow_duplicates=call.allows_duplicates
        ),
    )
    return call.json([_item(outcome, created=True) for outcome in outcomes])


async def delete(call: Call) -> Response:
    """Answer DELETE /composite/sobjects?ids=…; rows of different objects may stand among each other."""
    user_id, org = call.user_id, call.parts.org
    ids = [text.strip() for text in (call.query("ids") or "").split(",") if text.strip()]
    if not ids:
        raise SFError("INVALID_ID_FIELD", "ids is required")
    _check_count(len(ids))
    _check_runs(sum(1 for _ in groupby(ids, key=lambda text: text[:3])))
    all_or_none = (call.query("allOrNone") or "false").lower() == "true"
    locked = call.parts.faults.locked_items(len(ids))
    if locked and all_or_none:
        outcomes = roll_back_all([_LOCKED if place in locked else _gone(text) for place, text in enumerate(ids)])
    else:
        free = [text for place, text in enumerate(ids) if place not in locked]
        done = iter(await call.thread(lambda: org.delete(free, user_id=user_id, all_or_none=all_or_none)))
        outcomes = [_LOCKED if place in locked else next(done) for place in range(len(ids))]
    return call.json([_item(outcome, created=False) for outcome in outcomes])


async def retrieve_by_get(call: Call) -> Response:
    """Answer GET /composite/sobjects/{sobject}?ids=…&fields=…."""
    ids = [text.strip() for text in (call.query("ids") or "").split(",") if text.strip()]
    fields = [text.strip() for text in (call.query("fields") or "").split(",") if text.strip()]
    return await _retrieve(call, ids, fields)


async def retrieve_by_post(call: Call) -> Response:
    """Answer POST /composite/sobjects/{sobject}."""
    body = await call.json_object()
    ids, fields = _texts(body.get("ids")), _texts(body.get("fields"))
    if len(ids) > COLLECTION_RETRIEVE_IDS:
        raise SFError("EXCEEDED_ID_LIMIT", f"record limit reached. cannot retrieve more than {COLLECTION_RETRIEVE_IDS}")
    return await _retrieve(call, ids, fields)


def _texts(value: JSON) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise SFError("JSON_PARSER_ERROR", "ids and fields must be lists of strings at [line:1, column:1]")
    return value


async def _retrieve(call: Call, ids: Sequence[str], fields: Sequence[str]) -> Response:
    org = call.parts.org
    user_id = call.user_id
    sobject = org.sobject(call.args["sobject"], user_id=user_id)
    if not ids or not fields:
        raise SFError("INVALID_FIELD", "ids and fields are required")
    for name in fields:
        if sobject.field(name) is None:
            raise SFError("INVALID_FIELD", f"No such column '{name}' on sobject of type {sobject.name}")

    def one(record_id: str) -> JSON:
        try:
            row = org.get(sobject.name, record_id, fields, user_id=user_id)
        except SFError:
            return None  # The place of a row that is not there stays null.
        return shown_row(sobject, row, call.data_path)

    return call.json(await call.thread(lambda: [one(record_id) for record_id in ids]))


async def _records(call: Call) -> tuple[bool, list[Row]]:
    body = await call.json_object()
    for key in body:
        if key not in ("allOrNone", "records"):
            raise SFError("JSON_PARSER_ERROR", f'Unrecognized field "{key}" at [line:1, column:1]')
    rows = body.get("records")
    all_or_none = body.get("allOrNone", False)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise SFError("JSON_PARSER_ERROR", "records must be a list of objects at [line:1, column:1]")
    if not isinstance(all_or_none, bool):
        raise SFError("JSON_PARSER_ERROR", "allOrNone must be a boolean at [line:1, column:1]")
    _check_count(len(rows))
    return all_or_none, rows


def _check_count(count: int) -> None:
    if count > COLLECTION_RECORDS:
        text = f"record limit reached. cannot submit more than {COLLECTION_RECORDS} records into this call"
        raise SFError("EXCEEDED_ID_LIMIT", text)


def _check_runs(count: int) -> None:
    if count > COLLECTION_CHUNKS:
        # Assumed: code and text; the bound is documented.
        text = f"record limit reached. cannot submit more than {COLLECTION_CHUNKS} chunks of types into this call"
        raise SFError("EXCEEDED_ID_LIMIT", text)


def _type_of(seen: Catalogue, row: Row) -> str:
    attributes = row.get("attributes")
    name = attributes.get("type") if isinstance(attributes, dict) else None
    if not isinstance(name, str) or not name:
        # Assumed: code and text.
        raise SFError("INVALID_TYPE", "attributes.type is required in every record")
    found = seen.sobject(name)
    if found is None:
        raise SFError("INVALID_TYPE", f"sObject type '{name}' is not supported.")
    return found.name


async def _save(call: Call, all_or_none: bool, rows: Sequence[Row], save: Save) -> list[SaveOutcome]:
    """Save runs of one type after the other in one transaction; keep nothing if all-or-none and one row is bad."""
    org = call.parts.org
    seen = org.view(call.user_id)
    runs = [(name, list(run)) for name, run in groupby(rows, key=lambda row: _type_of(seen, row))]
    _check_runs(len(runs))
    locked = call.parts.faults.locked_items(len(rows))

    def save_free(connection: Connection) -> list[SaveOutcome]:
        """Save the runs, leaving out the items that a lock storm holds."""
        outcomes: list[SaveOutcome] = []
        for name, run in runs:
            first = len(outcomes)
            free = [row for place, row in enumerate(run, first) if place not in locked]
            done = iter(save(connection, name, free) if free else ())
            outcomes += [_LOCKED if place in locked else next(done) for place in range(first, first + len(run))]
        return outcomes

    def work() -> list[SaveOutcome]:
        try:
            with org.storage.write() as connection:
                outcomes = save_free(connection)
                if all_or_none and not all(outcome.success for outcome in outcomes):
                    raise _RolledBack(outcomes)
                return outcomes
        except _RolledBack as rolled_back:
            return [
                SaveOutcome(outcome.id, False, False, (ROLLED_BACK,)) if outcome.success else outcome
                for outcome in rolled_back.outcomes
            ]

    return await call.thread(work)


def _item(outcome: SaveOutcome, *, created: bool) -> JSON:
    """Return one result; a failed row has no `id`, unless it was only rolled back."""
    if outcome.success:
        item: dict[str, JSON] = {"id": outcome.id, "success": True, "errors": []}
        if created:
            item["created"] = outcome.created
        return item
    errors = [
        {"statusCode": fault.code, "message": fault.message, "fields": list(fault.fields)} for fault in outcome.errors
    ]
    rolled_back = any(fault.code == ROLLED_BACK.code for fault in outcome.errors)
    known = {"id": to_18(outcome.id)} if outcome.id and rolled_back else {}
    return {**known, "success": False, "errors": errors}
