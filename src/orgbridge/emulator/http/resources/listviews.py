"""List views: every object with pages has the one that shows all its rows.

Nobody makes views in an emulated org. Source: the REST API guide, resources List Views, List View Basic Information,
Describe, Results and Recent List Views, for addresses, keys, and the sizes of a page. Assumed: names and ids of the
views, which columns are shown, and what a bad `limit` is told.
"""

from __future__ import annotations

from typing import NamedTuple

from starlette.responses import Response

from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.http.errors import not_found
from orgbridge.emulator.http.resources.explain import explain
from orgbridge.emulator.query import results
from orgbridge.emulator.query.planner import plan_query
from orgbridge.emulator.schema.errors import SFError
from orgbridge.emulator.schema.model import SObject
from orgbridge.kit.json import JSON
from orgbridge.wire.ids import make_id, to_18

PREFIX = "00B"
_PAGE, _PAGE_MAX, _OFFSET_MAX = 25, 2_000, 2_000
_HIDDEN = ("Id", "CreatedDate", "LastModifiedDate", "SystemModstamp")


class _View(NamedTuple):
    """The view of all rows of one object."""

    sobject: SObject
    id: str
    columns: tuple[str, ...]
    ordered_by: str

    @property
    def developer_name(self) -> str:
        """Return the name that the view has in code."""
        return f"All{''.join(filter(str.isalnum, self.sobject.label_plural))}"

    @property
    def label(self) -> str:
        """Return the name that people see."""
        return f"All {self.sobject.label_plural}"

    @property
    def soql(self) -> str:
        """Return the query behind the view."""
        order = f"{self.ordered_by} ASC NULLS FIRST"
        if self.ordered_by != "Id":
            order += ", Id ASC NULLS FIRST"
        # SOQL with names from the catalogue.
        return f"SELECT {', '.join(self.columns)} FROM {self.sobject.name} ORDER BY {order}"  # noqa: S608


def _view_of(sobject: SObject) -> _View:
    name = sobject.name_field.name if sobject.name_field else "Id"
    hidden = [field for field in _HIDDEN if field != name and sobject.field(field) is not None]
    view_id = make_id(PREFIX, int.from_bytes(sobject.key_prefix.encode()))
    sortable = sobject.name_field is not None and sobject.name_field.sortable
    return _View(sobject, view_id, (name, *hidden), name if sortable else "Id")


def _asked(call: Call) -> _View:
    """Return the view that the address names by id.

    Raises:
        SFError: There is no such object or view.
    """
    view = _view_of(_listed(call))
    if call.args["id"] != view.id and to_18(call.args["id"]) != view.id:
        raise not_found()
    return view


def _listed(call: Call) -> SObject:
    sobject = call.parts.org.sobject(call.args["sobject"], user_id=call.user_id)
    if not sobject.layoutable:
        raise not_found()
    return sobject


def _item(call: Call, view: _View) -> JSON:
    url = f"{call.data_path}/sobjects/{view.sobject.name}/listviews/{view.id}"
    return {
        "describeUrl": f"{url}/describe",
        "developerName": view.developer_name,
        "id": view.id,
        "label": view.label,
        "resultsUrl": f"{url}/results",
        "soqlCompatible": True,
        "url": url,
    }


def _columns(view: _View) -> list[JSON]:
    found: list[JSON] = []
    for name in view.columns:
        field, first = view.sobject.field(name), name == view.ordered_by
        sortable = name in _HIDDEN or first
        found.append(
            {
                "ascendingLabel": "Z-A" if first else None,
                "descendingLabel": "A-Z" if first else None,
                "fieldNameOrPath": name,
                "hidden": name != view.columns[0],
                "label": field.label if field else name,
                "selectListItem": name,
                "sortDirection": "ascending" if first else None,
                "sortIndex": 0 if first else None,
                "sortable": sortable,
                "type": field.type.value if field else "id",
            }
        )
    return found


async def list_views(call: Call) -> Response:
    """Answer GET /sobjects/{sobject}/listviews."""
    view = _view_of(_listed(call))
    listed = [_item(call, view)]
    name = view.sobject.name
    return call.json({"done": True, "listviews": listed, "nextRecordsUrl": None, "size": 1, "sobjectType": name})


async def list_view(call: Call) -> Response:
    """Answer GET /sobjects/{sobject}/listviews/{id}, and /recent with views looked at lately: none."""
    if call.args["id"].lower() == "recent":
        name = _listed(call).name
        return call.json({"done": True, "listviews": [], "nextRecordsUrl": None, "size": 0, "sobjectType": name})
    return call.json(_item(call, _asked(call)))


async def describe(call: Call) -> Response:
    """Answer GET /sobjects/{sobject}/listviews/{id}/describe."""
    view = _asked(call)
    order = [{"fieldNameOrPath": view.ordered_by, "nullsPosition": "first", "sortDirection": "ascending"}]
    if view.ordered_by != "Id":
        order.append({"fieldNameOrPath": "Id", "nullsPosition": "first", "sortDirection": "ascending"})
    return call.json(
        {
            "columns": _columns(view),
            "id": view.id,
            "orderBy": order,
            "query": view.soql,
            "relatedEntityId": None,
            "scope": "everything",
            "scopeEntityId": None,
            "sobjectType": view.sobject.name,
            "whereCondition": {"conditions": [], "conjunction": "and"},
        }
    )


async def show(call: Call) -> Response:
    """Answer GET /sobjects/{sobject}/listviews/{id}/results?limit=&offset=: a page of rows as texts."""
    view = _asked(call)
    limit = _number(call, "limit", _PAGE, 1, _PAGE_MAX)
    offset = _number(call, "offset", 0, 0, _OFFSET_MAX)
    parts, user_id, version = call.parts, call.user_id, f"v{call.version}.0"

    def work() -> tuple[list[JSON], bool]:
        soql = f"{view.soql} LIMIT {limit + 1} OFFSET {offset}"
        plan = plan_query(parts.org.view(user_id), soql, now=parts.clock.now(), user_id=user_id)
        with parts.storage.read() as connection:
            rows = results.query_json(plan, connection, version=version, size=limit + 1)["records"]
        return rows[:limit], len(rows) <= limit

    rows, done = await call.thread(work)
    records = [
        {"columns": [{"fieldNameOrPath": name, "value": _shown(row[name])} for name in view.columns]} for row in rows
    ]
    return call.json(
        {
            "columns": _columns(view),
            "developerName": view.developer_name,
            "done": done,
            "id": view.id,
            "label": view.label,
            "records": records,
            "size": len(records),
        }
    )


def _shown(value: JSON) -> JSON:
    return value if value is None or isinstance(value, str) else str(value)


def _number(call: Call, name: str, default: int, least: int, most: int) -> int:
    text = call.query(name)
    if text is None:
        return default
    if not text.isdecimal() or len(text) > len(str(most)) or not least <= int(text) <= most:
        raise SFError("INVALID_QUERY_LIMIT", f"{name} must be a number from {least} to {most}", 400)
    return int(text)


async def explain_view(call: Call, view_id: str) -> Response:
    """Answer GET /query?explain={id of a list view}.

    Raises:
        SFError: There is no such view.
    """
    for sobject in call.parts.org.view(call.user_id).sobjects():
        if sobject.layoutable:
            view = _view_of(sobject)
            if view.id == to_18(view_id):
                return await explain(call, view.soql)
    raise not_found()
