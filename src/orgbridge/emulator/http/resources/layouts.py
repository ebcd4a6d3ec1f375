"""Layouts in a plain form: one section with every field that people may fill in, one compact layout with the name.

Nobody designs pages in an emulated org, so all objects have the same simple ones, and no named layouts, quick actions
or approval layouts. Source: facts/salesforce/rest.md section 2 for the addresses. Assumed: the keys, from memory of
the guide; ids of layouts, which stand for nothing that could be read.
"""

from __future__ import annotations

from typing import cast

from starlette.responses import Response

from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.http.errors import not_found
from orgbridge.emulator.schema.describe import describe_field, describe_sobject
from orgbridge.emulator.schema.errors import SFError
from orgbridge.emulator.schema.model import Field, SObject
from orgbridge.kit.json import JSON
from orgbridge.wire.ids import MASTER_RECORD_TYPE_ID, make_id, to_18

_COLUMNS = 2
_LAYOUT, _COMPACT = "00h", "0AH"
_COMPACT_ASKED = 100


def _layoutable(call: Call, name: str | None = None) -> SObject:
    sobject = call.parts.org.sobject(name if name is not None else call.args["sobject"], user_id=call.user_id)
    if not sobject.layoutable:
        raise not_found()
    return sobject


def _id(sobject: SObject, prefix: str) -> str:
    """Return an id that is the same whenever it is asked for."""
    return make_id(prefix, int.from_bytes(sobject.key_prefix.encode()))


async def layouts(call: Call) -> Response:
    """Answer GET /sobjects/{sobject}/describe/layouts: the layout, and which record type uses it."""
    sobject = _layoutable(call)
    infos = describe_sobject(sobject, call.data_path)["recordTypeInfos"]
    mappings = [{**info, "layoutId": _id(sobject, _LAYOUT), "picklistsForRecordType": []} for info in infos]
    return call.json(
        {"layouts": [_layout(sobject)], "recordTypeMappings": mappings, "recordTypeSelectorRequired": [False]}
    )


async def layout(call: Call) -> Response:
    """Answer GET /sobjects/{sobject}/describe/layouts/{id}: of one record type."""
    sobject = _layoutable(call)
    known = {info["recordTypeId"] for info in describe_sobject(sobject, call.data_path)["recordTypeInfos"]}
    if to_18(call.args["id"]) not in known:
        raise not_found()
    return call.json(_layout(sobject))


def _layout(sobject: SObject) -> JSON:
    fields = [field for field in sobject.fields if field.createable and field.is_stored]
    rows = [fields[start : start + _COLUMNS] for start in range(0, len(fields), _COLUMNS)]
    section = {
        "collapsed": False,
        "columns": _COLUMNS,
        "heading": f"{sobject.label} Information",
        "layoutRows": [{"layoutItems": [_item(sobject, field) for field in row], "numItems": len(row)} for row in rows],
        "parentLayoutId": _id(sobject, _LAYOUT),
        "rows": len(rows),
        "tabOrder": "TopToBottom",
        "useCollapsibleSection": False,
        "useHeading": True,
    }
    return {
        "buttonLayoutSection": {"detailButtons": []},
        "detailLayoutSections": [section],
        "editLayoutSections": [section],
        "feedView": None,
        "highlightsPanelLayoutSection": None,
        "id": _id(sobject, _LAYOUT),
        "multirowEditLayoutSections": [],
        "offlineLinks": [],
        "quickActionList": {"quickActionListItems": []},
        "relatedContent": None,
        "relatedLists": [],
        "saveOptions": [],
    }


def _item(sobject: SObject, field: Field) -> JSON:
    component = {
        "details": describe_field(sobject, field),
        "displayLines": 1,
        "tabOrder": 1,
        "type": "Field",
        "value": field.name,
    }
    return {
        "editableForNew": field.createable,
        "editableForUpdate": field.updateable,
        "label": field.label,
        "layoutComponents": [component],
        "placeholder": False,
        "required": field.required,
    }


def _compact(sobject: SObject) -> JSON:
    shown = [sobject.name_field] if sobject.name_field else []
    return {
        "actions": [],
        "fieldItems": [_item(sobject, field) for field in shown],
        "id": _id(sobject, _COMPACT),
        "imageItems": [],
        "label": "System Default",
        "name": "SYSTEM",
        "objectType": sobject.name,
    }


async def compact_layouts(call: Call) -> Response:
    """Answer GET /sobjects/{sobject}/describe/compactLayouts."""
    sobject = _layoutable(call)
    base = f"{call.data_path}/sobjects/{sobject.name}/describe/compactLayouts"
    mapping = {
        "available": True,
        "compactLayoutId": None,
        "compactLayoutName": "SYSTEM",
        "recordTypeId": MASTER_RECORD_TYPE_ID,
        "recordTypeName": "Master",
        "urls": {"compactLayout": f"{base}/{MASTER_RECORD_TYPE_ID}"},
    }
    return call.json(
        {
            "compactLayouts": [_compact(sobject)],
            "defaultCompactLayoutId": None,
            "recordTypeCompactLayoutMappings": [mapping],
            "urls": {"primary": f"{base}/primary"},
        }
    )


async def compact_layout(call: Call) -> Response:
    """Answer GET /sobjects/{sobject}/describe/compactLayouts/{primary or a record type}."""
    sobject = _layoutable(call)
    asked = call.args["id"]
    if asked.lower() != "primary" and to_18(asked) != MASTER_RECORD_TYPE_ID:
        raise not_found()
    return call.json(_compact(sobject))


async def many_compact_layouts(call: Call) -> Response:
    """Answer GET /compactLayouts?q=Account,Contact: the primary compact layout of each."""
    names = [name.strip() for name in (call.query("q") or "").split(",") if name.strip()]
    if not names or len(names) > _COMPACT_ASKED:
        raise SFError("INVALID_REQUEST_PARAMETER", f"q must name 1 to {_COMPACT_ASKED} objects", 400)
    found = [_layoutable(call, name) for name in names]
    return call.json({sobject.name: _compact(sobject) for sobject in found})


async def approval_layouts(call: Call) -> Response:
    """Answer GET /sobjects/{sobject}/describe/approvalLayouts: there are no approvals."""
    _layoutable(call)
    return call.json({"approvalLayouts": []})


async def quick_actions(call: Call) -> Response:
    """Answer GET /sobjects/{sobject}/quickActions: there are none."""
    _layoutable(call)
    return call.json([])


async def default_values(call: Call) -> Response:
    """Answer GET /sobjects/{sobject}/defaultValues?fields=…: what a new row has in the fields that are not told."""
    sobject = _layoutable(call)
    wanted = {name.strip().lower() for name in (call.query("fields") or "").split(",") if name.strip()}
    for name in wanted:
        if sobject.field(name) is None:
            raise SFError("INVALID_FIELD", f"No such column '{name}' on sobject of type {sobject.name}")
    values: dict[str, JSON] = {"attributes": {"type": sobject.name}}
    for field in sobject.fields:
        if field.default_value is not None and (not wanted or field.name.lower() in wanted):
            values[field.name] = cast("JSON", field.default_value)
    return call.json(values)
