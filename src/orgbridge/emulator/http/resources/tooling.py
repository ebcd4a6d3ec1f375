"""The little of the Tooling API that clients ask for when they look an org over: its objects and fields as rows.

EntityDefinition and FieldDefinition are made from the catalogue for each call, in a database of their own that lives
as long as the call, so that every SOQL construct works on them. What else the Tooling API has is refused as it would
be where the object does not exist.

Source: the issue's list of what clients ask for. Assumed: field names, from memory of the guide; ids.
"""

from __future__ import annotations

from starlette.responses import Response

from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.http.errors import not_found
from orgbridge.emulator.http.resources.queries import wants_columns
from orgbridge.emulator.http.resources.querycolumns import query_columns
from orgbridge.emulator.org.definitions import definition_catalogue, open_definitions
from orgbridge.emulator.query import results
from orgbridge.emulator.query.planner import plan_query
from orgbridge.emulator.schema.describe import describe_global, describe_item, describe_sobject
from orgbridge.emulator.schema.errors import SFError
from orgbridge.kit.json import JSON
from orgbridge.wire.limits import QUERY_PAGE_DEFAULT


def _base(call: Call) -> str:
    return f"{call.data_path}/tooling"


async def overview(call: Call) -> Response:
    """Answer GET /tooling."""
    return call.json({name: f"{_base(call)}/{name}" for name in ("query", "sobjects")})


async def global_describe(call: Call) -> Response:
    """Answer GET /tooling/sobjects."""
    return call.json(describe_global(definition_catalogue(), _base(call)))


async def basic_info(call: Call) -> Response:
    """Answer GET /tooling/sobjects/{sobject}."""
    sobject = definition_catalogue().sobject(call.args["sobject"])
    if sobject is None:
        raise not_found()
    return call.json({"objectDescribe": describe_item(sobject, _base(call)), "recentItems": []})


async def describe(call: Call) -> Response:
    """Answer GET /tooling/sobjects/{sobject}/describe."""
    sobject = definition_catalogue().sobject(call.args["sobject"])
    if sobject is None:
        raise not_found()
    return call.json(describe_sobject(sobject, _base(call)))


async def change(call: Call) -> Response:
    """Answer POST, PATCH and DELETE on /tooling/sobjects/{sobject}: nothing can be made or changed there."""
    sobject = definition_catalogue().sobject(call.args["sobject"])
    if sobject is None:
        raise not_found()
    text = f"entity type cannot be changed: {sobject.label}"
    raise SFError("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", text)


async def retrieve(_call: Call) -> Response:
    """Answer GET /tooling/sobjects/{sobject}/{id}: definitions are found by queries only."""
    raise not_found()


async def query(call: Call) -> Response:
    """Answer GET /tooling/query: EntityDefinition and FieldDefinition, in one page."""
    soql = call.query("q")
    if not soql:
        raise SFError("MALFORMED_QUERY", "A query string has to be specified")
    org, version, now = call.parts.org, f"v{call.version}.0/tooling", call.parts.clock.now()

    def work() -> JSON:
        plan = plan_query(definition_catalogue(), soql, now=now, user_id=call.user_id)
        if wants_columns(call):
            return query_columns(definition_catalogue(), plan)
        with open_definitions(org.view(call.user_id), now) as connection:
            count = max(results.total(plan, connection), QUERY_PAGE_DEFAULT)
            reply = results.query_json(plan, connection, version=version, size=count)
        return {"size": len(reply["records"]), **reply, "queryLocator": None, "entityTypeName": plan.sobject.name}

    return call.json(await call.thread(work))
